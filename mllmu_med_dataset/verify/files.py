"""The folder of a build: what is in it, what the checksums and the card say of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from mllmu_med_metrics.vocabulary import OPTIONAL_VIEWS, config_names, splits

from ..building.content import dataset_sha256, file_sha256
from ..building.left_out import told_losses
from ..record import features

# What a build is made of. Nothing in it runs: ``datasets`` once executed scripts that lay beside the data.
_FILES = re.compile(r"checksums\.json|README\.md|croissant\.json|withheld_images\.jsonl|figures/\w[\w.-]*\.(png|svg)")
_TABLE = re.compile(r"data/(?P<config>\w+)/(?P<split>\w+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.parquet")
# The same in C where the wheel has it, ten times faster.
_SafeLoader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# So many rows are in memory at once, with their images.
ROWS_AT_ONCE = 256

Failed = Iterator[tuple[str, str]]
Counts = Mapping[str, Mapping[str, Mapping[str, Any]]]


class Document:
    """``checksums.json``: the parameters of a build, its files and what their rows say."""

    def __init__(self, folder: Path) -> None:
        """Read it; raises what reading, JSON or a missing key raises."""
        self.whole: dict[str, Any] = json.loads((folder / "checksums.json").read_text(encoding="utf-8"))
        parameters = self.whole["parameters"]
        self.scenarios: tuple[str, ...] = tuple(parameters["scenarios"])
        self.percents: tuple[int, ...] = tuple(parameters["percents"])
        self.local: bool = parameters.get("local", False) is True
        self.files: dict[str, str] = dict(self.whole["files"].items())
        self.content: dict[str, dict[str, Any]] = dict(self.whole["content"].items())
        self.licenses: list[str] = list(self.whole["licenses"])
        self.losses = told_losses(self.whole)
        self.configs = config_names(self.scenarios, self.percents)


def tables(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield config, split and name of every Parquet file that stands where a build has them, shards in order."""
    for path in sorted((folder / "data").glob("*/*.parquet")):
        name = path.relative_to(folder).as_posix()
        if found := _TABLE.fullmatch(name):
            yield found["config"], found["split"], name


def broken_files(folder: Path, listed: Mapping[str, str]) -> Failed:
    """Yield files that are missing, changed, extra, or nothing that a build holds."""
    present = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    for name, path in present.items():
        if path.is_symlink():
            yield "files", f"{name}: is a symbolic link"
        elif not path.is_dir() and name not in listed and name != "checksums.json":
            yield "files", f"{name}: is not listed in checksums.json"
        elif path.is_dir() and not any(path.iterdir()):
            yield "files", f"{name}: is an empty folder"
    shards: dict[tuple[str, str], set[str]] = {}
    for name, sha in sorted(listed.items()):
        table = _TABLE.fullmatch(name)
        if table is None and not _FILES.fullmatch(name):
            yield "files", f"{name}: is no file that a build has"
        elif name not in present:
            yield "files", f"{name}: is missing"
        elif not present[name].is_symlink() and file_sha256(present[name]) != sha:
            yield "files", f"{name}: its sha256 is not the one in checksums.json"
        if table is not None:
            shards.setdefault((table["config"], table["split"]), set()).add(f"{table['number']} of {table['count']}")
    for (config, split), numbers in sorted(shards.items()):
        count = len(numbers)
        if numbers != {f"{number:05d} of {count:05d}" for number in range(count)}:
            yield "files", f"data/{config}/{split}-*: its parts are {', '.join(sorted(numbers))}"


class Unreadable(Exception):
    """A file that is no whole Parquet file."""


def open_table(path: Path) -> pq.ParquetFile:
    """Return an open Parquet file, whose rows are read a batch at a time; raises ``Unreadable``."""
    try:
        return pq.ParquetFile(path, pre_buffer=False)
    except Exception as error:  # hostile bytes raise all sorts of things
        raise Unreadable(f"can't be read as Parquet ({error})") from error


def broken_schema(schema: pa.Schema, scenario: str = "") -> str | None:
    """Return why a file has not the columns of a row in order, with the features that make images of bytes."""
    known, told = _row_schema(scenario)
    if not schema.remove_metadata().equals(known):
        return "the columns or their types are not a row's"
    if _told(schema) != told:
        return "the features in the file are not a row's"
    return None


@cache
def _row_schema(scenario: str) -> tuple[pa.Schema, Any]:
    schema = features(scenario).arrow_schema
    return schema.remove_metadata(), _told(schema)


def _told(schema: pa.Schema) -> Any:
    return json.loads((schema.metadata or {}).get(b"huggingface", b"{}")).get("info")


def read_rows(table: pq.ParquetFile, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of an open file, few in memory at once; raises ``Unreadable``."""
    try:
        for batch in table.iter_batches(batch_size=ROWS_AT_ONCE, columns=columns, use_threads=False):
            yield from batch.to_pylist()
    except Exception as error:
        raise Unreadable(f"can't be read as Parquet ({error})") from error


def broken_content(document: Document, counted: Counts) -> Failed:
    """Yield splits whose rows are not those that the checksums tell; ``counted``: config -> split -> rows, sha256."""
    for config in sorted({*counted, *document.content}):
        here, told = counted.get(config, {}), document.content.get(config) or {}
        for split in sorted({*here, *told}):
            if here.get(split) != told.get(split):
                yield (
                    "content",
                    f"data/{config}/{split}-*: the content checksum or row count is not that in checksums.json",
                )
    if dataset_sha256(document.content) != document.whole.get("dataset_sha256"):
        yield "content", "checksums.json: dataset_sha256 is not the checksum of its content section"


def broken_configs(folder: Path, document: Document, counted: Counts) -> Failed:
    """Yield configs and splits that lack rows, that no build has, or that the card tells otherwise."""
    for config in document.configs:
        for split in splits(config):
            if split not in OPTIONAL_VIEWS and not counted.get(config, {}).get(split, {}).get("rows"):
                yield "configs", f"data/{config}/{split}-*: has no rows"
        for split in sorted(set(counted.get(config, {})) - set(splits(config))):
            yield "configs", f"data/{config}/{split}-*: is no split of this config"
    for config in sorted(set(counted) - set(document.configs)):
        yield "configs", f"data/{config}: is no config of this build"
    yield from _broken_card(folder, document, counted)


def _broken_card(folder: Path, document: Document, counted: Counts) -> Failed:
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
        head = yaml.load(text.split("---\n")[1], Loader=_SafeLoader)
        described = {entry["config_name"]: entry for entry in head["configs"]}
        files = {
            config: {data["split"]: data["path"] for data in entry["data_files"]} for config, entry in described.items()
        }
        told = {
            info["config_name"]: {split["name"]: split["num_examples"] for split in info["splits"]}
            for info in head["dataset_info"]
        }
    except (OSError, ValueError, IndexError, KeyError, TypeError, yaml.YAMLError) as error:
        yield "configs", f"README.md: its front matter can't be read ({error!r})"
        return
    for config in document.configs:
        rows = {split: sums["rows"] for split, sums in counted.get(config, {}).items()}
        if told.get(config) != rows:
            yield "configs", f"README.md: tells {told.get(config)} rows of {config}, the files hold {rows}"
        if files.get(config) != {split: f"data/{config}/{split}-*" for split in rows}:
            yield "configs", f"README.md: does not tell the files of every split of {config}: {files.get(config)}"
        for split, sums in document.content.get(config, {}).items():
            if sums["sha256"] not in described.get(config, {}).get("description", ""):
                yield "configs", f"README.md: the description of {config} lacks the content checksum of {split}"
    for config in sorted(set(described) | set(told)):
        if config not in document.configs:
            yield "configs", f"README.md: tells of {config}, which is no config of this build"
    for loss in document.losses:
        if f"{loss.line()}." not in text:
            yield "configs", f"README.md: does not tell what was left out: {loss.line()}"
    if document.local and "must not be published" not in text:
        yield "licences", "README.md: does not say that this local build must not be published"
    for license in document.licenses:
        if license not in text:
            yield "licences", f"README.md: does not name the licence '{license}' of some rows"


def withheld_images(folder: Path) -> list[str]:
    """Return the images that ``withheld_images.jsonl`` lists; raises ``ValueError`` where it can't be read."""
    path = folder / "withheld_images.jsonl"
    if not path.is_file():
        return []
    try:
        return [str(json.loads(line)["image_id"]) for line in path.read_text(encoding="utf-8").splitlines()]
    except (KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"can't be read as one JSON object a line with image_id ({error!r})") from error
