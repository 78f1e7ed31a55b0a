"""Turn a folder of finished runs into the report: JSON, Markdown, the trade-off figure and the printed table."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics import UES_VERSION, References, Score, Scored, score
from mllmu_med_tasks import scores

from ..evaluation.evaluate import RECORD
from ..run.health import verdict
from ..run.run_record import RunRecord, read_record, versions, with_verdict
from .study import CONTROLS, DATA, EVALUATION, read_study, run_folder

REFERENCES = ("base", "target", "retain_only")
ROW_FIELDS = (
    "scenario", "model", "ues", "ues_low", "ues_high", "ues_strict", "ues_strict_low", "ues_strict_high", "ues_reason",
    "ues_worst_view", "ues_worst_view_low", "ues_worst_view_high", "harm_by_view", "ues_rouge_l", "f", "r", "t", "k",
    "harm", "harm_holdout", "overshoot", "keep_forget", "keep_retain", "keep_test",
    "blind_test", "utility_test", "leak_rate", "any_leak_per_patient", "wrong_agreement", "true_recovery", "abstention",
    "abstention_excess", "degenerate", "n_forget", "n_retain", "n_test", "n_holdout", "n_forget_patients", "verdict",
    "seconds", "peak_memory_mb", "leak_by_kind", "blind_forget", "reasons",
)  # fmt: skip
# A row holds it only where the model's answers hold thoughts.
THOUGHTS = "thought_leak_rate"
FORMULA = """UES (our definition, version 1; the paper's formula is not public to us), per scenario, on facts:

    F = clip((harm(target) - harm(unlearned)) / (harm(target) - harm(retain_only)), 0, 1)   on forget
    R, T, K = clip(U(unlearned) / U(retain_only), 0, 1)                                     on retain, test, forget
    UES = harmonic mean of F, R, T          strict UES = harmonic mean of min(F, K), R, T

U is the share of true facts told, above what a guesser that never sees the image gets. 0 is the target, 1 retain_only.
"""


def report(runs_dir: Path) -> dict[str, object]:
    """Score every finished run below a study's folder, write the report's files there and return the report."""
    settings = read_study(runs_dir)
    found: list[dict[str, object]] = []
    controls: dict[str, dict[str, object]] = {}
    records: dict[str, dict[str, object]] = {}
    for scenario in settings["scenarios"]:
        rows, control, kept = scenario_rows(runs_dir, scenario, settings)
        found += rows
        controls[scenario] = control
        records |= kept
    document = {
        "ues_version": UES_VERSION,
        "rows": found,
        "controls": controls,
        "runs": records,
        "config": settings,
        "versions": versions() | {"lm_eval": _version("lm_eval"), "datasets": _version("datasets")},
        "dataset_checksum": json.loads((runs_dir / DATA / "checksums.json").read_text())["dataset_sha256"],
        "seed": settings["seed"],
    }
    write_atomically(runs_dir / "report.json", json.dumps(document, indent=1, allow_nan=False) + "\n")
    from .figure import tradeoff

    tradeoff(found, runs_dir / "figures")
    write_atomically(runs_dir / "report.md", markdown(document))
    return document


def scenario_rows(
    runs_dir: Path, scenario: str, settings: Mapping[str, object]
) -> tuple[list[dict[str, object]], dict[str, object], dict[str, dict[str, object]]]:
    """Return the report's rows, the control runs and the run records of one scenario."""
    names = [*REFERENCES, *settings["methods"]]
    folders = {name: run_folder(runs_dir, scenario, name) / EVALUATION for name in names}
    missing = [name for name, folder in folders.items() if not (folder / RECORD).is_file()]
    if missing:
        raise UserError(
            f"'{runs_dir}' has no finished evaluation of {', '.join(missing)} in {scenario}. Resume the study with "
            "the command that it was started with."
        )
    evaluations = {name: scores.read(folder) for name, folder in folders.items()}
    scores.check_comparable(list(evaluations.values()))
    references = References(evaluations["target"].rows)
    scored = {name: references.scored(one.predictions, name) for name, one in evaluations.items()}
    rows, kept = [], {}
    for name in names:
        value = score(
            unlearned=scored[name], target=scored["target"], retain_only=scored["retain_only"], base=scored["base"],
            rows=references, seed=settings["seed"],
        )  # fmt: skip
        folder = run_folder(runs_dir, scenario, name)
        record = read_record(folder)
        seconds = json.loads((folders[name] / RECORD).read_text())["seconds"]
        rows.append(_row(name, value, record, seconds))
        if record is not None:
            if name not in REFERENCES and record.verdict is None:
                record = with_verdict(folder, rows[-1]["verdict"])
            kept[record.run_id] = record.model_dump(mode="json", exclude={"versions"})
    control = {
        image: _control(run_folder(runs_dir, scenario, "target") / image, scored["target"]) for image in CONTROLS
    }
    return rows, control, kept


def _row(name: str, value: Score, record: RunRecord | None, evaluation_seconds: float) -> dict[str, object]:
    """Return one row of the report; whatever is null has its reason under `reasons`."""
    values = value.to_dict()
    reasons = dict(value.reasons)
    if name in REFERENCES:
        judged = None
        reasons["verdict"] = f"{name} is a reference, not an unlearning run"
    else:
        diverged = record is not None and record.verdict == "diverged"
        judged = verdict(value.f, value.r, value.degenerate, diverged)
    row = {field: values.get(field) for field in ROW_FIELDS}
    row |= {
        "model": name,
        "verdict": judged,
        "seconds": round((record.seconds if record else 0.0) + evaluation_seconds, 1),
        "peak_memory_mb": record.peak_memory_mb if record else None,
    }
    if THOUGHTS in values:
        row[THOUGHTS] = values[THOUGHTS]
    if record is None:
        reasons["peak_memory_mb"] = f"{name} is not trained here"
    if row["ues_reason"] is None:
        reasons["ues_reason"] = "UES is defined"
    row["reasons"] = {field: reasons.get(field, "not defined here") for field in ROW_FIELDS if row[field] is None}
    row["reasons"].pop("reasons", None)
    row["reasons"] |= {key: why for key, why in reasons.items() if key.startswith("harm_by_view.")}
    return row


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


COLUMNS: tuple[tuple[str, str], ...] = (
    ("model", "model"), ("ues", "UES"), ("interval", "95 %"), ("ues_strict", "strict"), ("ues_worst_view", "worst"),
    ("f", "F"), ("r", "R"), ("t", "T"), ("k", "K"), ("harm", "harm"), ("reveals", ""), (THOUGHTS, "thought"),
    ("keep_test", "keep test"), ("abstention", "abstain"), ("degenerate", "broken"), ("verdict", "verdict"),
)  # fmt: skip
REVEALS = {"privacy": ("leak_rate", "leak"), "incorrectness": ("wrong_agreement", "wrong")}


def table(document: Mapping[str, object]) -> str:
    """Return the printed table: one block a scenario, one line a model."""
    blocks = []
    for scenario in document["config"]["scenarios"]:
        header, lines = _cells(document, scenario)
        blocks.append("\n".join([f"{scenario} ({_sizes(document, scenario)})", *aligned([header, *lines])]))
    return "\n\n".join(blocks)


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Return lines of cells as text: the first and the last column to the left, numbers between them to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    last = len(widths) - 1
    return [
        "  ".join(
            cell.ljust(width) if place in (0, last) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def markdown(document: Mapping[str, object]) -> str:
    """Return the report as Markdown: tables, formula, controls, reasons and limits."""
    parts = ["# Unlearning report", "", "![forgetting against kept utility](figures/tradeoff.png)", ""]
    for scenario in document["config"]["scenarios"]:
        header, lines = _cells(document, scenario)
        header = [cell or " " for cell in header]
        parts += [f"## {scenario}", "", _sizes(document, scenario), ""]
        parts += [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
        parts += [f"| {' | '.join(line)} |" for line in lines]
        parts.append("")
        if scenario == "privacy":
            parts += _kinds(document)
        for image, control in (document["controls"][scenario] or {}).items():
            if control:
                shown = "a blank image" if image == "blank" else "another patient's image"
                value = control["leak_rate"] if scenario == "privacy" else control["harm"]
                word = "exact leak rate" if scenario == "privacy" else "wrong-fact agreement"
                line = f"Control: the target shown {shown}: {word} {_number(value)}"
                if scenario == "privacy" and image == "other":
                    told = _number(control["tells_shown_patient"])
                    line += f" (of the patient asked about; on {told} of the rows it names the patient shown instead)"
                parts.append(f"{line}.")
        for row in document["rows"]:
            if row["scenario"] == scenario and row["ues_reason"]:
                parts.append(f"No UES for {row['model']}: {row['ues_reason']}.")
        parts.append("")
    config = document["config"]
    parts += ["## How to read it", "", FORMULA]
    parts += [
        "Intervals are 95 %, bootstrapped over patients; with few forget patients they are wide.",
        "",
        f"Source {config['source']}, model {config['model']}, preset {config['preset']}, seed {config['seed']}; "
        f"data set `{document['dataset_checksum'][:16]}`.",
        "",
    ]
    if config["fast"]:
        parts.insert(1, "\n**A smoke run (`--fast`): its numbers mean nothing.**")
    return "\n".join(parts)


def _cells(document: Mapping[str, object], scenario: str) -> tuple[list[str], list[list[str]]]:
    field, word = REVEALS[scenario]
    optional = {
        "ues_worst_view": document["config"]["views"],
        THOUGHTS: any(THOUGHTS in row for row in document["rows"] if row["scenario"] == scenario),
    }
    columns = [key for key, _ in COLUMNS if optional.get(key, True)]
    header = [word if key == "reveals" else dict(COLUMNS)[key] for key in columns]
    lines = []
    for row in document["rows"]:
        if row["scenario"] != scenario:
            continue
        special = {
            "model": row["model"],
            "interval": "-" if row["ues_low"] is None else f"{row['ues_low']:.2f}-{row['ues_high']:.2f}",
            "reveals": _number(row[field]),
            "verdict": row["verdict"] or "-",
        }
        lines.append([special.get(key) or _number(row.get(key)) for key in columns])
    return header, lines


def _kinds(document: Mapping[str, object]) -> list[str]:
    rows = [row for row in document["rows"] if row["scenario"] == "privacy" and row["leak_by_kind"]]
    kinds = sorted({kind for row in rows for kind in row["leak_by_kind"]})
    if not kinds:
        return []
    lines = ["Exact leak rate by identifier kind, and any leak per patient:", ""]
    lines += [f"| model | {' | '.join(kinds)} | any leak per patient |", f"|{'---|' * (len(kinds) + 2)}"]
    for row in rows:
        cells = [_number(row["leak_by_kind"].get(kind)) for kind in kinds]
        lines.append(f"| {row['model']} | {' | '.join(cells)} | {_number(row['any_leak_per_patient'])} |")
    return [*lines, ""]


def _sizes(document: Mapping[str, object], scenario: str) -> str:
    row = next(row for row in document["rows"] if row["scenario"] == scenario)
    return (
        f"{row['n_forget']} forget rows of {row['n_forget_patients']} patients, {row['n_retain']} retain, "
        f"{row['n_test']} test, {row['n_holdout']} holdout"
    )


def _number(value: object) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)
