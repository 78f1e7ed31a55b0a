"""The loop: steps over role batches until the plan ends, a stop rule fires, or a number is not finite.

A step visits the same rows however it is split into forward passes and processes, every term is a mean over the step's
rows, and nothing random happens inside a step but an adapter's dropout, which the step seeds: a resumed run ends
identically.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

import torch
from torch import Tensor

from baselines.config import Recipe
from baselines.model.processes import Processes, whole
from baselines.run import checkpoint
from baselines.run.run_folder import Metrics, RunFolder
from baselines.training.collate import Batch
from baselines.training.sharpness import Sharpness, moved
from baselines.training.stop_rule import Stop

# Called after each step with the steps done and the steps planned.
Progress = Callable[[int, int], None]
# This process's forward passes of a step: the batches of each by role, and its share of the step's mean.
Passes = Sequence[tuple[Mapping[str, Batch], float]]
Terms = Callable[[Mapping[str, Batch]], dict[str, Tensor]]


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
    sharpness: Sharpness | None = None,
    processes: Processes = Processes(),  # noqa: B008 (frozen)
) -> Ended:
    """Minimise the sum of the terms for the planned steps, or until the stop rule fires or a number is not finite.

    `masks` (1 or 0 for each weight of each parameter) hold weights where they are. With `sharpness` one term's gradient
    is taken where that term is largest nearby, which takes two more passes.
    """
    loop = _Loop(model, recipe, planned, seed, run, terms, stop, masks or {}, sharpness, processes)
    model.eval()  # no dropout but the adapter's own, and the same attention masks as in generation
    _set_dropout_mode(model)
    with run.metrics(loop.first, writes=processes.writes) as metrics:
        for step in range(loop.first, planned):
            line = loop.step(step, passes(step), metrics)
            if loop.diverged:
                metrics.write({"step": step + 1, "diverged": True})
                break
            metrics.write(line)
            if progress:
                progress(loop.done, planned)
            if stop and "forget_nll" in line and line["forget_nll"] >= stop.level:
                loop.stop_step = loop.done
                break
    return loop.ended()


class _Loop:
    """The state of a loop: weights and optimizer, how far it is, and the last weights known to be good."""

    def __init__(
        self,
        model: torch.nn.Module,
        recipe: Recipe,
        planned: int,
        seed: int,
        run: RunFolder,
        terms: Terms,
        stop: Stop | None,
        masks: Mapping[str, Tensor],
        sharpness: Sharpness | None,
        processes: Processes,
    ) -> None:
        """Begin, or go on from the last checkpoint."""
        self._recipe, self._planned, self._seed, self._run = recipe, planned, seed, run
        self._terms, self._stop, self._masks, self._sharpness = terms, stop, masks, sharpness
        self._processes = processes
        self._parameters = {name: part for name, part in model.named_parameters() if part.requires_grad}
        self._optimizer = torch.optim.AdamW(
            list(self._parameters.values()),
            lr=recipe.learning_rate,
            betas=(0.9, recipe.beta2),
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        position = checkpoint.restore(run.folder, self._parameters, self._optimizer)
        self._began = self._saved_at = time.perf_counter()
        self.first, self._before, self._resumed_at = 0, 0.0, ()
        if position:
            self.first, self._before = position.step, position.seconds
            self._resumed_at = (*position.resumed_at, self.first)
        processes.check_agreed(self.first, run.folder)
        # Of an adapter, the weights of the last finite loss are kept; a copy of a whole model would cost too much.
        self._kept = list(self._parameters.values()) if run.kind == "unlearn" else []
        self._good: list[Tensor] = []
        self.done, self.diverged = self.first, False
        self.stop_step: int | None = None
        self._forget_nll: float | None = None

    def step(self, step: int, passes: Passes, metrics: Metrics) -> dict[str, float]:
        """Take one step and return its line of metrics; a number that is not finite takes the last step back."""
        rate = self._recipe.learning_rate * rate_share(step, self._planned, self._recipe)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        summed, finite = self._gradients(passes, step)
        norm = self._gradient_norm()
        if not (finite and math.isfinite(norm)):
            self._take_back(bool(self._good))  # the last step led here
            return {}
        self._save_if_due(step, metrics)
        self._good = [part.detach().clone() for part in self._kept]
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self.done = step + 1
        line = {"step": self.done, "learning_rate": rate, "loss": sum(summed.values()), **summed, "gradient_norm": norm}
        if self._stop and self._stop.is_due(self.done, self._planned):
            self._forget_nll = line["forget_nll"] = self._stop.forget_nll()
            if not math.isfinite(self._forget_nll):  # the step just taken broke the model
                self._forget_nll = None
                self._take_back(True)
        return line

    def ended(self) -> Ended:
        """Return how the loop ended."""
        holdout = self._stop.holdout_nll if self._stop else None
        place = (self.done, self.diverged, self.stop_step, holdout, self._forget_nll)
        return Ended(*place, self._seconds(), self._resumed_at)

    def _gradients(self, passes: Passes, step: int) -> tuple[dict[str, float], bool]:
        """Add up a step's gradients; return its terms at the weights as they are, and whether all were finite."""
        if self._sharpness is None:
            return self._accumulate(passes, step)
        sharpened = {self._sharpness.term}
        summed, finite = self._accumulate(passes, step, only=sharpened)
        if not finite:
            return summed, False
        self._settle_gradients()
        with moved(self._parameters.values(), self._sharpness.radius):
            _, finite = self._accumulate(passes, step, only=sharpened)
        if finite:
            self._accumulate(passes, step, only=summed.keys() - sharpened)
        return summed, finite

    def _accumulate(self, passes: Passes, step: int, only: Set[str] | None = None) -> tuple[dict[str, float], bool]:
        return _accumulate(passes, self._terms, self._seed, step, self._processes, only)

    def _settle_gradients(self) -> None:
        """Sum the gradients over processes and mask them."""
        self._processes.sum_gradients(self._parameters.values())
        for name, mask in self._masks.items():
            if self._parameters[name].grad is not None:
                self._parameters[name].grad *= mask

    def _gradient_norm(self) -> float:
        """Settle and clip the gradients; return their norm before."""
        self._settle_gradients()
        limit = self._recipe.max_norm or math.inf
        return whole(torch.nn.utils.clip_grad_norm_(self._parameters.values(), limit)).item()

    def _take_back(self, counted: bool) -> None:
        """Put the last good weights back; the step that broke them is no longer done."""
        self.diverged = True
        for part, value in zip(self._kept, self._good, strict=False):
            part.data.copy_(value)
        self.done -= counted

    def _save_if_due(self, step: int, metrics: Metrics) -> None:
        """Save a checkpoint before a step: weights whose loss is finite, so no resumed run begins with bad ones."""
        due = time.perf_counter() - self._saved_at >= self._recipe.checkpoint_seconds
        if step > self.first and not self._processes.all(not due):  # clocks differ, and all must save or none
            metrics.flush()
            position = checkpoint.Position(step, self._seconds(), self._resumed_at)
            writes = self._processes.writes
            checkpoint.save(self._run.folder, self._parameters, self._optimizer, position, writes=writes)
            self._saved_at = time.perf_counter()

    def _seconds(self) -> float:
        return self._before + time.perf_counter() - self._began


def _accumulate(
    passes: Passes, terms: Terms, seed: int, step: int, processes: Processes, only: Set[str] | None = None
) -> tuple[dict[str, float], bool]:
    """Add up a step's gradients and terms over its forward passes; stop before the gradient of what is not finite.

    The terms are those of all processes together, the gradients this one's, of the terms named by `only` alone.
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
        loss = sum(term for name, term in found.items() if only is None or name in only)
        # A sharded model takes the mean of its processes' gradients where the others are summed.
        (loss * processes.count if processes.sharded else loss).backward()
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
