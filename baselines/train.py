"""Learning and unlearning: what a run reads, what it minimises, and what it leaves behind."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from baselines import methods, models, tracker
from baselines.adapter_card import adapter_card
from baselines.collate import Batch, Encoder, Example, answer_logits
from baselines.config import LearnRecipe, Lora, Recipe, UnlearnRecipe
from baselines.disk import alone
from baselines.loop import Ended, Passes, Progress, Stop, minimise
from baselines.losses import IGNORED, nll_per_row
from baselines.methods import Method
from baselines.processes import Processes, joined, placed_as, whole
from baselines.record import RunRecord, forget_peak_memory, peak_memory_mb, versions
from baselines.reference import read_answers, trained_layers
from baselines.roles import Order, Rows, learning_rows, read_rows, role_rows
from baselines.run_folder import RunFolder
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import checksums

Item = TypeVar("Item")


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
    report_to: str | None = None,
) -> RunRecord:
    """Fine-tune language model and projector on the rows and save an ordinary model folder OUT/model.

    A finished run with the same configuration is reported, not repeated; an interrupted one resumes. `data` gives rows
    already read (those of `data_dir`), so that several runs need not read and check them again. `report_to` names a
    tracker that is sent the metrics too.
    """
    models.check_usable(model)
    check_quantized(recipe)
    tracker.check(report_to)
    processes = joined()
    processes.check(recipe.rows_per_step)
    checksum = checksums(data_dir)["dataset_sha256"]
    config = {"recipe": recipe.canonical(), "model": models.digest(model), "data": checksum, "rows": rows}
    afresh = not resume and processes.writes  # the others find the folder taken
    run = processes.first(
        lambda: RunFolder.open(out, "learn", rows, model, scenario, percent, seed, config, not afresh)
    )
    if run.finished:
        return run.finished
    with _at_work(run, report_to, processes) as run:
        data, loaded = _opened(run, model, recipe, data_dir, scenario, percent, data, processes)
        chosen = learning_rows(data, rows, recipe.injected_repeats)
        trained = _learner(loaded.model, recipe, seed)
        encoder = Encoder(loaded.model, loaded.processor)
        fit_to_device(trained, loaded.model, recipe, processes)
        examples = [encoder.example(row, str(row["answer"])) for row in chosen]
        lengths = [example.length for example in examples]
        order = Order([example.row_id for example in examples], seed, "learn", lengths, recipe.length_window)

        def passes(step: int) -> Passes:
            visited = [examples[place] for place, _ in order.step(step, recipe.rows_per_step)]
            return [
                ({"learn": encoder.batch(part)}, _weight(part, recipe) / _weight(visited, recipe))
                for part in _parts(processes.share(visited), recipe.batch)
            ]

        def terms(batches: Mapping[str, Batch]) -> dict[str, Tensor]:
            return {"learn_nll": _learn_nll(trained, batches["learn"], recipe)}

        planned = recipe.max_steps or math.ceil(recipe.epochs * len(examples) / recipe.rows_per_step)
        ended = minimise(trained, recipe, planned, seed, run, passes, terms, progress, processes=processes)
        counts = {"retain": len(data.retain)} | ({"forget": len(data.forget)} if rows == "target" else {})
        record = _record(run, checksum, counts, trained, planned, ended, recipe.rows_per_step)
        saved = _saved_from(trained, recipe, processes, lambda: _learner(_on_cpu(model, recipe), recipe, seed))

        def save() -> None:
            if not ended.diverged:
                run.save_model(saved.merge_and_unload() if recipe.lora else saved, loaded.processor)
            run.finish(record)

        processes.alone(save)
        return record


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
) -> RunRecord:
    """Make the target forget, by an adapter on its language model; save OUT/adapter and, merged, OUT/model.

    A finished run with the same configuration is reported, not repeated; an interrupted one resumes. `data` gives rows
    already read (those of `data_dir`), so that several runs need not read and check them again. `report_to` names a
    tracker that is sent the metrics too.
    """
    chosen = methods.get(method)
    recipe = recipe.for_method(chosen)
    models.check_usable(model)
    check_quantized(recipe)
    tracker.check(report_to)
    processes = joined()
    processes.check(recipe.rows_per_step)
    if processes.sharded and chosen.gradient_mask:
        raise UserError(
            f"Method {method} measures every weight's gradient before it begins, which weights dealt out by FSDP don't "
            "allow. Launch it without an FSDP configuration: each process then holds the whole model."
        )
    checksum = checksums(data_dir)["dataset_sha256"]
    config = {"recipe": recipe.canonical(), "model": models.digest(model), "data": checksum, "method": method}
    if digest := methods.file_digest(method):
        config["method_file"] = digest
    afresh = not resume and processes.writes  # the others find the folder taken
    run = processes.first(
        lambda: RunFolder.open(out, "unlearn", method, model, scenario, percent, seed, config, not afresh)
    )
    if run.finished:
        return run.finished
    with _at_work(run, report_to, processes) as run:
        data, loaded = _opened(run, model, recipe, data_dir, scenario, percent, data, processes)
        pattern = None
        if chosen.reads_layer:
            pattern = models.mlp_pattern(loaded.model, trained_layers(chosen, loaded.model, recipe.options))
        trained = with_adapter(loaded.model, recipe.lora, seed, pattern)
        encoder = Encoder(loaded.model, loaded.processor)
        fit_to_device(trained, loaded.model, recipe, processes)
        mismatched, refusals = (
            int(recipe.options.get(name, 1)) for name in ("mismatched_answers", "distinct_refusals")
        )
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
                    for place, visit in processes.share(order.step(step, recipe.rows_per_step))
                ]
                for role, order in orders.items()
            }
            parts = [_parts(rows, recipe.batch) for rows in visited.values()]
            return [
                (
                    {role: encoder.batch(rows) for role, rows in zip(visited, part, strict=True)},
                    len(part[0]) / recipe.rows_per_step,
                )
                for part in zip(*parts, strict=True)
            ]

        def terms(batches: Mapping[str, Batch]) -> dict[str, Tensor]:
            return method_terms(chosen, trained, batches, recipe.options)

        planned = recipe.max_steps or math.ceil(recipe.epochs * len(data.forget) / recipe.rows_per_step)
        stop = _stop_rule(trained, encoder, data, recipe, seed, processes) if recipe.stop else None
        masks = _gradient_mask(chosen, trained, encoder, data, recipe, seed) if chosen.gradient_mask else None
        processes.same((masks or {}).values())
        ended = minimise(trained, recipe, planned, seed, run, passes, terms, progress, stop, masks, processes)
        if chosen.edit is not None:
            edit_adapter(trained, chosen, recipe.options)
        counts = {role: len(rows) for role, rows in examples.items()}
        record = _record(run, checksum, counts, trained, planned, ended, recipe.rows_per_step)
        saved = _saved_from(
            trained, recipe, processes, lambda: with_adapter(_on_cpu(model, recipe), recipe.lora, seed, pattern)
        )

        def save() -> None:
            run.save_adapter(saved, adapter_card(chosen, run.model, scenario, percent, run.config))
            run.save_model(saved.merge_and_unload().to(loaded.stored_dtype), loaded.processor)
            run.finish(record)

        processes.alone(save)
        return record


@contextmanager
def _at_work(run: RunFolder, report_to: str | None, processes: Processes) -> Iterator[RunFolder]:
    """Keep other processes out of the run's folder, and follow the run at a tracker where that is wished."""
    with ExitStack() as held:

        def begin() -> tracker.Tracker | None:
            held.enter_context(alone(run.folder))
            return held.enter_context(tracker.following(report_to, run.run_id, run.config)) if report_to else None

        yield replace(run, tracker=processes.alone(begin))


def check_quantized(recipe: Recipe) -> None:
    """Refuse 4-bit weights where they can't be had, or can't be trained."""
    if not recipe.load_in_4bit:
        return
    if isinstance(recipe, LearnRecipe) and recipe.lora is None:
        raise UserError("Weights of 4 bits can't be trained themselves. Add an adapter: --set lora.rank=16.")
    lacks = "a CUDA device" if not torch.cuda.is_available() else "" if find_spec("bitsandbytes") else "bitsandbytes"
    if lacks:
        raise UserError(
            f"load_in_4bit needs {lacks}, which is not here. Run with --set load_in_4bit=false (and dtype=bfloat16 to "
            "halve the memory), or on a CUDA device with `pip install bitsandbytes`."
        )


def _learner(model: torch.nn.Module, recipe: LearnRecipe, seed: int) -> torch.nn.Module:
    """Return the model with what learning trains of it: an adapter, or everything but the vision tower."""
    if recipe.lora:
        return with_adapter(model, recipe.lora, seed)
    models.freeze_vision(model)
    return model


def fit_to_device(trained: torch.nn.Module, model: torch.nn.Module, recipe: Recipe, processes: Processes) -> None:
    """Do what makes a large model fit: compute layers again in the backward pass, deal weights out."""
    if recipe.gradient_checkpointing:
        for layer in models.decoder_layers(model):
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
    if processes.sharded:
        processes.shard(trained, models.decoder_layers(model))


def _on_cpu(model: str | Path, recipe: Recipe) -> torch.nn.Module:
    """Return the model a run began with, whole and unquantized."""
    return models.load(model, recipe.dtype).model.to("cpu")


def _saved_from(
    trained: torch.nn.Module, recipe: Recipe, processes: Processes, begin: Callable[[], torch.nn.Module]
) -> torch.nn.Module | None:
    """Return the model to save: the trained one, or, where its weights are dealt out or quantized, one begun anew.

    That one holds the trained weights on the CPU, and only the process that writes has it.
    """
    if not (processes.sharded or recipe.load_in_4bit):
        return trained
    values = {name: whole(part.detach()).cpu() for name, part in trained.named_parameters() if part.requires_grad}
    if not processes.writes:
        return None
    fresh = begin()
    for name, part in fresh.named_parameters():
        if part.requires_grad:
            part.data.copy_(values[name])
    return fresh


def _parts(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """Return the items in parts of so many, the last one perhaps smaller."""
    return [items[first : first + size] for first in range(0, len(items), size)]


def _opened(
    run: RunFolder,
    model: str | Path,
    recipe: Recipe,
    data_dir: Path,
    scenario: str,
    percent: int,
    data: Rows | None,
    processes: Processes,
) -> tuple[Rows, models.Loaded]:
    """Read the rows and the model of a run; a refusal leaves its folder as it was."""
    forget_peak_memory()
    try:
        return data or read_rows(data_dir, scenario, percent), models.load(model, recipe.dtype, recipe.load_in_4bit)
    except UserError:
        if processes.writes:
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
    edited = method.edit({name: whole(part.detach()) for name, part in adapter.items()}, options)
    for name, part in adapter.items():
        part.data.copy_(placed_as(edited[name], part))


def answer_nll(
    model: torch.nn.Module,
    encoder: Encoder,
    examples: Sequence[Example],
    batch: int,
    processes: Processes = Processes(),  # noqa: B008 (frozen)
) -> float:
    """Return the mean over the examples of their nll per answer token, in nats, without gradient."""
    parts = _parts(sorted(examples, key=lambda example: example.length), batch)
    each = [torch.zeros(0, dtype=torch.float64)]
    with torch.no_grad():
        # Every process makes as many passes: of sharded weights none can be left out.
        for turn in range(math.ceil(len(parts) / processes.count)):
            place = turn * processes.count + processes.rank
            collated = encoder.batch(parts[min(place, len(parts) - 1)])
            found = nll_per_row(answer_logits(model, collated), collated.labels).double().cpu()
            each += [found] if place < len(parts) else []
    mine = torch.cat(each)
    if processes.count == 1:
        return mine.mean().item()
    summed, rows = processes.sum([mine.sum().item(), len(mine)])
    return summed / rows


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


def _stop_rule(
    model: torch.nn.Module, encoder: Encoder, data: Rows, recipe: UnlearnRecipe, seed: int, processes: Processes
) -> Stop:
    """Return the rule: forget nll reaches what rows the target never saw cost it. The gold is never looked at."""
    if not data.holdout:
        raise UserError("The stop rule 'holdout' needs holdout rows and there are none. Use --set stop=null.")
    holdout = _sample(encoder, data.holdout, recipe.stop_rows, seed)
    forget = _sample(encoder, data.forget, recipe.stop_rows, seed)
    with model.disable_adapter():
        level = answer_nll(model, encoder, holdout, recipe.batch, processes)
    return Stop(
        level,
        recipe.stop_at * level,
        recipe.stop_every,
        lambda: answer_nll(model, encoder, forget, recipe.batch, processes),
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
