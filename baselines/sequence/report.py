"""Turn a folder of finished sequences into the report: JSON, Markdown, the figure and the printed table."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from statistics import mean

from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_dataset.load import checksums
from mllmu_med_metrics import UES_VERSION
from mllmu_med_metrics.scoring.hierarchy import Estimate, difference, mean_of_runs
from mllmu_med_metrics.scoring.sequence import PARTS

from ..run.run_record import read_record, versions_of
from ..study.compared import same_letters
from ..study.report_rows import counted
from .measured import Measured, measured
from .requests import Requests
from .text import markdown

# Of each step, beside the parts: means over orders.
STEP_FIELDS = (*PARTS, "h", "backslide", "waiting", "harm", "harm_gold", "patients_leaked", "degenerate")


def report(study: Requests) -> dict[str, object]:
    """Score every finished sequence of a study, write the report's files into its folder and return the report."""
    found = measured(study)
    at_once = {
        method: [one for one in found if one.chain.is_all_at_once and one.chain.method == method]
        for method in study.methods
    }
    rows = [row for batch in study.batches for row in rows_of(study, batch, found, at_once)]
    chains = [one.chain for one in found]
    records = [read_record(chain.folder(number)) for chain in chains for number in range(1, len(chain.requests) + 1)]
    document = {
        "ues_version": UES_VERSION,
        "rows": rows,
        "all_at_once": {method: [_by_order(one) for one in of_method] for method, of_method in at_once.items()},
        "patients": len(study.patients),
        "asking": [list(study.order(order)) for order in range(study.orders)],
        "config": study.settings(),
        "versions": versions_of(records) | {name: version(name) for name in ("lm_eval", "datasets")},
        "dataset_checksum": checksums(study.data_dir)["dataset_sha256"],
        "seed": study.seed,
    }
    write_atomically(study.out / "sequence.json", json.dumps(document, indent=1, allow_nan=False) + "\n")
    from .figure import over_requests

    over_requests(document, study.out / "figures")
    write_atomically(study.out / "sequence.md", markdown(document))
    return document


def rows_of(
    study: Requests, batch: int, found: Sequence[Measured], at_once: Mapping[str, Sequence[Measured]]
) -> list[dict[str, object]]:
    """Return the rows of one batch size, one a method, beside what it does where all patients go at once."""
    of_method = {
        method: [one for one in found if (one.chain.batch, one.chain.method) == (batch, method)]
        for method in study.methods
    }
    runs = {method: [one.run("headline") for one in mine] for method, mine in of_method.items()}
    points = {method: mean_of_runs(mine).point for method, mine in runs.items()}
    letters = same_letters(points, lambda one, other: difference(runs[one], runs[other]))
    return [_row(mine, at_once[method], letters.get(method)) for method, mine in of_method.items()]


def _row(mine: Sequence[Measured], at_once: Sequence[Measured], letters: str | None) -> dict[str, object]:
    """Return one row: means over orders with their intervals, the values of each step, and each order's own."""
    last = [one.run("last") for one in mine]
    whole = [one.run("last") for one in at_once]
    headline = mean_of_runs([one.run("headline") for one in mine])
    reasons = {f"order {one.chain.order}": one.reason for one in mine if one.reason}
    return {
        "batch": mine[0].chain.batch,
        "method": mine[0].chain.method,
        "requests": len(mine[0].chain.requests),
        **_ends("headline", headline),
        **_ends("last", mean_of_runs(last)),
        **_ends("all_at_once", mean_of_runs(whole)),
        **_ends("gap", difference(whole, last)),
        **_ends("backslide", mean_of_runs([one.run("worst_backslide") for one in mine], lowest=-1.0)),
        "covers": headline.covers,
        "letters": letters,
        "verdict": counted([str(one.steps[-1]["verdict"]) for one in mine]),
        "steps": [_mean_step([one.steps[place] for one in mine]) for place in range(len(mine[0].steps))],
        "seconds": sum(float(step["seconds"] or 0.0) for one in mine for step in one.steps),
        "reasons": reasons,
        "by_order": [_by_order(one) for one in mine],
    }


def _ends(name: str, found: Estimate) -> dict[str, float | None]:
    return {name: found.point, f"{name}_low": found.low, f"{name}_high": found.high}


def _mean_step(steps: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Return the means over orders of what one request left; None where an order has none."""
    values: dict[str, object] = {"request": steps[0]["request"], "patients": steps[0]["patients"]}
    for field in STEP_FIELDS:
        known = [step[field] for step in steps if step[field] is not None]
        values[field] = mean(map(float, known)) if len(known) == len(steps) else None
    return values


def _by_order(one: Measured) -> dict[str, object]:
    """Return the values of one order."""
    return {
        "order": one.chain.order,
        "seed": one.chain.seed,
        "headline": one.run("headline").point,
        "last": one.run("last").point,
        "backslide": one.run("worst_backslide").point,
        "steps": list(one.steps),
    }
