"""Images of a source made safe: every reader decodes them to the same pixels, and what can't be trusted is refused."""

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..building.left_out import FILE_MISSING
from ..record import image_key
from .files import SourceFiles

__all__ = ["BadImageError", "Picture", "SourceFiles", "picture", "pictures"]

# Above any radiograph or photograph of a slide tile, far below what fills the memory.
MAX_PIXELS = 64_000_000
# The formats biomedical VQA sets come in; Pillow's other readers (EPS, ...) are not for untrusted files.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
_PNG_TEXT = (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME")
# Application segments but those of JFIF, colour profiles and Adobe, which say how to read the pixels; and comments.
_JPEG_TEXT = (0xE1, *range(0xE3, 0xEE), 0xEF, 0xFE)


@dataclass(frozen=True, slots=True)
class Picture:
    """An image ready for a record: encoded bytes that every reader decodes to the same RGB pixels, and their key."""

    data: bytes
    key: str


Made = TypeVar("Made", bound=Picture)


class BadImageError(Exception):
    """An image that can't be used; the text says why."""


def picture(data: bytes) -> Picture:
    """Return the image of encoded bytes; raises :class:`BadImageError`.

    PNG and JPEG files in grey or RGB keep their bytes, but for what was written beside the pixels (EXIF, comments,
    text: names and places of real people are found there). Others are turned into an RGB PNG: palettes and transparency
    resolved (on black), the EXIF orientation applied, of an animation the first frame, 16-bit and floating values
    stretched from their 1st to their 99th percentile.
    """
    if not data:
        raise BadImageError("the file is empty")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            check_size(image.width, image.height)
            turned = image.getexif().get(0x0112, 1) not in (0, 1)
            plain = image.format in ("PNG", "JPEG") and image.mode in ("L", "RGB") and "transparency" not in image.info
            image.load()
            if plain and not turned:
                key = image_key(image)
                bare = _bare_png(data) if image.format == "PNG" else _bare_jpeg(data)
                if bare == data or (bare is not None and _key(bare) == key):
                    return Picture(bare, key)
            rgb = _rgb(ImageOps.exif_transpose(image))
    except BadImageError:
        raise
    except UnidentifiedImageError:
        raise BadImageError("not an image in a known format") from None
    except Image.DecompressionBombError:  # Pillow's own limit, met before ours can be looked at
        raise BadImageError(f"it has more than {MAX_PIXELS:,} pixels") from None
    except Exception as error:  # Pillow raises nearly anything on a damaged file
        raise BadImageError(f"{type(error).__name__}: {error}") from error
    encoded = io.BytesIO()
    rgb.save(encoded, "PNG")
    return Picture(encoded.getvalue(), image_key(rgb))


def _bare_png(data: bytes) -> bytes | None:
    """Return a PNG without its text, EXIF and time; ``None`` where its chunks can't be followed."""
    kept, place = [data[:8]], 8
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4])
        kind = data[place + 4 : place + 8]
        if end > len(data):
            return None
        if kind not in _PNG_TEXT:
            kept.append(data[place:end])
        if kind == b"IEND":
            return b"".join(kept)
        place = end
    return None


def _bare_jpeg(data: bytes) -> bytes | None:
    """Return a JPEG without comments and what programs wrote into it; ``None`` where its segments can't be followed."""
    kept, place = [data[:2]], 2
    while data[place : place + 1] == b"\xff" and place + 4 <= len(data):
        marker = data[place + 1]
        if marker == 0xDA:  # the pixels; what follows their end is no part of the image
            end = data.find(b"\xff\xd9", place)
            return b"".join([*kept, data[place : end + 2]]) if end > 0 else None
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4])
        if marker not in _JPEG_TEXT:
            kept.append(data[place:end])
        place = end
    return None


def _key(data: bytes) -> str | None:
    """Return the key of an encoded image, if it can be decoded."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return image_key(image)
    except Exception:
        return None


def check_size(width: int, height: int) -> None:
    """Raise :class:`BadImageError` for an image of more pixels than are decoded; to be asked before they are."""
    if width * height > MAX_PIXELS:
        raise BadImageError(f"{width} x {height} pixels are more than {MAX_PIXELS:,}")


def stretched(values: NDArray[np.float64], of: NDArray[np.float64] | None = None) -> NDArray[np.uint8]:
    """Return values from 0 to 255, black at the 1st and white at the 99th percentile (of the values ``of``, if given).

    Raises :class:`BadImageError` where no value is a number.
    """
    counted = values if of is None else of
    counted = counted[np.isfinite(counted)]
    if not counted.size:
        raise BadImageError("none of its values is a number")
    low, high = np.percentile(counted, (1, 99))
    scaled = np.nan_to_num((values - low) / max(high - low, 1e-12), nan=0.0, posinf=1.0, neginf=0.0)
    grey: NDArray[np.uint8] = (np.clip(scaled, 0, 1) * 255).round().astype(np.uint8)
    return grey


def drawn(pixels: NDArray[np.uint8]) -> Picture:
    """Return the picture of 8-bit pixels ``[height, width]`` or ``[height, width, 3]``, as a PNG."""
    image, encoded = Image.fromarray(pixels), io.BytesIO()
    image.save(encoded, "PNG")
    return Picture(encoded.getvalue(), image_key(image))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(stretched(np.asarray(image, dtype=np.float64))).convert("RGB")
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        black = Image.new("RGBA", opaque.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, opaque).convert("RGB")
    return image.convert("RGB")


def reason(error: OSError | BadImageError) -> str:
    """Return why an image can't be used; without the path that an operating system's error repeats."""
    return getattr(error, "strerror", None) or str(error)


def pictures(files: SourceFiles, names: Iterable[str], *, workers: int = 1) -> Iterator[tuple[str, Picture | str]]:
    """Yield each name with its picture, or with why there is none, in the order given; few are in memory at a time."""
    return pictures_by(picture, files, names, workers=workers)


def pictures_by(
    make: Callable[[bytes], Made], files: SourceFiles, names: Iterable[str], *, workers: int = 1
) -> Iterator[tuple[str, Made | str]]:
    """Yield what :func:`pictures` does, with pictures that ``make`` makes of the bytes of a file."""

    def one(name: str) -> Made | str:
        try:
            return make(files.read(name))
        except FileNotFoundError:
            return FILE_MISSING
        except (OSError, BadImageError) as error:
            return reason(error)

    if workers <= 1:
        yield from ((name, one(name)) for name in names)
        return
    waiting: deque[tuple[str, Future[Made | str]]] = deque()
    # Threads: decoding and hashing leave the interpreter lock.
    with ThreadPoolExecutor(workers) as pool:
        for name in names:
            waiting.append((name, pool.submit(one, name)))
            if len(waiting) > 2 * workers:
                first, made = waiting.popleft()
                yield first, made.result()
        for first, made in waiting:
            yield first, made.result()
