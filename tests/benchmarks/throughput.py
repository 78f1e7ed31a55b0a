"""Rows a second of learning and of evaluation on the embedded model, ours beside the obvious loop.

    python -m tests.benchmarks.throughput [--learned 4096] [--asked 256]

ours      `learn` (every row tokenised and every image processed once, lengths grouped, logits of answers alone) and
          `evaluate` (lm-eval with rows of equal prompts answered together), loading and writing included
obvious   a loop over batches that calls processor and model as tutorials do, and `generate` for one row after the other

Seconds are of the process's CPU time, so that other work on the machine hardly counts; both run in turn, twice, and the
better one of each stands.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SCENARIO = "privacy"
BATCH = 16


def learned_by_us(rows, count: int) -> None:
    """Learn so many rows with the package's own run."""
    from baselines.config import LearnRecipe
    from baselines.training.learn import learn
    from mllmu_med_dataset.load import PACKAGED

    recipe = LearnRecipe(batch=BATCH, max_steps=count // BATCH, learning_rate=1e-4)
    with tempfile.TemporaryDirectory() as folder:
        learn(
            model="nano", data_dir=PACKAGED, scenario=SCENARIO, rows="target", out=Path(folder) / "run", recipe=recipe,
            seed=0, data=rows,
        )  # fmt: skip


def learned_plainly(rows, count: int) -> None:
    """Learn so many rows by a loop that asks the processor for every batch and the model for its own loss."""
    import torch

    from baselines.model import models
    from baselines.training.collate import picture_of
    from mllmu_med_tasks import prompts

    loaded = models.load("nano")
    model, processor = loaded.model, loaded.processor
    models.freeze_vision(model)
    processor.tokenizer.padding_side = "right"
    optimizer = torch.optim.AdamW([part for part in model.parameters() if part.requires_grad], lr=1e-4)
    chosen = [*rows.retain, *rows.forget]
    for first in range(0, count, BATCH):
        batch = [chosen[place % len(chosen)] for place in range(first, first + BATCH)]
        asked = [
            processor.apply_chat_template(
                prompts.messages(str(row["question"])), add_generation_prompt=True, tokenize=False
            )
            for row in batch
        ]
        told = [
            f"{prompt}{row['answer']}{processor.tokenizer.eos_token}" for prompt, row in zip(asked, batch, strict=True)
        ]
        pictures = [[picture_of(row)] for row in batch]
        inputs = processor(images=pictures, text=told, padding=True, return_tensors="pt")
        lengths = processor(images=pictures, text=asked, padding=True, return_tensors="pt")["attention_mask"].sum(-1)
        labels = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
        for row, length in enumerate(lengths):
            labels[row, :length] = -100
        model(**inputs, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def answered_by_us(rows, count: int) -> None:
    """Ask so many forget and retain rows each through the harness."""
    from mllmu_med_dataset.load import PACKAGED
    from tests.asking import evaluate

    with tempfile.TemporaryDirectory() as folder:
        evaluate(
            model="nano", data_dir=PACKAGED, scenario=SCENARIO, out=Path(folder) / "asked", max_retain=count,
            subsets=("retain",),
        )  # fmt: skip


def answered_plainly(rows, count: int) -> None:
    """Generate one row's answer after the other."""
    import torch

    from baselines.model import models
    from baselines.training.collate import picture_of
    from mllmu_med_tasks import prompts

    loaded = models.load("nano")
    for row in list(rows.retain)[:count]:
        asked = loaded.processor.apply_chat_template(
            prompts.messages(str(row["question"])), add_generation_prompt=True, tokenize=False
        )
        inputs = loaded.processor(images=[picture_of(row)], text=[asked], return_tensors="pt")
        with torch.no_grad():
            loaded.model.generate(**inputs, max_new_tokens=64, do_sample=False)


def rate(act: Callable[[object, int], None], rows: object, count: int) -> float:
    """Return rows a CPU second."""
    began = time.process_time()
    act(rows, count)
    return count / (time.process_time() - began)


def main() -> None:
    """Print a table."""
    import torch

    from baselines.run.progress import quieten
    from baselines.training.roles import read_rows
    from mllmu_med_dataset.load import PACKAGED

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learned", type=int, default=4096)
    parser.add_argument("--asked", type=int, default=256)
    options = parser.parse_args()
    torch.set_num_threads(1)
    quieten()
    rows = read_rows(PACKAGED, SCENARIO)
    print("| | ours, rows/s | obvious, rows/s | ratio |\n|---|---|---|---|", flush=True)
    for name, count, mine, plain in (
        ("learning", options.learned, learned_by_us, learned_plainly),
        ("evaluation", options.asked, answered_by_us, answered_plainly),
    ):
        rates = [[rate(act, rows, count) for act in (mine, plain)] for _ in range(2)]
        ours, obvious = (max(each) for each in zip(*rates, strict=True))
        print(f"| {name} | {ours:.1f} | {obvious:.1f} | {ours / obvious:.2f} |", flush=True)


if __name__ == "__main__":
    main()
