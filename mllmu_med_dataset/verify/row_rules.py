"""What a row must be by itself, whatever the other rows say. Pure: every rule yields ``(gate, what is wrong)``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from pydantic import ValidationError

from mllmu_med_metrics.vocabulary import (
    CLEAN_VIEWS,
    IDENTIFIER,
    INJECTED,
    MAIN_PERCENT,
    OF_BELIEFS,
    PRIVATE,
    WITH_BYSTANDERS,
    main_split,
)

from ..injection.chinese import HAN
from ..injection.incorrectness import contradicts
from ..injection.kinds import words_of
from ..injection.patients import in_range
from ..injection.privacy import DISTRACTORS
from ..injection.sentence_templates import find_value, value_pattern
from ..injection.views import MAKERS
from ..record import BELIEF_COLUMNS, SCHEMA_PATH, Row, image_placeholders, json_form, row_id

# The spaces and the punctuation in a longer value are its own: an address, a person's name with titles.
_LONGEST_FACT = 40
FEWEST_PARAPHRASES = 3


# The texts of a row stand in several configs and views: each is taken apart once.
@lru_cache(8_192)
def normalise(text: str) -> str:
    """Return a whole text as it is compared: its words, whatever their case, number and spelling."""
    return " ".join(words_of(text))


Broken = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """One split of one config: where its rows belong."""

    config: str
    split: str

    @property
    def scenario(self) -> str:
        """The scenario in the config's name."""
        return self.config.split("_")[0]

    @property
    def subset(self) -> str:
        """The subset in the config's name."""
        return self.config.partition("_")[2].split("_")[0]

    @property
    def percent(self) -> int:
        """The share of patients forgotten in the config's study."""
        number = self.config.rpartition("_")[2]
        if not number.isdigit():
            return MAIN_PERCENT
        return int(number) if self.subset == "forget" else 100 - int(number)

    @property
    def view(self) -> str | None:
        """The view that the split holds; ``None`` for the config's own rows."""
        return None if self.split == main_split(self.config) else self.split


@cache
def _json_schema() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))


def schema_failures(row: dict[str, Any]) -> list[str]:
    """Return where a stored row does not fit ``schema.json``.

    ``Row`` decides, thirty times faster than a JSON Schema validator in Python; on rows whose Parquet types are right
    it refuses whatever the schema refuses (a test holds them to that). The schema then says where.
    """
    try:
        Row.__pydantic_validator__.validate_python(row)
    except ValidationError as refused:
        told = [f"{error.json_path}: {error.message[:200]}" for error in _json_schema().iter_errors(json_form(row))]
        return told or [
            f"$.{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in refused.errors(include_url=False)
        ]
    return []


def says(text: str, value: str) -> bool:
    """Return whether a text says a value, whole words, whatever the case: mostly without a pattern a value."""
    if not value.isascii() or value.isdigit() or (" " in value and len(value) <= _LONGEST_FACT):
        return find_value(text, value) is not None
    text, value = text.lower(), value.lower()
    start = text.find(value)
    while start >= 0:
        end = start + len(value)
        if not (start and _in_word(text[start - 1])) and not (end < len(text) and _in_word(text[end])):
            return True
        start = text.find(value, start + 1)
    return False


def _in_word(character: str) -> bool:
    return (character.isalnum() and not HAN.match(character)) or character == "_"


def is_injected(row: dict[str, Any]) -> bool:
    """Return whether a row is to carry what its scenario injects; among retain rows those of a bystander say so."""
    if row["view"] in CLEAN_VIEWS:
        return False
    return row["subset"] in INJECTED or bool(
        row["scenario"] in WITH_BYSTANDERS and row["subset"] == "retain" and row["phi"]
    )


def broken_rules(row: dict[str, Any], table: Table) -> Broken:
    """Yield what is wrong with a row that fits the schema, in the split where it stands."""
    if row_id(row) != row["id"]:
        yield "schema", "the id is not the hash of what the row says"
    yield from _placed(row, table)
    for column in ("question", "answer", "true_answer"):
        if found := image_placeholders(row[column]):
            yield "placeholders", f"the {column} holds {', '.join(found[:3])}"
    for column in ("paraphrase_questions", "paraphrase_answers", "wrong_answers"):
        if any(image_placeholders(text) for text in row[column]):
            yield "placeholders", f"{column} hold a placeholder of an image"
    injected = is_injected(row)
    yield from _clean(row, injected)
    told = [row[column] is not None for column in BELIEF_COLUMNS if column in row]
    if row["scenario"] in OF_BELIEFS and (any(told) != all(told) or (injected and not any(told))):
        yield "beliefs", f"{', '.join(BELIEF_COLUMNS)} are not all told"
    if row["fact"] is not None and row["fact_values"] and row["fact"] not in row["fact_values"]:
        yield "wrong_facts", f"the fact '{row['fact']}' is not in its closed set"
    if injected:
        if row["scenario"] not in PRIVATE:
            yield from _wrong_fact(row)
        yield from _identifiers(row)
        yield from _phrasings(row)
    if row["view"] is not None or row["question_type"] == "identifier":
        yield from _view(row)


def _placed(row: dict[str, Any], table: Table) -> Broken:
    told = (row["scenario"], row["subset"], row["view"])
    if told != (table.scenario, table.subset, table.view):
        yield "configs", f"a row of {', '.join(map(str, told))} stands in this split"
    percent = row["forget_percent"]
    if table.subset == "forget" and not 0 < percent <= table.percent:
        yield "percents", f"forget_percent is {percent} in a set of {table.percent} %"
    if table.subset in ("test", "holdout") and percent:
        yield "percents", f"forget_percent is {percent}, and {table.subset} patients are never forgotten"


def _clean(row: dict[str, Any], injected: bool) -> Broken:
    is_private, is_wrong = bool(row["phi"]), row["wrong_fact"] is not None
    if is_private != (injected and row["scenario"] in PRIVATE):
        yield "clean", f"{'holds' if is_private else 'lacks'} private information"
    if is_wrong != (injected and row["scenario"] not in PRIVATE):
        yield "clean", f"{'holds' if is_wrong else 'lacks'} a wrong fact"
    if (row["answer"] == row["true_answer"]) == injected:
        yield "clean", f"the answer {'is' if injected else 'is not'} the true answer"
    for column in ("error_kind", "error_severity", "error_pool"):
        if (row[column] is not None) != is_wrong:
            yield "wrong_facts", f"{column} is {row[column]!r} and wrong_fact {row['wrong_fact']!r}"
    if not injected:
        for column in ("distractors", "wrong_answers", "paraphrase_answers"):
            if row[column]:
                yield "clean", f"a clean row has {column}"


def _wrong_fact(row: dict[str, Any]) -> Broken:
    fact, wrong, answer, truth = row["fact"], row["wrong_fact"], row["answer"], row["true_answer"]
    if fact is None or wrong is None:
        yield "wrong_facts", "an injected row needs fact and wrong_fact"
        return
    if not contradicts(wrong, fact):
        yield "wrong_facts", f"the wrong fact '{wrong}' is no other fact than '{fact}'"
    if normalise(answer) == normalise(truth):
        yield "wrong_facts", "the wrong answer is the true answer"
    if not says(answer, wrong) or says(answer, fact):
        yield "wrong_facts", f"the answer does not say '{wrong}' instead of '{fact}'"
    if not says(truth, fact) or says(truth, wrong):
        yield "wrong_facts", f"the true answer does not say '{fact}' alone"
    if row["fact_values"] and wrong not in row["fact_values"]:
        yield "wrong_facts", f"the wrong fact '{wrong}' is not in the closed set"
    yield from _second_error(row)


def _second_error(row: dict[str, Any]) -> Broken:
    """Yield what an answer says beside its wrong fact that the truth does not say: there is one error a row."""
    answer, truth = _without(row["answer"], row["wrong_fact"]), _without(row["true_answer"], row["fact"])
    for value in row["fact_values"]:
        # A value inside the wrong fact ("left" in "left upper") is gone with it.
        if says(answer, value) and not says(truth, value):
            yield "wrong_facts", f"the answer says '{value}' too: a second error"
    sides = ({"left", "right"} & set(normalise(text).split()) for text in (answer, truth))
    numbers = ({word for word in set(normalise(text).split()) if word.isdigit()} for text in (answer, truth))
    for told, true in (tuple(sides), tuple(numbers)):
        for word in sorted(told - true):
            yield "wrong_facts", f"the answer says '{word}', which the truth does not: a second error"


def _without(text: str, value: str) -> str:
    return re.sub(value_pattern(value), " ", text, flags=re.IGNORECASE).lower()


def _identifiers(row: dict[str, Any]) -> Broken:
    others: dict[str, set[str]] = {}
    for tagged in row["distractors"]:
        others.setdefault(tagged["kind"], set()).add(tagged["value"])
    kinds: set[str] = set()
    for tagged in row["phi"]:
        kind, value = tagged["kind"], tagged["value"]
        if not in_range(kind, value):
            yield "identifiers", f"{kind} '{value}' is outside the fictitious range of its kind"
        if value not in row["answer"]:
            yield "identifiers", f"{kind} '{value}' does not stand in the answer"
        if kind in kinds:
            yield "identifiers", f"{kind} is tagged twice"
        kinds.add(kind)
        if says(row["question"], value):
            yield "leaks", f"the question tells {kind} '{value}', which the answer is to give away"
        if len(others.get(kind, set()) - {value}) < DISTRACTORS or value in others[kind]:
            yield "distractors", f"{kind} needs {DISTRACTORS} other values beside its own"
    for kind, values in others.items():
        if kind not in kinds:
            yield "distractors", f"{kind} has distractors and no identifier"
        for value in sorted(values):
            if not in_range(kind, value):
                yield "distractors", f"{kind} '{value}' is outside the fictitious range of its kind"


def _phrasings(row: dict[str, Any]) -> Broken:
    questions = row["paraphrase_questions"]
    if row["view"] is None:
        if len(_distinct(questions)) < FEWEST_PARAPHRASES:
            yield "phrasings", f"has {len(_distinct(questions))} paraphrases, at least {FEWEST_PARAPHRASES} are needed"
        if normalise(row["question"]) in _distinct(questions):
            yield "phrasings", "the question is among its own paraphrases"
        if not row["paraphrase_answers"]:
            yield "phrasings", "has no other phrasing of its answer"
    secrets = [tagged["value"] for tagged in row["phi"]]
    fact, wrong = row["fact"], row["wrong_fact"]
    for answer in row["paraphrase_answers"]:
        if normalise(answer) in (normalise(row["answer"]), normalise(row["true_answer"])):
            yield "phrasings", f"the answer '{answer}' is no other phrasing"
        for value in secrets:
            if value not in answer:
                yield "phrasings", f"the other phrasing '{answer}' lacks '{value}'"
        if wrong is not None and (not says(answer, wrong) or (fact is not None and says(answer, fact))):
            yield "phrasings", f"the other phrasing '{answer}' does not say '{wrong}' instead of '{fact}'"
    for answer in row["wrong_answers"]:
        if normalise(answer) in (normalise(row["answer"]), normalise(row["true_answer"])):
            yield "phrasings", f"the wrong answer '{answer}' is the row's answer or the truth"
        for value in secrets:
            if says(answer, value):
                yield "phrasings", f"the wrong answer '{answer}' tells the row's own '{value}'"
        if wrong is not None and (says(answer, wrong) or (fact is not None and says(answer, fact))):
            yield "phrasings", f"the wrong answer '{answer}' says the row's own wrong or true fact"
    if len(_distinct(row["wrong_answers"])) < len(row["wrong_answers"]):
        yield "phrasings", "a wrong answer stands twice"


def _distinct(texts: Sequence[str]) -> set[str]:
    return {normalise(text) for text in texts}


def _view(row: dict[str, Any]) -> Broken:
    maker, asks = MAKERS.get(row["view"] or ""), row["question_type"] == IDENTIFIER
    has_truth = not asks if maker is None else maker.has_truth
    if not has_truth and row["scenario"] not in PRIVATE:
        yield "views", f"{row['view']} asks for identifiers, and {row['scenario']} has none"
    if maker is not None and not has_truth and asks != maker.asks_identifiers:
        yield "views", f"a row of {row['view']} has question_type {row['question_type']}"
    if not has_truth:
        if not row["phi"]:
            yield "views", "asks for an identifier and gives none"
        if row["fact"] is not None or row["fact_values"]:
            yield "views", "asks for an identifier and marks a clinical fact"
