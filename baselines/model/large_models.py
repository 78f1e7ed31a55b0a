"""What makes a large model fit a device: 4-bit weights, layers computed again, weights dealt out, and whole to save."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch
from torch.utils.checkpoint import checkpoint

from baselines.config import LearnRecipe, Recipe
from baselines.model import models
from baselines.model.processes import Processes, whole
from mllmu_med_dataset.errors import UserError


def check_quantized(recipe: Recipe) -> None:
    """Refuse 4-bit weights where they can't be had, or can't be trained."""
    if not recipe.load_in_4bit:
        return
    if isinstance(recipe, LearnRecipe) and recipe.lora is None:
        raise UserError("Weights of 4 bits can't be trained themselves. Add an adapter: --set lora.rank=16.")
    lacks = "a CUDA device" if not torch.cuda.is_available() else "" if find_spec("bitsandbytes") else "bitsandbytes"
    if lacks:
        raise UserError(
            f"load_in_4bit needs {lacks}, which is not here. Run with --set load_in_4bit=false (and dtype=bfloat16 to "
            "halve the memory), or on a CUDA device with `pip install bitsandbytes`."
        )


def fit_to_device(trained: torch.nn.Module, model: torch.nn.Module, recipe: Recipe, processes: Processes) -> None:
    """Do what makes a large model fit: compute layers again in the backward pass, deal weights out."""
    if recipe.gradient_checkpointing:
        for layer in models.decoder_layers(model):
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
    if processes.sharded:
        processes.shard(trained, models.decoder_layers(model))


def on_cpu(model: str | Path, recipe: Recipe) -> torch.nn.Module:
    """Return the model a run began with, whole and unquantized."""
    return models.load(model, recipe.dtype).model.to("cpu")


def model_to_save(
    trained: torch.nn.Module, recipe: Recipe, processes: Processes, begin: Callable[[], torch.nn.Module]
) -> torch.nn.Module | None:
    """Return the model to save: the trained one, or, where its weights are dealt out or quantized, one begun anew.

    That one holds the trained weights on the CPU, and only the process that writes has it.
    """
    if not (processes.sharded or recipe.load_in_4bit):
        return trained
    values = {name: whole(part.detach()).cpu() for name, part in trained.named_parameters() if part.requires_grad}
    if not processes.writes:
        return None
    fresh = begin()
    for name, part in fresh.named_parameters():
        if part.requires_grad:
            part.data.copy_(values[name])
    return fresh
