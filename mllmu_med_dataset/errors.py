"""The one exception users see: a paragraph that says what, where, the nearest valid value and the fix."""

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

_OF_PATHS = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENOTDIR)
# More names than these are no help.
MOST_NAMED = 30


class UserError(Exception):
    """Bad input, told in one paragraph; the command line prints it and exits with code 2."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest known word, or an empty string."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{close[0]}'?" if close else ""


def unknown(kind: str, word: str, known: Iterable[str]) -> UserError:
    """Build the error for a word that is not among the known ones."""
    known = sorted(set(known))
    more = f" and {len(known) - MOST_NAMED:,} more" if len(known) > MOST_NAMED else ""
    named = ", ".join(known[:MOST_NAMED]) or "none"
    return UserError(f"Unknown {kind} '{cut(word)}'.{nearest(word, known)} Known: {named}{more}.")


def cut(text: str, most: int = 80) -> str:
    """Return a text as a message can hold it: what is longer loses its middle.

    >>> cut("0123456789", 7)
    '0123...9'
    """
    return text if len(text) <= most else f"{text[: most * 2 // 3]}...{text[-(most // 4) :]}"


@contextmanager
def using_paths() -> Iterator[None]:
    """Turn what the system refuses of a path that was named, or of what is printed, into a ``UserError``."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            where = f"below '{error.filename}'" if error.filename else "where the output goes"
            raise UserError(f"There is no room left {where}. Make room, and run the same command again.") from error
        if error.errno not in _OF_PATHS or error.filename is None:
            raise
        raise UserError(
            f"The path '{cut(str(error.filename), 200)}' can't be used ({error.strerror}). Name one that is there, or "
            "whose folder is, and that may be read and written."
        ) from error


def make_folder(folder: Path) -> None:
    """Create a folder with its parents; a ``UserError`` where the place can't be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder '{folder}' can't be made ({error.strerror or error}). Name a place that can be written."
        ) from error
