"""Do two models' values on the same rows come from one distribution? Kolmogorov and Smirnov's distance, by patient."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

PERMUTATIONS = 1000


@dataclass(frozen=True)
class Distance:
    """The largest gap of two distribution functions, 0 (the same) to 1, and how often chance alone gives as much.

    ``p`` is near 1 where the unlearned model cannot be told from retain_only (TOFU's forget quality) and small where
    it can; it depends on the number of patients, ``d`` does not.
    """

    d: float
    p: float


def ks_distance(
    one: Sequence[float],
    other: Sequence[float],
    patients: Sequence[Hashable],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Distance | None:
    """Return the two-sample KS distance of paired values with a p-value by permuting patients; null without rows.

    ``one[i]`` and ``other[i]`` are two models' values on row i of ``patients[i]``. Rows of a patient are not
    independent, so a permutation exchanges the models for all rows of a patient at once. Raises ValueError where the
    lengths differ.
    """
    if not len(one) == len(other) == len(patients):
        raise ValueError(
            f"The two models have {len(one)} and {len(other)} values for {len(patients)} rows; KS compares the same "
            "rows. Evaluate both on one data set."
        )
    if not len(one):
        return None
    values = np.stack([np.asarray(one, dtype=float), np.asarray(other, dtype=float)])
    _, place = np.unique(np.asarray([str(patient) for patient in patients]), return_inverse=True)
    order = np.argsort(values.ravel(), kind="stable")
    sorted_values = values.ravel()[order]
    # A step of the distribution functions ends where the next value is larger: ties move together.
    ends = np.append(sorted_values[1:] > sorted_values[:-1], True)
    rows = order % len(one)
    first = np.where(order < len(one), 1.0, -1.0)

    def distance(signs: np.ndarray) -> float:
        return float(np.abs(np.cumsum(first * signs[place][rows])[ends]).max() / len(one))

    draw = np.random.default_rng(seed)
    patients_count = place.max() + 1
    observed = distance(np.ones(patients_count))
    exceeded = sum(distance(draw.choice((-1.0, 1.0), patients_count)) >= observed - 1e-12 for _ in range(permutations))
    return Distance(d=observed, p=(exceeded + 1) / (permutations + 1))
