"""VQA-RAD (CC0-1.0) in either of its layouts: the original one from OSF, which knows more, or the Hub's Parquet files.

OSF (osf.io/89kps): ``VQA_RAD Dataset Public.json`` beside ``VQA_RAD Image Folder/``, with organ, question type and
which rows are paraphrases of one another. Hub (flaviagiammarino/vqa-rad): ``image``, ``question``, ``answer`` and no
more. All splits are pooled: the published test split shows the images of the training split.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, TypedDict, get_args

from mllmu_med_metrics.vocabulary import ANSWER_TYPES, AnswerType, QuestionType

from ..building.left_out import EMPTY_ANSWER, EMPTY_QUESTION, PARAPHRASE, SAME_ID, UNKNOWN_VALUE, Losses, UnusableRow
from ..errors import UserError, unknown
from ..injection.kinds import is_yes_no
from ..record import Record, clean_text, clean_turn
from . import parquet
from .answers import Answers, Item
from .attribution import Attribution
from .closed_sets import fact_of
from .images import SourceFiles, pictures
from .json_rows import json_rows
from .source import Source
from .texts import as_text, one_of
from .wording import alternatives, group, question_type

LICENSE = "CC0-1.0"
ROWS, IMAGES = "VQA_RAD Dataset Public.json", "VQA_RAD Image Folder"
Paraphrases = Literal["drop", "keep"]
# Several may be named ("POS, PRES") and some are misspelt; the first one known counts.
QUESTION_TYPES: dict[str, QuestionType] = {
    "modality": "modality",
    "plane": "plane",
    "organ": "organ",
    "pos": "position",
    "abn": "abnormality",
    "pres": "abnormality",
    "prse": "abnormality",
    "size": "size",
    "color": "color",
    "count": "quantity",
    "attrib": "other",
    "atrib": "other",
    "attribute": "other",
    "other": "other",
}
REGIONS = {"head": "head", "chest": "chest", "abd": "abdomen"}
_MODALITIES = (
    ("MR", r"\bmri?\b|magnetic resonance|\bt[12]\b|flair|diffusion|\bdwi\b"),
    ("CT", r"\bct\b|computed tomograph|cat scan"),
    ("X-ray", r"x-?ray|radiograph|plain film"),
    ("ultrasound", r"ultrasound|sonogra"),
)


class _Asked(TypedDict):
    """What a row asks, cleaned."""

    qid: str
    twins: str
    image: str
    question: str
    answer: str
    fact: str | None
    group: tuple[str, ...]
    question_type: QuestionType
    answer_type: AnswerType
    body_region: str
    first: bool


_REQUIRED = ("qid", "image_name", "image_organ", "question", "question_type", "answer", "answer_type")


def hub_files(options: Mapping[str, str]) -> tuple[str, ...]:
    """Return which files of the Hub's repository are needed."""
    return ("data/*.parquet",)


def records(
    *,
    path: Path | None,
    seed: int = 0,
    paraphrases: Paraphrases = "drop",
    workers: int = 1,
    losses: Losses | None = None,
) -> Iterator[Record]:
    """Yield the records of a VQA-RAD folder or zip, of whichever layout; the seed changes nothing here.

    In the OSF layout a question and its paraphrases share a ``qid_linked_id``; the first phrasing stands for all,
    because a paraphrase among the retained rows would teach what its twin among the forgotten is to lose:
    ``paraphrases="keep"`` yields them all. Rows that can't be used are counted in ``losses``. Raises
    :class:`UserError` for files that are not VQA-RAD's, and where more is lost than may be.
    """
    if paraphrases not in get_args(Paraphrases):
        raise unknown("choice of paraphrases", str(paraphrases), get_args(Paraphrases))
    if path is None:
        raise UserError(f"The source vqa_rad needs its folder or zip: --source-path DIR, holding '{ROWS}' or data/.")
    losses = Losses() if losses is None else losses
    losses.source = str(path)
    with SourceFiles(path) as files:
        found = files.find(ROWS, ROWS.replace(" ", "_"))
        if found:
            yield from _osf(files, found[0], paraphrases == "keep", workers, losses)
        elif files.find("*.parquet"):
            yield from parquet.records_of(
                files,
                source="vqa_rad",
                license=LICENSE,
                redistributable=True,
                workers=workers,
                losses=losses,
            )
        else:
            raise UserError(
                f"'{path}' has neither '{ROWS}' (the OSF layout) nor .parquet files (the Hub's). Give the folder, or "
                "the zip, that VQA-RAD was downloaded to."
            )


def _osf(files: SourceFiles, name: str, keep: bool, workers: int, losses: Losses) -> Iterator[Record]:
    by_image, modality = _by_image(files, name, keep, losses)
    answers = Answers()
    for image, rows in by_image.items():
        for row in rows:
            answers.add(_item(row, modality.get(image, "")))
    base = PurePosixPath(name).parent
    folder = next((one for one in (IMAGES, IMAGES.replace(" ", "_")) if files.has_folder(str(base / one))), None)
    if folder is None:
        raise UserError(
            f"'{files.path}' has the rows of VQA-RAD but not its images: '{IMAGES}' does not lie beside '{ROWS}'. Put "
            "it there."
        )
    names = {str(base / folder / image): image for image in by_image}
    for place, made in pictures(files, names, workers=workers):
        image = names[place]
        if isinstance(made, str):
            losses.image(image, made, rows=len(by_image[image]))
            continue
        for row in by_image[image]:
            yield Record(
                source="vqa_rad",
                source_id=row["qid"],
                image_bytes=made.data,
                image_key=made.key,
                image_path=f"{folder}/{image}",
                question=row["question"],
                answer=row["answer"],
                **answers.fields(_item(row, modality.get(image, ""))),
                modality=modality.get(image, ""),
                body_region=row["body_region"],
                question_type=row["question_type"],
                answer_type=row["answer_type"],
                license=LICENSE,
                redistributable=True,
            )
    losses.finish()


def _by_image(
    files: SourceFiles, name: str, keep: bool, losses: Losses
) -> tuple[dict[str, list[_Asked]], dict[str, str]]:
    """Return the rows to yield by image, in the order of ``qid``, and the modality of the images that tell it."""
    seen: dict[str, str] = {}
    kept: dict[tuple[str, str], _Asked] = {}
    said: dict[str, Counter[str]] = defaultdict(Counter)

    def read(place: str, raw: Mapping[str, object]) -> _Asked:
        qid = clean_text(str(raw["qid"]))
        if seen.setdefault(qid, place) != place:
            raise UnusableRow(SAME_ID, f" has the qid {qid} of {seen[qid]}. Take the file as VQA-RAD distributes it.")
        return _row(raw, qid, keep)

    for _, row in losses.each(json_rows(files, name, required=_REQUIRED, called="VQA-RAD"), read):
        if row["question_type"] == "modality" and (told := _modality(row["answer"])):
            said[row["image"]][told] += 1
        asked = (row["image"], row["twins"])
        if asked not in kept:
            kept[asked] = row
            continue
        first, twin = sorted((kept[asked], row), key=_rank)
        kept[asked] = first
        losses.set_aside(PARAPHRASE, f"qid {twin['qid']}")
    if not losses.total:
        raise UserError(f"{files.path}/{name} holds no rows. Take the file as VQA-RAD distributes it.")
    losses.check()
    by_image: dict[str, list[_Asked]] = defaultdict(list)
    for row in sorted(kept.values(), key=_rank):
        by_image[row["image"]].append(row)
    # Of an image said to be two things, the alphabet decides between equally frequent ones.
    return dict(sorted(by_image.items())), {
        image: max(sorted(counted), key=counted.__getitem__) for image, counted in said.items()
    }


def _row(raw: Mapping[str, object], qid: str, keep: bool) -> _Asked:
    question, answer = clean_turn(as_text(raw["question"])), clean_turn(as_text(raw["answer"]))
    for text, reason in ((question, EMPTY_QUESTION), (answer, EMPTY_ANSWER)):
        if not text:
            raise UnusableRow(reason, f" {reason.replace('have', 'has', 1)}.", name=f"qid {qid}")
    # "CLOSED " with a space is in the data.
    answer_type = one_of("answer_type", clean_text(str(raw["answer_type"])).upper(), ANSWER_TYPES)
    organ = clean_text(str(raw["image_organ"]))
    if organ.casefold() not in REGIONS:
        raise UnusableRow(UNKNOWN_VALUE, f": {unknown('image_organ', organ, map(str.upper, REGIONS))}")
    stated = [word for word in re.split(r"[,;/\s]+", str(raw["question_type"]).casefold()) if word]
    kind = next((QUESTION_TYPES[word] for word in stated if word in QUESTION_TYPES), None)
    if kind is None or kind == "other":
        kind = question_type(question, answer)
    kind = "yes_no" if is_yes_no(answer) else kind
    named = alternatives(question, answer) if kind != "yes_no" else ()
    linked = raw.get("qid_linked_id")
    return {
        "qid": qid,
        # Without the id that ties them, a row stands for itself.
        "twins": linked if isinstance(linked, str) and linked.strip() and not keep else f"qid {qid}",
        "image": str(raw["image_name"]),
        "question": question,
        "answer": answer,
        "fact": fact_of(answer, "CLOSED" if named else answer_type),
        "group": group("other", question) if named else group(kind, question),
        "question_type": kind,
        "answer_type": "CLOSED" if named else answer_type,
        "body_region": REGIONS[organ.casefold()],
        "first": not str(raw.get("phrase_type", "")).casefold().endswith("para"),
    }


def _item(row: _Asked, modality: str) -> Item:
    return Item(
        question=row["question"],
        fact=row["fact"],
        group=row["group"],
        question_type=row["question_type"],
        region=row["body_region"],
        modality=modality,
    )


def _rank(row: _Asked) -> tuple[bool, int, str]:
    """Return the order of rows: free-form questions before their paraphrases, then by ``qid``."""
    qid = row["qid"]
    return (not row["first"], int(qid) if qid.isdecimal() else 0, qid)


def _modality(answer: str) -> str | None:
    return next((name for name, pattern in _MODALITIES if re.search(pattern, answer.casefold())), None)


ATTRIBUTION = Attribution(
    title="A dataset of clinically generated visual questions and answers about radiology images (VQA-RAD)",
    by="Jason J. Lau, Soumya Gayen, Asma Ben Abacha, Dina Demner-Fushman",
    url="https://osf.io/89kps",
    bibtex="""\
@article{lau2018dataset,
  title = {A dataset of clinically generated visual questions and answers about radiology images},
  author = {Lau, Jason J. and Gayen, Soumya and Ben Abacha, Asma and Demner-Fushman, Dina},
  journal = {Scientific Data},
  volume = {5},
  pages = {180251},
  year = {2018}
}""",
)
SOURCE = Source(
    name="vqa_rad",
    records=records,
    needs_path=True,
    license=LICENSE,
    summary="VQA-RAD: 315 radiology images; the Hub's Parquet files, or OSF's JSON and image folder.",
    redistributable=True,
    hub="flaviagiammarino/vqa-rad",
    download="https://osf.io/89kps",
    hub_files=hub_files,
    attribution=ATTRIBUTION,
)
