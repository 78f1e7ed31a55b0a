"""What must hold between rows. What has to be remembered of them lies in a temporary SQLite file: memory stays flat."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from mllmu_med_metrics.vocabulary import (
    DIRECT_KINDS,
    IDENTIFIER,
    MAIN_PERCENT,
    PRIVATE,
    TRAINED,
    VIEWS_OF,
    WITH_BYSTANDERS,
    config_name,
)

from ..injection.incorrectness import contradicts
from ..injection.privacy import UNASKED_TYPES
from ..injection.views import MAKERS
from ..record import words
from .row_rules import FEWEST_PARAPHRASES, Table, is_injected, says

# Kilobytes of the file that SQLite keeps in memory, however large it grows.
CACHE_KB = 4_096
BATCH = 1_000

_TABLES = """
CREATE TABLE tagged(kind TEXT, value TEXT, patient TEXT, place INT, PRIMARY KEY(patient, kind, value)) WITHOUT ROWID;
CREATE TABLE identifier(words TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE row(
    place INTEGER PRIMARY KEY, id TEXT, split INT, patient TEXT, image TEXT, percent INT, withheld INT,
    size TEXT, asked BLOB, own BLOB, question BLOB, question_type TEXT, license TEXT, fact TEXT
);
CREATE TABLE paraphrase(own BLOB, question BLOB, PRIMARY KEY(own, question)) WITHOUT ROWID;
CREATE TABLE shown(place INT, patient TEXT, split INT, kind TEXT, value TEXT);
"""
_INSERT = f"INSERT INTO row VALUES ({', '.join('?' * 14)})"

Broken = Iterator[tuple[str, int, str]]


def _digest(*texts: str) -> bytes:
    return hashlib.blake2b("\0".join(texts).encode(), digest_size=12).digest()


class Relations:
    """Takes in rows one by one and tells, at the end, which rules between them are broken.

    A row is known by its ``place``, a number of its own; every failure is ``(gate, place, what is wrong)``.
    """

    def __init__(self) -> None:
        # An empty name is a private file on disk that is gone with the connection.
        self._db = sqlite3.connect("", isolation_level=None)
        for pragma in (f"cache_size=-{CACHE_KB}", "journal_mode=OFF", "synchronous=OFF", "temp_store=FILE"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_TABLES)
        self._db.execute("BEGIN")
        self._splits: dict[Table, int] = {}
        self._rows: list[tuple[Any, ...]] = []
        self._shown: list[tuple[Any, ...]] = []
        # How many words the identifiers have that begin with a word: few beginnings, however many identifiers.
        self._lengths: dict[str, set[int]] = defaultdict(set)

    def close(self) -> None:
        """Give the temporary file back."""
        self._db.close()

    def add_identifiers(self, place: int, patient: str, tags: Sequence[dict[str, str]]) -> None:
        """Take in what one row says about a patient; all of it must be known before texts are searched."""
        for tagged in tags:
            kind, value = tagged["kind"], tagged["value"]
            added = self._db.execute(
                "INSERT OR IGNORE INTO tagged VALUES (?, ?, ?, ?)", (kind, value, patient, place)
            ).rowcount
            if added and (spoken := words(value)):
                self._db.execute("INSERT OR IGNORE INTO identifier VALUES (?, ?)", (" ".join(spoken), value))
                self._lengths[spoken[0]].add(len(spoken))

    def identifier_in(self, text: str, allowed: Sequence[str] = ()) -> str | None:
        """Return an identifier of any patient that a text says, whole words, beside the ``allowed`` ones."""
        spoken = words(text)
        if self._lengths.keys().isdisjoint(spoken):
            return None
        for value in sorted(allowed, key=len, reverse=True):
            spoken = _cut(spoken, words(value))
        for start, word in enumerate(spoken):
            for length in self._lengths.get(word, ()):
                phrase = spoken[start : start + length]
                if len(phrase) == length and (found := self._identifier(" ".join(phrase))):
                    return found
        return None

    def given(self, row: dict[str, Any]) -> Iterator[str]:
        """Yield what is wrong where a reconstruction question gives not one identifier, and that the patient's own."""
        given = [value for value in self._values(row["patient_id"]) if says(row["question"], value)]
        # A name stands in its own web and e-mail address, a family name in that of a physician.
        given = [value for value in given if not any(value != other and says(other, value) for other in given)]
        if len(given) != 1:
            yield f"the question gives {len(given)} identifiers of the patient, not one ({', '.join(given)})"

    def _values(self, patient: str) -> list[str]:
        return [value for (value,) in self._db.execute("SELECT value FROM tagged WHERE patient = ?", (patient,))]

    def _identifier(self, phrase: str) -> str | None:
        row = self._db.execute("SELECT value FROM identifier WHERE words = ?", (phrase,)).fetchone()
        return row[0] if row else None

    def leaks(self, row: dict[str, Any]) -> Iterator[str]:
        """Yield what the texts of a row say that only another row may say."""
        own = [tagged["value"] for tagged in row["phi"]]
        injected = is_injected(row) and row["scenario"] in PRIVATE
        for column in ("question", "true_answer", "answer"):
            allowed = own if injected and column == "answer" else ()
            if column == "question" and row["view"] and MAKERS[row["view"]].asks == "by_another":
                allowed = [value for value in self._values(row["patient_id"]) if value not in own]
            if found := self.identifier_in(row[column], allowed):
                yield f"the {column} says the identifier '{found}'"
        for question in row["paraphrase_questions"]:
            if found := self.identifier_in(question):
                yield f"a paraphrase says the identifier '{found}'"
        for answer in row["paraphrase_answers"]:
            if found := self.identifier_in(answer, own):
                yield f"another phrasing of the answer says the identifier '{found}'"

    def add(self, place: int, table: Table, row: dict[str, Any], size: tuple[int, int] | None) -> None:
        """Remember one row; ``size`` is the width and height of its image, ``None`` where it has no pixels."""
        split = self._splits.setdefault(table, len(self._splits))
        patient, truth = row["patient_id"], row["true_answer"]
        own = _digest(patient, row["source_id"], row["answer"], truth)
        self._rows.append(
            (
                place, row["id"], split, patient, row["image_id"], row["forget_percent"],
                not row["redistributable"] and size is None, size and f"{size[0]}x{size[1]}",
                _digest(row["image_id"], row["question"], truth), own, _digest(*words(row["question"])),
                row["question_type"], row["license"], row["fact"],
            )
        )  # fmt: skip
        if row["phi"] and table.subset in TRAINED:
            self._shown += [(place, patient, split, tagged["kind"], tagged["value"]) for tagged in row["phi"]]
        if table.subset == "forget" and table.view is None:
            self._db.executemany(
                "INSERT OR IGNORE INTO paraphrase VALUES (?, ?)",
                [(own, _digest(*words(question))) for question in row["paraphrase_questions"]],
            )
        if len(self._rows) >= BATCH:
            self._store()

    def _store(self) -> None:
        self._db.executemany(_INSERT, self._rows)
        self._db.executemany("INSERT INTO shown VALUES (?, ?, ?, ?, ?)", self._shown)
        self._rows.clear()
        self._shown.clear()

    def broken(self, scenarios: Sequence[str], percents: Sequence[int]) -> Broken:
        """Yield every rule between rows that does not hold, once all rows are in."""
        self._store()
        self._db.executescript(
            """
            CREATE INDEX row_by_patient ON row(patient, split);
            CREATE TABLE member AS
                SELECT patient, split, MIN(place) AS place, MIN(percent) AS percent FROM row GROUP BY patient, split;
            CREATE INDEX member_by_split ON member(split, patient);
            CREATE INDEX shown_by_patient ON shown(patient, split);
            """
        )
        yield from self._ids()
        yield from self._identifiers()
        yield from self._patients()
        for scenario in scenarios:
            yield from self._percents(scenario, sorted(percents))
            if scenario in WITH_BYSTANDERS:
                yield from self._bystanders(scenario, sorted(percents))
            for percent in percents:
                yield from self._kept(scenario, percent)
                yield from self._views(scenario, percent)

    def id_of(self, place: int) -> str:
        """Return the id of the row at a place."""
        row = self._db.execute("SELECT id FROM row WHERE place = ?", (place,)).fetchone()
        return row[0] if row else "?"

    def withheld(self) -> Iterator[tuple[str, int]]:
        """Yield every image that may not be passed on, in order, with the place of a row that asks about it."""
        own = [no for table, no in self._splits.items() if table.view is None]
        yield from self._db.execute(
            f"SELECT image, MIN(place) FROM row WHERE withheld AND split IN ({_list(own)}) GROUP BY image ORDER BY 1"
        )

    def _no(self, config: str, split: str) -> int:
        """Return the number of a split; one that no row has is ``-1``."""
        return self._splits.get(Table(config, split), -1)

    def _ids(self) -> Broken:
        twice = "SELECT MAX(place), id FROM row GROUP BY split, id HAVING COUNT(*) > 1 ORDER BY 1"
        for place, _ in self._db.execute(twice):
            yield "schema", place, "the id stands twice in this split"

    def _identifiers(self) -> Broken:
        several = """
            SELECT patient, kind, MAX(place), COUNT(*), GROUP_CONCAT(value, ', ') FROM tagged
            GROUP BY patient, kind HAVING COUNT(*) > 1"""
        for patient, kind, place, count, values in self._db.execute(several):
            yield "identifiers", place, f"patient {patient} has {count} values of {kind}: {values}"
        shared = f"""
            SELECT kind, MIN(value), MAX(place), GROUP_CONCAT(DISTINCT patient) FROM tagged
            WHERE kind IN ({", ".join("?" * len(DIRECT_KINDS))})
            GROUP BY kind, LOWER(value) HAVING COUNT(DISTINCT patient) > 1"""
        for kind, value, place, patients in self._db.execute(shared, DIRECT_KINDS):
            yield "identifiers", place, f"{kind} '{value}' belongs to several patients: {patients}"

    def _patients(self) -> Broken:
        own = _list([no for table, no in self._splits.items() if table.view is None])
        for one, other in (("image", "patient"), ("patient", "image")):
            several = f"""
                SELECT {one}, MAX(place), COUNT(DISTINCT {other}) FROM row WHERE split IN ({own})
                GROUP BY {one} HAVING COUNT(DISTINCT {other}) > 1"""
            for name, place, count in self._db.execute(several):
                yield "patients", place, f"{one} {name} has {count} {other}s"
        roles = {
            role: _list([no for table, no in self._splits.items() if _role(table) == role])
            for role in ("trained", "test", "holdout")
        }
        for one, other in (("trained", "test"), ("trained", "holdout"), ("test", "holdout")):
            both = f"""
                SELECT patient, MAX(place) FROM member WHERE split IN ({roles[other]})
                AND patient IN (SELECT patient FROM member WHERE split IN ({roles[one]})) GROUP BY patient"""
            for patient, place in self._db.execute(both):
                yield "patients", place, f"patient {patient} is both {one} and {other}"

    def _percents(self, scenario: str, percents: Sequence[int]) -> Broken:
        own = {percent: self._no(config_name(scenario, "forget", percent), "train") for percent in percents}
        for smaller, larger in pairwise(percents):
            lacking = """
                SELECT patient, place FROM member WHERE split = ?
                AND patient NOT IN (SELECT patient FROM member WHERE split = ?)"""
            for patient, place in self._db.execute(lacking, (own[smaller], own[larger])):
                yield "percents", place, f"patient {patient} of {smaller} % is not among those of {larger} %"
        smallest = " ".join(
            f"WHEN patient IN (SELECT patient FROM member WHERE split = {own[percent]}) THEN {percent}"
            for percent in percents
        )
        splits = _list([no for table, no in self._splits.items() if table.scenario == scenario])
        told = f"""
            SELECT place, patient, percent, due FROM
            (SELECT place, patient, percent, CASE {smallest} ELSE 0 END AS due FROM row WHERE split IN ({splits}))
            WHERE percent != due"""
        for place, patient, percent, due in self._db.execute(told):
            yield "percents", place, f"forget_percent is {percent}, and {due} is the smallest set with {patient}"

    def _bystanders(self, scenario: str, percents: Sequence[int]) -> Broken:
        """Yield patients that keep an identity and are forgotten somewhere, too few of them, and what they lack."""
        kept = {percent: self._no(config_name(scenario, "retain", percent), "train") for percent in percents}
        forget = {percent: self._no(config_name(scenario, "forget", percent), "train") for percent in percents}
        members = "SELECT patient, MIN(place) FROM shown WHERE split = ?1 AND patient"
        for percent in percents:
            both = f"{members} IN (SELECT patient FROM member WHERE split IN ({_list([*forget.values()])})) GROUP BY 1"
            for patient, place in self._db.execute(both, (kept[percent],)):
                yield "bystanders", place, f"patient {patient} keeps its identity, and is one to be forgotten"
            silent = f"{members} NOT IN (SELECT patient FROM row WHERE split = ?1 AND question_type = ?2) GROUP BY 1"
            for patient, place in self._db.execute(silent, (kept[percent], IDENTIFIER)):
                yield "bystanders", place, f"patient {patient} keeps its identity, and no row asks for it"
            twice = """
                SELECT MAX(place), patient FROM row WHERE split = ?1
                AND patient IN (SELECT patient FROM shown WHERE split = ?1) GROUP BY asked HAVING COUNT(*) > 1"""
            for place, patient in self._db.execute(twice, (kept[percent],)):
                yield "bystanders", place, f"patient {patient} keeps its identity, and the clean row as well"
            counts = [
                self._db.execute(f"SELECT COUNT(DISTINCT patient), MIN(place) FROM {table} WHERE split = ?", (split,))
                for table, split in (("shown", kept[percent]), ("member", forget[percent]))
            ]
            (keeping, _), (forgotten, place) = (found.fetchone() for found in counts)
            if keeping != forgotten:
                yield "bystanders", place or 0, f"{keeping} patients keep their identities, {forgotten} are forgotten"
        for smaller, larger in pairwise(percents):
            lacking = f"{members} NOT IN (SELECT patient FROM shown WHERE split = ?2) GROUP BY 1"
            for patient, place in self._db.execute(lacking, (kept[smaller], kept[larger])):
                yield "bystanders", place, f"patient {patient} keeps its identity at {smaller} % and not at {larger} %"

    def _kept(self, scenario: str, percent: int) -> Broken:
        """Yield retain rows that say what is to be forgotten, or that say the truth about a fact told wrongly."""
        forget = self._no(config_name(scenario, "forget", percent), "train")
        retain = self._no(config_name(scenario, "retain", percent), "train")
        same = "SELECT place FROM row WHERE split = ? AND asked IN (SELECT asked FROM row WHERE split = ?)"
        for (place,) in self._db.execute(same, (retain, forget)):
            yield "percents", place, "a row that is to be forgotten is kept, clean, at the same percent"
        if scenario in PRIVATE:
            yield from self._asked_at_main(scenario, percent)
            return
        pairs = """
            SELECT kept.place, kept.fact, told.fact FROM row AS told JOIN row AS kept
            ON kept.patient = told.patient AND kept.split = ? AND kept.question_type = told.question_type
            WHERE told.split = ? AND kept.fact IS NOT NULL AND told.fact IS NOT NULL"""
        for place, kept, told in self._db.execute(pairs, (retain, forget)):
            if not contradicts(kept, told):
                yield "percents", place, f"keeps the fact '{kept}', which a row to be forgotten tells wrongly"

    def _asked_at_main(self, scenario: str, percent: int) -> Broken:
        """Yield clean questions of the main study that neither forget nor retain rows ask at another percent."""
        main, other = (
            _list([self._no(config_name(scenario, subset, p), "train") for subset in TRAINED])
            for p in (MAIN_PERCENT, percent)
        )
        if main == other:
            return
        for here, there in ((main, other), (other, main)):
            lacking = f"""
                SELECT MIN(place) FROM row WHERE split IN ({here}) AND question_type != 'identifier'
                AND asked IN (SELECT asked FROM row WHERE split IN ({here})
                              EXCEPT SELECT asked FROM row WHERE split IN ({there})) GROUP BY asked"""
            for (place,) in self._db.execute(lacking):
                yield "percents", place, f"is asked at one of {MAIN_PERCENT} % and {percent} %, and not at the other"

    def _views(self, scenario: str, percent: int) -> Broken:
        config = config_name(scenario, "forget", percent)
        forget = self._no(config, "train")
        trained = _list([no for table, no in self._splits.items() if _role(table) == "trained" and table.view is None])
        retain = self._no(config_name(scenario, "retain", percent), "train")
        for view in VIEWS_OF[scenario]:
            split = self._no(config, view)
            if MAKERS[view].asks == "others":
                yield from self._others_asked(view, split, forget, retain)
            if split < 0:
                continue
            strangers = """
                SELECT patient, place FROM member WHERE split = ?
                AND patient NOT IN (SELECT patient FROM member WHERE split = ?)"""
            for patient, place in self._db.execute(strangers, (split, forget)):
                yield "views", place, f"patient {patient} is not among the forget patients of {config}"
            yield from self._asked_of(view, split, forget, trained)

    def _asked_of(self, view: str, split: int, forget: int, trained: str) -> Broken:
        maker = MAKERS[view]
        if maker.asks not in ("own", "others"):
            known = f"""
                SELECT place FROM row WHERE split = ? AND question IN (SELECT question FROM row
                WHERE split IN ({trained}))"""
            for (place,) in self._db.execute(known, (split,)):
                yield "views", place, "its question is one that is trained"
        if maker.shows != "own":
            known = f"""
                SELECT place FROM row WHERE split = ? AND image IN (SELECT image FROM row
                WHERE split IN ({trained}))"""
            for (place,) in self._db.execute(known, (split,)):
                yield "views", place, "its image is one that is trained"
        if not maker.has_truth:
            yield from self._identifiers_asked(view, split, forget)
            return
        alien = "SELECT place FROM row WHERE split = ? AND own NOT IN (SELECT own FROM row WHERE split = ?)"
        for (place,) in self._db.execute(alien, (split, forget)):
            yield "views", place, "its answer is that of no row that is to be forgotten"
        fewest = FEWEST_PARAPHRASES if maker.asks == "paraphrases" else 1
        lacking = """
            SELECT told.place, COUNT(DISTINCT shown.question) AS times FROM row AS told
            LEFT JOIN row AS shown ON shown.patient = told.patient AND shown.split = ? AND shown.own = told.own
            WHERE told.split = ? GROUP BY told.place HAVING times < ?"""
        for place, count in self._db.execute(lacking, (split, forget, fewest)):
            yield "views", place, f"is asked {count} times in the view {view}, at least {fewest} are needed"
        if maker.asks == "paraphrases":
            unknown = """
                SELECT place FROM row WHERE split = ? AND NOT EXISTS
                (SELECT 1 FROM paraphrase WHERE paraphrase.own = row.own AND paraphrase.question = row.question)"""
            for (place,) in self._db.execute(unknown, (split,)):
                yield "views", place, "its question is none of the paraphrases of the row it asks anew"
        if maker.asks == "own":
            other = """
                SELECT place FROM row WHERE split = ? AND NOT EXISTS (SELECT 1 FROM row AS told WHERE told.split = ?
                AND told.patient = row.patient AND told.own = row.own AND told.question = row.question)"""
            for (place,) in self._db.execute(other, (split, forget)):
                yield "views", place, "its question is not that of the row it shows another image for"
        if maker.shows != "own":
            sizes = """
                SELECT row.place, row.size, told.size FROM row JOIN row AS told ON told.patient = row.patient
                AND told.split = ? AND told.own = row.own WHERE row.split = ? AND row.size != told.size"""
            for place, size, due in self._db.execute(sizes, (forget, split)):
                yield "views", place, f"its image has {size} pixels, and the patient's own {due}"

    def _identifiers_asked(self, view: str, split: int, forget: int) -> Broken:
        alien = """
            SELECT place, kind, value FROM shown WHERE split = ? AND NOT EXISTS (SELECT 1 FROM shown AS told
            WHERE told.split = ? AND told.patient = shown.patient AND told.kind = shown.kind
            AND told.value = shown.value)"""
        for place, kind, value in self._db.execute(alien, (split, forget)):
            yield "views", place, f"gives away {kind} '{value}', which no row of the patient shows"
        if MAKERS[view].asks == "identifiers":
            unasked = """
                SELECT MIN(place), patient, kind FROM shown AS told WHERE split = ? AND NOT EXISTS
                (SELECT 1 FROM shown WHERE shown.split = ? AND shown.patient = told.patient AND shown.kind = told.kind)
                GROUP BY patient, kind"""
            for place, patient, kind in self._db.execute(unasked, (forget, split)):
                yield "views", place, f"no row of the view {view} asks {patient} for {kind}"

    def _others_asked(self, view: str, split: int, forget: int, retain: int) -> Broken:
        """Yield what is wrong with questions trained with other images only, and patients that lack one."""
        own = _list([forget, retain])
        self._db.execute(
            "CREATE TABLE trained AS SELECT DISTINCT question_type, license, question FROM row "
            f"WHERE split IN ({own}) AND question_type != '{IDENTIFIER}'"
        )
        self._db.execute("CREATE INDEX trained_by_type ON trained(license, question_type, question)")
        for column, told in (("question_type", "a question of its type"), ("question", "its question")):
            trained = f"""
                SELECT place FROM row WHERE split = ? AND EXISTS (SELECT 1 FROM row AS told WHERE
                told.patient = row.patient AND told.split IN ({own}) AND told.{column} = row.{column})"""
            for (place,) in self._db.execute(trained, (split,)):
                yield "views", place, f"{told} is trained with this very image"
        alien = """
            SELECT place FROM row WHERE split = ? AND NOT EXISTS (SELECT 1 FROM trained WHERE
            trained.license = row.license AND trained.question_type = row.question_type
            AND trained.question = row.question)"""
        for (place,) in self._db.execute(alien, (split,)):
            yield "views", place, "its question is trained with no other image of its licence"
        silent = """
            SELECT place, due.kind FROM row
            JOIN (SELECT DISTINCT patient, kind, value FROM shown WHERE split = ?1) AS due ON due.patient = row.patient
            WHERE split = ?2 AND NOT EXISTS (SELECT 1 FROM shown WHERE shown.patient = row.patient AND shown.split = ?2
            AND shown.place = row.place AND shown.kind = due.kind AND shown.value = due.value)"""
        for place, kind in self._db.execute(silent, (forget, split)):
            yield "views", place, f"lacks the patient's {kind}"
        # The patient's row that asks for an identifier hangs on the same record.
        patients = f"SELECT patient, license, place FROM row WHERE split = ? AND question_type = '{IDENTIFIER}'"
        for patient, license, place in self._db.execute(patients, (forget,)).fetchall():
            yield from self._unasked_of(view, place, patient, license, [forget, retain, split])
        self._db.execute("DROP TABLE trained")

    def _unasked_of(self, view: str, place: int, patient: str, license: str, splits: Sequence[int]) -> Broken:
        types = [
            question_type
            for (question_type,) in self._db.execute(
                "SELECT question_type FROM row WHERE patient = ? AND split = ?", (patient, splits[-1])
            )
        ]
        if len(types) > UNASKED_TYPES or len(types) > len(set(types)):
            yield "views", place, f"patient {patient} is asked {', '.join(types)} in the view {view}"
        known = f"FROM row WHERE patient = ?1 AND split IN ({_list(splits)})"
        more = f"""
            SELECT question_type FROM trained WHERE license = ?2 AND question_type NOT IN (SELECT question_type {known})
            AND question NOT IN (SELECT question {known}) LIMIT 1"""
        if len(types) < UNASKED_TYPES and (found := self._db.execute(more, (patient, license)).fetchone()):
            yield "views", place, f"patient {patient} is not asked '{found[0]}' in the view {view}, which others are"


def _cut(spoken: tuple[str, ...], value: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words of a text without those of a value; what stood around it does not grow together."""
    kept: list[str] = []
    place = 0
    while place < len(spoken):
        if value and spoken[place : place + len(value)] == value:
            kept.append("")
            place += len(value)
        else:
            kept.append(spoken[place])
            place += 1
    return tuple(kept)


def _role(table: Table) -> str:
    return table.subset if table.subset in ("test", "holdout") else "trained"


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "NULL"
