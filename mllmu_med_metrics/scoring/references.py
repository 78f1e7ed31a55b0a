"""The scored rows of one scenario: held, or only what they add up to.

Of an `Outline` memory grows with the patients, not with the rows, but for some tens of bytes a row that the blind
guesser needs; `References` hold the rows themselves, so that models can be scored one by one.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from itertools import chain, islice
from math import fsum
from typing import Self

import numpy as np

from mllmu_med_metrics.scoring.blind import BlindGuesser
from mllmu_med_metrics.scoring.claims import ClosedSets
from mllmu_med_metrics.scoring.holders import rows_in
from mllmu_med_metrics.scoring.judge import Answered, Judge, judged
from mllmu_med_metrics.scoring.row_score import RowScore
from mllmu_med_metrics.scoring.scored import Scored
from mllmu_med_metrics.scoring.scored_row import Row, parse_row
from mllmu_med_metrics.scoring.secrets import ELSEWHERE, RETAINED, SECRET_PLACES, Secrets
from mllmu_med_metrics.vocabulary import CLEAN_VIEWS, PLACES, SUBSETS, VIEWS

Predictions = Mapping[str, str]

# Of fewer answers one process is done before others have begun.
FEWEST_SHARED = 20_000


class Outline:
    """What the scored rows add up to; models are added with `tally`, which reads the rows again."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """Take in every row: patients, counts, the blind guesser's knowledge, the forget patients' identifiers."""
        met: dict[str, int] = {}
        who, where = array("q"), array("b")
        guesser = BlindGuesser()
        guesses = array("d")
        self.secrets, closed_sets = Secrets(), ClosedSets()
        # Whether retained rows hold identities, which are to be kept.
        self.has_bystanders = False
        scenarios: set[str] = set()
        for row in rows:
            patient = met.setdefault(row.patient_id, len(met))
            scenarios.add(row.scenario)
            who.append(patient)
            where.append(2 * PLACES.index(row.place) + row.clinical)
            if (row.view is None or row.view in CLEAN_VIEWS) and row.clinical:
                guesser.add(row, patient, row.place)
            if row.place == "forget" and row.fact is not None and row.clinical and len(row.closed_set) > 1:
                guesses.append(1 / (len(row.closed_set) - 1))
            self.has_bystanders |= row.subset == "retain" and bool(row.phi)
            self.secrets.add(row)
            closed_sets.add(row)
        if len(scenarios) > 1:
            raise ValueError(
                f"The rows mix the scenarios {' and '.join(sorted(scenarios))}; UES is per scenario: score them apart."
            )
        self.scenario = next(iter(scenarios), None)
        self.patients = {name: number for number, name in enumerate(sorted(met))}
        placed = np.array([self.patients[name] for name in met], dtype=np.int64)
        patients = placed[np.frombuffer(who, dtype=np.int64)]
        places = np.frombuffer(where, dtype=np.int8)
        shape = (2 * len(PLACES), len(met))
        cells = np.bincount(places.astype(np.int64) * len(met) + patients, minlength=shape[0] * shape[1])
        counts = cells.reshape(shape).astype(np.int64)
        # Rows by place and patient: those that ask for something clinical, and all.
        self.clinical = counts[1::2]
        self.counts = counts[0::2] + counts[1::2]
        # The subsets in which a patient appears: replicates draw patients within it.
        subsets = self.counts[: len(SUBSETS)] > 0
        self.strata = (subsets * (1 << np.arange(len(SUBSETS)))[:, None]).sum(axis=0).tolist()
        forgotten = {name for name, count in zip(self.patients, self.counts[0].tolist(), strict=True) if count}
        self._judge = Judge(self.secrets, closed_sets, forgotten)
        # Of forget rows that no longer say the wrong fact, how many tell the truth by a guess among the other values.
        self.lucky = fsum(guesses) / len(guesses) if guesses else None
        self.blind = {place: guesser.keep(place) for place in ("forget", "retain", "test", *CLEAN_VIEWS)}

    @classmethod
    def read(cls, rows: Iterable[Mapping[str, object]]) -> Self:
        """Read rows of the data set once; raise ValueError for an id that stands twice."""
        numbers = array("q")

        def noted() -> Iterator[Row]:
            for row in map(parse_row, rows):
                numbers.append(_number_of(row.id))
                yield row

        outline = cls(noted())
        ordered = np.sort(np.frombuffer(numbers, dtype=np.int64))
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        if twice.size:
            raise _twice(next(str(row["id"]) for row in rows if _number_of(str(row["id"])) == twice[0]))
        return outline

    @property
    def secret_places(self) -> tuple[str, ...]:
        """The places in which secrets may be told that the rows ask, forget first."""
        of_forget = self.counts[0] > 0
        retained = (self.counts[PLACES.index("retain")] > 0) & of_forget
        asked = {view for view in VIEWS if self.size(view)} | ({RETAINED} if retained.any() else set())
        return tuple(place for place in SECRET_PLACES if place in asked or place in ("forget", ELSEWHERE))

    def size(self, place: str) -> int:
        """Return how many rows a subset, or a view, holds."""
        return int(self.counts[PLACES.index(place)].sum())

    def clinical_size(self, place: str) -> int:
        """Return how many of its rows ask for something clinical."""
        return int(self.clinical[PLACES.index(place)].sum())

    @property
    def forget_patients(self) -> int:
        """How many patients have forget rows."""
        return int((self.counts[0] > 0).sum())

    @property
    def fewest_patients(self) -> int:
        """How many patients the smallest of forget, retain and test has: what an interval of the score rests on."""
        return min(int((self.counts[PLACES.index(subset)] > 0).sum()) for subset in SUBSETS[:3])

    def worth(self, answer: str, row: Row, *, full: bool = True) -> RowScore:
        """Return what `score_row` does; the same words about the same fact are read once."""
        return self._judge.worth(answer, row, full=full)

    def _score(
        self, asked: Iterable[Answered], models: Iterable[str], *, keep_rows: bool, workers: int
    ) -> dict[str, "Scored"]:
        """Return each model's scores of rows with an answer of each, and the rows' own scores if they are kept."""
        scored = {model: Scored(self, keep_rows=keep_rows) for model in models}
        workers = workers if int(self.counts.sum()) * len(scored) >= FEWEST_SHARED else 1
        for row, answers, worth in judged(self._judge, asked, full=keep_rows, workers=workers):
            for model, one in zip(answers, worth, strict=True):
                scored[model].add(row, one)
        return {model: one.finish() for model, one in scored.items()}

    def tally(
        self, answered: Iterable[tuple[Mapping[str, object], Mapping[str, str]]], *, workers: int = 1
    ) -> dict[str, "Scored"]:
        """Score (row, {model: answer}) pairs one after the other and return each model's sums.

        The rows are those of the outline, each once, in any order, and every row holds an answer of every model. More
        than one worker are processes that share the rows where they are many.
        """
        asked = self._asked(answered)
        first = list(islice(asked, 1))
        models = first[0][1] if first else ("unlearned", "target")
        finished = self._score(chain(first, asked), models, keep_rows=False, workers=workers)
        if not models or any((one.counts != self.counts).any() for one in finished.values()):
            raise _other_rows()
        return finished

    def _asked(self, answered: Iterable[tuple[Mapping[str, object], Mapping[str, str]]]) -> Iterator[Answered]:
        """Yield the rows and answers; raise ValueError for a row of no patient here, or without an answer in text."""
        models: Mapping[str, str] = {}
        for given, answers in answered:
            row = parse_row(given)
            if row.patient_id not in self.patients:
                raise _other_rows()
            models = models or answers
            if answers.keys() != models.keys():
                raise ValueError(
                    f"Row '{row.id}' has answers of {', '.join(sorted(answers)) or 'no model'}, the first row of "
                    f"{', '.join(sorted(models))}. Every row needs one answer of every model."
                )
            for model, answer in answers.items():
                if not isinstance(answer, str):
                    raise _no_text(model, row.id, answer)
            yield row, dict(answers)


class References(Outline):
    """The scored rows themselves, prepared once and shared by every model's predictions."""

    def __init__(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Check the rows and order them by id, so that the order in which they come never matters.

        `rows` may be a list, a generator, a `datasets.Dataset` or a table (`holders.rows_in`).
        """
        self.rows = sorted(map(parse_row, rows_in(rows)), key=lambda row: row.id)
        self.ids = [row.id for row in self.rows]
        for before, after in zip(self.ids, self.ids[1:], strict=False):
            if before == after:
                raise _twice(after)
        super().__init__(self.rows)
        self.places = {
            subset: np.array([i for i, row in enumerate(self.rows) if row.place == subset], dtype=np.int64)
            for subset in PLACES
        }

    def of(self, place: str) -> list[Row]:
        """Return the rows of one subset or view, by id."""
        return [self.rows[index] for index in self.places[place]]

    def scored(self, predictions: Predictions, model: str = "the model", *, workers: int = 1) -> "Scored":
        """Score every answer of one model; raise ValueError unless the predictions cover exactly the rows.

        More than one worker are processes that share the rows where they are many.
        """
        if not isinstance(predictions, Mapping):
            raise ValueError(
                f"The predictions of {model} are {type(predictions).__name__}, not a mapping of row id to answer. "
                "Answers in the order of the rows become one by dict(zip(ids, answers)), with the ids of the rows."
            )
        missing = [row_id for row_id in self.ids if row_id not in predictions]
        if missing:
            raise ValueError(
                f"The predictions of {model} miss {len(missing)} of {len(self.ids)} rows, the first being "
                f"'{missing[0]}'. Every scored row needs exactly one prediction: evaluate {model} on the same rows."
            )
        if len(predictions) > len(self.ids):
            known = set(self.ids)
            extra = sorted(str(row_id) for row_id in predictions if row_id not in known)
            raise ValueError(
                f"The predictions of {model} hold {len(extra)} ids that are not among the {len(self.ids)} scored rows, "
                f"the first being '{extra[0]}'. Evaluate {model} on the same rows, or score one sample for all models."
            )
        return self._score(self._answered(predictions, model), (model,), keep_rows=True, workers=workers)[model]

    def _answered(self, predictions: Predictions, model: str) -> Iterator[Answered]:
        for row in self.rows:
            answer = predictions[row.id]
            if not isinstance(answer, str):
                raise _no_text(model, row.id, answer)
            yield row, {model: answer}


def _number_of(row_id: str) -> int:
    return int.from_bytes(blake2b(row_id.encode(), digest_size=8).digest(), signed=True)


def _twice(row_id: str) -> ValueError:
    return ValueError(f"Row id '{row_id}' occurs twice: every row to score must have an id of its own.")


def _no_text(model: str, row_id: str, answer: object) -> ValueError:
    return ValueError(f"The prediction of {model} for row '{row_id}' is {type(answer).__name__}, not text.")


def _other_rows() -> ValueError:
    return ValueError(
        "The rows read the second time are not those read the first time: give a list, or an object that reads the "
        "same rows whenever it is iterated."
    )
