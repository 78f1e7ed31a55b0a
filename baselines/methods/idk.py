"""Refusal tuning ("I don't know"): answer the forget questions with a refusal and keep the retain answers."""

from collections.abc import Mapping

from torch import Tensor

from baselines.losses import nll
from baselines.methods.method import Answers, Method, Option


def loss(answers: Mapping[str, Answers], options: Mapping[str, float]) -> dict[str, Tensor]:
    """Return nll(forget question, refusal) and retain_weight nll(retain)."""
    refusal, retain = answers["forget_idk"], answers["retain"]
    return {
        "refusal_nll": nll(refusal.logits, refusal.labels),
        "retain_nll": options["retain_weight"] * nll(retain.logits, retain.labels),
    }


METHOD = Method(
    name="idk",
    title="Refusal tuning",
    paper="TOFU, arXiv 2401.06121",
    objective="nll(forget question, refusal) + retain_weight nll(retain)",
    roles=("forget_idk", "retain"),
    terms={"refusal_nll": "likelier", "retain_nll": "likelier"},
    loss=loss,
    options={
        "retain_weight": Option(1.0, 0.0, 100.0, "TOFU adds the two terms unweighted"),
        "distinct_refusals": Option(100, 1, 100, "TOFU draws from a list of about 100", whole=True),
    },
)
