"""What a step costs: ours, the obvious implementation, and the floor, each in a process of its own, turn by turn.

    python -m tests.benchmarks.step_cost [--shapes wide,llava-1.5-7b,qwen2.5-vl-3b] [--methods kl_min,gd] [--rounds 5]
        [--variants ours,obvious,floor]

ours            the package's loop: answer-position logits, the reference by switching the adapter off
obvious         logits of every position, a deep copy of the model as reference, KL over all positions, as public code
floor           the forwards (reference included) and backward with answer logits and the same loss, written by hand
bfloat16        ours with weights of half the size
checkpointing   ours with every decoder layer computed again going backward

Time is the process's CPU seconds of a step, median over rounds (other work on the machine hardly moves it); memory is
the most the process ever held. Every variant has the same weights, adapter, rows and optimizer.
"""

import argparse
import contextlib
import copy
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

BATCH, QUESTION, ANSWER = 4, 30, 24


@dataclass(frozen=True)
class Shape:
    """A LLaVA-architecture model by its language model's sizes and the patches of an image's side."""

    width: int
    layers: int
    mlp: int
    heads: int
    kv_heads: int
    vocabulary: int
    side: int  # image tokens are its square


# The named models' own ratio of head to body (vocabulary x width against all layers), tokens of an image and MLP ratio.
SHAPES = {
    "wide": Shape(512, 6, 1376, 8, 8, 150_000, 16),
    "llava-1.5-7b": Shape(256, 6, 688, 8, 8, 376, 24),  # 32,064 x 4,096 to 32 layers of 4,096 and 11,008
    "qwen2.5-vl-3b": Shape(256, 6, 1376, 16, 2, 3_170, 16),  # 151,936 x 2,048 to 36 layers of 2,048 and 11,008
}


def model_of(shape: Shape):
    """Return a random float32 model of that shape."""
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        image_size=14 * shape.side, patch_size=14, hidden_size=256, intermediate_size=1024, num_hidden_layers=4,
        num_attention_heads=4, projection_dim=256,
    )  # fmt: skip
    text = LlamaConfig(
        vocab_size=shape.vocabulary, hidden_size=shape.width, intermediate_size=shape.mlp,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
    )  # fmt: skip
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=3)
    return LlavaForConditionalGeneration(config).eval()


def batch_of(shape: Shape, seed: int):
    """Return a batch of random rows: image, question, answer."""
    import torch

    from baselines.training.collate import Batch

    draw = torch.Generator().manual_seed(seed)
    image = torch.full((BATCH, shape.side**2), 3)
    words = torch.randint(4, shape.vocabulary, (BATCH, QUESTION + ANSWER), generator=draw)
    ids = torch.cat([image, words[:, :-1]], 1)  # the last token is predicted, never read
    mask = torch.ones_like(ids)
    pixels = torch.randn(BATCH, 3, 14 * shape.side, 14 * shape.side, generator=draw)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": positions, "pixel_values": pixels}
    return Batch(inputs, words[:, -ANSWER:].clone())


def ours(
    shape: Shape,
    method: str,
    turns: Callable[[], None],
    told: Callable[[], None],
    dtype: str = "float32",
    checkpointing: bool = False,
) -> None:
    """Take steps by the package's own loop."""
    import torch

    from baselines import methods
    from baselines.config import Lora, UnlearnRecipe
    from baselines.model.adapter import with_adapter
    from baselines.model.large_models import fit_to_device
    from baselines.model.processes import Processes
    from baselines.run.run_folder import RunFolder
    from baselines.training.loop import minimise
    from baselines.training.reference import method_terms

    chosen = methods.get(method)
    recipe = UnlearnRecipe(
        batch=BATCH, schedule="constant", warmup_share=0.0, checkpoint_seconds=1e9, gradient_checkpointing=checkpointing
    )
    base = model_of(shape).to(getattr(torch, dtype))
    model = with_adapter(base, Lora(), 0)
    fit_to_device(model, base, recipe, Processes())
    roles = {role: batch_of(shape, seed) for seed, role in enumerate(chosen.roles)}
    for batch in roles.values():
        batch.inputs["pixel_values"] = batch.inputs["pixel_values"].to(base.dtype)

    def passes(_: int):
        turns()
        return [(roles, 1.0)]

    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder), "unlearn", method, "benchmark", "privacy", 10, 0, {}, "benchmark", None)
        minimise(
            model, recipe, 10**6, 0, run, passes, lambda part: method_terms(chosen, model, part, chosen.defaults),
            lambda *_: told(),
        )  # fmt: skip


def obvious(shape: Shape, method: str, turns: Callable[[], None], told: Callable[[], None]) -> None:
    """Take steps as public code does: every position's logits, a second model as reference."""
    import torch
    from torch.nn.functional import kl_div, log_softmax

    from baselines.config import Lora
    from baselines.model.adapter import with_adapter

    base = model_of(shape)
    reference = copy.deepcopy(base) if method == "kl_min" else None
    model = with_adapter(base, Lora(), 0)
    trained = [part for part in model.parameters() if part.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0)
    forget, retain = batch_of(shape, 0), batch_of(shape, 1)
    full = {}
    for name, batch in (("forget", forget), ("retain", retain)):
        ids = torch.cat([batch.inputs["input_ids"], batch.labels[:, -1:]], 1)
        labels = torch.cat([torch.full_like(ids[:, :-ANSWER], -100), batch.labels], 1)
        full[name] = {
            "input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": batch.inputs["pixel_values"],
            "labels": labels,
        }  # fmt: skip
    while True:
        turns()
        loss = -model(**full["forget"]).loss
        found = model(**full["retain"])
        if reference is None:
            loss = loss + found.loss
        else:
            with torch.no_grad():
                known = reference(**full["retain"])
            vocabulary = known.logits.shape[-1]
            p, q = (log_softmax(part.logits, -1).view(-1, vocabulary) for part in (known, found))
            loss = loss + kl_div(q, p, reduction="batchmean", log_target=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
        del loss, found
        told()


def floor(shape: Shape, method: str, turns: Callable[[], None], told: Callable[[], None]) -> None:
    """Take steps with no more than the forwards, the loss at answer positions, and the backward."""
    import torch
    from torch.nn.functional import cross_entropy, log_softmax

    from baselines.config import Lora
    from baselines.model.adapter import with_adapter

    model = with_adapter(model_of(shape), Lora(), 0)
    trained = [part for part in model.parameters() if part.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0, fused=True)
    forget, retain = batch_of(shape, 0), batch_of(shape, 1)

    def logits(batch):
        return model(**batch.inputs, logits_to_keep=ANSWER, use_cache=False).logits

    while True:
        turns()
        loss = -cross_entropy(logits(forget).flatten(0, 1), forget.labels.flatten())
        if method == "kl_min":
            with torch.no_grad(), model.disable_adapter():
                p = log_softmax(logits(retain), -1)
            q = log_softmax(logits(retain), -1)
            loss = loss + (p.exp() * (p - q)).sum(-1).mean()
        else:
            loss = loss + cross_entropy(logits(retain).flatten(0, 1), retain.labels.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        del loss
        told()


VARIANTS = {
    "ours": ours,
    "obvious": obvious,
    "floor": floor,
    "bfloat16": partial(ours, dtype="bfloat16"),
    "checkpointing": partial(ours, checkpointing=True),
}


def take_turns(variant: str, shape: str, method: str) -> None:
    """Be one variant: a step for every line read, told on stdout."""
    from baselines.run.run_record import peak_memory_mb

    began = 0.0

    def turns() -> None:
        nonlocal began
        if not sys.stdin.readline():
            sys.exit()
        began = time.process_time()

    def told() -> None:
        print(json.dumps({"seconds": time.process_time() - began, "peak_mb": peak_memory_mb()}), flush=True)

    VARIANTS[variant](SHAPES[shape], method, turns, told)


@contextlib.contextmanager
def processes_of(shape: str, method: str, variants: Sequence[str]) -> Iterator[dict[str, subprocess.Popen]]:
    """Run every variant in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.step_cost", "--one"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = {name: subprocess.Popen([*command, name, shape, method], **pipes) for name in variants}
    try:
        yield running
    finally:
        for process in running.values():
            process.stdin.close()
            process.wait()


def compare(shape: str, method: str, variants: Sequence[str], rounds: int) -> dict[str, dict[str, float]]:
    """Return each variant's median CPU seconds a step and peak memory, after a first step that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    peaks: dict[str, float] = {}
    with processes_of(shape, method, variants) as running:
        for turn in range(rounds + 1):
            for name, process in running.items():
                process.stdin.write("go\n")
                process.stdin.flush()
                said = json.loads(process.stdout.readline())
                peaks[name] = said["peak_mb"]
                if turn:
                    seconds[name].append(said["seconds"])
    return {name: {"seconds": statistics.median(seconds[name]), "peak_mb": peaks[name]} for name in variants}


def main() -> None:
    """Compare, and print a table: absolute figures, then time and memory of each as a ratio to the first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--methods", default="kl_min,gd")
    parser.add_argument("--variants", default="ours,obvious,floor")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    first, *others = options.variants.split(",")
    columns = ["shape", "method", *(f"{name} s, MB" for name in (first, *others))]
    columns += [f"{name} / {first}: time, memory" for name in others]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    for shape in options.shapes.split(","):
        for method in options.methods.split(","):
            found = compare(shape, method, (first, *others), options.rounds)
            cells = [f"{one['seconds']:.2f}, {one['peak_mb']:.0f}" for one in found.values()]
            for name in others:
                time_ratio, memory_ratio = (found[name][key] / found[first][key] for key in ("seconds", "peak_mb"))
                cells.append(f"{time_ratio:.2f}, {memory_ratio:.2f}")
            print(f"| {shape} | {method} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        take_turns(*sys.argv[2:5])
    else:
        main()
