"""Answers of a model to many rows: greedy ones as the harness makes them, sampled ones, or ones that go on from words.

A row's prompt is read once, however many answers go on from it, and answers that began alike are one until they part: a
step of the model reads each beginning once. What a model ships of sampling and penalties is not used at all.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel, ProcessorMixin

from baselines.model.models import family
from baselines.training.collate import Encoder, Example, in_parts

MAX_NEW_TOKENS = 96  # as the tasks ask (max_gen_toks of lm_eval/_mllmu_med)
# A number from 0 to 1 for every token of one sampled answer, [MAX_NEW_TOKENS].
Draws = NDArray[np.float64]


@dataclass
class _Beginning:
    """Tokens with which some answers to one row begin: `row` is its place in the batch, `answers` which ones."""

    row: int
    answers: list[int]
    tokens: list[int] = field(default_factory=list)


def draws_of(seed: int, row_id: str, count: int) -> list[Draws]:
    """Return the numbers that decide each sampled answer to a row: they depend on seed and row alone."""
    key = hashlib.sha256(f"{seed}|{row_id}|sample".encode()).digest()
    made = np.random.Generator(np.random.Philox(key=int.from_bytes(key[:16], "big")))
    return list(made.random((count, MAX_NEW_TOKENS)))


@torch.no_grad()
def answers(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    encoder: Encoder,
    examples: Sequence[Example],
    batch: int,
    draws: Sequence[Sequence[Draws]] | None = None,
) -> list[list[str]]:
    """Return the answers that go on from each example's prompt and the tokens of its answer, in the order given.

    Greedy, one a row; with `draws` (a list of them a row) as many sampled ones, at temperature 1 from the whole
    distribution. `batch`: most answers at work at once. Without the words they go on from.
    """
    ends = _ends(model, processor)
    each = len(draws[0]) if draws else 1
    order = sorted(range(len(examples)), key=lambda place: (examples[place].length, examples[place].row_id))
    found: dict[int, list[str]] = {}
    for places in in_parts(order, max(1, batch // each)):
        drawn = None if draws is None else np.array([draws[place] for place in places])
        tokens = _continued(model, encoder, [examples[place] for place in places], ends, drawn)
        for place, ids in zip(places, tokens, strict=True):
            texts = {one: processor.tokenizer.decode(one, skip_special_tokens=True) for one in set(ids)}
            found[place] = [texts[one] for one in ids]
    return [found[place] for place in range(len(examples))]


def _ends(model: PreTrainedModel, processor: ProcessorMixin) -> frozenset[int]:
    """Return the tokens that end an answer: those the model ships, and the tokenizer's own."""
    shipped = model.generation_config.eos_token_id
    listed = shipped if isinstance(shipped, list) else [shipped]
    return frozenset(token for token in (*listed, processor.tokenizer.eos_token_id) if token is not None)


def _continued(
    model: PreTrainedModel, encoder: Encoder, examples: Sequence[Example], ends: frozenset[int], draws: Draws | None
) -> list[list[tuple[int, ...]]]:
    """Return the tokens of every answer, [rows][answers]; draws: [rows, answers, MAX_NEW_TOKENS]."""
    each = 1 if draws is None else draws.shape[1]
    done: list[list[tuple[int, ...]]] = [[()] * each for _ in examples]
    inputs = encoder.batch(examples).inputs
    mask = inputs["attention_mask"]
    own = None if family(model).plain_positions else _own_positions(model, inputs)
    read = model(**inputs, **({} if own is None else {"position_ids": own}), logits_to_keep=1, use_cache=True)
    cache, following = read.past_key_values, None if own is None else own.amax(dim=(0, 2)) + 1
    alive = [_Beginning(row, list(range(each))) for row in range(len(examples))]
    for step in range(MAX_NEW_TOKENS):
        tokens = _next_tokens(read.logits[:, -1], alive, draws, step)
        parents, grown = [], []
        for place, (beginning, chosen) in enumerate(zip(alive, tokens, strict=True)):
            for token, which in chosen.items():
                longer = beginning.tokens if token in ends else [*beginning.tokens, token]
                if token in ends or step + 1 == MAX_NEW_TOKENS:
                    for answer in which:
                        done[beginning.row][answer] = tuple(longer)
                else:
                    parents.append(place)
                    grown.append(_Beginning(beginning.row, which, longer))
        if not grown:
            break
        if parents != list(range(len(alive))):
            chosen_places = torch.tensor(parents, device=mask.device)
            cache.reorder_cache(chosen_places)
            mask = mask[chosen_places]
            following = None if following is None else following[chosen_places]
        alive = grown
        mask = torch.cat([mask, mask.new_ones(len(alive), 1)], dim=1)
        positions = mask.sum(-1, keepdim=True) - 1 if following is None else (following + step).expand(3, -1)[..., None]
        last = torch.tensor([[beginning.tokens[-1]] for beginning in alive], device=mask.device)
        read = model(
            input_ids=last, attention_mask=mask, position_ids=positions, past_key_values=cache, logits_to_keep=1,
            use_cache=True,
        )  # fmt: skip
    return done


def _own_positions(model: PreTrainedModel, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return the positions [3, rows, tokens] of a family that numbers image tokens by row and column."""
    part = next(part for part in (model, model.base_model) if hasattr(part, "get_rope_index"))
    named = ("input_ids", "image_grid_thw", "attention_mask", "mm_token_type_ids")
    return part.get_rope_index(**{name: inputs[name] for name in named if name in inputs})[0]


def _next_tokens(
    logits: Tensor, alive: Sequence[_Beginning], draws: Draws | None, step: int
) -> list[dict[int, list[int]]]:
    """Return, for every beginning, the tokens that follow and which of its answers take each."""
    if draws is None:
        return [{token: [0]} for token in logits.argmax(-1).tolist()]
    widest = max(len(beginning.answers) for beginning in alive)
    drawn = np.zeros((len(alive), widest))
    for place, beginning in enumerate(alive):
        drawn[place, : len(beginning.answers)] = draws[beginning.row, beginning.answers, step]
    below = logits.double().softmax(-1).cumsum(-1)
    wanted = torch.from_numpy(drawn).to(below.device) * below[:, -1:]  # the sum of all is 1 but for rounding
    tokens = torch.searchsorted(below, wanted, right=True).clamp(max=logits.shape[-1] - 1).tolist()
    found: list[dict[int, list[int]]] = []
    for beginning, row in zip(alive, tokens, strict=True):
        chosen: dict[int, list[int]] = {}
        for answer, token in zip(beginning.answers, row, strict=False):
            chosen.setdefault(token, []).append(answer)
        found.append(chosen)
    return found


def after(example: Example, words: Sequence[int]) -> Example:
    """Return an example whose answer begins with these tokens, to go on from."""
    return replace(example, answer=torch.tensor([*words, int(example.answer[-1])]))
