"""Folders of a working folder that the libraries read in place of what is installed: a limit of theirs, told here."""

from collections.abc import Iterable
from pathlib import Path

from ..install import METRIC, NAME, STUBS


def shadows(folder: Path, tasks: Iterable[str] = ()) -> list[str]:
    """Return one sentence for each folder in ``folder`` that stands before an installed name there; none is good.

    ``load_dataset`` reads any folder of the name it is given, ``evaluate.load`` one with the module in it, and
    ``lm_eval --tasks`` one named like the single task or group (``tasks``) that is asked.
    """
    sentences = []
    if (folder / NAME).is_dir():
        build = (folder / NAME / "checksums.json").is_file()
        instead = "reads the build in it" if build else "finds no data set in it and fails"
        sentences.append(_sentence(folder / NAME, f'load_dataset("{NAME}", ...) {instead}'))
    if (folder / METRIC / f"{METRIC}.py").is_file():
        sentences.append(_sentence(folder / METRIC, f'evaluate.load("{METRIC}") reads the module in it'))
    for task in (STUBS, *tasks):
        if (folder / task).is_dir():
            sentences.append(_sentence(folder / task, f"lm_eval --tasks {task} looks for task files in it"))
    return sentences


def _sentence(folder: Path, instead: str) -> str:
    return f"In this working folder {instead}, not what is installed: rename '{folder}', or work in another folder."
