import bz2
import gzip
import io
import logging
import lzma
import sys
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from mllmu_med_dataset.building.left_out import Losses
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.injection.incorrectness import contradicts, corrupt
from mllmu_med_dataset.sources import dicom_files, open_source
from mllmu_med_dataset.sources import images as source_images
from mllmu_med_dataset.sources.dicom import BODY_PARTS, MODALITIES, facts, records
from mllmu_med_dataset.sources.dicom_pixels import dicom_picture
from mllmu_med_dataset.sources.images import BadImageError
from mllmu_med_metrics.vocabulary import QUESTION_TYPES
from tests.source_fixtures import pack
from tests.source_fixtures.dicom import COLOURED, KINDS, NAMES, Stored, make_dicom, write_dicom

# Outside pytest the source itself keeps these quiet.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
PATIENTS = 12
SAID = {"license": "CC0-1.0", "redistributable": True}
GREY = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (32, 1))
CT, MR, CR = KINDS[3], KINDS[2], KINDS[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_dicom(tmp_path_factory.mktemp("dicom") / "export", patients=PATIENTS)


@pytest.fixture(scope="module")
def found(folder):
    return list(records(path=folder, **SAID))


def pixels(path_or_data):
    data = path_or_data if isinstance(path_or_data, bytes) else path_or_data.read_bytes()
    return np.asarray(Image.open(io.BytesIO(dicom_picture(data).data))).astype(int)


def written(tmp_path, kind=CT, grey=GREY, **elements):
    return write_dicom(tmp_path / "x.dcm", grey, kind, number=1, **elements)


def real(name):
    with open(get_testdata_file(name, download=False), "rb") as file:
        return file.read()


def header(**elements):
    data = Dataset()
    for name, value in elements.items():
        setattr(data, name, value)
    return data


def told(**elements):
    return {fact.asked: fact.value for fact in facts(header(**elements))}


def test_each_file_is_asked_what_its_header_tells(found):
    asked = {}
    for one in found:
        asked.setdefault(one.image_key, {})[one.source_id.split("-")[1]] = one.fact
    kinds = {tuple(sorted(facts.items())) for facts in asked.values()}
    assert len(asked) == PATIENTS
    assert kinds == {
        (("modality", "X-ray"), ("part", "chest"), ("view", "posteroanterior")),
        (("modality", "X-ray"), ("part", "leg"), ("side", "right"), ("view", "anteroposterior")),
        (("modality", "MR"), ("part", "shoulder"), ("plane", "coronal"), ("side", "left")),
        (("modality", "CT"), ("part", "spine"), ("plane", "axial")),
        (("modality", "MR"), ("plane", "axial")),
        (("modality", "MR"), ("part", "abdomen"), ("plane", "axial")),
    }


def test_nothing_of_the_patient_is_in_a_record(folder, found):
    secrets = ["SECRET", "Secret", "1931", "IM00", "series", *(part for name in NAMES for part in name.split("^"))]
    for one in found:
        text = one.model_dump_json(exclude={"image_bytes"})
        assert not [secret for secret in secrets if secret in text]
        assert not [secret for secret in secrets if secret.encode() in one.image_bytes]
    assert b"SECRET" in next(folder.rglob("*.dcm")).read_bytes()


def test_facts_stand_in_their_answers_and_can_be_told_wrongly(found):
    for one in found:
        assert one.fact in one.answer and one.fact in one.fact_values and one.question_type in QUESTION_TYPES
        wrong = corrupt(one, seed=0)
        assert wrong is not None and one.fact not in wrong.answer


@pytest.mark.parametrize("code", sorted(BODY_PARTS))
def test_no_other_body_part_of_a_closed_set_is_of_the_same_region(code):
    (fact,) = facts(header(BodyPartExamined=code))
    others = [value for value in fact.values if value != fact.value]
    assert sum(contradicts(value, fact.value) for value in others) >= 2
    region = BODY_PARTS[code][1]
    assert not [value for value in others if region == BODY_PARTS.get(value.upper(), ("", ""))[1]]


@pytest.mark.parametrize("code", sorted(MODALITIES))
def test_no_other_modality_of_a_closed_set_is_true_of_the_image(code):
    (fact,) = facts(header(Modality=code))
    assert all(contradicts(value, fact.value) for value in fact.values if value != fact.value)
    assert not ({"X-ray"} & set(fact.values)) or fact.value not in ("mammography", "fluoroscopy", "angiography")


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [
        ([1, 0, 0, 0, 1, 0], "axial"),
        ([0.99, 0.1, 0, -0.1, 0.99, 0.05], "axial"),
        ([1, 0, 0, 0, 0, -1], "coronal"),
        ([0, 1, 0, 0, 0, -1], "sagittal"),
        ([1, 0, 0, 0, 0.7, 0.7], None),
        ([1, 0, 0, 1, 0, 0], None),
        ([1, 0, 0], None),
        ([0] * 6, None),
    ],
)
def test_the_plane_is_the_axis_that_the_normal_follows(orientation, plane):
    assert told(Modality="MR", ImageOrientationPatient=orientation).get("plane") == plane
    # A radiograph has a view, and no plane that its header could be trusted with.
    assert "plane" not in told(Modality="DX", ImageOrientationPatient=orientation)


def test_a_coloured_image_keeps_its_colours(tmp_path):
    shown = pixels(written(tmp_path, COLOURED))
    assert (shown == np.stack([GREY, GREY, 255 - GREY], axis=-1)).all()


def test_what_a_header_says_in_no_known_term_is_not_asked():
    assert told(Modality="OT", BodyPartExamined="JOHN DOE", Laterality="B", ViewPosition="5") == {}
    assert told(Modality="", BodyPartExamined=None) == {}
    assert told(Modality="ct ", BodyPartExamined="Chest") == {"modality": "CT", "part": "chest"}
    assert told(Modality="MG", ViewPosition="MLO", ImageLaterality="R", Laterality="L")["side"] == "right"


def test_real_files_are_shown_as_a_viewer_shows_them():
    chest, leg = pixels(real("RG1_UNCR.dcm")), pixels(real("RG3_UNCR.dcm"))
    # MONOCHROME1: lungs and air are dark, the bone of the leg is brighter than the flesh beside it.
    height, width = chest.shape
    lung, spine = chest[height // 3, width // 4 - 60 : width // 4 + 60], chest[height // 2 :, width // 2]
    assert lung.mean() < spine.mean()
    assert leg[800, 860:900].mean() > leg[800, 620:660].mean()
    assert 0 < pixels(real("MR2_UNCR.dcm")).mean() < 255
    assert pixels(real("US1_UNCR.dcm")).shape == (480, 640, 3)
    assert (pixels(real("MR_small_RLE.dcm")) == pixels(real("MR_small.dcm"))).all()
    assert (pixels(real("MR_small_bigendian.dcm")) == pixels(real("MR_small.dcm"))).all()
    assert (pixels(real("MR_small_jp2klossless.dcm")) == pixels(real("MR_small.dcm"))).all()
    assert pixels(real("OBXXXX1A.dcm")).shape == (600, 800, 3)


def test_ct_without_a_window_shows_soft_tissue(tmp_path):
    # Stored 2 * grey + 824 with intercept -1024: grey 20 is -160 HU, grey 220 is 240 HU.
    shown = pixels(written(tmp_path))[0]
    assert shown[GREY[0] <= 20].max() == 0 and shown[GREY[0] >= 220].min() == 255
    assert shown[list(GREY[0]).index(120)] == 128


def test_the_headers_window_comes_first_and_of_several_the_first(tmp_path):
    # Centre 40, width 101: linear over 100 values from -10.5 to 89.5.
    shown = pixels(written(tmp_path, WindowCenter=[40, 500], WindowWidth=[101, 2000]))[0]
    hounsfield = 2 * GREY[0].astype(int) - 200
    assert (shown == np.clip(((hounsfield - 39.5) / 100 + 0.5) * 255, 0, 255).round()).all()
    exact = pixels(written(tmp_path, WindowCenter=40, WindowWidth=100, VOILUTFunction="LINEAR_EXACT"))[0]
    assert (exact == np.clip(((hounsfield - 40) / 100 + 0.5) * 255, 0, 255).round()).all()
    soft = pixels(written(tmp_path, WindowCenter=40, WindowWidth=100, VOILUTFunction="SIGMOID"))[0]
    assert (np.diff(soft) >= 0).all() and soft[list(GREY[0]).index(120)] == 128


@pytest.mark.parametrize("window", [(40, 0), (40, -5), (99999, 1), ("", ""), (None, 400)])
def test_a_window_that_shows_nothing_is_passed_over(tmp_path, window):
    centre, width = window
    assert (pixels(written(tmp_path, WindowCenter=centre, WindowWidth=width)) == pixels(written(tmp_path))).all()


def test_other_modalities_are_stretched_and_padding_does_not_count(tmp_path):
    plain = pixels(written(tmp_path, MR))
    assert plain.min() == 0 and plain.max() == 255
    padded = GREY.copy()
    padded[:16] = 251  # three quarters of the bright end, but said to be padding
    values = padded.astype(np.uint16)
    shown = pixels(
        written(tmp_path, MR, padded, PixelData=values.tobytes(), PixelPaddingValue=251, PixelRepresentation=0)
    )
    assert (shown[:16] == 0).all() and shown[16:].max() == 255


def test_monochrome1_is_inverted(tmp_path):
    dark = pixels(written(tmp_path, CR))
    light = pixels(written(tmp_path, CR, PhotometricInterpretation="MONOCHROME2"))
    assert (dark == 255 - light).all() and dark[0, 0] < dark[0, -1]


def test_of_several_frames_the_middle_one_is_shown(tmp_path):
    stack = np.stack([np.roll(GREY, 7 * frame, axis=1) for frame in range(5)]).astype(np.uint16)
    path = written(tmp_path, MR, NumberOfFrames=5, PixelData=stack.tobytes())
    assert (pixels(path) == pixels(written(tmp_path, MR, np.roll(GREY, 14, axis=1)))).all()


def test_of_a_series_the_middle_slice_is_taken_or_all(tmp_path):
    for number in range(5):
        grey = np.roll(GREY, 7 * number, axis=1)
        # File names in another order than the numbers of the slices.
        write_dicom(
            tmp_path / f"{9 - number}.dcm", grey, MR, number=number, SeriesInstanceUID="1.2.3", InstanceNumber=number
        )
    middle = {one.image_key for one in records(path=tmp_path, **SAID)}
    every = {one.image_key for one in records(path=tmp_path, slices="all", **SAID)}
    assert middle == {dicom_picture((tmp_path / "7.dcm").read_bytes()).key} and len(every) == 5
    with pytest.raises(UserError, match="Did you mean 'middle'"):
        list(
            open_source("dicom", path=tmp_path, options={"slices": "midle", "license": "x", "redistributable": "false"})
        )


def test_enhanced_images_bring_their_values_in_groups_of_their_frames():
    # A real enhanced CT of two frames: rescaled and windowed by the groups of each frame.
    shown = pixels(real("eCT_Supplemental.dcm"))
    assert shown.shape == (512, 512) and len(np.unique(shown)) > 50
    data = dcmread(io.BytesIO(real("eCT_Supplemental.dcm")), stop_before_pixels=True)
    assert {fact.asked: fact.value for fact in facts(data)} == {"modality": "CT", "plane": "axial"}


def test_burned_in_text_is_warned_about_with_count_and_names(folder, caplog):
    with caplog.at_level(logging.WARNING):
        list(records(path=folder, **SAID))
    # Every third file of the fixture does not say.
    assert f"{PATIENTS // 3} of {PATIENTS} DICOM files" in caplog.text and "burned into" in caplog.text
    assert "IM0000" in caplog.text


def test_objects_that_are_no_pictures_are_passed_over_and_told(tmp_path, caplog):
    written(tmp_path)
    for name in ("test-SR.dcm", "rtplan.dcm", "liver_1frame.dcm", "SC_rgb.dcm"):
        (tmp_path / name).write_bytes(real(name))
    with caplog.at_level(logging.WARNING):
        assert len({one.image_key for one in records(path=tmp_path, **SAID)}) == 1
    for name, reason in {
        "test-SR.dcm": "no image but Comprehensive SR Storage",
        "rtplan.dcm": "no image but RT Plan Storage",
        "liver_1frame.dcm": "no image but Segmentation Storage",
        "SC_rgb.dcm": "silent on modality, body part, side, view and plane",
    }.items():
        assert f"1 row is {reason}: left out ({name})" in caplog.text


def zipped(**members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for name, data in members.items():
            made.writestr(name, data)
    return packed.getvalue()


def bare(data):
    """Return a file as it comes over the network: without preamble and group 2."""
    dataset, stream = dcmread(io.BytesIO(data)), io.BytesIO()
    dataset.preamble, dataset.file_meta = None, FileMetaDataset()
    dataset.save_as(stream, implicit_vr=True, little_endian=True, enforce_file_format=False)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("x.dcm.gz", gzip.compress),
        ("x.DCM.GZ", gzip.compress),
        ("IM0001.gz", gzip.compress),
        ("IM0001", gzip.compress),
        ("x.dcm.bz2", bz2.compress),
        ("x.dcm.xz", lzma.compress),
        ("x.zip", lambda data: zipped(IM0001=data)),
        ("x.zip", lambda data: zipped(IM0001=data, **{"__MACOSX/._IM0001": b"x"})),
        ("x.zip", lambda data: zipped(a=gzip.compress(data, mtime=0))),
        ("IM0001", bytes),
        ("IM0001.1.2.840.99", bytes),
        (".IM0001", bytes),
        ("x.jpg", bytes),
        ("IM0001", bare),
        ("x.dcm", bare),
        ("x", lambda data: data[128:]),
        ("x.gz", lambda data: gzip.compress(bare(data), mtime=0)),
    ],
)
def test_a_dicom_file_is_known_by_what_it_holds(tmp_path, name, packed):
    data = written(tmp_path).read_bytes()
    (tmp_path / "x.dcm").unlink()
    (tmp_path / name).write_bytes(packed(data))
    assert {one.image_key for one in records(path=tmp_path, **SAID)} == {dicom_picture(data).key}


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("README.txt", b"exported", "no DICOM file"),
        ("picture.jpg", b"\xff\xd8\xff" + bytes(200), "no DICOM file"),
        ("._good.dcm", b"\0\5\x16\7" + bytes(200), "no DICOM file"),
        (".DS_Store", b"\0\0\0\1Bud1", "no DICOM file"),
        ("IM0001", b"", "empty"),
        ("DICOMDIR", bytes(128) + b"DICM", "an index of other files"),
        ("table.csv.gz", gzip.compress(b"a,b", mtime=0), "no DICOM file"),
        ("half.gz", gzip.compress(b"a,b" * 99, mtime=0)[:20], "no DICOM file but it is packed, and damaged"),
        ("two.zip", zipped(a=b"x", b=b"y"), "no DICOM file but an archive of 2 files: unpack it, or give it as --sour"),
        ("x.bin", b"\x08\0\x05\0CS\x0a\0" + b"ISO_IR 100" + b"\xff" * 40, "no DICOM file"),
        ("index", "dicomdirtests/DICOMDIR-implicit", "an index of other files"),
        ("report", "reportsi.dcm", "no image but Basic Text SR Storage"),
        ("plan", "rtplan.dcm", "no image but RT Plan Storage"),
        ("contours", "rtstruct.dcm", "no image but RT Structure Set Storage"),
        ("dose", "rtdose_1frame.dcm", "no image but RT Dose Storage"),
        ("beats", "waveform_ecg.dcm", "no image but 12-lead ECG Waveform Storage"),
        ("mask", "liver_1frame.dcm", "no image but Segmentation Storage"),
    ],
)
def test_every_other_file_is_counted_and_named(tmp_path, caplog, name, data, reason):
    written(tmp_path).rename(tmp_path / "good.dcm")
    (tmp_path / name).write_bytes(real(data) if isinstance(data, str) else data)
    with caplog.at_level(logging.WARNING):
        assert len({one.image_key for one in records(path=tmp_path, **SAID)}) == 1
    assert f"1 row is {reason}" in caplog.text and f"left out ({name})" in caplog.text


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("x.dcm", b"", "not a DICOM file: it is empty"),
        ("x.dcm.gz", gzip.compress(b"text", mtime=0), "not a DICOM file"),
        ("x.dcm.gz", gzip.compress(bytes(9999), mtime=0)[:-9], "it is packed, and damaged"),
        ("x.dcm.zip", zipped(a=b"x", b=b"y"), "an archive of 2 files"),
        ("x.IMA", b"no", "not a DICOM file"),
        ("x", bytes(128) + b"DICM", "its header says nothing"),
        ("x", bytes(128) + b"DICM" + b"\xff" * 60, ""),
    ],
)
def test_what_is_called_dicom_and_cannot_be_read_stops_the_build(tmp_path, name, data, reason):
    written(tmp_path).rename(tmp_path / "good.dcm")
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=rf"1 of \d rows .*{name} \(.*{reason}.*--skip-bad-images"):
        list(records(path=tmp_path, **SAID))


@pytest.mark.parametrize("packed", [gzip.compress, lambda data: zipped(a=data), "deflated"])
def test_a_file_that_unpacks_without_end_is_refused_in_bounds(tmp_path, monkeypatch, packed):
    monkeypatch.setattr(dicom_files, "MAX_FILE_BYTES", 2**20)
    written(tmp_path, PixelData=bytes(2**22))
    if packed == "deflated":
        dataset = dcmread(tmp_path / "x.dcm")
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        dataset.save_as(tmp_path / "x.dcm")
        data = (tmp_path / "x.dcm").read_bytes()
    else:
        data = packed((tmp_path / "x.dcm").read_bytes())
    with pytest.raises(BadImageError, match="it unpacks to more than 1 MB"):
        dicom_picture(data)


def test_slices_and_copies_that_are_left_out_are_counted(tmp_path, caplog):
    for number in range(5):
        grey = np.roll(GREY, 7 * number, axis=1)
        write_dicom(tmp_path / f"{number}.dcm", grey, MR, number=1, SeriesInstanceUID="1.2.3", InstanceNumber=number)
    (tmp_path / "copy.dcm").write_bytes(write_dicom(tmp_path / "y.dcm", GREY, MR, number=8).read_bytes())
    write_dicom(tmp_path / "copy.dcm", GREY, MR, number=9)
    with caplog.at_level(logging.WARNING):
        assert len({one.image_key for one in records(path=tmp_path, **SAID)}) == 2
    assert "4 rows are further slices of a series: left out (0.dcm, 1.dcm, 3.dcm, ...)" in caplog.text
    assert "1 row is the same picture as another file: left out (y.dcm)" in caplog.text


def test_what_was_wrong_with_the_headers_of_what_is_shown_is_counted(tmp_path, caplog):
    for number in range(4):
        window = Stored("DS", b"40,5") if number else "40"
        write_dicom(tmp_path / f"{number}.dcm", np.roll(GREY, number), CT, number=number, WindowCenter=window,
                    WindowWidth=100)  # fmt: skip
    with caplog.at_level(logging.WARNING):
        assert len({one.image_key for one in records(path=tmp_path, **SAID)}) == 4
    assert "3 images of" in caplog.text
    assert "WindowCenter has a decimal comma, read as a point (3: 1.dcm, 2.dcm, 3.dcm)" in caplog.text


@pytest.mark.parametrize(
    "charset", [b"", b"ISO_IR 100", b"ISO_IR 192", b"\\ISO 2022 IR 87", b"GB18030", b"FOO", b"\xff\xfe"]
)
def test_no_character_set_stops_a_file(tmp_path, charset):
    name = Stored("PN", "Grünbaum^山田".encode())
    path = written(tmp_path, SpecificCharacterSet=Stored("CS", charset), PatientName=name)
    assert {one.fact for one in records(path=path.parent, **SAID)} == {"CT", "spine", "axial"}


def test_a_term_in_other_letters_is_not_asked(tmp_path):
    path = written(tmp_path, BodyPartExamined=Stored("CS", "胸部".encode("gb18030")))
    assert {one.fact for one in records(path=path.parent, **SAID)} == {"CT", "axial"}


def test_of_two_body_parts_none_is_asked():
    assert "part" not in told(Modality="CT", BodyPartExamined=["CHEST", "ABDOMEN"])
    assert told(BodyPartExamined=["CHEST", "CHEST"]) == {"part": "chest"}
    assert "side" not in told(Modality="DX", ImageLaterality=["L", "R"], Laterality="R")


@pytest.mark.parametrize("form", ["zip", "tar.gz"])
def test_an_archive_more_workers_and_the_registry_yield_the_same(folder, found, tmp_path, form):
    path = tmp_path / f"export.{form}"
    if form == "zip":
        pack(path, folder, "export/")
    else:
        with tarfile.open(path, "w:gz") as made:
            made.add(folder, "export")
    options = {"license": "CC0-1.0", "redistributable": "true"}
    assert list(open_source("dicom", path=path, workers=3, options=options)) == found


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "not a DICOM file"),
        (b"text", "not a DICOM file"),
        (b"\0" * 128 + b"DICM" + b"\xff" * 40, "x.dcm"),
        ("MR_truncated.dcm", "x.dcm"),
        ("JPEG-LL.dcm", "packed as JPEG Lossless.*pip install 'pylibjpeg"),
        ("JPEG-lossy.dcm", "packed as JPEG Extended"),
    ],
)
def test_files_that_cannot_be_shown_are_named_or_skipped(tmp_path, data, part):
    written(tmp_path).rename(tmp_path / "good.dcm")
    (tmp_path / "x.dcm").write_bytes(real(data) if isinstance(data, str) else data)
    with pytest.raises(UserError, match=f"1 of 4 rows .*{part}.*--skip-bad-images"):
        list(records(path=tmp_path, **SAID))
    assert len({one.image_key for one in records(path=tmp_path, losses=Losses(skip_bad_images=True), **SAID)}) == 1


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(source_images, "MAX_PIXELS", 100)
    with pytest.raises(BadImageError, match="64 x 32 pixels"):
        dicom_picture(written(tmp_path).read_bytes())
    huge = written(tmp_path, Rows=65535, Columns=65535)
    monkeypatch.undo()
    with pytest.raises(BadImageError, match="65535 x 65535"):
        dicom_picture(huge.read_bytes())


def test_an_image_of_one_grey_is_a_bad_image(tmp_path):
    with pytest.raises(BadImageError, match="one grey"):
        dicom_picture(written(tmp_path, MR, np.full((8, 8), 9, dtype=np.uint8)).read_bytes())


@pytest.mark.parametrize(("missing", "part"), [("license", "license="), ("redistributable", "redistributable=true")])
def test_licence_and_whether_they_may_be_passed_on_must_be_said(folder, missing, part):
    with pytest.raises(UserError, match=part):
        list(records(path=folder, **{key: value for key, value in SAID.items() if key != missing}))


def test_a_folder_without_dicom_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UserError, match="holds no DICOM file"):
        list(records(path=tmp_path, **SAID))


def test_without_pydicom_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(UserError, match=r"pip install 'mllmu-med\[dicom\]'"):
        list(records(path=folder, **SAID))
