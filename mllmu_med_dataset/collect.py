"""Read a source once into the spool: every image decoded once, by as many processes as there are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from .content import image_content, open_image
from .errors import UserError
from .pool import Pool
from .record import Record, canonical_json, image_key, patient_id
from .spool import Decoded, Source, Spool, Taken
from .working_folder import WorkingFolder, storing

BATCH_RECORDS = 256
BATCH_BYTES = 8 * 2**20
# Between two commits: what a kill can lose.
COMMIT_BATCHES = 32
_NAMED = 5


class Encoded(NamedTuple):
    """An image to be decoded: the sha256 of its bytes, the key it must have, its bytes, and the row it comes from."""

    digest: bytes
    key: str
    data: bytes
    row: str


class Refused:
    """Rows that can't be used, counted and the first ones named, so that one message tells of all."""

    def __init__(self) -> None:
        self._named: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}

    def add(self, what: str, row: str) -> None:
        """Note a row."""
        self._counts[what] = self._counts.get(what, 0) + 1
        self._named.setdefault(what, []).extend([row] if self._counts[what] <= _NAMED else [])

    def finish(self, read: int) -> None:
        """Raise ``UserError`` if there was any."""
        for what, count in self._counts.items():
            shown = ", ".join(self._named[what]) + (", ..." if count > _NAMED else "")
            raise UserError(f"{count} of {read} rows {what}: {shown}. Fill, repair or remove them.")


def collect(
    records: Iterable[Record], spool: Spool, work: WorkingFolder, pool: Pool, told: Callable[[int], None]
) -> tuple[Source, int]:
    """Return what was read into the spool, and how many rows that was; ``told`` hears the number as it grows.

    A row that repeats image, question and answer of another is dropped. Raises ``UserError`` for an empty source, for
    rows whose question or answer is empty or no valid Unicode, and for images that can't be decoded, naming them.
    """
    refused = Refused()
    read = 0
    with storing(work.path):
        spool.begin_collection()
    batches = _batches(records, spool, refused)
    for done, (decoded, (taken, count)) in enumerate(pool.map(decode, batches), start=1):
        with storing(work.path):
            spool.add(taken, decoded)
            if done % COMMIT_BATCHES == 0:
                spool.commit()
        read += count
        told(read)
    if not read:
        raise UserError("The source has no rows. Check its path and its options (language, split, column mapping).")
    refused.finish(read)
    with storing(work.path):
        source = spool.finish_collection()
        spool.commit()
    return source, read


def decode(images: list[Encoded]) -> list[Decoded]:
    """Return the images with their content; raises ``UserError`` for the first that is not what its key says."""
    decoded = []
    for digest, key, data, row in images:
        try:
            image = open_image(data)
            found, content = image_key(image), image_content(image)
        except Exception as error:
            raise UserError(
                f"The image of row {row} can't be decoded: {error}. "
                "Repair or remove it, or skip bad images when reading the source."
            ) from error
        if found != key:
            raise _other_key(row)
        decoded.append(Decoded(digest, key, data, content))
    return decoded


def _other_key(row: str) -> UserError:
    return UserError(
        f"The image key of row {row} is not the sha256 of its pixels. "
        "The source must compute it with mllmu_med_dataset.record.image_key."
    )


def _batches(
    records: Iterable[Record], spool: Spool, refused: Refused
) -> Iterator[tuple[list[Encoded], tuple[list[Taken], int]]]:
    """Yield the images to decode of so many records, and beside them what is kept of these and how many were read."""
    taken: list[Taken] = []
    unknown: dict[bytes, Encoded] = {}
    known: dict[bytes, str] = {}
    count = size = 0
    last, digest = b"", b""
    for record in records:
        count += 1
        name = record.source_id.encode("utf-8", "backslashreplace").decode()
        row = f"{name} ({record.source})"
        # The rows of a patient follow each other and share the bytes of its image in most sources.
        if record.image_bytes is not last:
            last, digest = record.image_bytes, hashlib.sha256(record.image_bytes).digest()
        if not record.question or not record.answer:
            empty = "question" if not record.question else "answer"
            refused.add("have an empty question or answer", f"{name} ({empty})")
            continue
        text = canonical_json(record.model_dump(exclude={"image_bytes"}))
        try:
            text.encode()
        except UnicodeEncodeError:
            refused.add("hold text that is no valid Unicode (half of a surrogate pair)", row)
            continue
        key = record.image_key
        if digest not in known:
            found = spool.key_of(digest)
            if found is None:
                unknown[digest] = Encoded(digest, key, record.image_bytes, row)
                size += len(record.image_bytes)
            known[digest] = key if found is None else found
        if known[digest] != key:
            raise _other_key(row)
        owner = bytes.fromhex(patient_id(key)[2:] + key)
        said = hashlib.sha256(canonical_json([record.question, record.answer]).encode()).digest()[:16]
        taken.append(Taken(owner, said, record.source, record.license, record.redistributable, text, key, digest))
        if count >= BATCH_RECORDS or size >= BATCH_BYTES:
            yield list(unknown.values()), (taken, count)
            taken, unknown, known, count, size = [], {}, {}, 0, 0
    if count:
        yield list(unknown.values()), (taken, count)
