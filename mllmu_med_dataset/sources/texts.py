"""Texts of a source as records take them, and those refused that no file could hold afterwards."""

from collections.abc import Sequence
from typing import TypeVar

from ..building.left_out import UNKNOWN_VALUE, UNSTORABLE, WRONG_TYPE, UnusableRow
from ..errors import unknown

# The longest answers are reports of some thousand characters; what is longer is no answer but a file.
MAX_CHARACTERS = 100_000

Word = TypeVar("Word", bound=str)


def as_text(value: object) -> str:
    """Return a value of a row as the text that it says: a whole number without a point.

    >>> as_text(2.0), as_text(2.5), as_text(" CT "), as_text(None)
    ('2', '2.5', ' CT ', '')
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def one_of(what: str, value: str, known: Sequence[Word]) -> Word:
    """Return the known word that a row's value is; raises :class:`UnusableRow` (did you mean) where it is none."""
    for one in known:
        if value == one:
            return one
    raise UnusableRow(UNKNOWN_VALUE, f": {unknown(what, value, known)}")


def check_texts(value: object) -> None:
    """Raise :class:`UnusableRow` for a text, in whatever list or object, that is no Unicode text or endless."""
    if isinstance(value, str):
        if len(value) > MAX_CHARACTERS:
            if value.startswith("data:"):
                raise UnusableRow(
                    WRONG_TYPE,
                    f" holds an image written as a data: address ({value[:40]}...). Write each to a file and name "
                    "that, or store bytes in Parquet.",
                )
            raise UnusableRow(
                UNSTORABLE,
                f" holds a text of {len(value):,} characters, more than {MAX_CHARACTERS:,}: '{value[:40]}...'. "
                "Shorten it, or leave the row out.",
            )
        if not _sayable(value):
            raise UnusableRow(
                UNSTORABLE,
                f" holds a text with a character that is none (half a surrogate pair, or NUL): {value[:60]!a}. Save "
                "the file as UTF-8 with whole characters.",
            )
    elif isinstance(value, dict):
        for key, one in value.items():
            check_texts(key)
            check_texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            check_texts(one)


def _sayable(text: str) -> bool:
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
