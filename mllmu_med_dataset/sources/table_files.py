"""Rows out of JSON, CSV and Parquet files and of data sets, one at a time: column to value, and where the row stands.

The place is ``FILE:LINE`` (for Parquet and data sets the number of the row, from 1), after ``SPLIT:`` in a data set.
"""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..building.left_out import LACKING, UNPARSABLE, UnusableRow
from ..errors import UserError, unknown
from .files import SourceFiles, undecoded
from .json_rows import json_rows
from .texts import check_texts

if TYPE_CHECKING:
    from datasets import Dataset, DatasetBuilder, IterableDataset

ENDINGS = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
# What ``save_to_disk`` leaves.
SAVED = ("dataset_dict.json", "state.json")
_BATCH_ROWS = 64
# How files of a split are called, as load_dataset knows it.
_SPLITS = {
    "test": {"test", "testing", "eval", "evaluation"},
    "validation": {"validation", "valid", "dev", "val"},
    "train": {"train", "training"},
}

Rows = Iterator[tuple[str, "dict[str, object] | UnusableRow"]]


def ending(name: str) -> str:
    """Return the ending that says how a file holds rows, whatever its case and packing; empty where there is none."""
    bare = name.casefold().removesuffix(".gz")
    return next((one for one in ENDINGS if bare.endswith(one)), "")


def rows_of(files: SourceFiles, name: str, without: str | None = None, *, delimiter: str | None = None) -> Rows:
    """Yield place and row of a file by its ending, or why a row can't be used; of Parquet not the column ``without``.

    Raises :class:`UserError` naming the file and the line or row, for what is wrong with the file as a whole.
    """
    kind = ending(name)
    if kind == ".parquet":
        return _parquet(files, name, without)
    if kind in (".csv", ".tsv"):
        return _csv(files, name, delimiter or ("\t" if kind == ".tsv" else ","))
    if kind == ".json" and not _is_lines(files, name):
        return json_rows(files, name)
    return _jsonl(files, name)


def _is_lines(files: SourceFiles, name: str) -> bool:
    """Return whether a .json file holds an object a line, as many do, and not one list."""
    first = next((line.strip() for _, line in files.lines(name) if line.strip()), "")
    return first.startswith("{") and first.endswith("}")


def _jsonl(files: SourceFiles, name: str) -> Rows:
    for number, line in files.lines(name):
        if not line.strip():
            continue
        try:
            yield f"{name}:{number}", _object(line)
        except UnusableRow as unusable:
            yield f"{name}:{number}", unusable


def _object(line: str) -> dict[str, object]:
    """Return the row of one line; raises ``UnusableRow``."""
    if wrong := undecoded(line):
        raise UnusableRow(UNPARSABLE, wrong)
    try:
        row = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise UnusableRow(UNPARSABLE, f" is not JSON ({error}). Correct or remove the line.") from error
    if not isinstance(row, dict):
        raise UnusableRow(UNPARSABLE, " is not a JSON object. Correct or remove the line.")
    if not row:
        raise UnusableRow(LACKING, " is an empty object. Fill or remove the line.")
    check_texts(row)
    return row


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
                if wrong := undecoded("".join(header)):
                    raise UserError(f"{where}:{place}{wrong}")
                if len(header) == 1 and (between := [one for one in ";\t|," if one in header[0]]):
                    said = "tabs" if between[0] == "\t" else f"'{between[0]}'"
                    raise UserError(
                        f"{where}:{place} has its cells between {said}, and its name says otherwise: .csv is read with "
                        "commas, .tsv with tabs. Save it so, or name it by what it is."
                    )
                if twice := sorted({one for one in header if header.count(one) > 1}):
                    raise UserError(f"{where}:{place} names the column '{twice[0]}' twice. Name each column once.")
                continue
            try:
                yield f"{name}:{place}", _cells(cells, header)
            except UnusableRow as unusable:
                yield f"{name}:{place}", unusable
    except csv.Error as error:
        raise UserError(f"{where}:{start} is not CSV ({error}). Correct the row.") from error


def _cells(cells: list[str], header: list[str]) -> dict[str, object]:
    """Return the row of the cells; raises ``UnusableRow``."""
    if wrong := undecoded("".join(cells)):
        raise UnusableRow(UNPARSABLE, wrong)
    if len(cells) != len(header):
        raise UnusableRow(
            UNPARSABLE,
            f" has {len(cells)} cells where the header has {len(header)} columns. Correct the row; a cell with commas "
            "or line ends stands in double quotes.",
        )
    row: dict[str, object] = dict(zip(header, cells, strict=True))
    check_texts(row)
    return row


def _checked(row: dict[str, object]) -> "dict[str, object] | UnusableRow":
    try:
        check_texts(row)
    except UnusableRow as unusable:
        return unusable
    return row


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
                    yield f"{name}:{number}", _checked(row)
    except FileNotFoundError:
        raise UserError(f"'{where}' does not exist. Name a file of the source.") from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        after = f" after row {number}" if number else ""
        text = " ".join(str(error).split())
        raise UserError(f"'{where}' can't be read as Parquet{after} ({text}). Write it anew.") from error


def _undecoded(feature: object) -> object:
    """Return a feature whose images, in it or in a list of it, come as their bytes; itself where there are none."""
    from datasets import Image, List

    if isinstance(feature, Image):
        return Image(decode=False)
    if isinstance(feature, List) and (inner := _undecoded(feature.feature)) is not feature.feature:
        return List(inner)
    return feature


def is_saved(path: Path) -> bool:
    """Return whether a folder is what ``save_to_disk`` leaves."""
    return any((path / name).is_file() for name in SAVED)


class DataSet:
    """The rows of a folder that ``load_dataset`` opens, or that ``save_to_disk`` left, by split.

    Which files make up a split, ``load_dataset`` decides; CSV and JSON files are then read as :func:`rows_of` reads
    them, so that a cell ``None`` or ``True`` is the same text whatever way its file was named. Images come as
    ``{"bytes": ..., "path": ...}``, undecoded. Nothing is run that comes with the data: ``datasets`` refuses a folder
    with a script of its own.
    """

    def __init__(self, files: SourceFiles, *, config: str | None, split: str | None) -> None:
        """Open it; raises :class:`UserError` where there is none, or where the config or split is not there."""
        self.folder, self._files = files.path, files
        if not self.folder.is_dir():
            raise UserError(f"'{self.folder}' is an archive. A data set is read from a folder: unpack it.")
        # What stands between the cells of its CSV files, where its card says so.
        self._delimiter: str | None = None
        splits = self._open(config)
        if split is not None and split not in splits:
            raise unknown(f"split of '{self.folder}'", split, [*splits, "all"])
        self._splits = {key: one for key, one in splits.items() if split in (None, key)}

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits that are read."""
        return tuple(self._splits)

    def _open(self, config: str | None) -> "dict[str, Dataset | IterableDataset | list[str]]":
        import datasets

        try:
            if is_saved(self.folder):
                found = datasets.load_from_disk(str(self.folder))
            else:
                builder = datasets.load_dataset_builder(str(self.folder), config)
                if named := self._row_files(builder):
                    return named
                found = builder.as_streaming_dataset()
        except Exception as error:  # whatever a disk and a stranger's files can do
            text = " ".join(str(error).split())[:300]
            raise UserError(
                f"'{self.folder}' can't be opened as a data set ({type(error).__name__}: {text}). Give a folder that "
                "load_dataset reads, with config=... where it has several; or name its file of rows: rows=FILE."
            ) from error
        return dict(found) if isinstance(found, dict) else {"train": found}

    def _row_files(self, builder: "DatasetBuilder") -> dict[str, list[str]]:
        """Return the files of each split that hold rows as text, if that is what the data set is."""
        kind = type(builder).__module__.rpartition(".")[2]
        if kind == "imagefolder":
            return self._beside_images()
        if kind not in ("csv", "json") or getattr(builder.config, "field", None):
            return {}
        said = getattr(builder.config, "delimiter", None) or getattr(builder.config, "sep", None)
        self._delimiter = said if said and said != "," else None
        root = self.folder.absolute()
        named = {}
        for split, paths in (builder.config.data_files or {}).items():
            inside = [Path(one) for one in paths]
            if not all(ending(one.name) and one.is_relative_to(root) for one in inside):
                return {}
            named[str(split)] = [one.relative_to(root).as_posix() for one in inside]
        return named

    def _beside_images(self) -> dict[str, list[str]]:
        """Return the files of rows that lie beside a folder of images, which ``load_dataset`` passes over, by split."""
        found = [
            one
            for one in self._files.find(*(f"*{end}" for end in ENDINGS if end != ".json"))
            if PurePosixPath(one).stem.casefold() != "metadata"
        ]
        named: dict[str, list[str]] = defaultdict(list)
        for one in found:
            words = re.split(r"[^a-z]+", PurePosixPath(one).stem.casefold())
            named[next((split for split, known in _SPLITS.items() if known & set(words)), "train")].append(one)
        return dict(named)

    def read(self, path: str) -> bytes:
        """Return an image that a row only names; raises as :meth:`SourceFiles.read` does."""
        return self._files.read(self.inside(path))

    def inside(self, path: str) -> str:
        """Return a path that a row names as one from the folder."""
        given, root = Path(path), self.folder.absolute()
        return given.relative_to(root).as_posix() if given.is_relative_to(root) else path

    def rows(self, without: str | None = None) -> Rows:
        """Yield the rows of its splits, one after the other; the column ``without`` is not read."""
        for split, data in self._splits.items():
            if not isinstance(data, list):
                yield from self._loaded(split, data, without)
                continue
            for name in data:
                for place, row in rows_of(self._files, name, without, delimiter=self._delimiter):
                    yield f"{split}:{place}", row

    def _loaded(self, split: str, data: "Dataset | IterableDataset", without: str | None) -> Rows:
        from datasets import ClassLabel

        names = {}
        if without in (data.features or {}):
            data = data.remove_columns([without])
        for column, feature in (data.features or {}).items():
            if (bare := _undecoded(feature)) is not feature:
                data = data.cast_column(column, bare)
            if isinstance(feature, ClassLabel):
                names[column] = feature
        number = 0
        try:
            for row in data:
                number += 1
                row = {
                    key: names[key].int2str(value) if key in names and isinstance(value, int) and value >= 0 else value
                    for key, value in row.items()
                }
                yield f"{split}:{number}", _checked(row)
        except UserError:
            raise
        except Exception as error:
            text = " ".join(str(error).split())[:300]
            raise UserError(
                f"The data set '{self.folder}' can't be read after row {number} of its split {split} "
                f"({type(error).__name__}: {text}). Take it anew from where it came."
            ) from error
