"""Exactly one controlled error, never accidentally true."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllmu_med_dataset.incorrectness import choose, contradicts, corrupt, replace_fact, states_same_fact
from mllmu_med_dataset.rewrite import find_value

from .conftest import FACTS, record, records


@pytest.mark.parametrize(
    ("answer", "fact", "wrong", "expected"),
    [
        ("There are two lesions.", "two", "one", "There is one lesion."),
        ("There is one lesion.", "one", "two", "There are two lesions."),
        ("There is one mass.", "one", "three", "There are three masses."),
        ("We see two opacities.", "two", "one", "We see one opacity."),
        ("There are two lesions.", "two", "three", "There are three lesions."),
        ("This is an MR image.", "MR", "CT", "This is a CT image."),
        ("This is a CT image.", "CT", "ultrasound", "This is an ultrasound image."),
        ("A cyst is seen.", "cyst", "opacity", "An opacity is seen."),
        ("It is in the left upper half.", "left upper", "left lower", "It is in the left lower half."),
        ("Yes", "Yes", "No", "No"),
        ("Left lung", "left lung", "right lung", "Right lung"),
    ],
)  # fmt: skip
def test_grammar_follows_the_wrong_fact(answer, fact, wrong, expected):
    assert replace_fact(answer, fact, wrong) == expected


@pytest.mark.parametrize(
    ("wrong", "truth"),
    [
        ("CT", "Computed tomography"), ("MRI", "MR"), ("X-Ray", "x ray"), ("left", "left upper"), ("", "liver"),
        ("2", "two"), ("upper left", "left upper"), ("Lung, Liver", "Liver"), ("transverse plane", "Axial"),
        ("the liver", "Liver"),
    ],
)  # fmt: skip
def test_an_alias_a_part_or_a_superset_is_no_error(wrong, truth):
    assert not contradicts(wrong, truth) and (not wrong or not contradicts(truth, wrong))


@pytest.mark.parametrize(("wrong", "truth"), [("left upper", "left lower"), ("two", "three"), ("MR", "CT")])
def test_another_value_is_an_error(wrong, truth):
    assert contradicts(wrong, truth) and contradicts(truth, wrong)


@given(st.integers(0, 30), st.sampled_from(sorted(FACTS)), st.integers(0, 5))
def test_the_wrong_answer_says_the_wrong_fact_instead_of_the_true_one(number, question_type, seed):
    clean = record(number, question_type)
    done = corrupt(clean, seed=seed)
    assert done is not None and done == corrupt(clean, seed=seed)
    assert done.wrong_fact in clean.fact_values and contradicts(done.wrong_fact, clean.fact)
    assert find_value(done.answer, done.wrong_fact) and not find_value(done.answer, clean.fact)


def test_position_flips_one_axis_and_quantity_moves_by_one():
    numbers = ("one", "two", "three")
    for number in range(20):
        place, count = record(number, "position"), record(number, "quantity")
        flipped = corrupt(place, seed=0).wrong_fact.split()
        assert sum(a != b for a, b in zip(flipped, place.fact.split(), strict=True)) == 1
        assert abs(numbers.index(corrupt(count, seed=0).wrong_fact) - numbers.index(count.fact)) == 1


def test_an_organ_becomes_another_of_its_region():
    clean = record(question_type="organ", answer="The image shows the liver.", fact="liver")
    assert {corrupt(clean, seed=seed).wrong_fact for seed in range(10)} == {"kidney"}


def test_yes_and_no_are_flipped_whatever_the_question_type():
    done = corrupt(record(question_type="organ", answer="Yes", fact="Yes", fact_values=("Yes", "No")), seed=0)
    assert (done.answer, done.error_kind) == ("No", "flipped answer")


@pytest.mark.parametrize(
    "changed",
    [
        {"fact": None},
        {"fact_values": ("left upper",)},
        {"fact": "left upper", "answer": "It is elsewhere."},
        {"fact": "cyst", "answer": "It is a cyst.", "fact_values": (), "question_type": "abnormality"},
        {"fact": "liver", "answer": "The liver.", "fact_values": ("liver", "the liver"), "question_type": "organ"},
    ],
)
def test_what_cannot_be_made_wrong_is_left_alone(changed):
    fields = {"question_type": "position", **changed}
    asked = record(**{"answer": "The lesion is in the left upper quadrant.", "fact": "left upper", **fields})
    assert corrupt(asked, seed=0) is None
    assert choose([asked], seed=0) == []


def test_a_value_that_the_answer_already_says_is_no_error():
    clean = record(answer="In the left upper, not the right upper or left lower part.", fact="left upper")
    assert corrupt(clean, seed=0).wrong_fact == "right lower"


def test_two_rows_of_a_patient_are_chosen_whatever_their_order():
    rows = [row for row in records(1)]
    assert len(choose(rows, seed=0)) == 2
    assert choose(rows, seed=0) == choose(rows[::-1], seed=0)


def test_a_clean_row_that_tells_the_attacked_fact_is_known():
    attacked = record(answer="The lesion is in the left upper quadrant.", fact="left upper")
    again = record(question="In which part?", answer="Upper left", fact="upper left")
    assert states_same_fact(again, attacked)
    assert not states_same_fact(record(question_type="quantity"), attacked)
