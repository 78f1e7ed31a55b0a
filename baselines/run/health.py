"""A verdict on every run, so that one that did nothing and one that destroyed the model can't pass as results."""

from typing import Literal

Verdict = Literal["ok", "no-effect", "collapsed", "diverged"]

NO_EFFECT_BELOW = 0.05  # F: less than a twentieth of the way from target to retain_only is noise
COLLAPSED_RETAIN_BELOW = 0.5  # R: half of what the model was to keep is gone
COLLAPSED_DEGENERATE_FROM = 0.2  # share of empty, repeating or garbled answers


def verdict(f: float | None, r: float | None, degenerate: float | None, diverged: bool = False) -> Verdict:
    """Return the verdict on a run from its forgetting `f`, its kept retain utility `r` (both 0 to 1) and its share of
    degenerate answers; an absent value can't condemn a run. What went wrong first is said first."""
    if diverged:
        return "diverged"
    if (r is not None and r < COLLAPSED_RETAIN_BELOW) or (
        degenerate is not None and degenerate >= COLLAPSED_DEGENERATE_FROM
    ):
        return "collapsed"
    if f is not None and f < NO_EFFECT_BELOW:
        return "no-effect"
    return "ok"
