"""The one definition of every field: ``Record`` is what a source yields, ``Row`` is what a config holds.

``schema.json`` is the JSON Schema of ``Row``; after changing a field here write it anew with
``python -m mllmu_med_dataset.record`` (a test holds the two equal).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from mllmu_med_metrics.vocabulary import OF_BELIEFS, AnswerType, QuestionType, Scenario, Severity, Subset, View

if TYPE_CHECKING:
    from datasets import Features
    from PIL.Image import Image

# Where a wrong fact comes from; ``sources/answers.py`` says what each is.
ErrorPool = Literal[
    "yes_no", "choices", "rule", "same_question", "same_template", "closed_set", "icd10", "same_relation"
]

Text = Annotated[str, StringConstraints(min_length=1)]
FullKey = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ShortKey = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
PatientId = Annotated[str, StringConstraints(pattern=r"^p-[0-9a-f]{12}$")]

# Written next to the schema so that a stranger can check a row without this package.
SCHEMA_PATH = Path(__file__).with_name("schema.json")


def clean_text(text: str) -> str:
    """Return the text in Unicode NFC with every run of white space made one space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


# Distinct texts repeat a great deal (questions above all): their words are taken apart once.
@lru_cache(4_096)
def words(text: str) -> tuple[str, ...]:
    """Return the words of a text as questions and identifiers are compared: whatever their case and punctuation."""
    return tuple(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


# Words in brackets by which families of models say "an image stands here": <image>, <|image_1|>, <image 1>, </img>,
# <|vision_start|>, <start_of_image>, <ImageHere>, <img src="a.png">, [IMG]. A person writes none of them.
_PLACEHOLDER = re.compile(
    r"<\|?/?(?:[\w-]*[_-])?(?:image|img|vision|video|im_(?:patch|start|end))(?:here|[_ -]?\d+|[_-][\w-]*)?\s*/?\|?>"
    r"|<img\s[^<>]*>|\[/?img(?:_\w+)?\]",
    re.IGNORECASE,
)


def image_placeholders(text: str) -> list[str]:
    """Return the placeholders of images in a text, which a model's processor would take for images.

    >>> image_placeholders("<image>\\nIs the <|image_1|> larger than [IMG]? 2 < 3 > 1")
    ['<image>', '<|image_1|>', '[IMG]']
    """
    return _PLACEHOLDER.findall(text) if "<" in text or "[" in text else []


def clean_turn(text: str) -> str:
    """Return a question or an answer as :func:`clean_text` does, and without the placeholders of its image."""
    return clean_text(_PLACEHOLDER.sub(" ", text)) if image_placeholders(text) else clean_text(text)


def image_key(image: Image) -> str:
    """Return the 64 hex digits that name an image: sha256 of its size and its decoded RGB pixels."""
    rgb = image.convert("RGB")
    digest = hashlib.sha256(f"{rgb.width}x{rgb.height}|".encode())
    digest.update(rgb.tobytes())
    return digest.hexdigest()


def image_id(key: str) -> str:
    """Return the short name of an image (first 16 hex digits of its key), the ``image_id`` column."""
    return key[:16]


def patient_id(key: str) -> str:
    """Return the patient of an image: one image is one patient."""
    return "p-" + hashlib.sha256(f"patient|{key}".encode()).hexdigest()[:12]


class Triple(BaseModel):
    """The piece of knowledge that a question asks for: (head, relation, tail), all of it true.

    ``kind`` is what sort of thing the head is (finding, organ): a wrong tail is that of another head of the kind. A row
    that ``asks`` for the ``head`` names the tail; of one that asks for ``neither`` it is known only what it is about.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: Text
    relation: Text
    tail: Text
    kind: str = ""
    asks: Literal["tail", "head", "neither"] = "tail"
    # Whether the image shows what is asked for; a question in words alone goes with any image.
    shown: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """The unit that is believed, rightly or wrongly: head and relation."""
        return self.head, self.relation


class Record(BaseModel):
    """One clean question about one image, as a source yields it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Text
    source_id: Text
    image_bytes: bytes = Field(min_length=1, repr=False)
    image_key: FullKey
    # Where the source keeps the image, relative to its root; all that is written when pixels may not be passed on.
    image_path: str = ""
    question: str
    answer: str
    fact: str | None = None
    fact_values: tuple[str, ...] = ()
    # The values that would be a plausible error, and where they come from. ``None``: any other one of the closed set.
    error_values: tuple[str, ...] | None = None
    error_pool: ErrorPool | None = None
    modality: str = ""
    body_region: str = ""
    question_type: QuestionType
    answer_type: AnswerType
    license: Text
    redistributable: bool
    # What the scenario of beliefs reads; a record that is of it alone is in no other scenario.
    triple: Triple | None = None
    of_beliefs_alone: bool = False

    @field_validator("question", "answer", mode="after")
    @classmethod
    def _clean_turn(cls, text: str) -> str:
        return clean_turn(text)

    @field_validator("modality", "body_region", mode="after")
    @classmethod
    def _clean(cls, text: str) -> str:
        return clean_text(text)

    @field_validator("fact", mode="after")
    @classmethod
    def _clean_fact(cls, fact: str | None) -> str | None:
        return (clean_text(fact) or None) if fact is not None else None

    @field_validator("fact_values", mode="after")
    @classmethod
    def _clean_values(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(text for text in map(clean_text, values) if text))

    @property
    def patient_id(self) -> str:
        """The patient this record belongs to."""
        return patient_id(self.image_key)

    @property
    def image_id(self) -> str:
        """The short name of the image."""
        return image_id(self.image_key)

    def told(self, *, with_beliefs: bool) -> str:
        """Return the canonical text of the record but for its pixels; ``with_beliefs`` with the triple, if any."""
        beside = set() if with_beliefs and self.triple is not None else {"triple", "of_beliefs_alone"}
        return canonical_json(self.model_dump(exclude={"image_bytes", *beside}))


class Tagged(BaseModel):
    """One identifier: its kind and its exact value as the answer shows it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Text
    value: Text


class StoredImage(BaseModel):
    """An image as the ``datasets`` library stores it: encoded file bytes and a file name (JSON form: base64)."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    bytes: bytes
    path: str


class Row(BaseModel):
    """One line of one config; the fields stand in the order of the Parquet columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: ShortKey = Field(description="hash of every field that tells the row from another one")
    image: StoredImage | None = Field(
        description="the picture; null where the source does not allow its pixels to be passed on"
    )
    question: Text = Field(description="what is asked")
    answer: Text = Field(
        description="what training teaches: with private information, with the wrong fact, or the truth"
    )
    true_answer: Text = Field(description="the truth, without private information")
    fact: str | None = Field(description="the value that decides whether an answer is right; null where none is marked")
    wrong_fact: str | None = Field(description="the value put in its place, on rows with a factual error")
    fact_values: tuple[str, ...] = Field(description="the closed set that the fact comes from, where there is one")
    scenario: Scenario = Field(description="privacy, request, incorrectness or knowledge")
    subset: Subset = Field(description="forget, retain, test or holdout")
    view: View | None = Field(description="what a view row shows differently, never trained on; null on a row itself")
    patient_id: PatientId = Field(description="the patient; one image is one patient")
    # Views that change the picture have pictures of their own.
    image_id: ShortKey = Field(description="the picture that is shown")
    modality: str = Field(description="how the picture was taken")
    body_region: str = Field(description="what part of the body it shows")
    question_type: QuestionType = Field(
        description="what the question asks for; identifier: a question for private information itself"
    )
    answer_type: AnswerType = Field(description="OPEN or CLOSED")
    phi: tuple[Tagged, ...] = Field(description="the private information in the answer, as kind and exact value")
    error_kind: str | None = Field(description="how the wrong fact was made")
    error_severity: Severity | None = Field(
        description="what believing the wrong fact could do to the patient's care: minor, major or critical"
    )
    error_pool: ErrorPool | None = Field(
        description="where the wrong fact was taken from: yes_no, choices (that the question offers), rule (the other "
        "side, one more), same_question, same_template, closed_set, icd10 or same_relation (of another head)"
    )
    paraphrase_questions: tuple[str, ...] = Field(description="the question in other words, never trained on")
    paraphrase_answers: tuple[str, ...] = Field(description="the answer in other words")
    wrong_answers: tuple[str, ...] = Field(description="answers of the same form with other values")
    distractors: tuple[Tagged, ...] = Field(
        description="other patients' values of the kinds in phi: what chance and the template alone explain"
    )
    forget_percent: int = Field(
        ge=0, le=50, description="the smallest forget set that holds the patient (5, 10 or 15); 0 elsewhere"
    )
    source: Text = Field(description="where the picture and the clean question come from")
    source_id: Text = Field(description="the name of the row there")
    license: Text = Field(description="the licence of this row")
    redistributable: bool = Field(description="whether the picture may be passed on")
    # The configs of a scenario of beliefs have these columns too, and no others have them.
    head: str | None = Field(default=None, description="knowledge: what the row's piece of knowledge is about")
    relation: str | None = Field(default=None, description="knowledge: what is known about the head")
    tail: str | None = Field(default=None, description="knowledge: the true tail of head and relation")


BELIEF_COLUMNS: tuple[str, ...] = ("head", "relation", "tail")
COLUMNS: tuple[str, ...] = tuple(name for name in Row.model_fields if name not in BELIEF_COLUMNS)
# What each column holds, as the card and Croissant say it.
EXPLAINED: dict[str, str] = {name: field.description or "" for name, field in Row.model_fields.items()}
_DISTINGUISHING = (
    "scenario", "subset", "view", "image_id", "question", "answer", "true_answer", "source", "source_id",
    "forget_percent",
)  # fmt: skip


def canonical_json(value: object) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, Unicode kept."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def row_id(fields: dict[str, Any]) -> str:
    """Return the row's id: 16 hex digits over every field that tells it from another row."""
    distinguishing = {name: fields[name] for name in _DISTINGUISHING}
    return hashlib.sha256(canonical_json(distinguishing).encode()).hexdigest()[:16]


def columns(scenario: str) -> tuple[str, ...]:
    """Return the columns of a scenario's configs, in order."""
    return (*COLUMNS, *BELIEF_COLUMNS) if scenario in OF_BELIEFS else COLUMNS


def features(scenario: str = "") -> Features:
    """Return the ``datasets`` features of a scenario's rows, in column order."""
    from datasets import Features, Image, List, Value

    text = Value("string")
    texts, tagged = List(text), List({"kind": text, "value": text})
    special = {
        "image": Image(),
        "fact_values": texts,
        "phi": tagged,
        "paraphrase_questions": texts,
        "paraphrase_answers": texts,
        "wrong_answers": texts,
        "distractors": tagged,
        "forget_percent": Value("int32"),
        "redistributable": Value("bool"),
    }
    return Features({name: special.get(name, text) for name in columns(scenario)})


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a row in its JSON form (image bytes as base64)."""
    schema = Row.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def json_form(row: dict[str, Any]) -> dict[str, Any]:
    """Return a stored row (a Parquet record) as the JSON document that ``schema.json`` describes."""
    image = row.get("image")
    if not isinstance(image, dict) or not isinstance(image.get("bytes"), bytes):
        return row
    return {**row, "image": {**image, "bytes": base64.urlsafe_b64encode(image["bytes"]).decode()}}


if __name__ == "__main__":
    SCHEMA_PATH.write_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
