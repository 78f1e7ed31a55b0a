import io
import zipfile

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from mllmu_med_dataset.record import image_key
from mllmu_med_dataset.sources import images
from mllmu_med_dataset.sources.images import BadImageError, SourceFiles, picture, pictures


def encoded(image, form="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def decoded(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


GREY = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8))


@pytest.mark.parametrize(("image", "form"), [(GREY, "PNG"), (GREY.convert("RGB"), "PNG"), (GREY, "JPEG")])
def test_plain_files_keep_their_bytes(image, form):
    data = encoded(image, form)
    made = picture(data)
    assert made.data == data
    assert made.key == image_key(Image.open(io.BytesIO(data)))


def annotated():
    """Return images with a name written beside their pixels in every place there is for it."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", "Ottilie Secret")
    text.add_itxt("Comment", "Ottilie Secret", zip=True)
    exif = Image.Exif()
    exif[0x010E] = "Ottilie Secret"
    jpeg = {"exif": exif, "comment": b"Ottilie Secret", "xmp": b"<x>Ottilie Secret</x>"}
    yield encoded(GREY, "PNG", pnginfo=text)
    yield encoded(GREY, "PNG", exif=exif)
    yield encoded(GREY) + b"Ottilie Secret"
    yield encoded(GREY, "JPEG", **jpeg)
    yield encoded(GREY.convert("RGB").resize((200, 200)), "JPEG", progressive=True, **jpeg)
    yield encoded(GREY, "JPEG") + b"Ottilie Secret"
    # A segment that lies about its length: only the pixels can be saved.
    data = encoded(GREY, "JPEG", comment=b"Ottilie Secret")
    place = data.index(b"\xff\xfe")
    yield data[:place] + b"\xff\xff" + data[place:]


@pytest.mark.parametrize(
    "data", [*annotated()], ids=["text", "exif", "after", "jpeg", "progressive", "after jpeg", "lies"]
)
def test_what_is_written_beside_the_pixels_goes_and_the_pixels_stay(data):
    made = picture(data)
    assert b"Secret" in data or b"iTXt" in data
    assert b"Secret" not in made.data and b"iTXt" not in made.data
    assert made.key == image_key(Image.open(io.BytesIO(data))) == image_key(Image.open(io.BytesIO(made.data)))
    assert picture(made.data).data == made.data


@pytest.mark.parametrize(
    "data",
    [
        encoded(GREY.convert("P")),
        encoded(GREY.convert("RGBA")),
        encoded(GREY.convert("1")),
        encoded(GREY.convert("RGB").convert("CMYK"), "TIFF"),
        encoded(GREY, "BMP"),
        encoded(GREY.convert("P"), "GIF"),
        encoded(Image.fromarray(np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000)),
        encoded(Image.fromarray(np.linspace(-1, 1, 48, dtype=np.float32).reshape(6, 8)), "TIFF"),
    ],
    ids=["palette", "alpha", "bits", "cmyk", "bmp", "gif", "16 bit", "float"],
)
def test_other_modes_become_an_rgb_png_whose_key_is_that_of_its_pixels(data):
    made = picture(data)
    image = Image.open(io.BytesIO(made.data))
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (8, 6))
    assert made.key == image_key(image)


def test_the_same_pixels_have_the_same_key_in_any_encoding():
    assert picture(encoded(GREY)).key == picture(encoded(GREY.convert("P"))).key == picture(encoded(GREY, "BMP")).key


def test_the_size_is_part_of_the_key():
    flat = Image.fromarray(np.zeros((6, 8), dtype=np.uint8))
    assert picture(encoded(flat)).key != picture(encoded(flat.transpose(Image.Transpose.ROTATE_90))).key


def test_16_bits_are_stretched_and_keep_their_order():
    values = np.linspace(1000, 3000, 400).astype(np.uint16).reshape(20, 20)
    shown = decoded(picture(encoded(Image.fromarray(values))).data)[..., 0].reshape(-1).astype(int)
    assert shown[0] == 0 and shown[-1] == 255 and (np.diff(shown) >= 0).all()
    flat = picture(encoded(Image.fromarray(np.full((4, 4), 700, dtype=np.uint16))))
    assert (decoded(flat.data) == 0).all()


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by a quarter, clockwise
    made = picture(encoded(GREY, "JPEG", exif=exif, quality=100))
    assert decoded(made.data).shape[:2] == (8, 6)
    assert picture(encoded(GREY, "JPEG", quality=100)).key != made.key


def test_transparency_shows_black():
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert (decoded(picture(encoded(clear)).data) == 0).all()


@pytest.mark.parametrize(
    "data",
    [b"", b"not an image", encoded(GREY)[:48], encoded(GREY, "JPEG")[:-200]],
    ids=["empty", "text", "png", "jpeg"],
)
def test_damaged_files_are_bad_images(data):
    with pytest.raises(BadImageError):
        picture(data)


def test_too_many_pixels_are_refused_before_they_are_decoded(monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 47)
    with pytest.raises(BadImageError, match="8 x 6"):
        picture(encoded(GREY))


@pytest.mark.parametrize("workers", [1, 3])
def test_pictures_come_in_order_with_what_is_wrong(tmp_path, workers):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.png").write_bytes(encoded(GREY))
    (tmp_path / "a" / "bad.png").write_bytes(b"broken")
    files = SourceFiles(tmp_path)
    names = ["a/one.png", "a/bad.png", "a/none.png"] * 5
    found = list(pictures(files, names, workers=workers))
    assert [name for name, _ in found] == names
    assert found[0][1] == picture(encoded(GREY))
    assert found[1][1] == "not an image in a known format" and found[2][1] == "the file is missing"


def test_a_damaged_member_of_a_zip_is_a_bad_image(tmp_path):
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("a.png", encoded(GREY))
    data = bytearray(path.read_bytes())
    data[45] ^= 0xFF
    path.write_bytes(data)
    ((_, found),) = pictures(SourceFiles(path), ["a.png"])
    assert isinstance(found, str) and "CRC" in found
