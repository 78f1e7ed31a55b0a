"""Several seeds of one study, each with a target of its own, in one table: means over targets, intervals, letters."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_metrics.scoring.hierarchy import Estimate, over_targets

from .compared import beats_control, comparisons, same_letters
from .measured import GOLD_AND_TARGET
from .report_rows import REFERENCES, headline
from .report_text import NOT_ABOVE, Grid, aligned, difference_lines

COLUMNS = (
    ("ues", "UES"), ("ues_strict", "strict"), ("ues_robust", "robust"), ("ues_worst_view", "worst"), ("f", "F"),
    ("u", "U"), ("r", "R"), ("t", "T"), ("b", "B"), ("k", "K"), ("harm", "harm"), ("patients_leaked", "leaked"),
    ("true_recovery", "truth"), ("abstention", "abstain"), ("degenerate", "broken"),
)  # fmt: skip
Rows = Sequence[Mapping[str, object]]


def summary(documents: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Return one row a scenario and model over the reports of several seeds: means, intervals, letters, verdicts."""
    return rows_and_differences(documents)[0]


def rows_and_differences(
    documents: Sequence[Mapping[str, object]],
) -> tuple[list[dict[str, object]], dict[str, list[dict[str, object]]]]:
    """Return the rows of the summary, and the differences that were declared beforehand, by scenario.

    `low` and `high` are of the score that the scenario's models are compared by. A score that a seed leaves undefined
    is left out of its mean, and `n` says how many seeds have it. Raises ValueError where the reports are not of one
    study with different seeds.
    """
    settings = [{**one["config"], "seed": None} for one in documents]
    if any(one != settings[0] for one in settings) or len({one["seed"] for one in documents}) < len(documents):
        raise ValueError("the reports are not of one study with different seeds")
    if len(versions := {one.get("ues_version", 1) for one in documents}) > 1:
        raise ValueError(f"the reports are of UES versions {' and '.join(map(str, sorted(versions)))}, not of one")
    scenarios: dict[str, dict[str, list[Mapping[str, object]]]] = {}
    for document in documents:
        for row in document["rows"]:
            scenarios.setdefault(row["scenario"], {}).setdefault(row["model"], []).append(row)
    version = documents[0].get("ues_version", 1)
    found = [_compared(scenario, models, headline(scenario, version)) for scenario, models in scenarios.items()]
    return [row for rows, _ in found for row in rows], {
        scenario: differences for scenario, (_, differences) in zip(scenarios, found, strict=True)
    }


def _compared(
    scenario: str, models: Mapping[str, Rows], score: str
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return the rows of one scenario and the declared differences of its methods, in this score."""
    estimates = {
        model: over_targets(
            [row[score] for row in rows if row[score] is not None],
            [(row.get("errors") or {}).get(score) for row in rows],
            runs=sum(len(row.get("by_run") or (row,)) for row in rows),
        )
        for model, rows in models.items()
    }

    def differ(one: str, other: str) -> Estimate:
        pairs = [(ours[score], theirs[score]) for ours, theirs in zip(models[one], models[other], strict=True)]
        return over_targets([ours - theirs for ours, theirs in pairs if None not in (ours, theirs)], lowest=-1.0)

    # Reports of a time before rows had runs stay as they were printed.
    recent = all("by_run" in row for rows in models.values() for row in rows)
    points = {model: found.point for model, found in estimates.items() if recent and model not in REFERENCES}
    differences = comparisons(points, differ)
    shared, above = same_letters(points, differ), beats_control(differences)
    found = []
    for model, rows in models.items():
        values = {field: [row[field] for row in rows if row.get(field) is not None] for field, _ in COLUMNS}
        estimate = estimates[model]
        judged = [run["verdict"] for row in rows for run in row.get("by_run") or (row,) if run["verdict"]]
        fixed = model in GOLD_AND_TARGET  # 1 and 0 by definition
        found.append(
            {"scenario": scenario, "model": model, "n": len(values[score]), "score": score}
            | {"covers": estimate.covers if recent else None}
            | {field: mean(one) if one else None for field, one in values.items()}
            | {"low": None if fixed else estimate.low, "high": None if fixed else estimate.high}
            | {"letters": shared.get(model), "beats_retain_ft": above.get(model), "verdicts": judged}
        )
    return found, differences


def write(documents: Sequence[Mapping[str, object]], out: Path) -> str:
    """Write ``seeds.json``, ``seeds.md`` and the figure of the means into the folder of all seeds; return the table."""
    from .figure import tradeoff

    rows, differences = rows_and_differences(documents)
    shown = table(documents)
    whole = {
        "ues_version": documents[0].get("ues_version", 1),
        "seeds": [one["seed"] for one in documents],
        "rows": rows,
        "comparisons": differences,
    }
    write_atomically(out / "seeds.json", json.dumps(whole, indent=1, allow_nan=False) + "\n")
    lines = ["# Unlearning report of several targets", "", "![forgetting against kept utility](figures/tradeoff.png)"]
    lines += ["", "```", shown, "```", ""]
    for scenario, found in differences.items():
        lines += [f"## {scenario}", "", *difference_lines(found), ""] if found else []
    write_atomically(out / "seeds.md", "\n".join(lines))
    points = [row | {"verdict": "ok" if set(row["verdicts"]) <= {"ok"} else "not ok"} for row in rows]
    tradeoff(points, out / "figures", ues_version=whole["ues_version"])
    return shown


def table(documents: Sequence[Mapping[str, object]], grid: Grid = aligned) -> str:
    """Return the printed table: one block a scenario, one line a model."""
    rows = summary(documents)
    seeds = ", ".join(str(one["seed"]) for one in documents)
    blocks = []
    for scenario in documents[0]["config"]["scenarios"]:
        mine = [row for row in rows if row["scenario"] == scenario]
        score = str(mine[0]["score"])
        fields = [score, *(field for field, _ in COLUMNS if field != score)]
        fields = [field for field in fields if any(row[field] is not None for row in mine)]
        alike = any(row["letters"] for row in mine)
        lines = [["model", dict(COLUMNS)[score], "95 %", *(["alike"] if alike else [])]]
        lines[0] += [*(dict(COLUMNS)[field] for field in fields[1:]), "verdicts"]
        for row in mine:
            bounds = "-" if row["low"] is None else f"{row['low']:.2f}-{row['high']:.2f}"
            numbers = ["-" if row[field] is None else f"{row[field]:.2f}" for field in fields]
            name = row["model"] + (NOT_ABOVE if row["beats_retain_ft"] is False else "")
            letters = [row["letters"] or "-"] if alike else []
            lines.append([name, numbers[0], bounds, *letters, *numbers[1:], _counted(row["verdicts"])])
        covers = next((f"; intervals {row['covers']}" for row in mine if row["covers"]), "")
        blocks.append("\n".join([f"{scenario} (means of seeds {seeds}{covers})", *grid(lines)]))
    return "\n\n".join(blocks)


def _counted(verdicts: Sequence[str]) -> str:
    counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "-"
