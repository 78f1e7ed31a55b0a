"""Parquet files of images with questions, as the Hub stores them: ``image`` (bytes within), ``question``, ``answer``.

There is no image id, and the same image stands in many rows and in several splits: the pixels say which rows are one
patient's, over all splits. Batches of rows are read, so that no file is ever in memory whole.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypedDict

from mllmu_med_metrics.vocabulary import AnswerType, QuestionType

from ..building.left_out import EMPTY_ANSWER, EMPTY_QUESTION, FILE_MISSING, WRONG_TYPE, Losses, UnusableRow
from ..errors import UserError, nearest
from ..injection.kinds import is_yes_no
from ..record import Record, clean_turn
from .answers import Answers, Item
from .closed_sets import fact_of
from .images import BadImageError, Picture, SourceFiles, picture
from .table_files import Rows, rows_of
from .texts import as_text
from .wording import alternatives, group, question_type

IMAGE, TEXTS = "image", ("question", "answer")
_BATCH_ROWS = 64


class _Asked(TypedDict):
    """What a row asks, cleaned."""

    question: str
    answer: str
    question_type: QuestionType
    answer_type: AnswerType
    fact: str | None
    group: tuple[str, ...]


def records_of(
    files: SourceFiles,
    *,
    source: str,
    license: str,
    redistributable: bool,
    workers: int = 1,
    losses: Losses | None = None,
) -> Iterator[Record]:
    """Yield the records of all Parquet files of a source, in the order of their names and rows.

    What a question asks for is told from its wording; yes and no, named alternatives and short answers are facts.
    Rows that can't be used are counted in ``losses``. Raises :class:`UserError` for a file that is no Parquet or lacks
    a column, and where more is lost than may be.
    """
    names = files.find("*.parquet")
    if not names:
        raise UserError(
            f"'{files.path}' has no .parquet files at its top or in a folder of it, such as data/. Give the folder "
            "that the Hub's data set was downloaded to."
        )
    losses = Losses() if losses is None else losses
    losses.source = str(files.path)
    answers = Answers()
    for name in names:
        for _, fields in losses.each(_rows(files, name), _fields):
            answers.add(_item(fields))
    if not losses.total:
        raise UserError(f"The .parquet files of '{files.path}' hold no rows. Download the data set again.")
    losses.check()
    paths: dict[str, str] = {}
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for name in names:
            # The first pass has counted the rows whose text can't be used.
            rows = Losses().each(_rows(files, name, images=True), lambda place, row: (_fields(place, row), row[IMAGE]))
            for place, fields, made in _illustrated(rows, pool):
                if isinstance(made, str):
                    losses.image(place, made)
                    continue
                number = place.rpartition(" ")[2]
                yield Record(
                    source=source,
                    source_id=f"{name}:{number}",
                    image_bytes=made.data,
                    image_key=made.key,
                    # The first row that shows it: every row of an image says the same place.
                    image_path=paths.setdefault(made.key, f"{name}:{number}"),
                    question=fields["question"],
                    answer=fields["answer"],
                    **answers.fields(_item(fields)),
                    question_type=fields["question_type"],
                    answer_type=fields["answer_type"],
                    license=license,
                    redistributable=redistributable,
                )
    losses.finish()


def _fields(place: str, row: Mapping[str, object]) -> _Asked:
    for name, reason in (("question", EMPTY_QUESTION), ("answer", EMPTY_ANSWER)):
        value = row[name]
        if value is None or (isinstance(value, str) and not clean_turn(value)):
            raise UnusableRow(reason, f" {reason.replace('have', 'has', 1)}.")
        number = name == "answer" and isinstance(value, int | float) and not isinstance(value, bool) and value == value
        if not (number or isinstance(value, str)):
            raise UnusableRow(WRONG_TYPE, f" has the {name} {value!r}, not a text.")
    question, answer = clean_turn(as_text(row["question"])), clean_turn(as_text(row["answer"]))
    kind, named = question_type(question, answer), alternatives(question, answer)
    answer_type: AnswerType = "CLOSED" if named or is_yes_no(answer) else "OPEN"
    return {
        "question": question,
        "answer": answer,
        "question_type": kind,
        "answer_type": answer_type,
        "fact": fact_of(answer, answer_type),
        # Alternatives that one question names are no set for others.
        "group": group("other", question) if named else group(kind, question),
    }


def _item(asked: _Asked) -> Item:
    return Item(
        question=asked["question"], fact=asked["fact"], group=asked["group"], question_type=asked["question_type"]
    )


def _rows(files: SourceFiles, name: str, *, images: bool = False) -> Rows:
    """Yield the rows of one file, numbered from 1, with or without their images."""
    needed = (IMAGE, *TEXTS) if images else TEXTS
    for number, (_, row) in enumerate(rows_of(files, name, None if images else IMAGE), start=1):
        if not isinstance(row, UnusableRow) and (lacking := [column for column in needed if column not in row]):
            raise UserError(
                f"{files.path}/{name} has no column '{lacking[0]}'.{nearest(lacking[0], row)} Its columns: "
                f"{', '.join(row) or 'none'}. Give the folder of the data set as the Hub has it."
            )
        yield f"{name}, row {number}", row


def _illustrated(
    rows: Iterator[tuple[str, tuple[_Asked, object]]], pool: ThreadPoolExecutor
) -> Iterator[tuple[str, _Asked, Picture | str]]:
    """Yield the rows with their pictures, a batch in memory at a time."""
    while batch := list(islice(rows, _BATCH_ROWS)):
        made = pool.map(_picture, [image for _, (_, image) in batch])
        yield from ((place, fields, picture) for (place, (fields, _)), picture in zip(batch, made, strict=True))


def _picture(stored: object) -> Picture | str:
    data = stored.get("bytes") if isinstance(stored, dict) else stored
    if not isinstance(data, bytes):
        return f"{FILE_MISSING}: the row holds no image bytes"
    try:
        return picture(data)
    except BadImageError as error:
        return str(error)
