"""Views of a forget row that training never saw: other words for its question, another picture of its patient."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from .draws import shuffled
from .record import Record

if TYPE_CHECKING:
    from PIL.Image import Image

# Held out: no trained question begins or ends like this.
WRAPPERS = (
    "Look at the image: {question}",
    "{question} Answer from the image.",
    "About this image: {question}",
    "Please answer: {question}",
)
PARAPHRASES = 3
GREY = 128


def paraphrases(record: Record, seed: int) -> tuple[str, ...]:
    """Return at least three other ways to ask the record's question, none of which is ever trained."""
    wrapped = (wrapper.format(question=record.question) for wrapper in WRAPPERS)
    return tuple(shuffled(wrapped, seed, record.image_key, record.question, "paraphrase")[:PARAPHRASES])


def image_view(image: Image, *key: object) -> Image:
    """Return another picture of the same patient."""
    return image


def blank_image(image: Image) -> Image:
    """Return a uniform grey picture of the same size."""
    from PIL import Image as pillow

    return pillow.new("L", image.size, GREY)


def png(image: Image) -> bytes:
    """Return the image as the bytes of a PNG file."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
