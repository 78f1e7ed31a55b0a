"""One process at a time in a folder: of this machine's processes of one user, and given back however a process ends."""

import getpass
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import UserError


@contextmanager
def alone(folder: Path, busy: str) -> Iterator[None]:
    """Keep every other process that asks out of the folder; raise ``UserError(busy)`` where one is in it.

    The folder need not exist. The lock lies among the system's temporary files, so that nothing is left in or beside
    the folder; other machines that share the folder are not kept out.
    """
    place = _place(folder)
    lock = FileLock(place)
    try:
        place.parent.mkdir(mode=0o700, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        raise UserError(busy) from None
    except (OSError, NotImplementedError) as error:  # the latter where a file system knows no locks
        raise UserError(
            f"Whether another process is at work in '{folder}' can't be seen: no lock can be taken at '{place}' "
            f"({getattr(error, 'strerror', None) or error}). Set TMPDIR to a folder that you may write to."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _place(folder: Path) -> Path:
    locks = Path(tempfile.gettempdir()) / f"mllmu-med-locks-{_user()}"
    return locks / f"{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:32]}.lock"


def _user() -> str:
    """Return what names the user to the system: what the environment says may be another's name, or no name."""
    return str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()
