"""Direct preference optimisation towards a refusal: prefer "I can't tell" to the forgotten answer."""

from collections.abc import Mapping

from torch import Tensor
from torch.nn.functional import logsigmoid

from baselines.losses import log_prob_per_row, nll
from baselines.methods.method import Answers, Method, Option, declared


def preference(chosen: Answers, rejected: Answers, beta: float) -> Tensor:
    """Return -(2 / beta) log sigmoid(beta (d(chosen) - d(rejected))), the mean over rows: >= 0, lower is preferred.

    d is the log-probability of the whole answer less the target's; row i of both answers the same question. The factor
    2 / beta is that of NPO, which is this loss without a chosen answer.
    """
    gain, loss_ = (
        log_prob_per_row(one.logits, one.labels) - log_prob_per_row(declared(one.reference), one.labels)
        for one in (chosen, rejected)
    )
    return -(2 / beta) * logsigmoid(beta * (gain - loss_)).mean()


def loss(answers: Mapping[str, Answers], options: Mapping[str, float]) -> dict[str, Tensor]:
    """Return the preference for the refusal over the forgotten answer, and retain_weight nll(retain)."""
    retain = answers["retain"]
    return {
        "refusal_preference": preference(answers["forget_idk"], answers["forget"], options["beta"]),
        "retain_nll": options["retain_weight"] * nll(retain.logits, retain.labels),
    }


METHOD = Method(
    name="dpo",
    title="Direct preference optimisation towards refusals",
    paper="Rafailov et al. 2023, arXiv 2305.18290; for unlearning: NPO, arXiv 2404.05868, and TOFU, arXiv 2401.06121",
    objective="-(2 / beta) log sigmoid(beta [d(refusal) - d(forget)]) + retain_weight nll(retain),"
    " d = log(p / p_target)",
    roles=("forget_idk", "forget", "retain"),
    reference_roles=("forget_idk", "forget"),
    terms={"refusal_preference": "preferred", "retain_nll": "likelier"},
    loss=loss,
    options={
        "beta": Option(0.1, 1e-3, 100.0, "the paper's inverse temperature"),
        "retain_weight": Option(1.0, 0.0, 100.0, "TOFU adds the two terms unweighted"),
        "distinct_refusals": Option(100, 1, 100, "TOFU draws from a list of about 100", whole=True),
    },
)
