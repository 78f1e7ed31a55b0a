"""A question in other words asks the same and is never asked by a trained row."""

import pytest

from mllmu_med_dataset.phrasing import WRAPPERS, paraphrases
from mllmu_med_dataset.sources import phantom

from .conftest import record

TRAINED = {question for questions in phantom.QUESTIONS.values() for question in questions}


def test_every_phantom_question_has_three_phrasings_that_no_record_asks():
    held_out = [question for questions in phantom.HELD_OUT_QUESTIONS.values() for question in questions]
    assert list(phantom.HELD_OUT_QUESTIONS) == list(phantom.QUESTIONS)
    assert len(set(held_out)) == len(held_out) == 3 * len(phantom.QUESTIONS)
    assert not TRAINED & set(held_out)
    for asked in phantom.records(patients=20, seed=0):
        assert set(paraphrases(asked, 0)) == set(phantom.HELD_OUT_QUESTIONS[asked.question_type])


def test_held_out_phrasings_use_the_words_of_the_trained_ones():
    known = {word for question in TRAINED for word in question.lower().strip("?").split()}
    held_out = [q for questions in phantom.HELD_OUT_QUESTIONS.values() for q in questions]
    words = [word for question in held_out for word in question.lower().strip("?").split()]
    # A small model can only understand what it has read.
    assert sum(word in known for word in words) / len(words) > 0.95


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Is this a study of the abdomen?", "Would you call this a study of the abdomen?"),
        ("Where are the kidneys?", "Tell where the kidneys are."),
        ("Where is the brain tumor in this image?", "In which place do you find the brain tumor?"),
        ("How many kidneys are there in this image?", "Tell the number of kidneys that are there in this image."),
        ("What color is the background?", "Tell the color of the background."),
        ("What is the function of the organ in this image?", "Tell the function of the organ in this image."),
        ("Does the liver look healthy?", "Say whether the liver can be called healthy."),
        ("Is there evidence of a pneumothorax?", "Looking closely, do you find any evidence of a pneumothorax?"),
        ("What modality is used to take this image?", "Name the modality of this picture."),
        ("Does the picture contain liver?", "Say whether liver can be seen in this picture."),
    ],
)
def test_a_question_of_a_common_form_is_turned_round(question, expected):
    told = paraphrases(record(question=question), 0)
    assert expected in told and len(set(told)) == 3 and question not in told


@pytest.mark.parametrize("question", ["Which side is brighter, left or right?", "¿Dónde está?", "这是什么模态的影像?"])
def test_any_other_question_stands_whole_in_what_wraps_it(question):
    told = paraphrases(record(question=question), 0)
    assert len(set(told)) == 3 and all(question in other and question != other for other in told)
    assert {other.replace(question, "{question}") for other in told} <= set(WRAPPERS)
