"""The figures: how much was forgotten against how much of the medicine was kept, and against what attacks leave."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, NamedTuple

from .measured import GOLD_AND_TARGET
from .report_text import NOT_ABOVE, is_drawn_under_attack, short_attack
from .study import UNLEARNED_CONTROL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "base": "#8a8f98", "target": "#1f2937", "retain_only": "#0f7b4f", "clean": "#2f9e77", "format_matched": "#56716a",
    "retain_ft": "#6b4e16",
    "ga": "#d1495b", "gd": "#2e6fbb", "kl_min": "#8b5cc7", "idk": "#c77d0a", "llmu": "#12909b",
    "npo": "#e07a9b", "simnpo": "#a23b72", "dpo": "#8f6a00", "corrective": "#3f8f29", "undial": "#5a5fd1",
    "task_vector": "#7a4b2a", "rmu": "#4a7c8c", "mmunlearner": "#b0508f",
}  # fmt: skip
MARKERS = {"base": "s", "target": "X", "retain_only": "*", "clean": "*", "format_matched": "P", "retain_ft": "D"}
FALLBACK = "#555555"
STYLE = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "mllmu-med"}
LEVELS = (0.2, 0.4, 0.6, 0.8, 0.9)
CROWDED, COLUMN = 0.9, 1.12  # labels of points right of the first stand right of the second
LEFTMOST = -0.1
LINE, CHARACTER = 0.052, 0.026  # height of a line of text and width of a character, in units of the axes


def tradeoff(rows: Sequence[Mapping[str, object]], folder: Path, *, ues_version: int = 1) -> list[Path]:
    """Draw F against U, one panel a scenario, and write ``tradeoff.png`` and ``tradeoff.svg``.

    Lines join what has the same UES of that version. Rows without F and U are left out; a row's runs are small dots.
    """
    import matplotlib
    import numpy as np

    scenarios = list(dict.fromkeys(row["scenario"] for row in rows))
    # What U weighs against F: version 1 took the harmonic mean of F and both parts of U, version 2 that of F and U.
    weight = 2 if ues_version == 1 else 1
    with matplotlib.rc_context(STYLE):
        figure, axes = _panels(len(scenarios), 5.2)
        for axis, scenario in zip(axes, scenarios, strict=True):
            x, y = np.meshgrid(np.linspace(0.001, 1, 200), np.linspace(0.001, 1, 200))
            score = (1 + weight) / (1 / x + weight / y)
            lines = axis.contour(x, y, score, levels=LEVELS, colors="#d5d8dd", linewidths=0.8)
            places = [(0.93, weight / ((1 + weight) / level - 1 / 0.93)) for level in LEVELS]
            axis.clabel(lines, fmt="UES %.1f", fontsize=7, colors="#9aa0a8", manual=places)
            _draw(axis, [point for row in rows if row["scenario"] == scenario and (point := tradeoff_point(row))])
            axis.set_xticks(np.linspace(0, 1, 6))
            axis.set(
                xlim=(-0.12, 1.36), ylim=(-0.06, 1.12), title=scenario, xlabel="forgotten: F (1 = like retain_only)"
            )
            axis.set_ylabel("kept utility: U" if axis.get_subplotspec().is_first_col() else "")
        return written(figure, folder, "tradeoff")


def under_attack(rows: Sequence[Mapping[str, object]], folder: Path) -> list[Path]:
    """Draw F against the least F_a, one panel a scenario, and write ``attacks.png`` and ``attacks.svg``.

    Both axes go from 0 (the target) to 1 (retain_only); on the line nothing comes back. Rows without an attack that
    counts are left out; where no row has one, nothing is written.
    """
    import matplotlib

    attacked = [row for row in rows if is_drawn_under_attack(row)]
    scenarios = list(dict.fromkeys(row["scenario"] for row in attacked))
    if not scenarios:
        return []
    import numpy as np

    with matplotlib.rc_context(STYLE):
        # As wide as the axis is longer than that of the trade-off, so that labels take the same room.
        figure, axes = _panels(len(scenarios), 6.0)
        for axis, scenario in zip(axes, scenarios, strict=True):
            axis.plot([0, 1], [0, 1], color="#d5d8dd", linewidth=0.8, zorder=1)
            _draw(axis, [attacked_point(row) for row in attacked if row["scenario"] == scenario], notes_at=0.82)
            axis.set_xticks(np.linspace(0, 1, 6))
            axis.set_yticks(np.linspace(0, 1, 6))
            # Most methods lie at the bottom, and their labels below one another.
            axis.set(xlim=(-0.12, 1.59), ylim=(-0.18, 1.12), title=scenario, xlabel="forgotten when asked: F")
            first = axis.get_subplotspec().is_first_col()
            axis.set_ylabel("forgotten under the worst attack: least F_a" if first else "")
        return written(figure, folder, "attacks")


def _panels(count: int, width: float) -> "tuple[Figure, list[Axes]]":
    """Return a figure of so many panels of a width in inches, of more than two in two columns, and its axes."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    across = count if count < 3 else 2
    down = -(-count // across)
    figure, axes = plt.subplots(down, across, figsize=(width * across, 4.6 * down), squeeze=False, sharey=True)
    for axis in axes.flat[count:]:
        axis.remove()
    return figure, list(axes.flat[:count])


def attacked_point(row: Mapping[str, object]) -> "Point":
    """Return the point of a row under its worst attack, which its label names; the target's and the gold's don't.

    F is of the runs that were attacked.
    """
    worst = row["worst_attack"]
    known = [run["f"] for run in row.get("by_run") or () if run["attacked"] and run["f"] is not None]
    f = mean(known) if known else row["f"]
    named = "" if row["model"] in GOLD_AND_TARGET else f": {short_attack(worst['attack'])}"
    return Point(str(row["model"]), f, worst["f"], row.get("verdict"), f"{row['model']}{named}")


def written(figure: "Figure", folder: Path, name: str) -> list[Path]:
    """Write a figure as PNG and SVG, whole or not at all, and close it; return both paths."""
    import matplotlib.pyplot as plt

    figure.tight_layout()
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png", folder / f"{name}.svg"]
    for path in paths:
        part = path.with_name(f".{path.name}.part")
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        figure.savefig(part, format=path.suffix[1:], dpi=150, metadata=metadata)
        os.replace(part, path)
    plt.close(figure)
    return paths


class Point(NamedTuple):
    """A model in the figure: F and U of its mean, and of each of its runs where there are several."""

    model: str
    f: float
    u: float
    verdict: str | None
    label: str
    runs: tuple[tuple[float, float], ...] = ()


def utility(values: Mapping[str, object]) -> float | None:
    """Return U of a row or a run: its own, or the harmonic mean of R and T; None where it is undefined."""
    if values.get("u") is not None:
        return float(values["u"])
    r, t = values.get("r"), values.get("t")
    if r is None or t is None:
        return None
    return 2 / (1 / r + 1 / t) if min(r, t) > 0 else 0.0


def tradeoff_point(row: Mapping[str, object]) -> Point | None:
    """Return the point of a row; None where F or U is undefined. A method that is not above the control has a mark."""
    u = utility(row)
    if row["f"] is None or u is None:
        return None
    several = [(one["f"], utility(one)) for one in row.get("by_run") or ()]
    runs = tuple((x, y) for x, y in several if x is not None and y is not None)
    label = str(row["model"]) + (NOT_ABOVE if row.get("beats_retain_ft") is False else "")
    return Point(str(row["model"]), row["f"], u, row.get("verdict"), label, runs if len(runs) > 1 else ())


def _draw(axis: object, points: Sequence[Point], notes_at: float = 0.02) -> None:
    """Draw the points and their labels, and notes from this height of the axes upwards."""
    for point in points:
        colour, size = COLOURS.get(point.model, FALLBACK), 170 if point.model == "retain_only" else 70
        fill = colour if point.verdict in (None, "ok") else "white"
        axis.scatter(
            point.f, point.u, s=size, marker=MARKERS.get(point.model, "o"), zorder=3, clip_on=False, facecolors=fill,
            edgecolors=colour, linewidths=1.6, alpha=0.9,
        )  # fmt: skip
        for x, y in point.runs:
            axis.scatter(x, y, s=9, color=colour, alpha=0.55, zorder=2, clip_on=False, linewidths=0)
    notes = ["small dots: single runs"] if any(point.runs for point in points) else []
    if any(point.verdict not in (None, "ok") for point in points):
        notes.append("hollow: the verdict is not ok")
    if any(point.label.endswith(NOT_ABOVE) for point in points):
        notes.append(f"{NOT_ABOVE} not above {UNLEARNED_CONTROL}")
    for line, note in enumerate(notes):
        axis.text(0.02, notes_at + 0.04 * line, note, transform=axis.transAxes, fontsize=8, color=FALLBACK)
    for point, (at, height, side) in zip(points, label_places(points), strict=True):
        colour = COLOURS.get(point.model, FALLBACK)
        line = {"arrowstyle": "-", "color": colour, "linewidth": 0.7, "alpha": 0.6, "shrinkB": 4}
        axis.annotate(
            point.label, (point.f, point.u), xytext=(at, height), fontsize=8.5, color=colour, va="center", ha=side,
            zorder=4, arrowprops=line if height != point.u else None,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip


def label_places(points: Sequence[Point]) -> list[tuple[float, float, str]]:
    """Return where each label stands: those that crowd at the right in a column, joined by lines, others beside."""
    order = sorted(range(len(points)), key=lambda index: (-points[index].u, points[index].f))
    crowded = [index for index in order if points[index].f > CROWDED]
    places = {
        index: (COLUMN, height, "left")
        for index, height in zip(crowded, _apart([points[index].u for index in crowded]), strict=True)
    }
    sparse = [index for index in order if index not in places]
    others = [(COLUMN, COLUMN + 1, height) for _, height, _ in places.values()]
    others += [_marker(points[index].f, points[index].u) for index in crowded]
    at = [(points[index].f, points[index].u) for index in sparse]
    beside = _beside(at, [points[index].label for index in sparse], others)
    places |= dict(zip(sparse, beside, strict=True))
    return [places[index] for index in range(len(points))]


def _apart(heights: Sequence[float]) -> list[float]:
    """Return falling heights moved so far down that no two labels touch."""
    moved: list[float] = []
    for height in heights:
        moved.append(min(height + 0.08, moved[-1] - LINE) if moved else height + 0.08)
    return moved


def _marker(x: float, y: float) -> tuple[float, float, float]:
    """Return the box of a point's marker."""
    return x - 0.03, x + 0.03, y


def _beside(
    points: Sequence[tuple[float, float]], texts: Sequence[str], boxes: Sequence[tuple[float, float, float]] = ()
) -> list[tuple[float, float, str]]:
    """Return a place near each point for its text (x, y, the side it is aligned to) that touches nothing else."""
    taken = [_marker(x, y) for x, y in points] + [*boxes]
    found: list[tuple[float, float, str]] = []
    for (x, y), text in zip(points, texts, strict=True):
        width = CHARACTER * len(text)
        tried: list[tuple[float, float, str, tuple[float, float, float]]] = []
        for step in (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6):
            height = y + step * LINE
            tried.append((x + 0.05, height, "left", (x + 0.045, x + 0.05 + width, height)))
            tried.append((x - 0.05, height, "right", (x - 0.05 - width, x - 0.045, height)))
        inside = [one for one in tried if one[3][0] > LEFTMOST]
        free = (one for one in inside if not any(_touch(one[3], other) for other in taken))
        at, height, side, box = next(free, tried[0])
        taken.append(box)
        found.append((at, height, side))
    return found


def _touch(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    """Say whether two boxes (left, right, the middle's height) of a line's height overlap."""
    return one[0] < other[1] and other[0] < one[1] and abs(one[2] - other[2]) < 0.9 * LINE
