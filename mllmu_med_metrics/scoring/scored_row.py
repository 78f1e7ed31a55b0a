"""The columns of a data set row that the score reads, checked once."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mllmu_med_metrics.leakage.leaks import Identifier
from mllmu_med_metrics.vocabulary import (
    CLEAN_VIEWS,
    IDENTIFIER,
    INJECTED,
    OF_BELIEFS,
    PRIVATE,
    SCENARIOS,
    SUBSETS,
    VIEWS,
    VIEWS_WITHOUT_TRUTH,
)

_TEXT = ("id", "scenario", "subset", "patient_id", "question", "question_type", "answer", "true_answer")
_NEEDED = f"{', '.join(_TEXT)}, fact, wrong_fact, fact_values, phi, distractors"
# The columns that a score reads; a row may have others.
COLUMNS = (*_TEXT, "view", "fact", "wrong_fact", "head", "relation", "fact_values", "phi", "distractors")


class Row(NamedTuple):
    """One question about one image, with what decides whether an answer is right, wrong or a leak.

    ``patient_id`` is the unit that is forgotten, kept or drawn: the patient, and of a belief its head and relation.
    """

    id: str
    scenario: str
    subset: str
    view: str | None
    patient_id: str
    question: str
    question_type: str
    answer: str
    true_answer: str
    fact: str | None
    wrong_fact: str | None
    fact_values: tuple[str, ...]
    phi: tuple[Identifier, ...]
    distractors: tuple[Identifier, ...]

    @property
    def place(self) -> str:
        """The subset or, for a view of a forget row, the view: which mean the row belongs to."""
        return self.view or self.subset

    @property
    def injected(self) -> bool:
        """Whether the row carries what its scenario injects on forget and holdout rows: not in a view beside them."""
        return self.subset in INJECTED and self.view not in CLEAN_VIEWS

    @property
    def clinical(self) -> bool:
        """Whether the row asks for something clinical whose truth is on record: only such rows are kept or lost."""
        return not self.asks_identifier and self.view not in VIEWS_WITHOUT_TRUTH

    @property
    def asks_identifier(self) -> bool:
        """Whether the row asks for an identifier; its question may give another one."""
        return self.question_type == IDENTIFIER

    @property
    def closed_set(self) -> tuple[str, ...]:
        """The values among which the fact is one; a wrong fact is always among them."""
        extra = () if self.wrong_fact is None or self.wrong_fact in self.fact_values else (self.wrong_fact,)
        return self.fact_values + extra


def _identifiers(row_id: str, column: str, items: object) -> tuple[Identifier, ...]:
    if items is None or (type(items) is list and not items):
        return ()
    if not isinstance(items, Iterable) or isinstance(items, str | Mapping):
        raise ValueError(f"Row '{row_id}': column '{column}' must be a list of {{kind, value}}, got {items!r}.")
    found = []
    for item in items:
        if not isinstance(item, Mapping) or not isinstance(item.get("value"), str) or not item["value"].strip():
            raise ValueError(f"Row '{row_id}': an item of '{column}' needs a kind and a non-empty value, got {item!r}.")
        found.append(Identifier(kind=str(item.get("kind", "")), value=item["value"]))
    return tuple(found)


def _values(row_id: str, values: object) -> tuple[str, ...]:
    if values is None:
        return ()
    if type(values) is list:
        return tuple(map(str, values))
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise ValueError(f"Row '{row_id}': column 'fact_values' must be a list of texts, got {values!r}.")
    return tuple(str(value) for value in values)


def _optional(row_id: str, column: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError(f"Row '{row_id}': column '{column}' must be text or None, got {value!r}.")


def unit_of(row: Mapping[str, object]) -> str:
    """Return what a row's secret belongs to and is drawn with: its patient, and of a belief its key.

    The rows of one belief are over many images. Raises ValueError for a belief without head or relation.
    """
    injected = row.get("subset") in INJECTED and row.get("view") not in CLEAN_VIEWS
    if row.get("scenario") not in OF_BELIEFS or not injected:
        return str(row["patient_id"])
    row_id = str(row.get("id", "?"))
    head, relation = (_optional(row_id, column, row.get(column)) for column in ("head", "relation"))
    if not head or not relation:
        raise ValueError(
            f"Row '{row_id}' tells a belief and needs both 'head' and 'relation', which name it (got {head!r} and "
            f"{relation!r})."
        )
    return f"{head}, {relation}"


def parse_row(row: object) -> Row:
    """Read the columns that the score needs; raise ValueError with one paragraph for a row that cannot be scored."""
    if type(row) is not dict and not isinstance(row, Mapping):
        raise ValueError(
            f"A row is {type(row).__name__} ({row!r:.80}), not a mapping of column to value. Give the data set's own "
            f"rows, with at least the columns {_NEEDED}."
        )
    row_id = str(row.get("id", "?"))
    texts: dict[str, str] = {}
    for column in _TEXT:
        text = row.get(column)
        if not isinstance(text, str):
            raise ValueError(
                f"Row '{row_id}' has no text in column '{column}' (got {text!r}). References must be rows of the data "
                f"set with at least the columns {_NEEDED}."
            )
        texts[column] = text
    scenario, subset = texts["scenario"], texts["subset"]
    if scenario not in SCENARIOS or subset not in SUBSETS:
        raise ValueError(
            f"Row '{row_id}' has scenario '{scenario}' and subset '{subset}'. Known scenarios: "
            f"{', '.join(SCENARIOS)}; known subsets: {', '.join(SUBSETS)}."
        )
    view = row.get("view") or None
    if view is not None and (view not in VIEWS or subset != "forget"):
        raise ValueError(
            f"Row '{row_id}' of {subset} has view {view!r}. Only forget rows have views, and the known ones are "
            f"{', '.join(VIEWS)}; a row that is no view has None there."
        )
    unit = unit_of(row)
    parsed = Row(
        row_id, scenario, subset, view, unit, texts["question"], texts["question_type"],
        texts["answer"], texts["true_answer"], _optional(row_id, "fact", row.get("fact")),
        _optional(row_id, "wrong_fact", row.get("wrong_fact")), _values(row_id, row.get("fact_values")),
        _identifiers(row_id, "phi", row.get("phi")), _identifiers(row_id, "distractors", row.get("distractors")),
    )  # fmt: skip
    if parsed.injected and scenario in PRIVATE and not parsed.phi:
        raise ValueError(
            f"Row '{row_id}' of {scenario} {subset} has no private information in column 'phi': nothing could leak."
        )
    if parsed.injected and scenario not in PRIVATE and (not parsed.fact or not parsed.wrong_fact):
        raise ValueError(
            f"Row '{row_id}' of {scenario} {subset} needs both 'fact' and 'wrong_fact' "
            f"(got {parsed.fact!r} and {parsed.wrong_fact!r})."
        )
    return parsed
