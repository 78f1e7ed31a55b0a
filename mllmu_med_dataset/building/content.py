"""The canonical content hash of a split: what its rows say, whatever wrote the file and however it is compressed."""

import hashlib
import io
from typing import Any

from PIL import Image

from ..record import canonical_json

ImageContent = tuple[str, int, int, str]


def open_image(data: bytes) -> Image.Image:
    """Return the decoded image of encoded file bytes; raises what Pillow raises where there is none."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def image_content(image: Image.Image) -> ImageContent:
    """Return what a stored image is: mode, width, height, and the sha256 of its raw pixels."""
    return image.mode, image.width, image.height, hashlib.sha256(image.tobytes()).hexdigest()


# Where a wrong fact came from is a note for people: it changes nothing that is taught, asked or scored.
UNHASHED = frozenset({"error_pool"})


class ContentHash:
    """Hash the rows of one split in their stored order, each as canonical JSON with the image as its pixels."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.rows = 0

    def add(self, row: dict[str, Any], image: ImageContent | None) -> bytes:
        """Take in one row; ``image`` stands for the row's image column. Return the digest of what the row says."""
        hashed = {name: value for name, value in row.items() if name not in UNHASHED}
        line = canonical_json({**hashed, "image": image}).encode() + b"\n"
        self._digest.update(line)
        self.rows += 1
        return hashlib.sha256(line).digest()

    def hexdigest(self) -> str:
        """Return the sha256 of all rows so far."""
        return self._digest.hexdigest()


def dataset_sha256(content: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Return the one checksum of a data set: over the content hashes of all its configs and splits."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def file_sha256(path: Any) -> str:
    """Return the sha256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
