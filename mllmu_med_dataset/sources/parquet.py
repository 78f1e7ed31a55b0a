"""Parquet files of images with questions, as the Hub stores them: ``image`` (bytes within), ``question``, ``answer``.

There is no image id, and the same image stands in many rows and in several splits: the pixels say which rows are one
patient's, over all splits. Batches of rows are read, so that no file is ever in memory whole.
"""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from ..errors import UserError, nearest
from ..record import Record, clean_text
from .answers import Answers, Item
from .closed_sets import fact_of, is_yes_no
from .images import BadImageError, BadImages, Picture, SourceFiles, picture
from .tables import rows_of
from .unusable_rows import UnusableRows
from .wording import alternatives, group, question_type

IMAGE, TEXTS = "image", ("question", "answer")
_BATCH_ROWS = 64
_log = logging.getLogger(__name__)


def records_of(
    files: SourceFiles,
    *,
    source: str,
    license: str,
    redistributable: bool,
    workers: int = 1,
    skip_bad_images: bool = False,
) -> Iterator[Record]:
    """Yield the records of all Parquet files of a source, in the order of their names and rows.

    What a question asks for is told from its wording; yes and no, named alternatives and short answers are facts.
    Raises :class:`UserError` naming file and row: for a file that is no Parquet or lacks a column, for images that
    can't be used unless they are skipped, and for questions without an answer if they are more than a few.
    """
    names = files.find("*.parquet")
    if not names:
        raise UserError(
            f"'{files.path}' has no .parquet files at its top or in a folder of it, such as data/. Give the folder "
            "that the Hub's data set was downloaded to."
        )
    answers, unusable, total = Answers(), UnusableRows(), 0
    for name in names:
        for number, row in _rows(files, name):
            total += 1
            if reason := _unusable(row):
                unusable.add(f"{files.path}/{name}, row {number}", reason)
                continue
            answers.add(_item(_fields(row)))
    if not total:
        raise UserError(f"The .parquet files of '{files.path}' hold no rows. Download the data set again.")
    if note := unusable.finish(total):
        _log.warning(note)
    bad, paths = BadImages(files.path, skip=skip_bad_images), {}
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for name in names:
            for number, row, made in _illustrated(_rows(files, name, images=True), pool):
                if _unusable(row):
                    continue
                if isinstance(made, str):
                    bad.add(f"{name}, row {number}", made)
                elif not bad.stopped:
                    fields = _fields(row)
                    yield Record(
                        source=source,
                        source_id=f"{name}:{number}",
                        image_bytes=made.data,
                        image_key=made.key,
                        # The first row that shows it: every row of an image says the same place.
                        image_path=paths.setdefault(made.key, f"{name}:{number}"),
                        question=row["question"],
                        answer=row["answer"],
                        **answers.fields(_item(fields)),
                        question_type=fields["question_type"],
                        answer_type=fields["answer_type"],
                        license=license,
                        redistributable=redistributable,
                    )
    if note := bad.finish(total):
        _log.warning(note)


def _fields(row: dict[str, object]) -> dict[str, object]:
    question, answer = clean_text(str(row["question"])), clean_text(str(row["answer"]))
    kind, named = question_type(question, answer), alternatives(question, answer)
    answer_type = "CLOSED" if named or is_yes_no(answer) else "OPEN"
    return {
        "question": question,
        "question_type": kind,
        "answer_type": answer_type,
        "fact": fact_of(answer, answer_type),
        # Alternatives that one question names are no set for others.
        "group": group("other", question) if named else group(kind, question),
    }


def _item(fields: dict[str, object]) -> Item:
    return Item(**{name: fields[name] for name in ("question", "fact", "group", "question_type")})


def _unusable(row: dict[str, object]) -> str | None:
    for name in TEXTS:
        value = row[name]
        if not isinstance(value, str):
            return f"has the {name} {value!r}, not a text"
        if not clean_text(value):
            return f"has an empty {name}"
    return None


def _rows(files: SourceFiles, name: str, *, images: bool = False) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the rows of one file, numbered from 1, with or without their images."""
    needed = (IMAGE, *TEXTS) if images else TEXTS
    for number, (_, row) in enumerate(rows_of(files, name, None if images else IMAGE), start=1):
        for column in needed:
            if column not in row:
                raise UserError(
                    f"{files.path}/{name} has no column '{column}'.{nearest(column, row)} Its columns: "
                    f"{', '.join(row) or 'none'}. Give the folder of the data set as the Hub has it."
                )
        yield number, row


def _illustrated(
    rows: Iterator[tuple[int, dict[str, object]]], pool: ThreadPoolExecutor
) -> Iterator[tuple[int, dict[str, object], Picture | str]]:
    """Yield the rows with their pictures, a batch in memory at a time."""
    batch: list[tuple[int, dict[str, object]]] = []
    # The end of the rows is a row too: it sends the last batch off.
    for one in chain(rows, [None]):
        if one is not None:
            batch.append(one)
        if batch and (one is None or len(batch) == _BATCH_ROWS):
            made = pool.map(_picture, [row[IMAGE] for _, row in batch])
            yield from ((number, row, picture) for (number, row), picture in zip(batch, made, strict=True))
            batch = []


def _picture(stored: object) -> Picture | str:
    data = stored.get("bytes") if isinstance(stored, dict) else stored
    if not isinstance(data, bytes):
        return "the row holds no image bytes"
    try:
        return picture(data)
    except BadImageError as error:
        return str(error)
