"""Rounding the weights, as who serves a model does: a small change of weights may be rounded away."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from baselines.attacks.attack import Attack, Work
from baselines.attacks.attacked import Attacked, AttackRows
from baselines.model.models import language_model
from mllmu_med_metrics.scoring.attacked import AttackedRows

BITS = (8, 4)
GROUPS = (None, 64)  # weights that share a scale: a row of the matrix, or so many of it


def rounded(weight: Tensor, bits: int, group: int | None) -> Tensor:
    """Return a matrix [out, in] with every weight rounded to the nearest of 2^bits - 1 evenly spaced values around 0.

    The largest weight of a group (`group` neighbours of a row, or the row) stays as it is; the last group of a row may
    be smaller.
    """
    most = 2 ** (bits - 1) - 1
    parts = [weight] if group is None else weight.split(group, dim=1)
    done = []
    for part in parts:
        scale = part.float().abs().amax(dim=1, keepdim=True) / most
        steps = (part.float() / scale.where(scale > 0, torch.ones_like(scale))).round()
        done.append((steps * scale).to(weight.dtype))
    return torch.cat(done, dim=1)


@torch.no_grad()
def round_weights(model: PreTrainedModel, bits: int, group: int | None) -> None:
    """Round the weights of the language model's linear layers, in place."""
    for part in language_model(model)[1].modules():
        if isinstance(part, nn.Linear):
            part.weight.copy_(rounded(part.weight, bits, group))


def harm(attacked: Attacked, options: Mapping[str, float]) -> dict[str, float]:
    """Return harm by patient: of each secret the largest over the four ways to round."""
    given: dict[str, list[str]] = {}
    for bits in BITS:
        for group in GROUPS:
            with attacked.altered() as model:
                with attacked.timed("train"):
                    round_weights(model, bits, group)
                for row_id, text in attacked.ask().items():
                    given.setdefault(row_id, []).append(text)
    return attacked.harm(given)


def due(rows: AttackedRows, options: Mapping[str, float], seed: int) -> dict[str, int]:
    """Return how many answers each row is given: one by every way to round."""
    return dict.fromkeys(rows.rows, len(BITS) * len(GROUPS))


def work(rows: AttackRows, options: Mapping[str, float]) -> Work:
    """Return what the attack does."""
    return Work(asked=len(BITS) * len(GROUPS) * len(rows.asked))


ATTACK = Attack(
    "quantise",
    "Weights rounded to 8 and 4 bits",
    "Zhang et al. 2025, arXiv 2410.16454",
    harm,
    work=work,
    due=due,
)
