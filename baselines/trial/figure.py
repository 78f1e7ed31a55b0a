"""The trial as a figure: does a metric tell who knows, and how many unlearned models does it let pass?"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mllmu_med_metrics.trial import UTILITY

from ..study.figure import STYLE, written

DOT, LINE = "#1b4f9c", "#9aa3af"


class Judged(NamedTuple):
    """What the figure shows of a metric: its AUC(P, N) with interval, and the share of unlearned models that it passes.

    passed: of the unlearned models that still work, those that the metric takes for ones that don't know, 0 to 1.
    """

    metric: str
    auc: float
    low: float | None
    high: float | None
    passed: float


def judged(outcome: Mapping[str, object]) -> list[Judged]:
    """Return every metric, those that tell best who knows first, of equal ones those that let fewest models pass."""
    models: Mapping[str, Mapping[str, float]] = outcome["models"]
    methods = tuple(f"{method}-" for method in outcome["settings"]["methods"])
    usable = sum(one["utility"] >= UTILITY for name, one in models.items() if name.startswith(methods))
    metrics: Mapping[str, Mapping[str, Mapping]] = outcome["metrics"]
    found = [
        Judged(metric, *(one["all"]["faithfulness"][end] for end in ("value", "low", "high")),
               one["all"]["counted"] / max(usable, 1))
        for metric, one in metrics.items()
    ]  # fmt: skip
    return sorted(found, key=lambda one: (-one.auc, one.passed))


def draw(outcome: Mapping[str, object], folder: Path) -> list[Path]:
    """Write ``trial.png`` and ``trial.svg`` into a folder and return their paths."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = judged(outcome)
    places = range(len(lines), 0, -1)
    with matplotlib.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 0.24 * len(lines) + 1.2), sharey=True)
        for place, one in zip(places, lines, strict=True):
            left.plot([one.low or one.auc, one.high or one.auc], [place, place], color=LINE, linewidth=2, zorder=1)
        left.scatter([one.auc for one in lines], list(places), color=DOT, s=26, zorder=2)
        left.axvline(0.5, color=LINE, linewidth=0.8, linestyle=":")
        left.set(xlim=(0, 1.02), xlabel="AUC: those that know above those that never did\n(.5 is chance)")
        left.set_yticks(list(places), [one.metric for one in lines])
        right.barh(list(places), [one.passed for one in lines], color=DOT, height=0.6)
        right.set(xlim=(0, 1.02), xlabel="share of the unlearned models\ntaken for ones that don't know")
        return written(figure, folder, "trial")
