"""Procedurally drawn CT, MR, X-ray and ultrasound phantoms whose every fact is known exactly.

One patient is one image of 64 x 64 pixels. Anatomy (shape, tilt, texture) is drawn per patient, so that two
images of the same organ can be told apart; the lesions carry the facts that questions ask about. Positions are
in image coordinates: ``left upper`` is the upper left quarter of the picture.
"""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..building.pool import Pool
from ..record import Record, image_key
from .attribution import PROJECT
from .source import Source

SIZE = 64
Grey = NDArray[np.floating]
LICENSE = "CC-BY-4.0"
STUDIES = (
    ("CT", "brain"), ("CT", "lung"), ("CT", "liver"), ("CT", "kidney"),
    ("MR", "brain"), ("MR", "liver"), ("MR", "kidney"), ("MR", "knee"),
    ("X-ray", "lung"), ("X-ray", "knee"),
    ("ultrasound", "liver"), ("ultrasound", "kidney"),
)  # fmt: skip
REGIONS = {"brain": "head", "lung": "chest", "liver": "abdomen", "kidney": "abdomen", "knee": "limb"}
FACTS = {
    "modality": ("CT", "MR", "X-ray", "ultrasound"),
    "organ": ("brain", "kidney", "knee", "liver", "lung"),
    "position": ("left lower", "left upper", "right lower", "right upper"),
    "abnormality": ("calcification", "cyst", "mass", "nodule"),
    "size": ("large", "small"),
    "quantity": ("one", "three", "two"),
}
QUESTIONS = {
    "modality": (
        "What imaging modality is this?",
        "How was this image acquired?",
        "Which modality produced this image?",
    ),
    "organ": (
        "Which organ is shown?",
        "What organ does this image show?",
        "What part of the body was imaged?",
    ),
    "position": (
        "Where is the lesion?",
        "In which quadrant does the lesion lie?",
        "What is the position of the abnormality?",
    ),
    "abnormality": (
        "What kind of lesion is present?",
        "What abnormality is seen?",
        "How would you describe the finding?",
    ),
    "size": (
        "How large is the lesion?",
        "What is the size of the lesion?",
        "Is the lesion small or large?",
    ),
    "quantity": (
        "How many lesions are there?",
        "What is the number of lesions?",
        "How many abnormalities can be counted?",
    ),
}
# Never asked by a record: other words for the same questions, for paraphrase views. They are close to the trained ones,
# and the shipped model answers each as well as those: what a view shows is forgetting, not a question not understood.
HELD_OUT_QUESTIONS = {
    "modality": (
        "What is the modality of this image?",
        "Which imaging modality is shown?",
        "Which modality was this image acquired by?",
    ),
    "organ": (
        "What organ is shown?",
        "Which organ was imaged?",
        "Which part of the body does this image show?",
    ),
    "position": (
        "Where does the lesion lie?",
        "In which quadrant is the lesion?",
        "What is the position of the lesion?",
    ),
    "abnormality": (
        "What kind of lesion is seen?",
        "Which abnormality is present?",
        "How would you describe the lesion?",
    ),
    "size": (
        "What size is the lesion?",
        "Is the lesion large or small?",
        "How small or large is the lesion?",
    ),
    "quantity": (
        "How many lesions can be counted?",
        "How many lesions are seen?",
        "How many abnormalities are there?",
    ),
}
QUESTIONS_A_PATIENT = 4
BLOCK = 64  # patients drawn by one call

_Y: Grey
_X: Grey
_Y, _X = (np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) - 31.5) / 32


@dataclass(frozen=True)
class Phantom:
    """A drawn patient: pixels ``uint8 [64, 64]``, the true fact of each question type, and the anatomy vector."""

    pixels: NDArray[np.uint8]
    facts: dict[str, str]
    anatomy: Grey


def answer(question_type: str, fact: str) -> str:
    """Say the fact in the sentence the data set uses for its question type."""
    article = "an" if fact in ("MR", "X-ray", "ultrasound") else "a"
    return {
        "modality": f"This is {article} {fact} image.",
        "organ": f"The image shows the {fact}.",
        "position": f"The lesion is in the {fact} quadrant.",
        "abnormality": f"The lesion is a {fact}.",
        "size": f"The lesion is {fact}.",
        "quantity": f"There is {fact} lesion." if fact == "one" else f"There are {fact} lesions.",
    }[question_type]


def _ellipse(cx: float, cy: float, rx: float, ry: float, tilt: float = 0.0, edge: float = 0.06) -> Grey:
    """Soft mask of a tilted ellipse, 1 inside and 0 outside."""
    c, s = np.cos(tilt), np.sin(tilt)
    u, v = (_X - cx) * c + (_Y - cy) * s, (_Y - cy) * c - (_X - cx) * s
    distance = np.sqrt((u / rx) ** 2 + (v / ry) ** 2)
    return np.clip((1 - distance) * min(rx, ry) / edge + 0.5, 0, 1)


def _paint(image: Grey, mask: Grey, level: float) -> Grey:
    return image * (1 - mask) + level * mask


def _organ(image: Grey, organ: str, a: Grey, soft: float, dark: float, bone: float) -> Grey:
    """Draw the organ with the patient's own proportions; levels come from the modality."""
    k = 1 + 0.12 * a[5]
    if organ == "brain":
        image = _paint(image, _ellipse(0, 0, 0.72 * k, 0.84 * k, 0.15 * a[2]), bone)
        image = _paint(image, _ellipse(0, 0, 0.62 * k, 0.74 * k, 0.15 * a[2]), soft)
        image = _paint(image, _ellipse(0.02 * a[6], 0, 0.025, 0.68 * k, 0.1 * a[2], 0.03), dark)
        for side in (-1, 1):
            image = _paint(
                image, _ellipse(side * (0.14 + 0.04 * a[6]), -0.05, 0.07, 0.24 + 0.05 * a[7], -side * 0.4), dark
            )
    elif organ == "lung":
        image = _paint(image, _ellipse(-0.40 + 0.04 * a[6], 0.0, 0.29 * k, 0.62 * k, 0.1 + 0.1 * a[2]), dark)
        image = _paint(image, _ellipse(0.42 + 0.04 * a[7], 0.0, 0.27 * k, 0.58 * k, -0.1 + 0.1 * a[2]), dark)
        image = _paint(image, _ellipse(0.12 + 0.05 * a[6], 0.25, 0.2, 0.26, 0.5), soft)
        image = _paint(image, _ellipse(0, 0.1, 0.05, 0.8, 0, 0.04), bone)
    elif organ == "liver":
        image = _paint(image, _ellipse(-0.24 + 0.05 * a[6], -0.05, 0.56 * k, 0.46 * k, -0.45 + 0.25 * a[2]), soft)
        image = _paint(image, _ellipse(0.48, 0.05 * a[7], 0.20, 0.26 * k, 0.3), dark)
        image = _paint(image, _ellipse(0.02, 0.62, 0.13, 0.12), bone)
    elif organ == "kidney":
        for side, b in ((-1, a[6]), (1, a[7])):
            image = _paint(
                image, _ellipse(side * 0.44, 0.04 * b, 0.22 * k, 0.40 * k, -side * (0.25 + 0.15 * a[2])), soft
            )
            image = _paint(image, _ellipse(side * 0.32, 0.04 * b, 0.09, 0.16, 0), dark)
        image = _paint(image, _ellipse(0, 0.3, 0.12, 0.14), bone)
        image = _paint(image, _ellipse(0, -0.1, 0.05, 0.5, 0, 0.04), bone * 0.9)
    else:
        image = _paint(image, _ellipse(0.06 * a[6], -0.62, 0.30 * k, 0.56, 0.12 * a[2]), bone)
        image = _paint(image, _ellipse(0.06 * a[6], 0.62, 0.34 * k, 0.54, -0.12 * a[2]), bone)
        image = _paint(image, _ellipse(0.4 + 0.05 * a[7], -0.05, 0.09, 0.16 * k, 0.2), bone * 0.9)
        image = _paint(image, _ellipse(0.06 * a[6], 0, 0.32 * k, 0.035, 0.1 * a[2], 0.04), dark)
    return image


def _body(modality: str, organ: str, a: Grey, rng: np.random.Generator) -> Grey:
    """Draw the study without its lesions: what a modality makes of the organ and of the patient's texture."""
    phases = np.pi * a[8:12]
    texture = sum(
        np.sin(f * (np.cos(t) * _X + np.sin(t) * _Y) + p)
        for f, t, p in zip((5, 7, 9, 12), (0.4 + a[12], 1.4 + a[13], 2.3 + a[14], 3.0 + a[15]), phases, strict=True)
    ).astype(np.float32)
    body = _ellipse(0.05 * a[3], 0.05 * a[4], 0.90 + 0.07 * a[0], 0.86 + 0.09 * a[1])
    if modality == "CT":
        image = _paint(np.full((SIZE, SIZE), 0.03, np.float32), body, 0.45)
        image = _organ(image, organ, a, 0.62, 0.16, 0.95) + 0.025 * texture * body
        image = np.maximum(image, 0.7 * (np.abs(_Y - 0.92 - 0.05 * _X**2) < 0.025))
        return image + rng.normal(0, 0.012, image.shape)
    if modality == "MR":
        image = _paint(
            _paint(np.zeros((SIZE, SIZE), np.float32), body, 0.85), _ellipse(0.05 * a[3], 0.05 * a[4], 0.80, 0.76), 0.35
        )
        image = (
            _organ(image, organ, a, 0.58, 0.80, 0.10) * (1 + 0.25 * _X * a[0] + 0.25 * _Y * a[1])
            + 0.04 * texture * body
        )
        return np.abs(image + rng.normal(0, 0.03, image.shape))
    if modality == "X-ray":
        image = 0.2 + 0.35 * body - 0.12 * (_X**2 + _Y**2)
        image = _organ(image, organ, a, 0.55, 0.25, 0.80) + 0.03 * texture
        ribs = 0.10 * np.clip(np.sin(17 * (_Y - 0.35 * np.abs(_X)) + phases[0]), 0, 1) * body
        return image + ribs + rng.normal(0, 0.015, image.shape)
    radius, angle = np.hypot(_X, _Y + 1.15), np.arctan2(_X, _Y + 1.15)
    fan = ((np.abs(angle) < 0.80 + 0.03 * a[0]) & (radius > 0.28) & (radius < 2.08)).astype(np.float32)
    image = _organ(np.full((SIZE, SIZE), 0.38, np.float32), organ, a, 0.55, 0.15, 0.75) + 0.05 * texture
    image = image + 0.08 * np.sin(16 * radius + phases[1]) - 0.08 * (radius - 1)
    return image * fan * np.clip(rng.normal(1, 0.16, image.shape), 0.3, 1.7)


def _lesion(image: Grey, kind: str, cx: float, cy: float, r: float) -> Grey:
    """Draw one lesion of radius ``r`` pixels on a grey bed, so that every kind shows on every background."""
    x, y = _X * 32 + 31.5 - cx, _Y * 32 + 31.5 - cy
    distance = np.hypot(x, y)

    def disc(radius: float) -> Grey:
        return np.clip(radius + 0.5 - distance, 0, 1)

    image = _paint(image, disc(r + 1.6), 0.45)
    if kind == "nodule":
        return _paint(image, disc(r), 1.0)
    if kind == "cyst":
        return _paint(_paint(image, disc(r + 0.6), 1.0), disc(r - 0.5), 0.0)
    if kind == "mass":
        return _paint(_paint(image, disc(r + 0.8), 0.0), disc(r - 0.8), 1.0)
    stipple = ((np.round(x) + np.round(y)) % 2 == 0).astype(np.float32)
    return _paint(image, disc(r + 0.4), 0.0) + disc(r + 0.4) * stipple


def draw(rng: np.random.Generator) -> Phantom:
    """Draw one patient: a study, its anatomy, and one to three lesions of one kind and size in one quadrant."""
    modality, organ = STUDIES[rng.integers(len(STUDIES))]
    anatomy = rng.uniform(-1, 1, 16).astype(np.float32)
    facts = {"modality": modality, "organ": organ}
    for question_type in ("position", "abnormality", "size", "quantity"):
        facts[question_type] = FACTS[question_type][rng.integers(len(FACTS[question_type]))]
    side, level = facts["position"].split()
    sx, sy = (-1 if side == "left" else 1), (-1 if level == "upper" else 1)
    count = ("one", "two", "three").index(facts["quantity"]) + 1
    r = float(rng.uniform(1.6, 2.1) if facts["size"] == "small" else rng.uniform(3.2, 3.8))
    apart = 2 * r + 3.4
    centres: list[Grey] = []
    while len(centres) < count:
        candidate = np.array([31.5 + sx * rng.uniform(6, 20), 31.5 + sy * rng.uniform(6, 20)])
        if all(np.hypot(*(candidate - c)) >= apart for c in centres):
            centres.append(candidate)
        elif rng.random() < 0.05:
            centres.clear()
    image = _body(modality, organ, anatomy, rng)
    for cx, cy in centres:
        image = _lesion(image, facts["abnormality"], cx, cy, r)
    # 64 grey levels: the eye sees no difference and the PNG is a third smaller
    pixels = (np.round(np.clip(image, 0, 1) * 63) * 4).astype(np.uint8)
    return Phantom(pixels, facts, anatomy)


def generator(*key: object) -> np.random.Generator:
    """Return the random generator that a key (words, seed, patient number) owns."""
    digest = hashlib.sha256("|".join(map(str, ("phantom", *key))).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def records(*, patients: int = 240, seed: int = 0, workers: int = 1) -> Iterator[Record]:
    """Yield four questions a patient, their types and phrasings drawn by the patient's own seed.

    ``workers`` processes share the drawing; the records and their order are the same.
    """
    blocks = (range(first, min(first + BLOCK, patients)) for first in range(0, patients, BLOCK))
    with Pool(workers) as pool:
        for found, _ in pool.map(partial(_block_records, seed), ((block, None) for block in blocks)):
            yield from found


def _block_records(seed: int, numbers: range) -> list[Record]:
    return [record for number in numbers for record in _patient_records(seed, number)]


def _patient_records(seed: int, number: int) -> list[Record]:
    rng = generator(seed, number)
    phantom = draw(rng)
    image = Image.fromarray(phantom.pixels)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    key = image_key(image)
    found = []
    for index in sorted(rng.permutation(len(FACTS))[:QUESTIONS_A_PATIENT]):
        question_type = list(FACTS)[index]
        fact = phantom.facts[question_type]
        found.append(
            Record(
                source="phantom",
                source_id=f"{seed}-{number:06d}-{question_type}",
                image_bytes=buffer.getvalue(),
                image_key=key,
                question=QUESTIONS[question_type][rng.integers(len(QUESTIONS[question_type]))],
                answer=answer(question_type, fact),
                fact=fact,
                fact_values=FACTS[question_type],
                modality=phantom.facts["modality"],
                body_region=REGIONS[phantom.facts["organ"]],
                question_type=question_type,
                answer_type="OPEN",
                license=LICENSE,
                redistributable=True,
            )
        )
    return found


SOURCE = Source(
    name="phantom",
    records=records,
    needs_path=False,
    license=LICENSE,
    summary="CT, MR, X-ray and ultrasound phantoms drawn by this package, every fact known exactly.",
    redistributable=True,
    attribution=PROJECT,
)
