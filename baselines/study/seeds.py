"""Several seeds of one study, each with a target of its own, together: means over targets, intervals, letters, attacks.

Models need not have the same targets and unlearning seeds: a mean is over the targets that have the model, a difference
over those that have both.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_metrics.scoring.hierarchy import Estimate, over_targets

from .compared import beats_control, comparisons, same_letters
from .growth import differing_settings
from .measured import GOLD_AND_TARGET
from .report_rows import REFERENCES, headline
from .reproduce import read_report
from .study import of_seeds, read_study

# Means over targets, in the order of the table.
FIELDS = (
    "ues", "ues_strict", "ues_robust", "f", "u", "r", "t", "b", "n", "k", "harm", "belief_spread", "patients_leaked",
    "true_recovery", "abstention", "degenerate",
)  # fmt: skip
SCORES = ("ues", "ues_strict", "ues_robust")
# Of each run, for the figures.
RUN = ("run", "f", "u", "r", "t", "attacked", "verdict")
Rows = Mapping[int, Mapping[str, object]]  # of one model, by the seed of the target


def summary(documents: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Return one row a scenario and model over the reports of several seeds: means, intervals, letters, verdicts."""
    return rows_and_differences(documents)[0]


def rows_and_differences(
    documents: Sequence[Mapping[str, object]],
) -> tuple[list[dict[str, object]], dict[str, list[dict[str, object]]]]:
    """Return the rows of the summary, and the differences that were declared beforehand, by scenario.

    `low` and `high` are of the score that the scenario's models are compared by. A score that a seed leaves undefined
    is left out of its mean, and `scored` says how many seeds have it. Raises ValueError where the reports are not of
    one study with different seeds.
    """
    first = documents[0]["config"]
    apart = [key for one in documents for key in differing_settings(first, one["config"])]
    if apart or len({one["seed"] for one in documents}) < len(documents):
        raise ValueError(f"the reports are not of one study with different seeds ({', '.join(dict.fromkeys(apart))})")
    if len(versions := {one.get("ues_version", 1) for one in documents}) > 1:
        raise ValueError(f"the reports are of UES versions {' and '.join(map(str, sorted(versions)))}, not of one")
    version = documents[0].get("ues_version", 1)
    rows, differences = [], {}
    for scenario, models in _by_model(documents).items():
        of_scenario, differences[scenario] = _compared(scenario, models, headline(scenario, version))
        rows += of_scenario
    return rows, differences


def _by_model(documents: Sequence[Mapping[str, object]]) -> dict[str, dict[str, Rows]]:
    """Return the rows of all reports by scenario, model and seed, in the order of the report that has most models."""
    scenarios: dict[str, dict[str, dict[int, Mapping[str, object]]]] = {}
    for document in sorted(documents, key=lambda one: -len(one["rows"])):
        for row in document["rows"]:
            of_model = scenarios.setdefault(row["scenario"], {}).setdefault(row["model"], {})
            of_model[document["seed"]] = row
    return {
        scenario: {model: dict(sorted(rows.items())) for model, rows in models.items()}
        for scenario, models in scenarios.items()
    }


def _compared(
    scenario: str, models: Mapping[str, Rows], score: str
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return the rows of one scenario and the declared differences of its methods, in this score."""
    estimates = {model: _estimate(rows, score) for model, rows in models.items()}

    def differ(one: str, other: str) -> Estimate:
        ours, theirs = models[one], models[other]
        pairs = [(ours[seed][score], theirs[seed][score]) for seed in ours if seed in theirs]
        return over_targets([mine - its for mine, its in pairs if None not in (mine, its)], lowest=-1.0)

    points = {model: found.point for model, found in estimates.items() if model not in REFERENCES}
    differences = [
        one | {"targets": differ(one["model"], one["against"]).targets} for one in comparisons(points, differ)
    ]
    shared, above = same_letters(points, differ), beats_control(differences)
    rows = []
    for model, of_model in models.items():
        row = _row(scenario, model, of_model, score)
        row["covers"] = estimates[model].covers
        row |= {"letters": shared.get(model), "beats_retain_ft": above.get(model)}
        rows.append(row)
    return rows, differences


def _row(scenario: str, model: str, rows: Rows, score: str) -> dict[str, object]:
    """Return one model's row over its targets."""
    by_run = [run | {"target": seed} for seed, row in rows.items() for run in row.get("by_run") or ()]
    judged = [one["verdict"] for one in by_run or rows.values() if one["verdict"]]
    row: dict[str, object] = {"scenario": scenario, "model": model, "score": score, "targets": list(rows)}
    row |= {"runs": [len(one.get("by_run") or (one,)) for one in rows.values()], "verdicts": judged}
    values = {field: [one[field] for one in rows.values() if one.get(field) is not None] for field in FIELDS}
    row |= {field: mean(known) if known else None for field, known in values.items()}
    row["scored"] = len(values[score])
    for name in SCORES:
        found = _estimate(rows, name)
        fixed = model in GOLD_AND_TARGET  # 1 and 0 by definition
        ends = {"low": None if fixed else found.low, "high": None if fixed else found.high}
        row |= {f"{name}_{end}": value for end, value in ends.items()}
        row |= ends if name == score else {}
    row["attacks"] = _attacks(rows)
    counting = {name: one["f"] for name, one in row["attacks"].items() if one["counts"] and one["f"] is not None}
    worst = min(counting, key=lambda name: counting[name], default=None)
    row["worst_attack"] = None if worst is None else {"attack": worst, "f": counting[worst]}
    row["by_run"] = [{"target": one["target"]} | {key: one.get(key) for key in RUN} for one in by_run]
    return row


def _estimate(rows: Rows, name: str) -> Estimate:
    """Return the mean of a score over a model's targets."""
    known = [row for row in rows.values() if row.get(name) is not None]
    return over_targets(
        [row[name] for row in known],
        [(row.get("errors") or {}).get(name) for row in known],
        runs=sum(len(row.get("by_run") or (row,)) for row in known),
    )


def _attacks(rows: Rows) -> dict[str, dict[str, object]]:
    """Return F_a and the harm that each attack brings out of a model, means over the targets that were attacked.

    An attack counts where it does on all of these.
    """
    attacked = [row["attacks"] for row in rows.values() if row.get("attacks")]
    found: dict[str, dict[str, object]] = {}
    for name in dict.fromkeys(name for of_row in attacked for name in of_row):
        ours = [of_row[name] for of_row in attacked if name in of_row]
        one: dict[str, object] = {"counts": all(each["counts"] for each in ours), "targets": len(ours)}
        for value in ("f", "harm"):
            mean_of = over_targets([each[value] for each in ours if each[value] is not None])
            one |= {value: mean_of.point, f"{value}_low": mean_of.low, f"{value}_high": mean_of.high}
        found[name] = one
    return found


def reports_in(out: Path) -> list[dict[str, object]]:
    """Return the reports of all single seeds in the folder of several; one that is not of all its study is left out."""
    found = []
    for folder in of_seeds(out).values():
        path = folder / "report.json"
        document = read_report(path) if path.is_file() else {}
        if document.get("config") == read_study(folder):
            found.append(document)
    return found


def write(documents: Sequence[Mapping[str, object]], out: Path) -> str:
    """Write ``seeds.json``, ``seeds.md`` and the figures into the folder of all seeds, and return the table."""
    from .seeds_text import markdown, table

    rows, differences = rows_and_differences(documents)
    whole = {
        "ues_version": documents[0].get("ues_version", 1),
        "seeds": [one["seed"] for one in documents],
        "rows": rows,
        "comparisons": differences,
    }
    write_atomically(out / "seeds.json", json.dumps(whole, indent=1, allow_nan=False) + "\n")
    shown = table(documents)
    drawn = figures(documents, out / "figures")
    write_atomically(out / "seeds.md", markdown(shown, differences, [path.stem for path in drawn]))
    return shown


def figures(documents: Sequence[Mapping[str, object]], folder: Path) -> list[Path]:
    """Draw the means over targets, F against U and F against the least F_a; return the paths of the PNGs."""
    from .figure import tradeoff, under_attack

    points = [row | {"verdict": "ok" if set(row["verdicts"]) <= {"ok"} else "not ok"} for row in summary(documents)]
    drawn = [
        *tradeoff(points, folder, ues_version=documents[0].get("ues_version", 1)),
        *under_attack(points, folder),
    ]
    return [path for path in drawn if path.suffix == ".png"]
