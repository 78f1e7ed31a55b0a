"""Run the packaged tasks through lm-eval in this process and leave lm-eval's own result files.

The same as ``lm_eval --model hf-multimodal --tasks ... --apply_chat_template --log_samples``, without the task index of
a thousand other tasks, the bootstrap and the environment probe, and with a model that may be used again.
"""

import gc
import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mllmu_med_dataset.errors import UserError, unknown
from mllmu_med_metrics.vocabulary import SCENARIOS, SUBSETS, VIEWS_OF
from mllmu_med_tasks import decoding
from mllmu_med_tasks.backends import (
    BACKENDS,
    BATCH_SIZE,
    SOURCES,
    Backend,
    check_chat_template,
    load_processor,
    open_model,
    wrap,
)
from mllmu_med_tasks.names import TASKS, Task, tasks_of
from mllmu_med_tasks.questions import Questions
from mllmu_med_tasks.quiet import Count, Progress, quiet
from mllmu_med_tasks.task_documents import check_percent, lacks_rows

if TYPE_CHECKING:
    from lm_eval.api.model import LM

__all__ = [
    "BACKENDS", "BATCH_SIZE", "Backend", "Questions", "check_chat_template", "load_processor", "open_model", "run",
    "task_names", "task_version", "tasks_path", "wrap",
]  # fmt: skip

# How the file of a database begins.
_SQLITE = b"SQLite format 3\0"


def tasks_path(*, lmms: bool = False) -> Path:
    """Return the folder of the task files, for ``--include_path`` of lm-eval, or of lmms-eval."""
    return Path(__file__).with_name("lmms_eval" if lmms else "lm_eval")


def task_version() -> str:
    """Return the version of the tasks, `N-X`: results of another N can't be compared."""
    shared = (tasks_path() / "_mllmu_med").read_text(encoding="utf-8")
    return re.search(r'^  version: "(.+)"$', shared, re.MULTILINE)[1]


def task_names(
    scenario: str | None = None, subsets: Sequence[str] = SUBSETS, *, views: bool | Sequence[str] = False
) -> list[str]:
    """Return the task names of a scenario (or of both), in the order of the subsets; views of forget come last.

    `views` says whether all are among them, or names those that are.
    """
    if scenario is not None and scenario not in SCENARIOS:
        raise unknown("scenario", scenario, SCENARIOS)
    for subset in subsets:
        if subset not in SUBSETS:
            raise unknown("subset", subset, SUBSETS)
    names = []
    for one in [scenario] if scenario else SCENARIOS:
        names += [Task(one, subset).name for subset in subsets]
        chosen = VIEWS_OF[one] if views is True else views or ()
        for view in chosen:
            if view not in VIEWS_OF[one]:
                raise unknown(f"view of {one}", view, VIEWS_OF[one])
        names += [task.name for task in tasks_of(one) if task.view in chosen]
    return names


def run(
    model: "str | Path | LM",
    questions: Questions,
    *,
    out: str | Path,
    backend: Backend = Backend(),  # noqa: B008 (frozen)
    apply_chat_template: bool = True,
    cache: str | Path | None = None,
    model_digest: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Ask a model the questions and return ``out``, which then holds lm-eval's result files.

    ``out`` appears only when complete: ``results_*.json`` and one ``samples_<task>_*.jsonl`` a task. ``model`` is a
    folder, a Hub id, the name a server offers it by, or an lm-eval model (used again as it is: the backend's options
    are then its own). A limit of the questions is marked in the result, which can't be scored. ``cache`` is a file of
    earlier answers of this very model: its keys do not name the model; ``model_digest`` names it in the result.
    ``progress`` is called with the number of answered rows and their total. Optional views that the build has
    no row of are left out.

    Answers are greedy whatever sampling, penalties or lengths the model ships; the result's ``config`` says under
    ``mllmu_med_decoding`` what was put aside.
    """
    questions = replace(questions, percent=check_percent(questions.percent))
    tasks = [
        name
        for name in task_names(questions.scenario, questions.subsets, views=questions.views)
        if not lacks_rows(TASKS[name], questions.percent, questions.data_dir)
    ]
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"The output folder '{out}' is in use. Name a new folder, or remove this one first.")
    if backend.kind == "served" and not apply_chat_template:
        raise UserError("A served model renders its own chat template; it can't be asked without. Use the backend hf.")
    count = Count(progress)
    opened = hasattr(model, "generate_until")
    lm = model if opened else backend.open(model, seed=questions.seed)
    with quiet(count):
        if apply_chat_template and hasattr(lm, "processor"):
            check_chat_template(lm.processor, _name(lm))
        # lm-eval sets it on the first template applied and then never puts the image token in by itself again.
        lm.chat_applied = False
        with _cached(lm, cache) as asked, decoding.greedy(getattr(lm, "model", None)) as aside:
            results, samples, tracker = _evaluate(
                asked, tasks, questions, apply_chat_template, count, SOURCES[backend.kind]
            )
        if backend.kind == "vllm" and not opened:
            aside = decoding.shipped(model)
        results["config"]["use_cache"] = None if cache is None else Path(cache).name
        results["config"]["mllmu_med_decoding"] = {"rule": _decoded(lm), "put_aside": aside}
        results["config"]["mllmu_med_model_digest"] = model_digest
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        folder = Path(scratch) / "eval"
        _write(folder, tracker, results, samples)
        if out.exists():
            out.rmdir()
        shutil.move(folder, out)
    return out


@contextmanager
def _cached(lm: "LM", cache: str | Path | None) -> "Iterator[LM]":
    """Put lm-eval's cache of answers before the model: a run that was ended goes on after the tasks it had answered."""
    if cache is None:
        yield lm
        return
    from lm_eval.api.model import CacheHook, CachingLM

    path = Path(cache)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as stream:
            stream.seek(0)
            head = stream.read(len(_SQLITE))
        if head not in (b"", _SQLITE):
            raise OSError("it is no file of answers")
    except OSError as error:
        raise UserError(f"The cache '{path}' can't be opened ({error}). Remove the file, or name another.") from error
    caching = CachingLM(lm, str(path))
    try:
        yield caching
    finally:
        lm.set_cache_hook(CacheHook(None))
        caching.dbdict.close()


def _evaluate(
    lm: "LM", tasks: list[str], questions: Questions, apply_chat_template: bool, count: Count, source: str
) -> tuple[dict, dict, object]:
    """Return lm-eval's results, its samples by task, and the tracker that writes both."""
    from lm_eval.evaluator import evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.loggers.utils import add_tokenizer_info
    from lm_eval.tasks import TaskManager

    limit = questions.limit
    manager = TaskManager(include_path=str(tasks_path()), include_defaults=False, metadata=questions.metadata())
    loaded = manager.load(tasks)
    for task in loaded["tasks"].values():
        task.set_fewshot_seed(seed=questions.seed)
        rows = len(task.eval_docs)
        count.total += min(rows, limit) if limit else rows
    tracker = EvaluationTracker(output_path="results.json")
    tracker.general_config_tracker.log_experiment_args(
        model_source=source,
        model_args={"pretrained": _name(lm)},
        system_instruction=None,
        chat_template=(lm.chat_template(True) or None) if apply_chat_template else None,
        fewshot_as_multiturn=True,
    )
    started = time.time()
    with _collected():
        results = evaluate(
            lm,
            loaded,
            limit=limit,
            bootstrap_iters=0,
            log_samples=True,
            apply_chat_template=apply_chat_template,
            fewshot_as_multiturn=True,
        )
    samples = results.pop("samples")
    for rows in samples.values():
        for row in rows:
            # Written as they are, the pictures would be decoded once more to print their memory addresses.
            row["arguments"] = [
                (text, options, {"visual": extra["visual"].names()}) for text, options, extra in row["arguments"]
            ]
    results["config"] = _config(lm, source, questions)
    results["date"] = started
    results.update(_versions())
    add_tokenizer_info(results, lm)
    return results, samples, tracker


@contextmanager
def _collected() -> "Iterator[None]":
    """Collect garbage once: each batch ends in a full collection, and what is alive already need not be walked."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _config(lm: "LM", source: str, questions: Questions) -> dict[str, object]:
    """Return what lm-eval's own command line notes of a run."""
    return {
        "model": source,
        "model_args": {"pretrained": _name(lm)},
        **_about(lm),
        "use_cache": None,
        "limit": questions.limit,
        "bootstrap_iters": 0,
        "gen_kwargs": None,
        "random_seed": questions.seed,
    }


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {
        "lm_eval_version": version("lm_eval"),
        "transformers_version": version("transformers"),
        "mllmu_med_version": version("mllmu-med"),
    }


def _write(folder: Path, tracker: object, results: dict, samples: dict) -> None:
    """Write lm-eval's files into the folder; its tracker only logs a failed write, so look that they are there."""
    folder.mkdir()
    tracker.output_path = str(folder / "results.json")
    tracker.save_results_aggregated(results=results, samples=samples)
    for task, rows in samples.items():
        tracker.save_results_samples(task_name=task, samples=rows)
    written = len(list(folder.glob("results_*.json"))), len(list(folder.glob("samples_*.jsonl")))
    if written != (1, len(samples)):
        raise OSError(f"lm-eval could not write its result files into {folder}.")
    for path in folder.glob("results_*.json"):
        json.loads(path.read_text(encoding="utf-8"))


def _name(lm: "LM") -> str:
    """Return the name of a model: its folder or Hub id, or what the server calls it."""
    weights = getattr(lm, "model", None)
    if isinstance(weights, str):
        return weights
    config = getattr(lm, "config", None) or getattr(lm, "_config", None)
    named = getattr(weights, "name_or_path", "") or getattr(config, "name_or_path", "") or type(weights).__name__
    return str(named)


def _decoded(lm: "LM") -> str:
    """Return in words how a model's answers were made; scores of two ways are not compared."""
    if hasattr(lm, "takes_penalties"):
        return decoding.SERVED if lm.takes_penalties else decoding.SERVED_IN_PART
    engines = ("HFMultimodalLM", "VLLM_VLM")
    known = any(one.__name__ in engines for one in type(lm).__mro__)
    return decoding.GREEDY if known else decoding.AS_GIVEN


def _about(lm: "LM") -> dict[str, object]:
    """Return what lm-eval notes of a model in memory; a served one tells its address instead."""
    weights = getattr(lm, "model", None)
    if isinstance(weights, str):
        return {"base_url": lm.base_url, "batch_size": 1, "device": None}
    return {
        "model_num_parameters": weights.num_parameters() if hasattr(weights, "num_parameters") else None,
        "model_dtype": str(weights.dtype) if hasattr(weights, "dtype") else None,
        "batch_size": lm.batch_size,
        "device": str(getattr(lm, "device", None)),
    }
