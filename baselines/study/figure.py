"""The trade-off figure: how much was forgotten against how much of the medicine was kept."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

COLOURS = {
    "base": "#8a8f98", "target": "#1f2937", "retain_only": "#0f7b4f",
    "ga": "#d1495b", "gd": "#2e6fbb", "kl_min": "#8b5cc7", "idk": "#c77d0a", "llmu": "#12909b",
    "npo": "#e07a9b", "simnpo": "#a23b72", "dpo": "#8f6a00", "corrective": "#3f8f29", "undial": "#5a5fd1",
    "task_vector": "#7a4b2a", "rmu": "#4a7c8c", "mmunlearner": "#b0508f",
}  # fmt: skip
MARKERS = {"base": "s", "target": "X", "retain_only": "*"}
FALLBACK = "#555555"
LEVELS = (0.2, 0.4, 0.6, 0.8, 0.9)
CROWDED, COLUMN = 0.9, 1.12  # labels of points right of the first stand right of the second
LEFTMOST = -0.1
LINE, CHARACTER = 0.052, 0.026  # height of a line of text and width of a character, in units of the axes


def tradeoff(rows: Sequence[Mapping[str, object]], folder: Path) -> list[Path]:
    """Draw one panel a scenario and write ``tradeoff.png`` and ``tradeoff.svg``; rows without F, R, T are left out."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    scenarios = list(dict.fromkeys(row["scenario"] for row in rows))
    style = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "mllmu-med"}
    with matplotlib.rc_context(style):
        figure, axes = plt.subplots(1, len(scenarios), figsize=(5.2 * len(scenarios), 4.6), squeeze=False, sharey=True)
        for axis, scenario in zip(axes[0], scenarios, strict=True):
            x, y = np.meshgrid(np.linspace(0.001, 1, 200), np.linspace(0.001, 1, 200))
            lines = axis.contour(x, y, 3 / (1 / x + 2 / y), levels=LEVELS, colors="#d5d8dd", linewidths=0.8)
            places = [(0.93, 2 / (3 / level - 1 / 0.93)) for level in LEVELS]
            axis.clabel(lines, fmt="UES %.1f", fontsize=7, colors="#9aa0a8", manual=places)
            points = []
            for row in rows:
                if row["scenario"] == scenario and None not in (row["f"], row["r"], row["t"]):
                    utility = 2 / (1 / row["r"] + 1 / row["t"]) if min(row["r"], row["t"]) > 0 else 0.0
                    points.append((row["model"], row["f"], utility, row.get("verdict")))
            _draw(axis, points)
            axis.set_xticks(np.linspace(0, 1, 6))
            axis.set(
                xlim=(-0.12, 1.36), ylim=(-0.06, 1.12), title=scenario, xlabel="forgotten: F (1 = like retain_only)"
            )
        axes[0][0].set_ylabel("kept utility: harmonic mean of R and T")
        figure.tight_layout()
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / "tradeoff.png", folder / "tradeoff.svg"]
        for path in paths:
            part = path.with_name(f".{path.name}.part")
            metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
            figure.savefig(part, format=path.suffix[1:], dpi=150, metadata=metadata)
            os.replace(part, path)
        plt.close(figure)
    return paths


def _draw(axis: object, points: Sequence[tuple[str, float, float, str | None]]) -> None:
    """Draw the points; labels of those that crowd at the right stand in a column beside them, joined by lines."""
    for name, x, y, judged in points:
        colour = COLOURS.get(name, FALLBACK)
        axis.scatter(
            x, y, s=170 if name == "retain_only" else 70, marker=MARKERS.get(name, "o"), zorder=3, clip_on=False,
            facecolors=colour if judged in (None, "ok") else "white", edgecolors=colour, linewidths=1.6, alpha=0.9,
        )  # fmt: skip
    if any(judged not in (None, "ok") for *_, judged in points):
        axis.text(0.02, 0.02, "hollow: the verdict is not ok", transform=axis.transAxes, fontsize=8, color=FALLBACK)
    order = sorted(range(len(points)), key=lambda index: (-points[index][2], points[index][1]))
    crowded = [index for index in order if points[index][1] > CROWDED]
    places = {
        index: (COLUMN, height, "left")
        for index, height in zip(crowded, _apart([points[index][2] for index in crowded]), strict=True)
    }
    sparse = [index for index in order if index not in places]
    others = [(COLUMN, COLUMN + 1, height) for _, height, _ in places.values()]
    others += [_marker(*points[index][1:3]) for index in crowded]
    beside = _beside([points[index][1:3] for index in sparse], [points[index][0] for index in sparse], others)
    places |= dict(zip(sparse, beside, strict=True))
    for index, (name, x, y, _) in enumerate(points):
        at, height, side = places[index]
        colour = COLOURS.get(name, FALLBACK)
        line = {"arrowstyle": "-", "color": colour, "linewidth": 0.7, "alpha": 0.6, "shrinkB": 4}
        axis.annotate(
            name, (x, y), xytext=(at, height), fontsize=8.5, color=colour, va="center", ha=side, zorder=4,
            arrowprops=line if height != y else None, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip


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
