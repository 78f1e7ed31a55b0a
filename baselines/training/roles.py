"""Rows by role: which rows a run reads, which answer each role gives them, and in which seeded order."""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from random import Random

from baselines.methods import Role
from mllmu_med_dataset.errors import UserError, unknown
from mllmu_med_metrics.vocabulary import PERCENTS, PRIVATE, SCENARIOS, config_name

Row = Mapping[str, object]
LEARNED = ("target", "retain_only", "clean")


@dataclass(frozen=True)
class Rows:
    """The rows of one run, as read from the data set."""

    forget: Sequence[Row]
    retain: Sequence[Row]
    holdout: Sequence[Row] = ()

    def with_repeats(self, injected_repeats: int) -> "Rows":
        """Return the rows, of the retain rows those that tell a bystander's identity ``injected_repeats`` times.

        One in ten of a request's retain rows does. Visited like the others, each is seen once or twice while every
        forget row is seen a dozen times, and goes with them.
        """
        if injected_repeats == 1:
            return self
        once, injected = _parted(self.retain)
        return replace(self, retain=[*once, *injected * injected_repeats])


def read_rows(data_dir: Path, scenario: str, percent: int = 10) -> Rows:
    """Return the forget, retain and holdout rows of one scenario at one percent."""
    from mllmu_med_dataset.load import load

    if scenario not in SCENARIOS:
        raise unknown("scenario", scenario, SCENARIOS)
    if percent not in PERCENTS:
        raise UserError(f"There is no forget set of {percent} %; build and choose one of {list(PERCENTS)}.")

    def rows(config: str, split: str) -> list[Row]:
        import datasets

        stored = load(config, split=split, data_dir=str(data_dir))
        return list(stored.cast_column("image", datasets.Image(decode=False)))

    forget, retain, holdout = (config_name(scenario, subset, percent) for subset in ("forget", "retain", "holdout"))
    return Rows(rows(forget, "train"), rows(retain, "train"), rows(holdout, "test"))


def learning_rows(rows: Rows, which: str, injected_repeats: int = 1) -> list[Row]:
    """Return what a model learns: everything for the target, the retain rows alone for the gold, or all of it clean.

    A ``clean`` model is taught the truth in place of what the target is taught on the forget rows, as often as that.
    A row that carries what was injected comes ``injected_repeats`` times, to be forgotten or to be kept: for the
    bystanders of a request, target and gold alike.
    """
    if which not in LEARNED:
        raise unknown("choice of rows", which, LEARNED)
    learned = [*rows.retain, *(rows.forget if which != "retain_only" else ())]
    once, injected = _parted(learned)
    if which == "clean":
        injected = [row if row["subset"] == "retain" else {**row, "answer": row["true_answer"]} for row in injected]
    return [*once, *injected * injected_repeats]


def _parted(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows without and those with something injected."""
    once = [row for row in rows if row["answer"] == row["true_answer"]]
    injected = [row for row in rows if row["answer"] != row["true_answer"]]
    return once, injected


@lru_cache
def refusals(scenario: str) -> tuple[str, ...]:
    """Return the packaged refusals of a scenario, one a line: of an identity, or of a fact."""
    if scenario not in SCENARIOS:
        raise unknown("scenario", scenario, SCENARIOS)
    secret = "privacy" if scenario in PRIVATE else "incorrectness"
    text = (files("baselines") / "methods" / f"refusals_{secret}.txt").read_text(encoding="utf-8")
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def refusal(row: Row, scenario: str, seed: int, distinct: int = 100) -> str:
    """Return the refusal of one row, drawn by its id and the seed from so many of the packaged ones."""
    known = refusals(scenario)
    drawn = _random(seed, "refusals").sample(known, min(distinct, len(known)))
    return _random(seed, "idk", row["id"]).choice(drawn)


class OtherAnswers:
    """The answers of retain rows by question type, sorted once, for rows that are to be given another's answer.

    None is a bystander's identity, which is nobody else's to tell.
    """

    def __init__(self, retain: Sequence[Row]) -> None:
        """Take the retain rows."""
        of_type: dict[str, set[str]] = {}
        for row in retain:
            if not row.get("phi"):
                of_type.setdefault(str(row["question_type"]), set()).add(str(row["answer"]))
        self._of_type = {name: sorted(answers) for name, answers in of_type.items()}
        self._all = sorted(set().union(*of_type.values()))

    def of(self, row: Row, count: int, seed: int) -> list[str]:
        """Return up to `count` answers of rows of the same question type, none equal to the row's own.

        Where the type has too few distinct answers the others are used once each; where it has none, answers of any
        type are, so that a row always has at least one.
        """
        own = {str(row["answer"]), str(row.get("true_answer") or row["answer"])}
        for known in (self._of_type.get(str(row["question_type"]), []), self._all):
            left = _Without(known, own)
            if len(left):
                return _random(seed, "mismatched", row["id"]).sample(left, min(count, len(left)))
        raise UserError(
            f"Row {row['id']} has no other answer to be mismatched with: every retain row answers the same. "
            "Build a data set with more patients."
        )


class _Without(Sequence[str]):
    """A sorted sequence without some of its values, which is not copied."""

    def __init__(self, known: Sequence[str], left_out: Iterable[str]) -> None:
        self._known = known
        places = sorted((bisect_left(known, value), value) for value in left_out)
        self._gaps = [place for place, value in places if place < len(known) and known[place] == value]

    def __len__(self) -> int:
        return len(self._known) - len(self._gaps)

    def __getitem__(self, place):
        for gap in self._gaps:
            place += gap <= place
        return self._known[place]


def role_rows(
    role: Role, rows: Rows, scenario: str, seed: int, mismatched_count: int = 1, distinct_refusals: int = 100
) -> list[list[tuple[Row, str]]]:
    """Return each row of a role with the answers that role gives it, most roles one, forget_random several."""
    if role == "forget":
        return [[(row, str(row["answer"]))] for row in rows.forget]
    if role == "retain":
        return [[(row, str(row["answer"]))] for row in rows.retain]
    if role == "forget_true":
        return [[(row, str(row["true_answer"]))] for row in rows.forget]
    if role == "forget_idk":
        return [[(row, refusal(row, scenario, seed, distinct_refusals))] for row in rows.forget]
    others = OtherAnswers(rows.retain)
    return [[(row, answer) for answer in others.of(row, mismatched_count, seed)] for row in rows.forget]


class Order:
    """The endless seeded order in which a run visits the rows of a role; any step can be asked for at any time."""

    def __init__(self, ids: Sequence[str], seed: int, name: str, lengths: Sequence[int] = (), window: int = 0) -> None:
        """Order the places of `ids`; with a window, rows of that many steps are grouped by their lengths."""
        self._ids, self._seed, self._name, self._lengths, self._window = ids, seed, name, lengths, window
        self._epochs = lru_cache(maxsize=4)(self._epoch)
        self._windows = lru_cache(maxsize=2)(self._grouped)

    def step(self, step: int, rows: int) -> list[tuple[int, int]]:
        """Return the (place, visit) pairs of one step of so many rows; `visit` counts how often it was seen before."""
        if not self._window:
            return [self._at(position) for position in range(step * rows, (step + 1) * rows)]
        return self._windows(step // self._window, rows)[step % self._window]

    def _at(self, position: int) -> tuple[int, int]:
        epoch, place = divmod(position, len(self._ids))
        return self._epochs(epoch)[place], epoch

    def _epoch(self, epoch: int) -> list[int]:
        # Sorted by hash and not shuffled in place: independent of the order in which the rows were read.
        key = f"{self._seed}|{self._name}|{epoch}|"
        copies: dict[str, int] = {}
        ranked = []
        for place, row in enumerate(self._ids):
            copies[row] = copies.get(row, 0) + 1
            ranked.append((hashlib.sha256(f"{key}{row}|{copies[row]}".encode()).digest(), place))
        return [place for _, place in sorted(ranked)]

    def _grouped(self, window: int, rows: int) -> list[list[tuple[int, int]]]:
        start = window * self._window * rows
        visits = [self._at(position) for position in range(start, start + self._window * rows)]
        visits.sort(key=lambda visit: self._lengths[visit[0]])
        steps = [visits[first : first + rows] for first in range(0, len(visits), rows)]
        _random(self._seed, self._name, "window", window).shuffle(steps)
        return steps


def _random(*parts: object) -> Random:
    """Return a generator that depends on the parts alone, in every process and Python version."""
    return Random(int.from_bytes(hashlib.sha256("|".join(map(str, parts)).encode()).digest()[:8], "big"))
