"""Texts of a source that no file could hold afterwards, refused where they stand."""

from ..errors import UserError

# The longest answers are reports of some thousand characters; what is longer is no answer but a file.
MAX_CHARACTERS = 100_000


def check_texts(value: object, where: str) -> None:
    """Raise :class:`UserError` for a text, in whatever list or object, that is no Unicode text or endless."""
    if isinstance(value, str):
        if len(value) > MAX_CHARACTERS:
            raise UserError(
                f"{where} holds a text of {len(value):,} characters, more than {MAX_CHARACTERS:,}: '{value[:40]}...'. "
                "Shorten it, or leave the row out."
            )
        if not _sayable(value):
            raise UserError(
                f"{where} holds a text with a character that is none (half a surrogate pair, or NUL): "
                f"{value[:60]!a}. Save the file as UTF-8 with whole characters."
            )
    elif isinstance(value, dict):
        for key, one in value.items():
            check_texts(key, where)
            check_texts(one, where)
    elif isinstance(value, list | tuple):
        for one in value:
            check_texts(one, where)


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
