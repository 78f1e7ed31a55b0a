"""What can go wrong in a run's folder: a full or read-only disk, or a second process. What was saved is never lost."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mllmu_med_dataset.errors import UserError


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what the system refuses to write below the folder into a :class:`UserError`."""
    try:
        yield
    except Exception as error:
        # Libraries in Rust (tensors, tokenizers) raise errors of their own that end in "(os error 28)".
        if not isinstance(error, OSError) and "os error" not in str(error):
            raise
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise UserError(
            f"The run can't write into '{folder}': {reason}. What it saved before is whole. Make room there, or make "
            "the folder writable, and start the same command again: it goes on from its last checkpoint."
        ) from error


@contextmanager
def alone(folder: Path, named: Path | None = None) -> Iterator[None]:
    """Keep every other process of this machine that asks out of the folder; the system lets go however this one ends.

    The folder itself is locked, so that no file is left. Where a file system can't lock a folder, nobody is kept out.
    A refusal speaks of the folder that the user named.
    """
    busy = UserError(
        f"Another process is at work in '{named or folder}'. Wait until it ends, or name another --out folder."
    )
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:  # it ended just now, and took the folder along
        raise busy from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        except OSError:
            pass
        if not (folder.exists() and os.path.samestat(os.fstat(handle), os.stat(folder))):
            raise busy
        yield
    finally:
        os.close(handle)
