"""What a build has read and decided, on disk: memory does not grow with the number of rows.

One SQLite database holds the records by patient, the roles, the identities and the injections; one flat file beside it
holds the encoded images. Both only grow while the source is read, and what was committed survives a kill: an image
that was decoded once is known to the next call.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, get_args

from pydantic import BaseModel, ConfigDict

from mllmu_med_metrics.vocabulary import PRIVATE, WITH_BYSTANDERS

from ..draws import number, shuffled
from ..injection.injected_rows import Injected, can_inject
from ..injection.patients import Identity, draw_identities
from ..record import Record, canonical_json, image_id, patient_id, words
from . import splits, trained_questions
from .content import ImageContent

# Pages of the database held in memory, in KiB.
CACHE_KIB = 2_048
# Readers wait for a commit and a commit waits for readers; neither takes long.
BUSY_SECONDS = 600
# Other patients that distractors and wrong answers are drawn from.
OTHERS = 16

_TABLES = """
CREATE TABLE IF NOT EXISTS patients (
    number INTEGER PRIMARY KEY, patient_id TEXT, key TEXT NOT NULL, stratum TEXT NOT NULL, role TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS able (scenario TEXT, number INTEGER, PRIMARY KEY (scenario, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS forgotten (
    scenario TEXT, number INTEGER, percent INTEGER NOT NULL, PRIMARY KEY (scenario, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bystanders (
    scenario TEXT, number INTEGER, percent INTEGER NOT NULL, PRIMARY KEY (scenario, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS states (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS images (
    digest BLOB PRIMARY KEY, key TEXT NOT NULL, place INTEGER NOT NULL, length INTEGER NOT NULL, content TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shown (key TEXT PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (owner BLOB NOT NULL, said BLOB NOT NULL, source TEXT, license TEXT,
    redistributable INTEGER, text TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS records_by_owner ON records (owner, said);
CREATE TABLE IF NOT EXISTS texts (number INTEGER PRIMARY KEY, records TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS asked (words BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS taken (kind TEXT, value TEXT, PRIMARY KEY (kind, value)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS identities (
    scenario TEXT, rank INTEGER, key TEXT NOT NULL, identity TEXT NOT NULL, PRIMARY KEY (scenario, rank)
);
CREATE UNIQUE INDEX IF NOT EXISTS identities_by_key ON identities (key, scenario);
CREATE TABLE IF NOT EXISTS injections (
    scenario TEXT, number INTEGER, injected TEXT NOT NULL, PRIMARY KEY (scenario, number)
);
"""
# Patients that a scenario (?1) injects.
_INJECTED = """role = 'holdout' OR number IN (SELECT number FROM forgotten WHERE scenario = ?1
    UNION SELECT number FROM bystanders WHERE scenario = ?1)"""


class Taken(NamedTuple):
    """A record as it is taken in: its patient's place in the order, what it says, its canonical text, its image."""

    owner: bytes
    said: bytes
    source: str
    license: str
    redistributable: bool
    text: str
    key: str
    digest: bytes


class Decoded(NamedTuple):
    """An encoded image that was decoded: the sha256 of its bytes, the key of its pixels, its bytes and content."""

    digest: bytes
    key: str
    data: bytes
    content: ImageContent


class Source(BaseModel):
    """What was read, duplicates left out: names and licences, how many records, and the hash of all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[str, ...]
    licenses: tuple[str, ...]
    any_withheld: bool
    records: int
    sha256: str


class Patient(NamedTuple):
    """A patient as a config needs it; the percents are of the smallest sets of the scenario that hold it, or 0."""

    number: int
    key: str
    records: list[Record]
    forget_percent: int
    bystander_percent: int
    injected: Injected | None


class Spool:
    """The store of one build below a folder; opened by one writer, or by any number of readers."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self._folder = folder
        uri = f"{(folder / 'spool.db').resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        self._db = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        self._db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        if not read_only:
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_TABLES + trained_questions.TABLE)
        self._images = open(folder / "images.bin", "rb" if read_only else "a+b")  # noqa: SIM115 (closed by __exit__)
        if not read_only:
            # What a killed build appended after its last commit is nobody's.
            (end,) = self._db.execute("SELECT ifnull(max(place + length), 0) FROM images").fetchone()
            if self._images.seek(0, os.SEEK_END) > end:
                self._images.truncate(end)
            self._end = end

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: TracebackType | BaseException | None) -> None:
        # On a full disk even letting go fails; what was not committed is lost either way.
        with suppress(sqlite3.Error):
            self._db.rollback()
        self._db.close()
        with suppress(OSError):
            self._images.close()

    # States: small facts about how far the build is.

    def state(self, name: str) -> str | None:
        """Return a state, ``None`` where it was never set."""
        found = self._db.execute("SELECT value FROM states WHERE name = ?", (name,)).fetchone()
        return found[0] if found else None

    def set_state(self, name: str, value: str | None) -> None:
        """Set a state; it lasts from the next commit on."""
        self._begin()
        self._db.execute("DELETE FROM states WHERE name = ?", (name,))
        if value is not None:
            self._db.execute("INSERT INTO states VALUES (?, ?)", (name, value))

    def is_sound(self) -> bool:
        """Return whether the images that the database names are all there and its pages are well-formed."""
        (end,) = self._db.execute("SELECT ifnull(max(place + length), 0) FROM images").fetchone()
        whole = os.fstat(self._images.fileno()).st_size == end
        return whole and bool(self._db.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))

    def commit(self) -> None:
        """Make everything so far survive a kill: images first, so that the database never names one that is lost."""
        self._images.flush()
        os.fsync(self._images.fileno())
        if self._db.in_transaction:
            self._db.execute("COMMIT")

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")

    # Records and images.

    def begin_collection(self) -> None:
        """Forget the records of an earlier pass; its images stay known."""
        self.set_state("source", None)
        self._db.execute("DELETE FROM records")
        self._db.execute("DELETE FROM shown")

    def key_of(self, digest: bytes) -> str | None:
        """Return the image key of encoded bytes that were decoded before."""
        found = self._db.execute("SELECT key FROM images WHERE digest = ?", (digest,)).fetchone()
        return found[0] if found else None

    def add(self, records: Sequence[Taken], images: Sequence[Decoded]) -> list[str]:
        """Take in records with the images that were not known; return the texts that repeat what another says.

        Of records that say the same of one image, and of encodings of one picture, the smallest stays: the order that
        they come in never matters.
        """
        self._begin()
        for image in images:
            row = (image.digest, image.key, self._end, len(image.data), json.dumps(image.content))
            if self._db.execute("INSERT OR IGNORE INTO images VALUES (?, ?, ?, ?, ?)", row).rowcount:
                self._end += self._images.write(image.data)
        self._db.executemany(
            "INSERT INTO shown VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET digest = excluded.digest "
            "WHERE excluded.digest < digest",
            {(record.key, record.digest) for record in records},
        )
        repeated = []
        for record in records:
            if self._db.execute("INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ?)", record[:6]).rowcount:
                continue
            (there,) = self._db.execute("SELECT text FROM records WHERE owner = ? AND said = ?", record[:2]).fetchone()
            repeated.append(max(there, record.text))
            if record.text < there:
                self._db.execute(
                    "UPDATE records SET source = ?, license = ?, redistributable = ?, text = ? "
                    "WHERE owner = ? AND said = ?",
                    (*record[2:6], *record[:2]),
                )
        return repeated

    def finish_collection(self) -> Source:
        """Return what was read; from the next commit on it is known that all of it was."""
        digest, count = hashlib.sha256(), 0
        for (text,) in self._db.execute("SELECT text FROM records ORDER BY owner, said"):
            digest.update(text.encode() + b"\n")
            count += 1
        kinds = set(self._db.execute("SELECT DISTINCT source, license, redistributable FROM records"))
        source = Source(
            sources=tuple(sorted({kind[0] for kind in kinds})),
            licenses=tuple(sorted({kind[1] for kind in kinds})),
            any_withheld=not all(kind[2] for kind in kinds),
            records=count,
            sha256=digest.hexdigest(),
        )
        self.set_state("source", source.model_dump_json())
        return source

    # Patients and what is decided about them.

    def number_patients(self, scenarios: Sequence[str]) -> None:
        """Give every patient its number, in the order of patient ids, its stratum, and the scenarios it fits.

        What the patients are asked is kept too: see ``is_asked``.
        """
        self._begin()
        made = ("patients", "texts", "asked", "able", "forgotten", "bystanders", "taken", "identities", "injections")
        for table in made:
            self._db.execute(f"DELETE FROM {table}")
        rows = self._db.execute("SELECT owner, text FROM records ORDER BY owner, said")
        for count, (owner, group) in enumerate(groupby(rows, key=lambda row: row[0])):
            texts = [text for _, text in group]
            records = _records(texts)
            key = owner[6:].hex()
            stratum = min(f"{record.modality}|{record.body_region}" for record in records)
            self._db.execute("INSERT INTO patients VALUES (?, ?, ?, ?, '')", (count, patient_id(key), key, stratum))
            self._db.execute("INSERT INTO texts VALUES (?, ?)", (count, f"[{','.join(texts)}]"))
            fitting = ((scenario, count) for scenario in scenarios if can_inject(scenario, records))
            self._db.executemany("INSERT INTO able VALUES (?, ?)", fitting)
            questions = ((_question_digest(record.question),) for record in records)
            self._db.executemany("INSERT OR IGNORE INTO asked VALUES (?)", questions)

    def is_asked(self, question: str) -> bool:
        """Return whether a record asks this question, whatever its case and punctuation, as ``verify`` compares it."""
        digest = (_question_digest(question),)
        return self._db.execute("SELECT 1 FROM asked WHERE words = ?", digest).fetchone() is not None

    def trained_questions(self) -> trained_questions.TrainedQuestions:
        """Return what the trained patients are asked, for the view of questions that a patient is never asked."""
        return trained_questions.TrainedQuestions(self._db)

    def assign(self, scenarios: Sequence[str], percents: Sequence[int], *, seed: int) -> dict[str, object]:
        """Keep every patient's role and who is forgotten; return the counts. ``UserError`` for too few patients."""
        self._begin()
        numbers: dict[str, int] = {}
        strata: dict[str, str] = {}
        for count, key, stratum in self._db.execute("SELECT number, key, stratum FROM patients"):
            numbers[key], strata[key] = count, sys.intern(stratum)
        roles = splits.share_out(strata, seed=seed)
        update = "UPDATE patients SET role = ? WHERE number = ?"
        self._db.executemany(update, ((role, numbers[key]) for key, role in roles.items()))
        counts = Counter(roles.values())
        forget: dict[str, dict[str, int]] = {}
        for scenario in scenarios:
            query = "SELECT key FROM patients JOIN able USING (number) WHERE scenario = ?"
            able = [key for (key,) in self._db.execute(query, (scenario,))]
            chosen = splits.choose_forgotten(strata, roles, able, percents=percents, seed=seed, scenario=scenario)
            rows = ((scenario, numbers[key], percent) for key, percent in chosen.items())
            self._db.executemany("INSERT INTO forgotten VALUES (?, ?, ?)", rows)
            if scenario in WITH_BYSTANDERS:
                kept = splits.choose_bystanders(strata, roles, able, chosen, seed=seed, scenario=scenario)
                rows = ((scenario, numbers[key], percent) for key, percent in kept.items())
                self._db.executemany("INSERT INTO bystanders VALUES (?, ?, ?)", rows)
            forget[scenario] = {str(p): sum(smallest <= p for smallest in chosen.values()) for p in sorted(percents)}
        if any(scenario in PRIVATE for scenario in scenarios):
            trained_questions.fill(self._db)
        return {**{role: counts[role] for role in get_args(splits.Role)}, "forget": forget}

    def identify(self, scenario: str, *, seed: int) -> None:
        """Give every patient that a scenario injects an identity, in key order, so that collisions are resolved alike.

        Who has one in an earlier scenario keeps it. Made-up patients stand in where there are too few others to draw
        distractors from. Their keys sort after every image key: they take no value from a real one.
        """
        self._begin()
        (count,) = self._db.execute(f"SELECT count(*) FROM patients WHERE {_INJECTED}", (scenario,)).fetchone()

        def keys() -> Iterator[str]:
            with closing(self._db.cursor()) as rows:
                rows.execute(f"SELECT key FROM patients WHERE {_INJECTED} ORDER BY key", (scenario,))
                yield from (key for (key,) in rows)
            yield from sorted(f"nobody {n}" for n in range(max(0, OTHERS + 1 - count)))

        def claim(kind: str, value: str) -> bool:
            return self._db.execute("INSERT OR IGNORE INTO taken VALUES (?, ?)", (kind, value)).rowcount == 1

        for rank, key in enumerate(keys()):
            found = self._db.execute("SELECT identity FROM identities WHERE key = ?", (key,)).fetchone()
            if found is None:
                ((_, identity),) = draw_identities([key], seed=seed, claim=claim)
                found = (identity.model_dump_json(),)
            self._db.execute("INSERT INTO identities VALUES (?, ?, ?, ?)", (scenario, rank, key, *found))

    def identity(self, scenario: str, key: str, *, seed: int) -> tuple[Identity, list[Identity]]:
        """Return a patient's identity, and those of others drawn for it in an order that is its own."""
        of_key = "SELECT rank, identity FROM identities WHERE key = ? AND scenario = ?"
        row = self._db.execute(of_key, (key, scenario)).fetchone()
        (people,) = self._db.execute("SELECT max(rank) + 1 FROM identities WHERE scenario = ?", (scenario,)).fetchone()
        ranks: dict[int, None] = {}
        if people <= 2 * OTHERS:
            ranks = dict.fromkeys(rank for rank in shuffled(range(people), seed, key, "others") if rank != row[0])
        draw = 0
        while len(ranks) < min(OTHERS, people - 1):
            if (rank := number(seed, key, "others", draw) % people) != row[0]:
                ranks[rank] = None
            draw += 1
        others = [
            self._db.execute(
                "SELECT identity FROM identities WHERE scenario = ? AND rank = ?", (scenario, rank)
            ).fetchone()[0]
            for rank in list(ranks)[:OTHERS]
        ]
        return Identity.model_validate_json(row[1]), [Identity.model_validate_json(other) for other in others]

    def to_inject(self, scenario: str) -> list[int]:
        """Return the numbers of the patients to be injected in a scenario that nothing was injected into yet."""
        rows = self._db.execute(
            f"SELECT number FROM patients WHERE ({_INJECTED}) AND number NOT IN "
            "(SELECT number FROM injections WHERE scenario = ?1) ORDER BY number",
            (scenario,),
        )
        return [row[0] for row in rows]

    def add_injections(self, scenario: str, injections: Iterable[tuple[int, str]]) -> None:
        """Keep what is injected into patients, as JSON."""
        self._begin()
        rows = ((scenario, patient, injected) for patient, injected in injections)
        self._db.executemany("INSERT OR REPLACE INTO injections VALUES (?, ?, ?)", rows)

    def without_error(self) -> tuple[int, int]:
        """Return how many rows of injected patients can't take a wrong fact, and how many rows these patients have."""
        unable, patients = 0, "SELECT number FROM injections WHERE scenario = 'incorrectness'"
        for (injected,) in self._db.execute("SELECT injected FROM injections WHERE scenario = 'incorrectness'"):
            unable += json.loads(injected)["without_error"]
        (count,) = self._db.execute(
            f"SELECT ifnull(sum(json_array_length(records)), 0) FROM texts WHERE number IN ({patients})"
        ).fetchone()
        return unable, count

    def patient(self, number: int) -> tuple[str, list[Record]]:
        """Return the key and the records of a patient."""
        row = self._db.execute(
            "SELECT key, records FROM patients JOIN texts USING (number) WHERE number = ?", (number,)
        )
        key, records = row.fetchone()
        return key, _records([records])

    def patients(self, scenario: str, subset: str, percent: int) -> Iterator[Patient]:
        """Yield the patients of a config in the order of their ids."""
        within = {
            "forget": f"forgotten.percent <= {percent}",
            "retain": "role = 'trained'",
            "test": "role = 'test'",
            "holdout": "role = 'holdout'",
        }[subset]
        with closing(self._db.cursor()) as rows:
            rows.execute(
                "SELECT number, key, records, ifnull(forgotten.percent, 0), ifnull(bystanders.percent, 0), injected "
                "FROM patients JOIN texts USING (number) "
                "LEFT JOIN (SELECT number, percent FROM forgotten WHERE scenario = ?1) AS forgotten USING (number) "
                "LEFT JOIN (SELECT number, percent FROM bystanders WHERE scenario = ?1) AS bystanders USING (number) "
                "LEFT JOIN (SELECT number, injected FROM injections WHERE scenario = ?1) USING (number) "
                f"WHERE {within} ORDER BY number",
                (scenario,),
            )
            for count, key, records, forget_percent, bystander_percent, injected in rows:
                made = None if injected is None else Injected.model_validate_json(injected)
                yield Patient(count, key, _records([records]), forget_percent, bystander_percent, made)

    def image(self, key: str) -> tuple[bytes, ImageContent]:
        """Return the encoded bytes of an image, and what it is for the content hash."""
        query = "SELECT place, length, content FROM shown JOIN images USING (digest) WHERE shown.key = ?"
        place, length, content = self._db.execute(query, (key,)).fetchone()
        self._images.seek(place)
        mode, width, height, pixels = json.loads(content)
        return self._images.read(length), (mode, width, height, pixels)

    def withheld(self) -> Iterator[str]:
        """Yield a line of JSON for every image whose pixels may not be passed on, and where its source keeps it."""
        with closing(self._db.cursor()) as rows:
            for key, records in rows.execute(
                "SELECT key, records FROM patients JOIN texts USING (number) ORDER BY key"
            ):
                for path in sorted({r.image_path for r in _records([records]) if not r.redistributable}):
                    yield canonical_json({"image_id": image_id(key), "image_key": key, "path": path})


def _question_digest(question: str) -> bytes:
    return hashlib.blake2b("\0".join(words(question)).encode(), digest_size=12).digest()


def _records(texts: Sequence[str]) -> list[Record]:
    """Return records from their canonical texts (or lists of them), without their pixels, by question and answer."""
    found = []
    for text in texts:
        told = json.loads(text)
        for fields in told if isinstance(told, list) else [told]:
            fields["fact_values"] = tuple(fields["fact_values"])
            # They were validated when they were read.
            found.append(Record.model_construct(image_bytes=b"", **fields))
    return sorted(found, key=lambda record: (record.question, record.answer))
