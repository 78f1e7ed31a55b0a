"""Other pictures of a forget patient that training never saw: one slightly moved and dimmed, one blank.

Left stays left. The move turns by a few degrees, scales by a few hundredths and shifts by a few hundredths of the
picture; it never mirrors, and what lies an eighth of the picture or more off the middle stays in its quadrant.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from ..draws import numbers

if TYPE_CHECKING:
    from PIL.Image import Image

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
