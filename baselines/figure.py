"""The trade-off figure: how much was forgotten against how much of the medicine was kept."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

COLOURS = {
    "base": "#8a8f98", "target": "#1f2937", "retain_only": "#0f7b4f",
    "ga": "#d1495b", "gd": "#2e6fbb", "kl_min": "#8b5cc7", "idk": "#c77d0a", "llmu": "#12909b",
}  # fmt: skip
MARKERS = {"base": "s", "target": "X", "retain_only": "*"}
FALLBACK = "#555555"
LEVELS = (0.2, 0.4, 0.6, 0.8, 0.9)
CROWDED, COLUMN, LINE = 0.7, 1.12, 0.065  # labels of points right of the first stand right of the second


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
    crowded = sorted((point for point in points if point[1] > CROWDED), key=lambda point: (-point[2], point[1]))
    heights = _apart([point[2] for point in crowded])
    for name, x, y, judged in points:
        style = {"fontsize": 8.5, "color": COLOURS.get(name, FALLBACK), "va": "center", "zorder": 4}
        text = name if judged in (None, "ok") else f"{name} ({judged})"
        if x <= CROWDED:
            blocked = any(0 < other[1] - x < 0.15 and abs(other[2] - y) < 0.06 for other in points)
            side = {"xytext": (-10 if blocked else 10, 0), "ha": "right" if blocked else "left"}
            axis.annotate(text, (x, y), textcoords="offset points", **side, **style)
        else:
            height = heights[[point[0] for point in crowded].index(name)]
            line = {"arrowstyle": "-", "color": style["color"], "linewidth": 0.7, "alpha": 0.6, "shrinkB": 4}
            style["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            axis.annotate(text, (x, y), xytext=(COLUMN, height), arrowprops=line, **style)


def _apart(heights: Sequence[float]) -> list[float]:
    """Return falling heights moved so far down that no two labels touch."""
    moved: list[float] = []
    for height in heights:
        moved.append(min(height + 0.08, moved[-1] - LINE) if moved else height + 0.08)
    return moved
