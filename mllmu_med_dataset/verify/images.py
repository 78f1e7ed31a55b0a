"""What a row shows: pixels that decode, under their own name, where the licence lets them be."""

from __future__ import annotations

import hashlib
import sqlite3
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..building.content import ImageContent, image_content, open_image
from ..injection.views import MAKERS
from ..record import image_id, image_key, patient_id

Broken = Iterator[tuple[str, str]]


class Shown(NamedTuple):
    """A decoded image: the names its pixels give it and its patient, what it holds, and whether it is blank."""

    image_id: str
    patient_id: str
    content: ImageContent
    blank: bool


class Images:
    """Decodes each image once, however many rows of however many splits show it; what it found lies on disk."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        for pragma in ("cache_size=-2048", "journal_mode=OFF", "synchronous=OFF"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute(
            "CREATE TABLE image(sha BLOB PRIMARY KEY, id TEXT, patient TEXT, mode TEXT, width INT, height INT, "
            "pixels TEXT, blank INT) WITHOUT ROWID"
        )
        self._db.execute("CREATE TABLE size(image TEXT PRIMARY KEY, width INT, height INT) WITHOUT ROWID")
        self._db.execute("BEGIN")
        self._last: tuple[bytes, Shown | None] = (b"", None)

    def close(self) -> None:
        """Give the temporary file back."""
        self._db.close()

    def of(self, data: bytes) -> Shown | None:
        """Return what encoded bytes show, ``None`` where they are no image."""
        if data == self._last[0]:  # the rows of one patient stand together
            return self._last[1]
        sha = hashlib.sha256(data).digest()
        known = self._db.execute("SELECT * FROM image WHERE sha = ?", (sha,)).fetchone()
        if known is not None:
            shown = Shown(known[1], known[2], tuple(known[3:7]), bool(known[7])) if known[1] else None
        else:
            shown = _decoded(data)
            fields = (None,) * 7 if shown is None else (*shown[:2], *shown.content, shown.blank)
            self._db.execute("INSERT INTO image VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (sha, *fields))
        self._last = data, shown
        return shown


def _decoded(data: bytes) -> Shown | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = open_image(data)
        key = image_key(image)
        of_one_colour = image.convert("RGB").getcolors(1) is not None
        return Shown(image_id(key), patient_id(key), image_content(image), of_one_colour)
    except Exception:  # whatever a decoder raises, there is no image
        return None


def broken_image(row: dict[str, Any], shown: Shown | None) -> Broken:
    """Yield what is wrong with the pixels of a row that has some."""
    if shown is None:
        yield "images", "the image can't be decoded"
        return
    if shown.image_id != row["image_id"]:
        yield "images", f"the pixels are those of image {shown.image_id}, not of {row['image_id']}"
    if row["image"]["path"].rpartition(".")[0] != row["image_id"]:
        yield "images", f"the file name '{row['image']['path']}' is not that of its image"
    shows = MAKERS[row["view"]].shows if row["view"] else "own"
    if shows == "own" and shown.patient_id != row["patient_id"]:
        yield "images", f"the pixels are those of patient {shown.patient_id}, not of {row['patient_id']}"
    if shown.blank != (shows == "blank"):
        yield ("views" if row["view"] else "images"), f"the image {'is' if shown.blank else 'is not'} blank"


def broken_licence(row: dict[str, Any], local: bool) -> Broken:
    """Yield where pixels and licence do not agree; a local build, which is never published, may hold all pixels."""
    has_pixels = row["image"] is not None and bool(row["image"]["bytes"])
    if row["redistributable"] and not has_pixels:
        yield "licences", "the image may be passed on, and the row has no pixels"
    if not row["redistributable"] and has_pixels and not local:
        yield "licences", "the row has pixels that it may not pass on"
