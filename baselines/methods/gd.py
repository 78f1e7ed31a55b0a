"""Gradient difference: ascend on the forget rows and descend on the retain rows, jointly in every step."""

from collections.abc import Mapping

from torch import Tensor

from baselines.losses import nll
from baselines.methods.method import Answers, Method, Option


def loss(answers: Mapping[str, Answers], options: Mapping[str, float]) -> dict[str, Tensor]:
    """Return -forget_weight nll(forget) and retain_weight nll(retain)."""
    forget, retain = answers["forget"], answers["retain"]
    return {
        "forget_ascent": -options["forget_weight"] * nll(forget.logits, forget.labels),
        "retain_nll": options["retain_weight"] * nll(retain.logits, retain.labels),
    }


METHOD = Method(
    name="gd",
    title="Gradient difference",
    paper="Liu et al. 2022, arXiv 2203.12817; TOFU, arXiv 2401.06121",
    objective="-forget_weight nll(forget) + retain_weight nll(retain)",
    roles=("forget", "retain"),
    terms={"forget_ascent": "less likely", "retain_nll": "likelier"},
    loss=loss,
    options={
        "forget_weight": Option(1.0, 0.0, 100.0, "TOFU weighs both losses 1"),
        "retain_weight": Option(1.0, 0.0, 100.0, "TOFU weighs both losses 1"),
    },
    ascends=True,
)
