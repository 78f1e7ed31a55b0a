"""Task vector: over-fit the forget rows, then subtract what was learned from the target."""

from collections.abc import Mapping

from torch import Tensor

from baselines.losses import nll
from baselines.methods.method import Adapter, Answers, Method, Option


def loss(answers: Mapping[str, Answers], options: Mapping[str, float]) -> dict[str, Tensor]:
    """Return nll(forget), minimised: the adapter becomes the direction in which the forget rows are known better."""
    forget = answers["forget"]
    return {"forget_nll": nll(forget.logits, forget.labels)}


def edit(adapter: Adapter, options: Mapping[str, float]) -> dict[str, Tensor]:
    """Return the adapter that changes the model the opposite way, scale times as far.

    The change is the product of the two matrices, so only the second one is multiplied.
    """
    return {name: value * -options["scale"] if "lora_B" in name else value for name, value in adapter.items()}


METHOD = Method(
    name="task_vector",
    title="Task vector negation",
    paper="Ilharco et al. 2023, arXiv 2212.04089",
    objective="target - scale (over-fitted on forget - target)",
    roles=("forget",),
    terms={"forget_nll": "likelier"},
    loss=loss,
    options={"scale": Option(1.0, 0.0, 100.0, "the whole vector; the paper tunes it on held-out data")},
    edit=edit,
)
