"""A folder of DICOM files as a hospital exports it: real pixels with what is true of them, and invented patients.

Written when a test runs, from the images of ``pydicom-data``. The headers name people who don't exist, so that a test
can look for them in what comes out.
"""

import random
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, generate_uid

from tests.source_fixtures import pictures

NAMES = ("Grünbaum^Ottilie", "Testa^Ignazio", "Fictional^Person")
# Modality, body part, view, side, and the row and column directions of the image: one for each of the real pictures.
KINDS: tuple[tuple[str, str, str, str, tuple[int, ...]], ...] = (
    ("CR", "CHEST", "PA", "", ()),
    ("DX", "LEG", "AP", "R", ()),
    ("MR", "SHOULDER", "", "L", (1, 0, 0, 0, 0, -1)),
    ("CT", "SPINE", "", "", (1, 0, 0, 0, 1, 0)),
    # Of this one nobody says what it shows.
    ("MR", "", "", "", (1, 0, 0, 0, 1, 0)),
    ("MR", "ABDOMEN", "", "", (1, 0, 0, 0, 1, 0)),
)
COLOURED = ("US", "THYROID", "", "L", ())


class Stored(NamedTuple):
    """The bytes of an element as a file holds them, whatever the standard thinks of them."""

    vr: str
    value: bytes


def make_dicom(folder: Path, *, patients: int = 36, seed: int = 0) -> Path:
    """Write one file for each of so many patients, in folders named after them."""
    rng = random.Random(seed)
    for number, (_, picture) in enumerate(pictures(patients, seed=seed)):
        kind = KINDS[number % len(KINDS)]
        place = folder / NAMES[number % len(NAMES)].replace("^", "_") / f"series {number}" / f"IM{number:04d}"
        place.parent.mkdir(parents=True, exist_ok=True)
        # Some programs leave the ending off.
        place = place.with_suffix(".dcm") if number % 2 else place
        write_dicom(place, np.asarray(picture.convert("L")), kind, number=number, rng=rng)
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    (folder / "README.txt").write_text("exported")
    return folder


def write_dicom(
    path: Path,
    grey: np.ndarray,
    kind: tuple[str, str, str, str, tuple[int, ...]] = KINDS[3],
    *,
    number: int = 0,
    rng: random.Random | None = None,
    **elements: object,
) -> Path:
    """Write one file of 8-bit grey values as its modality would store them; ``elements`` are set last."""
    rng = rng or random.Random(number)
    modality, part, view, side, orientation = kind
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", _uid(number, "file")
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.SpecificCharacterSet = "ISO_IR 100"
    data.PatientName, data.PatientID = NAMES[number % len(NAMES)], f"SECRET-{number:05d}"
    data.PatientBirthDate, data.InstitutionName = "19310203", "Secret Hospital"
    data.StudyInstanceUID, data.SeriesInstanceUID = _uid(number, "study"), _uid(number, "series")
    data.Modality, data.BodyPartExamined, data.InstanceNumber = modality, part, 1
    if view:
        data.ViewPosition = view
    if side:
        data.Laterality = side
    if orientation:
        data.ImageOrientationPatient = list(orientation)
    if number % 3:
        data.BurnedInAnnotation = "NO"
    data.Rows, data.Columns = grey.shape
    if modality == "US":
        _put(data, np.stack([grey, grey, 255 - grey], axis=-1), 8, "RGB")
        data.PlanarConfiguration = 0
    elif modality == "CT":
        # Hounsfield units, stored above an intercept of -1024 and shown by the window in the header.
        _put(data, (grey.astype(np.uint16) * 2 + 824), 16, "MONOCHROME2")
        data.RescaleSlope, data.RescaleIntercept = 1, -1024
        if number % 2 == 0:
            data.WindowCenter, data.WindowWidth = [40, 300], [400, 1500]
    elif modality == "CR":
        _put(data, 4095 - grey.astype(np.uint16) * 16, 12, "MONOCHROME1")
    else:
        _put(data, grey.astype(np.uint16) * rng.randint(3, 9), 16, "MONOCHROME2")
    for name, value in elements.items():
        if value is None:
            data.pop(name, None)
        elif isinstance(value, Stored):
            tag = Tag(tag_for_keyword(name))
            padded = value.value + b" " * (len(value.value) % 2)
            data[tag] = RawDataElement(tag, value.vr, len(padded), padded, 0, False, True)
        else:
            setattr(data, name, value)
    if modality == "DX" and not elements:
        data.compress(RLELossless)
    data.save_as(path, enforce_file_format=True)
    return path


def _put(data: FileDataset, values: np.ndarray, bits: int, photometric: str) -> None:
    allocated = 8 if bits == 8 else 16
    data.SamplesPerPixel = 3 if values.ndim == 3 else 1
    data.PhotometricInterpretation, data.PixelRepresentation = photometric, 0
    data.BitsAllocated, data.BitsStored, data.HighBit = allocated, bits, bits - 1
    data.PixelData = values.astype(np.uint8 if allocated == 8 else np.uint16).tobytes()


def _uid(number: int, what: str) -> str:
    return generate_uid(entropy_srcs=[str(number), what])
