"""Sharpness-aware minimisation: the gradient of one term where, near the weights, that term is largest.

SAM (Foret et al. 2021, arXiv 2010.01412) minimises max over ||d|| <= rho of a loss at the weights + d, by one step of
ascent, d = rho g / ||g||, and the gradient there. A step reads its rows three times: for g, at the weights + d, and
for the other terms.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from baselines.model.processes import whole


@dataclass(frozen=True)
class Sharpness:
    """Which term is minimised at the worst place, and how far that is from the weights: the norm of all of d."""

    term: str
    radius: float


@contextmanager
def moved(weights: Iterable[nn.Parameter], radius: float) -> Iterator[None]:
    """Move the weights by `radius` along their gradients, which are dropped; at the end they are back to the bit."""
    climbing = [weight for weight in weights if weight.grad is not None]
    gradients = [weight.grad for weight in climbing]
    norm = whole(torch.nn.utils.get_total_norm(gradients)).item()
    before = [weight.detach().clone() for weight in climbing]
    for weight, gradient in zip(climbing, gradients, strict=True):
        weight.data.add_(gradient, alpha=radius / norm if norm else 0.0)
        weight.grad = None
    try:
        yield
    finally:
        for weight, value in zip(climbing, before, strict=True):
            weight.data.copy_(value)


__all__ = ["Sharpness", "moved"]
