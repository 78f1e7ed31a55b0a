"""VQA-RAD in both of its layouts: OSF's JSON with 14 keys and an image folder, and the Hub's Parquet files."""

import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.slake_fixture import Study
from tests.source_fixtures import encoded, pictures

ORGANS = {"Chest_lung": "CHEST", "Abdomen": "ABD"}
HUB_NAMES = ("data/train-00000-of-00001-eb8844602202be60.parquet", "data/test-00000-of-00001-e5bc3d208bb4deeb.parquet")


def organ_of(study: Study) -> str:
    """Return the organ VQA-RAD files an image under; it knows three."""
    return ORGANS.get(study.location, "HEAD")


def make_osf(folder: Path, *, patients: int = 48, seed: int = 0) -> Path:
    """Write the OSF layout; at least 8 patients, who fill the quirks."""
    rng = random.Random(seed)
    images = folder / "VQA_RAD Image Folder"
    images.mkdir(parents=True)
    rows: list[dict[str, object]] = []
    for number, (study, picture) in enumerate(pictures(patients, seed=seed)):
        name = f"synpic{20000 + 37 * number}.jpg"
        (images / name).write_bytes(encoded(picture))
        rows += _rows(number, name, study, rng)
    for qid, row in enumerate(rows):
        # The first rows have a number where the others have text.
        row["qid"] = qid if qid < 5 else str(qid)
    path = folder / "VQA_RAD Dataset Public.json"
    path.write_text(json.dumps(rows, indent=4), encoding="utf-8")
    for other in ("VQA_RAD Dataset Public.xlsx", "VQA_RAD Dataset Public.xml", "Readme.docx"):
        (folder / other).write_bytes(b"not read")
    return folder


def _rows(number: int, name: str, study: Study, rng: random.Random) -> list[dict[str, object]]:
    side, count = rng.choice(("Left", "Right")), rng.choice((1, 2, 3))
    asked: list[tuple[str, object, str, str, str | None]] = [
        ("What imaging modality was used?", study.modality, "OPEN", "MODALITY", None),
        (
            "Is there an abnormality in the image?",
            rng.choice(("Yes", "No")),
            # With a space behind it, as in a few rows of the data.
            "CLOSED ",
            "PRES",
            "Does the image show something abnormal?",
        ),
        (
            "Which side is brighter, left or right?",
            side,
            "CLOSED",
            "POS, ABN",
            "On which side is more light, left or right?",
        ),
        ("How many  lesions are seen?", count, "OPEN", "COUNT", None),
        ("What plane is shown?", study.plane.split()[0], "OPEN", "PLANE", None),
        ("Which organ is shown?", study.organ, "OPEN", "ORGAN", "What organ do we look at?"),
    ]
    if number == 1:
        asked.append(("How large is the mass in cm?", 5.6, "OPEN", "SIZE", None))
        asked.append(("Is the sulcus blunted?", "Yes", "CLOSED", "ATRIB", None))
    if number == 2:
        asked.append(("What is the most likely diagnosis in this patient?", "The tear of the cuff that was seen "
                      "before has grown", "OPEN", "OTHER", None))  # fmt: skip
    rows = []
    for place, (question, answer, answer_type, question_type, rephrased) in enumerate(asked):
        row: dict[str, object] = {
            "qid": "",
            "phrase_type": "freeform" if place % 4 else "test_freeform",
            "qid_linked_id": f"03f451ca-de62-4617-9679-{number:06d}{place:06d}",
            "image_case_url": f"https://medpix.nlm.nih.gov/case?id=48e1dd0e-8552-46ad-a354-{number:012d}",
            "image_name": name,
            "image_organ": organ_of(study),
            "evaluation": "not evaluated",
            "question": question,
            "question_rephrase": rephrased or "NULL",
            "question_relation": "strict agreement" if rephrased else "NULL",
            "question_frame": "NULL",
            "question_type": question_type,
            "answer": answer,
            "answer_type": answer_type,
        }
        twin = {**row, "question": rephrased, "question_rephrase": question}
        twin["phrase_type"] = "para" if place % 4 else "test_para"
        # The paraphrase may stand before the question it paraphrases.
        rows += [row] if rephrased is None else [twin, row] if number % 2 else [row, twin]
    return rows


def make_hub(folder: Path, *, patients: int = 48, seed: int = 0, row_group: int = 16) -> Path:
    """Write the Hub layout: no image id, lower case, and a test split that shows the images of the training split."""
    rng = random.Random(seed)
    train, test = [], []
    for number, (study, picture) in enumerate(pictures(patients, seed=seed)):
        data = encoded(picture)
        side = rng.choice(("left", "right"))
        asked = [
            ("what imaging modality is used?", study.modality.lower()),
            ("is there evidence of an  aortic aneurysm?", rng.choice(("yes", "no"))),
            ("which side is brighter, left or right?", side),
            ("how many lesions are there?", rng.choice(("1", "2"))),
            ("where is the lesion located?", f"{side} {rng.choice(('upper', 'lower'))} lobe"),
            ("what organ system is imaged?", study.organ.lower()),
        ]
        if number == 1:
            asked.append(("what can be said of this patient?", "the cuff that was torn has healed since the last time"))
        for place, (question, answer) in enumerate(asked):
            (test if place % 5 == 4 else train).append((data, question, answer))
    for name, rows in zip(HUB_NAMES, (train, test), strict=True):
        rng.shuffle(rows)
        write_parquet(folder / name, rows, row_group=row_group)
    (folder / "README.md").write_text("---\nlicense: cc0-1.0\n---\n")
    return folder


def write_parquet(path: Path, rows: list[tuple[bytes | None, object, object]], *, row_group: int = 16) -> None:
    """Write (image bytes, question, answer) as ``datasets`` stores them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {
        "image": pa.array([{"bytes": data, "path": None} for data, _, _ in rows], image),
        "question": pa.array([question for _, question, _ in rows]),
        "answer": pa.array([answer for _, _, answer in rows]),
    }
    pq.write_table(pa.table(columns), path, row_group_size=row_group)


def small_image() -> bytes:
    """Return the bytes of some image."""
    return encoded(Image.new("L", (8, 8), 90), "PNG")
