"""The results files of the two harnesses: a document for each run, and beside it the samples of each task.

    lm-eval     results_<date>.json    samples_<task>_<date>.jsonl
    lmms-eval   <date>_results.json    <date>_samples_<task>.jsonl

lm-eval logs the row that was asked. lmms-eval leaves it out since 0.4, so our tasks there log it as one of their row
values. Its answers are texts since 0.7, lists before; both harnesses may log an answer once more as the model gave it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mllmu_med_dataset.errors import UserError, unknown
from mllmu_med_metrics.answers.thoughts import split_thought
from mllmu_med_metrics.vocabulary import MAIN_PERCENT, PERCENTS, SCENARIOS
from mllmu_med_tasks.answer_texts import first_line, one_text
from mllmu_med_tasks.evaluation import Answer, Evaluation
from mllmu_med_tasks.names import TASKS, Task, tasks_of

# What reading JSON of any content can raise.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Run:
    """One task's part of a run: its results document, and the file of its samples."""

    written_by: str
    path: Path
    results: Mapping[str, dict]
    samples: Path

    @property
    def model(self) -> str:
        """What the run says about its model."""
        config = self.results.get("config", {})
        digest = config.get("mllmu_med_model_digest")
        named = [config.get("model"), config.get("model_args"), *([digest] if digest else [])]
        return json.dumps(named, sort_keys=True)

    @property
    def model_digest(self) -> str | None:
        """The digest of the model's files, where the run says it."""
        digest = self.results.get("config", {}).get("mllmu_med_model_digest")
        return digest if isinstance(digest, str) else None

    @property
    def decoded(self) -> str | None:
        """How the answers were made beside the task's own settings, where the run says it."""
        recorded = self.results.get("config", {}).get("mllmu_med_decoding") or {}
        rule = recorded.get("rule") if isinstance(recorded, dict) else recorded
        if not isinstance(rule, str | None):
            raise UserError(f"{self.path} holds a decoding that no run could have had ({rule!r}). Evaluate again.")
        return rule


def read_results(folder: Path, scenario: str | None = None) -> Evaluation:
    """Return the evaluation of a scenario that lm-eval or lmms-eval left in a folder (or a folder below it).

    The scenario may be left out where the folder holds only one. Raises :class:`UserError` for a folder without result
    files, without samples (``--log_samples``), with a task answered twice or models mixed, or with files that can't be
    read.
    """
    found = _runs(folder)
    scenario = _scenario(folder, found, scenario)
    runs = {task: found[task.name] for task in tasks_of(scenario) if task.name in found}
    _check_one_run(folder, runs)
    answers: dict[str, Answer] = {}
    versions, limits, digests, percents = {}, {}, set(), set()
    for task, run in runs.items():
        versions[task.name] = _version(run, task)
        asked, cut = _limit(run, task)
        if cut:
            limits[task.name] = cut
        digest, percent = _recorded(run, task)
        digests.add(digest)
        percents.add(percent)
        count = len(answers)
        for row_id, answer in _answers(run, task):
            if row_id in answers:
                raise UserError(f"Row '{row_id}' is answered twice in '{folder}'. Evaluate again into an empty folder.")
            answers[row_id] = answer
        if len(answers) - count != asked:
            raise UserError(
                f"{run.samples} holds {len(answers) - count} answers though {run.path.name} says that {asked} rows of "
                f"{task.name} were asked ({len(answers) - count} and {asked} rows): the file was cut short or edited. "
                "Evaluate again."
            )
    digests.discard(None)
    if len(digests) > 1 or len(percents) > 1:
        what = "on different data sets" if len(digests) > 1 else "at different forget shares"
        raise UserError(f"The tasks in '{folder}' were run {what}. Evaluate again into an empty folder.")
    return Evaluation(
        folder=folder,
        written_by=next(iter(runs.values())).written_by,
        decoded=next(iter(runs.values())).decoded,
        model_digest=next(iter(runs.values())).model_digest,
        scenario=scenario,
        answers=answers,
        versions=versions,
        limits=limits,
        data_sha256=digests.pop() if digests else None,
        percent=percents.pop(),
    )


def _scenario(folder: Path, found: Mapping[str, Run], scenario: str | None) -> str:
    """Return the scenario to read: the one named, or the only one there is."""
    scenarios = [one for one in SCENARIOS if any(TASKS[task].scenario == one for task in found)]
    if scenario is not None and scenario not in SCENARIOS:
        raise unknown("scenario", scenario, SCENARIOS)
    if scenario is None:
        if len(scenarios) > 1:
            raise UserError(
                f"'{folder}' holds evaluations of {' and '.join(scenarios)}. Name the one to score: --scenario."
            )
        scenario = scenarios[0] if scenarios else None
    if scenario not in scenarios:
        if not found and any(folder.rglob("results.json")):
            raise UserError(
                f"'{folder}' holds a results.json, which is how lmms-eval 0.1 wrote: it does not say how many rows "
                "were asked. Evaluate again with lmms-eval 0.2 or newer and --log_samples."
            )
        what = f"the scenario {scenario}" if scenario else "mllmu-med"
        held = f"It holds {', '.join(sorted(found))}. " if found else ""
        raise UserError(
            f"'{folder}' holds no answers to the tasks of {what}. {held}Make them with `mllmu-med evaluate`, or with "
            "lm_eval and --log_samples."
        )
    return scenario


def _runs(folder: Path) -> dict[str, Run]:
    """Return for each of our tasks below a folder the run that answered it."""
    if not folder.is_dir():
        raise UserError(f"The evaluation folder '{folder}' does not exist. Make it with `mllmu-med evaluate --out`.")
    paths = [("lm-eval", path) for path in sorted(folder.rglob("results_*.json"))]
    paths += [("lmms-eval", path) for path in sorted(folder.rglob("*_results.json"))]
    found: dict[str, Run] = {}
    for written_by, path in paths:
        results = _document(path, written_by)
        date = path.stem.removeprefix("results_").removesuffix("_results")
        for task in sorted(TASKS.keys() & results["results"].keys()):
            name = f"samples_{task}_{date}.jsonl" if written_by == "lm-eval" else f"{date}_samples_{task}.jsonl"
            run = Run(written_by, path, results, path.with_name(name))
            if task in found:
                raise UserError(
                    f"'{folder}' holds two runs of {task} ({found[task].samples.name} and {name}). Keep the one that "
                    "counts, or name the folder it is in."
                )
            if not run.samples.is_file():
                raise UserError(
                    f"{path} has results of {task} but not its answers: {name} is missing. Run {written_by} with "
                    "--log_samples."
                )
            found[task] = run
    return found


def _document(path: Path, written_by: str) -> dict[str, dict]:
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        parts = ("results", "configs", "versions", "config", "n-samples")
        if not all(isinstance(results.get(part, {}), dict) for part in parts) or "results" not in results:
            raise TypeError(f"{', '.join(parts)} must be objects")
    except _UNREADABLE as error:
        raise UserError(f"{path} is no results file of {written_by} ({_told(error)}). Evaluate again.") from error
    return results


def _check_one_run(folder: Path, runs: Mapping[Task, Run]) -> None:
    first, *others = runs.items()
    for task, run in others:
        if run.written_by != first[1].written_by:
            raise UserError(
                f"'{folder}' holds answers of both lm-eval and lmms-eval ({first[0].name} and {task.name}). Name the "
                "folder of one."
            )
        if run.model != first[1].model:
            raise UserError(
                f"'{folder}' mixes two models: {first[0].name} was answered by {first[1].model}, {task.name} by "
                f"{run.model}. Name the folder of one, or evaluate again into an empty folder."
            )


def _version(run: Run, task: Task) -> str:
    version = run.results.get("versions", {}).get(task.name)
    if version is None:
        raise UserError(
            f"{run.path} does not say which version of {task.name} was run, so nothing tells whether scores can be "
            "compared. Evaluate again."
        )
    return str(version)


def _limit(run: Run, task: Task) -> tuple[int, str | None]:
    """Return how many rows of a task were asked, and how it was cut short, if it was."""
    counts = run.results.get("n-samples", {}).get(task.name)
    try:
        asked, there = counts["effective"], counts["original"]
        if not all(isinstance(count, int) and count > 0 for count in (asked, there)):
            raise ValueError(f"{asked!r} of {there!r}")
    except (TypeError, KeyError, ValueError) as error:
        raise UserError(
            f"{run.path} does not say how many rows of {task.name} were asked (n-samples: {_told(error)}), so nothing "
            "tells whether it is complete. Evaluate again."
        ) from error
    if asked != there:
        return asked, f"asked {asked} of {there} rows"
    limit = run.results.get("config", {}).get("limit")
    return asked, f"ran with --limit {limit}" if limit is not None else None


def _recorded(run: Run, task: Task) -> tuple[str | None, int]:
    """Return the checksum of the data set and the forget share that the run recorded."""
    try:
        metadata = run.results.get("configs", {}).get(task.name, {}).get("metadata") or {}
        percent = int(metadata.get("mllmu_med_percent", MAIN_PERCENT))
        digest = metadata.get("mllmu_med_data_sha256")
        if percent not in PERCENTS or not isinstance(digest, str | None):
            raise ValueError(f"percent {percent}, checksum {digest!r}")
    except _UNREADABLE as error:
        raise UserError(
            f"{run.path} holds settings of {task.name} that no run could have had ({_told(error)}). Evaluate again."
        ) from error
    return digest, percent


def _answers(run: Run, task: Task) -> Iterator[tuple[str, Answer]]:
    take = _lm_eval_answer if run.written_by == "lm-eval" else _lmms_eval_answer
    number = 0
    try:
        with run.samples.open(encoding="utf-8") as lines:
            for line in lines:
                number += 1
                answer = take(json.loads(line), run.results.get("configs", {}).get(task.name, {}))
                row = answer.row
                if not isinstance(row["id"], str):
                    raise TypeError("the row's id is not text")
                if (row["scenario"], row["subset"], row.get("view")) != task:
                    raise ValueError(f"its row is of {row['scenario']} {row['subset']} {row.get('view') or ''}".strip())
                yield row["id"], answer
    except _UNREADABLE as error:
        raise UserError(
            f"{run.samples}:{number or 1} is no sample of {task.name} ({_told(error)}). Evaluate again."
        ) from error


def _lm_eval_answer(sample: dict, _: dict) -> Answer:
    asked = sample["arguments"]["gen_args_0"]
    return Answer(
        row=sample["doc"],
        doc_hash=str(sample["doc_hash"]),
        prompt=str(asked["arg_0"]),
        decoding=json.dumps(asked["arg_1"], sort_keys=True),
        text=_text(sample),
    )


def _lmms_eval_answer(sample: dict, config: dict) -> Answer:
    if "row" not in sample:
        raise KeyError("row is missing: it is one of the task's own row values, so another task of this name was run")
    return Answer(
        row={**sample["row"], "image": f"image {sample['row']['image_id']}"},
        doc_hash=str(sample["doc_hash"]),
        prompt=str(sample["input"]),
        decoding=json.dumps(config["generation_kwargs"], sort_keys=True),
        text=_text(sample),
    )


def _text(sample: dict) -> str:
    """Return the answer of a sample with its thought, which lmms-eval takes off what it scores by itself."""
    scored = one_text(sample["filtered_resps"])
    given = one_text(sample["resps"]) if "resps" in sample else scored
    return first_line(given if split_thought(given).thought else scored)


def _told(error: Exception) -> str:
    """Return an error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
