"""PMC-VQA (RadGenome/PMC-VQA), multiple choice on figures of PubMed Central, in either of its versions.

Version 1: ``train.csv``, ``test.csv`` and ``images.zip`` (``images/``); version 2, cut to single figures:
``train_2.csv``, ``test_2.csv`` and ``images_2.zip`` (``figures/``). Their columns differ: the answer is a label or a
text, and one header says ``Anwser``. Each figure has the licence of its article, so pixels may not be passed on.
"""

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Literal

from mllmu_med_metrics.vocabulary import AnswerType, QuestionType

from ..building.left_out import EMPTY_ANSWER, EMPTY_QUESTION, MISSING_IMAGE, NO_CHOICE, Losses, UnusableRow
from ..errors import UserError, nearest, unknown
from ..injection.kinds import is_yes_no
from ..record import Record, clean_text, clean_turn
from .answers import FactFields, offered
from .attribution import Attribution
from .images import Picture, SourceFiles, pictures
from .source import Source
from .table_files import rows_of
from .texts import as_text
from .wording import choice_text, question_type

LICENSE = "questions CC-BY-SA-4.0, images under the licence of their articles"
Version = Literal["1", "2"]
FILES: dict[Version, tuple[str, ...]] = {"1": ("train.csv", "test.csv"), "2": ("train_2.csv", "test_2.csv")}
ARCHIVES: dict[Version, str] = {"1": "images.zip", "2": "images_2.zip"}
FOLDERS = ("images", "figures")
LABELS = ("A", "B", "C", "D")
_log = logging.getLogger(__name__)


class Row(FactFields):
    """What a row asks, cleaned."""

    source_id: str
    question: str
    answer: str
    question_type: QuestionType
    answer_type: AnswerType


def hub_files(options: Mapping[str, str]) -> tuple[str, ...]:
    """Return which files of the Hub's repository are needed: those of the version asked for."""
    version = _version(options.get("version", "2"))
    return (*FILES[version], ARCHIVES[version])


def records(
    *, path: Path | None, seed: int = 0, version: Version = "2", workers: int = 1, losses: Losses | None = None
) -> Iterator[Record]:
    """Yield the records of one version of PMC-VQA in the order of its files; the seed changes nothing here.

    The answer is the text of the right choice, and the choices of a row are the closed set of its fact. Rows that
    can't be used, such as those whose answer is none of their choices, are counted in ``losses``. Raises
    :class:`UserError` for CSV files that are not PMC-VQA's, and where more is lost than may be.
    """
    version = _version(version)
    if path is None:
        raise UserError(f"The source pmc_vqa needs its folder: --source-path DIR, with {', '.join(FILES[version])}.")
    losses = Losses() if losses is None else losses
    losses.source = str(path)
    with SourceFiles(path) as files:
        found = _files(files, version)
        images, prefix = _images(files, PurePosixPath(found[0]).parent, version)
        with images:
            rows = (row for name in found for row in _rows(files, name, losses))
            for image, asked, made in _illustrated(images, prefix, rows, workers):
                if isinstance(made, str):
                    losses.image(image, made, rows=len(asked))
                    continue
                for _, row in asked:
                    yield Record(
                        source="pmc_vqa",
                        image_bytes=made.data,
                        image_key=made.key,
                        image_path=f"{PurePosixPath(prefix).name}/{image}",
                        license=LICENSE,
                        redistributable=False,
                        **row,
                    )
            if not losses.total:
                raise UserError(f"{files.path}: {', '.join(found)} hold no rows. Download them again.")
            losses.finish()


def _illustrated(
    images: SourceFiles, prefix: str, rows: Iterable[tuple[str, Row]], workers: int
) -> Iterator[tuple[str, list[tuple[str, Row]], Picture | str]]:
    """Yield each run of rows on one image with its picture; questions on one figure mostly follow one another."""
    waiting: deque[tuple[str, list[tuple[str, Row]]]] = deque()

    def places() -> Iterator[str]:
        for image, run in groupby(rows, key=lambda row: row[0]):
            waiting.append((image, list(run)))
            yield f"{prefix}/{image}" if prefix else image

    for _, made in pictures(images, places(), workers=workers):
        yield *waiting.popleft(), made


def _rows(files: SourceFiles, name: str, losses: Losses) -> Iterator[tuple[str, Row]]:
    """Yield image and row of one CSV, of those that can be asked."""
    columns: dict[str, str] = {}

    def read(place: str, raw: Mapping[str, object]) -> tuple[str, Row]:
        columns.update({} if columns else _columns(raw, f"{files.path}/{name}"))
        return _row(raw, columns, PurePosixPath(place).name)

    return (row for _, row in losses.each(rows_of(files, name), read))


def _columns(header: Iterable[str], where: str) -> dict[str, str]:
    """Return which column of this file holds what."""
    known = {clean_text(name).casefold(): name for name in header}
    # One of the files says Anwser.
    wanted = {"image": ("figure_path",), "question": ("question",), "answer": ("answer", "anwser"),
              **{label: (f"choice {label.casefold()}",) for label in LABELS}}  # fmt: skip
    columns = {what: known[name] for what, names in wanted.items() for name in names if name in known}
    for what, names in wanted.items():
        if what not in columns:
            raise UserError(
                f"{where} has no column '{names[0]}'.{nearest(names[0], known)} Its columns: "
                f"{', '.join(known) or 'none'}. Take the file as PMC-VQA distributes it."
            )
    if "answer_label" in known:
        columns["label"] = known["answer_label"]
    return columns


def _row(raw: Mapping[str, object], columns: Mapping[str, str], source_id: str) -> tuple[str, Row]:
    """Return the row's image and fields; raises ``UnusableRow``."""
    cells = {what: as_text(raw[column]) for what, column in columns.items()}
    image, question = cells["image"].strip(), clean_turn(cells["question"])
    if not image:
        raise UnusableRow(MISSING_IMAGE, " has an empty Figure_path.")
    if not question:
        raise UnusableRow(EMPTY_QUESTION, " has an empty question.")
    choices = {label: choice_text(cells[label], label) for label in LABELS}
    stated = clean_text(cells["answer"])
    label = clean_text(cells.get("label", stated)).rstrip(".:)").upper()
    if label not in choices:
        # The answer as text: the choice that says the same.
        texts = {text.casefold(): one for one, text in choices.items()}
        label = next((texts[text] for one in LABELS if (text := choice_text(stated, one).casefold()) in texts), "")
    answer = choices.get(label, "")
    if not stated:
        raise UnusableRow(EMPTY_ANSWER, " has an empty answer.")
    if not answer:
        raise UnusableRow(NO_CHOICE, f" answers {stated!r}, which is none of its choices.")
    return image, {
        "source_id": source_id,
        "question": question,
        "answer": answer,
        **offered(question, answer, tuple(text for text in choices.values() if text)),
        "question_type": "yes_no" if is_yes_no(answer) else question_type(question, answer),
        "answer_type": "CLOSED",
    }


def _version(version: str) -> Version:
    for known in FILES:
        if version == known:
            return known
    raise unknown("version of PMC-VQA", str(version), FILES)


def _files(files: SourceFiles, version: Version) -> list[str]:
    found = files.find(*FILES[version])
    if not found:
        other = next(one for one in FILES if one != version)
        there = files.find(*FILES[other])
        fix = f"It has those of version {other}: version={other}." if there else "Give the folder that has them."
        raise UserError(f"'{files.path}' has none of {', '.join(FILES[version])} (version {version}). {fix}")
    base = PurePosixPath(found[0]).parent
    found = [one for one in found if PurePosixPath(one).parent == base]
    if lacking := sorted(set(FILES[version]) - {PurePosixPath(one).name for one in found}):
        _log.warning(f"'{files.path}' has no {' and no '.join(lacking)}: the data set is built from the rest alone.")
    return sorted(found, reverse=True)


def _images(files: SourceFiles, base: PurePosixPath, version: Version) -> tuple[SourceFiles, str]:
    """Return where the images are and the folder they lie in there."""
    for folder in FOLDERS:
        if files.has_folder(str(base / folder)):
            return SourceFiles(files.path), str(base / folder)
    archive = files.path / base / ARCHIVES[version]
    if not archive.is_file():
        raise UserError(
            f"'{files.path}' has the rows of PMC-VQA but not its images: neither {' nor '.join(FOLDERS)} nor "
            f"{ARCHIVES[version]} lies beside its CSV files. Put {ARCHIVES[version]} there, packed or unpacked."
        )
    images = SourceFiles(archive)
    return images, next((folder for folder in FOLDERS if images.has_folder(folder)), "")


ATTRIBUTION = Attribution(
    title="PMC-VQA: Visual Instruction Tuning for Medical Visual Question Answering",
    by="Xiaoman Zhang, Chaoyi Wu, Ziheng Zhao, Weixiong Lin, Ya Zhang, Yanfeng Wang, Weidi Xie",
    url="https://huggingface.co/datasets/RadGenome/PMC-VQA",
    bibtex="""\
@article{zhang2023pmcvqa,
  title = {{PMC-VQA}: Visual Instruction Tuning for Medical Visual Question Answering},
  author = {Zhang, Xiaoman and Wu, Chaoyi and Zhao, Ziheng and Lin, Weixiong and Zhang, Ya and Wang, Yanfeng and
            Xie, Weidi},
  journal = {arXiv preprint arXiv:2305.10415},
  year = {2023}
}""",
)
SOURCE = Source(
    name="pmc_vqa",
    records=records,
    needs_path=True,
    license=LICENSE,
    summary="PMC-VQA: multiple choice on figures of PubMed Central, version 1 or 2; pixels stay with you.",
    redistributable=False,
    hub="RadGenome/PMC-VQA",
    hub_files=hub_files,
    attribution=ATTRIBUTION,
)
