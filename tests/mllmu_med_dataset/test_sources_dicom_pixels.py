"""What a viewer shows of files that keep to the standard, and of those that don't."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian

from mllmu_med_dataset.sources.dicom_pixels import dicom_picture
from mllmu_med_dataset.sources.images import BadImageError
from tests.source_fixtures.dicom import COLOURED, KINDS, Stored, write_dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
GREY = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (32, 1))
CT, MR, CR = KINDS[3], KINDS[2], KINDS[0]
# CT of the fixture: stored as 2 * grey + 824 with an intercept of -1024.
HOUNSFIELD = 2 * GREY[0].astype(int) - 200


def made(tmp_path, kind=CT, grey=GREY, **elements):
    return dicom_picture(write_dicom(tmp_path / "x.dcm", grey, kind, number=1, **elements).read_bytes())


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture.data))).astype(int)


def row(tmp_path, kind=CT, grey=GREY, **elements):
    return pixels(made(tmp_path, kind, grey, **elements))[0]


def signed(values):
    """Return the elements of an image of signed 16-bit values."""
    values = np.asarray(values, dtype=np.int16)
    return {
        "PixelRepresentation": 1,
        "PixelData": values.tobytes(),
        "Rows": values.shape[0],
        "Columns": values.shape[1],
    }


def item(**elements):
    made = Dataset()
    for name, value in elements.items():
        if name.startswith("LUT"):
            made.add_new(name, "US", value)
        else:
            setattr(made, name, value)
    return made


def table(entries, first, bits, count=None, vr="US"):
    """Return a sequence of one lookup table."""
    made = Dataset()
    descriptor_vr = "SS" if first < 0 else "US"
    made.add_new("LUTDescriptor", descriptor_vr, [len(entries) if count is None else count, first, bits])
    made.add_new("LUTData", vr, entries if vr == "US" else np.asarray(entries, dtype="<u2").tobytes())
    return [made]


def window(centre, width):
    """Return the greys of the CT row under a linear window, by the standard's formula."""
    return np.clip(((HOUNSFIELD - (centre - 0.5)) / (width - 1) + 0.5) * 255, 0, 255).round()


EMPTY = Stored("DS", b"")


@pytest.mark.parametrize(
    "empty",
    [
        {"VOILUTSequence": []},
        {"VOILUTSequence": [Dataset()]},
        {"VOILUTSequence": [item(LUTDescriptor=None, LUTData=None)]},
        {"ModalityLUTSequence": []},
        {"ModalityLUTSequence": [Dataset()]},
        {"PixelPaddingValue": Stored("US", b"")},
        {"PixelAspectRatio": Stored("IS", b"")},
        {"PixelSpacing": EMPTY},
        {"NumberOfFrames": Stored("IS", b"")},
        {"HighBit": Stored("US", b"")},
        {"VOILUTFunction": Stored("CS", b"")},
        {"PresentationLUTShape": Stored("CS", b"  ")},
        {"PerFrameFunctionalGroupsSequence": []},
        {"SharedFunctionalGroupsSequence": [Dataset()]},
    ],
    ids=lambda one: next(iter(one)),
)
def test_an_empty_element_is_an_absent_one(tmp_path, empty):
    picture = made(tmp_path, WindowCenter=40, WindowWidth=101, **empty)
    assert (pixels(picture)[0] == window(40, 101)).all()
    assert picture.notes == ()


def test_rescaling_that_is_empty_is_none(tmp_path):
    stored = 2 * GREY[0].astype(int) + 824
    for absent in (EMPTY, None):
        shown = row(tmp_path, RescaleSlope=absent, RescaleIntercept=absent, WindowCenter=1064, WindowWidth=101)
        assert (shown == np.clip(((stored - 1063.5) / 100 + 0.5) * 255, 0, 255).round()).all()


def test_of_rescaling_one_half_is_told(tmp_path):
    picture = made(tmp_path, RescaleSlope=EMPTY, WindowCenter=40, WindowWidth=101)
    assert (pixels(picture)[0] == window(40, 101)).all()
    assert picture.notes == (
        "RescaleSlope and RescaleIntercept stand one without the other, which was taken as 1 or 0",
    )


def test_an_empty_window_beside_a_table_is_none(tmp_path):
    # The table turns the 64 values of the row into 64 equal steps.
    steps = table([number * 1040 for number in range(64)], 0, 16)
    shown = row(
        tmp_path, MR, PixelData=np.tile(np.arange(64, dtype=np.uint16), (32, 1)).tobytes(),
        WindowCenter=EMPTY, WindowWidth=EMPTY, VOILUTSequence=steps,
    )  # fmt: skip
    assert (shown == np.round(np.arange(64) * 1040 / 65535 * 255)).all()


@pytest.mark.parametrize(
    ("centre", "width", "shown_as", "note"),
    [
        (b"40,5", b"101", (40.5, 101), "WindowCenter has a decimal comma, read as a point"),
        (b"40", b"101,0", (40, 101), "WindowWidth has a decimal comma, read as a point"),
        (b"40\\500", b"101\\2000", (40, 101), None),
        (b" 40 \\500", b"101 ", (40, 101), None),
        (b"\\40", b"0\\101", (40, 101), "a later one was taken"),
        (b"7\\40", b"-5\\101", (40, 101), "a later one was taken"),
        (b"x\\40", b"x\\101", (40, 101), "WindowCenter is no number"),
        (b"40\0", b"1.01e2", (40, 101), None),
    ],
)
def test_a_window_is_read_however_it_is_written(tmp_path, centre, width, shown_as, note):
    picture = made(tmp_path, WindowCenter=Stored("DS", centre), WindowWidth=Stored("DS", width))
    assert (pixels(picture)[0] == window(*shown_as)).all()
    assert any(note in one for one in picture.notes) if note else picture.notes == ()


@pytest.mark.parametrize(
    ("centre", "width"),
    [(b"40", b"0"), (b"40", b"-5"), (b"99999", b"1"), (b"40", b""), (b"", b"400"), (b"nan", b"inf"), (b"1,2,3", b"a"),
     (b"middle", b"400")],
)  # fmt: skip
def test_a_window_that_shows_nothing_is_passed_over_and_told(tmp_path, centre, width):
    picture = made(tmp_path, WindowCenter=Stored("DS", centre), WindowWidth=Stored("DS", width))
    assert (pixels(picture) == pixels(made(tmp_path))).all()
    assert "WindowCenter and WindowWidth make no window that shows anything, and were passed over" in picture.notes


def test_the_three_functions_of_a_window(tmp_path):
    exact = row(tmp_path, WindowCenter=40, WindowWidth=100, VOILUTFunction="LINEAR_EXACT")
    assert (exact == np.clip(((HOUNSFIELD - 40) / 100 + 0.5) * 255, 0, 255).round()).all()
    sigmoid = row(tmp_path, WindowCenter=40, WindowWidth=100, VOILUTFunction="SIGMOID")
    assert (sigmoid == np.round(255 / (1 + np.exp(-4 * (HOUNSFIELD - 40) / 100)))).all()
    assert (row(tmp_path, WindowCenter=40, WindowWidth=1) == np.where(HOUNSFIELD > 39.5, 255, 0)).all()
    unknown = made(tmp_path, WindowCenter=40, WindowWidth=101, VOILUTFunction="GAMMA")
    assert (pixels(unknown)[0] == window(40, 101)).all()
    assert unknown.notes == ("VOILUTFunction is unknown, and was taken as LINEAR",)


@pytest.mark.parametrize(
    ("slope", "reason"),
    [(b"abc", "its RescaleSlope is no number"), (b"nan", "its RescaleSlope is no number"), (b"0", "RescaleSlope is 0")],
)
def test_without_its_slope_no_picture_can_be_shown(tmp_path, slope, reason):
    with pytest.raises(BadImageError, match=reason):
        made(tmp_path, RescaleSlope=Stored("DS", slope))


PADDED = np.tile(np.concatenate([np.full(16, -2000), np.arange(-100, 380, 10)]), (32, 1))


@pytest.mark.parametrize(
    ("vr", "value"),
    [("US", b"\x30\xf8"), ("SS", b"\x30\xf8"), ("SL", b"\x30\xf8\xff\xff"), ("US", b"\x30\xf8\x30\xf8")],
)
def test_padding_is_read_as_the_pixels_are(tmp_path, vr, value):
    # 0xF830 is 63536 or, in the pixels, -2000.
    picture = made(tmp_path, MR, PixelPaddingValue=Stored(vr, value), **signed(PADDED))
    shown = pixels(picture)
    assert (shown[:, :16] == 0).all() and shown[0, 16] == 0 and shown[0, -1] == 255
    # From -100 to 370: the tissue takes the whole range.
    assert shown[0, 40] == pytest.approx(255 * 24 / 47, abs=3)


def test_unsigned_padding_may_be_written_as_a_negative_number(tmp_path):
    values = PADDED.astype(np.int64) % 2**16
    values[:, 16:] = np.arange(0, 480, 10)
    elements = {"PixelData": values.astype(np.uint16).tobytes(), "PixelPaddingValue": Stored("SS", b"\x30\xf8")}
    shown = row(tmp_path, MR, **elements)
    assert (shown[:16] == 0).all() and shown[-1] == 255 and shown[40] == pytest.approx(255 * 24 / 47, abs=3)


def test_a_range_of_padding_has_two_ends_in_either_order(tmp_path):
    values = PADDED.copy()
    values[:, :8] = -1990
    for low, high in ((-2000, -1980), (-1980, -2000)):
        elements = {"PixelPaddingValue": Stored("US", int(low % 2**16).to_bytes(2, "little")),
                    "PixelPaddingRangeLimit": Stored("US", int(high % 2**16).to_bytes(2, "little"))}  # fmt: skip
        shown = row(tmp_path, MR, **signed(values), **elements)
        assert (shown[:16] == 0).all() and shown[40] == pytest.approx(255 * 24 / 47, abs=3)


def test_the_numbers_of_an_image_may_be_of_any_type(tmp_path):
    plain = made(tmp_path)
    for elements, notes in (
        ({"Rows": Stored("DS", b"32"), "Columns": Stored("IS", b"64 ")}, 0),
        ({"Rows": Stored("UL", b"\x20\0\0\0"), "BitsStored": Stored("SS", b"\x10\0")}, 0),
        ({"NumberOfFrames": Stored("IS", b"1.0")}, 0),
        ({"NumberOfFrames": Stored("IS", b"0")}, 1),
        ({"NumberOfFrames": Stored("IS", b"-3")}, 1),
        ({"NumberOfFrames": Stored("IS", b"1A")}, 1),
        ({"RescaleSlope": Stored("FD", np.float64(1).tobytes()), "RescaleIntercept": Stored("LO", b"-1024,0")}, 1),
        ({"RescaleSlope": Stored("DS", b"1\\2")}, 1),
        ({"PixelPaddingRangeLimit": Stored("US", b"\0\0")}, 1),
    ):
        picture = made(tmp_path, **elements)
        assert picture.key == plain.key and len(picture.notes) == notes


@pytest.mark.parametrize("padding", [Stored("US", b"\xff\xff"), Stored("LO", b"none")])
def test_padding_that_no_pixel_can_be_is_told(tmp_path, padding):
    picture = made(tmp_path, CR, PixelPaddingValue=padding)
    assert (pixels(picture) == pixels(made(tmp_path, CR))).all() and len(picture.notes) == 1
    assert picture.notes[0].startswith("PixelPaddingValue is no")


DISC = (np.hypot(*np.mgrid[-14:14, -14:14]) < 9).astype(np.uint8) * 200


@pytest.mark.parametrize(
    ("element", "value", "shape"),
    [
        ("PixelAspectRatio", ["2", "1"], (56, 28)),
        ("PixelAspectRatio", ["1", "2"], (28, 56)),
        ("PixelAspectRatio", Stored("IS", b"4\\3"), (37, 28)),
        ("PixelSpacing", [0.8, 0.4], (56, 28)),
        ("PixelSpacing", Stored("DS", b"0,8\\0,4"), (56, 28)),
        ("ImagerPixelSpacing", [0.1, 0.15], (28, 42)),
        ("NominalScannedPixelSpacing", [0.2, 0.1], (56, 28)),
        ("PixelSpacing", [0.4, 0.401], (28, 28)),
    ],
)
def test_pixels_are_made_square_along_their_longer_side(tmp_path, element, value, shape):
    shown = pixels(made(tmp_path, MR, DISC, **{element: value}))
    assert shown.shape == shape
    # Rows of a pixel twice as high as wide stood for twice the length: the disc grows along them alone.
    inside = shown > 100
    assert inside.any(axis=1).sum() == pytest.approx(17 * shape[0] / 28, abs=1)
    assert inside.any(axis=0).sum() == pytest.approx(17 * shape[1] / 28, abs=1)


def test_spacing_comes_before_the_aspect_ratio_and_a_frames_own_before_all(tmp_path):
    assert pixels(made(tmp_path, MR, DISC, PixelSpacing=[1, 1], PixelAspectRatio=["2", "1"])).shape == (28, 28)
    measures = item(PixelMeasuresSequence=[item(PixelSpacing=[1.0, 2.0])])
    shown = made(tmp_path, MR, DISC, PixelSpacing=[1, 1], SharedFunctionalGroupsSequence=[measures])
    assert pixels(shown).shape == (28, 56)
    assert pixels(made(tmp_path, COLOURED, DISC, PixelAspectRatio=["2", "1"])).shape == (56, 28, 3)


@pytest.mark.parametrize("spacing", [b"0\\0", b"-1\\1", b"1", b"1\\2\\3", b"0.001\\5", b"a\\b"])
def test_a_spacing_that_no_pixel_has_is_passed_over_and_told(tmp_path, spacing):
    picture = made(tmp_path, MR, DISC, PixelSpacing=Stored("DS", spacing))
    assert pixels(picture).shape == (28, 28)
    assert "PixelSpacing is no shape of a pixel, and was passed over" in picture.notes


@pytest.mark.parametrize("vr", ["US", "OW"])
@pytest.mark.parametrize("bits", [8, 12, 13, 16, 99])
def test_a_modality_table_is_read_whatever_bits_it_names(tmp_path, vr, bits):
    squares = [number * number for number in range(64)]
    values = np.tile(np.arange(64, dtype=np.uint16), (32, 1))
    shown = row(
        tmp_path, MR, PixelData=values.tobytes(), ModalityLUTSequence=table(squares, 0, bits, vr=vr),
        WindowCenter=2000, WindowWidth=4001,
    )  # fmt: skip
    assert (shown == np.clip(((np.array(squares) - 1999.5) / 4000 + 0.5) * 255, 0, 255).round()).all()


def test_a_table_of_no_entries_is_one_of_65536(tmp_path):
    entries = np.arange(65536, dtype=np.uint16)[::-1]
    sequence = table(entries.tolist(), 0, 16, count=0, vr="OW")
    shown = row(tmp_path, MR, PixelData=(GREY.astype(np.uint16) * 257).tobytes(), VOILUTSequence=sequence)
    assert (shown == 255 - GREY[0]).all()


@pytest.mark.parametrize("first", [-32, 65504])
def test_the_first_value_of_a_table_is_signed_where_the_pixels_are(tmp_path, first):
    # Entry 0 is for -32, however that is written; values beyond the table have its first and last entry.
    values = np.tile(np.arange(-64, 64, 2), (32, 1))
    shown = row(tmp_path, MR, VOILUTSequence=table([4 * n for n in range(64)], first, 8), **signed(values))
    assert (shown == np.clip(4 * (values[0] + 32), 0, 252)).all()


def test_a_table_of_hounsfield_units_begins_below_zero(tmp_path):
    sequence = table([min(255, n) for n in range(512)], 65536 - 200, 8)
    assert (row(tmp_path, VOILUTSequence=sequence) == np.clip(HOUNSFIELD + 200, 0, 255)).all()


def test_an_enhanced_image_may_bring_its_table_in_its_groups(tmp_path):
    group = item(FrameVOILUTSequence=[item(VOILUTSequence=table([min(255, n) for n in range(512)], -200, 8))])
    shown = row(tmp_path, PerFrameFunctionalGroupsSequence=[group], WindowCenter=1, WindowWidth=2)
    assert (shown == np.clip(HOUNSFIELD + 200, 0, 255)).all()


def test_ct_that_is_not_rescaled_is_not_in_hounsfield_units(tmp_path):
    shown = row(tmp_path, RescaleSlope=None, RescaleIntercept=None)
    assert shown[0] == 0 and shown[-1] == 255 and np.ptp(np.diff(shown)) <= 5


@pytest.mark.parametrize(
    "sequence",
    [
        table([1, 2, 3], 0, 16, count=64),
        [item(LUTData=[1, 2, 3])],
        table([7] * 64, 0, 16),
        [item(LUTDescriptor=[3, 0, 8])],
    ],
)
def test_a_table_that_shows_nothing_leaves_the_window(tmp_path, sequence):
    picture = made(tmp_path, WindowCenter=40, WindowWidth=101, VOILUTSequence=sequence)
    assert (pixels(picture)[0] == window(40, 101)).all()
    assert picture.notes == ("VOILUTSequence holds no table that shows anything, and was passed over",)


def test_inversion_is_said_in_two_ways_and_done_once(tmp_path):
    plain = pixels(made(tmp_path, CR, PhotometricInterpretation="MONOCHROME2"))
    for elements in (
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"},
        {"PhotometricInterpretation": "MONOCHROME2", "PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": Stored("CS", b"monochrome1 ")},
    ):
        assert (pixels(made(tmp_path, CR, **elements)) == 255 - plain).all()
    shape = made(tmp_path, CR, PhotometricInterpretation="MONOCHROME2", PresentationLUTShape="LIN OD")
    assert (pixels(shape) == plain).all() and len(shape.notes) == 1


def test_a_voi_table_of_monochrome1_is_inverted_after_it(tmp_path):
    values = np.tile(np.arange(64, dtype=np.uint16), (32, 1)).tobytes()
    shown = row(tmp_path, CR, PixelData=values, VOILUTSequence=table([4 * n for n in range(64)], 0, 8))
    assert (shown == 255 - 4 * np.arange(64)).all()


@pytest.mark.parametrize("is_signed", [False, True])
def test_bits_beyond_those_stored_are_no_part_of_a_value(tmp_path, is_signed):
    # 12 bits; an overlay in bit 15 of every other pixel.
    values = np.tile(np.arange(64) * 8 - (256 if is_signed else 0), (32, 1))
    words = (values & 0xFFF).astype(np.uint16)
    words[:, ::2] |= 0x8000
    elements = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": int(is_signed), "PixelData": words.tobytes()}
    centre = 252 - (256 if is_signed else 0)
    shown = row(tmp_path, MR, WindowCenter=centre, WindowWidth=505, **elements)
    assert (shown == np.clip(((values[0] - centre + 0.5) / 504 + 0.5) * 255, 0, 255).round()).all()


@pytest.mark.parametrize("is_signed", [False, True])
def test_values_may_stand_in_the_upper_bits(tmp_path, is_signed):
    # 12 bits up to bit 15, an overlay below them.
    values = np.tile(np.arange(64) * 64 - (2048 if is_signed else 0), (32, 1))
    words = ((values & 0xFFF) << 4).astype(np.uint16) | 0x5
    elements = {"BitsStored": 12, "HighBit": 15, "PixelRepresentation": int(is_signed), "PixelData": words.tobytes()}
    shown = made(tmp_path, MR, WindowCenter=values[0, 32], WindowWidth=4001, **elements)
    assert shown.notes == ()
    expected = ((values[0] - values[0, 32] + 0.5) / 4000 + 0.5) * 255
    assert (pixels(shown)[0] == np.clip(expected, 0, 255).round()).all()


@pytest.mark.parametrize("high", [15, 3])
def test_a_high_bit_that_the_pixels_contradict_is_told(tmp_path, high):
    shown = made(tmp_path, CR, HighBit=high)
    assert (pixels(shown) == pixels(made(tmp_path, CR))).all()
    assert shown.notes == ("HighBit is not where the pixels have it, and was passed over",)


def palette(**elements):
    values = np.tile(np.arange(64, dtype=np.uint8), (32, 1))
    made = {
        "PhotometricInterpretation": "PALETTE COLOR", "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7,
        "PixelData": values.tobytes(),
    }  # fmt: skip
    for number, colour in enumerate(("Red", "Green", "Blue")):
        made[f"{colour}PaletteColorLookupTableDescriptor"] = [64, 0, 16]
        made[f"{colour}PaletteColorLookupTableData"] = (np.arange(64, dtype="<u2") * (1, 2, 3)[number] * 257).tobytes()
    return made | elements


def test_a_palette_is_looked_up(tmp_path):
    shown = row(tmp_path, COLOURED, SamplesPerPixel=1, **palette())
    assert (shown == np.arange(64)[:, None] * [1, 2, 3]).all()


@pytest.mark.parametrize("entries", [63, 64])
def test_a_palette_of_bytes_may_have_an_odd_number_of_them(tmp_path, entries):
    data = {
        f"{colour}PaletteColorLookupTable{what}": value
        for colour in ("Red", "Green", "Blue")
        for what, value in (("Descriptor", [entries, 0, 8]), ("Data", bytes(range(entries)) + b"\0" * (entries % 2)))
    }
    shown = row(tmp_path, COLOURED, SamplesPerPixel=1, **palette(**data))
    assert (shown == np.minimum(np.arange(64), entries - 1)[:, None]).all()


def test_a_palette_without_a_colour_is_refused(tmp_path):
    with pytest.raises(BadImageError, match="no readable table of green"):
        made(tmp_path, COLOURED, SamplesPerPixel=1, **palette(GreenPaletteColorLookupTableData=None))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gdcm-US-ALOKA-16.dcm", "gdcm-US-ALOKA-16_big.dcm"),
        ("OBXXXX1A.dcm", "OBXXXX1A_expb.dcm"),
        ("OBXXXX1A.dcm", "OBXXXX1A_rle.dcm"),
        ("MR_small.dcm", "MR_small_bigendian.dcm"),
        ("MR_small.dcm", "MR_small_implicit.dcm"),
        ("SC_rgb_16bit.dcm", "SC_rgb_expb_16bit.dcm"),
        ("SC_rgb.dcm", "SC_rgb_rle.dcm"),
        ("emri_small.dcm", "emri_small_RLE.dcm"),
        ("RG3_UNCR.dcm", "RG3_J2KR.dcm"),
    ],
)
def test_a_picture_does_not_depend_on_how_it_is_stored(one, other):
    paths = [Path(get_testdata_file(name, download=False)) for name in (one, other)]
    keys = {dicom_picture(path.read_bytes()).key for path in paths}
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"PixelData": None}, "it has a header, but no pixels"),
        ({"Rows": None}, "it holds no image"),
        ({"Rows": Stored("US", b"")}, "it holds no image"),
        ({"Rows": Stored("US", b"\0\0")}, "it holds no image"),
        ({"Columns": 9999}, "less than expected"),
        ({"NumberOfFrames": 9}, "less than expected"),
        ({"PixelData": b"\0\0"}, "less than expected"),
        ({"BitsAllocated": None}, "'Bits Allocated'"),
        ({"BitsStored": 0}, "'Bits Stored'"),
        ({"BitsStored": 17}, "'Bits Stored'"),
        ({"PixelRepresentation": None}, "'Pixel Representation'"),
        ({"SamplesPerPixel": 2}, "'Samples per Pixel'"),
        ({"PhotometricInterpretation": "PURPLE"}, "'PURPLE'"),
        ({"PhotometricInterpretation": None}, "'Photometric Interpretation'"),
        ({"PhotometricInterpretation": "RGB"}, "said to be RGB"),
        ({"PhotometricInterpretation": "CMYK"}, "said to be CMYK"),
        ({"PhotometricInterpretation": Stored("CS", b"RGB\\MONOCHROME2")}, "PhotometricInterpretation has several"),
        ({"NumberOfFrames": Stored("IS", b"2147483647")}, "less than expected"),
        ({"PixelData": np.full((32, 64), 900, np.uint16).tobytes()}, "all its pixels are of one grey"),
    ],
    ids=str,
)
def test_without_these_there_is_no_picture(tmp_path, elements, reason):
    with pytest.raises(BadImageError, match=reason):
        made(tmp_path, **elements)


@pytest.mark.parametrize(
    ("syntax", "reason"),
    [
        ("1.2.840.10008.1.2.4.80", "packed as JPEG-LS Lossless.*pip install 'pylibjpeg"),
        ("1.2.840.10008.1.2.4.102", "packed as MPEG-4.*, which is not read"),
        ("1.2.3.4.5", "packed as 1.2.3.4.5, which is not read"),
    ],
)
def test_a_packing_that_is_not_decoded_is_named(tmp_path, syntax, reason):
    data = write_dicom(tmp_path / "x.dcm", GREY, MR).read_bytes()
    padded = syntax.encode() + b"\0" * (len(syntax) % 2)
    known = ExplicitVRLittleEndian.encode() + b"\0"
    start = data.index(known) - 2
    changed = data[:start] + len(padded).to_bytes(2, "little") + padded + data[start + 2 + len(known) :]
    with pytest.raises(BadImageError, match=reason):
        dicom_picture(changed)


def test_a_stream_whose_boxes_lead_nowhere_is_not_followed_for_ever(tmp_path):
    data, changed = dcmread(get_testdata_file("MR_small_jp2klossless.dcm", download=False)), io.BytesIO()
    data.PixelData = encapsulate([b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40)])
    data.save_as(changed)
    with pytest.raises(BadImageError, match="its JPEG 2000 stream is damaged"):
        dicom_picture(changed.getvalue())


def test_floating_values_may_be_no_numbers(tmp_path):
    values = np.tile(np.linspace(-1, 1, 64, dtype=np.float32), (32, 1))
    values[0, :3] = np.nan, np.inf, -np.inf
    elements = {"PixelData": None, "FloatPixelData": values.tobytes(), "BitsAllocated": 32, "PixelRepresentation": None}
    shown = pixels(made(tmp_path, MR, **elements))
    assert list(shown[0, :3]) == [0, 255, 0] and (np.diff(shown[1]) >= 0).all() and shown[1, -1] == 255


def bare(path, *, implicit):
    """Return a file without preamble and group 2."""
    data, written = dcmread(path), io.BytesIO()
    data.preamble, data.file_meta = None, FileMetaDataset()
    data.save_as(written, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    return written.getvalue()


@pytest.mark.parametrize(
    ("kind", "elements"),
    [
        (CT, {"WindowCenter": 40, "WindowWidth": 101}),
        (CT, {"VOILUTSequence": table([min(255, n) for n in range(512)], 65536 - 200, 8)}),
        (CT, {"VOILUTSequence": [item(LUTDescriptor=None)], "RescaleSlope": EMPTY}),
        (MR, {"PixelPaddingValue": Stored("US", b"\x30\xf8"), **signed(PADDED)}),
        (MR, {"VOILUTSequence": table([4 * n for n in range(64)], -32, 8), **signed(PADDED)}),
        (MR, {"ModalityLUTSequence": table(list(range(5000)), 0, 12)}),
        (COLOURED, {"SamplesPerPixel": 1, **palette()}),
    ],
)
@pytest.mark.parametrize("implicit", [False, True])
def test_without_preamble_and_with_implicit_types_the_picture_is_the_same(tmp_path, kind, elements, implicit):
    whole = made(tmp_path, kind, **elements)
    data = bare(tmp_path / "x.dcm", implicit=implicit)
    assert data[:2] == b"\x08\0" and dicom_picture(data).key == whole.key
