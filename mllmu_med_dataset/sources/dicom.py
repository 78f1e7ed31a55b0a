"""Your own DICOM files, in a folder or archive: each image with questions that its header answers.

Asked is what the header says of modality, body part, side, view and plane; a file that says none of it is left out. Who
the patient is, where and when the image was taken, is never read: only the elements named here are parsed, file names
don't get into records, and the series' own number only serves to take one image of it.

- Of a series of slices the middle one is taken, of several frames the middle one: neighbours are nearly the same image,
  and would stand in several subsets. ``slices=all`` takes every file.
- Pixels: rescaled (or by the modality table), windowed by the header, CT without a window from -160 to 240 HU,
  everything else from the 1st to the 99th percentile of what is not padding; MONOCHROME1 is inverted, palettes and
  YBR become RGB.
- Text burned into the pixels can't be taken out here. Files that don't deny it are counted and named: look at them.
"""

import io
import logging
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from ..errors import UserError, unknown
from ..losses import Losses
from ..record import QuestionType, Record
from ..rewrite import article
from .images import BadImageError, Picture, SourceFiles, check_size, drawn, pictures, stretched

if TYPE_CHECKING:
    from pydicom import Dataset

Slices = Literal["middle", "all"]
# A soft-tissue window, in Hounsfield units, for CT whose header brings none.
CT_WINDOW = (-160.0, 240.0)
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
# Objects with pixels that are no pictures of a patient.
_NO_PICTURES = ("SEG", "RTDOSE", "RTIMAGE", "PR", "KO", "SR", "REG", "DOC", "RTSTRUCT", "RTPLAN")
_HEADER = (
    "Modality", "BodyPartExamined", "Laterality", "ImageLaterality", "ViewPosition", "ImageOrientationPatient",
    "BurnedInAnnotation", "Rows", "Columns", "NumberOfFrames", "InstanceNumber", "SeriesInstanceUID",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
)  # fmt: skip
# Beside group 0028, which pydicom reads with the pixels.
_WITH_PIXELS = ("Modality", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_OTHER_FILES = (".jpg", ".jpeg", ".png", ".txt", ".json", ".csv", ".xml", ".pdf", ".html", ".htm", ".zip", ".md")
_NAMED = 3
_log = logging.getLogger(__name__)
# Real headers break the standard in a hundred small ways. pydicom tells of each, with what stands there; what matters
# comes back as an error and is told by file.
warnings.filterwarnings("ignore", module=r"pydicom\.")
logging.getLogger("pydicom").addHandler(logging.NullHandler())
logging.getLogger("pydicom").propagate = False


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
        headers = _headers(files, losses)
        if slices == "middle":
            headers = _middle_of_series(headers)
        if not headers and not losses.found():
            raise UserError(
                f"'{path}' holds no DICOM file of an image whose header tells its modality, body part, side, view or "
                "plane. Give the folder of the images; for others write the questions yourself (--source generic)."
            )
        for name, made in pictures(files, list(headers), workers=workers, make=dicom_picture):
            if isinstance(made, str):
                losses.image(name, made)
                losses.total += 1
                continue
            header = headers[name]
            losses.total += len(header.facts)
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
        losses.finish()


def dicom_picture(data: bytes) -> Picture:
    """Return the picture of a DICOM file as a viewer shows it; raises :class:`BadImageError`."""
    from pydicom import Dataset, dcmread
    from pydicom.errors import InvalidDicomError
    from pydicom.pixels import apply_color_lut, pixel_array

    try:
        header = dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=list(_HEADER))
        if "Rows" not in header:
            raise BadImageError("it holds no image")
        check_size(int(header.Columns), int(header.Rows))
        frame = _middle_frame(header)
        image = Dataset()
        raw = pixel_array(io.BytesIO(data), ds_out=image, specific_tags=_tags(_WITH_PIXELS), index=frame)
        if image.PhotometricInterpretation == "PALETTE COLOR":
            raw = apply_color_lut(raw, image)[..., :3]
            shown = _eight_bits(raw, 8 * raw.dtype.itemsize)
        elif raw.ndim == 3:
            shown = _eight_bits(raw, int(image.BitsStored))
        else:
            shown = _grey(raw, image, frame)
        if int(shown.max()) - int(shown.min()) < 2:
            raise BadImageError("all its pixels are of one grey")
        return drawn(shown)
    except BadImageError:
        raise
    except InvalidDicomError:
        raise BadImageError("not a DICOM file") from None
    except Exception as error:  # damaged files and unknown packings fail in any way
        text = " ".join(str(error).split())
        if "missing dependencies" in text or "does not support" in text:
            raise BadImageError(
                f"packed as {header.file_meta.TransferSyntaxUID.name}, which takes a decoder: pip install "
                "'pylibjpeg[all]'"
            ) from error
        raise BadImageError(f"{type(error).__name__}: {text[:200]}") from error


def _require_pydicom() -> None:
    try:
        import pydicom  # noqa: F401
    except ImportError as error:
        raise UserError("The source dicom needs pydicom: pip install 'mllmu-med[dicom]'.") from error


def _headers(files: SourceFiles, losses: Losses) -> dict[str, _Header]:
    """Return what is asked of each file, by name; those without are told, other kinds passed over."""
    from pydicom import dcmread

    headers: dict[str, _Header] = {}
    silent: list[str] = []
    for name in files.names():
        last = PurePosixPath(name)
        if last.name.upper() == "DICOMDIR" or last.suffix.lower() in _OTHER_FILES or last.name.startswith("."):
            continue
        try:
            with files.stream(name) as stream:
                if stream.read(132)[128:] != b"DICM":
                    if last.suffix.lower() in (".dcm", ".dicom", ".ima"):
                        losses.image(name, "not a DICOM file")
                        losses.total += 1
                    continue
                stream.seek(0)
                header = _header(dcmread(stream, stop_before_pixels=True, specific_tags=list(_HEADER)))
        except UserError:
            raise
        except BadImageError as error:
            losses.image(name, str(error))
            losses.total += 1
            continue
        except Exception as error:  # a stranger's bytes
            losses.total += 1
            losses.image(name, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
            continue
        if header is None or not header.facts:
            silent.append(name)
        else:
            headers[name] = header
    if silent:
        _log.warning(f"{len(silent):,} DICOM files of '{files.path}' hold no image, or no fact to ask: {_few(silent)}.")
    if burned := [name for name, header in headers.items() if header.burned_in]:
        _log.warning(
            f"{len(burned):,} of {len(headers):,} DICOM files of '{files.path}' don't say that no text is burned into "
            f"their pixels: {_few(burned)}. It may be a real patient's name: look at them before you pass the build on."
        )
    return headers


def _few(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _middle_of_series(headers: dict[str, _Header]) -> dict[str, _Header]:
    """Return the middle one of each series, by its number in it; a file of no series stands for itself."""
    series: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name, header in headers.items():
        series[header.series or name].append((header.number, name))
    chosen = {sorted(members)[len(members) // 2][1] for members in series.values()}
    return {name: header for name, header in headers.items() if name in chosen}


def _header(data: "Dataset") -> _Header | None:
    """Return what a header answers; ``None`` for an object that is no picture of a patient."""
    code = _code(data, "Modality")
    if "Rows" not in data and not code:
        raise BadImageError("its header says nothing")
    if "Rows" not in data or code in _NO_PICTURES:
        return None
    _, region = BODY_PARTS.get(_part_code(data), ("", ""))
    return _Header(
        facts=tuple(facts(data)),
        modality=MODALITIES.get(code, ""),
        region=region,
        series=_code(data, "SeriesInstanceUID"),
        number=_whole(data.get("InstanceNumber")),
        burned_in=_code(data, "BurnedInAnnotation") != "NO",
    )


def facts(data: "Dataset") -> Iterator[Fact]:
    """Yield the questions that a header answers; what it does not say, or in no known term, is not asked."""
    code = _code(data, "Modality")
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
    word, region = BODY_PARTS.get(_part_code(data), ("", ""))
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
    if side := SIDES.get(_code(data, "ImageLaterality") or _code(data, "Laterality")):
        yield Fact(
            "side",
            "Which side of the body is shown?",
            f"The {side} side is shown.",
            side,
            ("left", "right"),
            "position",
        )
    views = BREAST_VIEWS if code == "MG" else VIEWS
    if view := views.get(_code(data, "ViewPosition")):
        yield Fact(
            "view",
            "In which view was this image taken?",
            f"This is {article(view)} {view} view.",
            view,
            tuple(sorted(set(views.values()))),
            "plane",
        )
    if code in _IN_PLANES and (plane := _plane(data)):
        yield Fact(
            "plane",
            "What is the plane of this image?",
            plane,
            plane,
            tuple(sorted(PLANES)),
            "plane",
        )


def _plane(data: "Dataset") -> str | None:
    """Return the plane of the image by the axis of the patient that its normal follows; ``None`` for an oblique one."""
    value = data.get("ImageOrientationPatient")
    if value is None:
        group = _functional_group(data, _middle_frame(data), "PlaneOrientationSequence")
        value = None if group is None else group.get("ImageOrientationPatient")
    try:
        row, column = np.asarray([float(one) for one in value or ()]).reshape(2, 3)
    except (TypeError, ValueError):
        return None
    normal = np.abs(np.cross(row, column))
    length = float(np.linalg.norm(normal))
    if not np.isfinite(length) or length < 0.5 or normal.max() / length < _ALONG:
        return None
    return PLANES[int(normal.argmax())]


def _grey(raw: np.ndarray, image: "Dataset", frame: int) -> np.ndarray:
    """Return one frame of grey values as 8 bits, dark where a viewer shows it dark."""
    padding = _padding(raw, image)
    values, shown = _windowed(_rescaled(raw, image, frame), image, frame)
    if shown is None:
        shown = stretched(values, values[~padding])
    if image.PhotometricInterpretation == "MONOCHROME1":
        shown = 255 - shown
    return np.where(padding, np.uint8(0), shown)


def _rescaled(raw: np.ndarray, image: "Dataset", frame: int) -> np.ndarray:
    from pydicom.pixels import apply_modality_lut

    group = _functional_group(image, frame, "PixelValueTransformationSequence")
    slope = float((group or image).get("RescaleSlope") or 1)
    if not np.isfinite(slope):
        raise BadImageError(f"its rescale slope is {slope}")
    if group is not None:
        return raw.astype(np.float64) * slope + float(group.get("RescaleIntercept") or 0)
    return np.asarray(apply_modality_lut(raw, image), dtype=np.float64)


def _windowed(values: np.ndarray, image: "Dataset", frame: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the values and their 8 bits under the header's window or table, or CT's own; ``None``: there is none."""
    if image.get("VOILUTSequence"):
        from pydicom.pixels import apply_voi

        bits = int(image.VOILUTSequence[0].LUTDescriptor[2])
        return values, _eight_bits(apply_voi(np.round(values).astype(np.int64), image), bits)
    group = _functional_group(image, frame, "FrameVOILUTSequence") or image
    centre, width = (_first(group.get(key)) for key in ("WindowCenter", "WindowWidth"))
    function = str(group.get("VOILUTFunction") or "LINEAR").upper()
    if centre is not None and width is not None and width > 0:
        if function == "SIGMOID":
            scaled = 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
        elif function == "LINEAR_EXACT" or width <= 1:
            scaled = (values - centre) / width + 0.5
        else:
            scaled = (values - (centre - 0.5)) / (width - 1) + 0.5
        shown = _of_unit(scaled)
        # A window that shows one grey only is a wrong header.
        if shown.min() != shown.max():
            return values, shown
    if _code(image, "Modality") == "CT":
        low, high = CT_WINDOW
        shown = _of_unit((values - low) / (high - low))
        if shown.min() != shown.max():
            return values, shown
    return values, None


def _padding(raw: np.ndarray, image: "Dataset") -> np.ndarray:
    """Return where the image is padding and no measurement."""
    low = image.get("PixelPaddingValue")
    if not isinstance(low, int):
        return np.zeros(raw.shape, dtype=bool)
    high = image.get("PixelPaddingRangeLimit")
    high = high if isinstance(high, int) else low
    padding = (raw >= min(low, high)) & (raw <= max(low, high))
    return np.zeros(raw.shape, dtype=bool) if padding.all() else padding


def _functional_group(data: "Dataset", frame: int, name: str) -> "Dataset | None":
    """Return a macro of an enhanced image: the frame's own, else the one all frames share."""
    frames = data.get("PerFrameFunctionalGroupsSequence") or ()
    shared = data.get("SharedFunctionalGroupsSequence") or ()
    for groups in (frames[frame : frame + 1], shared[:1]):
        found = groups[0].get(name) if groups else None
        if found:
            return found[0]
    return None


def _middle_frame(data: "Dataset") -> int:
    return max(_whole(data.get("NumberOfFrames")), 1) // 2


def _eight_bits(values: np.ndarray, bits: int) -> np.ndarray:
    return values.astype(np.uint8) if bits == 8 else _of_unit(values.astype(np.float64) / (2**bits - 1))


def _of_unit(values: np.ndarray) -> np.ndarray:
    return (np.clip(np.nan_to_num(values), 0, 1) * 255).round().astype(np.uint8)


def _tags(names: tuple[str, ...]) -> list[int]:
    from pydicom.datadict import tag_for_keyword

    return [tag_for_keyword(name) for name in names]


def _part_code(data: "Dataset") -> str:
    return _code(data, "BodyPartExamined")


def _code(data: "Dataset", name: str) -> str:
    """Return a term of the header, in capitals; of several the first."""
    value = data.get(name)
    if value is None or isinstance(value, str):
        return (value or "").strip().upper()
    try:
        return str(value[0]).strip().upper() if len(value) else ""
    except TypeError:
        return ""


def _first(value: object) -> float | None:
    """Return a number of the header, of several the first; ``None`` where it is none."""
    try:
        number = float(value if isinstance(value, str | int | float) else value[0])
    except (TypeError, ValueError, IndexError):
        return None
    return number if np.isfinite(number) else None


def _whole(value: object) -> int:
    number = _first(value)
    return 0 if number is None else int(number)
