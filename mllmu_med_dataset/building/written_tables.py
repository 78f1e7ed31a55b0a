"""One config of a build as Parquet files: its own rows, and each view of a forget config as a split of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from mllmu_med_metrics.vocabulary import OF_BELIEFS, OPTIONAL_VIEWS, main_split, splits

from ..injection.injected_rows import Row, patient_rows, view_rows
from ..injection.knowledge import Shown, believed_rows
from ..injection.views import blank_image, png
from ..record import features, image_id, image_key, row_id
from .content import ContentHash, ImageContent, file_sha256, image_content, open_image
from .spool import Patient, Spool

# A row group ends after whole patients, so that the dictionary of its images holds each image once.
ROW_GROUP_ROWS = 1_000
ROW_GROUP_BYTES = 64 * 2**20


class Table(NamedTuple):
    """A config to be written: its name, what of the spool goes into it, and where its files go."""

    config: str
    scenario: str
    subset: str
    percent: int
    seed: int
    # Whether pixels that may not be passed on are written too.
    local: bool
    spool: Path
    folder: Path


class Written(BaseModel):
    """What a config's files hold, by split: rows and content checksum, size in memory; and the sha256 of each file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: dict[str, dict[str, int | str]]
    sizes: dict[str, int]
    files: dict[str, str]


class Picture(NamedTuple):
    """An encoded image and what it is for the content hash."""

    data: bytes
    content: ImageContent


def write_table(table: Table) -> Written:
    """Write the files of one config to a new folder; the same spool gives the same bytes."""
    table.folder.mkdir(parents=True)
    names = splits(table.config)
    files = {split: SplitFile(table.folder / f"{split}-00000-of-00001.parquet", table.scenario) for split in names}
    try:
        with Spool(table.spool, read_only=True) as spool:
            for rows_by_split in _rows(spool, table):
                for split, rows in rows_by_split.items():
                    files[split].add(rows)
        content = {split: file.finish() for split, file in files.items()}
        for split in OPTIONAL_VIEWS:
            if split in files and not content[split]["rows"]:
                files.pop(split).path.unlink()
        return Written(
            content={split: content[split] for split in files},
            sizes={split: file.size for split, file in files.items()},
            files={file.path.name: file_sha256(file.path) for file in files.values()},
        )
    finally:
        for file in files.values():
            file.close()


Rows = dict[str, list[tuple[Row, Picture | None]]]


def _rows(spool: Spool, table: Table) -> Iterator[Rows]:
    """Yield the rows of one patient after the other, by split, each with its image where that may be written."""
    if table.scenario not in OF_BELIEFS:
        for patient in spool.patients(table.scenario, table.subset, table.percent):
            yield _rows_of(patient, table, Picture(*spool.image(patient.key)))
        return
    beliefs = spool.beliefs()
    for key, records, seen in spool.believers():
        made = believed_rows(records, beliefs, subset=table.subset, seen=seen, seed=table.seed, is_asked=spool.is_asked)
        yield _with_pictures(made, table, Picture(*spool.image(key))) if made else {}


def _with_pictures(made: Sequence[Shown], table: Table, image: Picture) -> Rows:
    """Return rows of beliefs by split with their image, the blank ones with a blank one of its size."""
    rows: Rows = {}
    blank: Picture | None = None
    for shown in made:
        row, picture = shown.row, image
        if shown.blank:
            if blank is None:
                data = png(blank_image(open_image(image.data)))
                blank = Picture(data, image_content(open_image(data)))
            picture = blank
            row = {**row, "image_id": image_id(image_key(open_image(blank.data)))}
            row["id"] = row_id(row)
        may = row["redistributable"] or table.local
        rows.setdefault(shown.split, []).append((row, picture if may else None))
    return {split: sorted(kept, key=lambda one: str(one[0]["id"])) for split, kept in rows.items()}


def _rows_of(patient: Patient, table: Table, image: Picture) -> Rows:
    """Return a patient's rows by split, each with its image where that may be written."""

    def shown(row: Row, picture: Picture) -> tuple[Row, Picture | None]:
        return row, picture if row["redistributable"] or table.local else None

    own = patient_rows(
        patient.key,
        patient.records,
        scenario=table.scenario,
        subset=table.subset,
        forget_percent=patient.forget_percent,
        injected=patient.injected,
        forgotten=0 < patient.forget_percent <= table.percent,
        bystander=0 < patient.bystander_percent <= table.percent,
    )
    rows = {main_split(table.config): [shown(row, image) for row in own]}
    if table.subset != "forget" or patient.injected is None:
        return rows
    made: dict[bytes, Picture] = {}
    views = view_rows(
        patient.key,
        patient.records,
        patient.injected,
        scenario=table.scenario,
        forget_percent=patient.forget_percent,
        image=open_image(image.data),
        seed=table.seed,
    )
    for view, row, data in sorted(views, key=lambda told: told[1]["id"]):
        if data is not None and data not in made:
            made[data] = Picture(data, image_content(open_image(data)))
        rows.setdefault(view, []).append(shown(row, image if data is None else made[data]))
    return rows


class SplitFile:
    """A Parquet file that is written as its rows come.

    The rows of a patient stand together and never cross a row group, and the images are dictionary-encoded: each
    image of a patient is in the file once.
    """

    def __init__(self, path: Path, scenario: str = "") -> None:
        self.path, self.size = path, 0
        self._sums = ContentHash()
        self._schema = features(scenario).arrow_schema
        self._group: list[Row] = []
        self._weight = 0
        self._writer = pq.ParquetWriter(
            path,
            self._schema,
            compression="zstd",
            use_dictionary=True,
            # The default of 1 MiB would store images plainly, once a row, as soon as a row group has more than that.
            dictionary_pagesize_limit=2 * ROW_GROUP_BYTES,
            write_statistics=False,
        )

    def __enter__(self) -> SplitFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: TracebackType | BaseException | None) -> None:
        self.close()

    def add(self, rows: Sequence[tuple[Row, Picture | None]]) -> None:
        """Take in all rows of one patient, each with its image."""
        if len(self._group) >= ROW_GROUP_ROWS or self._weight >= ROW_GROUP_BYTES:
            self._write()
        for row, picture in rows:
            self._sums.add(row, picture and picture.content)
            if picture is not None:
                name = f"{row['image_id']}{_suffix(picture.data)}"
                row = {**row, "image": {"bytes": picture.data, "path": name}}
                self._weight += len(picture.data)
            self._group.append(row)

    def finish(self) -> dict[str, int | str]:
        """Write what is left; return the number of rows and their content checksum."""
        self._write()
        self.close()
        return {"rows": self._sums.rows, "sha256": self._sums.hexdigest()}

    def close(self) -> None:
        """Close the file, whole or not."""
        self._writer.close()

    def _write(self) -> None:
        if self._group:
            table = pa.Table.from_pylist(self._group, schema=self._schema)
            self.size += table.nbytes
            self._writer.write_table(table, row_group_size=len(self._group))
        self._group, self._weight = [], 0


def _suffix(data: bytes) -> str:
    if data.startswith(b"\x89PNG"):
        return ".png"
    if data.startswith(b"\xff\xd8"):
        return ".jpg"
    return ".img"
