"""What a run would take: steps, tokens, memory, from a model's configuration and processor. No weights are read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.config import Recipe
from baselines.methods import Method
from baselines.model import models, usable
from baselines.training.format_matched import rows_to_learn
from baselines.training.roles import Rows, read_rows, role_rows
from mllmu_med_dataset.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig

SAMPLED = 12  # rows of each role that are tokenised
# A frozen weight in 4 bits with its quantized scales (QLoRA, arXiv 2305.14314, section 3).
BYTES_IN_4_BITS = (4 + 0.127) / 8
# Numbers a decoder layer keeps of each token for the backward pass: in widths of the layer (residuals, norms, queries,
# keys, values, attention) and of its MLP (gate, up, activated, product).
KEPT_WIDTHS, KEPT_MLP_WIDTHS = 12, 4
# Copies of the answer logits that a loss keeps beside themselves, in float32: themselves, log-softmax, gradient.
LOGIT_COPIES = 3


@dataclass(frozen=True)
class Estimate:
    """What a run would take; memory in MB (10^6 bytes) of one process that holds all weights."""

    steps: int
    rows_per_step: int  # of each role
    roles: tuple[str, ...]
    tokens_per_row: float  # image and question and answer, as the model reads them
    answer_tokens: int  # of the longest sampled answer
    tokens: int  # read in all steps, of all roles
    parameters: int
    trainable: int
    memory_mb: Mapping[str, float]

    def values(self) -> dict[str, object]:
        """Return the estimate in plain values, the memory's total with it."""
        return {**asdict(self), "memory_total_mb": round(sum(self.memory_mb.values()), 1)}

    def lines(self) -> list[str]:
        """Return the estimate as text."""
        total = sum(self.memory_mb.values())
        return [
            f"steps: {self.steps:,} of {self.rows_per_step} rows of {' and '.join(self.roles)}",
            f"tokens: {self.tokens:,} ({self.tokens_per_row:.0f} a row, the longest answer {self.answer_tokens})",
            f"parameters: {self.parameters / 1e6:,.1f} million, {self.trainable / 1e6:,.1f} million trained",
            f"memory: about {total / 1e3:,.2f} GB ("
            + ", ".join(f"{name} {value / 1e3:,.2f}" for name, value in self.memory_mb.items())
            + ")",
        ]


def estimate(
    model: str | Path,
    recipe: Recipe,
    *,
    data_dir: Path,
    scenario: str,
    percent: int,
    seed: int = 0,
    which: str | None = None,
    method: Method | None = None,
) -> Estimate:
    """Return what learning (`which` rows) or unlearning (by `method`) would take."""
    place = models.model_folder(model)
    config = usable.configuration(model, place)
    rows = read_rows(data_dir, scenario, percent)
    answers = _answers(recipe, rows, scenario, seed, which, method)
    if method is None:
        planned = math.ceil(recipe.epochs * len(answers["learn"]) / recipe.rows_per_step)
    else:
        planned = math.ceil(recipe.epochs * len(rows.forget) / recipe.rows_per_step)
    steps = recipe.max_steps or planned
    lengths, longest = _lengths(place, config, answers)
    per_row = sum(lengths) / len(lengths)
    skeleton, trained = _skeleton(config, recipe, method)
    memory = _memory(config, recipe, skeleton, trained, len(answers), max(lengths), longest, method is not None)
    return Estimate(
        steps=steps,
        rows_per_step=recipe.rows_per_step,
        roles=tuple(answers),
        tokens_per_row=round(per_row, 1),
        answer_tokens=longest,
        tokens=round(steps * recipe.rows_per_step * per_row * len(answers)),
        parameters=sum(part.numel() for part in skeleton.parameters()),
        trainable=sum(part.numel() for part in trained),
        memory_mb={name: round(value / 1e6, 1) for name, value in memory.items()},
    )


def _answers(
    recipe: Recipe, rows: Rows, scenario: str, seed: int, which: str | None, method: Method | None
) -> dict[str, list[tuple[Mapping[str, object], str]]]:
    """Return each role's rows with an answer."""
    if method is None:
        chosen = rows_to_learn(rows, which, recipe.injected_repeats, scenario=scenario, seed=seed)
        return {"learn": [(row, str(row["answer"])) for row in chosen]}
    return {role: [answers[0] for answers in role_rows(role, rows, scenario, seed)] for role in method.roles}


def _lengths(
    place: Path, config: PreTrainedConfig, answers: Mapping[str, Sequence[tuple[Mapping[str, object], str]]]
) -> tuple[list[int], int]:
    """Return the tokens of some rows of each role, and those of the longest answer among them."""
    sampled = [pair for pairs in answers.values() for pair in pairs[:: max(1, len(pairs) // SAMPLED)]]
    try:
        from transformers import AutoProcessor

        from baselines.training.collate import encode_prompt, picture_of

        processor = AutoProcessor.from_pretrained(place, trust_remote_code=False)
        said = [len(processor.tokenizer(answer, add_special_tokens=False)["input_ids"]) + 1 for _, answer in sampled]
        asked = [len(encode_prompt(processor, str(row["question"]), picture_of(row))[0]) for row, _ in sampled]
    except (OSError, ValueError, ImportError, TypeError, AttributeError, KeyError):  # a configuration and no more
        said = [len(answer) // 4 + 1 for _, answer in sampled]
        asked = [_image_tokens(config) + len(str(row["question"])) // 4 + 8 for row, _ in sampled]
    return [question + answer - 1 for question, answer in zip(asked, said, strict=True)], max(said)


def _image_tokens(config: PreTrainedConfig) -> int:
    """Return how many tokens an image takes, by the configuration: patches, merged where it says so."""
    if known := getattr(config, "mm_tokens_per_image", None):
        return known
    vision = config.vision_config
    size = getattr(vision, "image_size", None) or 448  # where any size goes, a middling one
    patch = getattr(vision, "patch_size", 14)
    size, patch = (value[0] if isinstance(value, list | tuple) else value for value in (size, patch))
    merged = getattr(vision, "spatial_merge_size", None) or getattr(config, "scale_factor", 1)
    return (size // patch // merged) ** 2


def _skeleton(
    config: PreTrainedConfig, recipe: Recipe, method: Method | None
) -> tuple[torch.nn.Module, list[torch.nn.Parameter]]:
    """Return the model without values and, of it, what a run trains."""
    import torch
    from transformers import AutoModelForImageTextToText

    from baselines.model.adapter import with_adapter
    from baselines.training.reference import trained_layers

    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config, dtype=getattr(torch, recipe.dtype))
        if recipe.lora is None:
            models.freeze_vision(model)
        else:
            pattern = None
            if method is not None and method.reads_layer:
                pattern = models.mlp_pattern(model, trained_layers(method, model, recipe.options))
            model = with_adapter(model, recipe.lora, 0, pattern)
    return model, [part for part in model.parameters() if part.requires_grad]


def _memory(
    config: PreTrainedConfig,
    recipe: Recipe,
    model: torch.nn.Module,
    trained: Sequence[torch.nn.Parameter],
    roles: int,
    tokens: int,
    answer_tokens: int,
    unlearns: bool,
) -> dict[str, float]:
    """Return the bytes of what a step holds at once."""
    from torch import nn

    head = model.get_output_embeddings()
    quantized: set[int] = set()
    if recipe.load_in_4bit:
        linear = [part for part in model.modules() if isinstance(part, nn.Linear) and part is not head]
        quantized = {id(part.weight) for part in linear if not part.weight.requires_grad}
    frozen = sum(
        part.numel() * (BYTES_IN_4_BITS if id(part) in quantized else part.itemsize)
        for part in model.parameters()
        if not part.requires_grad
    )
    own = sum(part.numel() * part.itemsize for part in trained)
    text = config.get_text_config()
    wide = _number(text, "hidden_size"), _number(text, "intermediate_size")
    item = 2 if recipe.dtype == "bfloat16" else 4
    read = roles * recipe.batch * tokens  # the graphs of all roles stand until the step goes backward
    layer = (KEPT_WIDTHS * wide[0] + KEPT_MLP_WIDTHS * wide[1]) * item
    layers = text.num_hidden_layers
    kept = layers * wide[0] * item + layer if recipe.gradient_checkpointing else layers * layer
    logits = roles * recipe.batch * answer_tokens * text.vocab_size * (item + 4 * LOGIT_COPIES)
    return {
        "weights": frozen + (0 if recipe.lora else own),
        "adapter": own if recipe.lora else 0,
        "gradients": own,
        "optimizer": 2 * own,
        "last good adapter": own if unlearns else 0,
        "activations": read * kept,
        "answer logits": logits,
    }


def _number(config: PreTrainedConfig, name: str) -> int:
    value = getattr(config, name, None)
    if value is None:
        raise UserError(
            f"The configuration of this '{config.model_type}' model has no {name}, so its memory is unknown."
        )
    return max(value) if isinstance(value, list | tuple) else value


__all__ = ["Estimate", "estimate"]
