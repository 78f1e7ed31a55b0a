"""Relearning from other people's secrets: holdout identities or wrong facts, nothing of the forgotten."""

from collections.abc import Mapping

from baselines.attacks import relearning
from baselines.attacks.attack import Attack, Work
from baselines.attacks.attacked import Attacked, AttackRows


def harm(attacked: Attacked, options: Mapping[str, float]) -> dict[str, float]:
    """Return the harm of every forget patient after fine-tuning on holdout rows as injected."""
    with attacked.altered():
        relearning.relearn(attacked, attacked.rows.holdout, options, "relearn_holdout")
        answers = attacked.ask()
    return attacked.harm(answers)


def work(rows: AttackRows, options: Mapping[str, float]) -> Work:
    """Return what the attack does."""
    return relearning.work(len(rows.asked), options)


ATTACK = Attack(
    "relearn_holdout", "Relearning on holdout secrets", relearning.PAPER, harm, relearning.OPTIONS, work=work
)
