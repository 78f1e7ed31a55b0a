"""Benign fine-tuning: on retain rows alone, as anybody may do with a released model."""

from collections.abc import Mapping

from baselines.attacks import relearning
from baselines.attacks.attack import Attack, Work
from baselines.attacks.attacked import Attacked, AttackRows


def harm(attacked: Attacked, options: Mapping[str, float]) -> dict[str, float]:
    """Return the harm of every forget patient after fine-tuning on retain rows."""
    with attacked.altered():
        relearning.relearn(attacked, attacked.rows.retain, options, "relearn_retain")
        answers = attacked.ask()
    return attacked.harm(answers)


def work(rows: AttackRows, options: Mapping[str, float]) -> Work:
    """Return what the attack does."""
    return relearning.work(len(rows.asked), options)


ATTACK = Attack("relearn_retain", "Fine-tuning on retain rows", relearning.PAPER, harm, relearning.OPTIONS, work=work)
