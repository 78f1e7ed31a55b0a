"""Half of the way back: the weights between the target's and the model's, which is half of a merged adapter.

Shown and not scored: to take an adapter off gives the target back by construction.
"""

from collections.abc import Mapping

import torch

from baselines.attacks.attack import Attack, Option, Work
from baselines.attacks.attacked import Attacked, AttackRows
from baselines.model import models
from mllmu_med_dataset.errors import UserError


def harm(attacked: Attacked, options: Mapping[str, float]) -> dict[str, float]:
    """Return harm by patient of the model whose weights are target + share (model - target)."""
    if attacked.target is None:
        raise UserError(
            "The attack scale goes half of the way back to the target, and no target was given. Name it with --target, "
            "or leave the attack out."
        )
    with attacked.timed("load"):
        target = models.load(attacked.target, models.own_dtype(attacked.target)).model.state_dict()
    with attacked.altered() as model:
        with attacked.timed("train"), torch.no_grad():
            for name, value in model.state_dict(keep_vars=True).items():
                if name not in target or target[name].shape != value.shape:
                    raise UserError(
                        f"The target {attacked.target} has no weights {name} of the shape of {attacked.named}'s, so "
                        "nothing lies between them. Name the target that the model was unlearned from."
                    )
                if value.is_floating_point():
                    value.copy_(torch.lerp(target[name].float(), value.float(), options["share"]))
        answers = attacked.ask()
    return attacked.harm(answers)


def work(rows: AttackRows, options: Mapping[str, float]) -> Work:
    """Return what the attack does."""
    return Work(asked=len(rows.asked))


ATTACK = Attack(
    "scale",
    "Half of the adapter",
    "our own",
    harm,
    {"share": Option(0.5, 0.0, 1.0, "halfway; 0 is the target, 1 the model as it is")},
    scored=False,
    work=work,
    needs_target=True,
)
