"""Rows to batches: the model's own processor once per row, left padding, labels at answer positions only."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from PIL import Image
from torch import Tensor
from transformers import PreTrainedModel, ProcessorMixin

from baselines.losses import IGNORED
from baselines.model.models import family
from baselines.training.roles import Order, Row
from mllmu_med_dataset.errors import UserError
from mllmu_med_tasks import prompts

Item = TypeVar("Item")


@dataclass(frozen=True)
class Example:
    """One row with one answer, tokenised.

    prompt: [tokens]; answer: [tokens], its end-of-sequence token included; per_token: further processor outputs with
    one value per prompt token; image: where the row's other processor outputs (pixels, sizes, grids) are found.
    """

    row_id: str
    prompt: Tensor
    answer: Tensor
    per_token: Mapping[str, Tensor]
    image: str

    @property
    def length(self) -> int:
        """Return the tokens the model reads: the last answer token is predicted, never read."""
        return len(self.prompt) + len(self.answer) - 1


@dataclass(frozen=True)
class Batch:
    """One forward pass: keyword arguments of the model, and labels [rows, answer positions]."""

    inputs: dict[str, Tensor]
    labels: Tensor


class Encoder:
    """Turns rows into examples and examples into batches, for one model; every image is processed once."""

    def __init__(self, model: PreTrainedModel, processor: ProcessorMixin) -> None:
        """Keep what padding needs to know of the model."""
        self._processor, self._family = processor, family(model)
        tokenizer = processor.tokenizer
        self._eos = tokenizer.eos_token_id
        if self._eos is None:
            raise UserError("The model's tokenizer has no end-of-sequence token, so no answer would ever end.")
        self._pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self._eos
        self._device = model.device
        self._float = next(model.parameters()).dtype
        self._images: dict[str, dict[str, Tensor]] = {}
        self._prompts: dict[tuple[str, str], tuple[Tensor, dict[str, Tensor]]] = {}

    def example(self, row: Row, answer: str) -> Example:
        """Return the row asked as the harness asks it, answered with `answer`."""
        prompts.check_texts(f"Row {row['id']}", str(row["question"]), answer)
        prompt, per_token, image = self._prompt(row)
        ids = self._processor.tokenizer(answer, add_special_tokens=False)["input_ids"]
        return Example(str(row["id"]), prompt, torch.tensor([*ids, self._eos]), per_token, image)

    def batch(self, examples: Sequence[Example]) -> Batch:
        """Return the examples as one left-padded batch; labels are aligned with the last answer positions.

        Position i of the logits predicts labels[:, i], so nothing is shifted later, and a row shorter than the longest
        answer has -100 before its own.
        """
        rows, longest = len(examples), max(example.length for example in examples)
        positions = max(len(example.answer) for example in examples)
        ids = torch.full((rows, longest), self._pad)
        mask = torch.zeros((rows, longest), dtype=torch.long)
        labels = torch.full((rows, positions), IGNORED)
        extra = {name: torch.zeros((rows, longest), dtype=value.dtype) for name, value in examples[0].per_token.items()}
        for index, example in enumerate(examples):
            start, read = longest - example.length, len(example.prompt)
            ids[index, start : start + read] = example.prompt
            ids[index, start + read :] = example.answer[:-1]
            mask[index, start:] = 1
            labels[index, positions - len(example.answer) :] = example.answer
            for name, value in example.per_token.items():
                extra[name][index, start : start + read] = value
                extra[name][index, start + read :] = self._family.answer_token_type
        inputs = {"input_ids": ids, "attention_mask": mask, **extra}
        if self._family.plain_positions:
            # As generation does for left padding; without it, rotary positions would shift with the padding.
            inputs["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)
        pictures = [self._images[example.image] for example in examples]
        inputs |= {name: _joined([picture[name] for picture in pictures]) for name in pictures[0]}
        return Batch({name: self._placed(value) for name, value in inputs.items()}, labels.to(self._device))

    def _placed(self, value: Tensor) -> Tensor:
        return value.to(self._device, self._float) if value.is_floating_point() else value.to(self._device)

    def _prompt(self, row: Row) -> tuple[Tensor, dict[str, Tensor], str]:
        image, question = str(row.get("image_id") or row["id"]), str(row["question"])
        if (image, question) not in self._prompts:
            ids, per_token, pictures = encode_prompt(self._processor, question, picture_of(row))
            self._images.setdefault(image, pictures)
            self._prompts[image, question] = ids, per_token
        ids, per_token = self._prompts[image, question]
        return ids, per_token, image


def encode_prompt(
    processor: ProcessorMixin, question: str, image: Image.Image
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """Return prompt ids [tokens], outputs with one value per token, and all other outputs, as the harness makes them.

    The harness calls: the chat template with a generation prompt, then the processor on the image and that text.
    """
    text = processor.apply_chat_template(prompts.messages(question), add_generation_prompt=True, tokenize=False)
    encoded = processor(images=[image], text=[text], return_tensors="pt")
    ids = encoded.pop("input_ids")
    for made_again in ("attention_mask", "labels"):  # PaliGemma's processor labels a prompt that has no answer
        encoded.pop(made_again, None)
    tensors = {name: value for name, value in encoded.items() if isinstance(value, Tensor)}
    per_token = {name: value[0] for name, value in tensors.items() if value.shape == ids.shape}
    return ids[0], per_token, {name: value for name, value in tensors.items() if name not in per_token}


def picture_of(row: Row) -> Image.Image:
    """Return a row's image in RGB, whether it is stored as bytes or already decoded."""
    stored = row["image"]
    if isinstance(stored, Image.Image):
        return stored.convert("RGB")
    content = stored.get("bytes") if isinstance(stored, Mapping) else None
    if content is None:
        raise UserError(
            f"Row {row['id']} holds no pixels: its licence ({row.get('license', 'unknown')}) does not let a build "
            "carry them. Build the data set again from your own copy of the source."
        )
    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGB")


def answer_logits(model: torch.nn.Module, batch: Batch) -> Tensor:
    """Return logits at answer positions only: [rows, answer positions, vocabulary].

    The head never sees the prompt: [rows, all tokens, vocabulary] would be most of a step's memory.
    """
    return model(**batch.inputs, logits_to_keep=batch.labels.shape[1], use_cache=False).logits


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate along the first dimension; where others differ (tiles of an image) pad with zeros at the end."""
    if all(tensor.shape[1:] == tensors[0].shape[1:] for tensor in tensors):
        return torch.cat(list(tensors))
    largest = [max(sizes) for sizes in zip(*(tensor.shape[1:] for tensor in tensors), strict=True)]
    return torch.cat([_padded(tensor, largest) for tensor in tensors])


def _padded(tensor: Tensor, sizes: Iterable[int]) -> Tensor:
    padded = tensor.new_zeros((tensor.shape[0], *sizes))
    padded[tuple(slice(size) for size in tensor.shape)] = tensor
    return padded


__all__ = ["Batch", "Encoder", "Example", "answer_logits", "encode_prompt", "picture_of"]


def sample(encoder: Encoder, rows: Sequence[Mapping[str, object]], count: int, seed: int) -> list[Example]:
    """Return at most so many rows with their own answers, by the seeded order of their ids."""
    order = Order([str(row["id"]) for row in rows], seed, "sample")
    places = sorted(place for place, _ in order.step(0, min(count, len(rows))))
    return [encoder.example(rows[place], str(rows[place]["answer"])) for place in places]


def in_parts(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """Return the items in parts of so many, the last one perhaps smaller."""
    return [items[first : first + size] for first in range(0, len(items), size)]
