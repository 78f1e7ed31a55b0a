"""The scores of an entry, computed again from the answers it carries; one that claims another is refused."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from pathlib import Path

from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.record import canonical_json
from mllmu_med_tasks.harness import task_version

from ..study.measured import measured
from ..study.report_rows import rows_of
from .entry import SCORES, Answers, Entry
from .rows_due import build_of, check_ids, rows_due

# Another machine rounds another last digit; no score shown has more than three.
TOLERANCE = 1e-6

Rows = Sequence[Mapping[str, object]]


@dataclass(frozen=True)
class Board:
    """The rows of the report that one scenario of an entry gives."""

    answers: Answers
    rows: tuple[Mapping[str, object], ...]

    @property
    def digest(self) -> str:
        """What names the rows that were asked: entries that share it stand in one table."""
        return hashlib.sha256(canonical_json([self.answers.rows_sha256, sorted(self.answers.ids)]).encode()).hexdigest()


def recomputed(
    answers: Answers, *, percent: int, seed: int, build: Path, where: str
) -> tuple[Mapping[str, object], ...]:
    """Return a row of values for every model, as a report has them, from the answers alone."""
    due = rows_due(answers.scenario, percent, build)
    check_ids(answers.ids, due, where)
    try:
        scenario = measured(answers.scenario, answers.gathered(due, seed), answers.models, seed)
    except ValueError as error:
        raise UserError(f"{where} can't be scored: {error}") from error
    return tuple(rows_of(scenario)[0])


def verified(entry: Entry, name: str, builds: Sequence[Path | None]) -> list[Board]:
    """Return what the answers of an entry give; a :class:`UserError` for one that asked or claims anything else.

    builds: folders of builds, None for the packaged one. name: the entry's, for what is said of it.
    """
    boards = []
    for answers in entry.scenarios:
        where = f"The entry '{name}' ({answers.scenario})"
        _check_tasks(answers, where)
        build = build_of(answers.rows_sha256, answers.scenario, entry.percent, builds, where)
        rows = recomputed(answers, percent=entry.percent, seed=entry.seed, build=build, where=where)
        _check_claims(answers, rows, where)
        boards.append(Board(answers, rows))
    return boards


def claims(rows: Sequence[Mapping[str, object]]) -> dict[str, dict[str, object]]:
    """Return what an entry claims of every model: what its answers give."""
    return {str(row["model"]): {name: row.get(name) for name in SCORES} for row in rows}


def _check_tasks(answers: Answers, where: str) -> None:
    """Refuse answers to other tasks than these: results of another N of a version `N-X` can't be compared."""
    current = task_version()
    for task, version in answers.task_versions.items():
        if version.partition("-")[0] != current.partition("-")[0]:
            raise UserError(
                f"{where} answers version {version} of the task {task}, and this is version {current}: their scores "
                "can't be compared. Evaluate again, and make the entry anew with `mllmu-med submit`."
            )


def _check_claims(answers: Answers, rows: Sequence[Mapping[str, object]], where: str) -> None:
    """Refuse a score that is not what the answers give."""
    given = claims(rows)
    if answers.scores.keys() != given.keys():
        apart = sorted(answers.scores.keys() ^ given.keys())
        raise UserError(
            f"{where} claims scores of other models than it holds answers of ({apart[0]} is only in one). Make it anew "
            "with `mllmu-med submit`."
        )
    for model, values in given.items():
        claimed = answers.scores[model]
        for field in sorted(claimed.keys() | values.keys()):
            if not _same(claimed.get(field), values.get(field)):
                raise UserError(
                    f"{where} claims {field} {claimed.get(field)!r} for {model}, and its answers give "
                    f"{values.get(field)!r}. Scores are computed from the answers: make the entry anew with "
                    "`mllmu-med submit`, from the runs themselves."
                )


def _same(claimed: object, given: object) -> bool:
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (claimed, given))
    return isclose(claimed, given, abs_tol=TOLERANCE) if numbers else claimed == given
