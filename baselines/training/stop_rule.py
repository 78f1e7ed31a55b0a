"""When unlearning has done enough: the forget rows cost the model what rows cost it that the target never saw."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from baselines.config import UnlearnRecipe
from baselines.losses import nll_per_row
from baselines.model.processes import Processes
from baselines.training.collate import Encoder, Example, answer_logits, in_parts, sample
from baselines.training.roles import Rows
from mllmu_med_dataset.errors import UserError


@dataclass(frozen=True)
class Stop:
    """When to stop: forget nll, looked at every few steps, reaches a level."""

    holdout_nll: float
    level: float
    every: int
    forget_nll: Callable[[], float]

    def is_due(self, done: int, planned: int) -> bool:
        """Say whether to look after so many steps."""
        return done % self.every == 0 or done == planned


def holdout_rule(
    model: torch.nn.Module, encoder: Encoder, data: Rows, recipe: UnlearnRecipe, seed: int, processes: Processes
) -> Stop:
    """Return the rule: forget nll reaches what rows the target never saw cost it. The gold is never looked at.

    Where the recipe says at which nll (`stop_nll`), that is the level: in a sequence of requests, what such rows cost
    the first target, since they cost each later model more.
    """
    if not data.holdout:
        raise UserError("The stop rule 'holdout' needs holdout rows and there are none. Use --set stop=null.")
    holdout = sample(encoder, data.holdout, recipe.stop_rows, seed)
    forget = sample(encoder, data.forget, recipe.stop_rows, seed)
    with model.disable_adapter():
        level = answer_nll(model, encoder, holdout, recipe.batch, processes)
    return Stop(
        level,
        recipe.stop_nll or recipe.stop_at * level,
        recipe.stop_every,
        lambda: answer_nll(model, encoder, forget, recipe.batch, processes),
    )


def answer_nll(
    model: torch.nn.Module,
    encoder: Encoder,
    examples: Sequence[Example],
    batch: int,
    processes: Processes = Processes(),  # noqa: B008 (frozen)
) -> float:
    """Return the mean over the examples of their nll per answer token, in nats, without gradient."""
    parts = in_parts(sorted(examples, key=lambda example: example.length), batch)
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
