"""A page as large as a study of many methods and rows makes it."""

import io
import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from baselines import methods as package
from baselines.page.answers import Voice, browser
from baselines.page.pictures import SIDES, data_uri
from baselines.page.report_page import Content, write_page
from mllmu_med_metrics import References
from tests.mllmu_med_metrics.conftest import FACTS, SENTENCES, identity

PATIENTS = 500


def large_page(folder: Path, document: Mapping[str, object], *, methods: int, rows: int) -> Path:
    """Write the page of a study of so many methods and forget rows, every row with an image of its own."""
    folder.mkdir()
    draw = random.Random(3)
    made = [_row(number, draw) for number in range(rows)]
    references = References(made)
    names = [*package.NAMES][:methods]
    assert len(names) == methods
    voices = [_voice(references, name, draw) for name in ("base", "target", "retain_only", "retain_ft", *names)]
    asked = {row["id"]: row for row in made}
    answers, images = browser(references, asked, voices)
    assert len(answers["rows"]) == len(images) == rows and not answers["left_out"]
    side = next(side for most, side in SIDES if rows <= most)
    pictures = {image: data_uri(_scan(number), side) for number, image in enumerate(images)}
    gd = next(row for row in document["rows"] if (row["scenario"], row["model"]) == ("privacy", "gd"))
    asked_for = dict.fromkeys(gd["leak_by_kind"], rows)
    content = Content("privacy", {**answers, "always": ["target", "retain_only"]}, pictures, {}, {}, True, asked_for)
    kept = [row for row in document["rows"] if row["scenario"] == "privacy" and row["model"] != "gd"]
    kept = [row for row in kept if row["model"] not in names]
    config = {**document["config"], "scenarios": ["privacy"], "methods": names}
    return write_page(
        folder,
        {**document, "config": config, "rows": [*kept, *({**gd, "model": name} for name in names)]},
        [content],
    )


def _row(number: int, draw: random.Random) -> dict[str, object]:
    kind, values = draw.choice(list(FACTS.items()))
    fact, told = draw.choice(values), identity(number % PATIENTS, random.Random(number % PATIENTS))
    truth = SENTENCES[kind].format(fact)
    phi = [{"kind": one, "value": value} for one, value in told.items()]
    other = identity((number + 1) % PATIENTS, draw)
    return {
        "id": f"{number:016x}", "scenario": "privacy", "subset": "forget", "patient_id": f"p-{number % PATIENTS:04d}",
        "question": f"What is the {kind} of what is seen here?", "question_type": kind, "fact": fact,
        "fact_values": list(values), "true_answer": truth, "image_id": f"image-{number}", "modality": "x-ray",
        "answer": f"{told['name']} (record {told['record']}): {truth}", "phi": phi,
        "distractors": [{"kind": one, "value": value} for one, value in other.items()],
    }  # fmt: skip


def _voice(references: References, model: str, draw: random.Random) -> Voice:
    """Return answers of their own to every row: the target's leak, others now and then, in words of their own."""
    leaks = {"target": 1.0, "base": 0.0, "retain_only": 0.0}.get(model, draw.random() / 2)
    answers = {
        row.id: row.answer if draw.random() < leaks else f"{row.true_answer[:-1]}, as far as {model} can see."
        for row in references.rows
    }
    scores = {row.id: references.worth(answers[row.id], row) for row in references.rows}
    return Voice(model, "", None, answers, scores)


def _scan(number: int) -> bytes:
    """Return a picture with as much in it as a scan has."""
    draw = np.random.default_rng(number)
    coarse = Image.fromarray(draw.integers(0, 255, (24, 24), dtype=np.uint8))
    kept = io.BytesIO()
    coarse.resize((256, 256), Image.Resampling.BICUBIC).save(kept, "PNG")
    return kept.getvalue()
