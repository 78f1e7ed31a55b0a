"""SimNPO: negative preference optimisation by nll per token, without a reference that favours short answers."""

from collections.abc import Mapping

from torch import Tensor
from torch.nn.functional import logsigmoid

from baselines.losses import nll, nll_per_row
from baselines.methods.method import Answers, Method, Option


def loss(answers: Mapping[str, Answers], options: Mapping[str, float]) -> dict[str, Tensor]:
    """Return equation 4 of the paper, -(2 / beta) log sigmoid(beta (nll - delta)), weighed, and the retain nll."""
    forget, retain, beta = answers["forget"], answers["retain"], options["beta"]
    margin = nll_per_row(forget.logits, forget.labels) - options["delta"]
    return {
        "forget_simnpo": -options["forget_weight"] * (2 / beta) * logsigmoid(beta * margin).mean(),
        "retain_nll": options["retain_weight"] * nll(retain.logits, retain.labels),
    }


METHOD = Method(
    name="simnpo",
    title="Simple negative preference optimisation",
    paper="Fan et al. 2024, arXiv 2410.07163",
    objective="-forget_weight (2 / beta) log sigmoid(beta (nll - delta))(forget) + retain_weight nll(retain)",
    roles=("forget", "retain"),
    terms={"forget_simnpo": "less likely", "retain_nll": "likelier"},
    loss=loss,
    options={
        "beta": Option(4.5, 1e-3, 100.0, "the paper's for TOFU"),
        "delta": Option(0.0, 0.0, 100.0, "the paper's reward margin gamma for TOFU"),
        "forget_weight": Option(0.125, 0.0, 100.0, "the paper's code weighs the forget term so for TOFU"),
        "retain_weight": Option(1.0, 0.0, 100.0, "the paper's code for TOFU"),
    },
)
