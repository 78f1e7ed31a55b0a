"""Which weights of an adapter a saliency method may change: Fisher information on forget rows against retain rows."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from baselines.config import UnlearnRecipe
from baselines.losses import nll_per_row
from baselines.methods import Method
from baselines.training.collate import Encoder, Example, answer_logits, sample
from baselines.training.roles import Rows


def fisher(
    model: torch.nn.Module, encoder: Encoder, examples: Sequence[Example], parameters: Mapping[str, torch.nn.Parameter]
) -> dict[str, Tensor]:
    """Return the parameters' diagonal Fisher information on some rows: the mean of each row's squared gradient."""
    summed = {name: torch.zeros_like(part) for name, part in parameters.items()}
    for example in examples:
        batch = encoder.batch([example])
        loss = nll_per_row(answer_logits(model, batch), batch.labels).mean()
        found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        for name, gradient in zip(parameters, found, strict=True):
            if gradient is not None:
                summed[name] += gradient.square() / len(examples)
    return summed


def gradient_mask(
    method: Method, model: torch.nn.Module, encoder: Encoder, data: Rows, recipe: UnlearnRecipe, seed: int
) -> dict[str, Tensor]:
    """Return which weights of the fresh adapter a method may change, from a seeded sample of forget and retain rows."""
    parameters = {name: part for name, part in model.named_parameters() if part.requires_grad}
    forget, retain = (
        fisher(model, encoder, sample(encoder, rows, recipe.stop_rows, seed), parameters)
        for rows in (data.forget, data.retain)
    )
    return method.gradient_mask(forget, retain, recipe.options)
