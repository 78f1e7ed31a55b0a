"""A small source of random pictures with four questions each, and one build of it that the tests share."""

import functools
import hashlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mllmu_med_dataset.build import build
from mllmu_med_dataset.record import Record, image_key

PATIENTS = 48
FACTS = {
    "modality": (("CT", "MR", "X-ray", "ultrasound"), "This is {a} {fact} image.", "What modality is this?"),
    "organ": (("brain", "kidney", "knee", "liver", "lung"), "The image shows the {fact}.", "Which organ is shown?"),
    "position": (
        ("left lower", "left upper", "right lower", "right upper"),
        "The lesion is in the {fact} quadrant.",
        "Where is the lesion?",
    ),
    "quantity": (("one", "two", "three"), "There {be} {fact} {noun}.", "How many lesions are there?"),
}


@functools.cache
def picture(number: int) -> bytes:
    """Return the PNG of a random 64 x 64 picture."""
    pixels = np.random.default_rng(number).integers(0, 255, (64, 64), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def record(number: int = 0, question_type: str = "position", **changed: object) -> Record:
    """Return one record of a patient; any field can be given."""
    # An unusual type takes the words of "position": its test gives its own.
    values, sentence, question = FACTS.get(question_type, FACTS["position"])
    fact = values[hashlib.sha256(f"{number}{question_type}".encode()).digest()[0] % len(values)]
    one = fact == "one"
    words = {"be": "is" if one else "are", "noun": "lesion" if one else "lesions", "a": "a" if fact == "CT" else "an"}
    data = picture(number)
    fields = {
        "source": "random",
        "source_id": f"{number:05d}-{question_type}",
        "image_bytes": data,
        "image_key": image_key(Image.open(io.BytesIO(data))),
        "question": question,
        "answer": sentence.format(fact=fact, **words),
        "fact": fact,
        "fact_values": values,
        "modality": ("CT", "MR")[number % 2],
        "body_region": ("head", "chest", "abdomen")[number % 3],
        "question_type": question_type,
        "answer_type": "OPEN",
        "license": "CC0-1.0",
        "redistributable": True,
    }
    return Record(**{**fields, **changed})


def records(patients: int = PATIENTS) -> Iterator[Record]:
    """Yield four questions for each of so many patients."""
    for number in range(patients):
        for question_type in FACTS:
            yield record(number, question_type)


class Trained:
    """The questions of records as a build knows those of its trained patients."""

    def __init__(self, asked: Iterable[Record]) -> None:
        self.asked = list(asked)

    def types(self, license: str) -> list[str]:
        return sorted({one.question_type for one in self.asked if one.license == license})

    def count(self, question_type: str, license: str, body_region: str | None) -> int:
        return len(self._texts(question_type, license, body_region))

    def at(self, question_type: str, license: str, body_region: str | None, rank: int) -> str:
        return self._texts(question_type, license, body_region)[rank]

    def _texts(self, question_type: str, license: str, region: str | None) -> list[str]:
        fitting = (one for one in self.asked if (one.question_type, one.license) == (question_type, license))
        return sorted({one.question for one in fitting if region in (None, one.body_region)})


def one_type_unasked() -> Iterator[Record]:
    """Yield four questions a patient of five types: those with an even number lack "size", the others "quantity"."""
    for one in records():
        number = int(one.source_id[:5])
        if one.question_type == "quantity" and number % 2:
            one = record(number, "size", question=f"How large is lesion {number % 3}?")
        yield one


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One build at all percents and scenarios; tests must not change it."""
    out = tmp_path_factory.mktemp("built") / "mllmu-med"
    build(records(), out)
    return out


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A build of one percent, a file's own: some libraries take seconds to read more of it."""
    out = tmp_path_factory.mktemp("small") / "mllmu-med"
    build(records(), out, percents=(10,))
    return out
