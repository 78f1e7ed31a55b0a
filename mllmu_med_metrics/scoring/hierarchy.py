"""What runs of a study add up to: means, 95 % intervals and p over targets, unlearning seeds and patients.

Values vary at three levels: another target (another draw of the data, learned anew), another unlearning seed, other
patients. What an interval covers is what was drawn more than once:

    several targets   each target's mean over its seeds is one draw of all three levels at once, since a target has
                      seeds and patients of its own: V = variance of the targets' means / targets, t with targets - 1.
                      Three targets may lie close together by chance: the variance counts as at least half of what
                      seeds and patients alone make of it (by simulation: with all of it the interval is too wide)
    one target        V = variance over seeds / seeds, t with seeds - 1, and the patients' variance of the seeds' mean
                      (a bootstrap in which all seeds see the same draw), t with patients - 1: two parts of one V
    one run           the percentiles of the bootstrap over patients, as a single score has them

A sum of parts V = v1 + v2 gets the half width (t1 v1 + t2 v2) / sqrt(V), each part at the t of its own degrees of
freedom (Cochran and Cox): with three seeds the usual approximation by one number of degrees of freedom holds the truth
too seldom. Percentiles of a hierarchical bootstrap do much worse: three targets make ten different draws, and the
smallest mean of them is the least that an interval could reach (`tests/benchmarks/interval_coverage.py` shows both).

A run without a value is left out; nothing is ever nan.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import fsum, isnan, sqrt
from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

from mllmu_med_metrics.scoring.interval import Floats, percentile_interval

Covers = Literal["over targets, seeds and patients", "given this target", "patients only"]
ALL_LEVELS: Covers = "over targets, seeds and patients"
ONE_TARGET: Covers = "given this target"
ONE_RUN: Covers = "patients only"
CONFIDENCE = 0.95
ROUNDING = 1e-12
# Of the variance within targets, as the least between them.
LEAST_SHARE = 0.5


class Part(NamedTuple):
    """A part of the variance of a mean, and the degrees of freedom that it was estimated with."""

    variance: float
    freedom: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run's value and the same value in every draw of patients.

    point: on all patients, None where it is undefined. drawn: [replicates], nan where undefined; runs of one target
    share the draws of patients, so that differences between them are paired. patients: how many the value rests on.
    """

    point: float | None
    drawn: Floats
    patients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over runs, or the difference of two, with its 95 % interval and what that covers."""

    point: float | None  # None where no run has a value
    low: float | None  # None where nothing tells how far the value could be off
    high: float | None
    p: float | None  # two-sided, of the hypothesis that the truth is 0
    covers: Covers
    targets: int
    runs: int  # that have a value, all targets together
    parts: tuple[Part, ...] = ()

    @property
    def error(self) -> float | None:
        """The standard error of the point; None where nothing tells it."""
        return sqrt(fsum(part.variance for part in self.parts)) if self.parts else None


def mean_of_runs(runs: Sequence[Run], *, lowest: float = 0.0) -> Estimate:
    """Return the mean over the runs of one target, which differ in their unlearning seeds alone; in `lowest` to 1."""
    known = [run for run in runs if run.point is not None]
    found = _given_target(known, (), lowest)
    if len(known) != 1:
        return found
    low, high, _ = percentile_interval(_points(known)[0], known[0].drawn, known[0].patients)
    return replace(found, low=low, high=high)


def difference(ours: Sequence[Run], theirs: Sequence[Run]) -> Estimate:
    """Return our mean minus theirs over runs of one target, paired by patient; in -1 to 1.

    The seeds of two models are independent of each other: one number means nothing else to each of them.
    """
    mine, others = ([run for run in runs if run.point is not None] for runs in (ours, theirs))
    return _given_target(mine, others, -1.0) if mine and others else _unknown(ONE_TARGET)


def over_targets(
    values: Sequence[float], errors: Sequence[float | None] = (), *, lowest: float = 0.0, runs: int | None = None
) -> Estimate:
    """Return the mean over targets of their means (or, with `lowest` -1, of differences); one target has no interval.

    `values` hold one a target, `errors` the standard error of each given its target, where it is known; `runs` is how
    many runs they are of, where it is more than one each.
    """
    count = len(values)
    if not count:
        return _unknown(ALL_LEVELS)
    parts: tuple[Part, ...] = ()
    if count > 1:
        known = [error**2 for error in errors if error is not None]
        least = LEAST_SHARE * fsum(known) / len(known) if known else 0.0
        parts = (Part(max(float(np.var(values, ddof=1)), least) / count, count - 1),)
    covers = ALL_LEVELS if count > 1 else ONE_TARGET
    return _estimate(fsum(values) / count, parts, covers, count, runs or count, lowest)


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Return Holm's adjusted p of a family of hypotheses, in the order given; one without a p is not of the family.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted((value, place) for place, value in enumerate(p) if value is not None)
    adjusted: list[float | None] = [None] * len(p)
    least = 0.0
    for rank, (value, place) in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * value))
        adjusted[place] = least
    return adjusted


def letters(names: Sequence[str], apart: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return letters for names: two share one exactly where they are not among the pairs told apart.

    The compact letter display of Piepho (2004): one group of all names; each pair splits every group that holds both;
    groups within others are dropped. Letters run in the order of the names (after z come aa, ab and so on).
    """
    groups: list[frozenset[str]] = [frozenset(names)]
    for one, other in apart:
        split: list[frozenset[str]] = []
        for group in groups:
            split += [group - {one}, group - {other}] if {one, other} <= group else [group]
        distinct = list(dict.fromkeys(split))
        groups = [group for group in distinct if not any(group < wider for wider in distinct)]
    place = {name: number for number, name in enumerate(names)}
    groups.sort(key=lambda group: sorted(place[name] for name in group))
    return {name: "".join(_letter(n) for n, group in enumerate(groups) if name in group) for name in names}


def _letter(number: int) -> str:
    first, second = divmod(number, 26)
    return (chr(96 + first) if first else "") + chr(97 + second)


def _given_target(mine: Sequence[Run], others: Sequence[Run], lowest: float) -> Estimate:
    """Return the estimate of a mean, or of a difference where there are others, over runs of one target."""
    runs = len(mine) + len(others)
    if not mine:
        return _unknown(ONE_TARGET)
    drawn = _mean_drawn(mine) - (_mean_drawn(others) if others else 0.0)
    parts = _patient_part(drawn, min(run.patients for run in (*mine, *others)))
    several = [side for side in (mine, others) if len(side) > 1]
    parts += [Part(float(np.var(_points(side), ddof=1)) / len(side), len(side) - 1) for side in several]
    point = fsum(_points(mine)) / len(mine) - (fsum(_points(others)) / len(others) if others else 0.0)
    return _estimate(point, tuple(parts), ONE_TARGET if several else ONE_RUN, 1, runs, lowest)


def _estimate(
    point: float, parts: tuple[Part, ...], covers: Covers, targets: int, runs: int, lowest: float
) -> Estimate:
    low, high = None, None
    if parts:
        half = _half_width(parts, (1 + CONFIDENCE) / 2)
        # Rounding of a mean may leave the range by a bit; the interval always holds the point.
        low, high = min(max(lowest, point - half), point), max(min(1.0, point + half), point)
    return Estimate(
        point=point, low=low, high=high, p=_p(point, parts), covers=covers, targets=targets, runs=runs, parts=parts
    )  # fmt: skip


def _unknown(covers: Covers) -> Estimate:
    return Estimate(point=None, low=None, high=None, p=None, covers=covers, targets=0, runs=0)


def _points(runs: Sequence[Run]) -> list[float]:
    return [run.point for run in runs if run.point is not None]


def _mean_drawn(runs: Sequence[Run]) -> Floats:
    """Return the mean over the runs in every draw of patients; nan where a run is undefined there."""
    mean: Floats = np.mean([run.drawn for run in runs], axis=0)
    return mean


def _patient_part(drawn: Floats, patients: int) -> list[Part]:
    """Return the patients' part of a variance; draws of n patients vary too little by (n - 1) / n."""
    known = drawn[~np.isnan(drawn)]
    if known.size < 2 or patients < 2:
        return []
    return [Part(float(known.var()) * patients / (patients - 1), patients - 1)]


def _half_width(parts: Sequence[Part], share: float) -> float:
    """Return half the width of the interval whose upper end is at this share of the distribution."""
    whole = fsum(part.variance for part in parts)
    if whole == 0:
        return 0.0
    return fsum(part.variance * float(stdtrit(part.freedom, share)) for part in parts) / sqrt(whole)


def _p(point: float, parts: Sequence[Part]) -> float | None:
    """Return the two-sided p at which the interval around the point just reaches 0."""
    if not parts or isnan(point):
        return None
    whole = fsum(part.variance for part in parts)
    distance = abs(point)
    if distance <= ROUNDING or whole <= ROUNDING**2:
        return float(distance <= ROUNDING)
    if len(parts) == 1:
        return 2 * float(stdtr(parts[0].freedom, -distance / sqrt(whole)))
    # Smaller than this no number of seeds and patients can make it.
    ends = 1e-12, 1.0
    if _half_width(parts, 1 - ends[0] / 2) <= distance:
        return ends[0]
    return float(brentq(lambda p: _half_width(parts, 1 - p / 2) - distance, *ends, xtol=1e-14))
