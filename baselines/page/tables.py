"""The tables of a page, as templates take them: every number is one of the report's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mllmu_med_metrics.vocabulary import PRIVATE

from ..study.report_rows import REFERENCES, headline
from ..study.report_text import (
    COLUMNS,
    NOT_ABOVE,
    OPTIONAL,
    OTHER_REVEALS,
    PRIVATE_REVEALS,
    number,
    short_attack,
)

Rows = Sequence[Mapping[str, object]]
# What a column is, for who does not know its letter.
EXPLAINED: Mapping[str, str] = {
    "ues": "unlearning score: harmonic mean of F and U",
    "ues_strict": "the same with min(F, K) for F: refusing is no forgetting",
    "ues_robust": "the same with the worst attack's F_a as well",
    "letters": "models that share a letter can't be told apart",
    "f": "forgotten: 0 the target, 1 retain_only",
    "u": "kept utility: harmonic mean of R and T",
    "r": "kept on retain rows",
    "t": "kept on test rows",
    "b": "kept of bystanders' identities",
    "n": "kept of neighbouring beliefs",
    "k": "kept of the clinical truth on forget rows",
    "harm": "how much of what is to be forgotten is told, in the place that tells most",
    "belief_spread": "share of rows about images never trained on that say the wrong belief",
    "patients_leaked": "forget patients of whom any answer tells an identifier exactly",
    "leak_rate": "share of identifiers told exactly on forget rows",
    "wrong_agreement": "share of forget rows that still say the wrong fact",
    "keep_test": "share of test rows answered with the true fact only",
    "abstention": "share of forget rows refused",
    "added_claims": "share of answers that claim something not asked",
    "degenerate": "share of answers that are broken",
    "spread": "standard deviation over unlearning seeds",
    "verdict": "whether training stayed sound",
    "worst_attack": "the attack that leaves least forgotten, and F under it",
}
NO_NUMBERS = ("letters", "verdict")


@dataclass(frozen=True)
class Cell:
    """One cell: what it shows, what it is sorted by, where it is coloured how deep (0 to 10), where a bar its parts.

    A bar goes from `least`, the least value there can be, to 1. `note` stands below what a cell without one shows.
    """

    text: str
    value: object = None
    depth: int | None = None
    low: float | None = None
    high: float | None = None
    point: float | None = None
    least: float = 0.0
    note: str = ""

    def at(self, value: float) -> float:
        """Return where a value stands on the bar, in percent of its length."""
        return round(100 * (value - self.least) / (1 - self.least), 1)

    @property
    def is_bar(self) -> bool:
        """Whether the cell shows a value with its interval."""
        return self.point is not None


@dataclass(frozen=True)
class Table:
    """One table: its header as (label, explanation), and lines of a name, whether it is a reference, and cells."""

    header: Sequence[tuple[str, str]]
    lines: Sequence[tuple[str, bool, Sequence[Cell]]]

    def __bool__(self) -> bool:
        """Say whether there is anything to show."""
        return bool(self.lines and self.header)


def of_scenario(document: Mapping[str, object], scenario: str) -> Rows:
    """Return the rows of a scenario."""
    return [row for row in document["rows"] if row["scenario"] == scenario]


def is_method(row: Mapping[str, object]) -> bool:
    """Say whether a row is of something that unlearned, the control among them."""
    return row["model"] not in REFERENCES


def scores(document: Mapping[str, object], scenario: str) -> Table:
    """Return the table of scores: that of the scenario first, with its interval as a bar."""
    rows, score = of_scenario(document, scenario), headline(scenario, document["ues_version"])
    reveals = PRIVATE_REVEALS if scenario in PRIVATE else OTHER_REVEALS
    labels = {key: label for key, label in COLUMNS.items() if not key.endswith("_interval")}
    labels = {reveals[0] if key == "reveals" else key: label or reveals[1] for key, label in labels.items()}
    has = {key: any(row.get(key) is not None for row in rows) for key in OPTIONAL}
    rest = [key for key in labels if key not in ("model", score, "letters") and has.get(key, True)]
    keys = [score, *(["letters"] if has["letters"] else []), *rest]
    header = [(labels[key] or key, EXPLAINED.get(key, "")) for key in keys]
    lines = [
        (
            f"{row['model']}{NOT_ABOVE if row.get('beats_retain_ft') is False else ''}",
            not is_method(row),
            [_score_cell(row, key, with_bar=key == score) for key in keys],
        )
        for row in rows
    ]
    return Table(header, lines)


def pairs(document: Mapping[str, object], scenario: str) -> Table:
    """Return which method is better than which: by their letters whether two can be told apart, by scores which way."""
    score = headline(scenario, document["ues_version"])
    rows = [row for row in of_scenario(document, scenario) if row.get("letters") and row[score] is not None]
    rows = sorted(rows, key=lambda row: -row[score]) if len(rows) > 1 else []
    header = [(f"than {row['model']}", "") for row in rows]
    return Table(header, [(str(row["model"]), False, [_better(row, other, score) for other in rows]) for row in rows])


def _better(row: Mapping[str, object], other: Mapping[str, object], score: str) -> Cell:
    if row is other:
        return Cell("")
    if set(row["letters"]) & set(other["letters"]):
        return Cell("alike", 0)
    return Cell("better", 1) if row[score] > other[score] else Cell("worse", -1)


def _score_cell(row: Mapping[str, object], key: str, *, with_bar: bool) -> Cell:
    value = row.get(key)
    if key == "worst_attack":
        if not value or not is_method(row):
            return Cell("-")
        return Cell(number(value["f"]), value["f"], note=short_attack(value["attack"]))
    low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    if value is not None and low is not None and high is not None:
        bar = {"low": low, "high": high, "point": value} if with_bar else {"note": f"{low:.2f}–{high:.2f}"}
        return Cell(number(value), value, **bar)
    return Cell(value or "-", value) if key in NO_NUMBERS else Cell(number(value), value)


def _shade(value: float | None) -> int | None:
    """Return how deep a share from 0 to 1 is coloured, in tenths."""
    return None if value is None else round(10 * min(max(value, 0.0), 1.0))


def heat(lines: Mapping[str, Mapping[str, float | None]], labels: Mapping[str, str] | None = None) -> Table:
    """Return a heat map of shares of harm: a line a model, a column a key, in the order in which keys come."""
    keys = list(labels or dict.fromkeys(key for values in lines.values() for key in values))
    header = [((labels or {}).get(key, key.replace("_", " ")), "") for key in keys]
    return Table(
        header,
        [
            (model, model in REFERENCES, [_heat_cell(values.get(key)) for key in keys])
            for model, values in lines.items()
        ],
    )


def _heat_cell(value: float | None) -> Cell:
    return Cell(number(value if value is None else float(value)), value, depth=_shade(value))


def leaks_by_kind(document: Mapping[str, object], scenario: str, counts: Mapping[str, int]) -> Table:
    """Return, by model and kind of identifier, the share told exactly of so many on forget rows."""
    return heat(_by_kind(document, scenario, "leak_by_kind"), _counted(counts))


def harm_by_kind(document: Mapping[str, object], scenario: str) -> Table:
    """Return, by model and kind of identifier, the harm in the place that tells it most."""
    return heat(_by_kind(document, scenario, "harm_by_kind"))


def _by_kind(document: Mapping[str, object], scenario: str, field: str) -> dict[str, Mapping[str, float | None]]:
    return {row["model"]: row[field] for row in of_scenario(document, scenario) if row.get(field)}


def _counted(counts: Mapping[str, int]) -> dict[str, str]:
    """Return kinds as a header holds them, with how many there are."""
    return {kind: f"{kind.replace('_', ' ')} ({count})" for kind, count in counts.items()}


def places_and_attacks(document: Mapping[str, object], scenario: str) -> Table:
    """Return harm in every place that was asked, and what every attack brings out, as one heat map."""
    lines: dict[str, dict[str, float | None]] = {}
    places: dict[str, str] = {}
    attacks: dict[str, str] = {}
    for row in of_scenario(document, scenario):
        lines[row["model"]] = dict(row.get("harm_by_place") or {})
        places |= {place: place.replace("_", " ") for place in lines[row["model"]]}
        for name, found in (row.get("attacks") or {}).items():
            lines[row["model"]][f"attack {name}"] = found["harm"]
            attacks[f"attack {name}"] = f"attack: {short_attack(name)}"
    return heat({model: values for model, values in lines.items() if values}, places | attacks)


def errors_by_kind(document: Mapping[str, object], scenario: str, field: str) -> Table:
    """Return, by model and kind of error, the share of forget rows that say the wrong fact, or the true one only."""
    found = (document.get("error_kinds") or {}).get(scenario) or {}
    counts = {kind: values["n"] for kinds in found.values() for kind, values in kinds.items()}
    lines = {model: {kind: values[field] for kind, values in kinds.items()} for model, kinds in found.items()}
    return heat(lines, _counted(counts))


def worst_kind(values: Mapping[str, float] | None) -> tuple[str, float] | None:
    """Return the kind that is told most, and how much; None where nothing is told."""
    kind = max(values, key=lambda one: values[one]) if values else None
    return None if kind is None or not values[kind] else (kind, values[kind])
