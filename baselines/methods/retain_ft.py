"""The control that every method has to beat: the target goes on learning the retain rows, and forgets what it forgets.

No rows are to be forgotten, so it is no method: it stands beside the methods of a study and takes as many steps as
they do.
"""

from collections.abc import Mapping

from torch import Tensor

from baselines.losses import nll
from baselines.methods.method import Answers, Method


def loss(answers: Mapping[str, Answers], options: Mapping[str, float]) -> dict[str, Tensor]:
    """Return nll(retain)."""
    retain = answers["retain"]
    return {"retain_nll": nll(retain.logits, retain.labels)}


METHOD = Method(
    name="retain_ft",
    title="Fine-tuning on retain rows (a control)",
    paper="control",
    objective="nll(retain)",
    roles=("retain",),
    terms={"retain_nll": "likelier"},
    loss=loss,
)
