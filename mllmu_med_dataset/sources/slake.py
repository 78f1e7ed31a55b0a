"""SLAKE (BoKelvin/SLAKE, CC-BY-4.0) in its own layout: JSON lists of rows, images in ``imgs/`` or ``imgs.zip``.

All splits are pooled: this benchmark makes its own, by image, because SLAKE's English and Chinese rows split the images
differently. A question asked twice of one image counts once (the lower ``qid``).
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from ..errors import UserError, unknown
from ..kinds import opposite
from ..record import Record, clean_text
from .answers import Answers, Item
from .closed_sets import fact_of
from .images import BadImages, SourceFiles, pictures
from .json_rows import json_rows

LICENSE = "CC-BY-4.0"
Language = Literal["en", "zh", "all"]
# The original zip says validate, the Hub says validation.
SPLITS = (("train.json",), ("validation.json", "validate.json"), ("test.json",))
FILES = tuple(name for names in SPLITS for name in names)
QUESTION_TYPES = {
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


def hub_files(options: Mapping[str, str]) -> tuple[str, ...]:
    """Return which files of the Hub's repository are needed."""
    return (*FILES, "imgs.zip")


def records(
    *, path: Path | None, seed: int = 0, language: Language = "en", workers: int = 1, skip_bad_images: bool = False
) -> Iterator[Record]:
    """Yield the records of a SLAKE folder or zip, image by image; the seed changes nothing here.

    Raises :class:`UserError` without the JSON files or the images, for a row that lacks a key (file and place named),
    and for images that can't be decoded (named and counted), unless they are to be skipped.
    """
    if language not in get_args(Language):
        raise unknown("language", str(language), get_args(Language))
    if path is None:
        raise UserError("The source slake needs its folder or zip: --source-path DIR, holding train.json and imgs/.")
    with SourceFiles(path) as files:
        rows, base = _rows(files, language)
        answers = Answers()
        by_image: dict[str, list[dict[str, str]]] = defaultdict(list)
        for row in rows:
            answers.add(_item(row))
            by_image[row["img_name"]].append(row)
        images, prefix = _images(files, base)
        with images:
            bad = BadImages(path, skip=skip_bad_images)
            names = {f"{prefix}{name}": name for name in by_image}
            for place, made in pictures(images, names, workers=workers):
                if isinstance(made, str):
                    bad.add(names[place], made)
                    continue
                if bad.stopped:
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
            if note := bad.finish(len(names)):
                _log.warning(note)


def _rows(files: SourceFiles, language: str) -> tuple[list[dict[str, str]], PurePosixPath]:
    """Return the cleaned rows of the language in the order of image and ``qid``, and the folder the JSON is in."""
    found = files.find(*FILES)
    if not found:
        raise UserError(
            f"'{files.path}' has none of {', '.join(FILES)}. Give the folder (or zip) that holds SLAKE's JSON files."
        )
    base = PurePosixPath(found[0]).parent
    kept: dict[tuple[str, str, str], tuple[int, dict[str, str]]] = {}
    found = [name for name in found if PurePosixPath(name).parent == base]
    there = {PurePosixPath(name).name for name in found}
    if lacking := [names[0] for names in SPLITS if not there & set(names)]:
        _log.warning(
            f"'{files.path}' has no {' and no '.join(lacking)}: the data set is built from {', '.join(sorted(there))} "
            "alone. Put the rest of SLAKE there if it is to be whole."
        )
    for name in found:
        for where, raw in json_rows(files, name, required=_KEYS, called="SLAKE"):
            if language not in ("all", raw["q_lang"]):
                continue
            row = _row(raw, where)
            asked = (row["img_name"], row["question"], str(raw["q_lang"]))
            qid = raw["qid"]
            if not isinstance(qid, int) or isinstance(qid, bool):
                raise UserError(f"{where} has the qid {qid!r}, not a number. Take the file as SLAKE distributes it.")
            if asked not in kept or qid < kept[asked][0]:
                kept[asked] = (qid, row)
    if not kept:
        raise UserError(f"'{files.path}' has no rows in the language {language}. Choose language=en, zh or all.")
    ordered = sorted(kept.items(), key=lambda item: (item[0][0], item[1][0], item[0][1]))
    return [row for _, (_, row) in ordered], base


def _item(row: dict[str, str]) -> Item:
    return Item(
        question=row["question"],
        fact=row["fact"],
        group=(row["language"], row["question_type"]),
        question_type=row["question_type"],
        region=row["body_region"],
        modality=row["modality"],
        relation=row["relation"],
    )


def _row(raw: dict[str, object], where: str) -> dict[str, str]:
    content = clean_text(str(raw["content_type"])).casefold()
    if content not in QUESTION_TYPES:
        raise UserError(f"{where}: {unknown('content_type', content, QUESTION_TYPES)}")
    answer_type = clean_text(str(raw["answer_type"])).upper()
    if answer_type not in ("OPEN", "CLOSED"):
        raise UserError(f"{where}: {unknown('answer_type', answer_type, ('OPEN', 'CLOSED'))}")
    question, answer = clean_text(str(raw["question"])), clean_text(str(raw["answer"]))
    triple = raw.get("triple")
    modality, location = (clean_text(str(raw[key])) for key in ("modality", "location"))
    return {
        "source_id": f"{raw['q_lang']}-{raw['qid']}",
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
