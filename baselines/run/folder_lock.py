"""One process at a time in a run's folder."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from mllmu_med_dataset.errors import make_folder
from mllmu_med_dataset.locks import alone as only_one


def alone(folder: Path, named: Path | None = None) -> AbstractContextManager[None]:
    """Keep every other process of this machine out of the folder; a refusal speaks of the folder the user named."""
    return only_one(
        folder, f"Another process is at work in '{named or folder}'. Wait until it ends, or name another --out folder."
    )


@contextmanager
def taken(out: Path) -> Iterator[None]:
    """Make an output folder and keep others out of it; a folder that holds nothing in the end is removed."""
    make_folder(out)
    with alone(out):
        try:
            yield
        finally:
            if not any(out.iterdir()):
                out.rmdir()
