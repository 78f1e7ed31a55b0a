"""95 % intervals by a bootstrap over patients: seeded, stratified, vectorised, the same draw for every model."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# Bounds the memory of one block of replicates: 4 million weights are 32 MB.
_BLOCK = 4_000_000


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


def percentile_interval(point: float, replicates: Floats) -> tuple[float | None, float | None, int]:
    """Return (low, high, null replicates): the 2.5 and 97.5 percentiles of the replicates that are not nan.

    The interval always holds the point, also where clipping at 0 or 1 skews the replicates. Without any replicate, or
    without a point (nan), both ends are None.
    """
    known = replicates[~np.isnan(replicates)]
    nulls = int(replicates.size - known.size)
    if np.isnan(point) or known.size == 0:
        return None, None, nulls
    low, high = np.percentile(known, [2.5, 97.5])
    return min(float(low), float(point)), max(float(high), float(point)), nulls
