"""Negative preference optimisation: make the forgotten answers less likely than the target did, with a floor."""

from collections.abc import Mapping

from torch import Tensor
from torch.nn.functional import logsigmoid

from baselines.losses import log_prob_per_row, nll
from baselines.methods.method import Answers, Method, Option, declared


def loss(answers: Mapping[str, Answers], options: Mapping[str, float]) -> dict[str, Tensor]:
    """Return equation 3 of the paper, -(2 / beta) log sigmoid(-beta log(p / p0)), and retain_weight nll(retain).

    p and p0 are the model's and the target's probability of the whole forget answer. At the target the first term is
    (2 / beta) ln 2 and its gradient is that of gradient ascent; it falls to 0 as the answer becomes impossible.
    """
    forget, retain, beta = answers["forget"], answers["retain"], options["beta"]
    before = declared(forget.reference)
    ratio = log_prob_per_row(forget.logits, forget.labels) - log_prob_per_row(before, forget.labels)
    return {
        "forget_npo": -(2 / beta) * logsigmoid(-beta * ratio).mean(),
        "retain_nll": options["retain_weight"] * nll(retain.logits, retain.labels),
    }


METHOD = Method(
    name="npo",
    title="Negative preference optimisation",
    paper="Zhang et al. 2024, arXiv 2404.05868",
    objective="-(2 / beta) log sigmoid(-beta log(p / p_target))(forget) + retain_weight nll(retain)",
    roles=("forget", "retain"),
    reference_roles=("forget",),
    terms={"forget_npo": "less likely", "retain_nll": "likelier"},
    loss=loss,
    options={
        "beta": Option(0.1, 1e-3, 100.0, "the paper's inverse temperature"),
        "retain_weight": Option(1.0, 0.0, 100.0, "the paper's NPO-RT adds the two terms unweighted"),
    },
)
