"""One process at a time in a folder: of this machine's processes of one user, and given back however a process ends."""

import getpass
import hashlib
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
    lock = FileLock(_place(folder))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UserError(busy) from None
    try:
        yield
    finally:
        lock.release()


def _place(folder: Path) -> Path:
    locks = Path(tempfile.gettempdir()) / f"mllmu-med-locks-{_user()}"
    locks.mkdir(mode=0o700, exist_ok=True)
    return locks / f"{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:32]}.lock"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return "anyone"
