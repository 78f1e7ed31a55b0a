"""Several seeds of one study in one table: means over seeds, with the interval that so few of them allow."""

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from scipy.special import stdtrit

from .report_rows import REFERENCES
from .report_text import aligned

COLUMNS = (
    ("ues", "UES"), ("ues_strict", "strict"), ("ues_worst_view", "worst"), ("f", "F"), ("r", "R"), ("t", "T"),
    ("k", "K"), ("harm", "harm"), ("true_recovery", "truth"), ("abstention", "abstain"), ("degenerate", "broken"),
)  # fmt: skip


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % t interval of the mean of values in 0 to 1, cut to 0 to 1; None for fewer than two."""
    if len(values) < 2:
        return None
    half = float(stdtrit(len(values) - 1, 0.975)) * stdev(values) / math.sqrt(len(values))
    return max(0.0, mean(values) - half), min(1.0, mean(values) + half)


def summary(documents: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Return one row a scenario and model over the reports of several seeds: means, UES's interval, verdicts.

    A score that a seed leaves undefined is left out of its mean, and `n` says how many seeds have a UES. Raises
    ValueError where the reports are not of one study with different seeds.
    """
    settings = [{**one["config"], "seed": None} for one in documents]
    if any(one != settings[0] for one in settings) or len({one["seed"] for one in documents}) < len(documents):
        raise ValueError("the reports are not of one study with different seeds")
    rows: dict[tuple[str, str], list[Mapping[str, object]]] = {}
    for document in documents:
        for row in document["rows"]:
            rows.setdefault((row["scenario"], row["model"]), []).append(row)
    found = []
    for (scenario, model), of_seeds in rows.items():
        values = {
            field: [row[field] for row in of_seeds if row[field] is not None]
            for field in [field for field, _ in COLUMNS]
        }
        bounds = interval(values["ues"]) if model not in REFERENCES[1:] else None
        found.append(
            {"scenario": scenario, "model": model, "n": len(values["ues"])}
            | {field: mean(one) if one else None for field, one in values.items()}
            | {"low": bounds and bounds[0], "high": bounds and bounds[1]}
            | {"verdicts": [row["verdict"] for row in of_seeds if row["verdict"]]}
        )
    return found


def table(documents: Sequence[Mapping[str, object]]) -> str:
    """Return the printed table: one block a scenario, one line a model."""
    rows = summary(documents)
    fields = [field for field, _ in COLUMNS if any(row[field] is not None for row in rows)]
    blocks = []
    for scenario in documents[0]["config"]["scenarios"]:
        lines = [["model", "UES", "95 %", *(dict(COLUMNS)[field] for field in fields[1:]), "verdicts"]]
        for row in (row for row in rows if row["scenario"] == scenario):
            bounds = "-" if row["low"] is None else f"{row['low']:.2f}-{row['high']:.2f}"
            numbers = ["-" if row[field] is None else f"{row[field]:.2f}" for field in fields]
            lines.append([row["model"], numbers[0], bounds, *numbers[1:], _counted(row["verdicts"])])
        seeds = ", ".join(str(one["seed"]) for one in documents)
        blocks.append("\n".join([f"{scenario} (means of seeds {seeds})", *aligned(lines)]))
    return "\n\n".join(blocks)


def _counted(verdicts: Sequence[str]) -> str:
    counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "-"
