"""Where things stand in a chart: shares of its width and height turned into places of an SVG, for the templates."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from ..run.run_record import METRICS
from ..study.figure import LEVELS, MARKERS, Point, attacked_point, label_places, tradeoff_point
from ..study.report_text import NOT_ABOVE, is_drawn_under_attack
from ..study.study import run_folder
from .tables import Rows

# Of a curve at most so many points are drawn.
MOST_POINTS = 80
TICKS = (0, 0.2, 0.4, 0.6, 0.8, 1)


@dataclass(frozen=True)
class Plane:
    """The part of the plane that a chart shows, and its size in pixels without margins."""

    left: float
    right: float
    bottom: float
    top: float
    width: float
    height: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of a point, from the upper left corner."""
        across = (x - self.left) / (self.right - self.left)
        up = (y - self.bottom) / (self.top - self.bottom)
        return round(across * self.width, 1), round((1 - up) * self.height, 1)

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        """Return a line through points as an SVG path."""
        return "M" + "L".join(f"{x:g} {y:g}" for x, y in (self.at(*point) for point in points))


@dataclass(frozen=True)
class Dot:
    """A model in a scatter plot: its place, label, and the places of its runs."""

    model: str
    colour: int
    shape: str
    hollow: bool
    x: float
    y: float
    label: str
    label_x: float
    label_y: float
    anchor: str
    has_line: bool
    runs: Sequence[tuple[float, float]]
    values: str
    words: str


class Axis(NamedTuple):
    """What an axis shows, as a letter and in words."""

    letter: str
    words: str


@dataclass(frozen=True)
class Drawing:
    """A scatter plot in one width: its plane, lines of equal score or the diagonal with what they say, ticks, dots."""

    plane: Plane
    lines: Sequence[str]
    notes: Sequence[tuple[float, float, str]]
    ticks: Sequence[float]
    dots: Sequence[Dot]


@dataclass(frozen=True)
class Scatter:
    """A scatter plot: as a screen has room for it, and as a phone has, where a list takes the place of labels."""

    wide: Drawing
    narrow: Drawing
    x: Axis
    y: Axis


def colours_of(rows: Rows) -> dict[str, int]:
    """Return a colour for each model, the same in every chart of a report with these rows."""
    return {model: number for number, model in enumerate(dict.fromkeys(str(row["model"]) for row in rows))}


def tradeoff(rows: Rows, ues_version: int, colours: Mapping[str, int]) -> Scatter | None:
    """Return F against U of a scenario's rows; None where no row has both."""
    points = [point for row in rows if (point := tradeoff_point(row))]
    axes = Axis("F", "forgotten: F (1 = like retain_only)"), Axis("U", "kept utility: U")
    weight = 2 if ues_version == 1 else 1
    planes = Plane(-0.12, 1.42, -0.06, 1.12, 560, 340), Plane(-0.06, 1.06, -0.06, 1.1, 300, 300)
    return _scatter(planes, points, colours, axes, lambda plane: _equal_scores(plane, weight))


def under_attack(rows: Rows, colours: Mapping[str, int]) -> Scatter | None:
    """Return F against the least F_a of a scenario's rows; None where no attack counts."""
    points = [attacked_point(row) for row in rows if is_drawn_under_attack(row)]
    axes = Axis("F", "forgotten when asked plainly: F"), Axis("F_a", "forgotten under the worst attack: least F_a")
    planes = Plane(-0.12, 1.62, -0.18, 1.12, 560, 340), Plane(-0.06, 1.06, -0.08, 1.1, 300, 300)
    return _scatter(planes, points, colours, axes, lambda plane: ([plane.path([(0, 0), (1, 1)])], []))


Lines = tuple[Sequence[str], Sequence[tuple[float, float, str]]]


def _equal_scores(plane: Plane, weight: int) -> Lines:
    """Return a line for each of `LEVELS`, on which (1 + w) / (1 / F + w / U) is the same, and what is written on it."""
    lines, notes = [], []
    for level in LEVELS:
        least = 1 / ((1 + weight) / level - weight)  # where the line meets U = 1
        curve = [(least + (1 - least) * step / 40) for step in range(41)]
        points = [(x, weight / ((1 + weight) / level - 1 / x)) for x in curve]
        lines.append(plane.path(points))
        # Written on at the end of F = 1, where it is lowest.
        notes.append((*plane.at(*points[-1]), f"UES {level:g}"))
    return lines, notes


def _scatter(
    planes: tuple[Plane, Plane],
    points: Sequence[Point],
    colours: Mapping[str, int],
    axes: tuple[Axis, Axis],
    lines: Callable[[Plane], Lines],
) -> Scatter | None:
    """Return the points in a wide plane and in a narrow one; None where there are none."""
    if not points:
        return None
    places = label_places(points)
    wide, narrow = (
        Drawing(
            plane, *lines(plane), TICKS,
            [_dot(plane, point, at, colours[point.model], axes) for point, at in zip(points, places, strict=True)],
        )
        for plane in planes
    )  # fmt: skip
    return Scatter(wide, narrow, *axes)


def _dot(plane: Plane, point: Point, place: tuple[float, float, str], colour: int, axes: tuple[Axis, Axis]) -> Dot:
    x, y = plane.at(point.f, point.u)
    label_x, label_y = plane.at(place[0], place[1])
    values = f"{axes[0].letter} {point.f:.2f}, {axes[1].letter} {point.u:.2f}"
    return Dot(
        model=point.model, colour=colour, shape=MARKERS.get(point.model, "o"),
        hollow=point.verdict not in (None, "ok"), x=x, y=y, label=point.label, label_x=label_x, label_y=label_y,
        anchor="start" if place[2] == "left" else "end", has_line=place[1] != point.u,
        runs=[plane.at(*run) for run in point.runs], values=values,
        words=f"{point.model}: {values}" + (", not above the control" if point.label.endswith(NOT_ABOVE) else ""),
    )  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """What one measure did in training, a line a run: its name, the lines, the ends of its axes."""

    measure: str
    lines: Sequence[tuple[str, str]]  # name of the run, path
    low: float
    high: float
    steps: int
    plane: Plane


def curves(runs_dir: Path, scenario: str, runs: Mapping[str, Sequence[str]]) -> dict[str, list[Curve]]:
    """Return the training curves of each model whose runs left metrics: the loss, and the loss on forget rows."""
    found: dict[str, list[Curve]] = {}
    for model, names in runs.items():
        logs = {name: _metrics(run_folder(runs_dir, scenario, name) / METRICS) for name in names}
        drawn = [_curve(measure, logs) for measure in ("loss", "forget_nll")]
        if known := [curve for curve in drawn if curve is not None]:
            found[model] = known
    return found


def _metrics(path: Path) -> list[Mapping[str, object]]:
    """Return the lines of a metrics file that can be read; a run that was published trained has none."""
    if not path.is_file():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and isinstance(value.get("step"), int):
            lines.append(value)
    return lines


def _curve(measure: str, logs: Mapping[str, Sequence[Mapping[str, object]]]) -> Curve | None:
    series: dict[str, list[tuple[int, float]]] = {}
    for name, lines in logs.items():
        points = [
            (line["step"], float(line[measure]))
            for line in lines
            if isinstance(line.get(measure), int | float) and isfinite(line[measure])
        ]
        if len(points) > 1:
            stride = -(-len(points) // MOST_POINTS)
            series[name] = [*points[:-1:stride], points[-1]]
    if not series:
        return None
    values = [value for points in series.values() for _, value in points]
    steps = max(step for points in series.values() for step, _ in points)
    low, high = min(values), max(values)
    room = (high - low or 1.0) * 0.06
    plane = Plane(0, steps, low - room, high + room, 220, 90)
    lines = [(name, plane.path(points)) for name, points in series.items()]
    return Curve(measure.replace("_", " "), lines, low, high, steps, plane)
