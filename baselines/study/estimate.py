"""What a run would take: steps, tokens, memory, from a model's configuration and processor. No weights are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import mean
from typing import TYPE_CHECKING

from baselines.config import Recipe
from baselines.methods import Method
from baselines.model import models, usable
from baselines.run.run_record import resident_memory_mb
from baselines.training.format_matched import rows_to_learn
from baselines.training.roles import Rows, read_rows, role_rows
from mllmu_med_dataset.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, ProcessorMixin

# Rows of each role, drawn at random: those whose texts are tokenised, and of these those that are read with the image.
READ, SHOWN = 1000, 12
Pair = tuple[Mapping[str, object], str]  # a row and its answer
# What a run keeps of a row with its answer, as some small tensors, beside row and image; measured.
TOKENISED_BYTES = 1900
# A frozen weight in 4 bits with its quantized scales (QLoRA, arXiv 2305.14314, section 3).
BYTES_IN_4_BITS = (4 + 0.127) / 8
# Numbers a decoder layer keeps of each token for the backward pass: in widths of the layer (residuals, norms, queries,
# keys, values, attention) and of its MLP (gate, up, activated, product).
KEPT_WIDTHS, KEPT_MLP_WIDTHS = 12, 4
# Copies of the answer logits that a loss keeps beside themselves, in float32: themselves, log-softmax, gradient.
LOGIT_COPIES = 3


@dataclass(frozen=True)
class Estimate:
    """What a run would take; memory in MB (10^6 bytes) of one process that holds all weights.

    memory_mb: of the device. host_mb: of the machine beside it, which on a CPU is the same memory.
    """

    steps: int
    rows_per_step: int  # of each role
    roles: tuple[str, ...]
    tokens_per_row: float  # image and question and answer, as the model reads them
    answer_tokens: int  # of the longest sampled answer
    tokens: int  # read in all steps, of all roles
    parameters: int
    trainable: int
    memory_mb: Mapping[str, float]
    host_mb: Mapping[str, float]

    def values(self) -> dict[str, object]:
        """Return the estimate in plain values, the totals of both memories with it."""
        totals = {"memory_total_mb": self.memory_mb, "host_total_mb": self.host_mb}
        return {**asdict(self), **{name: round(sum(parts.values()), 1) for name, parts in totals.items()}}

    def lines(self) -> list[str]:
        """Return the estimate as text."""
        return [
            f"steps: {self.steps:,} of {self.rows_per_step} rows of {' and '.join(self.roles)}",
            f"tokens: {self.tokens:,} ({self.tokens_per_row:.0f} a row, the longest answer {self.answer_tokens})",
            f"parameters: {self.parameters / 1e6:,.1f} million, {self.trainable / 1e6:,.1f} million trained",
            f"memory: about {_parts(self.memory_mb)}",
            f"beside it, of the machine: about {_parts(self.host_mb)}",
        ]


def _parts(memory: Mapping[str, float]) -> str:
    named = ", ".join(f"{name} {value / 1e3:,.2f}" for name, value in memory.items())
    return f"{sum(memory.values()) / 1e3:,.2f} GB ({named})"


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
    data: Rows | None = None,
) -> Estimate:
    """Return what learning (`which` rows) or unlearning (by `method`) would take; `data`: its rows, if read already."""
    place = models.model_folder(model)
    config = usable.configuration(model, place)
    rows = data or read_rows(data_dir, scenario, percent)
    answers = _answers(recipe, rows, scenario, seed, which, method)
    if method is None:
        planned = math.ceil(recipe.epochs * len(answers["learn"]) / recipe.rows_per_step)
    else:
        planned = math.ceil(recipe.epochs * len(rows.forget) / recipe.rows_per_step)
    steps = recipe.max_steps or planned
    size = _size(place, config, answers)
    skeleton, trained = _skeleton(config, recipe, method)
    memory = _memory(
        config, recipe, skeleton, trained, len(answers), size.longest_row, size.longest_answer, method is not None
    )
    visited = [row for pairs in answers.values() for row, _ in pairs]
    pictures = {row.get("image_id") or row["id"] for row in visited}
    # Of this process, which holds the libraries of a run by now, its rows, and no weights.
    host = {"libraries and rows": 1e6 * resident_memory_mb(), "images": len(pictures) * size.image_bytes}
    host["tokenised"] = TOKENISED_BYTES * len(visited)
    return Estimate(
        steps=steps,
        rows_per_step=recipe.rows_per_step,
        roles=tuple(answers),
        tokens_per_row=round(size.tokens_per_row, 1),
        answer_tokens=size.longest_answer,
        tokens=round(steps * recipe.rows_per_step * size.tokens_per_row * len(answers)),
        parameters=sum(part.numel() for part in skeleton.parameters()),
        trainable=sum(part.numel() for part in trained),
        memory_mb={name: round(value / 1e6, 1) for name, value in memory.items()},
        host_mb={name: round(value / 1e6, 1) for name, value in host.items()},
    )


def _answers(
    recipe: Recipe, rows: Rows, scenario: str, seed: int, which: str | None, method: Method | None
) -> dict[str, list[Pair]]:
    """Return each role's rows with an answer."""
    if method is None:
        chosen = rows_to_learn(rows, which, recipe.injected_repeats, scenario=scenario, seed=seed)
        return {"learn": [(row, str(row["answer"])) for row in chosen]}
    return {role: [answers[0] for answers in role_rows(role, rows, scenario, seed)] for role in method.roles}


@dataclass(frozen=True)
class _Size:
    """How large rows are, by those that were drawn: tokens of a row (a mean over roles), and of the longest."""

    tokens_per_row: float
    longest_row: int
    longest_answer: int
    image_bytes: float  # of one image, as the processor gives it


def _size(place: Path, config: PreTrainedConfig, answers: Mapping[str, Sequence[Pair]]) -> _Size:
    """Return how large the rows of all roles are.

    A step reads as many rows of each role, however many a role has. Rows are drawn, because those that come again in
    every so many places would make a regular choice of places one of a few rows.
    """
    drawn = {role: _drawn(pairs, READ) for role, pairs in answers.items()}
    shown = {role: pairs[:SHOWN] for role, pairs in drawn.items()}
    try:
        from transformers import AutoProcessor

        from baselines.training.collate import encode_prompt, picture_of

        processor = AutoProcessor.from_pretrained(place, trust_remote_code=False)
        questions, told = (_tokens(processor, drawn, part) for part in (_question, _answer))
        around: dict[str, list[int]] = {}
        images: list[int] = []
        for role, pairs in shown.items():
            encoded = [encode_prompt(processor, _question(pair), picture_of(pair[0])) for pair in pairs]
            around[role] = [len(ids) - own for (ids, *_), own in zip(encoded, questions[role], strict=False)]
            images += [sum(one.nbytes for one in pixels.values()) for *_, pixels in encoded]
    except (OSError, ValueError, ImportError, TypeError, AttributeError, KeyError):  # a configuration and no more
        questions, told = (
            {role: [len(part(pair)) // 4 for pair in pairs] for role, pairs in drawn.items()}
            for part in (_question, _answer)
        )
        around = {role: [_image_tokens(config) + 8] for role in drawn}
        images = [3 * 4 * _image_side(config) ** 2]
    both = {role: [q + a for q, a in zip(questions[role], told[role], strict=True)] for role in drawn}
    return _Size(
        # An answer's end is predicted like its other tokens, but never read.
        tokens_per_row=mean(mean(around[role]) + mean(both[role]) for role in drawn),
        longest_row=max(max(around[role]) + max(both[role]) for role in drawn),
        longest_answer=1 + max(max(lengths) for lengths in told.values()),
        image_bytes=mean(images),
    )


def _question(pair: Pair) -> str:
    return str(pair[0]["question"])


def _answer(pair: Pair) -> str:
    return pair[1]


def _drawn(pairs: Sequence[Pair], count: int) -> Sequence[Pair]:
    return Random(0).sample(pairs, min(count, len(pairs)))


def _tokens(
    processor: ProcessorMixin, drawn: Mapping[str, Sequence[Pair]], part: Callable[[Pair], str]
) -> dict[str, list[int]]:
    """Return the tokens of a text of every pair, by role."""
    given = {role: [part(pair) for pair in pairs] for role, pairs in drawn.items()}
    return {
        role: [len(ids) for ids in processor.tokenizer(texts, add_special_tokens=False)["input_ids"]]
        for role, texts in given.items()
    }


def _image_tokens(config: PreTrainedConfig) -> int:
    """Return how many tokens an image takes, by the configuration: patches, merged where it says so."""
    if known := getattr(config, "mm_tokens_per_image", None):
        return known
    patch = getattr(config.vision_config, "patch_size", 14)
    patch = patch[0] if isinstance(patch, list | tuple) else patch
    merged = getattr(config.vision_config, "spatial_merge_size", None) or getattr(config, "scale_factor", 1)
    return (_image_side(config) // patch // merged) ** 2


def _image_side(config: PreTrainedConfig) -> int:
    """Return the pixels of an image's side, by the configuration; a middling number where any size goes."""
    side: int | Sequence[int] = getattr(config.vision_config, "image_size", None) or 448
    return side if isinstance(side, int) else side[0]


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
