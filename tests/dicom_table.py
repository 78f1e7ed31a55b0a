"""Every file that pydicom and pydicom-data carry, drawn by this package and by the reference chain of pydicom.pixels.

``python -m tests.dicom_table`` prints a row for each file and the totals. A file is the ``same`` (a correlation of at
least 0.99 at the same size), ``different`` with the choice of ours that explains it, ``left out`` (no image) or
``refused``, each with its reason. A row without a reason is a fault.
"""

import io
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import FileDataset, dcmread
from pydicom.data import get_charset_files, get_palette_files, get_testdata_files
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from mllmu_med_dataset.sources.dicom import HEADER, no_picture
from mllmu_med_dataset.sources.dicom_files import Elements, dataset, functional_group, middle_frame, opened
from mllmu_med_dataset.sources.dicom_pixels import CT_WINDOW, dicom_picture
from mllmu_med_dataset.sources.images import BadImageError

SAME = 0.99
_SIZES = ("PixelSpacing", "ImagerPixelSpacing")


@dataclass(frozen=True)
class Row:
    """What came of one file: ``same``, ``different``, ``left out`` or ``refused``, and why."""

    name: str
    what: str
    result: str
    reason: str
    correlation: float = float("nan")


def carried_files() -> list[Path]:
    """Return all files that the two packages carry, those of no DICOM as well."""
    names = {*get_testdata_files(), *get_charset_files(), *get_palette_files()}
    return sorted((Path(name) for name in names if Path(name).is_file()), key=lambda path: (path.name, str(path)))


def table_row(path: Path) -> Row:
    """Return what comes of a file."""
    name = f"{path.parent.name}/{path.name}"
    data = path.read_bytes()
    try:
        stream = opened(io.BytesIO(data))
    except BadImageError as error:
        return Row(name, "packed", "refused", str(error))
    if stream is None:
        return Row(name, "", "left out", "no DICOM file")
    header = Elements(dataset(stream, (*HEADER, "PhotometricInterpretation")))
    what = " ".join((header.term("Modality") or "-", header.term("PhotometricInterpretation") or "-"))
    try:
        if other := no_picture(header):
            return Row(name, what, "left out", other)
        ours = np.asarray(Image.open(io.BytesIO(dicom_picture(data).data))).astype(float)
    except BadImageError as error:
        return Row(name, what, "refused", str(error))
    ds = _whole(stream)
    correlation = _correlation(ours, reference(ds))
    if correlation >= SAME:
        return Row(name, what, "same", "", correlation)
    for reason, other in our_choices(ds).items():
        if (explained := _correlation(ours, other)) >= SAME:
            return Row(name, what, "different", reason, explained)
    return Row(name, what, "different", "", correlation)


def reference(ds: FileDataset) -> np.ndarray:
    """Return the frame that we show, as pydicom's own functions render it, one after the other."""
    raw = pixel_array(ds, index=middle_frame(Elements(ds)))
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        return apply_color_lut(raw, ds)[..., :3].astype(float)
    if raw.ndim == 3:
        return raw.astype(float)
    shown = apply_voi_lut(apply_modality_lut(raw, ds), ds).astype(float)
    return -shown if ds.PhotometricInterpretation == "MONOCHROME1" else shown


def our_choices(ds: FileDataset) -> dict[str, np.ndarray]:
    """Return what the reference shows with one of our choices made for it, by the choice."""
    frame = middle_frame(Elements(ds))
    raw = pixel_array(ds, index=frame)
    if raw.ndim == 3 or ds.PhotometricInterpretation == "PALETTE COLOR":
        return {}
    choices = {}
    for group in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
        if macro := functional_group(Elements(ds), frame, group):
            ds.update(macro.data)
            choices["values and window of the frame's own group"] = reference(ds)
    values = apply_modality_lut(raw, ds).astype(float)
    sign = -1 if ds.PhotometricInterpretation == "MONOCHROME1" else 1
    padding = raw == ds.get("PixelPaddingValue", np.iinfo(np.int32).min)
    measured = values[~padding]
    low, high = np.percentile(measured, (1, 99))
    if ds.get("WindowCenter") is None and not ds.get("VOILUTSequence"):
        without = "no window"
    elif np.ptp(apply_voi_lut(values, ds)) == 0:
        without = "a window that shows nothing"
    else:
        without = ""
    if without:
        choices[f"{without}: from the 1st to the 99th percentile"] = np.clip(values, low, high)
        if ds.get("Modality") == "CT" and ds.get("RescaleSlope") is not None:
            choices[f"{without}: CT from -160 to 240 HU"] = np.clip(values, *CT_WINDOW)
    if padding.any():
        shown = sign * apply_voi_lut(values, ds).astype(float)
        choices["padding is black"] = np.where(padding, shown[~padding].min(), shown)
    return choices


def _whole(stream: io.BytesIO) -> FileDataset:
    stream.seek(0)
    ds = dcmread(stream, force=True)
    if "TransferSyntaxUID" not in ds.file_meta:
        implicit, little = ds.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return ds


def _correlation(ours: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two images, the second resampled to the size of the first."""
    height, width = ours.shape[:2]
    low, high = other.min(), other.max()
    scaled = np.atleast_3d((other - low) / max(high - low, 1e-9)).astype(np.float32)
    bands = (Image.fromarray(band) for band in scaled.transpose(2, 0, 1))
    resized = np.stack([np.asarray(one.resize((width, height), Image.Resampling.BILINEAR)) for one in bands], axis=-1)
    if np.ptp(resized) == 0:
        return float("nan")
    return float(np.corrcoef(np.atleast_3d(ours).ravel(), resized.ravel())[0, 1])


def main() -> None:
    """Print the table and its totals."""
    warnings.simplefilter("ignore")
    rows = [table_row(path) for path in carried_files()]
    for row in rows:
        print(f"{row.name:60} {row.what:20} {row.result:10} {row.correlation:6.3f} {row.reason}")
    print()
    for (result, reason), count in sorted(Counter((row.result, row.reason) for row in rows).items()):
        print(f"{count:4} {result:10} {reason}")
    print(f"{len(rows):4} files")


if __name__ == "__main__":
    main()
