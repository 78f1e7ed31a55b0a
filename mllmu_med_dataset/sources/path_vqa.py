"""PathVQA (flaviagiammarino/path-vqa) in the Hub's layout: Parquet files with ``image``, ``question``, ``answer``.

Its images come from textbooks and a digital library under copyright: they may not be passed on, whatever the tag of the
repository says. A build withholds their pixels unless it is local.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ..building.left_out import Losses
from ..errors import UserError
from ..record import Record
from . import parquet
from .images import SourceFiles

LICENSE = "questions MIT, images under copyright"


def hub_files(options: Mapping[str, str]) -> tuple[str, ...]:
    """Return which files of the Hub's repository are needed."""
    return ("data/*.parquet",)


def records(*, path: Path | None, seed: int = 0, workers: int = 1, losses: Losses | None = None) -> Iterator[Record]:
    """Yield the records of a PathVQA folder or zip; the seed changes nothing here.

    Raises :class:`UserError` as :func:`parquet.records_of` does.
    """
    if path is None:
        raise UserError("The source path_vqa needs its folder: --source-path DIR, holding data/*.parquet.")
    with SourceFiles(path) as files:
        yield from parquet.records_of(
            files,
            source="path_vqa",
            license=LICENSE,
            redistributable=False,
            workers=workers,
            losses=losses,
        )
