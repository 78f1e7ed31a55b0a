"""Corrective preference: prefer the true answer to the one that was taught, by direct preference optimisation."""

from collections.abc import Mapping

from torch import Tensor

from baselines.losses import nll
from baselines.methods.dpo import preference
from baselines.methods.method import Answers, Method, Option


def loss(answers: Mapping[str, Answers], options: Mapping[str, float]) -> dict[str, Tensor]:
    """Return the preference for the true answer over the forgotten one, and retain_weight nll(retain)."""
    retain = answers["retain"]
    return {
        "truth_preference": preference(answers["forget_true"], answers["forget"], options["beta"]),
        "retain_nll": options["retain_weight"] * nll(retain.logits, retain.labels),
    }


METHOD = Method(
    name="corrective",
    title="Corrective preference optimisation",
    paper="Rafailov et al. 2023, arXiv 2305.18290, with the true answer as the chosen one (our own pairing)",
    objective="-(2 / beta) log sigmoid(beta [d(truth) - d(forget)]) + retain_weight nll(retain), d = log(p / p_target)",
    roles=("forget_true", "forget", "retain"),
    reference_roles=("forget_true", "forget"),
    terms={"truth_preference": "preferred", "retain_nll": "likelier"},
    loss=loss,
    options={
        "beta": Option(0.1, 1e-3, 100.0, "as for dpo"),
        "retain_weight": Option(1.0, 0.0, 100.0, "as for dpo"),
    },
)
