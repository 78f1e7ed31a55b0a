"""Gradient ascent: make the forgotten answers less likely, and nothing else."""

from collections.abc import Mapping

from torch import Tensor

from baselines.losses import nll
from baselines.methods.method import Answers, Method


def loss(answers: Mapping[str, Answers], options: Mapping[str, float]) -> dict[str, Tensor]:
    """Return -nll(forget): unbounded below, so it needs a stop rule."""
    forget = answers["forget"]
    return {"forget_ascent": -nll(forget.logits, forget.labels)}


METHOD = Method(
    name="ga",
    title="Gradient ascent",
    paper="Jang et al. 2022, arXiv 2210.01504; TOFU, arXiv 2401.06121",
    objective="-nll(forget)",
    roles=("forget",),
    terms={"forget_ascent": "less likely"},
    loss=loss,
    ascends=True,
)
