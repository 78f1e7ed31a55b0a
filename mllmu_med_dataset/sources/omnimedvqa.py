"""OmniMedVQA (foreverbeliever/OmniMedVQA), the open-access part: a JSON file for each of 42 data sets, and ``Images/``.

Every row is multiple choice and tells its modality and what it asks for. The images stand under the licences of the
data sets they were taken from, so pixels may not be passed on.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import UserError
from ..record import Record, clean_text
from .answers import offered
from .closed_sets import is_yes_no
from .images import BadImages, SourceFiles, pictures
from .json_rows import json_rows
from .unusable_rows import UnusableRows
from .wording import question_type

LICENSE = "questions under the terms of OmniMedVQA, images under the licences of their data sets"
ARCHIVE, TOP, ROWS = "OmniMedVQA.zip", "OmniMedVQA", "QA_information/Open-access"
OPTIONS = ("option_A", "option_B", "option_C", "option_D")
# What "Other Biological Attributes" asks for, its question says.
QUESTION_TYPES = {
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
_log = logging.getLogger(__name__)

Row = dict[str, object]


def hub_files(options: Mapping[str, str]) -> tuple[str, ...]:
    """Return which files of the Hub's repository are needed."""
    return (ARCHIVE,)


def records(*, path: Path | None, seed: int = 0, workers: int = 1, skip_bad_images: bool = False) -> Iterator[Record]:
    """Yield the records of an OmniMedVQA folder or zip, file by file and image by image; the seed changes nothing here.

    The options of a row are the closed set of its fact. Raises :class:`UserError` for files and rows that are not
    OmniMedVQA's (file and row named), for rows whose answer is none of their options if they are more than a few, and
    for images that can't be used unless they are skipped.
    """
    if path is None:
        raise UserError(f"The source omnimedvqa needs its folder or zip: --source-path DIR, holding {ROWS}/*.json.")
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
        bad, unusable, total, shown = BadImages(path, skip=skip_bad_images), UnusableRows(), 0, 0
        for name in names:
            by_image: dict[str, list[Row]] = defaultdict(list)
            for row in _rows(files, name, unusable):
                total += 1
                if row is not None:
                    by_image[f"{top}{row.pop('image')}"].append(row)
            shown += len(by_image)
            for place, made in pictures(files, by_image, workers=workers):
                if isinstance(made, str):
                    bad.add(place, made)
                    continue
                if bad.stopped:
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
        if not total:
            raise UserError(f"The files of '{files.path}/{top}{ROWS}' hold no rows. Download them again.")
        for note in (unusable.finish(total), bad.finish(shown) if shown else None):
            if note:
                _log.warning(note)


def _rows(files: SourceFiles, name: str, unusable: UnusableRows) -> Iterator[Row | None]:
    """Yield the fields of every row of one file, ``None`` for one that can't be asked."""
    seen: dict[str, str] = {}
    for where, raw in json_rows(files, name, required=_REQUIRED, called="OmniMedVQA"):
        # One file says modality in one of its rows.
        modality = raw.get("modality_type") or raw.get("modality")
        if not isinstance(modality, str):
            raise UserError(f"{where} lacks modality_type. Take the file as OmniMedVQA distributes it.")
        named = clean_text(str(raw.get("question_id") or where.rpartition(" ")[2]))
        if seen.setdefault(named, where) != where:
            raise UserError(
                f"{where} has the question_id {named} of {seen[named]}. Take the file as OmniMedVQA distributes it."
            )
        question = clean_text(str(raw["question"]))
        values = [_value(str(raw[key])) for key in OPTIONS if raw.get(key) is not None]
        options = {_compared(value): value for value in values if value}
        answer = options.get(_compared(str(raw["gt_answer"])))
        if not question or answer is None:
            said = clean_text(str(raw["gt_answer"]))
            unusable.add(
                where, f"answers {said!r}, which is none of its options" if question else "has an empty question"
            )
            yield None
            continue
        kind = QUESTION_TYPES.get(clean_text(str(raw["question_type"])).casefold()) or question_type(question, answer)
        yield {
            "source_id": named if raw.get("question_id") else f"{name}:{named}",
            "image": str(raw["image_path"]),
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
