"""Published data beside the repository, as they were published, and pictures for those that come without theirs."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"
SPLITS = ("train.json", "validate.json", "test.json")


def real(name: str) -> Path:
    """Return the folder of a published data set; a test that asks for one that is not there is skipped."""
    folder = REAL / name
    if not folder.is_dir():
        pytest.skip(f"the real data of {name} do not lie at {folder}")
    return folder


def slake_with_pictures(folder: Path, *, images: int | None = None, size: int = 8) -> Path:
    """Put SLAKE's three files of questions into a folder, untouched, with a picture of its own for each image name.

    With ``images`` only the rows of so many images are written, those of the first numbers.
    """
    names = set()
    for split in SPLITS:
        rows = json.loads((real("slake") / split).read_text(encoding="utf-8"))
        kept = [row for row in rows if images is None or int(row["img_id"]) < images]
        names |= {row["img_name"] for row in kept}
        folder.mkdir(parents=True, exist_ok=True)
        if images is None:
            shutil.copyfile(real("slake") / split, folder / split)
        else:
            (folder / split).write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    for name in sorted(names):
        path = folder / "imgs" / name
        path.parent.mkdir(parents=True)
        number = int(name.split("/")[0].removeprefix("xmlab"))
        grey = np.random.default_rng(number).integers(0, 255, (size, size), dtype=np.uint8)
        # The name ends in .jpg; what is in the file says how it is packed, and PNG keeps every pixel.
        Image.fromarray(grey).save(path, "PNG")
    return folder


def vqa_rad_part(folder: Path, *, images: int) -> Path:
    """Put the rows and the pictures of the first images of VQA-RAD, by name, into a folder."""
    rows = json.loads((real("vqa_rad") / "VQA_RAD Dataset Public.json").read_text(encoding="utf-8"))
    names = sorted({row["image_name"] for row in rows})[:images]
    pictures = folder / "VQA_RAD Image Folder"
    pictures.mkdir(parents=True)
    for name in names:
        shutil.copyfile(real("vqa_rad") / "VQA_RAD Image Folder" / name, pictures / name)
    kept = [row for row in rows if row["image_name"] in names]
    (folder / "VQA_RAD Dataset Public.json").write_text(json.dumps(kept), encoding="utf-8")
    return folder
