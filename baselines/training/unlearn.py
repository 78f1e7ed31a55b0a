"""Unlearning: a target made to forget by a method, through an adapter on its language model."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from baselines import methods
from baselines.config import UnlearnRecipe
from baselines.methods import Method
from baselines.model import models
from baselines.model.adapter import edit_adapter, with_adapter
from baselines.model.large_models import fit_to_device, model_to_save, on_cpu
from baselines.model.processes import Processes, joined
from baselines.run.adapter_card import adapter_card
from baselines.run.run_record import RunRecord
from baselines.training.begin import Begun, Request, begun
from baselines.training.collate import Batch, Encoder, Example, in_parts
from baselines.training.fisher import gradient_mask
from baselines.training.loop import Passes, Progress, minimise
from baselines.training.patients import Patients
from baselines.training.reference import method_terms, trained_layers
from baselines.training.roles import Order, Rows, role_rows
from baselines.training.sharpness import Sharpness
from baselines.training.stop_rule import holdout_rule
from mllmu_med_dataset.errors import UserError


def unlearn(
    *,
    model: str | Path,
    data_dir: Path,
    scenario: str,
    method: str,
    percent: int = 10,
    out: Path,
    recipe: UnlearnRecipe,
    seed: int,
    resume: bool = True,
    progress: Progress | None = None,
    data: Rows | None = None,
    report_to: str | None = None,
    patients: Patients | None = None,
) -> RunRecord:
    """Make the target forget, by an adapter on its language model; save OUT/adapter and, merged, OUT/model.

    A finished run with the same configuration is reported, not repeated; an interrupted one resumes. `data`,
    `report_to` and `patients` as in :class:`~baselines.training.begin.Request`.
    """
    chosen = methods.get(method)
    recipe = recipe.for_method(chosen)
    _check_shards(chosen)
    request = Request(model, data_dir, scenario, percent, out, seed, resume, data, report_to, patients)
    digest = methods.file_digest(method)
    decides = {"method": method} | ({"method_file": digest} if digest else {})
    with begun(request, "unlearn", method, recipe, decides) as run:
        return run if isinstance(run, RunRecord) else _unlearn(run, request, chosen, recipe, progress)


def _check_shards(method: Method) -> None:
    apart = "every weight's gradient before it begins" if method.gradient_mask else ""
    apart = "the gradient of hidden states in every step" if method.attacked_roles else apart
    if apart and joined().sharded:
        raise UserError(
            f"Method {method.name} measures {apart}, which weights dealt out by FSDP don't allow. Launch it without an "
            "FSDP configuration: each process then holds the whole model."
        )


def _unlearn(
    run: Begun, request: Request, method: Method, recipe: UnlearnRecipe, progress: Progress | None
) -> RunRecord:
    loaded, processes, seed = run.loaded, run.processes, request.seed
    data = run.data.with_repeats(recipe.injected_repeats)
    pattern = None
    if method.reads_layer:
        pattern = models.mlp_pattern(loaded.model, trained_layers(method, loaded.model, recipe.options))
    trained = with_adapter(loaded.model, recipe.lora, seed, pattern)
    encoder = Encoder(loaded.model, loaded.processor)
    fit_to_device(trained, loaded.model, recipe, processes)
    examples = _examples(method, encoder, data, request.scenario, recipe, seed)
    passes = _passes(examples, encoder, recipe, seed, processes)

    def terms(batches: Mapping[str, Batch]) -> dict[str, Tensor]:
        return method_terms(method, trained, batches, recipe.options)

    planned = recipe.max_steps or math.ceil(recipe.epochs * len(data.forget) / recipe.rows_per_step)
    stop = holdout_rule(trained, encoder, data, recipe, seed, processes) if recipe.stop else None
    masks = gradient_mask(method, trained, encoder, data, recipe, seed) if method.gradient_mask else None
    processes.same((masks or {}).values())
    sharpness = Sharpness(method.sharpened, recipe.options["rho"]) if method.sharpened else None
    ended = minimise(
        trained, recipe, planned, seed, run.folder, passes, terms, progress, stop, masks, sharpness, processes
    )
    if method.edit is not None:
        edit_adapter(trained, method, recipe.options)
    record = run.record({role: len(rows) for role, rows in examples.items()}, trained, planned, ended)
    again = lambda: with_adapter(on_cpu(request.model, recipe), recipe.lora, seed, pattern)  # noqa: E731
    saved = model_to_save(trained, recipe, processes, again)

    def save() -> None:
        folder = run.folder
        folder.save_adapter(saved, adapter_card(method, folder.model, request.scenario, request.percent, folder.config))
        folder.save_model(saved.merge_and_unload().to(loaded.stored_dtype), loaded.processor)
        folder.finish(record)

    processes.alone(save)
    return record


def _examples(
    method: Method, encoder: Encoder, data: Rows, scenario: str, recipe: UnlearnRecipe, seed: int
) -> dict[str, list[list[Example]]]:
    """Return the examples of each role, a list a row: most roles give a row one answer, forget_random several."""
    mismatched, refusals = (int(recipe.options.get(name, 1)) for name in ("mismatched_answers", "distinct_refusals"))
    return {
        role: [
            [encoder.example(row, answer) for row, answer in answers]
            for answers in role_rows(role, data, scenario, seed, mismatched, refusals)
        ]
        for role in method.roles
    }


def _passes(
    examples: Mapping[str, Sequence[Sequence[Example]]],
    encoder: Encoder,
    recipe: UnlearnRecipe,
    seed: int,
    processes: Processes,
) -> Callable[[int], Passes]:
    """Return what gives the forward passes of a step; of a row's several answers each visit takes the next one."""
    # The roles of the forget rows share one order: a step reads the same rows under each of them.
    orders = {
        role: Order([answers[0].row_id for answers in rows], seed, "retain" if role == "retain" else "forget")
        for role, rows in examples.items()
    }

    def passes(step: int) -> Passes:
        visited = {
            role: [
                examples[role][place][visit % len(examples[role][place])]
                for place, visit in processes.share(order.step(step, recipe.rows_per_step))
            ]
            for role, order in orders.items()
        }
        parts = [in_parts(rows, recipe.batch) for rows in visited.values()]
        return [
            (
                {role: encoder.batch(rows) for role, rows in zip(visited, part, strict=True)},
                len(part[0]) / recipe.rows_per_step,
            )
            for part in zip(*parts, strict=True)
        ]

    return passes
