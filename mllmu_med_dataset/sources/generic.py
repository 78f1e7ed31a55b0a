"""Your own data: JSONL, CSV or Parquet rows and a folder (or archive) of images, or any folder ``load_dataset`` opens.

Columns are named by a mapping: the row ``{"img": "a/1.png", "q": "Which organ is shown?", "a": "The liver."}`` is read
with ``image=img question=q answer=a``; a field that is not mapped is read from the column of its own name, if there is
one. The image is a path, or in Parquet and data sets the image itself. A data set of the Hub is its folder:

    mllmu-med build --source generic --source-path hf://datasets/ORG/NAME@REVISION --source-option split=train ...
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import get_args

from pydantic import ValidationError

from ..errors import UserError, nearest, unknown
from ..record import QuestionType, Record, clean_text
from ..rewrite import find_value
from .answers import Answers, Item
from .closed_sets import fact_of, is_yes_no
from .files import SourceFiles
from .images import BadImageError, BadImages, Picture, picture, reason
from .tables import ENDINGS, DataSet, Rows, is_saved, rows_of

REQUIRED = ("image", "question", "answer")
OPTIONAL = ("id", "fact", "fact_values", "modality", "body_region", "question_type", "answer_type", "license")
FIELDS = (*REQUIRED, *OPTIONAL)
_QUESTION_TYPES = get_args(QuestionType)
# Rows of one image mostly follow one another; a few are kept decoded in case they alternate.
_PICTURES_KEPT = 32
# How an image folder of the Hub's libraries calls the column of the image in its metadata file.
_FILE_NAME = "file_name"
_log = logging.getLogger(__name__)


def records(
    *,
    path: Path | None,
    seed: int = 0,
    mapping: Mapping[str, str] | None = None,
    rows: str | None = None,
    images: str | None = None,
    config: str | None = None,
    split: str | None = None,
    license: str | None = None,
    redistributable: bool | None = None,
    name: str = "generic",
    skip_bad_images: bool = False,
) -> Iterator[Record]:
    """Yield the records in the order of the rows; the seed changes nothing here.

    ``rows`` names the file inside ``path`` (needed where there are several), ``images`` the folder in it that image
    paths start from (the one the file is in, if absent). With a ``split`` (``all`` for all of them) or ``config`` the
    folder is opened by ``load_dataset``, of which it is any layout; one that ``save_to_disk`` wrote is known by its
    look. ``mapping`` names the column of each field. Facts, their closed sets and types that no column gives are
    inferred as for SLAKE: a closed or short answer is its own fact. ``license`` and ``redistributable`` must be said:
    the build writes pixels only where they may be passed on. Raises :class:`UserError` naming the file and row.
    """
    if path is None:
        raise UserError(
            "The source generic needs its folder or archive: --source-path DIR, holding a .jsonl, .csv or .parquet "
            "file and images; or a data set of the Hub: --source-path hf://datasets/ORG/NAME."
        )
    columns = {field: field for field in FIELDS}
    for field, column in (mapping or {}).items():
        if field not in FIELDS:
            raise unknown("field in the column mapping", field, FIELDS)
        columns[field] = column
    if redistributable is None or (license is None and "license" not in (mapping or {})):
        raise UserError(
            "The source generic needs to know under which licence its data stand and whether the images may be passed "
            "on: license=CC-BY-4.0 redistributable=true. Pixels are written into the build only where it is true."
        )
    with SourceFiles(path) as files:
        if split or config or (path.is_dir() and is_saved(path)):
            if rows or images:
                raise UserError(
                    f"The source generic reads '{path}' as a data set (split=, config=) or as a file of rows with "
                    "images (rows=, images=), not as both. Leave out the options of one."
                )
            table = _of_dataset(DataSet(files, config=config, split=None if split == "all" else split))
        else:
            table = _of_files(files, rows, images, columns, mapping or {})
        yield from _records(
            table,
            columns,
            mapping or {},
            name=name,
            license=license,
            redistributable=redistributable,
            skip_bad_images=skip_bad_images,
        )


@dataclass(frozen=True, slots=True)
class _Table:
    """Rows that can be read again, if need be without one column, and the images they name."""

    source: str
    rows: Callable[[str | None], Rows]
    read: Callable[[str], bytes]


def _of_dataset(data: DataSet) -> _Table:
    return _Table(str(data.folder), data.rows, data.read)


def _of_files(
    files: SourceFiles, rows: str | None, images: str | None, columns: dict[str, str], mapping: Mapping[str, str]
) -> _Table:
    file = _rows_file(files, rows)
    folder = PurePosixPath(file).parent if images is None else PurePosixPath(images)
    # An image folder as the Hub's libraries know it: metadata.jsonl or metadata.csv beside the images.
    if PurePosixPath(file).stem == "metadata" and "image" not in mapping:
        first = next(rows_of(files, file), None)
        if first is not None and "image" not in first[1] and _FILE_NAME in first[1]:
            columns["image"] = _FILE_NAME
    return _Table(
        str(files.path),
        lambda without: rows_of(files, file, without),
        # Joined as text: a path that leads out has to be seen as it was written.
        lambda image: files.read(image if folder == PurePosixPath() else f"{folder}/{image}"),
    )


def _records(
    table: _Table,
    columns: Mapping[str, str],
    mapping: Mapping[str, str],
    *,
    name: str,
    license: str | None,
    redistributable: bool,
    skip_bad_images: bool,
) -> Iterator[Record]:
    answers = Answers()
    ids: set[bytes] = set()
    place = None
    # The first pass learns the closed sets and finds the rows whose text can't be used, before any image is touched.
    for place, row in table.rows(columns["image"]):
        fields = _fields(row, columns, mapping, f"{table.source}/{place}")
        if fields["id"]:
            digest = hashlib.blake2b(fields["id"].encode(), digest_size=8).digest()
            if digest in ids:
                raise UserError(
                    f"{table.source}/{place} has the id '{fields['id']}' of an earlier row. Give each row its own id, "
                    "or don't map the column: id=... names it."
                )
            ids.add(digest)
        answers.add(_item(fields))
    if place is None:
        raise UserError(
            f"'{table.source}' holds no rows. Write one a line (JSONL: one JSON object), with {', '.join(REQUIRED)}."
        )
    bad = BadImages(Path(table.source), skip=skip_bad_images)

    @lru_cache(maxsize=_PICTURES_KEPT)
    def shown(image: str | bytes) -> Picture | str:
        try:
            return picture(table.read(image) if isinstance(image, str) else image)
        except FileNotFoundError:
            return "the file is missing"
        except (OSError, BadImageError) as error:
            return reason(error)

    named: set[str] = set()
    embedded = 0
    for place, row in table.rows(None):
        where = f"{table.source}/{place}"
        fields = _fields(row, columns, mapping, where, with_image=True)
        image, path = _image(row[columns["image"]], columns["image"], where)
        called = path if isinstance(image, str) else place
        if isinstance(image, str):
            named.add(image)
        else:
            embedded += 1
        made = bad.reasons.get(called) or shown(image)
        if isinstance(made, str):
            bad.add(called, made)
        elif not bad.stopped:
            yield _record(
                fields,
                made,
                image_path=path or place,
                **answers.fields(_item(fields)),
                source=name,
                source_id=fields["id"] or place,
                license=fields["license"] or license or "",
                redistributable=redistributable,
                where=where,
            )
    if note := bad.finish(len(named) + embedded):
        _log.warning(note)


def _image(value: object, column: str, where: str) -> tuple[str | bytes, str]:
    """Return an image as a row has it, its bytes or a path, and the path that the record tells."""
    stored = value if isinstance(value, dict) else {"bytes": value} if isinstance(value, bytes) else {"path": value}
    data, path = stored.get("bytes"), stored.get("path")
    if isinstance(data, bytes):
        # Where the image lay on the machine that packed it is nobody's business.
        return data, PurePosixPath(path).name if isinstance(path, str) else ""
    if isinstance(path, str) and path.strip():
        return path, path
    raise UserError(
        f"{where}: the column '{column}' holds {_told(value)}, neither the path of an image nor its bytes. Correct the "
        "row, or name the right column: image=COLUMN."
    )


def _record(fields: Mapping[str, object], made: Picture, *, where: str, **given: object) -> Record:
    taken = ("question", "answer", "modality", "body_region", "question_type", "answer_type")
    try:
        return Record(image_bytes=made.data, image_key=made.key, **{field: fields[field] for field in taken}, **given)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise UserError(f"{where}: the field '{field}' can't be used: {first['msg']}. Correct the row.") from error


def _item(fields: Mapping[str, object]) -> Item:
    texts = {name: str(fields[name]) for name in ("question", "question_type", "modality")}
    return Item(
        **texts,
        fact=fields["fact"],
        group=_group(fields),
        region=str(fields["body_region"]),
        choices=fields["fact_values"],
    )


def _group(fields: Mapping[str, object]) -> tuple[object, ...]:
    """Return what shares a closed set: the question type, and the question itself where the type says nothing."""
    kind = fields["question_type"]
    return (kind, fields["question"]) if kind == "other" else (kind,)


def _fields(
    row: Mapping[str, object],
    columns: Mapping[str, str],
    mapping: Mapping[str, str],
    where: str,
    *,
    with_image: bool = False,
) -> dict[str, object]:
    """Return the row's text fields, cleaned, the missing ones inferred."""
    for field in FIELDS:
        if field == "image" and not with_image:
            continue
        if columns[field] not in row and (field in REQUIRED or field in mapping):
            raise UserError(
                f"{where} has no column '{columns[field]}' for the field '{field}'.{nearest(columns[field], row)} "
                f"Its columns: {', '.join(row) or 'none'}. Name the right one: {field}=COLUMN."
            )
    values = {field: row.get(column) for field, column in columns.items() if field != "image"}
    listed = _listed(values.pop("fact_values"), columns["fact_values"], where)
    for field, value in values.items():
        # True and False are numbers to Python; as an answer they say neither yes nor no.
        told = isinstance(value, str | int | float) and not isinstance(value, bool) and value == value
        if not (told or (value is None and field not in REQUIRED)):
            raise UserError(f"{where}: the column '{columns[field]}' holds {_told(value)}, not text. Correct the row.")
    text = {field: "" if value is None else clean_text(str(value)) for field, value in values.items()}
    for field in ("question", "answer"):
        if not text[field]:
            raise UserError(f"{where}: the column '{columns[field]}' is empty. Fill it, or leave the row out.")
    answer_type = text["answer_type"].upper() or ("CLOSED" if is_yes_no(text["answer"]) else "OPEN")
    if answer_type not in ("OPEN", "CLOSED"):
        raise UserError(f"{where}: {unknown('answer type', answer_type, ('OPEN', 'CLOSED'))}")
    question_type = text["question_type"].casefold() or ("yes_no" if is_yes_no(text["answer"]) else "other")
    if question_type not in _QUESTION_TYPES:
        raise UserError(f"{where}: {unknown('question type', question_type, _QUESTION_TYPES)}")
    if text["fact"] and find_value(text["answer"], text["fact"]) is None:
        raise UserError(
            f"{where}: the fact '{text['fact']}' does not stand in the answer '{text['answer'][:80]}', which it is to "
            "decide. Give the word of the answer that decides it, or leave the fact empty."
        )
    if text["fact"] and listed and text["fact"].casefold() not in (one.casefold() for one in listed):
        raise UserError(
            f"{where}: the fact '{text['fact']}' is not among its fact_values {list(listed)}. Add it there."
        )
    return {
        **text,
        "answer_type": answer_type,
        "question_type": question_type,
        "fact": text["fact"] or fact_of(text["answer"], answer_type),
        "fact_values": listed,
    }


def _listed(value: object, column: str, where: str) -> tuple[str, ...]:
    """Return the closed set that a row gives: a list of texts, in CSV written as JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except ValueError:
            value = [None]
    if value is not None and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        raise UserError(
            f'{where}: the column \'{column}\' must be a list of texts (in CSV written ["left", "right"]). Correct '
            "the row."
        )
    return tuple(value or ())


def _told(value: object) -> str:
    """Return a value as a message can show it."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _rows_file(files: SourceFiles, rows: str | None) -> str:
    if rows is not None:
        if not rows.endswith(ENDINGS):
            raise UserError(f"The file of rows '{rows}' ends in none of {', '.join(ENDINGS)}. Name one that does.")
        return rows
    found = files.find(*(f"*{ending}" for ending in ENDINGS))
    if len(found) == 1:
        return found[0]
    kinds = ".jsonl, .csv or .parquet"
    if not found:
        raise UserError(f"'{files.path}' has no {kinds} file. Put one there, with one row a line.")
    named = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
    raise UserError(
        f"'{files.path}' has several {kinds} files ({named}). Name the one to read: "
        f"rows={found[0]}; or read them all as a data set: split=all."
    )
