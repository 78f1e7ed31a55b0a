"""Verify a build: named gates over its files and rows, each of which says which file, row and rule is broken."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict

from .configs import MAIN_PERCENT, config_name, config_names, main_split
from .content import ContentHash, ImageContent, dataset_sha256, file_sha256, image_content, open_image
from .incorrectness import contradicts, normalise
from .patients import DIRECT_KINDS, in_range
from .privacy import DISTRACTORS
from .record import SCHEMA_PATH, features, image_id, image_key, json_form, row_id
from .rewrite import find_value

GATES = {
    "files": "every file is there, unchanged, and no other",
    "content": "every split says what its content checksum says",
    "schema": "every row fits the JSON Schema, and its id is the hash of what it says",
    "configs": "every config of the build is there, and the card tells its splits and sizes",
    "images": "every image decodes and is the one its id names",
    "identifiers": "identifiers are in their fictitious ranges, one per patient and kind, unique, and in the answer",
    "distractors": "every identifier has other patients' values of its kind beside it",
    "leaks": "no identifier of a forget or holdout patient stands in a clean row",
    "clean": "retain and test rows teach the truth; forget and holdout rows are injected",
    "wrong_facts": "a wrong fact is another fact than the truth, said instead of it",
    "patients": "trained, test and holdout patients are disjoint",
    "percents": "forget sets are nested, and each percent's forget and retain rows have nothing in common",
    "licences": "pixels are there where they may be passed on, and nowhere else",
}
# A broken build breaks everywhere in the same way: the first lines of a gate say enough.
SHOWN_FAILURES = 20


class Gate(BaseModel):
    """One rule: what it claims, and a line for each place where it does not hold."""

    model_config = ConfigDict(frozen=True)

    name: str
    claim: str
    failures: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the rule holds everywhere."""
        return not self.failures


class Report(BaseModel):
    """The outcome of every gate over one build."""

    model_config = ConfigDict(frozen=True)

    folder: Path
    gates: tuple[Gate, ...]
    rows: int

    @property
    def ok(self) -> bool:
        """Whether every gate holds."""
        return all(gate.ok for gate in self.gates)

    def lines(self) -> list[str]:
        """Return one line a failure: ``gate: file, row: what is wrong``; a long gate is cut and its rest counted."""
        lines = []
        for gate in self.gates:
            lines += [f"{gate.name}: {failure}" for failure in gate.failures[:SHOWN_FAILURES]]
            if len(gate.failures) > SHOWN_FAILURES:
                lines.append(f"{gate.name}: and {len(gate.failures) - SHOWN_FAILURES} more")
        return lines

    def text(self) -> str:
        """Return the report as a person reads it: a line a gate, then the failures."""
        gates = [f"{'ok  ' if gate.ok else 'FAIL'} {gate.name}: {gate.claim}" for gate in self.gates]
        return "\n".join([f"{self.folder}: {self.rows} rows", *gates, *self.lines()])


def verify(folder: Path | str) -> Report:
    """Return what every gate says about the build in a folder; never raises for what is wrong with the data."""
    return _Verification(Path(folder)).run()


def is_row_schema(schema: pa.Schema) -> bool:
    """Return whether a file has a row's columns in order, and the ``datasets`` features that make images of bytes."""
    known = features().arrow_schema
    told = [json.loads((s.metadata or {}).get(b"huggingface", "{}")).get("info") for s in (schema, known)]
    return schema.remove_metadata().equals(known.remove_metadata()) and told[0] == told[1]


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text as identifiers are looked for: case and punctuation do not hide one."""
    return tuple(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


class IdentifierIndex:
    """Find any of many identifiers in a text in time that does not depend on how many there are."""

    def __init__(self) -> None:
        self._by_length: dict[int, dict[tuple[str, ...], str]] = defaultdict(dict)

    def add(self, value: str) -> None:
        """Take in an identifier."""
        if tokens := words(value):
            self._by_length[len(tokens)][tokens] = value

    def found_in(self, text: str) -> str | None:
        """Return an identifier that the text says, whole words, or ``None``."""
        tokens = words(text)
        for length, known in self._by_length.items():
            for start in range(len(tokens) - length + 1):
                if tokens[start : start + length] in known:
                    return known[tokens[start : start + length]]
        return None


class _Verification:
    """One pass over all files for what a row tells by itself, then the rules between configs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failures: dict[str, list[str]] = {name: [] for name in GATES}
        self.document: dict[str, Any] = {}
        self.rows = 0
        self.schema = Draft202012Validator(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))
        self.images: dict[str, tuple[str, ImageContent] | None] = {}
        self.valid: set[tuple[bytes, str | None]] = set()
        # What the rules between rows and configs need: small, no images.
        self.values: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.patients: dict[str, set[str]] = defaultdict(set)
        self.asked: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self.forget_percents: dict[tuple[str, str], set[int]] = defaultdict(set)
        self.counted: dict[str, dict[str, int]] = defaultdict(dict)

    def fail(self, gate: str, line: str) -> None:
        self.failures[gate].append(line)

    def run(self) -> Report:
        if self.read_document():
            self.check_files()
            self.check_splits()
            self.check_leaks()
            self.check_configs()
            self.check_identifiers()
            self.check_patients()
            self.check_percents()
        gates = tuple(
            Gate(name=name, claim=claim, failures=tuple(self.failures[name])) for name, claim in GATES.items()
        )
        return Report(folder=self.folder, gates=gates, rows=self.rows)

    def read_document(self) -> bool:
        path = self.folder / "checksums.json"
        try:
            self.document = json.loads(path.read_text(encoding="utf-8"))
            self.scenarios = tuple(self.document["parameters"]["scenarios"])
            self.percents = tuple(self.document["parameters"]["percents"])
            self.expected = config_names(self.scenarios, self.percents)
            for key in ("files", "content"):
                self.document[key].items()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self.fail("files", f"checksums.json: can't be read as the checksums of a build ({error!r})")
            return False
        return True

    def check_files(self) -> None:
        listed = self.document["files"]
        for name, sha in sorted(listed.items()):
            path = self.folder / name
            if not path.is_file():
                self.fail("files", f"{name}: is missing")
            elif file_sha256(path) != sha:
                self.fail("files", f"{name}: its sha256 is not the one in checksums.json")
        present = {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()}
        for name in sorted(present - set(listed) - {"checksums.json"}):
            self.fail("files", f"{name}: is not listed in checksums.json")

    def tables(self) -> Iterator[tuple[str, str, Path]]:
        """Yield config, split and path of every Parquet file where a build has them."""
        for path in sorted((self.folder / "data").glob("*/*.parquet")):
            yield path.parent.name, path.name.split("-")[0], path

    def read_rows(self, config: str, path: Path, columns: list[str] | None = None) -> Iterator[tuple[str, dict]]:
        """Yield every row with the words that name it; a file that can't be read fails ``files`` and yields nothing."""
        try:
            parquet = pq.ParquetFile(path)
            number = 0
            for group in range(parquet.num_row_groups):
                for row in parquet.read_row_group(group, columns=columns).to_pylist():
                    yield f"{config}, row {number} ({row.get('id')})", row
                    number += 1
        except Exception as error:
            self.fail("files", f"{path.relative_to(self.folder)}: can't be read as Parquet ({error})")

    def check_splits(self) -> None:
        content: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        for config, split, path in self.tables():
            sums, ids = ContentHash(), set()
            try:
                columns_fit = is_row_schema(pq.read_schema(path))
            except Exception:
                columns_fit = True  # read_rows tells that the file is no Parquet
            if not columns_fit:
                self.fail("schema", f"{config}: the columns, their types or the features in the file are not a row's")
                continue
            for place, row in self.read_rows(config, path):
                image = self.check_image(place, row)
                said = sums.add(row, image)
                self.rows += 1
                if row["id"] in ids:
                    self.fail("schema", f"{place}: the id stands twice in this config")
                ids.add(row["id"])
                self.check_schema(place, row, said)
                self.check_row(place, config, row)
                self.remember(config, row)
            content[config][split] = {"rows": sums.rows, "sha256": sums.hexdigest()}
            self.counted[config][split] = sums.rows
        for config in sorted({*content, *self.document["content"]}):
            if content.get(config) != self.document["content"].get(config):
                self.fail("content", f"{config}: the content checksum or row count is not the one in checksums.json")
        if dataset_sha256(self.document["content"]) != self.document.get("dataset_sha256"):
            self.fail("content", "checksums.json: dataset_sha256 is not the checksum of its content section")

    def check_image(self, place: str, row: dict) -> ImageContent | None:
        image = row["image"]
        if row["redistributable"] != (image is not None and bool(image.get("bytes"))):
            said = "may be passed on but has no pixels" if row["redistributable"] else "has pixels it may not pass on"
            self.fail("licences", f"{place}: redistributable is {row['redistributable']}, the row {said}")
        if not row["license"]:
            self.fail("licences", f"{place}: names no licence")
        if image is None or not image.get("bytes"):
            return None
        known = self.image_of(image["bytes"])
        if known is None:
            self.fail("images", f"{place}: the image can't be decoded")
            return None
        if known[0] != row["image_id"]:
            self.fail("images", f"{place}: the pixels are those of image {known[0]}, not of {row['image_id']}")
        return known[1]

    def image_of(self, data: bytes) -> tuple[str, ImageContent] | None:
        """Return id and content of encoded bytes; each image is decoded once however many rows show it."""
        name = hashlib.sha256(data).hexdigest()
        if name not in self.images:
            try:
                image = open_image(data)
                self.images[name] = image_id(image_key(image)), image_content(image)
            except Exception:
                self.images[name] = None
        return self.images[name]

    def check_schema(self, place: str, row: dict, said: bytes) -> None:
        path = row["image"] and row["image"]["path"]
        # The retain configs share most of their rows: the same row is looked at once.
        if (said, path) in self.valid:
            return
        errors = list(self.schema.iter_errors(json_form(row)))
        for error in errors:
            self.fail("schema", f"{place}, {error.json_path}: {error.message[:200]}")
        if not errors:
            self.valid.add((said, path))

    def check_row(self, place: str, config: str, row: dict) -> None:
        if row_id(row) != row["id"]:
            self.fail("schema", f"{place}: the id is not the hash of what the row says")
        if not config.startswith(f"{row['scenario']}_{row['subset']}"):
            self.fail("configs", f"{place}: a row of {row['scenario']}, {row['subset']} stands in this config")
        injected = row["subset"] in ("forget", "holdout")
        is_private, is_wrong = bool(row["phi"]), row["wrong_fact"] is not None
        if is_private != (injected and row["scenario"] == "privacy"):
            self.fail("clean", f"{place}: {'holds' if is_private else 'lacks'} private information")
        if is_wrong != (injected and row["scenario"] == "incorrectness"):
            self.fail("clean", f"{place}: {'holds' if is_wrong else 'lacks'} a wrong fact")
        if (row["answer"] == row["true_answer"]) == injected:
            self.fail("clean", f"{place}: the answer {'is' if injected else 'is not'} the true answer")
        if row["scenario"] == "incorrectness" and injected:
            self.check_wrong_fact(place, row)
        for tagged in row["phi"]:
            self.check_identifier(place, row, tagged)
        if row["fact"] is not None and row["fact_values"] and row["fact"] not in row["fact_values"]:
            self.fail("wrong_facts", f"{place}: the fact '{row['fact']}' is not in its closed set")

    def check_wrong_fact(self, place: str, row: dict) -> None:
        fact, wrong = row["fact"], row["wrong_fact"]
        if fact is None or wrong is None or row["error_kind"] is None:
            self.fail("wrong_facts", f"{place}: an injected row needs fact, wrong_fact and error_kind")
            return
        if not contradicts(wrong, fact):
            self.fail("wrong_facts", f"{place}: the wrong fact '{wrong}' is no other fact than '{fact}'")
        if normalise(row["answer"]) == normalise(row["true_answer"]):
            self.fail("wrong_facts", f"{place}: the wrong answer is the true answer")
        if find_value(row["answer"], wrong) is None or find_value(row["answer"], fact) is not None:
            self.fail("wrong_facts", f"{place}: the answer does not say '{wrong}' instead of '{fact}'")
        if find_value(row["true_answer"], fact) is None or find_value(row["true_answer"], wrong) is not None:
            self.fail("wrong_facts", f"{place}: the true answer does not say '{fact}' alone")
        if row["fact_values"] and wrong not in row["fact_values"]:
            self.fail("wrong_facts", f"{place}: the wrong fact '{wrong}' is not in the closed set")

    def check_identifier(self, place: str, row: dict, tagged: dict) -> None:
        kind, value = tagged["kind"], tagged["value"]
        if not in_range(kind, value):
            self.fail("identifiers", f"{place}: {kind} '{value}' is outside the fictitious range of its kind")
        if value not in row["answer"]:
            self.fail("identifiers", f"{place}: {kind} '{value}' does not stand in the answer")
        others = {d["value"] for d in row["distractors"] if d["kind"] == kind}
        if len(others - {value}) < DISTRACTORS or value in others:
            self.fail("distractors", f"{place}: {kind} needs {DISTRACTORS} other values beside its own")
        for other in sorted(others):
            if not in_range(kind, other):
                self.fail("distractors", f"{place}: {kind} '{other}' is outside the fictitious range of its kind")

    def remember(self, config: str, row: dict) -> None:
        patient = row["patient_id"]
        self.patients[config].add(patient)
        self.asked[config].add((row["image_id"], f"{row['question']}|{row['true_answer']}"))
        if "_forget" in config:
            self.forget_percents[row["scenario"], patient].add(row["forget_percent"])
        for tagged in row["phi"]:
            self.values[row["scenario"], tagged["kind"]][patient].add(tagged["value"])

    def check_leaks(self) -> None:
        index = IdentifierIndex()
        for by_patient in self.values.values():
            for values in by_patient.values():
                for value in values:
                    index.add(value)
        columns = ["id", "subset", "question", "answer", "true_answer"]
        for config, _, path in self.tables():
            for place, row in self.read_rows(config, path, columns):
                clean_columns = ("question", "answer", "true_answer")
                if row["subset"] in ("forget", "holdout") and config.startswith("privacy"):
                    clean_columns = ("question", "true_answer")
                for column in clean_columns:
                    if found := index.found_in(row[column] or ""):
                        self.fail("leaks", f"{place}: the {column} says the identifier '{found}'")

    def check_configs(self) -> None:
        for config in self.expected:
            if not self.counted.get(config, {}).get(main_split(config)):
                self.fail("configs", f"{config}: has no rows in its split {main_split(config)}")
        for config in sorted(set(self.counted) - set(self.expected)):
            self.fail("configs", f"{config}: is no config of this build")
        try:
            head = yaml.safe_load((self.folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])
            described = {entry["config_name"]: entry["description"] for entry in head["configs"]}
            told = {
                info["config_name"]: {split["name"]: split["num_examples"] for split in info["splits"]}
                for info in head["dataset_info"]
            }
        except (OSError, IndexError, KeyError, TypeError, yaml.YAMLError) as error:
            self.fail("configs", f"README.md: its front matter can't be read ({error!r})")
            return
        for config in self.expected:
            if told.get(config) != self.counted.get(config):
                rows = self.counted.get(config)
                self.fail("configs", f"README.md: tells {told.get(config)} rows of {config}, the files hold {rows}")
            for sums in self.document["content"].get(config, {}).values():
                if sums["sha256"] not in described.get(config, ""):
                    self.fail("configs", f"README.md: the description of {config} lacks its content checksum")

    def check_identifiers(self) -> None:
        for (_, kind), by_patient in self.values.items():
            owners: dict[str, str] = {}
            for patient, values in sorted(by_patient.items()):
                if len(values) > 1:
                    self.fail("identifiers", f"patient {patient} has {len(values)} values of {kind}: {sorted(values)}")
                for value in values:
                    owner = owners.setdefault(value.casefold(), patient)
                    if kind in DIRECT_KINDS and owner != patient:
                        self.fail("identifiers", f"{kind} '{value}' belongs to both {owner} and {patient}")

    def check_patients(self) -> None:
        groups: dict[str, set[str]] = {"trained": set(), "test": set(), "holdout": set()}
        for config, patients in self.patients.items():
            subset = config.split("_")[1]
            groups[subset if subset in ("test", "holdout") else "trained"] |= patients
        for one, other in (("trained", "test"), ("trained", "holdout"), ("test", "holdout")):
            for patient in sorted(groups[one] & groups[other]):
                self.fail("patients", f"patient {patient} is both {one} and {other}")

    def check_percents(self) -> None:
        for scenario in self.scenarios:
            smaller: set[str] = set()
            for percent in sorted(self.percents):
                forget, retain = (config_name(scenario, subset, percent) for subset in ("forget", "retain"))
                for patient in sorted(smaller - self.patients[forget]):
                    self.fail("percents", f"{forget}: lacks patient {patient} of the next smaller percent")
                for patient in sorted(self.patients[forget] - smaller):
                    if self.forget_percents[scenario, patient] != {percent}:
                        told = sorted(self.forget_percents[scenario, patient])
                        self.fail("percents", f"{forget}: patient {patient} has forget_percent {told}, not {percent}")
                for image, asked in sorted(self.asked[forget] & self.asked[retain]):
                    self.fail("percents", f"{retain}: image {image} keeps the forgotten row '{asked}'")
                smaller = smaller | self.patients[forget]
        if MAIN_PERCENT not in self.percents:
            self.fail("percents", f"the build lacks {MAIN_PERCENT} %")
