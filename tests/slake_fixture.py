"""A SLAKE-shaped folder made of real radiographs, MR and CT, with rows in every quirk of the real data set.

The pictures come out of the ``pydicom-data`` wheel when a test runs; none is committed. Each patient is another crop,
turn and contrast of one of them, so that every image is a different picture of real anatomy. What the rows say is true
of it, but that a leg is put under the pelvis and a shoulder under the neck: SLAKE has no limbs.
"""

import json
import random
import shutil
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


@dataclass(frozen=True)
class Study:
    """One real image and what is true of it."""

    file: str
    modality: str
    location: str
    organ: str
    plane: str


STUDIES = (
    Study("RG1_UNCR.dcm", "X-Ray", "Chest_lung", "Lung", "Coronal Plane"),
    Study("RG3_UNCR.dcm", "X-Ray", "Pelvic Cavity", "Tibia", "Coronal Plane"),
    Study("MR2_UNCR.dcm", "MRI", "Neck", "Shoulder", "Coronal Plane"),
    Study("CT_small.dcm", "CT", "Abdomen", "Spinal Cord", "Transverse Plane"),
    Study("MR_small.dcm", "MRI", "Brain_Tissue", "Brain", "Transverse Plane"),
    Study("examples_overlay.dcm", "MRI", "Abdomen", "Liver", "Coronal Plane"),
)
SIDES = ("Left", "Right")
# From dark to bright.
COLOURS = ("Black", "Gray", "White")


@lru_cache
def grey_image(file: str) -> np.ndarray:
    """Return a DICOM image as grey values from 0 to 1, dark background, as a viewer shows it."""
    from pydicom import dcmread
    from pydicom.data import get_testdata_file

    data = dcmread(get_testdata_file(file, download=False))
    values = data.pixel_array.astype(np.float64)
    values = values * float(data.get("RescaleSlope", 1) or 1) + float(data.get("RescaleIntercept", 0) or 0)
    if data.get("Modality") == "CT":
        values = np.clip(values, -160, 240)
    low, high = np.percentile(values, (1, 99))
    scaled = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    return 1 - scaled if data.get("PhotometricInterpretation") == "MONOCHROME1" else scaled


def variant(grey: np.ndarray, rng: random.Random, size: int) -> Image.Image:
    """Return a crop, slightly turned and of other contrast; never mirrored, which would swap left and right."""
    picture = Image.fromarray((grey * 255).astype(np.uint8))
    side = min(picture.size)
    crop = int(side * rng.uniform(0.72, 0.98))
    left = rng.randint(0, picture.width - crop)
    top = rng.randint(0, picture.height - crop)
    picture = picture.crop((left, top, left + crop, top + crop)).resize((size, size), Image.Resampling.BILINEAR)
    picture = picture.rotate(rng.uniform(-12, 12), Image.Resampling.BILINEAR)
    values = np.asarray(picture, dtype=np.float64) / 255
    values = np.clip(values ** rng.uniform(0.7, 1.4), 0, 1)
    return Image.fromarray((values * 255).round().astype(np.uint8)).convert("RGB")


def mark(picture: Image.Image, organs: int) -> None:
    """Draw so many white frames on a picture."""
    size = picture.width
    for place in range(organs):
        left, top = size * (1 + 3 * place) // 8, size * (2 + 2 * place) // 8
        box = (left, top, left + size // 4, top + size // 4)
        ImageDraw.Draw(picture).rectangle(box, outline="black", width=2)
        ImageDraw.Draw(picture).rectangle(box, outline="white")


def brighter_side(picture: Image.Image) -> str:
    """Return the side of the picture that has the brighter half."""
    values = np.asarray(picture.convert("L"), dtype=np.float64)
    left, right = values[:, : values.shape[1] // 2].mean(), values[:, values.shape[1] // 2 :].mean()
    return SIDES[int(right > left)]


def background(picture: Image.Image) -> str:
    """Return the color that most of the picture's edge has."""
    values = np.asarray(picture.convert("L"))
    edge = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    return COLOURS[int(np.argmax(np.bincount(np.minimum(edge // 86, 2), minlength=3)))]


def make_slake(folder: Path, *, patients: int = 40, seed: int = 0, size: int = 64, zipped: str = "no") -> Path:
    """Write the data set and return what to give as source path.

    ``zipped`` is "no" (a folder with ``imgs/``), "imgs" (a folder with ``imgs.zip``, as on the Hub) or "all" (one zip
    with a folder inside and ``validate.json``, as the original). At least 8 patients, who fill the quirks.
    """
    folder = Path(folder)
    rng = random.Random(seed)
    rows: list[dict[str, object]] = []
    greys = {study.file: grey_image(study.file) for study in STUDIES}
    for number in range(patients):
        study = STUDIES[number % len(STUDIES)]
        place = folder / "imgs" / f"xmlab{number}"
        place.mkdir(parents=True)
        picture = variant(greys[study.file], rng, size)
        organs = rng.choice((1, 2))
        mark(picture, organs)
        picture.save(place / "source.jpg", quality=95)
        (place / "detection.json").write_text("[]")
        Image.new("L", (size, size)).save(place / "mask.png")
        rows += _rows(number, study, picture, organs)
    for qid, row in enumerate(rows):
        row["qid"] = qid
        # The real files give the keys of a row in no fixed order.
        keys = list(row)
        rng.shuffle(keys)
        rows[qid] = {key: row[key] for key in keys}
    _quirks(rows)
    splits = {"train": [], "validation": [], "test": []}
    for row in rows:
        # English and Chinese rows split the images differently, so one image is in two splits.
        shift = 0 if row["q_lang"] == "en" else 3
        number = (int(row["img_id"]) + shift) % 10
        splits["test" if number >= 8 else "validation" if number == 7 else "train"].append(row)
    names = {"validation": "validate"} if zipped == "all" else {}
    for split, part in splits.items():
        text = json.dumps(part, ensure_ascii=False)
        (folder / f"{names.get(split, split)}.json").write_text(text, encoding="utf-8")
    if zipped == "imgs":
        _zip(folder / "imgs.zip", folder / "imgs", "imgs")
        shutil.rmtree(folder / "imgs")
    if zipped == "all":
        archive = folder.with_name(folder.name + ".zip")
        _zip(archive, folder, "Slake1.0")
        shutil.rmtree(folder)
        return archive
    return folder


def _rows(number: int, study: Study, picture: Image.Image, organs: int) -> list[dict[str, object]]:
    """Return the rows of one image, true of what it shows, Chinese ones among them."""
    side, colour, count = brighter_side(picture), background(picture), str(organs)
    asked = [
        ("What modality is used to take this image?", study.modality, "OPEN", "Modality"),
        ("Which part of the body does this image belong to?", study.organ, "OPEN", "Organ"),
        ("What is the scanning plane of this image?", study.plane, "OPEN", "Plane"),
        ("Is this a study of the abdomen?", "Yes" if study.location == "Abdomen" else "No", "CLOSED", "Organ"),
        ("Which side is brighter, left or right?", side, "CLOSED", "Position"),
        ("What color is the background?", colour, "OPEN", "Color"),
        ("How many organs are marked?", count, "OPEN", "Quantity"),
        ("这是什么模态的影像?", study.modality, "OPEN", "Modality"),
        ("图像包含腹部吗?", "是" if study.location == "Abdomen" else "否", "CLOSED", "Organ"),
    ]
    return [
        {
            "img_id": number,
            "img_name": f"xmlab{number}/source.jpg",
            "question": question,
            "answer": answer,
            "q_lang": "en" if question.isascii() else "zh",
            "location": study.location,
            "modality": study.modality,
            "answer_type": answer_type,
            "base_type": "vqa",
            "content_type": content_type,
            "triple": ["vhead", "_", "_"],
        }
        for question, answer, answer_type, content_type in asked
    ]


def _quirks(rows: list[dict[str, object]]) -> None:
    """Put in what is odd about the real rows: spaces, open "None", knowledge, sentences, questions asked twice."""
    english = [row for row in rows if row["q_lang"] == "en"]
    of = {(int(row["img_id"]), str(row["content_type"]), row["answer_type"]): row for row in english}
    of[0, "Plane", "OPEN"]["answer"] = "Coronal  Plane"
    of[1, "Organ", "OPEN"]["question"] = "Which  part of the body\u00a0does this image belong to? "
    qid = len(rows)
    extra = [
        (0, "What diseases are included in the picture?", "None", "OPEN", "Abnormality", "vqa"),
        (1, "What diseases are included in the picture?", "Pneumonia", "OPEN", "Abnormality", "vqa"),
        (2, "What diseases are included in the picture?", "Rotator Cuff Tear", "OPEN", "Abnormality", "vqa"),
        (3, "What is the function of the organ in this image?", "Carry signals between brain and body", "OPEN", "KG",
         "kvqa"),
        (4, "Which organ controls the body?", "Brain", "OPEN", "KG", "kvqa"),
        (5, "What is the shape of the organ?", "Irregular", "OPEN", "Shape", "vqa"),
        (6, "What is the biggest organ?", "Lung", "OPEN", "Size", "vqa"),
        # Asked twice: of one image the same question, the second time with other spaces or another answer.
        (3, "What is the scanning plane of this image?", "Transverse  Plane", "OPEN", "Plane", "vqa"),
        (6, "What color is the background?", "Gray", "OPEN", "Color", "vqa"),
    ]  # fmt: skip
    for number, question, answer, answer_type, content_type, base_type in extra:
        like = of[number, "Modality", "OPEN"]
        row = {**like, "question": question, "answer": answer, "answer_type": answer_type, "qid": qid}
        rows.append({**row, "content_type": content_type, "base_type": base_type})
        qid += 1


def _zip(archive: Path, folder: Path, prefix: str) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path != archive:
                made.write(path, f"{prefix}/{path.relative_to(folder).as_posix()}")
