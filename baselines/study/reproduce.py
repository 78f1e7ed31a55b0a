"""Run a reported study again, whole or in part, and compare what it says with what the report says."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import sqrt
from pathlib import Path
from statistics import stdev

from scipy.special import stdtrit

from mllmu_med_dataset.errors import UserError, unknown
from mllmu_med_metrics import UES_VERSION

from ..model.models import is_digest_of, names_by_this_rule
from .bench import HERE, bench
from .engines.options import EngineOptions
from .kinds import Report, check_kinds
from .report_rows import REFERENCES
from .study import OLDER, Study, check_settings

COMPARED = ("ues", "ues_strict")


@dataclass(frozen=True)
class Difference:
    """One score of one model, as reported and again; `apart` is None where only one of them is defined.

    run_to_run: how far apart two means of as many runs lie in 95 % of cases, by the spread of the reported runs; None
    where the report has one run of the model, and nothing tells.
    """

    scenario: str
    model: str
    field: str
    reported: float | None
    again: float | None
    run_to_run: float | None = None

    @property
    def apart(self) -> float | None:
        """Return how far the two are apart, from 0 to 1."""
        if self.reported is None and self.again is None:
            return 0.0
        if self.reported is None or self.again is None:
            return None
        return abs(self.reported - self.again)

    def allowed(self, tolerance: float) -> float:
        """Return how far apart the two may be: the run-to-run interval, but at least the tolerance."""
        return max(tolerance, self.run_to_run or 0.0)

    def within(self, tolerance: float) -> bool:
        """Say whether the two agree."""
        return self.apart is not None and self.apart <= self.allowed(tolerance)

    def line(self, tolerance: float) -> str:
        """Return the difference as a line of text."""
        shown = ("-" if value is None else f"{value:.4f}" for value in (self.reported, self.again))
        names = f"{self.scenario:<14} {self.model:<12} {self.field:<11}"
        judged = "same" if self.within(tolerance) else "DIFFERS"
        return f"{names} {' -> '.join(shown)}  {judged} (within {self.allowed(tolerance):.3f})"


def run_to_run(row: Mapping[str, object], field: str) -> float | None:
    """Return how far two means of as many runs as a row has are apart, at most, in 95 % of cases.

    t sd sqrt(2 / runs) with the sd of the row's own runs; None for fewer than two runs with a value.
    """
    values = [one[field] for one in row.get("by_run") or () if one.get(field) is not None]
    if len(values) < 2:
        return None
    return float(stdtrit(len(values) - 1, 0.975)) * stdev(values) * sqrt(2 / len(values))


def read_report(path: Path) -> dict[str, object]:
    """Return the report in the file, or in the folder of a study; a :class:`UserError` where there is none."""
    file = path / "report.json" if path.is_dir() else path
    if not file.is_file():
        raise UserError(
            f"There is no report at '{path}'. Give a report.json, or the --out folder of `mllmu-med bench`."
        )
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"'{file}' is not JSON ({error}). Give the report.json that `mllmu-med bench` wrote.") from None
    needed = ("rows", "runs", "config", "versions", "dataset_checksum")
    missing = [key for key in needed if not isinstance(document, dict) or key not in document]
    if missing:
        raise UserError(
            f"'{file}' is no report of a bench: it has no {', '.join(missing)}. Give the report.json that "
            "`mllmu-med bench` wrote."
        )
    fix = "Give the report.json that `mllmu-med bench` wrote."
    check_kinds(Report, document, file, "report of a bench", fix)
    check_settings({**OLDER, **document["config"]}, file, fix)
    return document


def study_of(
    document: Mapping[str, object], out: Path, scenarios: Sequence[str] = (), methods: Sequence[str] = ()
) -> Study:
    """Return the study of a report, or its part with these scenarios and methods only, to be run in `out`.

    A method depends on nothing but the target, so that a part gives the numbers of the whole. Its data set is
    built whole.
    """
    config = {**OLDER, "views": False, **document["config"]}
    for word, asked, ran in (
        ("scenario of the report", scenarios, config["scenarios"]), ("method of the report", methods, config["methods"])
    ):  # fmt: skip
        for name in asked:
            if name not in ran:
                raise unknown(word, name, ran)
    whole = tuple(config.get("built") or config["scenarios"])
    config["scenarios"] = tuple(scenarios or config["scenarios"])
    config["built"] = whole if whole != config["scenarios"] else None
    config["methods"] = tuple(methods or config["methods"])
    config["controls"] = tuple(config["controls"])
    config["attacks"] = False  # what is compared is what a model says when asked
    config["method_files"] = tuple(Path(file) for file in config.get("method_files", ()))
    config["source_path"] = Path(config["source_path"]) if config["source_path"] else None
    known = {field.name for field in fields(Study)}
    strange = sorted(config.keys() - known)
    if strange:
        raise UserError(
            f"The report was made with settings that this version does not know ({', '.join(strange)}). Install the "
            f"version that made it: mllmu-med {document['versions'].get('mllmu-med', 'unknown')}."
        )
    return Study(**{**config, "out": out})


def _same_by_old_rule(run: Mapping, reported: Mapping, base: str) -> bool:
    """Say whether a run is the reported one as far as a report of an older rule for naming models can tell.

    It names the base, which is compared by that rule, and targets, which were learned anew and are compared by scores.
    """
    ours, theirs = run.get("config"), reported.get("config")
    if not isinstance(ours, Mapping) or not isinstance(theirs, Mapping) or names_by_this_rule(theirs.get("model")):
        return False
    if run["name"] != reported.get("name") or {**ours, "model": None} != {**theirs, "model": None}:
        return False
    return run.get("kind") != "learn" or is_digest_of(theirs.get("model"), base)


def reproduce(
    document: Mapping[str, object], study: Study, *, options: EngineOptions = HERE
) -> tuple[list[Difference], list[str]]:
    """Run the study and return how its scores differ from the report's, and notes on what else is not the same."""
    if document.get("ues_version", 1) != UES_VERSION:
        raise UserError(
            f"The report is of UES version {document.get('ues_version', 1)}, and this is mllmu-med with version "
            f"{UES_VERSION}: their scores are not compared. Install the version that made it, or run the bench again."
        )
    again = bench(study, options=options)
    notes = [
        f"{package} was {version}, is {again['versions'].get(package, 'absent')}"
        for package, version in document["versions"].items()
        if again["versions"].get(package) != version
    ]
    if again["dataset_checksum"] != document["dataset_checksum"]:
        notes.append(
            f"the data set was {document['dataset_checksum'][:16]}, is {again['dataset_checksum'][:16]}: other rows"
        )
    others, unknown_targets = [], []
    for key, run in again["runs"].items():
        if key not in document["runs"]:
            by_old_rule = any(_same_by_old_rule(run, one, study.model) for one in document["runs"].values())
            (unknown_targets if by_old_rule else others).append(run["name"])
    if any(name not in REFERENCES for name in unknown_targets):
        notes.append("the report names models by an older rule, so its targets are not compared with the new ones")
    if others:
        notes.append(f"decided by other settings, another model or other data than reported: {', '.join(others)}")
    reported = {(row["scenario"], row["model"]): row for row in document["rows"]}
    differences = []
    for row in again["rows"]:
        if row["model"] in REFERENCES and row["model"] != "base":
            continue
        before = reported[row["scenario"], row["model"]]
        differences += [
            Difference(row["scenario"], row["model"], field, before[field], row[field], run_to_run(before, field))
            for field in COMPARED
        ]
    return differences, notes
