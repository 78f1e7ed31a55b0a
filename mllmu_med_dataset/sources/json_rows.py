"""Rows of a JSON file that is one list of objects, each with its place for messages; one is in memory at a time."""

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from ..building.left_out import LACKING, UNPARSABLE, WRONG_TYPE, UnusableRow
from ..errors import UserError
from .files import SourceFiles
from .texts import check_texts

# A row longer than this is no row: what it is part of does not end.
MAX_ROW_CHARACTERS = 16 * 2**20
JsonRows = Iterator[tuple[str, "dict[str, object] | UnusableRow"]]
_CHUNK = 2**20
_NO_SPACE = re.compile(r"[^ \t\r\n]")


def json_rows(files: SourceFiles, name: str, *, required: Sequence[str] = (), called: str | None = None) -> JsonRows:
    """Yield ``NAME, row N`` and every row of the file, or why it can't be used; ``UserError`` for what is no JSON list.

    Of the required keys each must be there and not null. ``called`` is the source's name as people write it, of one
    that is published.
    """
    where = f"{files.path}/{name}"
    fix = f"Take the file as {called} distributes it." if called else "Correct the file, or the row."
    try:
        with files.rows_stream(name) as stream:
            for number, row in enumerate(_elements(_Text(stream)), start=1):
                try:
                    made: dict[str, object] | UnusableRow = _checked(row, required, fix)
                except UnusableRow as unusable:
                    made = unusable
                yield f"{name}, row {number}", made
    except FileNotFoundError:
        raise UserError(f"'{where}' does not exist. Name a file of the source.") from None
    except _JsonError as error:
        raise UserError(f"{where} {error}. {fix}") from error
    except (OSError, RecursionError) as error:
        raise UserError(f"{where} can't be read ({error}). {fix}") from error


def _checked(row: object, required: Sequence[str], fix: str) -> dict[str, object]:
    """Return an element; raises ``UnusableRow`` for one that is no row with the required keys."""
    if not isinstance(row, dict):
        raise UnusableRow(UNPARSABLE, f" is not an object. {fix}")
    if not row:
        raise UnusableRow(LACKING, f" is an empty object. {fix}")
    check_texts(row)
    if missing := [key for key in required if row.get(key) is None]:
        raise UnusableRow(LACKING, f" lacks {', '.join(missing)}. {fix}")
    for key in required:
        if isinstance(row[key], dict | list | bool):
            raise UnusableRow(WRONG_TYPE, f" has {json.dumps(row[key])[:60]} as its {key}, not a text. {fix}")
    return row


class _JsonError(Exception):
    """What is wrong with a file, as the end of a sentence that begins with its name."""


def _elements(text: "_Text") -> Iterator[object]:
    """Yield the elements of a JSON list."""
    first = text.next()
    if first != "[":
        # Whether it is JSON at all decides which of the two is said.
        if first:
            text.value()
        raise _JsonError("is not a list of rows" if first else "is empty")
    text.at += 1
    if text.next() != "]":
        while True:
            yield text.value()
            if text.next() != ",":
                break
            text.at += 1
            text.next()
    if text.next() != "]":
        raise text.error("Expecting ',' delimiter", text.at)
    text.at += 1
    if text.next():
        raise text.error("Extra data", text.at)


class _Text:
    """The text of a stream from where it has been read to, as much of it as the next value needs."""

    def __init__(self, stream: BinaryIO) -> None:
        self.held, self.at = "", 0
        self._stream, self._ended = stream, False
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder(parse_constant=_no_number)
        self._bytes = self._lines = self._columns = 0

    def next(self) -> str:
        """Return the next character that is no space, without going past it; at the end nothing."""
        while True:
            found = _NO_SPACE.search(self.held, self.at)
            self.at = found.start() if found else len(self.held)
            if found:
                return found.group()
            if not self._more():
                return ""

    def value(self) -> object:
        """Return the value that begins here, and go past it."""
        while True:
            try:
                value, self.at = self._json.raw_decode(self.held, self.at)
                return value
            except json.JSONDecodeError as error:
                message, place = error.msg, error.pos
            except ValueError as error:
                raise self.error(str(error), self.at) from error
            if len(self.held) - self.at > MAX_ROW_CHARACTERS or not self._more():
                raise self.error(message, place)

    def error(self, message: str, at: int) -> _JsonError:
        """Return an error at a place in the held text."""
        before = self.held[:at]
        line = self._lines + before.count("\n") + 1
        column = len(before) - before.rindex("\n") if "\n" in before else self._columns + len(before) + 1
        return _JsonError(f"is no whole JSON file ({message}: line {line:,} column {column:,})")

    def _more(self) -> bool:
        """Read on, and let go of what is behind; return whether there was anything to read."""
        if self._ended:
            return False
        behind, self.held, self.at = self.held[: self.at], self.held[self.at :], 0
        self._lines += behind.count("\n")
        self._columns = len(behind) - behind.rindex("\n") - 1 if "\n" in behind else self._columns + len(behind)
        data = self._stream.read(_CHUNK)
        self._ended = not data
        try:
            self.held += self._utf8.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            place = self._bytes + error.start - (len(error.object) - len(data))
            raise _JsonError(f"is not UTF-8 (byte {place:,} is 0x{error.object[error.start]:02x})") from error
        self._bytes += len(data)
        return True


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number in JSON")
