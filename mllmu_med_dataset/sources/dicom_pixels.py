"""The pixels of a DICOM file as a viewer shows them: rescaled, windowed, in their colours, with square pixels.

The steps are those of the standard (PS3.3 C.7.6.3, C.11.1, C.11.2): stored values, modality table or rescaling, VOI
table or window, inversion, pixel shape. Where the header leaves a step open:

- Of several frames the middle one is shown, of several windows the first that shows anything; a VOI table comes before
  a window.
- CT in Hounsfield units without a window is shown from -160 to 240, everything else from the 1st to the 99th percentile
  of what is not padding. Padding is black.
- MONOCHROME1 or a presentation of INVERSE is inverted; both together say the same thing, once.
- Pixels that are not square are drawn larger along their longer side; spacing comes before the aspect ratio.
"""

import io
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from PIL import Image

from .dicom_files import Elements, dataset, functional_group, middle_frame, opened, reason_of
from .files import shown as printable
from .images import BadImageError, Picture, check_size, drawn, stretched

# A soft-tissue window, in Hounsfield units, for CT whose header brings none.
CT_WINDOW = (-160.0, 240.0)
# A pixel ten times as high as wide is no pixel of any device, but a header gone wrong.
MAX_ASPECT = 10.0
# Within this nobody sees that a pixel is no square, and resampling would only blur it.
SQUARE = 0.01
_ASPECTS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")
_COLOURS = ("Red", "Green", "Blue")
_ELEMENTS = (
    "Modality", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows",
    "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "WindowCenter", "WindowWidth",
    "VOILUTFunction", "VOILUTSequence", "PresentationLUTShape", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", *_ASPECTS,
    *(f"{colour}PaletteColorLookupTableDescriptor" for colour in _COLOURS),
    *(f"{colour}PaletteColorLookupTableData" for colour in _COLOURS),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in _COLOURS),
    "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "PixelData", "FloatPixelData", "DoubleFloatPixelData",
)  # fmt: skip
_WHOLE_NUMBERS = (
    "Rows", "Columns", "SamplesPerPixel", "PlanarConfiguration", "BitsAllocated", "BitsStored", "PixelRepresentation",
)  # fmt: skip
_RGB, _ONE_VALUE = ("RGB",), ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


@dataclass(frozen=True, slots=True)
class ShownPicture(Picture):
    """A picture, and what its header says that had to be passed over or read with goodwill to show it."""

    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Table:
    """A lookup table: its entries, the value that the first of them is for, and the bits of an entry."""

    entries: np.ndarray
    first: int
    bits: int

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return the entry of each value; those beyond the table have its first or last."""
        places = np.clip(np.nan_to_num(np.round(values)) - self.first, 0, len(self.entries) - 1)
        return self.entries[places.astype(np.int64)]


@dataclass(frozen=True, slots=True)
class _Values:
    """Grey values after rescaling, the least and largest they could be, and whether they are in a device's own unit."""

    values: np.ndarray
    least: float
    most: float
    rescaled: bool


def dicom_picture(data: bytes) -> ShownPicture:
    """Return the picture of a DICOM file as a viewer shows it; raises :class:`BadImageError`."""
    try:
        stream = opened(io.BytesIO(data))
        if stream is None:
            raise BadImageError("not a DICOM file")
        header = Elements(dataset(stream, _ELEMENTS, pixels=True))
        shown = _shown(header)
        if int(shown.max()) - int(shown.min()) < 2:
            raise BadImageError("all its pixels are of one grey")
        picture = drawn(shown)
        return ShownPicture(picture.data, picture.key, tuple(header.notes))
    except BadImageError:
        raise
    except Exception as error:  # damaged files fail in any way
        raise BadImageError(f"it can't be read: {reason_of(error)}") from error


def _shown(header: Elements) -> np.ndarray:
    rows, columns = header.whole("Rows") or 0, header.whole("Columns") or 0
    if rows < 1 or columns < 1:
        raise BadImageError("it holds no image, or ends before its pixels do")
    check_size(columns, rows)
    frame = middle_frame(header)
    raw = _decoded(header, frame)
    if header.term("PhotometricInterpretation") == "PALETTE COLOR":
        shown = _palette_colours(raw, header)
    elif raw.ndim == 3:
        shown = _eight_bits(raw, header.whole("BitsStored") or 8)
    else:
        shown = _grey(raw, header, frame)
    return _square(shown, header, frame)


def _decoded(header: Elements, frame: int) -> np.ndarray:
    """Return the stored values of one frame ``[rows, columns]``, or its colours ``[rows, columns, 3]`` as RGB."""
    from pydicom.encaps import get_frame
    from pydicom.pixels import as_pixel_options, get_decoder
    from pydicom.uid import JPEG2000TransferSyntaxes

    data = header.data
    if not any(name in data for name in _PIXELS):
        raise BadImageError("it has a header, but no pixels")
    _conform(header)
    syntax = data.file_meta.TransferSyntaxUID
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise BadImageError(f"packed as {printable(syntax.name)}, which is not read") from None
    try:
        high, stored, allocated = (header.whole(name) or 0 for name in ("HighBit", "BitsStored", "BitsAllocated"))
        shift = high + 1 - stored if high else 0
        whole_words = shift != 0 and decoder.is_native and "PixelData" in data and 1 <= stored <= allocated
        if syntax in JPEG2000TransferSyntaxes:
            _check_boxes(get_frame(data.PixelData, frame, number_of_frames=data.NumberOfFrames))
        options = as_pixel_options(data, **({"bits_stored": allocated} if whole_words else {}))
        raw, properties = decoder.as_array(data, index=frame, **options)
    except (NotImplementedError, RuntimeError) as error:
        text = " ".join(str(error).split())
        if "missing dependencies" not in text and "does not support" not in text:
            raise
        raise BadImageError(
            f"packed as {printable(syntax.name)}, which takes a decoder: pip install 'pylibjpeg[all]'"
        ) from error
    colours = str(properties["photometric_interpretation"])
    if colours not in (_RGB if raw.ndim == 3 else _ONE_VALUE):
        raise BadImageError(
            f"its pixels are said to be {colours}, with {raw[0, 0].size} values each, which can't be shown"
        )
    return _bits_in_place(raw, header, shift, stored) if whole_words else raw


def _conform(header: Elements) -> None:
    """Set the elements that pydicom decodes by as the standard writes them, where it can be seen what they are."""
    data = header.data
    frames = header.whole("NumberOfFrames")
    if frames is not None and frames < 1:
        header.note("NumberOfFrames is below 1, and was taken as 1")
    data.NumberOfFrames = max(frames or 1, 1)
    # Numbers of another type than the standard's are numbers all the same.
    for name in _WHOLE_NUMBERS:
        if (number := header.whole(name)) is not None:
            data.add_new(name, "US", number)
    terms = header.terms("PhotometricInterpretation")
    if len(set(terms)) > 1:
        raise BadImageError("its PhotometricInterpretation has several values")
    if terms:
        data.PhotometricInterpretation = terms[0]


def _check_boxes(frame: bytes) -> None:
    """Raise :class:`BadImageError` where the boxes of a JPEG 2000 file lead nowhere: pydicom follows them for ever."""
    if not frame.startswith(b"\0\0\0\x0cjP  "):
        return
    place = 12
    while place < len(frame) and frame[place + 4 : place + 8] != b"jp2c":
        length = int.from_bytes(frame[place : place + 4])
        if length < 8:
            raise BadImageError("its JPEG 2000 stream is damaged")
        place += length


def _bits_in_place(words: np.ndarray, header: Elements, shift: int, bits: int) -> np.ndarray:
    """Return stored values whose highest bit stands elsewhere than at the top of ``bits``, from whole words.

    A header may say so of values that stand where all others do: then no word uses more than its lowest bits.
    """
    signed = np.issubdtype(words.dtype, np.signedinteger)
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    allocated = 8 * words.dtype.itemsize
    if shift < 0 or shift + bits > allocated or (words.min() >= least and words.max() <= most):
        header.note("HighBit is not where the pixels have it, and was passed over")
        shift = 0
    # The sign, if any, is what stands at the top.
    return (words << (allocated - bits - shift)) >> (allocated - bits)


def _palette_colours(raw: np.ndarray, header: Elements) -> np.ndarray:
    """Return RGB by the tables of the three colours, plain or in segments."""
    if (
        header.value("RedPaletteColorLookupTableData") is None
        and "SegmentedRedPaletteColorLookupTableData" in header.data
    ):
        from pydicom.pixels import apply_color_lut

        colours = apply_color_lut(raw, header.data)[..., :3]
        return _eight_bits(colours, 8 * colours.dtype.itemsize)
    least, most = _range_of(raw, header)
    tables = []
    for colour in _COLOURS:
        name = f"{colour}PaletteColorLookupTable"
        table = _table(header.numbers(f"{name}Descriptor"), header.value(f"{name}Data"), least, most, header)
        if table is None:
            raise BadImageError(f"its palette has no readable table of {colour.lower()}")
        tables.append(table)
    # Of all three together: a colour that is never bright is not to be stretched.
    bits = 16 if max(int(table.entries.max()) for table in tables) > 255 else 8
    return np.stack([_eight_bits(table.of(raw), bits) for table in tables], axis=-1)


def _table(descriptor: list[float | None], data: object, least: float, most: float, header: Elements) -> _Table | None:
    """Return a lookup table for values from ``least`` to ``most``; ``None`` where it can't be read.

    The descriptor's bits of an entry hold only where the entries fit into them: tables of 16 bits pass for ones of 12.
    """
    numbers = [int(one) for one in descriptor if one is not None]
    if len(descriptor) != 3 or len(numbers) != 3 or data is None:
        return None
    count, first, bits = numbers[0] % 2**16 or 2**16, numbers[1], numbers[2]
    entries = _entries(data, count, bits, header)
    if entries is None:
        return None
    # 0xFC00 is -1024 or 64512: as it is written, unless values can only be the other.
    other = first - 2**16 if first >= 0 else first + 2**16
    first = next((one for one in (first, other) if one <= most and one + count > least), first)
    return _Table(entries, first, max(bits if 8 <= bits <= 16 else 16, int(entries.max()).bit_length()))


def _stands(item: Elements) -> bool:
    """Return whether an item of a sequence of tables has anything of one."""
    return item.value("LUTDescriptor") is not None or item.value("LUTData") is not None


def _entries(data: object, count: int, bits: int, header: Elements) -> np.ndarray | None:
    """Return the entries of a table, one or two in a word; ``None`` where there are fewer than it says."""
    if isinstance(data, bytes):
        order = "<" if header.data.original_encoding[1] else ">"
        words = np.frombuffer(data + b"\0" * (len(data) % 2), f"{order}u2")
        packed = len(data) < 2 * count
    else:
        try:
            words = np.atleast_1d(np.asarray(data)).astype(np.int64) & 0xFFFF
        except (TypeError, ValueError):
            return None
        packed = bits <= 8 and len(words) < count
    entries = np.stack([words & 0xFF, words >> 8], axis=-1).ravel() if packed else words
    return entries[:count] if len(entries) >= count else None


def _grey(raw: np.ndarray, header: Elements, frame: int) -> np.ndarray:
    """Return one frame of grey values as 8 bits, dark where a viewer shows it dark."""
    padding = _padding(raw, header)
    measured = _rescaled(raw, header, frame)
    shown = _of_voi_table(measured, header, frame)
    if shown is None:
        shown = _windowed(measured, header, frame)
    if shown is None:
        shown = stretched(measured.values, measured.values[~padding])
    shape = header.term("PresentationLUTShape")
    if header.terms("PresentationLUTShape") and shape not in ("IDENTITY", "INVERSE"):
        header.note("PresentationLUTShape is unknown, and was passed over")
    if header.term("PhotometricInterpretation") == "MONOCHROME1" or shape == "INVERSE":
        shown = 255 - shown
    return np.where(padding, np.uint8(0), shown)


def _range_of(raw: np.ndarray, header: Elements) -> tuple[float, float]:
    """Return the least and largest value that can be stored."""
    if not np.issubdtype(raw.dtype, np.integer):
        return float(np.nanmin(raw)), float(np.nanmax(raw))
    bits = header.whole("BitsStored") or 8 * raw.dtype.itemsize
    return (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if raw.dtype.kind == "i" else (0.0, 2.0**bits - 1)


def _rescaled(raw: np.ndarray, header: Elements, frame: int) -> _Values:
    least, most = _range_of(raw, header)
    for item in header.items("ModalityLUTSequence")[:1]:
        table = _table(item.numbers("LUTDescriptor"), item.value("LUTData"), least, most, header)
        if table is not None:
            values = table.of(raw).astype(np.float64)
            return _Values(values, 0.0, 2.0**table.bits - 1, rescaled=True)
        if _stands(item):
            header.note("ModalityLUTSequence holds no readable table, and was passed over")
    group = functional_group(header, frame, "PixelValueTransformationSequence") or header
    slope, intercept = group.needed_number("RescaleSlope"), group.needed_number("RescaleIntercept")
    if slope == 0:
        raise BadImageError("its RescaleSlope is 0")
    if (slope is None) != (intercept is None):
        header.note("RescaleSlope and RescaleIntercept stand one without the other, which was taken as 1 or 0")
    known = slope is not None or intercept is not None
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    ends = sorted((least * slope + intercept, most * slope + intercept))
    return _Values(raw.astype(np.float64) * slope + intercept, ends[0], ends[1], rescaled=known)


def _of_voi_table(measured: _Values, header: Elements, frame: int) -> np.ndarray | None:
    """Return 8 bits by the first table of the header that shows anything; ``None``: there is none."""
    group = functional_group(header, frame, "FrameVOILUTSequence")
    items = [*(group.items("VOILUTSequence") if group is not None else ()), *header.items("VOILUTSequence")]
    for item in items:
        table = _table(item.numbers("LUTDescriptor"), item.value("LUTData"), measured.least, measured.most, header)
        if table is not None and _varied(shown := _eight_bits(table.of(measured.values), table.bits)):
            return shown
    if any(map(_stands, items)):
        header.note("VOILUTSequence holds no table that shows anything, and was passed over")
    return None


def _windowed(measured: _Values, header: Elements, frame: int) -> np.ndarray | None:
    """Return 8 bits under the first window of the header that shows anything, or CT's own; ``None``: there is none."""
    group = functional_group(header, frame, "FrameVOILUTSequence")
    for place in (group, header) if group is not None else (header,):
        centres, widths = place.numbers("WindowCenter"), place.numbers("WindowWidth")
        function = place.term("VOILUTFunction")
        if place.terms("VOILUTFunction") and function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
            header.note("VOILUTFunction is unknown, and was taken as LINEAR")
        for number, (centre, width) in enumerate(zip_longest(centres, widths)):
            if centre is None or width is None or width <= 0:
                continue
            if _varied(shown := _of_unit(_window(measured.values, centre, width, function))):
                if number:
                    header.note("the first window shows nothing, and a later one was taken")
                return shown
        if centres or widths:
            header.note("WindowCenter and WindowWidth make no window that shows anything, and were passed over")
    if header.term("Modality") == "CT" and measured.rescaled:
        low, high = CT_WINDOW
        shown = _of_unit((measured.values - low) / (high - low))
        return shown if _varied(shown) else None
    return None


def _window(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """Return values from 0 (black) to 1 (white) under a window (PS3.3 C.11.2.1)."""
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    # A width below 1 is none of LINEAR's: it stands with values that are no whole numbers, and means what it says.
    if function == "LINEAR_EXACT" or width < 1:
        return (values - centre) / width + 0.5
    if width == 1:
        return (values > centre - 0.5).astype(np.float64)
    return (values - (centre - 0.5)) / (width - 1) + 0.5


def _padding(raw: np.ndarray, header: Elements) -> np.ndarray:
    """Return where the image is padding and no measurement."""
    nowhere = np.zeros(raw.shape, dtype=bool)
    low, high = (_stored(name, raw, header) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit"))
    if low is None:
        if high is not None:
            header.note("PixelPaddingRangeLimit stands without a PixelPaddingValue, and was passed over")
        return nowhere
    high = low if high is None else high
    padding = (raw >= min(low, high)) & (raw <= max(low, high))
    return nowhere if padding.all() else padding


def _stored(name: str, raw: np.ndarray, header: Elements) -> int | None:
    """Return a value as the pixels have it: writers say 63536 where the pixels, which are signed, hold -2000."""
    value, (least, most) = header.number(name), _range_of(raw, header)
    if value is None or not np.issubdtype(raw.dtype, np.integer):
        return None
    turn = 2 ** (header.whole("BitsAllocated") or 8 * raw.dtype.itemsize)
    for one in (value, value - turn, value + turn):
        if least <= one <= most:
            return int(one)
    header.note(f"{name} is no value that a pixel can have, and was passed over")
    return None


def _square(shown: np.ndarray, header: Elements, frame: int) -> np.ndarray:
    """Return 8-bit pixels resampled to squares, larger along the side that was too short."""
    aspect = _aspect(header, frame)
    height, width = shown.shape[:2]
    new_height, new_width = round(height * max(aspect, 1)), round(width * max(1 / aspect, 1))
    if abs(aspect - 1) < SQUARE or (new_height, new_width) == (height, width):
        return shown
    check_size(new_width, new_height)
    resized = Image.fromarray(shown).resize((new_width, new_height), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def _aspect(header: Elements, frame: int) -> float:
    """Return how much higher than wide a pixel is."""
    group = functional_group(header, frame, "PixelMeasuresSequence")
    for place, name in ([(group, "PixelSpacing")] if group is not None else []) + [(header, one) for one in _ASPECTS]:
        sizes = place.numbers(name)
        if not sizes:
            continue
        if len(sizes) == 2 and sizes[0] is not None and sizes[1] is not None and min(sizes[0], sizes[1]) > 0:
            aspect = sizes[0] / sizes[1]
            if 1 / MAX_ASPECT <= aspect <= MAX_ASPECT:
                return aspect
        header.note(f"{name} is no shape of a pixel, and was passed over")
    return 1.0


def _varied(shown: np.ndarray) -> bool:
    """Return whether an image shows more than one grey: what doesn't is the fault of its header."""
    return bool(shown.min() != shown.max())


def _eight_bits(values: np.ndarray, bits: int) -> np.ndarray:
    return values.astype(np.uint8) if bits == 8 else _of_unit(values.astype(np.float64) / (2**bits - 1))


def _of_unit(values: np.ndarray) -> np.ndarray:
    return (np.clip(np.nan_to_num(values), 0, 1) * 255).round().astype(np.uint8)
