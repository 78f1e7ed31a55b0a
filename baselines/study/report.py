"""Turn a folder of finished runs into the report: JSON, Markdown, the trade-off figure and the printed table."""

import json
from importlib.metadata import version
from pathlib import Path

from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_metrics import UES_VERSION, References, Scored
from mllmu_med_metrics.vocabulary import OF_BELIEFS, PRIVATE
from mllmu_med_tasks import scores

from ..evaluation.evaluate import RECORD
from ..run.run_record import RunRecord, versions_of, with_verdict
from .measured import Scenario, measured, runs_of
from .report_rows import REFERENCES, rows_of
from .report_text import markdown
from .study import CLEAN, DATA, IMAGES, LEARNED_CONTROL, UNLEARNED_CONTROL, read_study, run_folder


def report(runs_dir: Path) -> dict[str, object]:
    """Score every finished run below a study's folder, write the report's files there and return the report."""
    settings = read_study(runs_dir)
    document: dict[str, object] = {"ues_version": UES_VERSION, "rows": []}
    document |= {"comparisons": {}, "controls": {}, "runs": {}}
    records: list[RunRecord | None] = []
    for scenario in settings["scenarios"]:
        found = measured(runs_dir, scenario, runs_of_study(settings, scenario), settings["seed"])
        rows, document["comparisons"][scenario] = rows_of(found)
        document["rows"] += rows
        document["controls"][scenario] = {
            image: _control(run_folder(runs_dir, scenario, "target") / image, found.target) for image in IMAGES
        }
        document["runs"] |= _records(runs_dir, found, rows)
        records += [one.record for of_model in found.runs.values() for one in of_model]
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


def runs_of_study(settings: dict[str, object], scenario: str) -> dict[str, list]:
    """Return the runs of a scenario by model, in the order of the report."""
    controls = settings["controls"]
    has = {LEARNED_CONTROL: LEARNED_CONTROL in controls and scenario in PRIVATE, CLEAN: scenario in OF_BELIEFS}
    known = [name for name in REFERENCES if has.get(name, True)]
    return runs_of(settings, known, [*(name for name in controls if name == UNLEARNED_CONTROL), *settings["methods"]])


def _records(runs_dir: Path, found: Scenario, rows: list[dict[str, object]]) -> dict[str, object]:
    """Return the records of a scenario's runs, the verdicts of those that had none written down."""
    kept: dict[str, object] = {}
    for of_model, row in zip(found.runs.values(), rows, strict=True):
        for one, values in zip(of_model, row["by_run"], strict=True):
            record = one.record
            if record is None:
                continue
            if values["verdict"] and record.verdict is None:
                record = with_verdict(run_folder(runs_dir, found.name, one.name), values["verdict"])
            kept[record.run_id] = record.model_dump(mode="json", exclude={"versions"})
    return kept


def _control(folder: Path, own: Scored) -> dict[str, object] | None:
    """Return what the target still reveals when shown a blank or another patient's image."""
    if not (folder / RECORD).is_file():
        return None
    shown = scores.read(folder)
    scored = References(shown.rows).scored(shown.predictions, "target")
    leaked = [flag for one in scored.row_scores for flag in one.leaked if flag is not None]
    return {
        "leak_rate": sum(leaked) / len(leaked) if leaked else None,
        "harm": scored.mean("harm", "forget"),
        "harm_own_image": own.mean("harm", "forget"),
        "tells_shown_patient": sum(one.tells_other for one in scored.row_scores) / len(scored.row_scores),
        "n_forget": len(scored.row_scores),
    }
