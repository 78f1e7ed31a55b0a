"""95 % intervals by a bootstrap over patients: seeded, stratified, vectorised, the same draw for every model.

Replicates of n patients vary too little, by a factor of sqrt((n - 1) / n), and have the tails of a normal distribution
where those of Student's t with n - 1 degrees of freedom are due. The *expanded* percentile interval (Hesterberg, 2015,
"What Teachers Should Know About the Bootstrap") makes up for both by taking percentiles further out.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

Floats = NDArray[np.float64]
# Bounds the memory of one block of replicates: 4 million weights are 32 MB.
_BLOCK = 4_000_000
_TAIL = 0.025


def patient_weights(strata: Sequence[int], *, replicates: int, seed: int) -> Iterator[Floats]:
    """Yield blocks of replicate weights, [block, patients]: how often each patient was drawn.

    Patients are drawn with replacement within their stratum, as many as the stratum holds. A stratum is the set of
    subsets in which a patient appears, so that no replicate loses a subset. The blocks depend on the strata, the number
    of replicates and the seed alone.
    """
    stratum = np.asarray(strata)
    members = [np.flatnonzero(stratum == value) for value in np.unique(stratum)]
    streams = [np.random.default_rng([seed, index]) for index in range(len(members))]
    step = max(1, _BLOCK // max(1, stratum.size))
    for start in range(0, replicates, step):
        block = min(step, replicates - start)
        weights = np.zeros((block, stratum.size))
        for patients, stream in zip(members, streams, strict=True):
            drawn = stream.integers(0, patients.size, size=(block, patients.size))
            drawn += np.arange(block)[:, None] * patients.size
            counts = np.bincount(drawn.ravel(), minlength=block * patients.size)
            weights[:, patients] = counts.reshape(block, patients.size)
        yield weights


def expanded_tail(patients: int) -> float:
    """Return the share of replicates beyond each end of a 95 % interval: 0.025 of many patients, less of few."""
    if patients < 2:
        return 0.0
    return float(ndtr(np.sqrt(patients / (patients - 1)) * stdtrit(patients - 1, _TAIL)))


def expanded_p(share: float, patients: int) -> float:
    """Return the one-sided p of a share of replicates: 0.025 for `expanded_tail`, so that p and interval agree."""
    if patients < 2:
        return 0.5
    return float(stdtr(patients - 1, ndtri(share) * np.sqrt((patients - 1) / patients)))


def percentile_interval(point: float, replicates: Floats, patients: int) -> tuple[float | None, float | None, int]:
    """Return (low, high, null replicates): the expanded percentile interval of the replicates that are not nan.

    `patients` is how many the value rests on, of the smallest subset that it reads. The interval always holds the
    point, also where clipping at 0 or 1 skews the replicates. Without any replicate, or without a point (nan), both
    ends are None.
    """
    known = replicates[~np.isnan(replicates)]
    nulls = int(replicates.size - known.size)
    if np.isnan(point) or known.size == 0:
        return None, None, nulls
    tail = 100 * expanded_tail(patients)
    low, high = np.percentile(known, [tail, 100 - tail])
    return min(float(low), float(point)), max(float(high), float(point)), nulls
