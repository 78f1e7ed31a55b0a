"""What can go wrong in a run's folder: a full or read-only disk. What was saved is never lost."""

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
