"""One process at a time in a run's folder."""

from contextlib import AbstractContextManager
from pathlib import Path

from mllmu_med_dataset.locks import alone as only_one


def alone(folder: Path, named: Path | None = None) -> AbstractContextManager[None]:
    """Keep every other process of this machine out of the folder; a refusal speaks of the folder the user named."""
    return only_one(
        folder, f"Another process is at work in '{named or folder}'. Wait until it ends, or name another --out folder."
    )
