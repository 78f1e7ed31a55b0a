"""UNDIAL: distil from the target with the forgotten token's logit pushed down, so that nothing runs away."""

from collections.abc import Mapping

from torch import Tensor

from baselines.losses import IGNORED, distillation_per_row
from baselines.methods.method import Answers, Method, Option, declared


def loss(answers: Mapping[str, Answers], options: Mapping[str, float]) -> dict[str, Tensor]:
    """Return the cross-entropy to softmax(z0 - strength onehot(y)) at every token y of the forget answers.

    z0 are the target's logits. A padding label (-100) is never used as an index.
    """
    forget = answers["forget"]
    answered = forget.labels != IGNORED
    place = forget.labels.masked_fill(~answered, 0).unsqueeze(-1)
    reference = declared(forget.reference)
    push = answered.unsqueeze(-1).to(reference.dtype) * -options["strength"]
    teacher = reference.scatter_add(-1, place, push)
    return {"forget_distillation": distillation_per_row(teacher, forget.logits, forget.labels).mean()}


METHOD = Method(
    name="undial",
    title="Self-distillation with adjusted logits",
    paper="Dong et al. 2025, arXiv 2402.10052",
    objective="cross-entropy(softmax(z_target - strength onehot(y)), model)(forget)",
    roles=("forget",),
    reference_roles=("forget",),
    terms={"forget_distillation": "less likely"},
    loss=loss,
    options={"strength": Option(10.0, 0.0, 100.0, "the paper's penalty, at which the token is all but excluded")},
)
