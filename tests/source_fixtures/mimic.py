"""MIMIC-CXR-VQA, Medical-Diff-VQA and the folders of MIMIC-CXR-JPG, shaped as documented; invented rows and ids.

The pictures are of the radiographs that come with ``pydicom-data``, none of MIMIC.
"""

import csv
import hashlib
import json
import random
from pathlib import Path

from tests.source_fixtures import encoded, pictures

FINDINGS = ("atelectasis", "pleural effusion", "pneumothorax", "edema", "consolidation")
PLACES = ("left lung", "right lung", "left lower lung zone", "right upper lung zone", "cardiac silhouette")
VIEWS = {"antero-posterior": "AP", "postero-anterior": "PA"}
SPLITS = ("train", "valid", "test")


def make_mimic(folder: Path, *, patients: int = 36, seed: int = 0, part: str = "both") -> Path:
    """Write the data sets, ``part`` being ``cxr_vqa``, ``diff_vqa`` or both, and the images into one folder."""
    rng = random.Random(seed)
    cxr: dict[str, list[dict[str, object]]] = {split: [] for split in SPLITS}
    pairs: list[dict[str, object]] = []
    studies: list[dict[str, object]] = []
    for number, (_, picture) in enumerate(pictures(patients, seed=seed)):
        patient, study = f"1{number % 10}{number:06d}", str(50_000_000 + number)
        digest = hashlib.sha256(f"{seed}-{number}".encode()).hexdigest()
        image = "-".join(digest[start : start + 8] for start in range(0, 40, 8))
        place = f"p{patient[:2]}/p{patient}/s{study}"
        (folder / "files" / place).mkdir(parents=True)
        (folder / "files" / place / f"{image}.jpg").write_bytes(encoded(picture.convert("L")))
        (folder / "files" / place / "index.html").write_text("not an image")
        view = rng.choice(list(VIEWS))
        # A study with a second image, which only mimic_all.csv can tell from the one that is meant.
        if number == 1:
            (folder / "files" / place / f"{image[::-1]}.jpg").write_bytes(encoded(picture.rotate(5)))
        # A study that mimic_all.csv does not list: it has one image.
        if number != 2:
            studies.append({"subject_id": patient, "study_id": study, "dicom_id": image, "view": view})
        cxr[SPLITS[0 if number % 10 < 8 else number % 10 - 7]] += _cxr(
            rng, patient, study, image, f"{place}/{image}.jpg", view
        )
        pairs += _pairs(rng, patient, study, view)
    if part != "diff_vqa":
        for split, rows in cxr.items():
            rng.shuffle(rows)
            rows = [{"split": split, "idx": place, **row} for place, row in enumerate(rows)]
            (folder / f"{split}.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
        (folder / "ans2idx.json").write_text(json.dumps({"yes": 0, "no": 1}))
    if part != "cxr_vqa":
        _write(folder / "mimic_pair_questions.csv", pairs)
        _write(folder / "mimic_all.csv", studies)
    return folder


def _cxr(rng: random.Random, patient: str, study: str, image: str, path: str, view: str) -> list[dict[str, object]]:
    found = rng.sample(FINDINGS, rng.randint(0, 2))
    where, finding = rng.choice(PLACES), rng.choice(FINDINGS)
    asked = [
        (f"Is there {finding} in this image?", "presence", "verify", [rng.choice(("yes", "no"))]),
        (f"Where is the {finding}?", "anatomy", "query", [where]),
        ("List all diseases that are seen.", "attribute", "query", found),
        ("Which is seen, edema or consolidation?", "attribute", "choose", [rng.choice(("edema", "consolidation"))]),
        ("In which view was this image taken?", "plane", "query", [VIEWS[view]]),
        ("Is the patient male or female?", "gender", "choose", [rng.choice(("male", "female"))]),
        ("Is the width of the cardiac silhouette larger than half of the thorax?", "size", "verify", ["no"]),
    ]
    return [
        {
            "subject_id": patient,
            "study_id": study,
            "image_id": image,
            "image_path": path,
            "question": question,
            "content_type": content,
            "semantic_type": semantic,
            "template": "...",
            "template_program": "program_1",
            "template_arguments": {
                "object": {"0": where},
                "attribute": {},
                "category": {},
                "viewpos": {},
                "gender": {},
            },
            "answer": answer,
        }
        for question, content, semantic, answer in asked
    ]


def _pairs(rng: random.Random, patient: str, study: str, view: str) -> list[dict[str, object]]:
    finding = rng.choice(FINDINGS)
    asked = [
        ("abnormality", "what abnormalities are seen in this image?", ", ".join(rng.sample(FINDINGS, 2))),
        ("abnormality", "what abnormalities are seen in the left lung?", finding),
        ("presence", f"is there evidence of {finding} in this image?", rng.choice(("yes", "no"))),
        ("location", f"where in the image is the {finding} located?", rng.choice(PLACES[:4])),
        ("level", f"what level is the {finding}?", rng.choice(("small", "moderate", "large"))),
        ("view", "which view is this image taken?", f"{VIEWS[view]} view"),
        ("type", "what type is the opacity?", rng.choice(("interstitial", "focal", "patchy"))),
        (
            "difference",
            "what has changed compared to the reference image?",
            "the main image has an additional finding.",
        ),
    ]
    return [
        {
            "study_id": study,
            "subject_id": patient,
            "ref_id": int(study) + 1,
            "question_type": kind,
            "question": question,
            "answer": answer,
            "split": "train",
        }
        for kind, question, answer in asked
    ]


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
