"""The page of two studies side by side: how their scores differ, and which answers are other ones."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mllmu_med_dataset.errors import UserError

from ..study.compared import LEVEL
from ..study.report_text import COLUMNS, number
from ..study.study import DATA, read_study
from ..study.two_studies import Two, changes, two_studies
from .answers import OUTCOMES, Voice, browser, outcome
from .pictures import thumbnails
from .render import write
from .report_page import NOT_PASSED_ON, Content, browser_data, rows_by_id, voices_of
from .tables import Cell, Table

FIRST, SECOND = "A", "B"
SECTIONS = (("scores", "Scores"), ("changed", "What changed"), ("answers", "Answers"))


def compare(first: Path, second: Path, out: Path) -> dict[str, object]:
    """Write the page of two studies and return what it says of them; the second's values minus the first's."""
    if out.is_dir():
        raise UserError(f"'{out}' is a folder. Name the file to write, such as {out / 'compare.html'}.")
    document: dict[str, object] = {"a": first.resolve().name, "b": second.resolve().name, "scenarios": {}}
    percent = read_study(first)["percent"]
    shown, contents = [], []
    for two in two_studies(first, second):
        voices = _voices(two)
        answers = _changes(two, voices)
        document["scenarios"][two.name] = {
            "score": two.score, "same_target": two.same_target, "differences": [*two.differences], "answers": answers,
        }  # fmt: skip
        contents.append(_content(two, voices, first, percent))
        shown.append(_scenario(two, answers))
    out.parent.mkdir(parents=True, exist_ok=True)
    write(
        out,
        "compare.jinja",
        browser_data(contents, compared=True),
        title=f"{document['a']} ({FIRST}) and {document['b']} ({SECOND})",
        lead=f"Two studies of the same rows. Differences are {SECOND} minus {FIRST}, paired by patient.",
        warnings=[] if all(one.may_be_passed_on for one in contents) else [NOT_PASSED_ON],
        sections=SECTIONS,
        scenarios=shown,
    )
    return document


def text(document: Mapping[str, object]) -> str:
    """Return what a comparison says as lines: a block a scenario, a line a model."""
    lines = []
    for scenario, found in document["scenarios"].items():
        lines.append(f"{scenario}: {COLUMNS[found['score']]} of {document['b']} minus {document['a']}")
        for one in found["differences"]:
            if one["field"] == found["score"]:
                changed = found["answers"][one["model"]]
                said = f"{changed['changed']} of {changed['rows']} answers are other ones"
                lines.append(f"  {one['model']:<14} {_difference(one)}  p {_p(one['p_holm'])}  {said}")
    return "\n".join(lines)


def _voices(two: Two) -> list[Voice]:
    """Return the runs of both studies, target and gold of each among them, labelled by study and seed."""
    models = ("target", "retain_only", *two.models)
    voices = []
    for letter, found in ((FIRST, two.first), (SECOND, two.second)):
        for one in voices_of(found):
            if one.model in models:
                voices.append(replace(one, label=letter if one.seed is None else f"{letter} {one.seed}"))
    return sorted(voices, key=lambda one: models.index(one.model))


def _pairs(voices: Sequence[Voice]) -> list[tuple[int, int]]:
    """Return the places of each first run of a model in both studies."""
    firsts: dict[tuple[str, str], int] = {}
    for place, voice in enumerate(voices):
        firsts.setdefault((voice.model, voice.label[0]), place)
    models = dict.fromkeys(voice.model for voice in voices)
    return [(firsts[model, FIRST], firsts[model, SECOND]) for model in models]


def _changes(two: Two, voices: Sequence[Voice]) -> dict[str, object]:
    """Return for each model, over its first run in both studies, how many answers to forget rows are other ones."""
    rows = [row for row in two.first.references.rows if row.subset == "forget"]
    found = {}
    for mine, theirs in _pairs(voices):
        before, after = voices[mine], voices[theirs]
        found[before.model] = changes(
            [(before.answers[row.id], after.answers[row.id]) for row in rows],
            [(outcome(row, before.scores[row.id]), outcome(row, after.scores[row.id])) for row in rows],
        )
    return found


def _content(two: Two, voices: Sequence[Voice], first: Path, percent: int) -> Content:
    asked = rows_by_id(two.first)
    answers, images = browser(two.first.references, asked, voices)
    answers |= {"always": [], "pairs": _pairs(voices)}
    return Content(
        name=two.name, answers=answers, images=thumbnails(first / DATA, two.name, percent, images), curves={},
        digests={}, may_be_passed_on=all(row.get("redistributable", True) for row in asked.values()), identifiers={},
    )  # fmt: skip


def _scenario(two: Two, answers: Mapping[str, object]) -> dict[str, object]:
    """Return what the template shows of one scenario."""
    covers = dict.fromkeys(one["covers"] for one in two.differences)
    return {
        "name": two.name,
        "note": f"The intervals are {' or '.join(covers)}. "
        + ("Both unlearned the same target." if two.same_target else "Each has a target of its own: another pair of "
           "targets may differ in other ways than the intervals say."),
        "score_name": COLUMNS[two.score],
        "scores": _scores(two),
        "parts": _parts(two),
        "changed": _changed(answers),
        "left_out": [],
    }  # fmt: skip


def _scores(two: Two) -> Table:
    """Return a line a model, of the score that models are compared by."""
    header = [(label, "") for label in (FIRST, SECOND, "difference", "p (Holm)", "so")]
    lines = []
    for one in two.differences:
        if one["field"] == two.score:
            apart = one["p_holm"] is not None and one["p_holm"] < LEVEL
            so = f"{SECOND} {'higher' if one['difference'] > 0 else 'lower'}" if apart else "can't be told apart"
            lines.append((one["model"], False, [*_cells(one), Cell(_p(one["p_holm"]), one["p_holm"]), Cell(so)]))
    return Table(header, lines)


def _parts(two: Two) -> Table:
    """Return a line a model and part of the score."""
    header = [(label, "") for label in ("part", FIRST, SECOND, "difference")]
    parts = [one for one in two.differences if one["field"] != two.score]
    names = {one["field"]: COLUMNS.get(one["field"]) or one["field"].replace("_", " ") for one in parts}
    return Table(header, [(one["model"], False, [Cell(names[one["field"]]), *_cells(one)]) for one in parts])


def _cells(one: Mapping[str, object]) -> list[Cell]:
    shown = f"{one['difference']:+.2f}"
    bar = {"low": one["low"], "high": one["high"], "point": one["difference"], "least": -1.0}
    return [
        Cell(number(one["first"]), one["first"]), Cell(number(one["second"]), one["second"]),
        Cell(shown, one["difference"], **(bar if one["low"] is not None else {})),
    ]  # fmt: skip


def _changed(answers: Mapping[str, object]) -> Table:
    header = [(label, "") for label in ("forget rows and views", "other answers", "other outcomes")]
    lines = []
    for model, found in answers.items():
        became = "; ".join(f"{_named(change)}: {count}" for change, count in found["outcomes"].items()) or "none"
        cells = [Cell(str(found[key]), found[key]) for key in ("rows", "changed")]
        lines.append((model, False, [*cells, Cell(became)]))
    return Table(header, lines)


def _named(change: str) -> str:
    """Return a change of outcome in the page's own words."""
    return " → ".join(OUTCOMES[name] for name in change.split(" → "))


def _difference(one: Mapping[str, object]) -> str:
    ends = "" if one["low"] is None else f" ({one['low']:+.2f} to {one['high']:+.2f})"
    return f"{one['difference']:+.2f}{ends}"


def _p(p: float | None) -> str:
    return "-" if p is None else f"{p:.3f}" if p >= 0.001 else "< 0.001"
