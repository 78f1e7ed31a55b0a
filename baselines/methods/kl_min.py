"""KL minimisation: ascend on the forget rows while the retain rows' distributions stay the target's."""

from collections.abc import Mapping

from torch import Tensor

from baselines.losses import kl, nll
from baselines.methods.method import Answers, Method, Option, declared


def loss(answers: Mapping[str, Answers], options: Mapping[str, float]) -> dict[str, Tensor]:
    """Return -nll(forget) and kl_weight KL(target || model) on retain, token means at answer positions."""
    forget, retain = answers["forget"], answers["retain"]
    return {
        "forget_ascent": -nll(forget.logits, forget.labels),
        "retain_kl": options["kl_weight"] * kl(declared(retain.reference), retain.logits, retain.labels),
    }


METHOD = Method(
    name="kl_min",
    title="KL minimisation",
    paper="TOFU, arXiv 2401.06121",
    objective="-nll(forget) + kl_weight KL(target || model)(retain)",
    roles=("forget", "retain"),
    reference_roles=("retain",),
    terms={"forget_ascent": "less likely", "retain_kl": "closer to the reference"},
    loss=loss,
    options={"kl_weight": Option(1.0, 0.0, 100.0, "TOFU adds the two terms unweighted")},
    ascends=True,
)
