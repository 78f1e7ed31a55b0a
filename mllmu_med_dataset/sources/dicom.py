"""Your own DICOM files, in a folder or archive: each image with questions that its header answers.

Asked is what the header says of modality, body part, side, view and plane; a file that says none of it is left out. Who
the patient is, where and when the image was taken, is never read: only the elements named here are parsed, file names
don't get into records, and the series' own number only serves to take one image of it.

- Every file is used, or counted and named with its reason: DICOM files are known by content, not by name.
- Of a series of slices the middle one is taken, of several frames the middle one: neighbours are nearly the same image,
  and would stand in several subsets. ``slices=all`` takes every file.
- Pixels are drawn as a viewer shows them (``dicom_pixels``). What had to be passed over in a header is told.
- Text burned into the pixels can't be taken out here. Files that don't deny it are counted and named: look at them.
"""

import io
import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from mllmu_med_metrics.vocabulary import QuestionType

from ..building.left_out import Losses
from ..errors import UserError, unknown
from ..injection.sentence_templates import article
from ..record import Record
from .dicom_files import Elements, dataset, functional_group, has_prefix, middle_frame, opened, reason_of
from .dicom_pixels import ShownPicture, dicom_picture
from .files import MAX_FILE_BYTES, shown
from .images import BadImageError, SourceFiles, pictures_by
from .source import Source

if TYPE_CHECKING:
    from pydicom import Dataset

Slices = Literal["middle", "all"]
MODALITIES = {
    "CT": "CT", "MR": "MR", "US": "ultrasound", "CR": "X-ray", "DX": "X-ray", "DR": "X-ray", "RG": "X-ray",
    "MG": "mammography", "RF": "fluoroscopy", "XA": "angiography", "PT": "PET", "NM": "scintigraphy", "ES": "endoscopy",
    "OPT": "OCT", "SM": "microscopy", "GM": "microscopy",
}  # fmt: skip
# Values that are wrong whatever else is true: a mammogram is an X-ray too.
_OTHER_MODALITIES = ("CT", "MR", "X-ray", "ultrasound")
_BY_X_RAYS = ("mammography", "fluoroscopy", "angiography")
# DICOM's terms for body parts: the word, and the region it is in.
BODY_PARTS = {
    "ABDOMEN": ("abdomen", "abdomen"), "LIVER": ("liver", "abdomen"), "PANCREAS": ("pancreas", "abdomen"),
    "KIDNEY": ("kidney", "abdomen"), "SPLEEN": ("spleen", "abdomen"), "STOMACH": ("stomach", "abdomen"),
    "COLON": ("colon", "abdomen"), "CHEST": ("chest", "chest"), "THORAX": ("chest", "chest"),
    "LUNG": ("lung", "chest"), "HEART": ("heart", "chest"), "BREAST": ("breast", "chest"), "RIB": ("ribs", "chest"),
    "HEAD": ("head", "head"), "BRAIN": ("brain", "head"), "SKULL": ("skull", "head"), "FACE": ("face", "head"),
    "EYE": ("eye", "head"), "JAW": ("jaw", "head"), "NECK": ("neck", "neck"), "THYROID": ("thyroid", "neck"),
    "PELVIS": ("pelvis", "pelvis"), "BLADDER": ("bladder", "pelvis"), "PROSTATE": ("prostate", "pelvis"),
    "UTERUS": ("uterus", "pelvis"), "SPINE": ("spine", "spine"), "CSPINE": ("cervical spine", "spine"),
    "TSPINE": ("thoracic spine", "spine"), "LSPINE": ("lumbar spine", "spine"), "SSPINE": ("sacrum", "spine"),
    "SHOULDER": ("shoulder", "limb"), "CLAVICLE": ("clavicle", "limb"), "HUMERUS": ("humerus", "limb"),
    "ARM": ("arm", "limb"), "ELBOW": ("elbow", "limb"), "FOREARM": ("forearm", "limb"), "WRIST": ("wrist", "limb"),
    "HAND": ("hand", "limb"), "FINGER": ("finger", "limb"), "HIP": ("hip", "limb"), "FEMUR": ("femur", "limb"),
    "KNEE": ("knee", "limb"), "LEG": ("leg", "limb"), "TIBIA FIBULA": ("lower leg", "limb"), "ANKLE": ("ankle", "limb"),
    "FOOT": ("foot", "limb"), "CALCANEUS": ("heel", "limb"), "TOE": ("toe", "limb"), "EXTREMITY": ("limb", "limb"),
}  # fmt: skip
# One word for each region that no part of another region lies in.
_REGION_WORDS = {"abdomen": "abdomen", "chest": "chest", "head": "head", "pelvis": "pelvis", "limb": "knee"}
# Parts of the spine lie in the trunk and the neck.
_FAR_FROM_THE_SPINE = ("head", "limb")
SIDES = {"L": "left", "R": "right"}
VIEWS = {"AP": "anteroposterior", "PA": "posteroanterior", "LL": "lateral", "RL": "lateral", "LATERAL": "lateral"}
BREAST_VIEWS = {"CC": "craniocaudal", "MLO": "mediolateral oblique", "ML": "mediolateral", "LM": "lateromedial"}
# The image's own normal, as an axis of the patient.
PLANES = ("sagittal", "coronal", "axial")
_IN_PLANES = ("CT", "MR", "PT")
# A normal further off its axis than this (its cosine) is oblique: no plane is told.
_ALONG = 0.9
# Objects with pixels that are no pictures of a patient, by modality and by the name of their kind.
_NO_PICTURES = ("SEG", "RTDOSE", "RTIMAGE", "PR", "KO", "SR", "REG", "DOC", "RTSTRUCT", "RTPLAN")
_NO_PICTURE_KINDS = ("Segmentation", "RT Dose", "RT Image", "Presentation State", "Key Object")
HEADER = (
    "SOPClassUID", "Modality", "BodyPartExamined", "Laterality", "ImageLaterality", "ViewPosition",
    "ImageOrientationPatient", "BurnedInAnnotation", "Rows", "Columns", "NumberOfFrames", "InstanceNumber",
    "SeriesInstanceUID", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
)  # fmt: skip
_ENDINGS = (".dcm", ".dicom", ".dic", ".ima")
_NAMED = 3
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fact:
    """One question that a header answers, and the closed set of its answer."""

    asked: str
    question: str
    answer: str
    value: str
    values: tuple[str, ...]
    question_type: QuestionType


@dataclass(frozen=True, slots=True)
class _Header:
    facts: tuple[Fact, ...]
    modality: str
    region: str
    series: str
    number: int
    burned_in: bool


def records(
    *,
    path: Path | None,
    seed: int = 0,
    slices: Slices = "middle",
    license: str | None = None,
    redistributable: bool | None = None,
    workers: int = 1,
    losses: Losses | None = None,
) -> Iterator[Record]:
    """Yield the records of a folder or archive of DICOM files, file by file; the seed changes nothing here.

    ``license`` and ``redistributable`` must be said: the build writes pixels only where they may be passed on. Raises
    :class:`UserError` without pydicom, without any image, and where more is lost than may be; files that can't be read
    or decoded are counted in ``losses``.
    """
    if slices not in get_args(Slices):
        raise unknown("choice of slices", str(slices), get_args(Slices))
    if path is None:
        raise UserError("The source dicom needs its folder or archive: --source-path DIR, holding DICOM files.")
    if license is None or redistributable is None:
        raise UserError(
            "The source dicom needs to know under which licence the images stand and whether they may be passed on: "
            "license=CC-BY-4.0 redistributable=true, or license=private redistributable=false. Pixels are written into "
            "the build only where it is true, and no program can tell whether a name is burned into them."
        )
    _require_pydicom()
    with SourceFiles(path) as files:
        losses = Losses() if losses is None else losses
        # A file's name may be the patient's: no card tells it.
        losses.source, losses.names_told = str(path), False
        noted = _ByReason()
        headers = _headers(files, losses)
        if slices == "middle":
            headers = _middle_of_series(headers, losses)
        if not any(loss.lost for loss in losses.found()) and not headers:
            raise UserError(
                f"'{path}' holds no DICOM file of an image whose header tells its modality, body part, side, view or "
                f"plane. {_held(losses)} Give the folder of the images; for others write the "
                "questions yourself (--source generic)."
            )
        first_of: dict[str, str] = {}
        for name, made in pictures_by(dicom_picture, files, list(headers), workers=workers):
            if isinstance(made, str):
                losses.total += 1
                losses.image(name, made)
                continue
            if first_of.setdefault(made.key, name) != name:
                losses.total += 1
                losses.set_aside("are the same picture as another file", name)
                continue
            for note in made.notes:
                noted.add(name, note)
            losses.total += len(headers[name].facts)
            yield from _records_of(headers[name], made, license, redistributable)
        if noted:
            _log.warning(f"{len(noted):,} images of '{path}' are shown in spite of their headers: {noted}.")
        losses.finish()


def _records_of(header: _Header, made: ShownPicture, license: str, redistributable: bool) -> Iterator[Record]:
    for fact in header.facts:
        yield Record(
            source="dicom",
            # Of the image and not of the file, whose name may be the patient's.
            source_id=f"{made.key[:16]}-{fact.asked}",
            image_bytes=made.data,
            image_key=made.key,
            question=fact.question,
            answer=fact.answer,
            fact=fact.value,
            fact_values=fact.values,
            modality=header.modality,
            body_region=header.region,
            question_type=fact.question_type,
            answer_type="OPEN",
            license=license,
            redistributable=redistributable,
        )


def _held(losses: Losses) -> str:
    """Say what a folder holds instead of images."""
    reasons = [f"{loss.rows:,} that {loss.reason}" for loss in losses.found()]
    return f"Of its {losses.total:,} files {'; '.join(reasons)}." if reasons else "It holds no file."


def _require_pydicom() -> None:
    try:
        import pydicom  # noqa: F401
    except ImportError as error:
        raise UserError("The source dicom needs pydicom: pip install 'mllmu-med[dicom]'.") from error


class _ByReason:
    """Images, counted and named by what was noted of them."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = defaultdict(list)

    def add(self, name: str, reason: str) -> None:
        self.names[reason].append(shown(name))

    def __len__(self) -> int:
        return len({name for names in self.names.values() for name in names})

    def __str__(self) -> str:
        by_count = sorted(self.names.items(), key=lambda item: (-len(item[1]), item[0]))
        return "; ".join(f"{reason} ({len(names):,}: {_few(sorted(names))})" for reason, names in by_count)


class _NotAskedError(Exception):
    """A file that is not used though nothing is wrong with it; the text says what it is instead."""


def _headers(files: SourceFiles, losses: Losses) -> dict[str, _Header]:
    """Return what is asked of each file, by name; every other file is noted with its reason."""
    headers: dict[str, _Header] = {}
    for name in files.names():
        try:
            headers[name] = _read_header(files, name)
        except UserError:
            raise
        except _NotAskedError as reason:
            losses.total += 1
            losses.set_aside(f"are {reason}", name)
        except BadImageError as error:
            losses.total += 1
            losses.image(name, str(error))
        except Exception as error:  # a stranger's bytes
            losses.total += 1
            losses.image(name, f"its header can't be read: {reason_of(error)}")
    if burned := [name for name, header in headers.items() if header.burned_in]:
        _log.warning(
            f"{len(burned):,} of {len(headers):,} DICOM files of '{files.path}' don't say that no text is burned into "
            f"their pixels: {_few(burned)}. It may be a real patient's name: look at them before you pass the build on."
        )
    return headers


def _read_header(files: SourceFiles, name: str) -> _Header:
    """Return what a file is asked; raises :class:`_NotAskedError` or :class:`BadImageError` with the reason."""
    place = PurePosixPath(name)
    # A hidden file beside each real one is what a Mac leaves on foreign disks.
    named = not place.name.startswith(".") and any(one.lower() in _ENDINGS for one in place.suffixes)
    with files.stream(name) as stream:
        size = stream.seek(0, io.SEEK_END)
        if not size:
            raise BadImageError("not a DICOM file: it is empty") if named else _NotAskedError("empty")
        if size > MAX_FILE_BYTES:
            raise BadImageError(f"it is larger than {MAX_FILE_BYTES // 2**20} MB")
        try:
            unpacked = opened(stream)
        except BadImageError as error:
            # What is packed and not called DICOM is somebody else's.
            raise (error if named else _NotAskedError(f"no DICOM file but {error}")) from error
        if unpacked is None:
            raise BadImageError("not a DICOM file") if named else _NotAskedError("no DICOM file")
        if place.name.upper() == "DICOMDIR":
            raise _NotAskedError("an index of other files")
        try:
            return _header(dataset(unpacked, HEADER))
        except _NotAskedError:
            raise
        except Exception as error:
            if named or has_prefix(unpacked):
                raise
            raise _NotAskedError("no DICOM file") from error


def _few(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _middle_of_series(headers: dict[str, _Header], losses: Losses) -> dict[str, _Header]:
    """Return the middle one of each series, by its number in it; a file of no series stands for itself."""
    series: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name, header in headers.items():
        series[header.series or name].append((header.number, name))
    chosen = {sorted(members)[len(members) // 2][1] for members in series.values()}
    for name in headers.keys() - chosen:
        losses.total += 1
        losses.set_aside("are further slices of a series", name)
    return {name: header for name, header in headers.items() if name in chosen}


def _header(data: "Dataset") -> _Header:
    """Return what a header answers; raises :class:`_NotAskedError` where there is nothing to ask."""
    header = Elements(data)
    if other := no_picture(header):
        raise _NotAskedError(other)
    questions = tuple(facts(data))
    if not questions:
        raise _NotAskedError("silent on modality, body part, side, view and plane")
    _, region = BODY_PARTS.get(header.term("BodyPartExamined"), ("", ""))
    return _Header(
        facts=questions,
        modality=MODALITIES.get(header.term("Modality"), ""),
        region=region,
        series=header.term("SeriesInstanceUID"),
        number=header.whole("InstanceNumber") or 0,
        burned_in=header.term("BurnedInAnnotation") != "NO",
    )


def no_picture(header: Elements) -> str | None:
    """Return what an object is that is no picture of a patient, such as ``no image but RT Plan Storage``.

    Raises :class:`BadImageError` for a header that says nothing at all.
    """
    from pydicom.uid import UID

    code = header.term("Modality")
    uid = header.term("SOPClassUID") or str(header.data.file_meta.get("MediaStorageSOPClassUID") or "")
    kind = UID(uid).name if uid else ""
    kind = "" if kind == uid else kind
    if kind == "Media Storage Directory Storage":
        return "an index of other files"
    sized = bool(header.whole("Rows") and header.whole("Columns"))
    if not sized and not code and not kind:
        raise BadImageError("its header says nothing")
    if not sized or code in _NO_PICTURES or any(one in kind for one in _NO_PICTURE_KINDS):
        return f"no image but {kind or code}"
    return None


def facts(data: "Dataset") -> Iterator[Fact]:
    """Yield the questions that a header answers; what it does not say, or in no known term, is not asked."""
    header = Elements(data)
    code = header.term("Modality")
    if modality := MODALITIES.get(code):
        others = [one for one in _OTHER_MODALITIES if not (one == "X-ray" and modality in _BY_X_RAYS)]
        yield Fact(
            "modality",
            "What imaging modality is this?",
            f"This is {article(modality)} {modality} image.",
            modality,
            tuple(sorted({modality, *others})),
            "modality",
        )
    word, region = BODY_PARTS.get(header.term("BodyPartExamined"), ("", ""))
    if word:
        far = _FAR_FROM_THE_SPINE if region == "spine" else [one for one in _REGION_WORDS if one != region]
        yield Fact(
            "part",
            "Which part of the body is shown?",
            f"The image shows the {word}.",
            word,
            tuple(sorted({word, *(_REGION_WORDS[one] for one in far)})),
            "organ",
        )
    if side := SIDES.get(header.term("ImageLaterality" if header.terms("ImageLaterality") else "Laterality")):
        yield Fact(
            "side",
            "Which side of the body is shown?",
            f"The {side} side is shown.",
            side,
            ("left", "right"),
            "position",
        )
    views = BREAST_VIEWS if code == "MG" else VIEWS
    if view := views.get(header.term("ViewPosition")):
        yield Fact(
            "view",
            "In which view was this image taken?",
            f"This is {article(view)} {view} view.",
            view,
            tuple(sorted(set(views.values()))),
            "plane",
        )
    if code in _IN_PLANES and (plane := _plane(header)):
        yield Fact(
            "plane",
            "What is the plane of this image?",
            plane,
            plane,
            tuple(sorted(PLANES)),
            "plane",
        )


def _plane(header: Elements) -> str | None:
    """Return the plane of the image by the axis of the patient that its normal follows; ``None`` for an oblique one."""
    numbers = header.numbers("ImageOrientationPatient")
    if not numbers and (group := functional_group(header, middle_frame(header), "PlaneOrientationSequence")):
        numbers = group.numbers("ImageOrientationPatient")
    if len(numbers) != 6 or None in numbers:
        return None
    row, column = np.asarray(numbers, dtype=float).reshape(2, 3)
    normal = np.abs(np.cross(row, column))
    length = float(np.linalg.norm(normal))
    if not np.isfinite(length) or length < 0.5 or normal.max() / length < _ALONG:
        return None
    return PLANES[int(normal.argmax())]


SOURCE = Source(
    name="dicom",
    records=records,
    needs_path=True,
    license="yours (license=...)",
    summary="Your own DICOM files, asked what their headers say of modality, body part, side, view and plane.",
    redistributable=None,
)
