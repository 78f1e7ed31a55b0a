"""A metric on trial: does it tell models that know from models that don't, and is it right about unlearned ones?

A metric is given in one orientation: higher means that more is known. P are values of models that know the secrets, N
of models that never did. *Faithfulness* is AUC(P, N). *Robustness* is after OpenUnlearning (arXiv 2506.12618, section
4): what seems forgotten should not come back by relearning faster than in a model that never knew (R), nor by rounding
the weights (Q). It is asked of the unlearned models that still work and that the metric takes for ones that don't know.
*Stability*: does the metric order methods alike when they are run again from another target?

Intervals are percentiles of a bootstrap over clusters: models of one target are drawn together.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from mllmu_med_metrics.likelihood.membership import auc

# An unlearned model that works less well is left out: a metric is not asked about broken models.
UTILITY = 0.8
REPLICATES = 1000
_TAIL = 0.025
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Unlearned:
    """What a metric says of one unlearned model: before anything, after relearning, with weights rounded.

    cluster: the target it came from. utility: what it still does, of the gold's. nan where something was not measured.
    """

    cluster: Hashable
    utility: float
    before: float
    relearned: float = nan
    rounded: float = nan


@dataclass(frozen=True)
class Gold:
    """What a metric says of a model that never knew, before and after the same relearning."""

    before: float
    relearned: float


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval; the ends are None where the bootstrap can't tell them."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Verdict:
    """How a metric did; each value from 0 (bad) to 1, None where it can't be computed.

    threshold: below it the metric takes a model for one that doesn't know. counted: unlearned models that work and lie
    below it. r, q: means over these; robustness: their harmonic mean. `_symmetric`: of the forms in which a fall counts
    as a rise does.
    """

    faithfulness: Interval | None
    threshold: float | None
    counted: int
    r: Interval | None
    q: Interval | None
    robustness: Interval | None
    r_symmetric: Interval | None
    q_symmetric: Interval | None
    robustness_symmetric: Interval | None


def threshold(present: Sequence[float], absent: Sequence[float]) -> float:
    """Return the value that best parts models that know (at or above it) from those that don't (below it).

    It has the highest mean of both shares taken rightly, and lies midway between two neighbouring values; of several
    such the middle one. Raises ValueError where a pool is empty.
    """
    if not len(present) or not len(absent):
        raise ValueError("A threshold parts two pools, and one is empty: give models that know and models that don't.")
    values = np.unique(np.concatenate([np.asarray(present, float), np.asarray(absent, float)]))
    cuts = np.concatenate([(values[1:] + values[:-1]) / 2, values[:1] if len(values) == 1 else []])
    knows = np.sort(np.asarray(present, float))
    does_not = np.sort(np.asarray(absent, float))
    right = (
        1 - np.searchsorted(knows, cuts, "left") / len(knows) + np.searchsorted(does_not, cuts, "left") / len(does_not)
    )
    best = np.flatnonzero(right >= right.max() - 1e-12)
    return float(cuts[best[(len(best) - 1) // 2]])


def relearning(unlearned: Unlearned, gold: Gold) -> float:
    """Return R = min((gold after - before) / (unlearned after - before), 1), 0 to 1.

    1 where the unlearned model rises no faster than one that never knew, or does not rise; 0 where it alone rises.
    """
    rise = unlearned.relearned - unlearned.before
    expected = gold.relearned - gold.before
    if isnan(rise) or isnan(expected):
        return nan
    return 1.0 if rise <= max(expected, 0.0) else max(expected, 0.0) / rise


def relearning_symmetric(unlearned: Unlearned, gold: Gold) -> float:
    """Return 1 - |a - b| / (|a| + |b|) of the two rises, 0 to 1: 1 where both are the same, 0 where they oppose."""
    return _alike(unlearned.relearned - unlearned.before, gold.relearned - gold.before)


def rounding(unlearned: Unlearned) -> float:
    """Return Q = min(before / after, 1), 0 to 1: 1 where rounding the weights brings nothing back."""
    before, after = unlearned.before, unlearned.rounded
    if isnan(before) or isnan(after):
        return nan
    return 1.0 if after <= max(before, 0.0) else max(before, 0.0) / after


def rounding_symmetric(unlearned: Unlearned) -> float:
    """Return 1 - |a - b| / (|a| + |b|) of the metric before and after rounding, 0 to 1."""
    return _alike(unlearned.before, unlearned.rounded)


def harmonic(one: float, other: float) -> float:
    """Return the harmonic mean of two values from 0 to 1; 0 where one is 0."""
    return 2 * one * other / (one + other) if one + other else 0.0


def counted(unlearned: Sequence[Unlearned], below: float) -> list[Unlearned]:
    """Return the models that work and that the metric takes for ones that don't know."""
    return [one for one in unlearned if one.utility >= UTILITY and one.before < below]


def verdict(
    present: Mapping[Hashable, float],
    absent: Mapping[Hashable, float],
    unlearned: Sequence[Unlearned],
    golds: Sequence[Gold],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Verdict:
    """Return how one metric did on pools of models, each a cluster of its own, and on unlearned ones by their target.

    Golds are compared with by the mean of their values. Every replicate draws models of P and of N, and targets of the
    unlearned; the threshold is that of the replicate. A value that is nan leaves its model out.
    """
    knows, does_not = (np.array([one for one in pool.values() if not isnan(one)]) for pool in (present, absent))
    known = [one for one in unlearned if not isnan(one.before)]
    gold = _mean_gold(golds)
    if not len(knows) or not len(does_not):
        return Verdict(None, None, 0, *[None] * 6)
    point = _values(knows, does_not, known, gold)
    rng = np.random.default_rng(seed)
    clusters = _by_cluster(known)
    drawn: dict[str, list[float]] = {name: [] for name in point}
    for _ in range(replicates):
        models = [one for place in rng.integers(0, len(clusters), len(clusters)) for one in clusters[place]]
        again = _values(rng.choice(knows, len(knows)), rng.choice(does_not, len(does_not)), models, gold)
        for name, value in again.items():
            drawn[name].append(value)
    below = threshold(knows.tolist(), does_not.tolist())
    return Verdict(
        threshold=below,
        counted=len(counted(known, below)),
        **{name: _interval(value, drawn[name]) for name, value in point.items()},
    )


def kendall(one: Sequence[float], other: Sequence[float]) -> float:
    """Return Kendall's tau-b of two rankings of the same methods, -1 to 1; nan where one of them is all ties."""
    return float(kendalltau(one, other).statistic) if len(one) > 1 else nan


def icc(values: Sequence[Sequence[float]]) -> float:
    """Return the intraclass correlation ICC(1): the share of variance that lies between methods, at most 1.

    values: [methods, runs], the same number of runs each. One-way random effects (Shrout and Fleiss, 1979):
    (MSB - MSW) / (MSB + (k - 1) MSW); below 0 where runs of one method differ more than methods do, nan where nothing
    varies at all or there are fewer than two methods or runs.
    """
    table = np.asarray(values, dtype=float)
    if table.ndim != 2 or min(table.shape) < 2:
        return nan
    methods, runs = table.shape
    means = table.mean(axis=1)
    between = runs * float(((means - table.mean()) ** 2).sum()) / (methods - 1)
    within = float(((table - means[:, None]) ** 2).sum()) / (methods * (runs - 1))
    total = between + (runs - 1) * within
    return (between - within) / total if total > 0 else nan


def stability(
    values: Mapping[Hashable, Sequence[float]],
    clusters: Mapping[Hashable, Hashable],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> tuple[Interval | None, Interval | None]:
    """Return (tau, ICC) of two runs of every method setting, with intervals by a bootstrap over methods.

    values: {setting: (first run, second run)}; clusters: which method a setting is of, so that the settings of one are
    drawn together. A setting with a nan is left out.
    """
    known = {name: pair for name, pair in values.items() if not any(map(isnan, pair))}
    by_method: dict[Hashable, list[Sequence[float]]] = {}
    for name, pair in known.items():
        by_method.setdefault(clusters[name], []).append(pair)
    groups = list(by_method.values())
    rng = np.random.default_rng(seed)
    draws = [
        [pair for place in rng.integers(0, len(groups), len(groups)) for pair in groups[place]]
        for _ in range(replicates if groups else 0)
    ]

    def of(measure: Callable[[Sequence[Sequence[float]]], float]) -> Interval | None:
        return _interval(measure(list(known.values())), [measure(pairs) for pairs in draws])

    return of(lambda pairs: kendall([one for one, _ in pairs], [other for _, other in pairs])), of(icc)


def _values(knows: Floats, does_not: Floats, unlearned: Sequence[Unlearned], gold: Gold) -> dict[str, float]:
    """Return every value of a verdict at one draw; nan where there is nothing to compute it from."""
    apart = auc(knows.tolist(), does_not.tolist())
    models = counted(unlearned, threshold(knows.tolist(), does_not.tolist()))
    r, q = _mean([relearning(one, gold) for one in models]), _mean([rounding(one) for one in models])
    alike = _mean([relearning_symmetric(one, gold) for one in models])
    as_before = _mean([rounding_symmetric(one) for one in models])
    return {
        "faithfulness": nan if apart is None else apart,
        "r": r,
        "q": q,
        "robustness": harmonic(r, q),
        "r_symmetric": alike,
        "q_symmetric": as_before,
        "robustness_symmetric": harmonic(alike, as_before),
    }


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not isnan(value)]
    return sum(known) / len(known) if known else nan


def _mean_gold(golds: Sequence[Gold]) -> Gold:
    return Gold(_mean([one.before for one in golds]), _mean([one.relearned for one in golds]))


def _by_cluster(unlearned: Sequence[Unlearned]) -> list[list[Unlearned]]:
    groups: dict[Hashable, list[Unlearned]] = {}
    for one in unlearned:
        groups.setdefault(one.cluster, []).append(one)
    return list(groups.values())


def _interval(value: float, draws: Sequence[float]) -> Interval | None:
    """Return the value with the percentiles of its draws; None where there is no value."""
    if isnan(value):
        return None
    known = [one for one in draws if not isnan(one)]
    if not known:
        return Interval(value, None, None)
    low, high = np.quantile(known, [_TAIL, 1 - _TAIL])
    return Interval(value, min(float(low), value), max(float(high), value))


def _alike(one: float, other: float) -> float:
    if isnan(one) or isnan(other):
        return nan
    size = abs(one) + abs(other)
    return 1.0 if size == 0 else 1 - abs(one - other) / size
