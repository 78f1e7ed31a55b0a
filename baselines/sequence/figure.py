"""The figure of requests in sequence: F, S, R and T after each request, a line a method, a row a batch size."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..study.figure import COLOURS, FALLBACK

PANELS = {
    "f": "F: forgotten, of all who asked", "s": "S: bystanders still told", "r": "R: utility on retain",
    "t": "T: utility on test",
}  # fmt: skip
NAMES_IN_A_LINE = 8
APART = 0.02  # of lines that would hide each other: how far each is moved, of the space between two requests


def over_requests(document: Mapping[str, object], folder: Path) -> Path:
    """Draw the means over orders as lines, each order's values as dots, and write ``sequence.png``; return its path."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    batches = document["config"]["batches"]
    style = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    with matplotlib.rc_context(style):
        figure, axes = plt.subplots(
            len(batches), len(PANELS), figsize=(12.5, 2.9 * len(batches) + 0.5), squeeze=False, sharey=True
        )
        for batch, line in zip(batches, axes, strict=True):
            rows = [row for row in document["rows"] if row["batch"] == batch]
            for part, axis in zip(PANELS, line, strict=True):
                _draw(axis, rows, part)
                axis.set_xlabel(f"patients forgotten, {batch} at a time")
        for title, axis in zip(PANELS.values(), axes[0], strict=True):
            axis.set_title(title, fontsize=10)
        if any(len(row["by_order"]) > 1 for row in document["rows"]):
            axes[0][0].text(0.02, 0.02, "small dots: single orders", transform=axes[0][0].transAxes, color=FALLBACK)
        handles, labels = axes[0][0].get_legend_handles_labels()
        lines = -(-len(labels) // NAMES_IN_A_LINE)
        figure.tight_layout(rect=(0, 0.25 * lines / figure.get_figheight(), 1, 1))
        figure.legend(handles, labels, loc="lower center", ncols=NAMES_IN_A_LINE, frameon=False)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "sequence.png"
        part = path.with_name(f".{path.name}.part")
        figure.savefig(part, format="png", dpi=150, metadata={"Software": None})
        os.replace(part, path)
        plt.close(figure)
    return path


def _draw(axis: object, rows: Sequence[Mapping[str, object]], part: str) -> None:
    """Draw one part of the methods of a batch size; what is undefined leaves a gap."""
    places = [step["patients"] for step in rows[0]["steps"]]
    gap = places[0]
    for number, row in enumerate(rows):
        colour = COLOURS.get(row["method"], FALLBACK)
        moved = [place + APART * gap * (number - (len(rows) - 1) / 2) for place in places]
        values = [float("nan") if step[part] is None else step[part] for step in row["steps"]]
        axis.plot(moved, values, color=colour, marker="o", markersize=3.5, linewidth=1.4, label=row["method"])
        for one in row["by_order"] if len(row["by_order"]) > 1 else ():
            known = [(at, step[part]) for at, step in zip(moved, one["steps"], strict=True) if step[part] is not None]
            axis.scatter(*zip(*known, strict=True), s=7, color=colour, alpha=0.4, linewidths=0) if known else None
    axis.set(ylim=(-0.04, 1.06), xticks=places if len(places) <= 8 else places[1::2])
    axis.grid(axis="y", color="#e5e7eb", linewidth=0.7)
    axis.set_axisbelow(True)
