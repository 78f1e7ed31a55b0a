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
from .attribution import Attribution
from .images import SourceFiles
from .source import Source

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


ATTRIBUTION = Attribution(
    title="PathVQA: 30000+ Questions for Medical Visual Question Answering",
    by="Xuehai He, Yichen Zhang, Luntian Mou, Eric Xing, Pengtao Xie",
    url="https://huggingface.co/datasets/flaviagiammarino/path-vqa",
    bibtex="""\
@article{he2020pathvqa,
  title = {{PathVQA}: 30000+ Questions for Medical Visual Question Answering},
  author = {He, Xuehai and Zhang, Yichen and Mou, Luntian and Xing, Eric and Xie, Pengtao},
  journal = {arXiv preprint arXiv:2003.10286},
  year = {2020}
}""",
)
SOURCE = Source(
    name="path_vqa",
    records=records,
    needs_path=True,
    license=LICENSE,
    summary="PathVQA: 32,632 questions on pathology images, in the Hub's Parquet files; pixels stay with you.",
    redistributable=False,
    hub="flaviagiammarino/path-vqa",
    hub_files=hub_files,
    attribution=ATTRIBUTION,
)
