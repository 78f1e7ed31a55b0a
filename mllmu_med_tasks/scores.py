"""Evaluation folders in, the score out: reads what lm-eval wrote and needs no model.

Two evaluations are compared only if they asked the same rows of the same data with the same prompts, images and
decoding; anything else is refused in a paragraph that names the difference.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mllmu_med_dataset.errors import UserError, unknown
from mllmu_med_dataset.load import checksums
from mllmu_med_metrics import Score, Study
from mllmu_med_metrics import score as score_predictions
from mllmu_med_tasks.names import SCENARIOS, SUBSETS, task_name


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
    scenario: str
    answers: Mapping[str, Answer]
    versions: Mapping[str, str]  # task -> version
    limits: Mapping[str, str]  # task -> how its rows were cut short; empty for a complete evaluation
    data_sha256: str | None  # of the data set's rows, where the run recorded it

    @property
    def predictions(self) -> dict[str, str]:
        """The answers by row id, as :mod:`mllmu_med_metrics` takes them."""
        return {row_id: answer.text for row_id, answer in self.answers.items()}

    @property
    def rows(self) -> list[Mapping[str, object]]:
        """The rows that were asked."""
        return [answer.row for answer in self.answers.values()]

    @property
    def image(self) -> str:
        """Which image was shown: ``own``, or ``blank`` or ``other`` in a control run."""
        for answer in self.answers.values():
            shown = str(answer.row.get("image"))
            if shown != f"image {answer.row.get('image_id')}":
                return "blank" if shown.startswith("blank") else "other"
        return "own"


def read(folder: str | Path, scenario: str | None = None) -> Evaluation:
    """Return the evaluation of a scenario that lm-eval left in a folder (or a folder below it).

    The scenario may be left out where the folder holds only one. Raises :class:`UserError` for a folder without result
    files, without samples (``--log_samples``), with a task answered twice, or with files that can't be read.
    """
    folder = Path(folder)
    if scenario is not None and scenario not in SCENARIOS:
        raise unknown("scenario", scenario, SCENARIOS)
    found = _task_files(folder)
    scenarios = [one for one in SCENARIOS if any(task_name(one, subset) in found for subset in SUBSETS)]
    if scenario is None:
        if len(scenarios) > 1:
            raise UserError(
                f"'{folder}' holds evaluations of {' and '.join(scenarios)}. Name the one to score: --scenario."
            )
        scenario = scenarios[0] if scenarios else None
    if scenario not in scenarios:
        what = f"the scenario {scenario}" if scenario else "mllmu-med"
        held = f"It holds {', '.join(sorted(found))}. " if found else ""
        raise UserError(
            f"'{folder}' holds no answers to the tasks of {what}. {held}Make them with `mllmu-med evaluate`, or with "
            "lm_eval and --log_samples."
        )
    tasks = [task for subset in SUBSETS if (task := task_name(scenario, subset)) in found]
    answers: dict[str, Answer] = {}
    versions, limits, digests = {}, {}, set()
    for task in tasks:
        results, samples = found[task]
        versions[task] = str(results.get("versions", {}).get(task))
        if cut := _limit(results, task):
            limits[task] = cut
        digests.add(results.get("configs", {}).get(task, {}).get("metadata", {}).get("mllmu_med_data_sha256"))
        for row_id, answer in _answers(samples):
            if row_id in answers:
                raise UserError(f"Row '{row_id}' is answered twice in '{folder}'. Evaluate again into an empty folder.")
            answers[row_id] = answer
    digests.discard(None)
    if len(digests) > 1:
        raise UserError(
            f"The tasks in '{folder}' were run on different data sets. Evaluate again into an empty folder."
        )
    return Evaluation(
        folder=folder,
        scenario=scenario,
        answers=answers,
        versions=versions,
        limits=limits,
        data_sha256=digests.pop() if digests else None,
    )


def check_comparable(evaluations: Sequence[Evaluation]) -> None:
    """Raise a :class:`UserError` unless all evaluations are complete and asked exactly the same."""
    for one in evaluations:
        missing = [task for subset in SUBSETS if (task := task_name(one.scenario, subset)) not in one.versions]
        if missing:
            raise UserError(
                f"The evaluation '{one.folder}' misses the task {', '.join(missing)}. The score needs all four subsets "
                f"of {one.scenario}: evaluate the model on {', '.join(SUBSETS)}."
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


def score(
    *,
    unlearned: str | Path | Evaluation,
    target: str | Path | Evaluation,
    retain_only: str | Path | Evaluation | None = None,
    base: str | Path | Evaluation | None = None,
    data_dir: str | Path | None = None,
    scenario: str | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Score:
    """Return the score of an unlearned model from evaluation folders (or from evaluations read before).

    The rows are in the evaluations; ``data_dir`` only tests that they are those of that build.
    """
    given = {"target": target, "unlearned": unlearned, "retain_only": retain_only, "base": base}
    models = {
        role: one if isinstance(one, Evaluation) else read(one, scenario)
        for role, one in given.items()
        if one is not None
    }
    check_comparable(list(models.values()))
    if data_dir is not None:
        _check_data(models["target"], data_dir)
    try:
        return score_predictions(
            **{role: one.predictions for role, one in models.items()},
            rows=Study(models["target"].rows),
            replicates=replicates,
            seed=seed,
        )
    except ValueError as error:
        raise UserError(str(error)) from error


def _check_data(evaluation: Evaluation, data_dir: str | Path) -> None:
    digest = str(checksums(data_dir)["dataset_sha256"])
    if evaluation.data_sha256 not in (None, digest):
        raise UserError(
            f"The evaluation '{evaluation.folder}' was made on other data (checksum "
            f"{evaluation.data_sha256[:12]}) than '{data_dir}' ({digest[:12]}). Name its own data, or evaluate again."
        )


def _difference(reference: Evaluation, other: Evaluation) -> str | None:
    """Return in what two evaluations differ, the widest difference first; None if they asked the same."""
    if reference.scenario != other.scenario:
        return f"one is of the scenario {reference.scenario}, the other of {other.scenario}"
    for task, version in reference.versions.items():
        if other.versions.get(task) != version:
            return f"the task {task} has version {version} in one and {other.versions.get(task)} in the other"
    if reference.data_sha256 and other.data_sha256 and reference.data_sha256 != other.data_sha256:
        return f"their data sets differ (checksums {reference.data_sha256[:12]} and {other.data_sha256[:12]})"
    if reference.answers.keys() != other.answers.keys():
        counts = ", ".join(
            f"{subset} {mine} and {theirs} rows"
            for subset in SUBSETS
            if (mine := _count(reference, subset)) != (theirs := _count(other, subset))
        )
        differing = sorted(reference.answers.keys() ^ other.answers.keys())
        return f"they asked different rows ({counts or 'equally many'}; only one has row '{differing[0]}')"
    if reference.image != other.image:
        return f"one was shown {reference.image} images, the other {other.image} images"
    for row_id, answer in reference.answers.items():
        theirs = other.answers[row_id]
        if answer.prompt != theirs.prompt:
            return (
                f"the prompts differ (another chat template?): row '{row_id}' was asked {answer.prompt!r} in one and "
                f"{theirs.prompt!r} in the other"
            )
        if answer.decoding != theirs.decoding:
            return f"the decoding differs: {answer.decoding} in one, {theirs.decoding} in the other"
        if answer.doc_hash != theirs.doc_hash:
            return f"row '{row_id}' has other content in one than in the other, so they come from different data sets"
    return None


def _count(evaluation: Evaluation, subset: str) -> int:
    return sum(answer.row.get("subset") == subset for answer in evaluation.answers.values())


def _task_files(folder: Path) -> dict[str, tuple[dict, Path]]:
    """Return for each of our tasks below a folder its results document and its samples file."""
    if not folder.is_dir():
        raise UserError(f"The evaluation folder '{folder}' does not exist. Make it with `mllmu-med evaluate --out`.")
    ours = {task_name(scenario, subset) for scenario in SCENARIOS for subset in SUBSETS}
    found: dict[str, tuple[dict, Path]] = {}
    for path in sorted(folder.rglob("results_*.json")):
        results = _document(path)
        for task in sorted(ours & results.get("results", {}).keys()):
            samples = path.with_name(f"samples_{task}_{path.stem.removeprefix('results_')}.jsonl")
            if task in found:
                raise UserError(
                    f"'{folder}' holds two runs of {task} ({found[task][1].name} and {samples.name}). Keep the one "
                    "that counts, or name the folder it is in."
                )
            if not samples.is_file():
                raise UserError(
                    f"{path} has results of {task} but not its answers: {samples.name} is missing. Run lm_eval with "
                    "--log_samples."
                )
            found[task] = (results, samples)
    return found


def _document(path: Path) -> dict:
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        parts = [results["results"], results.get("configs", {}), results.get("versions", {}), results.get("config", {})]
        if not all(isinstance(part, dict) for part in parts):
            raise TypeError("results, configs, versions and config must be objects")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is no results file of lm-eval ({type(error).__name__}: {error}). Evaluate again."
        ) from error
    return results


def _limit(results: Mapping[str, dict], task: str) -> str | None:
    """Return how a task was cut short, if it was."""
    counts = results.get("n-samples", {}).get(task, {})
    asked, there = counts.get("effective"), counts.get("original")
    if asked != there:
        return f"asked {asked} of {there} rows"
    limit = results.get("config", {}).get("limit")
    return f"ran with --limit {limit}" if limit is not None else None


def _answers(path: Path) -> Iterator[tuple[str, Answer]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                sample = json.loads(line)
                row, (text,) = sample["doc"], sample["filtered_resps"]
                if not isinstance(text, str):
                    raise TypeError("the answer is not text")
                asked = sample["arguments"]["gen_args_0"]
                yield (
                    str(row["id"]),
                    Answer(
                        row=row,
                        doc_hash=str(sample["doc_hash"]),
                        prompt=str(asked["arg_0"]),
                        decoding=json.dumps(asked["arg_1"], sort_keys=True),
                        text=text,
                    ),
                )
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(
                    f"{path}:{number} is no sample of an mllmu-med task ({type(error).__name__}: {error}). "
                    "Evaluate again."
                ) from error
