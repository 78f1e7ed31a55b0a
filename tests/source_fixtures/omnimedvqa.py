"""OmniMedVQA's open-access part: a JSON file for each data set it took images from, options instead of free answers."""

import json
import random
import shutil
from pathlib import Path

from tests.source_fixtures import encoded, pack, pictures

# The data's own spellings, an unclosed bracket among them.
SETS = {
    "Chest CT Scan": ("CT(Computed Tomography)", "Lung"),
    "MAlig Lymph": ("Microscopy Images", "Lymph node"),
    "Knee Osteoarthritis": ("X-Ray", "Knee"),
    "MRI Shoulder": ("MR (Mag-netic Resonance Imaging)", "Shoulder"),
    "OCT & X-Ray 2017": ("OCT (Optical Coherence Tomography", "Retina"),
    "BUSI": ("ultrasound", "Breast"),
}
TOLD = {"CT(Computed Tomography)": "CT", "Microscopy Images": "Microscopy", "X-Ray": "X-ray",
        "MR (Mag-netic Resonance Imaging)": "MR", "OCT (Optical Coherence Tomography": "OCT",
        "ultrasound": "Ultrasound"}  # fmt: skip
OPEN = "QA_information/Open-access"


def make_omnimedvqa(folder: Path, *, patients: int = 48, seed: int = 0, packed: bool = False) -> Path:
    """Write the data set; ``packed``: a folder with the one zip that the Hub has."""
    rng = random.Random(seed)
    (folder / OPEN).mkdir(parents=True)
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in SETS}
    names = list(SETS)
    for number, (_, picture) in enumerate(pictures(patients, seed=seed)):
        name = names[number % len(names)]
        place = f"Images/{name}/test/{number:04d}.png"
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(encoded(picture, "PNG"))
        rows[name] += _rows(name, place, len(rows[name]), rng)
    # One row of one file says modality.
    odd = rows["Chest CT Scan"][1]
    odd["modality"] = odd.pop("modality_type")
    for name, part in rows.items():
        (folder / OPEN / f"{name}.json").write_text(json.dumps(part, indent=4), encoding="utf-8")
    closed = folder / "QA_information/Restricted-access"
    closed.mkdir()
    (closed / "AIDA.json").write_text(json.dumps([{"question": "never read"}]))
    if packed:
        archive = pack(folder.with_name("OmniMedVQA-packing.zip"), folder, "OmniMedVQA/")
        shutil.rmtree(folder)
        folder.mkdir()
        archive.rename(folder / "OmniMedVQA.zip")
    return folder


def _rows(name: str, place: str, first: int, rng: random.Random) -> list[dict[str, object]]:
    modality, organ = SETS[name]
    organs = [organ, *(other for _, other in SETS.values() if other != organ)][:4]
    told = [TOLD[modality], *(other for other in TOLD.values() if other != TOLD[modality])][:4]
    finding = rng.choice(("Adenocarcinoma", "No, It's normal"))
    asked: list[tuple[str, str, str, list[str]]] = [
        # The answer is spelt another way than its option.
        ("Modality Recognition", "What imaging technique was used to capture this image?",
         "x_ray." if told[0] == "X-ray" else told[0], told),
        ("Anatomy Identification", "Which organ is shown in this image?", organ, organs),
        ("Disease Diagnosis", "What is the diagnosis of the disease in this image?", f"{finding}.",
         ["Adenocarcinoma.", "No, It's normal.", "Squamous cell carcinoma."]),
        ("Disease Diagnosis", "Is an abnormality present in this image?", rng.choice(("Yes", "No")), ["Yes", "No"]),
        ("Lesion Grading", "What is the grade of the lesion?", rng.choice(("Mild", "Severe")),
         ["Mild", "Moderate", "Severe", "None"]),
        ("Other Biological Attributes", "How many  cells are visible?", rng.choice(("2", "3")), ["2", "3", "4"]),
    ]  # fmt: skip
    made = []
    for kind, question, answer, options in asked:
        options = rng.sample(options, len(options))
        row: dict[str, object] = {
            "dataset": name,
            "question_id": f"{name.replace(' ', '-')}_{first + len(made):04d}",
            "question_type": kind,
            "question": question,
            "gt_answer": answer,
            "image_path": place,
            **{f"option_{label}": option for label, option in zip("ABCD", options, strict=False)},
            "modality_type": modality,
        }
        made.append(row)
    return made
