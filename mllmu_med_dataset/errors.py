"""The one exception users see: a paragraph that says what, where, the nearest valid value and the fix."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class UserError(Exception):
    """Bad input, told in one paragraph; the command line prints it and exits with code 2."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest known word, or an empty string."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{close[0]}'?" if close else ""


def unknown(kind: str, word: str, known: Iterable[str]) -> UserError:
    """Build the error for a word that is not among the known ones."""
    known = sorted(known)
    return UserError(f"Unknown {kind} '{word}'.{nearest(word, known)} Known: {', '.join(known)}.")


def make_folder(folder: Path) -> None:
    """Create a folder with its parents; a ``UserError`` where the place can't be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder '{folder}' can't be made ({error.strerror or error}). Name a place that can be written."
        ) from error
