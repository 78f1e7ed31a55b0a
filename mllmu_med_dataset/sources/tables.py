"""Rows out of JSONL, CSV and Parquet files and of data sets, one at a time: column to value, and where the row stands.

The place is ``FILE:LINE`` (for Parquet and data sets the number of the row, from 1).
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError, unknown
from .files import SourceFiles
from .texts import check_texts

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

ENDINGS = (".jsonl", ".csv", ".tsv", ".parquet")
# What ``save_to_disk`` leaves.
SAVED = ("dataset_dict.json", "state.json")
_BATCH_ROWS = 64

Rows = Iterator[tuple[str, dict[str, object]]]


def rows_of(files: SourceFiles, name: str, without: str | None = None) -> Rows:
    """Yield the rows of a file by its ending; of Parquet the column ``without`` is not read.

    Raises :class:`UserError` naming the file and the line or row.
    """
    if name.endswith(".parquet"):
        return _parquet(files, name, without)
    if name.endswith((".csv", ".tsv")):
        return _csv(files, name, "\t" if name.endswith(".tsv") else ",")
    return _jsonl(files, name)


def _jsonl(files: SourceFiles, name: str) -> Rows:
    for number, line in files.lines(name):
        if not line.strip():
            continue
        where = f"{files.path}/{name}:{number}"
        try:
            row = json.loads(line, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where} is not JSON ({error}). Correct or remove the line.") from error
        if not isinstance(row, dict):
            raise UserError(f"{where} is not a JSON object. Correct or remove the line.")
        check_texts(row, where)
        yield f"{name}:{number}", row


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number in JSON")


def _csv(files: SourceFiles, name: str, delimiter: str) -> Rows:
    where = f"{files.path}/{name}"
    reader = csv.reader((line for _, line in files.lines(name)), delimiter=delimiter, strict=True)
    header: list[str] = []
    start = 1
    try:
        for cells in reader:
            place, start = start, reader.line_num + 1
            if not cells:
                continue
            if not header:
                header = [one.strip() for one in cells]
                if twice := sorted({one for one in header if header.count(one) > 1}):
                    raise UserError(f"{where}:{place} names the column '{twice[0]}' twice. Name each column once.")
                continue
            if len(cells) != len(header):
                raise UserError(
                    f"{where}:{place} has {len(cells)} cells where the header has {len(header)} columns. Correct the "
                    "row; a cell with commas or line ends stands in double quotes."
                )
            row = dict(zip(header, cells, strict=True))
            check_texts(row, f"{where}:{place}")
            yield f"{name}:{place}", row
    except csv.Error as error:
        raise UserError(f"{where}:{start} is not CSV ({error}). Correct the row.") from error


def _parquet(files: SourceFiles, name: str, without: str | None) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    where, number = f"{files.path}/{name}", 0
    try:
        with files.stream(name) as stream, pq.ParquetFile(stream) as table:
            kept = [one for one in table.schema_arrow.names if one != without]
            for batch in table.iter_batches(batch_size=_BATCH_ROWS, columns=kept):
                for row in batch.to_pylist():
                    number += 1
                    check_texts(row, f"{where}:{number}")
                    yield f"{name}:{number}", row
    except FileNotFoundError:
        raise UserError(f"'{where}' does not exist. Name a file of the source.") from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        after = f" after row {number}" if number else ""
        text = " ".join(str(error).split())
        raise UserError(f"'{where}' can't be read as Parquet{after} ({text}). Write it anew.") from error


def is_saved(path: Path) -> bool:
    """Return whether a folder is what ``save_to_disk`` leaves."""
    return any((path / name).is_file() for name in SAVED)


class DataSet:
    """The rows of a folder that ``load_dataset`` opens, or that ``save_to_disk`` left.

    Images come as ``{"bytes": ..., "path": ...}``, undecoded. Nothing is run that comes with the data: ``datasets``
    refuses a folder with a script of its own.
    """

    def __init__(self, files: SourceFiles, *, config: str | None, split: str | None) -> None:
        """Open it; raises :class:`UserError` where there is none, or where the config or split is not there."""
        self.folder, self._files = files.path, files
        if not self.folder.is_dir():
            raise UserError(f"'{self.folder}' is an archive. A data set is read from a folder: unpack it.")
        splits = self._open(config)
        if split is not None and split not in splits:
            raise unknown(f"split of '{self.folder}'", split, [*splits, "all"])
        self._splits = {key: one for key, one in splits.items() if split in (None, key)}

    def _open(self, config: str | None) -> "dict[str, Dataset | IterableDataset]":
        import datasets

        try:
            if is_saved(self.folder):
                found = datasets.load_from_disk(str(self.folder))
            else:
                found = datasets.load_dataset(str(self.folder), config, streaming=True)
        except Exception as error:  # whatever a disk and a stranger's files can do
            text = " ".join(str(error).split())[:300]
            raise UserError(
                f"'{self.folder}' can't be opened as a data set ({type(error).__name__}: {text}). Give a folder that "
                "load_dataset reads, with config=... where it has several; or name its file of rows: rows=FILE."
            ) from error
        return dict(found) if isinstance(found, dict) else {"train": found}

    def read(self, path: str) -> bytes:
        """Return an image that a row only names; raises as :meth:`SourceFiles.read` does."""
        given, root = Path(path), self.folder.absolute()
        return self._files.read(given.relative_to(root).as_posix() if given.is_relative_to(root) else path)

    def rows(self, without: str | None = None) -> Rows:
        """Yield the rows of its splits, one after the other; the column ``without`` is not read."""
        from datasets import ClassLabel, Image

        for split, data in self._splits.items():
            names = {}
            if without in (data.features or {}):
                data = data.remove_columns([without])
            for column, feature in (data.features or {}).items():
                if isinstance(feature, Image):
                    data = data.cast_column(column, Image(decode=False))
                if isinstance(feature, ClassLabel):
                    names[column] = feature
            number = 0
            try:
                for row in data:
                    number += 1
                    row = {
                        key: names[key].int2str(value)
                        if key in names and isinstance(value, int) and value >= 0
                        else value
                        for key, value in row.items()
                    }
                    check_texts(row, f"{self.folder}/{split}:{number}")
                    yield f"{split}:{number}", row
            except UserError:
                raise
            except Exception as error:
                text = " ".join(str(error).split())[:300]
                raise UserError(
                    f"The data set '{self.folder}' can't be read after row {number} of its split {split} "
                    f"({type(error).__name__}: {text}). Take it anew from where it came."
                ) from error
