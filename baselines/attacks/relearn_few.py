"""Relearning from a quarter of the forget patients: do the others' secrets come back with theirs?"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from baselines.attacks import relearning
from baselines.attacks.attack import Attack, Work
from baselines.attacks.attacked import Attacked, AttackRows
from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics.scoring.attacked import AttackedRows
from mllmu_med_metrics.scoring.scored_row import unit_of

FEWEST = 2  # patients: one is relearned, the other judged


def quarter(patients: Sequence[str], seed: int) -> frozenset[str]:
    """Return the quarter of the patients (rounded down, at least one) that is relearned, by seed and names alone."""
    if len(patients) < FEWEST:
        raise UserError(
            "The attack relearn_few relearns some of the forget patients and judges the others, and there is "
            f"{len(patients)}. Build a data set with at least {FEWEST} forget patients, or leave the attack out."
        )
    ranked = sorted(patients, key=lambda one: hashlib.sha256(f"{seed}|relearn_few|{one}".encode()).digest())
    return frozenset(ranked[: max(1, len(patients) // 4)])


def harm(attacked: Attacked, options: Mapping[str, float]) -> dict[str, float]:
    """Return the harm of the patients that are not relearned."""
    few = quarter(attacked.rows.patients, attacked.seed)
    others = [row for row in attacked.rows.asked if unit_of(row) not in few]
    relearned = [row for row in attacked.rows.forget if unit_of(row) in few]
    return relearning.harm_after(attacked, relearned, options, "relearn_few", others)


def due(rows: AttackedRows, options: Mapping[str, float], seed: int) -> dict[str, int]:
    """Return that one answer to every row of those patients is due."""
    few = quarter(rows.patients, seed)
    return {row.id: 1 for row in rows.rows.values() if row.patient_id not in few}


def work(rows: AttackRows, options: Mapping[str, float]) -> Work:
    """Return what the attack does."""
    return replace(relearning.work(rows, options), asked=len(rows.asked) * 3 // 4)


ATTACK = Attack(
    "relearn_few", "Relearning a quarter of the forget patients", relearning.PAPER, harm, relearning.OPTIONS, work=work,
    due=due,
)  # fmt: skip
