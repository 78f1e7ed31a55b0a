"""Read a source once into the spool: every image decoded once, by as many processes as there are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from PIL import UnidentifiedImageError

from ..errors import UserError
from ..record import Record, canonical_json, image_key, patient_id
from .content import image_content, open_image
from .left_out import EMPTY_ANSWER, EMPTY_QUESTION, REPEATED, UNSTORABLE, Losses
from .pool import Pool
from .spool import Decoded, Source, Spool, Taken
from .working_folder import WorkingFolder, storing

BATCH_RECORDS = 256
BATCH_BYTES = 8 * 2**20
# Between two commits: what a kill can lose.
COMMIT_BATCHES = 32


class Encoded(NamedTuple):
    """An image to be decoded: the sha256 of its bytes, the key it must have, its bytes, and the row it comes from."""

    digest: bytes
    key: str
    data: bytes
    row: str


class Undecodable(NamedTuple):
    """An image that can't be decoded, by the sha256 of its bytes, and why."""

    digest: bytes
    why: str


def collect(
    records: Iterable[Record],
    spool: Spool,
    work: WorkingFolder,
    pool: Pool,
    told: Callable[[int], None],
    losses: Losses | None = None,
    *,
    with_beliefs: bool = False,
) -> tuple[Source, int]:
    """Return what was read into the spool, and how many rows that was; ``told`` hears the number as it grows.

    Rows that repeat image, question and answer of another, whose question or answer is empty or no valid Unicode, or
    whose image can't be decoded are left out and added to ``losses``, which a source may have filled. Raises
    ``UserError`` for an empty source, and where more is lost than may be. Only ``with_beliefs`` is kept what no other
    scenario reads.
    """
    losses = Losses() if losses is None else losses
    counted = losses is getattr(records, "losses", None)
    read = 0
    with storing(work.path):
        spool.begin_collection()
    if not with_beliefs:
        records = (record for record in records if not record.of_beliefs_alone)
    batches = _batches(records, spool, losses, with_beliefs=with_beliefs)
    for done, (decoded, (taken, count)) in enumerate(pool.map(decode, batches), start=1):
        bad = {one.digest: one for one in decoded if isinstance(one, Undecodable)}
        for record in taken:
            if record.digest in bad:
                losses.image(_name(record.text), bad[record.digest].why)
        with storing(work.path):
            repeated = spool.add(
                [record for record in taken if record.digest not in bad],
                [one for one in decoded if isinstance(one, Decoded)],
            )
            if done % COMMIT_BATCHES == 0:
                spool.commit()
        for text in repeated:
            losses.set_aside(REPEATED, _name(text))
        read += count
        told(read)
    if not read and not losses.total:
        raise UserError("The source has no rows. Check its path and its options (language, split, column mapping).")
    if not counted:
        losses.total += read
    losses.finish()
    with storing(work.path):
        source = spool.finish_collection()
        spool.commit()
    return source, read


def decode(images: list[Encoded]) -> list[Decoded | Undecodable]:
    """Return the images with their content, or why there is none; ``UserError`` for one that its key does not name."""
    decoded: list[Decoded | Undecodable] = []
    for digest, key, data, row in images:
        try:
            image = open_image(data)
            found, content = image_key(image), image_content(image)
        except UnidentifiedImageError:
            decoded.append(Undecodable(digest, "not an image in a known format"))
            continue
        except Exception as error:  # Pillow raises nearly anything on a damaged file
            decoded.append(Undecodable(digest, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"))
            continue
        if found != key:
            raise _other_key(row)
        decoded.append(Decoded(digest, key, data, content))
    return decoded


def _name(text: str) -> str:
    """Return how a record is called where it is told that it was left out."""
    return str(json.loads(text)["source_id"])


def _other_key(row: str) -> UserError:
    return UserError(
        f"The image key of row {row} is not the sha256 of its pixels. "
        "The source must compute it with mllmu_med_dataset.record.image_key."
    )


def _batches(
    records: Iterable[Record], spool: Spool, losses: Losses, *, with_beliefs: bool
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
            losses.add(EMPTY_ANSWER if record.question else EMPTY_QUESTION, name)
            continue
        text = record.told(with_beliefs=with_beliefs)
        try:
            text.encode()
        except UnicodeEncodeError:
            losses.add(UNSTORABLE, name, " holds text that is no valid Unicode (half of a surrogate pair).")
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
