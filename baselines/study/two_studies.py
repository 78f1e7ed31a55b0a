"""Two finished studies of the same rows: differences of every model they share, paired by patient, and of answers."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics.scoring.hierarchy import difference, holm
from mllmu_med_metrics.scoring.score_value import PARTS, UES_VERSION
from mllmu_med_tasks import scores

from .measured import Measured, Scenario
from .report_rows import headline
from .scenarios import gathered_of, measured_of
from .study import EVALUATION, read_study, run_folder

# By definition 0 and 1, or never trained.
ALWAYS = ("base", "target", "retain_only")


@dataclass(frozen=True)
class Two:
    """One scenario of two studies: each one's runs, the models that both have, and how their scores differ.

    `differences` are of the second study minus the first: model, field, both values, difference, low, high, p, covers;
    of the headline score with Holm's p over the models. `same_target` says whether both unlearned the same target.
    """

    name: str
    first: Scenario
    second: Scenario
    score: str
    models: Sequence[str]
    differences: Sequence[Mapping[str, object]]
    same_target: bool


def two_studies(first: Path, second: Path) -> Iterator[Two]:
    """Yield each scenario that both studies have; a :class:`UserError` where they can't be compared.

    Both are scored on the same draws of patients, so that what makes a draw hard for both cancels out.
    """
    ours, theirs = read_study(first), read_study(second)
    shared = [one for one in ours["scenarios"] if one in theirs["scenarios"]]
    if not shared:
        raise UserError(
            f"'{first}' holds {', '.join(ours['scenarios'])} and '{second}' holds {', '.join(theirs['scenarios'])}: "
            "they share no scenario. Name two studies of the same scenario."
        )
    for scenario in shared:
        _check_same_rows(first, second, scenario)
    both = [
        measured_of(settings, gathered_of(folder, settings, shared), ours["seed"])
        for folder, settings in ((first, ours), (second, theirs))
    ]
    for one, other in zip(*both, strict=True):
        yield _two(one, other)


def _check_same_rows(first: Path, second: Path, scenario: str) -> None:
    """Refuse two studies that did not ask the same rows in the same way; every run of a study asked as its target."""
    folders = [run_folder(study, scenario, "target") / EVALUATION for study in (first, second)]
    scores.check_comparable([scores.read(folder) for folder in folders])


def _two(first: Scenario, second: Scenario) -> Two:
    models = [model for model in first.runs if model in second.runs and model not in ALWAYS]
    if not models:
        held = [", ".join(model for model in one.runs if model not in ALWAYS) for one in (first, second)]
        raise UserError(
            f"The studies share no model of {first.name}: one holds {held[0]}, the other {held[1]}. Name two studies "
            "that ran the same method."
        )
    score = headline(first.name)
    found = [one for model in models for one in _differences(model, first.runs[model], second.runs[model])]
    family = [one for one in found if one["field"] == score]
    for one, p in zip(family, holm([one["p"] for one in family]), strict=True):
        one["p_holm"] = p
    digests = {one.left.digests.get("target") for one in (first, second)}
    return Two(first.name, first, second, score, models, found, len(digests) == 1 and None not in digests)


def _differences(model: str, ours: Sequence[Measured], theirs: Sequence[Measured]) -> Iterator[dict[str, object]]:
    """Yield the difference in every part of the score that both have."""
    for field in PARTS[UES_VERSION]:
        found = difference([one.run(field) for one in theirs], [one.run(field) for one in ours])
        if found.point is None:
            continue
        values = [[one.run(field).point for one in runs] for runs in (ours, theirs)]
        known = [[value for value in of_runs if value is not None] for of_runs in values]
        yield {
            "model": model, "field": field, "first": sum(known[0]) / len(known[0]),
            "second": sum(known[1]) / len(known[1]), "difference": found.point, "low": found.low, "high": found.high,
            "p": found.p, "p_holm": None, "covers": found.covers,
        }  # fmt: skip


def changes(pairs: Sequence[tuple[str, str]], outcomes: Sequence[tuple[str, str]]) -> dict[str, object]:
    """Return how many of these pairs of answers differ, and how often an outcome became another one."""
    became = Counter(f"{before} → {after}" for before, after in outcomes if before != after)
    return {
        "rows": len(pairs),
        "changed": sum(before != after for before, after in pairs),
        "outcomes": dict(became.most_common()),
    }
