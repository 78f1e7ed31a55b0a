"""Relearning from other people's secrets: holdout identities or wrong facts, nothing of the forgotten."""

from collections.abc import Mapping

from baselines.attacks import relearning
from baselines.attacks.attack import Attack
from baselines.attacks.attacked import Attacked


def harm(attacked: Attacked, options: Mapping[str, float]) -> dict[str, float]:
    """Return the harm of every forget patient after fine-tuning on holdout rows as injected."""
    return relearning.harm_after(attacked, attacked.rows.holdout, options, "relearn_holdout")


ATTACK = Attack(
    "relearn_holdout", "Relearning on holdout secrets", relearning.PAPER, harm, relearning.OPTIONS, work=relearning.work
)
