"""OmniMedVQA (foreverbeliever/OmniMedVQA), the open-access part: a JSON file for each of 42 data sets, and ``Images/``.

Every row is multiple choice and tells its modality and what it asks for. The images stand under the licences of the
data sets they were taken from, so pixels may not be passed on.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from mllmu_med_metrics.vocabulary import QuestionType

from ..building.left_out import EMPTY_ANSWER, EMPTY_QUESTION, LACKING, NO_CHOICE, SAME_ID, Losses, UnusableRow
from ..errors import UserError
from ..injection.kinds import is_yes_no
from ..record import Record, clean_text, clean_turn
from .answers import FactFields, offered
from .attribution import Attribution
from .images import SourceFiles, pictures
from .json_rows import json_rows
from .source import Source
from .texts import as_text
from .wording import question_type

LICENSE = "questions under the terms of OmniMedVQA, images under the licences of their data sets"
ARCHIVE, TOP, ROWS = "OmniMedVQA.zip", "OmniMedVQA", "QA_information/Open-access"
OPTIONS = ("option_A", "option_B", "option_C", "option_D")
# What "Other Biological Attributes" asks for, its question says.
QUESTION_TYPES: dict[str, QuestionType] = {
    "modality recognition": "modality",
    "anatomy identification": "organ",
    "disease diagnosis": "abnormality",
    "lesion grading": "abnormality",
}
# As the data spell them: "MR (Mag-netic Resonance Imaging)", "OCT (Optical Coherence Tomography".
_MODALITIES = (
    ("MR", r"^mr\b|magnetic"),
    ("OCT", r"^oct\b|coherence"),
    ("CT", r"^ct\b|computed"),
    ("X-ray", r"x-? ?ray|radiograph"),
    ("ultrasound", r"ultrasound"),
    ("microscopy", r"microscop"),
)
_REQUIRED = ("question", "gt_answer", "image_path", "question_type", "option_A")


class Row(FactFields):
    """What a row asks, cleaned."""

    source_id: str
    question: str
    answer: str
    modality: str
    question_type: QuestionType


def hub_files(options: Mapping[str, str]) -> tuple[str, ...]:
    """Return which files of the Hub's repository are needed."""
    return (ARCHIVE,)


def records(*, path: Path | None, seed: int = 0, workers: int = 1, losses: Losses | None = None) -> Iterator[Record]:
    """Yield the records of an OmniMedVQA folder or zip, file by file and image by image; the seed changes nothing here.

    The options of a row are the closed set of its fact. Rows that can't be used, such as those whose answer is none of
    their options, are counted in ``losses``. Raises :class:`UserError` for files that are not OmniMedVQA's, and where
    more is lost than may be.
    """
    if path is None:
        raise UserError(f"The source omnimedvqa needs its folder or zip: --source-path DIR, holding {ROWS}/*.json.")
    losses = Losses() if losses is None else losses
    losses.source = str(path)
    # The Hub has one zip of everything.
    inner = path / ARCHIVE
    with SourceFiles(inner if inner.is_file() else path) as files:
        top = next((one for one in ("", f"{TOP}/") if files.has_folder(one + ROWS)), None)
        names = [] if top is None else files.find("*.json", inside=top + ROWS)
        if not names:
            raise UserError(
                f"'{files.path}' has no {ROWS}/*.json. Give OmniMedVQA's folder, the one that holds QA_information/ "
                "and Images/, or its zip."
            )
        for name in names:
            by_image: dict[str, list[Row]] = defaultdict(list)
            for image, row in _rows(files, name, losses):
                by_image[f"{top}{image}"].append(row)
            for place, made in pictures(files, by_image, workers=workers):
                if isinstance(made, str):
                    losses.image(place, made, rows=len(by_image[place]))
                    continue
                for row in by_image[place]:
                    yield Record(
                        source="omnimedvqa",
                        image_bytes=made.data,
                        image_key=made.key,
                        image_path=place.removeprefix(top or ""),
                        answer_type="CLOSED",
                        license=LICENSE,
                        redistributable=False,
                        **row,
                    )
        if not losses.total:
            raise UserError(f"The files of '{files.path}/{top}{ROWS}' hold no rows. Download them again.")
        losses.finish()


def _rows(files: SourceFiles, name: str, losses: Losses) -> Iterator[tuple[str, Row]]:
    """Yield image and fields of every row of one file that can be asked."""
    seen: dict[str, str] = {}

    def read(place: str, raw: Mapping[str, object]) -> tuple[str, Row]:
        named = clean_text(str(raw.get("question_id") or place.rpartition(" ")[2]))
        if seen.setdefault(named, place) != place:
            raise UnusableRow(
                SAME_ID, f" has the question_id {named} of {seen[named]}. Take the file as OmniMedVQA distributes it."
            )
        return str(raw["image_path"]), _row(raw, named if raw.get("question_id") else f"{name}:{named}")

    rows = json_rows(files, name, required=_REQUIRED, called="OmniMedVQA")
    return (row for _, row in losses.each(rows, read))


def _row(raw: Mapping[str, object], source_id: str) -> Row:
    """Return the fields of a row; raises ``UnusableRow``."""
    # One file says modality in one of its rows.
    modality = raw.get("modality_type") or raw.get("modality")
    if not isinstance(modality, str):
        raise UnusableRow(LACKING, " lacks modality_type. Take the file as OmniMedVQA distributes it.")
    question = clean_turn(as_text(raw["question"]))
    values = [_value(as_text(raw[key])) for key in OPTIONS if raw.get(key) is not None]
    options = {_compared(value): value for value in values if value}
    said = clean_text(as_text(raw["gt_answer"]))
    answer = options.get(_compared(said))
    if not question:
        raise UnusableRow(EMPTY_QUESTION, " has an empty question.")
    if not said:
        raise UnusableRow(EMPTY_ANSWER, " has an empty answer.")
    if answer is None:
        raise UnusableRow(NO_CHOICE, f" answers {said!r}, which is none of its options.")
    kind = QUESTION_TYPES.get(clean_text(str(raw["question_type"])).casefold()) or question_type(question, answer)
    return {
        "source_id": source_id,
        "question": question,
        "answer": answer,
        **offered(question, answer, tuple(options.values())),
        "modality": _modality(modality),
        "question_type": "yes_no" if is_yes_no(answer) else kind,
    }


def _value(text: str) -> str:
    return clean_text(text).rstrip(".").strip()


def _compared(text: str) -> str:
    """Return an answer as it is compared: ``x_ray.`` is ``X-ray``."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def _modality(text: str) -> str:
    """Return the modality in this project's words, where it has one, else the first words of the data's own."""
    told = clean_text(text)
    known = next((name for name, pattern in _MODALITIES if re.search(pattern, told.casefold())), None)
    return known or re.split(r"\s*\(", told)[0].casefold()


ATTRIBUTION = Attribution(
    title="OmniMedVQA: A New Large-Scale Comprehensive Evaluation Benchmark for Medical LVLM",
    by="Yutao Hu, Tianbin Li, Quanfeng Lu, Wenqi Shao, Junjun He, Yu Qiao, Ping Luo",
    url="https://huggingface.co/datasets/foreverbeliever/OmniMedVQA",
    bibtex="""\
@inproceedings{hu2024omnimedvqa,
  title = {{OmniMedVQA}: A New Large-Scale Comprehensive Evaluation Benchmark for Medical {LVLM}},
  author = {Hu, Yutao and Li, Tianbin and Lu, Quanfeng and Shao, Wenqi and He, Junjun and Qiao, Yu and Luo, Ping},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2024}
}""",
)
SOURCE = Source(
    name="omnimedvqa",
    records=records,
    needs_path=True,
    license=LICENSE,
    summary="OmniMedVQA, open access: multiple choice on 82,000 images of 42 data sets; pixels stay with you.",
    redistributable=False,
    hub="foreverbeliever/OmniMedVQA",
    hub_files=hub_files,
    attribution=ATTRIBUTION,
)
