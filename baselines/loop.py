"""The loop: steps over role batches until the plan ends, a stop rule fires, or a number is not finite.

A step visits the same rows however it is split into forward passes and processes, every term is a mean over the step's
rows, and nothing random happens inside a step but an adapter's dropout, which the step seeds: a resumed run ends
identically.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baselines import checkpoint
from baselines.collate import Batch
from baselines.config import Recipe
from baselines.processes import Processes, whole
from baselines.run_folder import RunFolder

# Called after each step with the steps done and the steps planned.
Progress = Callable[[int, int], None]
# This process's forward passes of a step: the batches of each by role, and its share of the step's mean.
Passes = Sequence[tuple[Mapping[str, Batch], float]]
Terms = Callable[[Mapping[str, Batch]], dict[str, Tensor]]


@dataclass(frozen=True)
class Stop:
    """When to stop: forget nll, looked at every few steps, reaches a level."""

    holdout_nll: float
    level: float
    every: int
    forget_nll: Callable[[], float]


@dataclass(frozen=True)
class Ended:
    """How a loop ended."""

    steps: int
    diverged: bool
    stop_step: int | None
    holdout_nll: float | None
    forget_nll: float | None
    seconds: float
    resumed_at: tuple[int, ...]


def minimise(
    model: torch.nn.Module,
    recipe: Recipe,
    planned: int,
    seed: int,
    run: RunFolder,
    passes: Callable[[int], Passes],
    terms: Terms,
    progress: Progress | None,
    stop: Stop | None = None,
    masks: Mapping[str, Tensor] | None = None,
    processes: Processes = Processes(),  # noqa: B008 (frozen)
) -> Ended:
    """Minimise the sum of the terms for the planned steps, or until the stop rule fires or a number is not finite.

    `masks` (1 or 0 for each weight of each parameter) hold weights where they are.
    """
    parameters = {name: part for name, part in model.named_parameters() if part.requires_grad}
    optimizer = torch.optim.AdamW(
        list(parameters.values()),
        lr=recipe.learning_rate,
        betas=(0.9, recipe.beta2),
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    position = checkpoint.restore(run.folder, parameters, optimizer)
    began, saved_at = time.perf_counter(), time.perf_counter()
    first, before, resumed_at = 0, 0.0, ()
    if position:
        first, before = position.step, position.seconds
        resumed_at = (*position.resumed_at, first)
    processes.check_agreed(first, run.folder)
    # Of an adapter, the weights of the last finite loss are kept; a copy of a whole model would cost too much.
    keep = list(parameters.values()) if run.kind == "unlearn" else []
    good: list[Tensor] = []
    done, diverged, stop_step, forget_nll = first, False, None, None
    model.eval()  # no dropout but the adapter's own, and the same attention masks as in generation
    _set_dropout_mode(model)
    with run.metrics(first, writes=processes.writes) as metrics:
        for step in range(first, planned):
            rate = recipe.learning_rate * rate_share(step, planned, recipe)
            for group in optimizer.param_groups:
                group["lr"] = rate
            summed, finite = _accumulate(passes(step), terms, seed, step, processes)
            processes.sum_gradients(parameters.values())
            for name, mask in (masks or {}).items():
                if parameters[name].grad is not None:
                    parameters[name].grad *= mask
            norm = whole(torch.nn.utils.clip_grad_norm_(parameters.values(), recipe.max_norm or math.inf)).item()
            if not (finite and math.isfinite(norm)):
                diverged = True
                for part, value in zip(keep, good, strict=False):
                    part.data.copy_(value)
                done -= bool(good)  # the last step led here and is taken back
                metrics.write({"step": step + 1, "diverged": True})
                break
            # Saved before the step: weights whose loss is known to be finite, so no resumed run begins with bad ones.
            due = time.perf_counter() - saved_at >= recipe.checkpoint_seconds
            if step > first and not processes.all(not due):  # clocks differ, and all must save or none
                metrics.flush()
                position = checkpoint.Position(step, before + time.perf_counter() - began, resumed_at)
                checkpoint.save(run.folder, parameters, optimizer, position, writes=processes.writes)
                saved_at = time.perf_counter()
            good = [part.detach().clone() for part in keep]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            done = step + 1
            line = {"step": done, "learning_rate": rate, "loss": sum(summed.values()), **summed, "gradient_norm": norm}
            if stop and (done % stop.every == 0 or done == planned):
                forget_nll = line["forget_nll"] = stop.forget_nll()
                if not math.isfinite(forget_nll):  # the step just taken broke the model
                    diverged = True
                    for part, value in zip(keep, good, strict=False):
                        part.data.copy_(value)
                    done, forget_nll = done - 1, None
                    metrics.write({"step": step + 1, "diverged": True})
                    break
            metrics.write(line)
            if progress:
                progress(done, planned)
            if stop and "forget_nll" in line and forget_nll >= stop.level:
                stop_step = done
                break
    seconds = before + time.perf_counter() - began
    holdout = stop.holdout_nll if stop else None
    return Ended(done, diverged, stop_step, holdout, forget_nll, seconds, resumed_at)


def _accumulate(
    passes: Passes, terms: Terms, seed: int, step: int, processes: Processes
) -> tuple[dict[str, float], bool]:
    """Add up a step's gradients and terms over its forward passes; stop before the gradient of what is not finite.

    The terms are those of all processes together, the gradients this one's.
    """
    summed: dict[str, float] = {}
    finite = True
    for number, (batches, share) in enumerate(passes):
        drawn = number + processes.rank * len(passes)
        torch.manual_seed(hash((seed, step, drawn)) % 2**63)  # only an adapter's dropout draws from it
        found = {name: term * share for name, term in terms(batches).items()}
        for name, term in found.items():
            summed[name] = summed.get(name, 0.0) + term.item()
        finite = processes.all(all(map(math.isfinite, summed.values())))
        if not finite:
            break
        # A sharded model takes the mean of its processes' gradients where the others are summed.
        (sum(found.values()) * processes.count if processes.sharded else sum(found.values())).backward()
    return dict(zip(summed, processes.sum(list(summed.values())), strict=True)), finite


def rate_share(step: int, planned: int, recipe: Recipe) -> float:
    """Return the share of the learning rate at a step (from 0): linear warm-up, then the schedule down to the end."""
    warmup = math.ceil(recipe.warmup_share * planned)
    if step < warmup:
        return (step + 1) / warmup
    if recipe.schedule == "constant":
        return 1.0
    through = (step - warmup) / max(1, planned - warmup)
    falling = 1 - through if recipe.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * through))
    return recipe.final_share + (1 - recipe.final_share) * falling


def _set_dropout_mode(model: torch.nn.Module) -> None:
    """Let the adapter's own dropout work, and no other."""
    for name, part in model.named_modules():
        if "lora_dropout" in name:
            part.train()
