"""Turn a folder of finished runs into the report: JSON, Markdown, the trade-off figure and the printed table."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_metrics import UES_VERSION, References, Scored
from mllmu_med_metrics.vocabulary import OF_BELIEFS, PRIVATE

from ..run.run_record import read_record, versions_of, with_verdict
from .gathered import Gathered, gathered
from .measured import Scenario, measured, runs_of
from .report_rows import REFERENCES, rows_of
from .report_text import markdown
from .study import CLEAN, DATA, IMAGES, LEARNED_CONTROL, UNLEARNED_CONTROL, read_study, run_folder, run_name


def report(runs_dir: Path) -> dict[str, object]:
    """Score every finished run below a study's folder, write the report's files there and return the report."""
    settings = read_study(runs_dir)
    left = {scenario: gathered(runs_dir, scenario, names_of(settings, scenario)) for scenario in settings["scenarios"]}
    document = scored(settings, left)
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
    return document


def scored(settings: Mapping[str, object], left: Mapping[str, Gathered]) -> dict[str, object]:
    """Return all of a report that is made of what runs left: its rows, comparisons, controls and runs."""
    document: dict[str, object] = {"ues_version": UES_VERSION, "rows": []}
    document |= {"comparisons": {}, "controls": {}, "runs": {}}
    for scenario, one in left.items():
        found = measured(scenario, one, runs_in(settings, scenario), settings["seed"])
        rows, document["comparisons"][scenario] = rows_of(found)
        document["rows"] += rows
        document["controls"][scenario] = {image: _control(one, image, found.target) for image in IMAGES}
        document["runs"] |= _records(found, rows)
    return document


def names_of(settings: Mapping[str, object], scenario: str) -> list[str]:
    """Return the names of a scenario's runs, in the order of the report."""
    return [name for of_model in runs_in(settings, scenario).values() for name, _ in of_model]


def runs_in(settings: Mapping[str, object], scenario: str) -> dict[str, list]:
    """Return the runs of a scenario by model, in the order of the report."""
    controls = settings["controls"]
    has = {LEARNED_CONTROL: LEARNED_CONTROL in controls and scenario in PRIVATE, CLEAN: scenario in OF_BELIEFS}
    known = [name for name in REFERENCES if has.get(name, True)]
    return runs_of(settings, known, [*(name for name in controls if name == UNLEARNED_CONTROL), *settings["methods"]])


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
