"""Run the packaged tasks through lm-eval in this process and leave lm-eval's own result files.

The same as ``lm_eval --model hf-multimodal --tasks ... --apply_chat_template --log_samples``, without the task index of
a thousand other tasks, the bootstrap and the environment probe, and with a model that may be used again.
"""

import gc
import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mllmu_med_dataset.errors import UserError, unknown
from mllmu_med_dataset.load import checksums
from mllmu_med_tasks.names import SCENARIOS, SUBSETS, task_name

if TYPE_CHECKING:
    from lm_eval.models.hf_vlms import HFMultimodalLM
    from transformers import PreTrainedModel, ProcessorMixin

Progress = Callable[[int, int], None]
BATCH_SIZE = 64


class Count:
    """How many rows are answered, of how many; told to ``progress`` after each."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress, self.done, self.total = progress, 0, 0

    def add(self, rows: int) -> None:
        """Count further answered rows."""
        self.done += rows
        if self.progress is not None:
            self.progress(self.done, self.total)


def tasks_path() -> Path:
    """Return the folder of the task files, for ``lm_eval --include_path``."""
    return Path(__file__).with_name("lm_eval")


def task_names(scenario: str | None = None, subsets: Sequence[str] = SUBSETS) -> list[str]:
    """Return the task names of a scenario (or of both), in the order of the subsets."""
    if scenario is not None and scenario not in SCENARIOS:
        raise unknown("scenario", scenario, SCENARIOS)
    for subset in subsets:
        if subset not in SUBSETS:
            raise unknown("subset", subset, SUBSETS)
    return [task_name(one, subset) for one in ([scenario] if scenario else SCENARIOS) for subset in subsets]


def load_processor(folder: str | Path) -> "ProcessorMixin":
    """Return the processor of a model folder (or Hub id); a :class:`UserError` if it can't take an image."""
    from transformers import AutoProcessor

    fix = "Give the folder of a vision-language model saved together with its processor."
    try:
        processor = AutoProcessor.from_pretrained(str(folder))
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"The model '{folder}' has no processor that can be loaded ({reason}). {fix}") from error
    if getattr(processor, "image_processor", None) is None:
        raise UserError(f"The model '{folder}' has no image processor: it reads text only. {fix}")
    return processor


def check_chat_template(processor: "ProcessorMixin", name: str | Path) -> None:
    """Raise a :class:`UserError` if the processor has no chat template."""
    if not (getattr(processor, "chat_template", None) or getattr(processor.tokenizer, "chat_template", None)):
        raise UserError(
            f"The model '{name}' has no chat template (chat_template.jinja beside its processor). Save one with it, as "
            "the model's own chat format needs: training and evaluation must ask the same prompt."
        )


def wrap(
    model: "PreTrainedModel",
    processor: "ProcessorMixin",
    *,
    batch_size: int = BATCH_SIZE,
) -> "HFMultimodalLM":
    """Return lm-eval's model around one already in memory (adapters included); weights are used as they are."""
    from mllmu_med_tasks.harness_model import HarnessModel

    with _quiet(Count(None)):
        return HarnessModel(model, processor=processor, batch_size=batch_size)


def open_model(
    folder: str | Path, *, peft: str | Path | None = None, batch_size: int = BATCH_SIZE, device: str | None = None
) -> "HFMultimodalLM":
    """Return lm-eval's own model of a folder or Hub id, with an adapter if one is named.

    ``device`` is a torch device name; by default an accelerator if there is one.
    """
    load_processor(folder)
    import torch

    from mllmu_med_tasks.harness_model import HarnessModel

    with _quiet(Count(None)):
        return HarnessModel(
            str(folder),
            batch_size=batch_size,
            device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
            peft=str(peft) if peft else None,
        )


def run(
    model: "str | Path | HFMultimodalLM",
    scenario: str,
    *,
    out: str | Path,
    data_dir: str | Path | None = None,
    subsets: Sequence[str] = SUBSETS,
    max_retain: int | None = None,
    image: str = "own",
    batch_size: int = BATCH_SIZE,
    apply_chat_template: bool = True,
    limit: int | None = None,
    peft: str | Path | None = None,
    device: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Ask a model every row of a scenario's subsets and return ``out``, which then holds lm-eval's result files.

    ``out`` appears only when complete: ``results_*.json`` and one ``samples_<task>_*.jsonl`` a task. ``model`` is a
    folder, a Hub id, or an lm-eval model from :func:`wrap` or :func:`open_model` (used again as it is: ``batch_size``,
    ``peft`` and ``device`` are then its own). ``max_retain``, ``image`` and ``seed`` are those of
    :func:`mllmu_med_tasks.rows.load`; a ``limit`` takes the first rows only and is marked in the result, which can't be
    scored. ``progress`` is called with the number of answered rows and their total.
    """
    tasks = task_names(scenario, subsets)
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"The output folder '{out}' is in use. Name a new folder, or remove this one first.")
    count = Count(progress)
    with _quiet(count):
        lm = (
            model
            if hasattr(model, "generate_until")
            else open_model(model, peft=peft, batch_size=batch_size, device=device)
        )
        if apply_chat_template:
            check_chat_template(lm.processor, _name(lm))
        # lm-eval sets it on the first template applied and then never puts the image token in by itself again.
        lm.chat_applied = False
        metadata = {
            "mllmu_med_image": image,
            "mllmu_med_seed": seed,
            "mllmu_med_data_sha256": data_digest(data_dir),
            **({"mllmu_med_data_dir": str(data_dir)} if data_dir is not None else {}),
            **({"mllmu_med_max_retain": max_retain} if max_retain is not None else {}),
        }
        results, samples, tracker = _evaluate(lm, tasks, metadata, apply_chat_template, limit, seed, count)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        folder = Path(scratch) / "eval"
        _write(folder, tracker, results, samples)
        if out.exists():
            out.rmdir()
        shutil.move(folder, out)
    return out


def data_digest(data_dir: str | Path | None = None) -> str:
    """Return the digest of all rows of a build (of the packaged one without a folder)."""
    return str(checksums(data_dir)["dataset_sha256"])


def _evaluate(
    lm: "HFMultimodalLM",
    tasks: list[str],
    metadata: dict[str, object],
    apply_chat_template: bool,
    limit: int | None,
    seed: int,
    count: Count,
) -> tuple[dict, dict, object]:
    """Return lm-eval's results, its samples by task, and the tracker that writes both."""
    from lm_eval.evaluator import evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.loggers.utils import add_tokenizer_info
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(tasks_path()), include_defaults=False, metadata=metadata)
    loaded = manager.load(tasks)
    for task in loaded["tasks"].values():
        task.set_fewshot_seed(seed=seed)
        rows = len(task.eval_docs)
        count.total += min(rows, limit) if limit else rows
    tracker = EvaluationTracker(output_path="results.json")
    tracker.general_config_tracker.log_experiment_args(
        model_source="hf-multimodal",
        model_args={"pretrained": _name(lm)},
        system_instruction=None,
        chat_template=lm.chat_template(True) if apply_chat_template else None,
        fewshot_as_multiturn=True,
    )
    started = time.time()
    # Each batch ends in a full collection; what is alive already need not be walked every time.
    gc.collect()
    gc.freeze()
    try:
        results = evaluate(
            lm,
            loaded,
            limit=limit,
            bootstrap_iters=0,
            log_samples=True,
            apply_chat_template=apply_chat_template,
            fewshot_as_multiturn=True,
        )
    finally:
        gc.unfreeze()
    samples = results.pop("samples")
    for rows in samples.values():
        for row in rows:
            # Written as they are, the pictures would be decoded once more to print their memory addresses.
            row["arguments"] = [
                (text, options, {"visual": extra["visual"].names()}) for text, options, extra in row["arguments"]
            ]
    results["config"] = {
        "model": "hf-multimodal",
        "model_args": {"pretrained": _name(lm)},
        "model_num_parameters": lm.model.num_parameters(),
        "model_dtype": str(lm.model.dtype),
        "batch_size": lm.batch_size,
        "device": str(lm.device),
        "use_cache": None,
        "limit": limit,
        "bootstrap_iters": 0,
        "gen_kwargs": None,
        "random_seed": seed,
    }
    results["date"] = started
    results.update(_versions())
    add_tokenizer_info(results, lm)
    return results, samples, tracker


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


def _name(lm: "HFMultimodalLM") -> str:
    return str(getattr(lm.model, "name_or_path", "") or lm.config.name_or_path or type(lm.model).__name__)


@contextmanager
def _quiet(count: Count) -> Iterator[None]:
    """Silence lm-eval's bars and notes (errors still show), count answered rows, and leave images unhashed."""
    import lm_eval.api.task
    import lm_eval.evaluator
    import lm_eval.models.hf_vlms
    import transformers

    class Bar:
        """Stands in for a tqdm bar that draws nothing."""

        def __init__(self, rows=None, **_: object) -> None:
            self.rows = rows

        def __iter__(self):
            return iter(self.rows)

        def update(self, rows: int = 1) -> None:
            count.add(rows)

        def close(self) -> None:
            """Nothing was drawn."""

    modules = (lm_eval.api.task, lm_eval.models.hf_vlms)
    bars = [module.tqdm for module in modules]
    hashed = getattr(lm_eval.evaluator, "LMEVAL_HASHMM", True)
    logger = logging.getLogger("lm_eval")
    level, shown = logger.level, transformers.utils.logging.get_verbosity()
    bar_shown = transformers.utils.logging.is_progress_bar_enabled()
    for module in modules:
        module.tqdm = Bar
    # The samples name their images; decoding, encoding and hashing each once more says nothing new.
    lm_eval.evaluator.LMEVAL_HASHMM = False
    logger.setLevel(logging.ERROR)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        for module, bar in zip(modules, bars, strict=True):
            module.tqdm = bar
        lm_eval.evaluator.LMEVAL_HASHMM = hashed
        logger.setLevel(level)
        transformers.utils.logging.set_verbosity(shown)
        if bar_shown:
            transformers.utils.logging.enable_progress_bar()
