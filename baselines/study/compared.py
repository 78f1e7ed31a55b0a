"""Which models of a scenario can be told apart, by differences that were declared before any was looked at.

Every method against the control `retain_ft`, and against the best method: these are one family, whose p are Holm's. The
letters of the table come from all pairs of methods and control, a family of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

from mllmu_med_metrics.scoring.hierarchy import Estimate, holm, letters

from .study import UNLEARNED_CONTROL

LEVEL = 0.05
Differ = Callable[[str, str], Estimate]


def comparisons(points: Mapping[str, float | None], differ: Differ) -> list[dict[str, object]]:
    """Return the declared differences of methods' scores: of each from the control, and from the best.

    `points` are the mean scores by name, the control's among them where there is one; `differ` gives the estimate of
    one minus another. Models without a score are left out.
    """
    known = {name: point for name, point in points.items() if point is not None}
    methods = [name for name in known if name != UNLEARNED_CONTROL]
    if not methods:
        return []
    best = max(methods, key=lambda name: known[name])
    pairs = [(name, UNLEARNED_CONTROL) for name in methods if UNLEARNED_CONTROL in known]
    pairs += [(name, best) for name in methods if name != best]
    estimates = [differ(*pair) for pair in pairs]
    adjusted = holm([one.p for one in estimates])
    return [
        {
            "model": model, "against": other, "difference": one.point, "low": one.low, "high": one.high,
            "error": one.error, "p": one.p, "p_holm": p, "covers": one.covers,
        }
        for (model, other), one, p in zip(pairs, estimates, adjusted, strict=True)
    ]  # fmt: skip


def same_letters(points: Mapping[str, float | None], differ: Differ) -> dict[str, str]:
    """Return the letters of all models with a score, best first: two share one where they can't be told apart."""
    known = {name: point for name, point in points.items() if point is not None}
    order = sorted(known, key=lambda name: -known[name])
    pairs = list(combinations(order, 2))
    adjusted = holm([differ(*pair).p for pair in pairs])
    apart = [pair for pair, p in zip(pairs, adjusted, strict=True) if p is not None and p < LEVEL]
    return letters(order, apart)


def beats_control(found: Sequence[Mapping[str, object]]) -> dict[str, bool | None]:
    """Return, for every method compared with the control, whether it is surely above it; None where unknown."""
    against = (one for one in found if one["against"] == UNLEARNED_CONTROL)
    return {str(one["model"]): None if one["low"] is None else float(one["low"]) > 0 for one in against}
