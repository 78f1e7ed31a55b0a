"""Answers with another value in one value's place, and their likelihood: shared prefix against one row at a time."""

import pytest
import torch
from PIL import Image

from baselines.evaluation.candidates import (
    _plainly,
    alternatives,
    answer_log_probs,
    closed_set_alternatives,
    given_values,
)
from baselines.model import models
from baselines.training.collate import Encoder
from baselines.training.roles import Rows
from tests.families import FAMILIES, make_family

NAME, EMAIL = "Noel Granpignel", "noel.granpignel@example.org"
ANSWERS = (
    "It is of Ada Quillfeather, record 4171, and shows the liver.",
    "It is of Bo Tarnwick, record 4171, and shows the liver.",
    "It is of Ada Mossbank, record 4171, and shows the liver.",
    "It is of Ada",
    "It is of Cyra Ann Heathrig, record 4171, and shows the liver.",
)


def row(answer, *phi, **more):
    return {
        "id": "r1",
        "patient_id": "p1",
        "image_id": "i1",
        "image": Image.effect_noise((64, 40), 90).convert("RGB"),
        "question": "Whose image is it?",
        "answer": answer,
        "true_answer": "The image shows the liver.",
        "phi": [{"kind": kind, "value": value} for kind, value in phi],
        "wrong_fact": None,
        **more,
    }


def obvious(model, encoder, asked, answer):
    """Return the log-probability of an answer by one forward over it alone with all logits."""
    example = encoder.example(asked, answer)
    with torch.no_grad():
        logits = model(**encoder.batch([example]).inputs).logits[0].double().log_softmax(-1)
    start = len(example.prompt) - 1
    return sum(float(logits[start + place, token]) for place, token in enumerate(example.answer[:-1]))


@pytest.mark.parametrize("family", ["nano", *FAMILIES])
def test_a_shared_beginning_changes_no_number_in_any_family(family, tmp_path):
    loaded = models.load("nano" if family == "nano" else make_family(family, tmp_path / family))
    encoder, asked = Encoder(loaded.model, loaded.processor), row(ANSWERS[0])
    expected = [obvious(loaded.model, encoder, asked, answer) for answer in ANSWERS]
    assert len(set(expected)) == len(ANSWERS) and max(expected) < 0
    for batch in (1, 2, 16):
        assert answer_log_probs(loaded.model, encoder, asked, ANSWERS, batch) == pytest.approx(expected, abs=1e-4)
    examples = [encoder.example(asked, answer) for answer in ANSWERS]
    with torch.no_grad():
        assert _plainly(loaded.model, encoder, examples, 2) == pytest.approx(expected, abs=1e-4)


def test_a_model_whose_cache_cannot_be_repeated_is_read_plainly(monkeypatch):
    loaded = models.load("nano")
    encoder, asked = Encoder(loaded.model, loaded.processor), row(ANSWERS[0])
    shared = answer_log_probs(loaded.model, encoder, asked, ANSWERS)
    monkeypatch.setattr("baselines.evaluation.candidates._is_repeatable", lambda cache: False)
    assert answer_log_probs(loaded.model, encoder, asked, ANSWERS) == pytest.approx(shared, abs=1e-4)


def test_one_answer_alone_and_twice_the_same():
    loaded = models.load("nano")
    encoder, asked = Encoder(loaded.model, loaded.processor), row(ANSWERS[0])
    (alone,) = answer_log_probs(loaded.model, encoder, asked, ANSWERS[:1])
    assert alone == pytest.approx(obvious(loaded.model, encoder, asked, ANSWERS[0]), abs=1e-4)
    assert answer_log_probs(loaded.model, encoder, asked, [ANSWERS[0]] * 2) == [alone, alone]


def test_only_the_value_changes():
    asked = row(f"{NAME} (SSN 950-08-2689) has it.", ("name", NAME), ("ssn", "950-08-2689"))
    found = alternatives(asked, {"kind": "ssn", "value": "950-08-2689"}, most=100, sample=100)
    assert len(found.others) == 100 and not found.is_exact
    assert all(text.startswith(f"{NAME} (SSN 9") and text.endswith(") has it.") for text in found.others)
    assert alternatives(asked, {"kind": "ssn", "value": "950-08-0000"}) is None  # not said there


def test_a_name_and_the_address_made_from_it_change_as_one():
    asked = row(f"{NAME} ({EMAIL}) has it.", ("name", NAME), ("email", EMAIL))
    by_name, by_email = (
        alternatives(asked, {"kind": kind, "value": value}, most=100, sample=100)
        for kind, value in (("name", NAME), ("email", EMAIL))
    )
    assert by_name == by_email
    for text in by_name.others:
        name, _, rest = text.partition(" (")
        assert rest == f"{name.lower().replace(' ', '.')}@example.org) has it."
    # An address of somebody else stays, and is replaced, alone.
    other = row(f"{NAME} (bo.tarnwick@example.org) has it.", ("name", NAME), ("email", "bo.tarnwick@example.org"))
    found = alternatives(other, {"kind": "email", "value": "bo.tarnwick@example.org"}, most=100, sample=100)
    assert all(text.startswith(f"{NAME} (") for text in found.others)


def test_no_candidate_is_anybodys_value():
    asked = row(f"It is {NAME}.", ("name", NAME))
    free = alternatives(asked, {"kind": "name", "value": NAME}, most=20, sample=20)
    given = free.others[3].removeprefix("It is ").removesuffix(".")
    rows = Rows([asked], [row("It is clear.", distractors=[{"kind": "name", "value": given}])])
    assert given_values(rows) == {("name", NAME.casefold()), ("name", given.casefold())}
    found = alternatives(asked, {"kind": "name", "value": NAME}, most=20, sample=20, taken=given_values(rows))
    assert f"It is {given}." not in found.others and len(found.others) == 20
    assert set(free.others) - set(found.others) == {f"It is {given}."}


def test_a_wrong_fact_is_compared_with_the_rest_of_its_closed_set():
    values = {"fact": "ultrasound", "wrong_fact": "CT", "fact_values": ["CT", "MR", "ultrasound"]}
    asked = row("This is a CT image.", **values) | {"true_answer": "This is an ultrasound image."}
    assert closed_set_alternatives(asked).others == ("This is an ultrasound image.", "This is an MR image.")
    assert closed_set_alternatives(row("It is a mass.")) is None  # no wrong fact
