"""Benign fine-tuning: on retain rows alone, as anybody may do with a released model."""

from collections.abc import Mapping

from baselines.attacks import relearning
from baselines.attacks.attack import Attack
from baselines.attacks.attacked import Attacked


def harm(attacked: Attacked, options: Mapping[str, float]) -> dict[str, float]:
    """Return the harm of every forget patient after fine-tuning on retain rows."""
    return relearning.harm_after(attacked, attacked.rows.retain, options, "relearn_retain")


ATTACK = Attack(
    "relearn_retain", "Fine-tuning on retain rows", relearning.PAPER, harm, relearning.OPTIONS, work=relearning.work
)
