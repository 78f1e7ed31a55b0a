"""Learning and unlearning: what a run reads, what it minimises, and what it leaves behind."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from baselines import methods, models
from baselines.adapter_card import adapter_card
from baselines.collate import Batch, Encoder, Example, answer_logits
from baselines.config import LearnRecipe, Lora, Recipe, UnlearnRecipe
from baselines.loop import Ended, Passes, Progress, Stop, minimise
from baselines.losses import IGNORED, nll_per_row
from baselines.methods import Method
from baselines.record import RunRecord, forget_peak_memory, peak_memory_mb, versions
from baselines.reference import read_answers, trained_layers
from baselines.roles import Order, Rows, learning_rows, read_rows, role_rows
from baselines.run_folder import RunFolder
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import checksums


def learn(
    *,
    model: str | Path,
    data_dir: Path,
    scenario: str,
    rows: Literal["target", "retain_only"],
    percent: int = 10,
    out: Path,
    recipe: LearnRecipe,
    seed: int,
    resume: bool = True,
    progress: Progress | None = None,
    data: Rows | None = None,
) -> RunRecord:
    """Fine-tune language model and projector on the rows and save an ordinary model folder OUT/model.

    A finished run with the same configuration is reported, not repeated; an interrupted one resumes. `data` gives rows
    already read (those of `data_dir`), so that several runs need not read and check them again.
    """
    models.check_usable(model)
    checksum = checksums(data_dir)["dataset_sha256"]
    config = {"recipe": recipe.canonical(), "model": models.digest(model), "data": checksum, "rows": rows}
    run = RunFolder.open(out, "learn", rows, model, scenario, percent, seed, config, resume)
    if run.finished:
        return run.finished
    data, loaded = _opened(run, model, recipe, data_dir, scenario, percent, data)
    chosen = learning_rows(data, rows, recipe.injected_repeats)
    if recipe.lora:
        trained = with_adapter(loaded.model, recipe.lora, seed)
    else:
        trained = loaded.model
        models.freeze_vision(trained)
    encoder = Encoder(loaded.model, loaded.processor)
    examples = [encoder.example(row, str(row["answer"])) for row in chosen]
    lengths = [example.length for example in examples]
    order = Order([example.row_id for example in examples], seed, "learn", lengths, recipe.length_window)

    def passes(step: int) -> Passes:
        visited = [examples[place] for place, _ in order.step(step, recipe.rows_per_step)]
        split = [visited[first : first + recipe.batch] for first in range(0, len(visited), recipe.batch)]
        return [({"learn": encoder.batch(part)}, _weight(part, recipe) / _weight(visited, recipe)) for part in split]

    def terms(batches: Mapping[str, Batch]) -> dict[str, Tensor]:
        return {"learn_nll": _learn_nll(trained, batches["learn"], recipe)}

    planned = recipe.max_steps or math.ceil(recipe.epochs * len(examples) / recipe.rows_per_step)
    ended = minimise(trained, recipe, planned, seed, run, passes, terms, progress)
    counts = {"retain": len(data.retain)} | ({"forget": len(data.forget)} if rows == "target" else {})
    record = _record(run, checksum, counts, trained, planned, ended, recipe.rows_per_step)
    if not ended.diverged:
        run.save_model(trained.merge_and_unload() if recipe.lora else trained, loaded.processor)
    return run.finish(record)


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
) -> RunRecord:
    """Make the target forget, by an adapter on its language model; save OUT/adapter and, merged, OUT/model.

    A finished run with the same configuration is reported, not repeated; an interrupted one resumes. `data` gives rows
    already read (those of `data_dir`), so that several runs need not read and check them again.
    """
    chosen = methods.get(method)
    recipe = recipe.for_method(chosen)
    models.check_usable(model)
    checksum = checksums(data_dir)["dataset_sha256"]
    config = {"recipe": recipe.canonical(), "model": models.digest(model), "data": checksum, "method": method}
    run = RunFolder.open(out, "unlearn", method, model, scenario, percent, seed, config, resume)
    if run.finished:
        return run.finished
    data, loaded = _opened(run, model, recipe, data_dir, scenario, percent, data)
    pattern = None
    if chosen.reads_layer:
        pattern = models.mlp_pattern(loaded.model, trained_layers(chosen, loaded.model, recipe.options))
    trained = with_adapter(loaded.model, recipe.lora, seed, pattern)
    encoder = Encoder(loaded.model, loaded.processor)
    mismatched, refusals = (int(recipe.options.get(name, 1)) for name in ("mismatched_answers", "distinct_refusals"))
    # Most roles give a row one answer; forget_random gives several, and each visit takes the next one.
    examples = {
        role: [
            [encoder.example(row, answer) for row, answer in answers]
            for answers in role_rows(role, data, scenario, seed, mismatched, refusals)
        ]
        for role in chosen.roles
    }
    # The roles of the forget rows share one order: a step reads the same rows under each of them.
    orders = {
        role: Order([answers[0].row_id for answers in rows], seed, "retain" if role == "retain" else "forget")
        for role, rows in examples.items()
    }

    def passes(step: int) -> Passes:
        visited = {
            role: [
                examples[role][place][visit % len(examples[role][place])]
                for place, visit in order.step(step, recipe.rows_per_step)
            ]
            for role, order in orders.items()
        }
        return [
            ({role: encoder.batch(rows[first : first + recipe.batch]) for role, rows in visited.items()}, share)
            for first, share in ((part * recipe.batch, 1 / recipe.accumulation) for part in range(recipe.accumulation))
        ]

    def terms(batches: Mapping[str, Batch]) -> dict[str, Tensor]:
        return method_terms(chosen, trained, batches, recipe.options)

    planned = recipe.max_steps or math.ceil(recipe.epochs * len(data.forget) / recipe.rows_per_step)
    stop = _stop_rule(trained, encoder, data, recipe, seed) if recipe.stop else None
    masks = _gradient_mask(chosen, trained, encoder, data, recipe, seed) if chosen.gradient_mask else None
    ended = minimise(trained, recipe, planned, seed, run, passes, terms, progress, stop, masks)
    if chosen.edit is not None:
        edit_adapter(trained, chosen, recipe.options)
    counts = {role: len(rows) for role, rows in examples.items()}
    record = _record(run, checksum, counts, trained, planned, ended, recipe.rows_per_step)
    run.save_adapter(trained, adapter_card(chosen, run.model, scenario, percent, run.config))
    run.save_model(trained.merge_and_unload().to(loaded.stored_dtype), loaded.processor)
    return run.finish(record)


def _opened(
    run: RunFolder,
    model: str | Path,
    recipe: Recipe,
    data_dir: Path,
    scenario: str,
    percent: int,
    data: Rows | None,
) -> tuple[Rows, models.Loaded]:
    """Read the rows and the model of a run; a refusal leaves its folder as it was."""
    forget_peak_memory()
    try:
        return data or read_rows(data_dir, scenario, percent), models.load(model, recipe.dtype)
    except UserError:
        run.abandon()
        raise


def method_terms(
    method: Method, model: torch.nn.Module, batches: Mapping[str, Batch], options: Mapping[str, float]
) -> dict[str, Tensor]:
    """Return a method's terms on one batch of each of its roles, with the reference logits that it declares."""
    return method.loss(read_answers(method, model, batches, options), options)


def fisher(
    model: torch.nn.Module, encoder: Encoder, examples: Sequence[Example], parameters: Mapping[str, torch.nn.Parameter]
) -> dict[str, Tensor]:
    """Return the parameters' diagonal Fisher information on some rows: the mean of each row's squared gradient."""
    summed = {name: torch.zeros_like(part) for name, part in parameters.items()}
    for example in examples:
        batch = encoder.batch([example])
        loss = nll_per_row(answer_logits(model, batch), batch.labels).mean()
        found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        for name, gradient in zip(parameters, found, strict=True):
            if gradient is not None:
                summed[name] += gradient.square() / len(examples)
    return summed


def _gradient_mask(
    method: Method, model: torch.nn.Module, encoder: Encoder, data: Rows, recipe: UnlearnRecipe, seed: int
) -> dict[str, Tensor]:
    """Return which weights of the fresh adapter a method may change, from a seeded sample of forget and retain rows."""
    parameters = {name: part for name, part in model.named_parameters() if part.requires_grad}
    forget, retain = (
        fisher(model, encoder, _sample(encoder, rows, recipe.stop_rows, seed), parameters)
        for rows in (data.forget, data.retain)
    )
    return method.gradient_mask(forget, retain, recipe.options)


def edit_adapter(model: torch.nn.Module, method: Method, options: Mapping[str, float]) -> None:
    """Change a trained adapter in place as the method says, once the loop has ended."""
    adapter = {name: part for name, part in model.named_parameters() if part.requires_grad}
    edited = method.edit({name: part.detach() for name, part in adapter.items()}, options)
    for name, part in adapter.items():
        part.data.copy_(edited[name])


def answer_nll(model: torch.nn.Module, encoder: Encoder, examples: Sequence[Example], batch: int) -> float:
    """Return the mean over the examples of their nll per answer token, in nats, without gradient."""
    ordered = sorted(examples, key=lambda example: example.length)
    each = []
    with torch.no_grad():
        for first in range(0, len(ordered), batch):
            collated = encoder.batch(ordered[first : first + batch])
            each.append(nll_per_row(answer_logits(model, collated), collated.labels).double())
    return torch.cat(each).mean().item()


def with_adapter(model: torch.nn.Module, lora: Lora, seed: int, pattern: str | None = None) -> torch.nn.Module:
    """Return the model with a fresh adapter on the linear layers of its language model, and nothing else trainable.

    `pattern` narrows the layers to those whose full names it matches.
    """
    from peft import LoraConfig, get_peft_model

    path, _ = models.language_model(model)
    torch.manual_seed(seed)  # the adapter's first matrices are random
    adapter = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=pattern or models.linear_pattern(model),
        bias="none",
    )
    adapted = get_peft_model(model, adapter)
    outside = [name for name, part in adapted.named_parameters() if part.requires_grad and f".{path}." not in name]
    if outside:
        raise RuntimeError(f"the adapter reaches outside the language model ({path}): {outside[:3]}")
    return adapted


def _learn_nll(model: torch.nn.Module, batch: Batch, recipe: LearnRecipe) -> Tensor:
    each = nll_per_row(answer_logits(model, batch), batch.labels)
    if recipe.mean_over == "rows":
        return each.mean()
    tokens = (batch.labels != IGNORED).sum(-1)
    return (each * tokens).sum() / tokens.sum()


def _weight(examples: Sequence[Example], recipe: LearnRecipe) -> int:
    """Return what the mean of a step divides by: its rows, or its answer tokens."""
    return len(examples) if recipe.mean_over == "rows" else sum(len(example.answer) for example in examples)


def _stop_rule(model: torch.nn.Module, encoder: Encoder, data: Rows, recipe: UnlearnRecipe, seed: int) -> Stop:
    """Return the rule: forget nll reaches what rows the target never saw cost it. The gold is never looked at."""
    if not data.holdout:
        raise UserError("The stop rule 'holdout' needs holdout rows and there are none. Use --set stop=null.")
    holdout = _sample(encoder, data.holdout, recipe.stop_rows, seed)
    forget = _sample(encoder, data.forget, recipe.stop_rows, seed)
    with model.disable_adapter():
        level = answer_nll(model, encoder, holdout, recipe.batch)
    return Stop(
        level, recipe.stop_at * level, recipe.stop_every, lambda: answer_nll(model, encoder, forget, recipe.batch)
    )


def _sample(encoder: Encoder, rows: Sequence[Mapping[str, object]], count: int, seed: int) -> list[Example]:
    """Return at most so many rows with their own answers, by the seeded order of their ids."""
    order = Order([str(row["id"]) for row in rows], seed, "sample")
    places = sorted(place for place, _ in order.step(0, min(count, len(rows))))
    return [encoder.example(rows[place], str(rows[place]["answer"])) for place in places]


def _record(
    run: RunFolder,
    checksum: str,
    counts: dict[str, int],
    model: torch.nn.Module,
    planned: int,
    ended: Ended,
    rows_per_step: int,
) -> RunRecord:
    return RunRecord(
        run_id=run.run_id,
        kind=run.kind,
        name=run.name,
        model=run.model,
        scenario=run.scenario,
        percent=run.percent,
        seed=run.seed,
        config=run.config,
        rows=counts,
        trainable=sum(part.numel() for part in model.parameters() if part.requires_grad),
        planned_steps=planned,
        steps=ended.steps,
        stop="holdout" if ended.stop_step else None,
        stop_step=ended.stop_step,
        holdout_nll=ended.holdout_nll,
        forget_nll=ended.forget_nll,
        resumed_at=list(ended.resumed_at),
        seconds=round(ended.seconds, 3),
        rows_per_second=round(ended.steps * rows_per_step / max(ended.seconds, 1e-9), 1),
        peak_memory_mb=round(peak_memory_mb(), 1),
        versions=versions(),
        dataset_checksum=checksum,
        verdict="diverged" if ended.diverged else None,
    )
