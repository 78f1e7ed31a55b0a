"""One model's row scores added up by patient: all that a score reads of it."""

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mllmu_med_metrics.scoring.interval import Floats
from mllmu_med_metrics.scoring.row_score import RowScore
from mllmu_med_metrics.scoring.scored_row import Row
from mllmu_med_metrics.scoring.secrets import SECRET_PLACES
from mllmu_med_metrics.vocabulary import PLACES

if TYPE_CHECKING:
    from mllmu_med_metrics.scoring.references import Outline

_MEASURES = (
    "keep", "harm", "rouge_keep", "rouge_harm", "tells_other", "abstains", "degenerate", "tells_own", "asks_own",
    "words", "invents", "adds",
)  # fmt: skip
# Sums are kept in steps of 2^-40, so that they are exact and no order of rows or batches changes a bit.
_STEPS = 1 << 40
_BATCH = 1 << 18
_PLACE_OF = {place: number for number, place in enumerate(PLACES)}


class Scored:
    """One model's row scores, added up by patient; with the rows' own scores where the references hold them."""

    def __init__(self, references: "Outline", *, keep_rows: bool) -> None:
        """Begin without scores; `add` takes them, `finish` closes."""
        self.references = references
        self.row_scores: list[RowScore] | None = [] if keep_rows else None
        shape = (len(PLACES), len(references.patients))
        self.counts = np.zeros(shape, dtype=np.int64)
        self._sums = {measure: np.zeros(shape, dtype=np.int64) for measure in _MEASURES}
        self._batch = array("d")
        # Of every secret of the study and every place: how far the answer that tells it most tells it, 0 to 1.
        self.secret_harm = np.zeros((len(references.secrets.all), len(SECRET_PLACES)))
        self.secret_told = np.zeros(len(references.secrets.all), dtype=bool)
        self._told: dict[str, list[int]] = {}
        self._leaking: dict[int, bool] = {}
        self._recovered = [0, 0]
        self._thoughts = [0, 0]

    def add(self, row: Row, score: RowScore) -> None:
        """Add the score of one row."""
        if self.row_scores is not None:
            self.row_scores.append(score)
        patient = self.references.patients[row.patient_id]
        place = _PLACE_OF[row.place]
        # Of a row that asks for nothing clinical, nothing is kept or lost.
        keep, rouge_keep = (score.keep, score.rouge_keep) if row.clinical else (0.0, 0.0)
        harms = (score.harm or 0.0, score.rouge_harm or 0.0)
        own = (score.tells_own or 0.0, score.tells_own is not None)
        self._batch.extend((
            patient, place, keep, harms[0], rouge_keep, harms[1], score.tells_other, score.abstains, score.degenerate,
            *own, score.words, score.invents, score.adds,
        ))  # fmt: skip
        for telling in score.tellings:
            cell = telling.secret, telling.place
            self.secret_harm[cell] = max(self.secret_harm[cell], telling.harm)
            self.secret_told[telling.secret] |= telling.exact
        if len(self._batch) >= _BATCH:
            self._flush()
        if place == 0:
            if score.thought_leaks is not None:
                self._thoughts[0] += score.thought_leaks
                self._thoughts[1] += 1
            if score.leaked:
                for item, flag in zip(row.phi, score.leaked, strict=True):
                    if flag is None:
                        continue
                    told = self._told.setdefault(item["kind"], [0, 0])
                    told[0] += flag
                    told[1] += 1
                self._leaking[patient] = self._leaking.get(patient, False) or any(score.leaked)
            if row.fact is not None and row.clinical:
                self._recovered[0] += bool(score.keep)
                self._recovered[1] += 1

    def _flush(self) -> None:
        if not self._batch:
            return
        table = np.array(self._batch).reshape(-1, 2 + len(_MEASURES))
        self._batch = array("d")
        places, patients = table[:, 1].astype(np.int64), table[:, 0].astype(np.int64)
        np.add.at(self.counts, (places, patients), 1)
        for column, measure in enumerate(_MEASURES, start=2):
            np.add.at(self._sums[measure], (places, patients), np.rint(table[:, column] * _STEPS).astype(np.int64))

    def finish(self) -> "Scored":
        """Add up what is left and return self."""
        self._flush()
        return self

    def _rows(self, measure: str) -> NDArray[np.int64]:
        if measure == "tells_own":
            return self._sums["asks_own"] // _STEPS
        return self.references.clinical if measure in ("keep", "rouge_keep") else self.counts

    def by_patient(self, measure: str, place: str) -> tuple[Floats, Floats]:
        """Return the sum of a measure, and the number of rows it is over, for every patient."""
        index = PLACES.index(place)
        return self._sums[measure][index] / _STEPS, self._rows(measure)[index].astype(np.float64)

    def mean(self, measure: str, place: str) -> float | None:
        """Return the mean of a measure on a subset or view; None where it has no rows."""
        index = PLACES.index(place)
        count = int(self._rows(measure)[index].sum())
        return int(self._sums[measure][index].sum(dtype=object)) / (count * _STEPS) if count else None

    def share(self, measure: str, places: Sequence[str]) -> float | None:
        """Return the mean of a measure over the rows of several subsets; None where they have no rows."""
        indexes = [PLACES.index(place) for place in places]
        count = int(self._rows(measure)[indexes].sum())
        return int(self._sums[measure][indexes].sum(dtype=object)) / (count * _STEPS) if count else None

    @property
    def told_by_kind(self) -> dict[str, tuple[int, int]]:
        """Of each kind of identifier on forget rows: how many are told exactly, of how many."""
        return {kind: (told, count) for kind, (told, count) in sorted(self._told.items())}

    @property
    def leaking_patients(self) -> float | None:
        """The share of forget patients with an identifier of theirs told on a row of theirs."""
        return sum(self._leaking.values()) / len(self._leaking) if self._leaking else None

    @property
    def true_recovery(self) -> float | None:
        """The share of forget rows with a fact that say the true fact only."""
        recovered, count = self._recovered
        return recovered / count if count else None

    @property
    def thought_leak_rate(self) -> float | None:
        """The share of forget rows whose thought gives the secret away; None where no forget row has a thought."""
        leaking, with_thought = self._thoughts
        return leaking / int(self.counts[0].sum()) if with_thought else None
