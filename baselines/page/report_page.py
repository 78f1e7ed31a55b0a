"""The page of one study: what it came to, where things come out, and what every model says to every forget row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..study.compared import LEVEL
from ..study.measured import GOLD_AND_TARGET, Scenario
from ..study.report_rows import REFERENCES, headline
from ..study.report_text import COLUMNS, FORMULA, INTERVALS, UNDER_ATTACK, covers_of, legend_of, sizes_of
from ..study.study import DATA
from . import about, charts, provenance, tables
from .answers import OUTCOMES, Voice, browser
from .pictures import thumbnails
from .render import write
from .verdict import verdict

NAME = "report.html"
SECTIONS = (
    ("about", "What this is"), ("verdict", "Verdict"), ("scores", "Scores"), ("tradeoff", "Forgotten against kept"),
    ("kinds", "By kind"), ("places", "Views and attacks"), ("training", "Training"), ("answers", "Answers"),
    ("reproduce", "Run it again"),
)  # fmt: skip
NOT_PASSED_ON = (
    "Rows of this study are of a source that may not be passed on. Their images are not in this page, but questions "
    "and answers are: keep it where the data is."
)


@dataclass(frozen=True)
class Content:
    """What a page holds of one scenario beside the report: the answer browser, images, curves, digests.

    identifiers: of each kind, how many are asked for on forget rows; none where no identities are the secret.
    """

    name: str
    answers: Mapping[str, object]
    images: Mapping[str, str]
    curves: Mapping[str, Sequence[charts.Curve]]
    digests: Mapping[str, str | None]
    may_be_passed_on: bool
    identifiers: Mapping[str, int]


def voices_of(found: Scenario) -> list[Voice]:
    """Return every run of a scenario as the answer browser takes it, in the order of the report."""
    ids = found.references.ids
    return [
        Voice(
            model, "" if run.seed is None else f"seed {run.seed}", run.seed, found.left.answers[run.name],
            dict(zip(ids, found.scored[run.name].row_scores or (), strict=True)),
        )
        for model, runs in found.runs.items()
        for run in runs
    ]  # fmt: skip


def rows_by_id(found: Scenario) -> dict[str, Mapping[str, object]]:
    """Return the rows of a scenario as they were asked, by id."""
    return {str(row["id"]): row for row in found.left.rows}


def content_of(found: Scenario, runs_dir: Path, percent: int) -> Content:
    """Return what the page holds of a scenario; what was answered can be let go of afterwards."""
    asked = rows_by_id(found)
    answers, images = browser(found.references, asked, voices_of(found))
    names = {model: [run.name for run in runs] for model, runs in found.runs.items()}
    return Content(
        name=found.name,
        answers={**answers, "always": [*GOLD_AND_TARGET]},
        images=thumbnails(runs_dir / DATA, found.name, percent, images),
        curves=charts.curves(runs_dir, found.name, names),
        digests=found.left.digests,
        may_be_passed_on=all(row.get("redistributable", True) for row in asked.values()),
        identifiers={kind: count for kind, (_, count) in found.scored["target"].told_by_kind.items()},
    )


def write_page(runs_dir: Path, document: Mapping[str, object], contents: Sequence[Content]) -> Path:
    """Write the page of a report into the study's folder and return its path."""
    config = document["config"]
    warnings = ["A smoke run (--fast): its numbers mean nothing."] if config["fast"] else []
    warnings += [] if all(one.may_be_passed_on for one in contents) else [NOT_PASSED_ON]
    attacked = any(row.get("attacks") for row in document["rows"])
    path = runs_dir / NAME
    write(
        path,
        "report.jinja",
        browser_data(contents),
        title="Unlearning report",
        lead=_lead(document),
        warnings=warnings,
        introduction=about.introduction(document),
        glossary=about.glossary(document),
        sections=SECTIONS,
        scenarios=[_scenario(document, one) for one in contents],
        meanings=[(COLUMNS.get(key) or key.replace("_", " "), words) for key, words in tables.EXPLAINED.items()],
        notes=[FORMULA, *([UNDER_ATTACK] if attacked else []), INTERVALS],
        commands=provenance.commands(document),
        runs=provenance.runs(document),
        versions=document["versions"],
        checksum=document["dataset_checksum"],
        ues_version=document["ues_version"],
    )
    return path


def browser_data(contents: Sequence[Content], *, compared: bool = False) -> dict[str, object]:
    """Return the data of the answer browser of all scenarios."""
    return {
        "outcomes": OUTCOMES,
        "references": [*REFERENCES],
        "compared": compared,
        "images": {image: uri for one in contents for image, uri in one.images.items()},
        "scenarios": [one.answers for one in contents],
    }


def _lead(document: Mapping[str, object]) -> str:
    config = document["config"]
    model = provenance.name_of(str(config["model"]))
    methods = len(config["methods"])
    return (
        f"{methods} unlearning method{'s' * (methods != 1)} on {model}, source {config['source']}, preset "
        f"{config['preset']}, {config['unlearning_seeds']} unlearning seed{'s' * (config['unlearning_seeds'] != 1)}, "
        f"seed {document['seed']}."
    )


def _scenario(document: Mapping[str, object], content: Content) -> dict[str, object]:
    """Return what the templates show of one scenario."""
    scenario = content.name
    rows = tables.of_scenario(document, scenario)
    colours = charts.colours_of(document["rows"])
    compared = (document.get("comparisons") or {}).get(scenario) or {}
    return {
        "name": scenario,
        "verdict": verdict(document, scenario, content.identifiers),
        "sizes": "; ".join([sizes_of(document, scenario), *covers_of(document, scenario)]),
        "scores": tables.scores(document, scenario),
        "legend": legend_of(document, scenario),
        "pairs": tables.pairs(document, scenario),
        "differences": [difference_line(one) for one in compared.get("differences", ())],
        "score_name": COLUMNS[headline(scenario, document["ues_version"])],
        "tradeoff": charts.tradeoff(rows, document["ues_version"], colours),
        "under_attack": charts.under_attack(rows, colours),
        "leaks": tables.leaks_by_kind(document, scenario, content.identifiers),
        "harm_kinds": tables.harm_by_kind(document, scenario),
        "wrong": tables.errors_by_kind(document, scenario, "wrong"),
        "truth": tables.errors_by_kind(document, scenario, "true"),
        "places": tables.places_and_attacks(document, scenario),
        "curves": content.curves,
        "digests": content.digests,
        "left_out": content.answers["left_out"],
    }


def difference_line(one: Mapping[str, object]) -> tuple[str, ...]:
    """Return a declared difference as cells: who, against whom, how much, interval, p, and what follows."""
    known = one["difference"] is not None and one["low"] is not None
    p = one["p_holm"]
    apart = p is not None and p < LEVEL
    so = "can't be told apart" if not apart else "better" if one["difference"] > 0 else "worse"
    return (
        str(one["model"]),
        str(one["against"]),
        f"{one['difference']:+.2f}" if one["difference"] is not None else "-",
        f"{one['low']:+.2f} to {one['high']:+.2f}" if known else "-",
        "-" if p is None else f"{p:.3f}" if p >= 0.001 else "< 0.001",
        so if known else "-",
    )
