"""Learning: a model fine-tuned on the rows of the target, the gold that never saw the secrets, or a control's."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from baselines.config import LearnRecipe
from baselines.losses import IGNORED, nll_per_row
from baselines.model import models
from baselines.model.adapter import with_adapter
from baselines.model.large_models import fit_to_device, model_to_save, on_cpu
from baselines.model.published import Published, for_study
from baselines.run.run_record import RunRecord
from baselines.training.begin import Begun, Request, begun
from baselines.training.collate import Batch, Encoder, Example, answer_logits, in_parts
from baselines.training.format_matched import rows_to_learn
from baselines.training.loop import Passes, Progress, minimise
from baselines.training.patients import Patients
from baselines.training.roles import Order, Rows

LearnedRows = Literal["target", "retain_only", "format_matched"]


def learn(
    *,
    model: str | Path,
    data_dir: Path,
    scenario: str,
    rows: LearnedRows,
    percent: int = 10,
    out: Path,
    recipe: LearnRecipe,
    seed: int,
    resume: bool = True,
    progress: Progress | None = None,
    data: Rows | None = None,
    report_to: str | None = None,
    published: bool = False,
    patients: Patients | None = None,
) -> RunRecord:
    """Fine-tune language model and projector on the rows and save an ordinary model folder OUT/model.

    A finished run with the same configuration is reported, not repeated; an interrupted one resumes. `data`,
    `report_to` and `patients` as in :class:`~baselines.training.begin.Request`. With `published`, the model that comes
    with the package is taken where it is what these rows, recipe and seed make; else it is learned all the same.
    """
    request = Request(model, data_dir, scenario, percent, out, seed, resume, data, report_to, patients)
    found = _published(request, rows, recipe) if published else None
    decides = {"rows": rows} | ({"published": found.digest} if found else {})
    with begun(request, "learn", rows, recipe, decides) as run:
        if isinstance(run, RunRecord):
            return run
        return _taken(run, found) if found else _learn(run, request, rows, recipe, progress)


def _published(request: Request, rows: LearnedRows, recipe: LearnRecipe) -> Published | None:
    """Return the published model that this run would make; none of a control or of some patients."""
    if rows == "format_matched" or request.patients:
        return None
    return for_study(
        request.scenario,
        rows,
        base_digest=models.digest(request.model),
        recipe=recipe.canonical(),
        data_dir=request.data_dir,
        percent=request.percent,
        seed=request.seed,
    )


def _taken(run: Begun, found: Published) -> RunRecord:
    """Put the published model where the run would leave its own, with the record of how it was made."""
    folder = run.folder
    record = RunRecord.model_validate(
        {
            **found.record,
            "run_id": folder.run_id,
            "model": folder.model,
            "config": folder.config,
            "dataset_checksum": run.checksum,
        }
    )

    def save() -> None:
        folder.copy_model(found.folder / "model")
        folder.finish(record)

    run.processes.alone(save)
    return record


def _learn(run: Begun, request: Request, rows: str, recipe: LearnRecipe, progress: Progress | None) -> RunRecord:
    loaded, processes = run.loaded, run.processes
    chosen = rows_to_learn(run.data, rows, recipe.injected_repeats, scenario=request.scenario, seed=request.seed)
    trained = _learner(loaded.model, recipe, request.seed)
    encoder = Encoder(loaded.model, loaded.processor)
    fit_to_device(trained, loaded.model, recipe, processes)
    examples = [encoder.example(row, str(row["answer"])) for row in chosen]
    lengths = [example.length for example in examples]
    order = Order([example.row_id for example in examples], request.seed, "learn", lengths, recipe.length_window)

    def passes(step: int) -> Passes:
        visited = [examples[place] for place, _ in order.step(step, recipe.rows_per_step)]
        return [
            ({"learn": encoder.batch(part)}, _weight(part, recipe) / _weight(visited, recipe))
            for part in in_parts(processes.share(visited), recipe.batch)
        ]

    def terms(batches: Mapping[str, Batch]) -> dict[str, Tensor]:
        return {"learn_nll": learn_nll(trained, batches["learn"], recipe)}

    planned = recipe.max_steps or math.ceil(recipe.epochs * len(examples) / recipe.rows_per_step)
    ended = minimise(trained, recipe, planned, request.seed, run.folder, passes, terms, progress, processes=processes)
    counts = {"retain": len(run.data.retain)} | ({"forget": len(run.data.forget)} if rows != "retain_only" else {})
    record = run.record(counts, trained, planned, ended)
    again = lambda: _learner(on_cpu(request.model, recipe), recipe, request.seed)  # noqa: E731
    saved = model_to_save(trained, recipe, processes, again)

    def save() -> None:
        if not ended.diverged:
            run.folder.save_model(saved.merge_and_unload() if recipe.lora else saved, loaded.processor)
        run.folder.finish(record)

    processes.alone(save)
    return record


def _learner(model: torch.nn.Module, recipe: LearnRecipe, seed: int) -> torch.nn.Module:
    """Return the model with what learning trains of it: an adapter, or everything but the vision tower."""
    if recipe.lora:
        return with_adapter(model, recipe.lora, seed)
    models.freeze_vision(model)
    return model


def learn_nll(model: torch.nn.Module, batch: Batch, recipe: LearnRecipe) -> Tensor:
    """Return what learning minimises on a batch: nats a token, a mean over rows, or over all tokens."""
    each = nll_per_row(answer_logits(model, batch), batch.labels)
    if recipe.mean_over == "rows":
        return each.mean()
    tokens = (batch.labels != IGNORED).sum(-1)
    return (each * tokens).sum() / tokens.sum()


def _weight(examples: Sequence[Example], recipe: LearnRecipe) -> int:
    """Return what the mean of a step divides by: its rows, or its answer tokens."""
    return len(examples) if recipe.mean_over == "rows" else sum(len(example.answer) for example in examples)
