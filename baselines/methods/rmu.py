"""RMU: steer the hidden states of the forget rows to a random direction, and hold those of the retain rows."""

from collections.abc import Mapping

import torch
from torch import Tensor

from baselines.losses import IGNORED
from baselines.methods.method import Answers, Method, Option, declared


def loss(answers: Mapping[str, Answers], options: Mapping[str, float]) -> dict[str, Tensor]:
    """Return ||h - c u||^2 on forget and retain_weight ||h - h0||^2 on retain, means over positions, then rows.

    u is a fixed random unit vector, c is steering times the norm of the row's own target states, and both terms are
    divided by that norm's square: the published c (2 to 20) suits one model's layer 7 only.
    """
    forget, retain = answers["forget"], answers["retain"]
    draw = torch.Generator().manual_seed(0)
    hidden, kept, kept_before = map(declared, (forget.hidden, retain.hidden, retain.reference_hidden))
    direction = torch.randn(hidden.shape[-1], generator=draw, dtype=torch.float64)
    direction = (direction / direction.norm()).to(hidden)
    norm = declared(forget.reference_hidden).norm(dim=-1, keepdim=True)
    return {
        "forget_steering": _mean((hidden / norm - options["steering"] * direction).square().sum(-1), forget),
        "retain_hold": options["retain_weight"]
        * _mean(
            (kept - kept_before).square().sum(-1) / kept_before.square().sum(-1),
            retain,
        ),
    }


def _mean(each: Tensor, answers: Answers) -> Tensor:
    """Return the mean over rows of the mean over a row's answer positions; each: [rows, positions]."""
    answered = answers.labels != IGNORED
    return (each.masked_fill(~answered, 0).sum(-1) / answered.sum(-1).clamp(min=1)).mean()


METHOD = Method(
    name="rmu",
    title="Representation misdirection for unlearning",
    paper="Li et al. 2024, arXiv 2403.03218",
    objective="||h - c u||^2 (forget) + retain_weight ||h - h_target||^2 (retain), h after one layer",
    roles=("forget", "retain"),
    terms={"forget_steering": "elsewhere", "retain_hold": "closer to the reference"},
    loss=loss,
    options={
        "layer_share": Option(7 / 32, 0.0, 1.0, "the paper's layer 7 of 32"),
        "layers": Option(3, 1, 100, "the paper trains the MLPs of layers 5 to 7", whole=True),
        "steering": Option(2.0, 0.0, 100.0, "far from every state the layer knows, as the paper's c is"),
        "retain_weight": Option(1.0, 0.0, 10_000.0, "both terms are relative to the states' norm"),
    },
    reads_layer=True,
)
