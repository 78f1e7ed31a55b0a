"""Fine-tuning an attacked model for a few steps, all of it but the vision tower: what resurfaces was not gone."""

import math
from collections.abc import Mapping, Sequence

import torch

from baselines.attacks.attack import Option, Work
from baselines.attacks.attacked import Attacked, AttackRows
from baselines.config import LearnRecipe
from baselines.model.models import freeze_vision
from baselines.training.collate import in_parts
from baselines.training.learn import learn_nll
from baselines.training.roles import Order, Row
from mllmu_med_dataset.errors import UserError

PAPER = "Hu et al. 2024, arXiv 2406.13356; Lynch et al. 2024, arXiv 2402.16835"
OPTIONS: Mapping[str, Option] = {
    "steps": Option(20, 1, 10_000, "few enough that what is learned anew is not what was forgotten", whole=True),
    "learning_rate": Option(5e-4, 1e-7, 1.0, "moves nano within 20 steps; large models take less, such as 1e-5"),
    "rows_per_step": Option(16, 1, 4096, "as many as quarters of small studies have", whole=True),
    "pass_rows": Option(16, 1, 4096, "rows in one forward pass: fewer spare memory and round otherwise", whole=True),
}


def work(rows: AttackRows, options: Mapping[str, float]) -> Work:
    """Return what relearning does, with all rows asked afterwards."""
    return Work(trained=int(options["steps"] * options["rows_per_step"]), asked=len(rows.asked))


def harm_after(
    attacked: Attacked, rows: Sequence[Row], options: Mapping[str, float], name: str, asked: Sequence[Row] | None = None
) -> dict[str, float]:
    """Return harm by patient once the model was fine-tuned on rows, of all rows that are asked, or of these."""
    with attacked.altered():
        relearn(attacked, rows, options, name)
        answers = attacked.ask(asked)
    return attacked.harm(answers)


def relearn(attacked: Attacked, rows: Sequence[Row], options: Mapping[str, float], name: str) -> None:
    """Fine-tune the model, inside `Attacked.altered`, on rows with their own answers; order by seed and name.

    AdamW at a constant rate, the gradient clipped at norm 1, the loss that of learning (a mean over answer tokens). A
    step that is not finite is not taken and ends it.
    """
    if not rows:
        raise UserError("There is no row to relearn from. Build a data set with more patients.")
    model, encoder = attacked.model, attacked.encoder
    batch, rate = int(options["rows_per_step"]), options["learning_rate"]
    recipe = LearnRecipe(batch=batch, learning_rate=rate, mean_over="tokens")
    with attacked.timed("train"), torch.enable_grad():
        freeze_vision(model)
        model.eval()
        trained = [part for part in model.parameters() if part.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.0, fused=True)
        examples = [attacked.example(row) for row in rows]
        order = Order([example.row_id for example in examples], attacked.seed, name)
        for step in range(int(options["steps"])):
            visited = [examples[place] for place, _ in order.step(step, batch)]
            tokens = sum(len(example.answer) for example in visited)
            for part in in_parts(visited, int(options["pass_rows"])):
                share = sum(len(example.answer) for example in part) / tokens
                (learn_nll(model, encoder.batch(part), recipe) * share).backward()
            if not math.isfinite(torch.nn.utils.clip_grad_norm_(trained, 1.0).item()):
                break
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
