"""What a learn step would save: features of the frozen tower kept from visit to visit, and rows grouped by length.

    python -m tests.benchmarks.step_savings [--rounds 3]

CPU seconds of a step in one process and one thread, each variant on the same rows in turn, medians. Kept features are
the least that any cache could cost: nothing is looked up, copied or regrouped. "equal" says whether features of an
image are the same bits alone, in its batch and in half of it, which a cache by image would rest on. Grouped are the
rows of so many steps, by `length_window`, beside the share of tokens that are real.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import torch

from baselines.losses import nll
from baselines.model import models
from baselines.training.collate import Batch, Encoder, answer_logits
from baselines.training.format_matched import rows_to_learn
from baselines.training.reference import _looking
from baselines.training.roles import Order, read_rows
from mllmu_med_dataset.load import PACKAGED
from tests.benchmarks import step_cost

BATCH, STEPS = 16, 4
WINDOWS = (0, 8, 128)


def large_tower() -> torch.nn.Module:
    """Return a random model whose tower has as many parameters as its language model, and sees as many positions."""
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        image_size=14 * 16, patch_size=14, hidden_size=256, intermediate_size=1024, num_hidden_layers=6,
        num_attention_heads=4, projection_dim=256,
    )  # fmt: skip
    text = LlamaConfig(
        vocab_size=376, hidden_size=256, intermediate_size=688, num_hidden_layers=6, num_attention_heads=8,
        num_key_value_heads=8,
    )  # fmt: skip
    return LlavaForConditionalGeneration(
        LlavaConfig(vision_config=vision, text_config=text, image_token_index=3)
    ).eval()


def in_turn(variants: Sequence[Callable[[int], None]], rounds: int) -> list[float]:
    """Return the median CPU seconds of each variant, which is given the number of a step."""
    took: list[list[float]] = [[] for _ in variants]
    for turn in range(rounds + 1):
        for number in range(STEPS):
            for variant, seconds in zip(variants, took, strict=True):
                began = time.process_time()
                variant(number)
                if turn:  # the first round warms up
                    seconds.append(time.process_time() - began)
    return [statistics.median(seconds) for seconds in took]


def step(model: torch.nn.Module, batch: Batch) -> None:
    """Go forward and backward."""
    nll(answer_logits(model, batch), batch.labels).backward()
    model.zero_grad(set_to_none=True)


def kept_features(name: str, model: torch.nn.Module, batches: Sequence[Batch], rounds: int) -> str:
    """Return a line of the table: a step that looks, and one that does not."""
    models.freeze_vision(model)
    seen: list[list[object]] = [[] for _ in batches]
    for batch, kept in zip(batches, seen, strict=True):
        with torch.no_grad(), _looking(model, kept):
            answer_logits(model, batch)

    def again(number: int) -> None:
        with _looking(model, seen[number], again=True):
            step(model, batches[number])

    looking, kept = in_turn((lambda number: step(model, batches[number]), again), rounds)
    equal = "yes" if _is_equal(model, batches[0].inputs["pixel_values"]) else "no"
    return f"| {name} | {1e3 * looking:.0f} | {1e3 * kept:.0f} | {1 - kept / looking:.1%} | {equal} |"


def _is_equal(model: torch.nn.Module, pixels: torch.Tensor) -> bool:
    _, tower = models.vision_tower(model)
    with torch.no_grad():
        whole = tower(pixels).last_hidden_state
        return all(
            torch.equal(torch.cat([tower(part).last_hidden_state for part in pixels.split(size)]), whole)
            for size in (1, len(pixels) // 2)
        )


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    loaded = models.load("nano")
    encoder = Encoder(loaded.model, loaded.processor)
    rows = rows_to_learn(read_rows(PACKAGED, "privacy"), "target", 16, scenario="privacy", seed=0)
    examples = [encoder.example(row, str(row["answer"])) for row in rows]
    ids, lengths = [one.row_id for one in examples], [one.length for one in examples]
    batches: dict[int, list[Batch]] = {}
    for window in WINDOWS:
        order = Order(ids, 0, "learn", lengths, window)
        visited = [[examples[place] for place, _ in order.step(number, BATCH)] for number in range(STEPS)]
        batches[window] = [encoder.batch(part) for part in visited]
    tower, shape = large_tower(), step_cost.Shape(256, 6, 688, 8, 8, 376, 16)
    print("| features | step ms | kept ms | saved | equal |\n|---|---|---|---|---|", flush=True)
    print(kept_features("nano", loaded.model, batches[0], options.rounds), flush=True)
    print(
        kept_features("large tower", tower, [step_cost.batch_of(shape, seed) for seed in range(STEPS)], options.rounds)
    )
    print("| nano, rows grouped within steps | step ms | tokens that are real |\n|---|---|---|", flush=True)
    variants = [lambda number, given=given: step(loaded.model, given[number]) for given in batches.values()]
    for window, seconds in zip(WINDOWS, in_turn(variants, options.rounds), strict=True):
        masks = [batch.inputs["attention_mask"] for batch in batches[window]]
        real = sum(mask.sum().item() for mask in masks) / sum(mask.numel() for mask in masks)
        print(f"| {window} | {1e3 * seconds:.0f} | {real:.0%} |", flush=True)


if __name__ == "__main__":
    main()
