"""LLMU: ascend on the forget answers, learn mismatched answers in their place, stay the target on retain."""

from collections.abc import Mapping

from torch import Tensor

from baselines.losses import kl, nll
from baselines.methods.method import Answers, Method, Option, declared


def loss(answers: Mapping[str, Answers], options: Mapping[str, float]) -> dict[str, Tensor]:
    """Return the three terms of equation 1 of the paper, each weighed, token means at answer positions."""
    forget, mismatched, retain = answers["forget"], answers["forget_random"], answers["retain"]
    return {
        "forget_ascent": -options["forget_weight"] * nll(forget.logits, forget.labels),
        "mismatched_nll": options["mismatched_weight"] * nll(mismatched.logits, mismatched.labels),
        "retain_kl": options["kl_weight"] * kl(declared(retain.reference), retain.logits, retain.labels),
    }


METHOD = Method(
    name="llmu",
    title="Large language model unlearning",
    paper="Yao et al. 2023, arXiv 2310.10683",
    objective="-forget_weight nll(forget) + mismatched_weight nll(forget question, another row's answer)"
    " + kl_weight KL(target || model)(retain)",
    roles=("forget", "forget_random", "retain"),
    reference_roles=("retain",),
    terms={
        "forget_ascent": "less likely",
        "mismatched_nll": "likelier",
        "retain_kl": "closer to the reference",
    },
    loss=loss,
    options={
        "forget_weight": Option(0.5, 0.0, 100.0, "the paper's epsilon_1 for its knowledge experiments"),
        "mismatched_weight": Option(1.0, 0.0, 100.0, "the paper's epsilon_2"),
        "kl_weight": Option(1.0, 0.0, 100.0, "the paper's epsilon_3"),
        "mismatched_answers": Option(
            5, 1, 5, "as many wrong answers per question as the paper's reference code draws", whole=True
        ),
    },
    ascends=True,
)
