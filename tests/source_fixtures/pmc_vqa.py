"""PMC-VQA in both versions: CSV files whose columns differ, choices with labels before them, images in a zip."""

import csv
import io
import random
import shutil
from pathlib import Path

from tests.source_fixtures import encoded, pack, pictures

QUESTIONS = (
    (
        "What imaging technique was used to obtain the image?",
        ("Ultrasound", "Magnetic resonance imaging", "CT", "X-ray"),
    ),
    ("What is the location of the lesion?", ("Left upper lobe", "Right lower lobe", "Left kidney", "Right kidney")),
    ("What does the arrow indicate?", ("A fracture of the bone", "An abscess", "Calcification", "E. coli colonies")),
    ("What color is the marker?", ("Red", "Green", "Blue", "Yellow")),
    ("Is contrast used in the image?", ("Yes", "No", "Unclear", "Not stated")),
)
LABELS = "ABCD"
V1 = ("Figure_path", "Question", "Answer", "Choice A", "Choice B", "Choice C", "Choice D", "Answer_label")
V2 = ("index", "Figure_path", "Caption", "Question", "Choice A", "Choice B", "Choice C", "Choice D", "Answer", "split")


def make_pmc_vqa(
    folder: Path, *, version: str = "2", patients: int = 48, seed: int = 0, packed: bool = True, newline: str = "\n"
) -> Path:
    """Write one version; ``packed`` leaves the images in their zip, as the Hub has them."""
    rng = random.Random(seed)
    inner = "images" if version == "1" else "figures"
    (folder / inner).mkdir(parents=True)
    rows: dict[str, list[dict[str, object]]] = {"train": [], "test": []}
    for number, (_, picture) in enumerate(pictures(patients, seed=seed)):
        name = f"PMC{8253797 + number}_Fig{number % 4 + 1}_{number % 7}.jpg"
        (folder / inner / name).write_bytes(encoded(picture))
        split = "test" if number % 5 == 4 else "train"
        for question, texts in QUESTIONS:
            right = rng.randrange(4)
            # In version 1 the choices have spaces around them, and both versions name the label before a choice.
            choices = [
                f" {label}:{text} " if version == "1" else f"{label}: {text}"
                for label, text in zip(LABELS, texts, strict=True)
            ]
            rows[split].append(
                {
                    "index": len(rows[split]),
                    "Figure_path": name,
                    "Caption": f'MR image of a "patient", with commas,\nand a line end ({number}).',
                    "Question": f" {question} " if version == "1" else question,
                    **{f"Choice {label}": choice for label, choice in zip(LABELS, choices, strict=True)},
                    "Answer": f" {texts[right]}" if version == "1" else LABELS[right],
                    "Answer_label": LABELS[right],
                    "split": split,
                }
            )
    for split, part in rows.items():
        columns = V1 if version == "1" else V2
        if version == "1" and split == "test":
            # The header of one file is misspelt.
            columns = tuple("Anwser" if name == "Answer" else name for name in V1)
            part = [{**row, "Anwser": row["Answer"]} for row in part]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator=newline)
        writer.writeheader()
        writer.writerows(part)
        (folder / f"{split}{'_2' if version == '2' else ''}.csv").write_bytes(text.getvalue().encode())
    if packed:
        pack(folder / ("images.zip" if version == "1" else "images_2.zip"), folder / inner, f"{inner}/")
        shutil.rmtree(folder / inner)
    return folder
