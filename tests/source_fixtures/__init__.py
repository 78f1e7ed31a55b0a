"""Sources in their true layouts, quirks and all, made when a test runs; no picture is committed."""

import io
import random
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from tests.slake_fixture import STUDIES, Study, grey_image, variant


@lru_cache
def pictures(
    count: int, *, seed: int = 0, size: int = 64, stained: bool = False
) -> tuple[tuple[Study, Image.Image], ...]:
    """Return so many pictures of real anatomy, each another one; ``stained`` as microscope slides are."""
    rng = random.Random(seed)
    greys = {study.file: grey_image(study.file) for study in STUDIES}
    made = []
    for number in range(count):
        study = STUDIES[number % len(STUDIES)]
        picture = variant(greys[study.file], rng, size)
        if stained:
            grey = np.asarray(picture.convert("L"), dtype=np.float64)[..., None] / 255
            light, dark = np.array([238.0, 190.0, 215.0]), np.array([70.0, 30.0, 110.0])
            picture = Image.fromarray((grey * light + (1 - grey) * dark).round().astype(np.uint8))
        made.append((study, picture))
    return tuple(made)


def encoded(picture: Image.Image, kind: str = "JPEG") -> bytes:
    """Return the picture's bytes as a file."""
    stream = io.BytesIO()
    picture.save(stream, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return stream.getvalue()


def pack(archive: Path, folder: Path, prefix: str = "") -> Path:
    """Put a folder's files into a zip, below ``prefix``."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path != archive:
                made.write(path, f"{prefix}{path.relative_to(folder).as_posix()}")
    return archive
