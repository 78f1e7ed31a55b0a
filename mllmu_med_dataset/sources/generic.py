"""Your own data: JSON, CSV or Parquet rows and a folder (or archive) of images, or any folder ``load_dataset`` opens.

Columns are named by a mapping: the row ``{"img": "a/1.png", "q": "Which organ is shown?", "a": "The liver."}`` is read
with ``image=img question=q answer=a``; a field that is not mapped is read from the column of its own name, if there is
one. A value inside a column is named with dots: ``image=images.0.path`` is the ``path`` of the first of ``images``.
``question_text=TEXT`` asks every row the same, for data that name a class and ask nothing. The image is a path (its
ending may be left out), or in Parquet and data sets the image itself. A data set of the Hub is its folder:

    mllmu-med build --source generic --source-path hf://datasets/ORG/NAME@REVISION --source-option split=train ...
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal, TypedDict, get_args

from pydantic import ValidationError

from mllmu_med_metrics.vocabulary import ANSWER_TYPES, QUESTION_TYPES, AnswerType, QuestionType

from ..building.left_out import (
    BAD_IMAGE,
    EMPTY_ANSWER,
    EMPTY_QUESTION,
    FILE_MISSING,
    LACKING,
    MISSING_IMAGE,
    SAME_ID,
    UNKNOWN_VALUE,
    WRONG_TYPE,
    Losses,
    UnusableRow,
)
from ..errors import UserError, nearest, unknown
from ..injection.kinds import is_yes_no
from ..injection.sentence_templates import find_value
from ..record import Record, clean_text, clean_turn
from .answers import Answers, FactFields, Item
from .closed_sets import fact_of
from .files import BadNameError, SourceFiles, shown
from .images import BadImageError, Picture, picture, reason
from .source import Source
from .table_files import ENDINGS, DataSet, Rows, ending, is_saved, rows_of
from .texts import as_text, one_of

REQUIRED = ("image", "question", "answer")
OPTIONAL = ("id", "fact", "fact_values", "modality", "body_region", "question_type", "answer_type", "license")
FIELDS = (*REQUIRED, *OPTIONAL)
# Rows of one image mostly follow one another; a few are kept decoded in case they alternate.
_PICTURES_KEPT = 32
# How an image folder of the Hub's libraries calls the column of the image in its metadata file.
_FILE_NAME = "file_name"
# The endings that a row may leave out of the name of its image.
_IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
# More values than any question offers: the labels of a whole data set, each of which every row would be held against.
MAX_LISTED = 256
_ABSENT = object()
_OR_ONE_QUESTION = {"question": ", or ask all rows the same: question_text=TEXT"}


class _Asked(TypedDict):
    """What a row asks and says, cleaned; texts that it lacks are empty."""

    id: str
    question: str
    answer: str
    fact: str | None
    fact_values: tuple[str, ...]
    modality: str
    body_region: str
    question_type: QuestionType
    answer_type: AnswerType
    license: str


Ids = Literal["unique", "ignore"]


def records(
    *,
    path: Path | None,
    seed: int = 0,
    mapping: Mapping[str, str] | None = None,
    rows: str | None = None,
    images: str | None = None,
    config: str | None = None,
    split: str | None = None,
    question_text: str | None = None,
    ids: Ids = "unique",
    license: str | None = None,
    redistributable: bool | None = None,
    name: str = "generic",
    losses: Losses | None = None,
) -> Iterator[Record]:
    """Yield the records in the order of the rows; the seed changes nothing here.

    ``rows`` names the file inside ``path`` (needed where there are several), ``images`` the folder in it that image
    paths start from (the one the file is in, if absent). With a ``split`` (``all`` for all of them) or ``config`` the
    folder is opened by ``load_dataset``, of which it is any layout; one that ``save_to_disk`` wrote is known by its
    look. ``mapping`` names the column of each field, ``question_text`` is the question where all rows share one. Ids
    are unique within a split, or ``ids="ignore"`` names rows by their place. Facts, their closed sets and types that
    no column gives are inferred as for SLAKE: a closed or short answer is its own fact. ``license`` and
    ``redistributable`` must be said: the build writes pixels only where they may be passed on. Rows that can't be used
    are counted in ``losses``. Raises :class:`UserError` naming the file and row.
    """
    if path is None:
        raise UserError(
            "The source generic needs its folder or archive: --source-path DIR, holding a .jsonl, .json, .csv or "
            ".parquet file and images; or a data set of the Hub: --source-path hf://datasets/ORG/NAME."
        )
    if ids not in get_args(Ids):
        raise unknown("choice of ids", str(ids), get_args(Ids))
    columns = _columns(mapping or {}, question_text)
    for option, value in (("license", license), ("name", name)):
        if value is not None and not value.strip():
            raise UserError(f"The option {option} is empty. Give it a value, or leave it out.")
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
            table = _of_dataset(files, DataSet(files, config=config, split=None if split == "all" else split))
        else:
            table = _of_files(files, rows, images, columns, mapping or {})
        losses = Losses() if losses is None else losses
        losses.source = table.source
        fields = _Fields(columns, mapping or {}, question_text, check_ids=ids == "unique", many=table.many_splits)
        yield from _records(table, fields, losses, name=name, license=license, redistributable=redistributable)


def _columns(mapping: Mapping[str, str], question_text: str | None) -> dict[str, str]:
    """Return the column of each field."""
    columns = {field: field for field in FIELDS}
    for field, column in mapping.items():
        if field not in FIELDS:
            raise unknown("field in the column mapping", field, FIELDS)
        columns[field] = column
    if question_text is not None:
        if not clean_turn(question_text):
            raise UserError("The option question_text is empty. Write the question that all rows are asked.")
        if "question" in mapping:
            raise UserError(
                f"The question is given twice: as the column question={mapping['question']} and for all rows as "
                "question_text=TEXT. Leave out one."
            )
    return columns


@dataclass(frozen=True, slots=True)
class _Table:
    """Rows that can be read again, if need be without one column, and the images they name."""

    source: str
    rows: Callable[[str | None], Rows]
    read: Callable[[str], bytes]
    many_splits: bool = False


def _of_dataset(files: SourceFiles, data: DataSet) -> _Table:
    def read(image: str) -> bytes:
        return _image_bytes(files, PurePosixPath(), data.inside(image))

    return _Table(str(data.folder), data.rows, read, len(data.splits) > 1)


def _of_files(
    files: SourceFiles, rows: str | None, images: str | None, columns: dict[str, str], mapping: Mapping[str, str]
) -> _Table:
    file = _rows_file(files, rows)
    folder = PurePosixPath(file).parent if images is None else PurePosixPath(images)
    # An image folder as the Hub's libraries know it: metadata.jsonl or metadata.csv beside the images.
    if PurePosixPath(file).stem.casefold() == "metadata" and "image" not in mapping:
        first = next(rows_of(files, file), None)
        if first is not None and isinstance(first[1], dict) and "image" not in first[1] and _FILE_NAME in first[1]:
            columns["image"] = _FILE_NAME
    return _Table(
        str(files.path), lambda without: rows_of(files, file, without), lambda image: _image_bytes(files, folder, image)
    )


def _image_bytes(files: SourceFiles, folder: PurePosixPath, image: str) -> bytes:
    """Return the bytes of the image that a row names; its ending may be missing."""
    # Joined as text: a path that leads out has to be seen as it was written.
    name = image if folder == PurePosixPath() or image.startswith("/") else f"{folder}/{image}"
    try:
        return files.read(name)
    except FileNotFoundError:
        found = [one for one in files.with_stem(name) if PurePosixPath(one).suffix.casefold() in _IMAGE_ENDINGS]
        if len(found) == 1:
            return files.read(found[0])
        if found:
            raise BadNameError(f"the name of several files: {', '.join(map(shown, found[:3]))}") from None
        if others := files.elsewhere(name):
            top = str(PurePosixPath(others[0]).parent)
            raise BadNameError(f"{FILE_MISSING}; one of that name is in '{shown(top)}'") from None
        raise


def _records(
    table: _Table, fields: "_Fields", losses: Losses, *, name: str, license: str | None, redistributable: bool
) -> Iterator[Record]:
    answers, column = Answers(), fields.columns["image"]
    # The first pass learns the closed sets and finds the rows whose text can't be used, before any image is touched.
    for _, asked in losses.each(table.rows(fields.alone("image")), fields.reader()):
        answers.add(_item(asked))
    if not losses.total:
        raise UserError(
            f"'{table.source}' holds no rows. Write one a line (JSONL: one JSON object), with {', '.join(REQUIRED)}."
        )
    losses.check()

    @lru_cache(maxsize=_PICTURES_KEPT)
    def made_of(image: str | bytes) -> Picture | str:
        try:
            return picture(table.read(image) if isinstance(image, str) else image)
        except FileNotFoundError:
            return FILE_MISSING
        except (OSError, BadImageError) as error:
            return reason(error)

    read = fields.reader()
    # The first pass has counted the rows whose text can't be used.
    sound = Losses().each(table.rows(None), lambda place, row: (read(place, row), row))
    for place, (values, row) in sound:
        try:
            image, path = _image(fields.value(row, "image"), column)
        except UnusableRow as unusable:
            losses.add(unusable.reason, place, unusable.text)
            continue
        made = made_of(image)
        if isinstance(made, str):
            losses.image(shown(path) if isinstance(image, str) else place, made)
            continue
        try:
            yield _record(
                values,
                made,
                answers.fields(_item(values)),
                image_path=path or place,
                source=name,
                source_id=values["id"] or place,
                license=values["license"] or license or "",
                redistributable=redistributable,
            )
        except UnusableRow as unusable:
            losses.add(unusable.reason, place, unusable.text)
    losses.finish()


def _image(value: object, column: str) -> tuple[str | bytes, str]:
    """Return an image as a row has it, its bytes or a path, and the path that the record tells."""
    if isinstance(value, list | tuple):
        if len(value) > 1:
            raise UnusableRow(
                BAD_IMAGE,
                f": the column '{column}' holds {len(value)} images, and a row shows one. Name the one: "
                f"image={column}.0.",
            )
        value = value[0] if value else None
    stored = value if isinstance(value, dict) else {"bytes": value} if isinstance(value, bytes) else {"path": value}
    data, path = stored.get("bytes"), stored.get("path")
    if isinstance(data, bytes):
        # Where the image lay on the machine that packed it is nobody's business.
        return data, PurePosixPath(path).name if isinstance(path, str) else ""
    if isinstance(path, str) and path.strip():
        return path, path
    raise UnusableRow(
        MISSING_IMAGE if value in (None, "") or path is None else WRONG_TYPE,
        f": the column '{column}' holds {_told(value)}, neither the path of an image nor its bytes. Correct the row, "
        "or name the right column: image=COLUMN.",
    )


def _record(
    asked: _Asked,
    made: Picture,
    fact: FactFields,
    *,
    image_path: str,
    source: str,
    source_id: str,
    license: str,
    redistributable: bool,
) -> Record:
    try:
        return Record(
            source=source,
            source_id=source_id,
            image_bytes=made.data,
            image_key=made.key,
            image_path=image_path,
            question=asked["question"],
            answer=asked["answer"],
            **fact,
            modality=asked["modality"],
            body_region=asked["body_region"],
            question_type=asked["question_type"],
            answer_type=asked["answer_type"],
            license=license,
            redistributable=redistributable,
        )
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise UnusableRow(
            WRONG_TYPE, f": the field '{field}' can't be used: {first['msg']}. Correct the row."
        ) from error


def _item(asked: _Asked) -> Item:
    return Item(
        question=asked["question"],
        fact=asked["fact"],
        group=_group(asked),
        question_type=asked["question_type"],
        region=asked["body_region"],
        modality=asked["modality"],
        choices=asked["fact_values"],
    )


def _group(asked: _Asked) -> tuple[str, ...]:
    """Return what shares a closed set: the question type, and the question itself where the type says nothing."""
    kind = asked["question_type"]
    return (kind, asked["question"]) if kind == "other" else (kind,)


class _Fields:
    """Which fields a row has, cleaned, the missing ones inferred."""

    def __init__(
        self,
        columns: Mapping[str, str],
        mapping: Mapping[str, str],
        question_text: str | None,
        *,
        check_ids: bool,
        many: bool,
    ) -> None:
        self.columns, self._mapping, self._question = columns, mapping, question_text
        self._check_ids, self._many = check_ids, many

    def alone(self, field: str) -> str | None:
        """Return the column of a field if no other field is read out of it."""
        column = self.columns[field]
        others = (one for other, one in self.columns.items() if other != field)
        return None if any(one == column or one.startswith(f"{column}.") for one in others) else column

    def value(self, row: Mapping[str, object], field: str) -> object:
        """Return what a row has for a field; raises ``UnusableRow`` where it lacks a column that it must have."""
        column = self.columns[field]
        if field == "question" and self._question is not None:
            return self._question
        found = row[column] if column in row else _inside(row, column)
        if found is not _ABSENT:
            return found
        if not row and field in REQUIRED:
            raise UnusableRow(
                LACKING,
                f" has no column '{column}' for the field '{field}', and no other but its image: the folder holds "
                f"images alone. Put a file of rows there and name it: rows=FILE{_OR_ONE_QUESTION.get(field, '')}.",
            )
        if field in REQUIRED or field in self._mapping:
            raise UnusableRow(
                LACKING,
                f" has no column '{column}' for the field '{field}'.{nearest(column, row)} Its columns: "
                f"{', '.join(row) or 'none'}. Name the right one: {field}=COLUMN{_OR_ONE_QUESTION.get(field, '')}.",
            )
        return None

    def reader(self) -> Callable[[str, Mapping[str, object]], _Asked]:
        """Return what reads the rows of one pass, which knows the ids that it has seen."""
        ids: set[bytes] = set()

        def read(place: str, row: Mapping[str, object]) -> _Asked:
            fields = self._read(row)
            if fields["id"] and not self._check_ids:
                fields["id"] = ""
            elif fields["id"]:
                if self._many:
                    fields["id"] = f"{place.split(':')[0]}:{fields['id']}"
                digest = hashlib.blake2b(fields["id"].encode(), digest_size=8).digest()
                if digest in ids:
                    raise UnusableRow(
                        SAME_ID,
                        f" has the id '{fields['id']}' of an earlier row. Give each row its own id, name the column of "
                        "the ids (id=COLUMN), or let the place of a row name it: ids=ignore.",
                    )
                ids.add(digest)
            return fields

        return read

    def _read(self, row: Mapping[str, object]) -> _Asked:
        columns = self.columns
        values = {field: self.value(row, field) for field in FIELDS if field != "image"}
        listed = _listed(values.pop("fact_values"), columns["fact_values"])
        for field, value in values.items():
            # True and False are numbers to Python; as an answer they say neither yes nor no.
            told = isinstance(value, str | int | float) and not isinstance(value, bool) and value == value
            if value is None and field in ("question", "answer"):
                reason = EMPTY_QUESTION if field == "question" else EMPTY_ANSWER
                raise UnusableRow(reason, f": the column '{columns[field]}' holds null, not text. Fill it.")
            if not (told or value is None):
                raise UnusableRow(
                    WRONG_TYPE, f": the column '{columns[field]}' holds {_told(value)}, not text. Correct the row."
                )
        text = {field: clean_text(as_text(value)) for field, value in values.items()}
        for field, reason in (("question", EMPTY_QUESTION), ("answer", EMPTY_ANSWER)):
            text[field] = clean_turn(text[field])
            if not text[field]:
                raise UnusableRow(reason, f": the column '{columns[field]}' is empty. Fill it, or leave the row out.")
        yes_no = is_yes_no(text["answer"])
        form = text["answer_type"].upper() or ("CLOSED" if yes_no else "OPEN")
        answer_type = one_of("answer type", form, ANSWER_TYPES)
        kind = text["question_type"].casefold() or ("yes_no" if yes_no else "other")
        question_type = one_of("question type", kind, QUESTION_TYPES)
        if text["fact"] and find_value(text["answer"], text["fact"]) is None:
            raise UnusableRow(
                UNKNOWN_VALUE,
                f": the fact '{text['fact']}' does not stand in the answer '{text['answer'][:80]}', which it is to "
                "decide. Give the word of the answer that decides it, or leave the fact empty.",
            )
        if text["fact"] and listed and text["fact"].casefold() not in (one.casefold() for one in listed):
            raise UnusableRow(
                UNKNOWN_VALUE, f": the fact '{text['fact']}' is not among its fact_values {list(listed)}. Add it there."
            )
        return {
            "id": text["id"],
            "question": text["question"],
            "answer": text["answer"],
            "fact": text["fact"] or fact_of(text["answer"], answer_type),
            "fact_values": listed,
            "modality": text["modality"],
            "body_region": text["body_region"],
            "question_type": question_type,
            "answer_type": answer_type,
            "license": text["license"],
        }


def _inside(row: Mapping[str, object], column: str) -> object:
    """Return the value that a name with dots leads to through objects and lists, ``_ABSENT`` where there is none."""
    found: object = row
    for step in column.split("."):
        if isinstance(found, Mapping) and step in found:
            found = found[step]
        elif isinstance(found, list | tuple) and step.isascii() and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return _ABSENT
    return found


def _listed(value: object, column: str) -> tuple[str, ...]:
    """Return the closed set that a row gives: a list of texts, in CSV written as JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except ValueError:
            value = [None]
    if value is not None and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        raise UnusableRow(
            WRONG_TYPE,
            f': the column \'{column}\' must be a list of texts (in CSV written ["left", "right"]). Correct the row.',
        )
    if value and len(value) > MAX_LISTED:
        raise UnusableRow(
            WRONG_TYPE,
            f": the column '{column}' lists {len(value):,} values, and a question is decided among {MAX_LISTED} at "
            "most. List the plausible ones, or leave the list empty: then the answers to the same question are used.",
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
    kinds = ".jsonl, .json, .csv, .tsv or .parquet"
    if rows is not None:
        if not ending(rows):
            raise UserError(f"The file of rows '{rows}' ends in none of {kinds}. Name one that does.")
        return rows
    patterns = [f"*{one}{packed}" for one in ENDINGS for packed in ("", ".gz")]
    found = files.find(*patterns)
    # Descriptions of data sets are .json files too: where there is another file, that holds the rows.
    found = [one for one in found if ending(one) != ".json"] or found
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(f"'{files.path}' has no {kinds} file. Put one there, with one row a line.")
    named = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
    raise UserError(
        f"'{files.path}' has several {kinds} files ({named}). Name the one to read: "
        f"rows={found[0]}; or read them all as a data set: split=all."
    )


SOURCE = Source(
    name="generic",
    records=records,
    needs_path=True,
    license="yours (license=...)",
    summary="Your own rows (JSON, CSV, Parquet) and images, or any data set of the Hub, columns named by a mapping.",
    redistributable=None,
)
