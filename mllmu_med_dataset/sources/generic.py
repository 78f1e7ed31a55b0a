"""Your own data: a JSONL file of rows and a folder (or zip) of images, columns named by a mapping.

One row a line, for example ``{"img": "a/1.png", "q": "Which organ is shown?", "a": "The liver."}`` with the mapping
``image=img question=q answer=a``; a field that is not mapped is read from the column of its own name, if there is one.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import get_args

from pydantic import ValidationError

from ..errors import UserError, nearest, unknown
from ..record import QuestionType, Record, clean_text
from .closed_sets import ClosedSets, fact_of, is_yes_no
from .images import BadImageError, BadImages, Picture, SourceFiles, picture

REQUIRED = ("image", "question", "answer")
OPTIONAL = ("id", "fact", "fact_values", "modality", "body_region", "question_type", "answer_type", "license")
FIELDS = (*REQUIRED, *OPTIONAL)
_QUESTION_TYPES = get_args(QuestionType)
# Rows of one image mostly follow one another; a few are kept decoded in case they alternate.
_PICTURES_KEPT = 32
_log = logging.getLogger(__name__)


def records(
    *,
    path: Path | None,
    seed: int = 0,
    mapping: Mapping[str, str] | None = None,
    rows: str | None = None,
    images: str = "",
    license: str | None = None,
    redistributable: bool | None = None,
    name: str = "generic",
    skip_bad_images: bool = False,
) -> Iterator[Record]:
    """Yield the records of a JSONL file in its order; the seed changes nothing here.

    ``rows`` names the file inside ``path`` (needed where there are several), ``images`` the folder that image paths
    start from, ``mapping`` the column of each field. Facts, their closed sets and types that no column gives are
    inferred as for SLAKE: a closed or short answer is its own fact. ``license`` and ``redistributable`` must be said:
    the build writes pixels only where they may be passed on. Raises :class:`UserError` naming the file and line.
    """
    if path is None:
        raise UserError(
            "The source generic needs its folder or zip: --source-path DIR, holding a .jsonl file and images."
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
        file = _rows_file(files, rows)
        where = f"{files.path}/{file}"
        closed = ClosedSets()
        images_named: set[str] = set()
        for line, row in _lines(files, file, where):
            fields = _fields(row, columns, mapping or {}, f"{where}:{line}")
            images_named.add(fields["image"])
            closed.add(_group(fields), fields["fact"])
        if not images_named:
            raise UserError(f"{where} holds no rows. Write one JSON object a line, with {', '.join(REQUIRED)}.")
        bad = BadImages(path, skip=skip_bad_images)

        @lru_cache(maxsize=_PICTURES_KEPT)
        def shown(image: str) -> Picture | str:
            try:
                return picture(files.read(f"{images}/{image}" if images else image))
            except FileNotFoundError:
                return "the file is missing"
            except (OSError, BadImageError) as error:
                return str(error)

        for line, row in _lines(files, file, where):
            fields = _fields(row, columns, mapping or {}, f"{where}:{line}")
            image = fields["image"]
            made = bad.reasons.get(image) or shown(image)
            if isinstance(made, str):
                bad.add(image, made)
            elif not bad.stopped:
                yield _record(
                    fields,
                    made,
                    fact_values=fields["fact_values"] or closed.values(_group(fields), fields["fact"]),
                    source=name,
                    source_id=fields["id"] or f"{file}:{line}",
                    license=fields["license"] or license or "",
                    redistributable=redistributable,
                    where=f"{where}:{line}",
                )
        if note := bad.finish(len(images_named)):
            _log.warning(note)


def _record(fields: Mapping[str, object], made: Picture, *, where: str, **given: object) -> Record:
    taken = ("question", "answer", "fact", "modality", "body_region", "question_type", "answer_type")
    try:
        return Record(
            image_bytes=made.data,
            image_key=made.key,
            image_path=fields["image"],
            **{field: fields[field] for field in taken},
            **given,
        )
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise UserError(f"{where}: the field '{field}' can't be used: {first['msg']}. Correct the row.") from error


def _group(fields: Mapping[str, object]) -> tuple[object, ...]:
    """Return what shares a closed set: the question type, and the question itself where the type says nothing."""
    kind = fields["question_type"]
    return (kind, fields["question"]) if kind == "other" else (kind,)


def _fields(
    row: Mapping[str, object], columns: Mapping[str, str], mapping: Mapping[str, str], where: str
) -> dict[str, object]:
    """Return the row's fields, cleaned, the missing ones inferred."""
    for field in FIELDS:
        if columns[field] not in row and (field in REQUIRED or field in mapping):
            raise UserError(
                f"{where} has no column '{columns[field]}' for the field '{field}'.{nearest(columns[field], row)} "
                f"Its columns: {', '.join(row) or 'none'}. Name the right one: {field}=COLUMN."
            )
    values = {field: row.get(column) for field, column in columns.items()}
    listed = values.pop("fact_values")
    for field, value in values.items():
        if isinstance(value, dict | list | bool) or (value is None and field in REQUIRED):
            raise UserError(
                f"{where}: the column '{columns[field]}' holds {json.dumps(value)}, not text. Correct the row."
            )
    if listed is not None and not (isinstance(listed, list) and all(isinstance(one, str) for one in listed)):
        raise UserError(f"{where}: the column '{columns['fact_values']}' must be a list of texts. Correct the row.")
    text = {field: "" if value is None else clean_text(str(value)) for field, value in values.items()}
    answer_type = text["answer_type"].upper() or ("CLOSED" if is_yes_no(text["answer"]) else "OPEN")
    if answer_type not in ("OPEN", "CLOSED"):
        raise UserError(f"{where}: {unknown('answer type', answer_type, ('OPEN', 'CLOSED'))}")
    question_type = text["question_type"].casefold() or ("yes_no" if is_yes_no(text["answer"]) else "other")
    if question_type not in _QUESTION_TYPES:
        raise UserError(f"{where}: {unknown('question type', question_type, _QUESTION_TYPES)}")
    return {
        **text,
        "image": str(values["image"]),
        "answer_type": answer_type,
        "question_type": question_type,
        "fact": text["fact"] or fact_of(text["answer"], answer_type),
        "fact_values": tuple(listed or ()),
    }


def _rows_file(files: SourceFiles, rows: str | None) -> str:
    if rows is not None:
        return rows
    found = files.find("*.jsonl")
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(f"'{files.path}' has no .jsonl file. Put one there, one JSON object a line.")
    raise UserError(
        f"'{files.path}' has several .jsonl files ({', '.join(found)}). Name the one to read: rows={found[0]}."
    )


def _lines(files: SourceFiles, file: str, where: str) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the objects of a JSONL file with their line numbers from 1; blank lines are passed over."""
    try:
        content = files.read(file)
    except FileNotFoundError:
        raise UserError(f"{where} does not exist. Name the .jsonl file of the source: rows=FILE.") from None
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8-sig"))
        except ValueError as error:
            raise UserError(f"{where}:{number} is not JSON ({error}). Correct or remove the line.") from error
        if not isinstance(row, dict):
            raise UserError(f"{where}:{number} is not a JSON object. Correct or remove the line.")
        yield number, row
