"""LLaVA-Med instruction data in its layout: one JSON list, conversations of several turns, long answers."""

import json
import random
from pathlib import Path

from tests.source_fixtures import encoded, pictures

DOMAINS = {"X-Ray": "chest_xray", "CT": "ct_scan", "MRI": "mri"}
NAMED = {"X-Ray": "chest X-ray", "CT": "CT", "MRI": "MRI"}
LOOKS = ("irregular", "round", "well defined", "diffuse")
KEYS = ("chest_xray", "mri", "histology", "gross", "ct_scan")


def make_llava_med(folder: Path, *, patients: int = 36, seed: int = 0) -> Path:
    """Write the data set."""
    rng = random.Random(seed)
    rows = []
    (folder / "images").mkdir(parents=True)
    for number, (study, picture) in enumerate(pictures(patients, seed=seed)):
        pair = f"{20_000_000 + number}_F{number % 5 + 1}"
        (folder / "images" / f"{pair}.jpg").write_bytes(encoded(picture))
        look, organ, named = rng.choice(LOOKS), study.organ.lower(), NAMED[study.modality]
        turns = [
            (
                "What can you tell me about this figure?",
                f"The figure shows an image of the {organ} with a {look} area of altered signal, which the caption "
                "relates to the course of the patient's illness over the following weeks.",
            ),
            (
                "What imaging modality was used to take this image?",
                # Named twice in some answers: then no single word decides.
                f"This image was taken with {named}." if number % 4 else f"It is a {named}; {named} is common.",
            ),
            (f"Is the {organ} seen in this image?", "Yes."),
            ("What is the shape of the area?", f"{look.capitalize()}."),
        ]
        first = number % 2 == 0
        conversations = []
        for place, (question, answer) in enumerate(turns):
            mark = ("<image>\n" + question, question + "\n<image>")[first] if place == 0 else question
            conversations += [{"from": "human", "value": mark}, {"from": "gpt", "value": answer}]
        domain = DOMAINS[study.modality]
        rows.append(
            {
                "id": pair,
                "image": f"{pair}.jpg",
                "pair_id": pair,
                "fig_caption": "A caption that is not read.",
                # Two domains of one figure: then which it is is not known.
                "domain": {key: key == domain or (number == 5 and key == "gross") for key in KEYS},
                "conversations": conversations,
            }
        )
    (folder / "llava_med_instruct_60k.json").write_text(json.dumps(rows), encoding="utf-8")
    (folder / "llava_med_instruct_fig_captions.json").write_text(json.dumps({"one": "caption"}))
    return folder
