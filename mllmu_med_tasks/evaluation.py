"""One model's answers to the tasks of a scenario, whatever wrote them down, and whether two such may be compared."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics.vocabulary import SUBSETS, VIEWS_OF
from mllmu_med_tasks.names import TASKS, task_name

_ABSENT = "not set"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answered row: the row itself, what was asked, how, and what came back."""

    row: Mapping[str, object]  # the columns of the data set but for pixels; ``image`` is the name of the image shown
    doc_hash: str
    prompt: str
    decoding: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One model's answers to the tasks of one scenario, by row id."""

    folder: Path
    written_by: str  # "lm-eval", "lmms-eval" or "predictions"
    scenario: str
    answers: Mapping[str, Answer]
    versions: Mapping[str, str]  # task -> version
    limits: Mapping[str, str] = field(default_factory=dict)  # task -> how its rows were cut short; empty if complete
    data_sha256: str | None = None  # of the data set's rows, where the run recorded it
    percent: int | None = None  # the forget share, where the run recorded it
    model_digest: str | None = None  # of the model's files, where the run recorded it
    decoded: str | None = None  # how answers were made beside the task's settings, where the run recorded it

    @property
    def predictions(self) -> dict[str, str]:
        """The answers by row id, as :mod:`mllmu_med_metrics` takes them."""
        return {row_id: answer.text for row_id, answer in self.answers.items()}

    @property
    def rows(self) -> list[Mapping[str, object]]:
        """The rows that were asked."""
        return [answer.row for answer in self.answers.values()]

    @property
    def views(self) -> tuple[str, ...]:
        """The views of the forget rows that were asked."""
        views = VIEWS_OF[self.scenario]
        return tuple(view for view in views if task_name(self.scenario, "forget", view) in self.versions)

    @property
    def image(self) -> str:
        """Which image was shown: ``own``, or ``blank`` or ``other`` in a control run."""
        for answer in self.answers.values():
            shown = str(answer.row.get("image"))
            if shown != f"image {answer.row.get('image_id')}":
                return "blank" if shown.startswith("blank") else "other"
        return "own"

    def without_views(self) -> "Evaluation":
        """Return the evaluation of the four subsets alone."""
        if not self.views:
            return self
        return replace(
            self,
            answers={row_id: answer for row_id, answer in self.answers.items() if answer.row.get("view") is None},
            versions={task: version for task, version in self.versions.items() if TASKS[task].view is None},
            limits={task: cut for task, cut in self.limits.items() if TASKS[task].view is None},
        )


def check_comparable(evaluations: Sequence[Evaluation], subsets: Sequence[str] = SUBSETS) -> None:
    """Raise a :class:`UserError` unless all evaluations hold these subsets whole and asked exactly the same."""
    for one in evaluations:
        missing = [task for subset in subsets if (task := task_name(one.scenario, subset)) not in one.versions]
        if missing:
            raise UserError(
                f"The evaluation '{one.folder}' misses the task {', '.join(missing)}. The score needs the subsets "
                f"{', '.join(subsets)} of {one.scenario}: evaluate the model on these."
            )
        if one.limits:
            task, cut = next(iter(one.limits.items()))
            raise UserError(
                f"The evaluation '{one.folder}' was made with a limit: {task} {cut}. A score of the first rows means "
                "nothing; evaluate again without --limit (to score fewer retain rows, use max_retain)."
            )
    reference, *others = evaluations
    for other in others:
        difference = _difference(reference, other)
        if difference:
            raise UserError(
                f"The evaluations '{reference.folder}' and '{other.folder}' can't be compared: {difference}. "
                "Evaluate both again with the same settings."
            )
    if reference.image != "own":
        raise UserError(
            f"The evaluations were made with {reference.image} images (a control run), not with the rows' own. "
            "Evaluate again with image=own to score."
        )


def _difference(reference: Evaluation, other: Evaluation) -> str | None:
    """Return in what two evaluations differ, the widest difference first; None if they asked the same."""
    if reference.scenario != other.scenario:
        return f"one is of the scenario {reference.scenario}, the other of {other.scenario}"
    if reference.written_by != other.written_by:
        return (
            f"one was written by {reference.written_by}, the other by {other.written_by}, which ask in other words or "
            "don't say in which"
        )
    if reference.percent != other.percent:
        return f"one is at a forget share of {reference.percent} %, the other of {other.percent} %"
    if reference.views != other.views:
        lone = sorted(set(reference.views) ^ set(other.views))
        return f"only one was asked the view {', '.join(lone)} (to leave all views out: --no-views)"
    for task, version in reference.versions.items():
        if other.versions.get(task) != version:
            return f"the task {task} has version {version} in one and {other.versions.get(task)} in the other"
    if reference.data_sha256 and other.data_sha256 and reference.data_sha256 != other.data_sha256:
        return f"their data sets differ (checksums {reference.data_sha256[:12]} and {other.data_sha256[:12]})"
    if reference.answers.keys() != other.answers.keys():
        counts = ", ".join(
            f"{part} {mine} and {theirs} rows"
            for part in (*SUBSETS, *reference.views)
            if (mine := _count(reference, part)) != (theirs := _count(other, part))
        )
        differing = sorted(reference.answers.keys() ^ other.answers.keys())
        return f"they asked different rows ({counts or 'equally many'}; only one has row '{differing[0]}')"
    if reference.image != other.image:
        return f"one was shown {reference.image} images, the other {other.image} images"
    if reference.decoded and other.decoded and reference.decoded != other.decoded:
        return f"their answers were decoded differently: '{reference.decoded}' in one, '{other.decoded}' in the other"
    for row_id, answer in reference.answers.items():
        theirs = other.answers[row_id]
        if answer.prompt != theirs.prompt:
            return (
                f"the prompts differ (another chat template?): row '{row_id}' was asked {answer.prompt!r} in one and "
                f"{theirs.prompt!r} in the other"
            )
        if answer.decoding != theirs.decoding:
            return f"their answers were decoded differently: {_settings_apart(answer.decoding, theirs.decoding)}"
        if answer.doc_hash != theirs.doc_hash or answer.row != theirs.row:
            return f"row '{row_id}' has other content in one than in the other, so they come from different data sets"
    return None


def _settings_apart(one: str, other: str) -> str:
    """Return the generation settings that differ, each with both values; texts that are no settings as they are."""
    try:
        ours, theirs = json.loads(one), json.loads(other)
        names = sorted(name for name in {**ours, **theirs} if ours.get(name, _ABSENT) != theirs.get(name, _ABSENT))
    except (ValueError, TypeError, AttributeError):
        return f"{one} in one, {other} in the other"
    shown = (
        f"{name} is {ours.get(name, _ABSENT)!r} in one and {theirs.get(name, _ABSENT)!r} in the other" for name in names
    )
    return ", ".join(shown)


def _count(evaluation: Evaluation, part: str) -> int:
    return sum((answer.row.get("view") or answer.row.get("subset")) == part for answer in evaluation.answers.values())
