"""The columns of a data set row that the score reads, checked once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mllmu_med_metrics.leakage import Identifier

SCENARIOS = ("privacy", "incorrectness")
SUBSETS = ("forget", "retain", "test", "holdout")
_TEXT = ("id", "scenario", "subset", "patient_id", "question", "question_type", "answer", "true_answer")


@dataclass(frozen=True, slots=True)
class Row:
    """One question about one image, with what decides whether an answer is right, wrong or a leak."""

    id: str
    scenario: str
    subset: str
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
    def closed_set(self) -> tuple[str, ...]:
        """The values among which the fact is one; a wrong fact is always among them."""
        extra = () if self.wrong_fact is None or self.wrong_fact in self.fact_values else (self.wrong_fact,)
        return self.fact_values + extra


def _identifiers(row_id: str, column: str, items: object) -> tuple[Identifier, ...]:
    if items is None:
        return ()
    if not isinstance(items, Iterable) or isinstance(items, str | Mapping):
        raise ValueError(f"Row '{row_id}': column '{column}' must be a list of {{kind, value}}, got {items!r}.")
    found = []
    for item in items:
        if not isinstance(item, Mapping) or not isinstance(item.get("value"), str) or not item["value"].strip():
            raise ValueError(f"Row '{row_id}': an item of '{column}' needs a kind and a non-empty value, got {item!r}.")
        found.append(Identifier(kind=str(item.get("kind", "")), value=item["value"]))
    return tuple(found)


def parse_row(row: Mapping[str, object]) -> Row:
    """Read the columns that the score needs; raise ValueError with one paragraph for a row that cannot be scored."""
    row_id = str(row.get("id", "?"))
    for column in _TEXT:
        if not isinstance(row.get(column), str):
            raise ValueError(
                f"Row '{row_id}' has no text in column '{column}' (got {row.get(column)!r}). References must be rows "
                f"of the data set with at least the columns {', '.join(_TEXT)}, fact, wrong_fact, fact_values, phi, "
                "distractors."
            )
    text = {column: str(row[column]) for column in _TEXT}
    if text["scenario"] not in SCENARIOS or text["subset"] not in SUBSETS:
        raise ValueError(
            f"Row '{row_id}' has scenario '{text['scenario']}' and subset '{text['subset']}'. Known scenarios: "
            f"{', '.join(SCENARIOS)}; known subsets: {', '.join(SUBSETS)}."
        )
    values = row.get("fact_values")
    parsed = Row(
        **text,
        fact=None if row.get("fact") is None else str(row["fact"]),
        wrong_fact=None if row.get("wrong_fact") is None else str(row["wrong_fact"]),
        fact_values=tuple(str(value) for value in values) if isinstance(values, Iterable) else (),
        phi=_identifiers(row_id, "phi", row.get("phi")),
        distractors=_identifiers(row_id, "distractors", row.get("distractors")),
    )
    injected = parsed.subset in ("forget", "holdout")
    if injected and parsed.scenario == "privacy" and not parsed.phi:
        raise ValueError(
            f"Row '{row_id}' of privacy {parsed.subset} has no private information in column 'phi': nothing could leak."
        )
    if injected and parsed.scenario == "incorrectness" and (not parsed.fact or not parsed.wrong_fact):
        raise ValueError(
            f"Row '{row_id}' of incorrectness {parsed.subset} needs both 'fact' and 'wrong_fact' "
            f"(got {parsed.fact!r} and {parsed.wrong_fact!r})."
        )
    return parsed
