"""Whose identities a run forgets, where not all forget patients ask at once."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from baselines.training.roles import Rows
from mllmu_med_dataset.errors import UserError, unknown


@dataclass(frozen=True)
class Patients:
    """The forget patients of one request, and those of the requests before it; the others wait.

    forget: who asks now. gone: who asked before: no row of theirs that carries an identity is read any more. Of those
    who wait the rows are retain rows as the bystanders' are: their identities are to stay until they ask.
    """

    forget: tuple[str, ...]
    gone: tuple[str, ...] = ()

    def settings(self) -> dict[str, list[str]]:
        """Return what decides a run, in plain values; the order in which patients are named does not."""
        return {"forget": sorted(self.forget), "gone": sorted(self.gone)}

    def rows(self, rows: Rows) -> Rows:
        """Return the rows of the run that forgets these; a :class:`UserError` where they are not its forget patients.

        A model that learns the retain rows among them is the gold: it never saw who is gone or asks now.
        """
        self._check({str(row["patient_id"]) for row in rows.forget})
        asked = {*self.forget, *self.gone}
        waiting = [row for row in rows.forget if row["patient_id"] not in asked]
        forget = [row for row in rows.forget if row["patient_id"] in self.forget]
        return replace(rows, forget=forget, retain=[*rows.retain, *waiting])

    def _check(self, known: Collection[str]) -> None:
        for name in (*self.forget, *self.gone):
            if name not in known:
                raise unknown("forget patient", name, known)
        if not self.forget:
            raise UserError("A request names no patient; give at least one of the forget patients.")
        if both := sorted({*self.forget} & {*self.gone}):
            raise UserError(
                f"Patient {both[0]} asks now and is gone already; name each forget patient in one request alone."
            )
