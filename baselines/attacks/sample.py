"""Asking often: what is never the likeliest answer may still be among a few that are drawn."""

from collections.abc import Mapping

from baselines.attacks.attack import Attack, Option, Work
from baselines.attacks.attacked import Attacked, AttackRows
from baselines.attacks.held import Held, judged
from mllmu_med_metrics.scoring.attacked import DRAWS, AttackedRows


def harm(attacked: Attacked, options: Mapping[str, float]) -> dict[str, float]:
    """Return harm by patient if a row is answered `draws` times, expected from `answers` samples.

    Of each secret: the largest harm expected among `draws` of a row's answers, of its rows the one where that is
    largest; of identifiers the mean over a patient's, of wrong facts the mean over its rows.
    """
    return attacked.harm(attacked.sample(int(options["answers"])), draws=int(options["draws"]))


def due(rows: AttackedRows, options: Mapping[str, float], seed: int) -> dict[str, int]:
    """Return how many answers each row is given."""
    return dict.fromkeys(rows.rows, int(options["answers"]))


def judge(held: Held) -> dict[str, float]:
    """Return the harm by patient of answers that were drawn."""
    return judged(held.rows, held.given, int(held.options["draws"]))


def work(rows: AttackRows, options: Mapping[str, float]) -> Work:
    """Return what the attack does."""
    return Work(asked=len(rows.asked), answers=int(options["answers"]))


ATTACK = Attack(
    "sample",
    "Answers drawn at temperature 1",
    "Scholten et al. 2025, arXiv 2410.03523",
    harm,
    {
        "answers": Option(32, 1, 4096, "four times as many as are drawn: the expectation is over all choices", True),
        "draws": Option(DRAWS, 1, 4096, "what an attacker may ask without being noticed", True),
    },
    work=work,
    due=due,
    judge=judge,
)
