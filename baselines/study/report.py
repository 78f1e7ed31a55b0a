"""Turn a folder of finished runs into the report: JSON, Markdown, the figures, the page and the printed table."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_metrics import UES_VERSION, References, Scored

from ..run.run_record import read_record, versions_of, with_verdict
from .error_kinds import by_error_kind
from .gathered import Gathered
from .measured import Scenario
from .report_rows import rows_of
from .report_text import markdown
from .scenarios import gathered_of, measured_of
from .study import DATA, IMAGES, read_study, run_folder, run_name


def report(runs_dir: Path) -> dict[str, object]:
    """Score every finished run below a study's folder, write the report's files there and return the report."""
    settings = read_study(runs_dir)
    left = gathered_of(runs_dir, settings, settings["scenarios"])
    found = measured_of(settings, left, settings["seed"])
    document = summed(found)
    document["error_kinds"] = {one.name: by_error_kind(one) for one in found}
    for run in document["runs"].values():
        folder = run_folder(runs_dir, run["scenario"], run_name(run["name"], settings["seed"], run["seed"]))
        if (record := read_record(folder)) and record.verdict != run["verdict"]:
            with_verdict(folder, run["verdict"])
    records = [record for one in left.values() for record in one.records.values()]
    document |= {
        "config": settings,
        "versions": versions_of(records) | {name: version(name) for name in ("lm_eval", "datasets")},
        "dataset_checksum": json.loads((runs_dir / DATA / "checksums.json").read_text())["dataset_sha256"],
        "seed": settings["seed"],
    }
    write_atomically(runs_dir / "report.json", json.dumps(document, indent=1, allow_nan=False) + "\n")
    from .figure import tradeoff, under_attack

    tradeoff(document["rows"], runs_dir / "figures", ues_version=UES_VERSION)
    under_attack(document["rows"], runs_dir / "figures")
    write_atomically(runs_dir / "report.md", markdown(document))
    from ..page.report_page import content_of, write_page

    write_page(runs_dir, document, [content_of(one, runs_dir, settings["percent"]) for one in found])
    return document


def scored(settings: Mapping[str, object], left: Mapping[str, Gathered]) -> dict[str, object]:
    """Return all of a report that is made of what runs left: its rows, comparisons, controls and runs."""
    return summed(measured_of(settings, left, settings["seed"]))


def summed(scenarios: Sequence[Scenario]) -> dict[str, object]:
    """Return the rows, comparisons, controls and runs of a report on these scenarios."""
    document: dict[str, object] = {"ues_version": UES_VERSION, "rows": []}
    document |= {"comparisons": {}, "controls": {}, "runs": {}}
    for found in scenarios:
        rows, document["comparisons"][found.name] = rows_of(found)
        document["rows"] += rows
        own = found.scored["target"]
        document["controls"][found.name] = {image: _control(found.left, image, own) for image in IMAGES}
        document["runs"] |= _records(found, rows)
    return document


def _records(found: Scenario, rows: list[dict[str, object]]) -> dict[str, object]:
    """Return the records of a scenario's runs, with the verdicts of those that had none written down."""
    kept: dict[str, object] = {}
    for of_model, row in zip(found.runs.values(), rows, strict=True):
        for one, values in zip(of_model, row["by_run"], strict=True):
            if (record := one.record) is None:
                continue
            if values["verdict"] and record.verdict is None:
                record = record.model_copy(update={"verdict": values["verdict"]})
            kept[record.run_id] = record.model_dump(mode="json", exclude={"versions"})
    return kept


def _control(left: Gathered, image: str, own: Scored) -> dict[str, object] | None:
    """Return what the target still reveals when shown a blank or another patient's image."""
    if image not in left.shown:
        return None
    rows = [row for row in left.rows if row["id"] in left.shown[image]]
    found = References(rows).scored(left.shown[image], "target")
    leaked = [flag for one in found.row_scores for flag in one.leaked if flag is not None]
    return {
        "leak_rate": sum(leaked) / len(leaked) if leaked else None,
        "harm": found.mean("harm", "forget"),
        "harm_own_image": own.mean("harm", "forget"),
        "tells_shown_patient": sum(one.tells_other for one in found.row_scores) / len(found.row_scores),
        "n_forget": len(found.row_scores),
    }
