"""The adapter that a run trains: put on the language model, and changed in place by a method that edits it."""

from collections.abc import Mapping

import torch

from baselines.config import Lora
from baselines.methods import Method
from baselines.model import models
from baselines.model.processes import placed_as, whole


def with_adapter(model: torch.nn.Module, lora: Lora, seed: int, pattern: str | None = None) -> torch.nn.Module:
    """Return the model with a fresh adapter on the linear layers of its language model, and nothing else trainable.

    `pattern` narrows the layers to those whose full names it matches.
    """
    from peft import LoraConfig, get_peft_model

    path, _ = models.language_model(model)
    torch.manual_seed(seed)  # the adapter's first matrices are random
    adapter = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=pattern or models.linear_pattern(model),
        bias="none",
    )
    adapted = get_peft_model(model, adapter)
    outside = [name for name, part in adapted.named_parameters() if part.requires_grad and f".{path}." not in name]
    if outside:
        raise RuntimeError(f"the adapter reaches outside the language model ({path}): {outside[:3]}")
    return adapted


def edit_adapter(model: torch.nn.Module, method: Method, options: Mapping[str, float]) -> None:
    """Change a trained adapter in place as the method says, once the loop has ended."""
    adapter = {name: part for name, part in model.named_parameters() if part.requires_grad}
    edited = method.edit({name: whole(part.detach()) for name, part in adapter.items()}, options)
    for name, part in adapter.items():
        part.data.copy_(placed_as(edited[name], part))
