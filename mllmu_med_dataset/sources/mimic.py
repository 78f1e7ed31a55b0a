"""MIMIC-CXR-VQA and Medical-Diff-VQA, questions about the chest radiographs of MIMIC-CXR-JPG, in their own layouts.

Both are credentialed: every reader has signed PhysioNet's data use agreement, which forbids passing on images and text.
So this source is read only with ``acknowledge=true``, its pixels are never passed on, and a build of it stays where it
was made. We hold no copy: what follows is assumed from their public documentation.

- MIMIC-CXR-VQA: ``train.json``, ``valid.json``, ``test.json``, each a list of rows with ``split, idx, image_id,
  question, content_type`` (anatomy, attribute, presence, abnormality, plane, gender, size), ``semantic_type`` (verify,
  choose, query), ``answer`` (a list of texts, empty where nothing was found; a text in older versions) and
  ``image_path`` (``p10/p10000032/s50414267/IMAGE.jpg``). Rows without an answer are the part that was public before.
- Medical-Diff-VQA: ``mimic_pair_questions.csv`` with ``study_id, subject_id, ref_id, question_type, question, answer,
  split``, and ``mimic_all.csv``, whose ``study_id`` and ``dicom_id`` tell which image of a study is meant; without it,
  or for a study that is not in it, the study's only image. Questions about two images are left out.
- Images: the folder ``files/`` of MIMIC-CXR-JPG, beside the questions or named by ``images=``.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypedDict

from mllmu_med_metrics.vocabulary import AnswerType, QuestionType

from ..building.left_out import (
    EMPTY_ANSWER,
    EMPTY_QUESTION,
    LACKING,
    TWO_IMAGES,
    UNKNOWN_VALUE,
    WRONG_TYPE,
    Losses,
    UnusableRow,
)
from ..errors import UserError, nearest, unknown
from ..injection.kinds import is_yes_no
from ..record import Record, clean_text, clean_turn
from .answers import Answers, Item
from .attribution import Attribution
from .closed_sets import fact_of
from .images import Picture, SourceFiles, pictures
from .json_rows import json_rows
from .source import Source
from .table_files import rows_of
from .texts import as_text

LICENSE = "PhysioNet-Credentialed-Health-Data-License-1.5.0"
JSON_FILES = ("train.json", "valid.json", "test.json")
PAIRS, STUDIES = "mimic_pair_questions.csv", "mimic_all.csv"
PARTS = {"cxr_vqa": JSON_FILES, "diff_vqa": (PAIRS,)}
CONTENT_TYPES: dict[str, QuestionType] = {
    "anatomy": "organ",
    "attribute": "abnormality",
    "presence": "abnormality",
    "abnormality": "abnormality",
    "plane": "plane",
    "gender": "other",
    "size": "size",
}
SEMANTIC_TYPES: dict[str, AnswerType] = {"verify": "CLOSED", "choose": "CLOSED", "query": "OPEN"}
DIFF_TYPES: dict[str, QuestionType] = {
    "abnormality": "abnormality",
    "presence": "yes_no",
    "location": "position",
    "view": "plane",
    "level": "size",
    "type": "other",
}
DIFFERENCE = "difference"
# What an empty list of findings says in words.
NOTHING = "None"
_PAIR_COLUMNS = ("study_id", "subject_id", "question_type", "question", "answer")


class Asking(TypedDict):
    """What a row asks, cleaned."""

    source_id: str
    question: str
    answer: str
    fact: str | None
    question_type: QuestionType
    answer_type: AnswerType
    group: str


def records(
    *,
    path: Path | None,
    seed: int = 0,
    acknowledge: bool = False,
    part: str | None = None,
    images: str | None = None,
    workers: int = 1,
    losses: Losses | None = None,
) -> Iterator[Record]:
    """Yield the records image by image; the seed changes nothing here.

    ``acknowledge`` says that you are credentialed and keep the build to yourself. ``part`` is ``cxr_vqa`` or
    ``diff_vqa`` where a folder holds both, ``images`` the folder or archive of MIMIC-CXR-JPG (``path``, if absent). The
    questions are held in memory, as the rows of one image stand far apart and decoding a radiograph for each of them
    would take days. Rows that can't be used are counted in ``losses``. Raises :class:`UserError` naming file and row.
    """
    if acknowledge is not True:
        raise UserError(
            "MIMIC-CXR-VQA and Medical-Diff-VQA are made of patients' radiographs and reports under PhysioNet's "
            "credentialed data use agreement: only people who signed it may read them, and nobody may pass them on, "
            "texts included. If you did and will not publish the build, say so: --source-option acknowledge=true."
        )
    if path is None:
        raise UserError(
            "The source mimic needs your copy: --source-path DIR, holding train.json of MIMIC-CXR-VQA or "
            f"{PAIRS} of Medical-Diff-VQA, and the files/ of MIMIC-CXR-JPG there or at images=DIR."
        )
    with SourceFiles(path) as files, SourceFiles(images or path) as shown:
        found = _part(files, part)
        root = _image_root(shown)
        answers = Answers()
        by_image: dict[str, list[Asking]] = defaultdict(list)
        losses = Losses() if losses is None else losses
        losses.source = str(path)
        for image, asked in _cxr_vqa(files, losses) if found == "cxr_vqa" else _diff_vqa(files, shown, root, losses):
            answers.add(_item(asked))
            by_image[image].append(asked)
        if not by_image:
            losses.check()
            raise UserError(f"'{path}' holds no question about a single image. Take the files as PhysioNet has them.")
        losses.check()
        ordered = sorted(by_image)
        for image, (_, made) in zip(
            ordered, pictures(shown, (f"{root}{one}" for one in ordered), workers=workers), strict=True
        ):
            if isinstance(made, str):
                losses.image(image, made, rows=len(by_image[image]))
                continue
            for asked in by_image[image]:
                yield _record(asked, found, f"files/{image}", made, answers)
        losses.finish()


def _record(asked: Asking, part: str, image_path: str, image: Picture, answers: Answers) -> Record:
    return Record(
        source="mimic",
        source_id=f"{part}-{asked['source_id']}",
        image_bytes=image.data,
        image_key=image.key,
        image_path=image_path,
        question=asked["question"],
        answer=asked["answer"],
        **answers.fields(_item(asked)),
        modality="X-ray",
        body_region="chest",
        question_type=asked["question_type"],
        answer_type=asked["answer_type"],
        license=LICENSE,
        redistributable=False,
    )


def _item(row: Asking) -> Item:
    return Item(
        question=row["question"],
        fact=row["fact"],
        group=row["group"],
        question_type=row["question_type"],
        region="chest",
        modality="X-ray",
    )


def _part(files: SourceFiles, part: str | None) -> str:
    if part is not None and part not in PARTS:
        raise unknown("part", part, PARTS)
    there = [name for name, wanted in PARTS.items() if files.find(*wanted) and part in (None, name)]
    if not there:
        wanted = " or ".join(PARTS[part] if part else ("train.json (MIMIC-CXR-VQA)", f"{PAIRS} (Medical-Diff-VQA)"))
        raise UserError(
            f"'{files.path}' has no {wanted}. Give the folder that holds the questions as PhysioNet has it."
        )
    if len(there) > 1:
        raise UserError(
            f"'{files.path}' holds MIMIC-CXR-VQA and Medical-Diff-VQA. Say which to read: part=cxr_vqa or "
            "part=diff_vqa."
        )
    return there[0]


def _image_root(files: SourceFiles) -> str:
    """Return what the paths of images begin with: ``files/``, or nothing where that folder itself was given."""
    if files.has_folder("files"):
        return "files/"
    if any(files.has_folder(f"p{number}") for number in range(10, 20)):
        return ""
    raise UserError(
        f"'{files.path}' has no images: neither files/ nor p10/ to p19/ of MIMIC-CXR-JPG. Put them there, or name "
        "their folder: --source-option images=DIR."
    )


def _cxr_vqa(files: SourceFiles, losses: Losses) -> Iterator[tuple[str, Asking]]:
    """Yield image path and question of every row of MIMIC-CXR-VQA."""
    required = ("question", "content_type", "semantic_type", "image_path", "idx")
    for name in files.find(*JSON_FILES):
        split = Path(name).stem

        def read(place: str, row: dict[str, object], split: str = split) -> tuple[str, Asking]:
            return _cxr_row(row, split)

        rows = json_rows(files, name, required=required, called="PhysioNet")
        yield from (asked for _, asked in losses.each(rows, read))


def _cxr_row(row: dict[str, object], split: str) -> tuple[str, Asking]:
    content = clean_text(str(row["content_type"])).casefold()
    semantic = clean_text(str(row["semantic_type"])).casefold()
    if content not in CONTENT_TYPES:
        raise UnusableRow(UNKNOWN_VALUE, f": {unknown('content_type', content, CONTENT_TYPES)}")
    if semantic not in SEMANTIC_TYPES:
        raise UnusableRow(UNKNOWN_VALUE, f": {unknown('semantic_type', semantic, SEMANTIC_TYPES)}")
    said = _answers(row.get("answer"))
    question, answer = clean_turn(as_text(row["question"])), ", ".join(said) or NOTHING
    if not question:
        raise UnusableRow(EMPTY_QUESTION, " has an empty question. Take the file as it came.")
    answer_type = SEMANTIC_TYPES[semantic]
    return (
        str(row["image_path"]).removeprefix("files/"),
        {
            "source_id": f"{split}-{row['idx']}",
            "question": question,
            "answer": answer,
            # Several findings decide together: no one of them is the fact.
            "fact": fact_of(answer, answer_type) if len(said) < 2 else None,
            "question_type": "yes_no" if is_yes_no(answer) else CONTENT_TYPES[content],
            "answer_type": answer_type,
            "group": content,
        },
    )


def _answers(value: object) -> list[str]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(one, str) and clean_turn(one) for one in given):
        raise UnusableRow(
            EMPTY_ANSWER if value in (None, "") else WRONG_TYPE,
            " has no answer that is a text or a list of texts. Rows are released without answers first: take the whole "
            "data set from PhysioNet, or run its own script that fills them in.",
        )
    return [clean_turn(one) for one in given]


def _diff_vqa(files: SourceFiles, images: SourceFiles, root: str, losses: Losses) -> Iterator[tuple[str, Asking]]:
    """Yield image path and question of every row of Medical-Diff-VQA that asks about one image."""
    name = files.find(PAIRS)[0]
    chosen = _chosen_images(files)

    def read(place: str, raw: Mapping[str, object]) -> tuple[str, Asking] | None:
        for column in _PAIR_COLUMNS:
            if column not in raw:
                raise UserError(
                    f"{files.path}/{place} has no column '{column}'.{nearest(column, raw)} Its columns: "
                    f"{', '.join(raw)}. Take the file as PhysioNet has it."
                )
        row = {column: as_text(raw[column]) for column in _PAIR_COLUMNS}
        if clean_text(row["question_type"]).casefold() == DIFFERENCE:
            losses.set_aside(TWO_IMAGES, place)
            return None
        patient, study = (_number(row[column], column) for column in ("subject_id", "study_id"))
        asked = _diff_row(row, place.removeprefix(f"{name}:"))
        folder = f"p{patient[:2]}/p{patient}/s{study}"
        if study not in chosen:
            chosen[study] = _only_image(images, f"{root}{folder}")
        return f"{folder}/{chosen[study]}.jpg", asked

    yield from (asked for _, asked in losses.each(rows_of(files, name), read) if asked is not None)


def _diff_row(row: dict[str, str], source_id: str) -> Asking:
    kind = clean_text(row["question_type"]).casefold()
    if kind not in DIFF_TYPES:
        raise UnusableRow(UNKNOWN_VALUE, f": {unknown('question_type', kind, (*DIFF_TYPES, DIFFERENCE))}")
    answer, question = clean_turn(row["answer"]), clean_turn(row["question"])
    for text, reason in ((question, EMPTY_QUESTION), (answer, EMPTY_ANSWER)):
        if not text:
            raise UnusableRow(reason, f" {reason.replace('have', 'has', 1)}. Take the file as it came.")
    answer_type: AnswerType = "CLOSED" if is_yes_no(answer) else "OPEN"
    return {
        "source_id": source_id,
        "question": question,
        "answer": answer,
        # A list of findings, as they are written here, is no one fact.
        "fact": None if ", " in answer else fact_of(answer, answer_type),
        "question_type": "yes_no" if is_yes_no(answer) else DIFF_TYPES[kind],
        "answer_type": answer_type,
        "group": kind,
    }


def _chosen_images(files: SourceFiles) -> dict[str, str]:
    """Return the image of each study, as ``mimic_all.csv`` names it."""
    found = files.find(STUDIES)
    chosen: dict[str, str] = {}
    for place, row in rows_of(files, found[0]) if found else ():
        try:
            if isinstance(row, UnusableRow):
                raise row
            for column in ("study_id", "dicom_id"):
                if not row.get(column):
                    raise UnusableRow(LACKING, f" has no {column}. Take the file as PhysioNet has it.")
            chosen[_number(as_text(row["study_id"]), "study_id")] = as_text(row["dicom_id"]).strip()
        except UnusableRow as unusable:
            # It holds no questions: a line of it that is wrong may spoil any of theirs.
            raise UserError(f"{files.path}/{place}{unusable.text}") from unusable
    return chosen


def _only_image(images: SourceFiles, folder: str) -> str:
    """Return the image of a study that no list names: its only one; else a name that will be reported missing."""
    found = images.find("*.jpg", inside=folder) if images.has_folder(folder) else []
    return Path(found[0]).stem if len(found) == 1 else f"({len(found)} images, and {STUDIES} names none)"


def _number(text: str, column: str) -> str:
    value = text.strip()
    if not (value.isascii() and value.isdigit()):
        raise UnusableRow(
            WRONG_TYPE, f" has the {column} '{value[:40]}', not a number. Take the file as PhysioNet has it."
        )
    return value


_MIMIC_CXR = """\
@article{johnson2019mimic,
  title = {{MIMIC-CXR}, a de-identified publicly available database of chest radiographs with free-text reports},
  author = {Johnson, Alistair E. W. and Pollard, Tom J. and Berkowitz, Seth J. and Greenbaum, Nathaniel R. and
            Lungren, Matthew P. and Deng, Chih-ying and Mark, Roger G. and Horng, Steven},
  journal = {Scientific Data},
  volume = {6},
  pages = {317},
  year = {2019}
}
@inproceedings{bae2023ehrxqa,
  title = {{EHRXQA}: A Multi-Modal Question Answering Dataset for Electronic Health Records with Chest X-ray Images},
  author = {Bae, Seongsu and Kyung, Daeun and Ryu, Jaehee and Cho, Eunbyeol and Lee, Gyubok and Kweon, Sunjun and
            Oh, Jungwoo and Ji, Lei and Chang, Eric I-Chao and Kim, Tackeun and Choi, Edward},
  booktitle = {Advances in Neural Information Processing Systems, Datasets and Benchmarks Track},
  year = {2023}
}
@inproceedings{hu2023expert,
  title = {Expert Knowledge-Aware Image Difference Graph Representation Learning for Difference-Aware Medical Visual
           Question Answering},
  author = {Hu, Xinyue and Gu, Lin and An, Qiyuan and Zhang, Mengliang and Liu, Liangchen and Kobayashi, Kazuma and
            Harada, Tatsuya and Summers, Ronald M. and Zhu, Yingying},
  booktitle = {Proceedings of the 29th ACM SIGKDD Conference on Knowledge Discovery and Data Mining},
  year = {2023}
}"""
ATTRIBUTION = Attribution(
    title="MIMIC-CXR with MIMIC-CXR-VQA and Medical-Diff-VQA",
    by="Alistair E. W. Johnson and others; Seongsu Bae and others; Xinyue Hu and others",
    url="https://physionet.org/content/mimic-cxr",
    bibtex=_MIMIC_CXR,
)
SOURCE = Source(
    name="mimic",
    records=records,
    needs_path=True,
    license="PhysioNet Credentialed Health Data License 1.5.0",
    summary="MIMIC-CXR-VQA or Medical-Diff-VQA with MIMIC-CXR-JPG, for those who signed its agreement "
    "(acknowledge=true); nothing of it may be passed on.",
    redistributable=False,
    download="https://physionet.org",
    attribution=ATTRIBUTION,
)
