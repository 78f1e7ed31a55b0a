"""SLAKE (BoKelvin/SLAKE, CC-BY-4.0) in its own layout: JSON lists of rows, images in ``imgs/`` or ``imgs.zip``.

All splits are pooled: this benchmark makes its own, by image, because SLAKE's English and Chinese rows split the images
differently. A question asked twice of one image counts once (the lower ``qid``).
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, TypedDict, get_args

from mllmu_med_metrics.vocabulary import ANSWER_TYPES, AnswerType, QuestionType

from ..building.left_out import (
    ASKED_AGAIN,
    EMPTY_ANSWER,
    EMPTY_QUESTION,
    REPEATED,
    UNKNOWN_VALUE,
    WRONG_TYPE,
    Losses,
    UnusableRow,
)
from ..errors import UserError, unknown
from ..injection.kinds import opposite
from ..record import Record, clean_text, clean_turn
from .answers import Answers, Item
from .attribution import Attribution
from .closed_sets import fact_of
from .images import SourceFiles, pictures
from .json_rows import JsonRows, json_rows
from .source import Source
from .texts import as_text, one_of

LICENSE = "CC-BY-4.0"
Language = Literal["en", "zh", "all"]
# The original zip says validate, the Hub says validation.
SPLITS = (("train.json",), ("validation.json", "validate.json"), ("test.json",))
FILES = tuple(name for names in SPLITS for name in names)
QUESTION_TYPES: dict[str, QuestionType] = {
    "modality": "modality",
    "position": "position",
    "organ": "organ",
    "size": "size",
    "abnormality": "abnormality",
    "quantity": "quantity",
    "plane": "plane",
    "shape": "shape",
    "color": "color",
    "kg": "knowledge",
}
MODALITIES = {"mri": "MR", "ct": "CT", "x-ray": "X-ray"}
REGIONS = {
    "abdomen": "abdomen",
    "lung": "chest",
    "chest_heart": "chest",
    "chest_lung": "chest",
    "chest_mediastinal": "chest",
    "brain": "head",
    "brain_tissue": "head",
    "brain_face": "head",
    "neck": "neck",
    "pelvic cavity": "pelvis",
}
_KEYS = ("img_name", "question", "answer", "q_lang", "location", "modality", "answer_type", "content_type", "qid")
_log = logging.getLogger(__name__)


class _Asked(TypedDict):
    """What a row asks, cleaned."""

    source_id: str
    img_name: str
    question: str
    answer: str
    fact: str | None
    question_type: QuestionType
    language: str
    relation: str
    answer_type: AnswerType
    modality: str
    body_region: str


def hub_files(options: Mapping[str, str]) -> tuple[str, ...]:
    """Return which files of the Hub's repository are needed."""
    return (*FILES, "imgs.zip")


def records(
    *, path: Path | None, seed: int = 0, language: Language = "en", workers: int = 1, losses: Losses | None = None
) -> Iterator[Record]:
    """Yield the records of a SLAKE folder or zip, image by image; the seed changes nothing here.

    Rows that can't be used are counted in ``losses``. Raises :class:`UserError` without the JSON files or the images,
    and where more is lost than may be.
    """
    if language not in get_args(Language):
        raise unknown("language", str(language), get_args(Language))
    if path is None:
        raise UserError("The source slake needs its folder or zip: --source-path DIR, holding train.json and imgs/.")
    losses = Losses() if losses is None else losses
    losses.source = str(path)
    with SourceFiles(path) as files:
        rows, base = _rows(files, language, losses)
        answers = Answers()
        by_image: dict[str, list[_Asked]] = defaultdict(list)
        for row in rows:
            answers.add(_item(row))
            by_image[row["img_name"]].append(row)
        images, prefix = _images(files, base)
        with images:
            names = {f"{prefix}{name}": name for name in by_image}
            for place, made in pictures(images, names, workers=workers):
                if isinstance(made, str):
                    losses.image(names[place], made, rows=len(by_image[names[place]]))
                    continue
                for row in by_image[names[place]]:
                    yield Record(
                        source="slake",
                        source_id=row["source_id"],
                        image_bytes=made.data,
                        image_key=made.key,
                        image_path=f"imgs/{names[place]}",
                        question=row["question"],
                        answer=row["answer"],
                        **answers.fields(_item(row)),
                        modality=row["modality"],
                        body_region=row["body_region"],
                        question_type=row["question_type"],
                        answer_type=row["answer_type"],
                        license=LICENSE,
                        redistributable=True,
                    )
            losses.finish()


def _rows(files: SourceFiles, language: str, losses: Losses) -> tuple[list[_Asked], PurePosixPath]:
    """Return the cleaned rows of the language in the order of image and ``qid``, and the folder the JSON is in."""
    found = files.find(*FILES)
    if not found:
        raise UserError(
            f"'{files.path}' has none of {', '.join(FILES)}. Give the folder (or zip) that holds SLAKE's JSON files."
        )
    base = PurePosixPath(found[0]).parent
    kept: dict[tuple[str, str, str], tuple[int, _Asked]] = {}
    found = [name for name in found if PurePosixPath(name).parent == base]
    there = {PurePosixPath(name).name.casefold() for name in found}
    if lacking := [names[0] for names in SPLITS if not there & set(names)]:
        _log.warning(
            f"'{files.path}' has no {' and no '.join(lacking)}: the data set is built from {', '.join(sorted(there))} "
            "alone. Put the rest of SLAKE there if it is to be whole."
        )
    for name in found:
        rows = _in(language, json_rows(files, name, required=_KEYS, called="SLAKE"))
        for _, (qid, row) in losses.each(rows, _row):
            asked = (row["img_name"], row["question"], row["language"])
            if asked not in kept:
                kept[asked] = (qid, row)
                continue
            first, (_, later) = sorted((kept[asked], (qid, row)), key=lambda one: one[0])
            kept[asked] = first
            losses.set_aside(REPEATED if later["answer"] == first[1]["answer"] else ASKED_AGAIN, later["source_id"])
    if not losses.total:
        raise UserError(f"'{files.path}' has no rows in the language {language}. Choose language=en, zh or all.")
    losses.check()
    ordered = sorted(kept.items(), key=lambda item: (item[0][0], item[1][0], item[0][1]))
    return [row for _, (_, row) in ordered], base


def _in(language: str, rows: JsonRows) -> JsonRows:
    """Yield the rows in a language, and what is no row in any."""
    return (one for one in rows if isinstance(one[1], UnusableRow) or language in ("all", one[1]["q_lang"]))


def _item(row: _Asked) -> Item:
    return Item(
        question=row["question"],
        fact=row["fact"],
        group=(row["language"], row["question_type"]),
        question_type=row["question_type"],
        region=row["body_region"],
        modality=row["modality"],
        relation=row["relation"],
    )


def _row(place: str, raw: Mapping[str, object]) -> tuple[int, _Asked]:
    """Return the ``qid`` and the cleaned fields of a row."""
    qid = raw["qid"]
    if not isinstance(qid, int):
        raise UnusableRow(WRONG_TYPE, f" has the qid {qid!r}, not a number. Take the file as SLAKE distributes it.")
    question, answer = clean_turn(as_text(raw["question"])), clean_turn(as_text(raw["answer"]))
    for text, reason in ((question, EMPTY_QUESTION), (answer, EMPTY_ANSWER)):
        if not text:
            raise UnusableRow(reason, f" {reason.replace('have', 'has', 1)}.", name=f"{raw['q_lang']}-{qid}")
    content = clean_text(str(raw["content_type"])).casefold()
    if content not in QUESTION_TYPES:
        raise UnusableRow(UNKNOWN_VALUE, f": {unknown('content_type', content, QUESTION_TYPES)}")
    answer_type = one_of("answer_type", clean_text(str(raw["answer_type"])).upper(), ANSWER_TYPES)
    triple = raw.get("triple")
    modality, location = (clean_text(str(raw[key])) for key in ("modality", "location"))
    return qid, {
        "source_id": f"{raw['q_lang']}-{qid}",
        "img_name": str(raw["img_name"]),
        "question": question,
        "answer": answer,
        "fact": fact_of(answer, answer_type),
        "question_type": "yes_no" if opposite(answer, question) is not None else QUESTION_TYPES[content],
        "language": str(raw["q_lang"]),
        # "How is it treated?" and "What causes it?" have no answers in common.
        "relation": str(triple[1]) if isinstance(triple, list) and len(triple) == 3 else "",
        "answer_type": answer_type,
        "modality": MODALITIES.get(modality.casefold(), modality),
        "body_region": REGIONS.get(location.casefold(), location.casefold()),
    }


def _images(files: SourceFiles, base: PurePosixPath) -> tuple[SourceFiles, str]:
    """Return where the images are and what their names begin with there."""
    inside = f"{base / 'imgs'}/"
    if files.has_folder(inside):
        return SourceFiles(files.path), inside
    archive = files.path / base / "imgs.zip"
    if archive.is_file():
        return SourceFiles(archive), "imgs/"
    raise UserError(
        f"'{files.path}' has the rows of SLAKE but not its images: neither imgs/ nor imgs.zip lies beside its JSON "
        "files. Put SLAKE's imgs.zip there, packed or unpacked."
    )


ATTRIBUTION = Attribution(
    title="SLAKE: A Semantically-Labeled Knowledge-Enhanced Dataset for Medical Visual Question Answering",
    by="Bo Liu, Li-Ming Zhan, Li Xu, Lin Ma, Yan Yang, Xiao-Ming Wu",
    url="https://www.med-vqa.com/slake",
    bibtex="""\
@inproceedings{liu2021slake,
  title = {{SLAKE}: A Semantically-Labeled Knowledge-Enhanced Dataset for Medical Visual Question Answering},
  author = {Liu, Bo and Zhan, Li-Ming and Xu, Li and Ma, Lin and Yang, Yan and Wu, Xiao-Ming},
  booktitle = {IEEE 18th International Symposium on Biomedical Imaging (ISBI)},
  year = {2021}
}""",
)
SOURCE = Source(
    name="slake",
    records=records,
    needs_path=True,
    license=LICENSE,
    summary="SLAKE: 642 radiology images; a folder or archive with its JSON files and imgs/.",
    redistributable=True,
    hub="BoKelvin/SLAKE",
    download="https://www.med-vqa.com/slake",
    hub_files=hub_files,
    attribution=ATTRIBUTION,
)
