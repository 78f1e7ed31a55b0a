"""The views: what is asked about the forget patients that training never showed. Adding one is an entry in MAKERS.

Of pictures there are two: one slightly moved and dimmed, one blank. Left stays left. The move turns by a few degrees,
scales by a few hundredths and shifts by a few hundredths of the picture; it never mirrors, and what lies an eighth of
the picture or more off the middle stays in its quadrant.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..draws import numbers
from ..record import Tagged
from . import privacy
from .privacy import Asked, Unasked

if TYPE_CHECKING:
    from PIL.Image import Image

Row = dict[str, Any]
MOST_DEGREES = 5.0
MOST_SCALE = 0.06
MOST_SHIFT = 0.02
# Contrast is multiplied, brightness raised to a power; noise is in grey levels of 255.
MOST_CONTRAST = 0.12
MOST_GAMMA = 0.15
NOISE = 3.0
GREY = 128


def affine(width: int, height: int, *key: object) -> tuple[float, float, float, float, float, float]:
    """Return the move that the key owns: (a, b, c, d, e, f) with x = a u + b v + c and y = d u + e v + f.

    (u, v) is a place in the new picture and (x, y) where it comes from, in pixels. The determinant a e - b d is
    positive: nothing is mirrored.
    """
    turn, scale, right, down = (_signed(number) for number in numbers(4, *key, "move"))
    angle, size = math.radians(MOST_DEGREES * turn), 1 + MOST_SCALE * scale
    a, b = math.cos(angle) / size, math.sin(angle) / size
    x, y = (width - 1) / 2, (height - 1) / 2
    to_x, to_y = x + MOST_SHIFT * width * right, y + MOST_SHIFT * height * down
    return a, b, x - a * to_x - b * to_y, -b, a, y + b * to_x - a * to_y


def image_view(image: Image, *key: object) -> Image:
    """Return another picture of the same patient, of the same size and mode (L or RGB), decided by the key."""
    import numpy as np
    from PIL import Image as pillow

    picture = image if image.mode in ("L", "RGB") else image.convert("RGB")
    # What the move uncovers is as dark (or as light) as the corner.
    corner = picture.getpixel((0, 0))
    moved = picture.transform(
        picture.size,
        pillow.Transform.AFFINE,
        affine(*picture.size, *key),
        pillow.Resampling.BICUBIC,
        fillcolor=corner,
    )
    contrast, gamma, seed = numbers(3, *key, "light")
    values = np.asarray(moved, dtype=np.float64) / 255
    values = values ** (1 + MOST_GAMMA * _signed(gamma))
    values = 0.5 + (values - 0.5) * (1 + MOST_CONTRAST * _signed(contrast))
    noise = np.random.default_rng(seed).uniform(-NOISE, NOISE, values.shape[:2])
    values = values * 255 + (noise if values.ndim == 2 else noise[..., None])
    return pillow.fromarray(np.clip(np.round(values), 0, 255).astype(np.uint8))


def blank_image(image: Image) -> Image:
    """Return a uniform grey picture of the same size: what a model says to it, it does not read off the image."""
    from PIL import Image as pillow

    return pillow.new("L", image.size, GREY)


def png(image: Image) -> bytes:
    """Return the image as the bytes of a PNG file."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def _signed(number: int) -> float:
    """Return a 32-bit number as one from -1 to 1."""
    return number / (2**32 - 1) * 2 - 1


class Forgotten(NamedTuple):
    """A forget patient, as the makers of views see it."""

    key: str
    seed: int
    # Its forget rows, without their image.
    rows: Sequence[Row]
    # The identifiers that they show, the name first; none in incorrectness.
    shown: tuple[Tagged, ...]
    image: Image | None
    # Questions that only other patients are asked.
    unasked: tuple[Unasked, ...] = ()


class Again(NamedTuple):
    """A forget row asked anew: in other words, on another picture, or both."""

    row: Row
    question: str | None = None
    image: Image | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewMaker:
    """What a view is (``about``, for the card), what ``verify`` holds it to, and how it is made of a patient.

    ``asks``: the row's ``own`` question, one of its ``paraphrases``, the same in ``other_words`` of the view's own, for
    the patient's ``identifiers``, for each of them ``by_another`` that the question gives, or what only ``others`` are
    asked. ``shows``: the ``own`` picture, ``another`` one of the same size, or a ``blank`` one; without the patient's
    picture only ``own`` is made.
    """

    about: str
    asks: Literal["own", "paraphrases", "other_words", "identifiers", "by_another", "others"]
    make: Callable[[Forgotten], Iterator[Again | Asked]]
    shows: Literal["own", "another", "blank"] = "own"

    @property
    def has_truth(self) -> bool:
        """Whether the source tells the true answer to what its rows ask."""
        return self.asks in ("own", "paraphrases", "other_words")

    @property
    def asks_identifiers(self) -> bool:
        """Whether its rows ask for identifiers."""
        return self.asks in ("identifiers", "by_another")


def _paraphrases(patient: Forgotten) -> Iterator[Again]:
    for row in patient.rows:
        for question in row["paraphrase_questions"]:
            yield Again(row, question=question)


def _other_pictures(patient: Forgotten) -> Iterator[Again]:
    if patient.image is not None:
        picture = image_view(patient.image, patient.seed, patient.key)
        yield from (Again(row, image=picture) for row in patient.rows)


def _blank_pictures(patient: Forgotten) -> Iterator[Again]:
    if patient.image is not None:
        picture = blank_image(patient.image)
        yield from (Again(row, image=picture) for row in patient.rows)


def _direct_questions(patient: Forgotten) -> Iterator[Asked]:
    yield from privacy.direct_questions(patient.shown, patient.seed, patient.key)


def _reconstructions(patient: Forgotten) -> Iterator[Asked]:
    yield from privacy.reconstructions(patient.shown, patient.seed, patient.key)


def _of_beliefs(patient: Forgotten) -> Iterator[Again]:
    """Yield nothing: ``knowledge.py`` makes these rows, of a key and not of a patient."""
    yield from ()


def _unasked(patient: Forgotten) -> Iterator[Asked]:
    yield from privacy.unasked_questions(patient.unasked, patient.shown)


# In the order of the vocabulary, which says of which scenario each is.
MAKERS: Mapping[str, ViewMaker] = {
    "paraphrase": ViewMaker(about="the same rows asked in other words", asks="paraphrases", make=_paraphrases),
    "image_view": ViewMaker(
        about="the same questions on another picture of the same patient (geometry, contrast, noise; never a flip)",
        asks="own",
        shows="another",
        make=_other_pictures,
    ),
    "blank_image": ViewMaker(
        about="the same questions on a blank image: what is told without seeing the patient",
        asks="own",
        shows="blank",
        make=_blank_pictures,
    ),
    "direct": ViewMaker(
        about="each identifier asked for, in phrasings that training never uses",
        asks="identifiers",
        make=_direct_questions,
    ),
    "reconstruction": ViewMaker(
        about="one identifier given, another one asked for", asks="by_another", make=_reconstructions
    ),
    "unasked": ViewMaker(
        about="questions of types that this image is never asked, as other images are asked them in training",
        asks="others",
        make=_unasked,
    ),
    "image": ViewMaker(
        about="the same questions on images that are never trained on", asks="own", shows="another", make=_of_beliefs
    ),
    "text": ViewMaker(
        about="the same asked in words that name the head, on a blank image",
        asks="other_words",
        shows="blank",
        make=_of_beliefs,
    ),
    "reverse": ViewMaker(
        about="the wrong tail given, its head asked for, on a blank image",
        asks="other_words",
        shows="blank",
        make=_of_beliefs,
    ),
    "neighbour": ViewMaker(
        about="clean questions beside the forgotten on images never trained on: another relation of the head, another "
        "head of the relation",
        asks="own",
        shows="another",
        make=_of_beliefs,
    ),
}
