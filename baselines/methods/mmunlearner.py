"""MMUnlearner: gradient difference that changes only the weights which matter more to forget rows than to others."""

from collections.abc import Mapping

from torch import Tensor

from baselines.methods import gd
from baselines.methods.method import Adapter, Method, Option


def gradient_mask(forget: Adapter, retain: Adapter, options: Mapping[str, float]) -> dict[str, Tensor]:
    """Return 1 where the Fisher information of the forget rows exceeds threshold times that of the retain rows.

    A weight that matters to neither, such as the first matrices of a fresh adapter, stays as it is.
    """
    return {name: (value > options["threshold"] * retain[name]).to(value.dtype) for name, value in forget.items()}


METHOD = Method(
    name="mmunlearner",
    title="Saliency-masked gradient difference",
    paper="Huo et al. 2025, arXiv 2502.11051, on the weights of an adapter (our adaptation)",
    objective="-forget_weight nll(forget) + retain_weight nll(retain), on weights with Fisher(forget) > threshold"
    " Fisher(retain)",
    roles=gd.METHOD.roles,
    terms=gd.METHOD.terms,
    loss=gd.loss,
    options={
        **gd.METHOD.options,
        "threshold": Option(1.0, 0.0, 1e6, "the paper compares the two saliencies as they are"),
    },
    ascends=True,
    gradient_mask=gradient_mask,
)
