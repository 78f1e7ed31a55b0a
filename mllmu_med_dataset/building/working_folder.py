"""The folder beside ``out`` in which a build is made: one build at a time, found again after a kill."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ..errors import UserError, make_folder
from ..locks import alone
from .pool import StoppedError


class WorkingFolder:
    """``.<name of out>.building`` beside ``out``, locked as long as this is open.

    ``folder`` in it is what becomes ``out``, complete and verified, by a rename; ``parts`` is where processes write
    before the build takes a part over.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.path = out.parent / f".{out.name}.building"
        self.folder = self.path / "folder"
        self.parts = self.path / "parts"
        self._replaced = self.path / "replaced"

    def __enter__(self) -> WorkingFolder:
        # Nearest first.
        self._made = [folder for folder in self.out.parents if not folder.exists()]
        make_folder(self.out.parent)
        busy = (
            f"Another build into {self.out} is running (it holds {self.path}). Wait for it to end, or name another "
            "folder."
        )
        with ExitStack() as held:
            try:
                held.enter_context(alone(self.path, busy))
                with storing(self.path):
                    self.path.mkdir(parents=True, exist_ok=True)
            except UserError:
                self._remove_made()
                raise
            self._restore()
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def _restore(self) -> None:
        """Remove what an earlier build was removing, and put back an older build that it had set aside."""
        for path in self.path.parent.iterdir():
            if path.name.startswith(f"{self.path.name}-"):
                shutil.rmtree(path, ignore_errors=True)
        if self._replaced.exists() and not self.out.exists():
            self._replaced.rename(self.out)

    @property
    def is_fresh(self) -> bool:
        """Whether there is nothing of an earlier build in it."""
        return not any(self.path.iterdir())

    def discard(self) -> None:
        """Remove everything in it."""
        for path in self.path.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def clear_parts(self) -> None:
        """Remove what processes of a killed build left behind."""
        shutil.rmtree(self.parts, ignore_errors=True)
        self.parts.mkdir()

    def remove(self) -> None:
        """Remove the folder, and those made for it that hold nothing; another build may begin at once."""
        # Under a name of its own, so that what is removed is never what another build has just begun.
        gone = Path(tempfile.mkdtemp(prefix=f"{self.path.name}-", dir=self.path.parent))
        self.path.rename(gone / "gone")
        shutil.rmtree(gone, ignore_errors=True)
        self._remove_made()

    def _remove_made(self) -> None:
        with suppress(OSError):
            for folder in self._made:
                folder.rmdir()

    def publish(self) -> None:
        """Put the finished folder in its place; an older build there goes aside first and is removed last."""
        if self.out.is_dir() and any(self.out.iterdir()):
            self.out.rename(self._replaced)
            try:
                self.folder.rename(self.out)
            except BaseException:
                self._replaced.rename(self.out)
                raise
        else:
            self.folder.replace(self.out)


@contextmanager
def storing(place: Path) -> Iterator[None]:
    """Turn what a full or unwritable disk raises into one paragraph."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise _stopped(place, error) from error


def _stopped(place: Path, error: OSError | sqlite3.Error) -> StoppedError:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return StoppedError(
        f"The build can't write below {place} ({said}). Free space on that disk or make the folder writable, then run "
        "the same command again: what was done is kept, and it goes on from there."
    )
