"""What attacks on a model would take: rows, tokens, seconds on this machine, memory. No weights are read."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from baselines.attacks.attack import Attack, Work
from baselines.attacks.attacked import AttackRows, read_attack_rows
from baselines.config import LearnRecipe
from baselines.model import models, usable
from baselines.study.estimate import Estimate, estimate

# Of the speed of a matrix product, what a model is taken to reach. So nano on one core was estimated to take 6 s for
# relearn_few, 2 s for prefix and 7 s for quantise, and took 6.4, 2.0 and 3.9 s.
REACHED = 0.5
ROWS_OF_A_STEP = 16


@dataclass(frozen=True)
class AttackEstimate:
    """What one attack would take at most; memory in MB (10^6 bytes) with what answering at once and training hold."""

    attack: str
    trained_rows: int
    answers: int
    tokens: int  # read or written, of all rows
    seconds: float
    memory_mb: float

    def line(self) -> str:
        """Return the estimate as text."""
        trained = f"{self.trained_rows:,} rows trained on, " if self.trained_rows else ""
        return (
            f"{self.attack}: {trained}{self.answers:,} answers, {self.tokens:,} tokens, at most about "
            f"{_time(self.seconds)}, {self.memory_mb / 1e3:,.1f} GB"
        )


def estimate_attacks(
    model: str | Path,
    attacks: Sequence[Attack],
    options: Mapping[str, Mapping[str, float]],
    *,
    data_dir: Path,
    scenario: str,
    percent: int,
    batch: int,
) -> tuple[AttackRows, list[AttackEstimate | str]]:
    """Return the rows and, of each attack, what it would take, or a sentence where it does not say what it does.

    Samples are counted as if no two of them began alike: the less a model wavers, the less it takes.
    """
    dtype = models.own_dtype(model)
    rows = read_attack_rows(data_dir, scenario, percent)
    recipe = LearnRecipe(batch=ROWS_OF_A_STEP, dtype=dtype, max_steps=1)
    took = estimate(model, recipe, data_dir=data_dir, scenario=scenario, percent=percent, which="target")
    text = usable.configuration(model, models.model_folder(model)).get_text_config()
    item = 2 if dtype == "bfloat16" else 4
    speed = _speed(text.hidden_size, batch, dtype)
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    kept = batch * (took.tokens_per_row + took.answer_tokens) * text.num_hidden_layers * 2 * heads * width * item
    found: list[AttackEstimate | str] = []
    for attack in attacks:
        if attack.work is None:
            found.append(f"{attack.name}: it does not say what it would take")
            continue
        work = attack.work(rows, options[attack.name])
        asking = took.parameters * item + kept
        training = sum(took.memory_mb.values()) * 1e6 + took.parameters * item  # with the weights as they were
        found.append(_estimate(attack.name, work, took, speed, training if work.trained else asking))
    return rows, found


def _estimate(name: str, work: Work, took: Estimate, speed: float, memory: float) -> AttackEstimate:
    answers = work.asked * work.answers
    trained = round(work.trained * took.tokens_per_row)
    asked = round(work.asked * took.tokens_per_row) + answers * took.answer_tokens
    operations = took.parameters * (6 * trained + 2 * asked)  # forward 2, backward 4 a weight
    seconds = operations / (speed * REACHED)
    return AttackEstimate(name, work.trained, answers, trained + asked, round(seconds, 1), round(memory / 1e6, 1))


def _speed(width: int, rows: int, dtype: str) -> float:
    """Return the operations a second of a matrix product of a layer's size on this machine."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    left = torch.ones(rows, width, dtype=getattr(torch, dtype), device=device)
    right = torch.ones(width, 4 * width, dtype=left.dtype, device=device)

    def once() -> float:
        began = time.perf_counter()
        (left @ right).sum().item()
        return time.perf_counter() - began

    return 2 * rows * width * 4 * width / min(once() for _ in range(5))


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def values(found: Sequence[AttackEstimate | str]) -> list[object]:
    """Return the estimates in plain values."""
    return [one if isinstance(one, str) else asdict(one) for one in found]
