"""Another picture of the same patient: never mirrored, left stays left; and a blank one."""

import io

import numpy as np
import pytest
from PIL import Image

from mllmu_med_dataset.injection import views
from mllmu_med_dataset.sources import phantom

KEYS = [f"patient {number}" for number in range(200)]


@pytest.mark.parametrize(("width", "height"), [(64, 64), (512, 300)])
def test_the_move_never_mirrors(width, height):
    for key in KEYS:
        a, b, _, d, e, _ = views.affine(width, height, 0, key)
        # Positive: orientation is kept. Near 1: lesions keep their size.
        assert 0.85 < a * e - b * d < 1.2
        # Nothing is turned so far that left would become lower.
        assert a > 0.9 and e > 0.9 and abs(b) < 0.1 and abs(d) < 0.1


@pytest.mark.parametrize(("left", "upper"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_marker_stays_in_its_quadrant(left, upper):
    # An eighth of the picture off both middle lines: nearer than any lesion of a phantom.
    near, far = 28, 36
    column, row = near - 8 if left else far + 8, near - 8 if upper else far + 8
    pixels = np.zeros((64, 64), np.uint8)
    pixels[row - 1 : row + 2, column - 1 : column + 2] = 255
    for key in KEYS:
        moved = np.asarray(views.image_view(Image.fromarray(pixels), 0, key), dtype=float)
        found_row, found_column = np.unravel_index(moved.argmax(), moved.shape)
        assert (found_column < 31.5) == left and (found_row < 31.5) == upper


def test_the_key_decides_every_pixel_and_no_two_keys_agree():
    image = Image.fromarray(phantom.draw(phantom.generator("view", 0)).pixels)
    made = {key: views.image_view(image, 0, key).tobytes() for key in KEYS[:20]}
    assert made == {key: views.image_view(image, 0, key).tobytes() for key in KEYS[:20]}
    assert len(set(made.values())) == 20 and image.tobytes() not in made.values()
    assert views.image_view(image, 1, KEYS[0]).tobytes() != made[KEYS[0]]


def test_it_is_still_the_same_picture():
    for number in range(10):
        image = Image.fromarray(phantom.draw(phantom.generator("view", number)).pixels)
        view = views.image_view(image, 0, number)
        other = Image.fromarray(phantom.draw(phantom.generator("other", number)).pixels)
        assert view.size == image.size and view.mode == image.mode
        assert _alike(view, image) > 0.6
        assert _alike(view, image) > _alike(view, other)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "I;16", "CMYK", "1"])
def test_every_mode_gives_a_picture_of_the_same_size(mode):
    image = Image.new(mode, (20, 30))
    for made in (views.image_view(image, 0, "x"), views.blank_image(image)):
        assert made.size == (20, 30) and made.mode in ("L", "RGB")
        assert Image.open(io.BytesIO(views.png(made))).size == (20, 30)


def test_a_blank_picture_is_one_grey():
    image = Image.fromarray(phantom.draw(phantom.generator("view", 0)).pixels)
    assert set(views.blank_image(image).tobytes()) == {views.GREY}


def _alike(one: Image.Image, other: Image.Image) -> float:
    """Return the correlation of two pictures, -1 to 1."""
    flat = [np.asarray(image.convert("L"), dtype=float).ravel() for image in (one, other)]
    return float(np.corrcoef(*flat)[0, 1])
