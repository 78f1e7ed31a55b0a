"""A question in other words asks the same and is never asked by a trained row."""

import pytest

from mllmu_med_dataset.injection.question_paraphrases import CHINESE_WRAPPERS, WRAPPERS, paraphrases
from mllmu_med_dataset.sources import phantom

from ..conftest import record

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
        ("Where is the brain tumor in this image?", "What is the location of the brain tumor?"),
        ("How many kidneys are there in this image?", "State the number of kidneys."),
        ("What color is the background?", "State the color of the background."),
        ("What is the function of the organ in this image?", "State the function of the organ."),
        ("Does the liver look healthy?", "Say whether the liver can be called healthy."),
        ("Is there evidence of a pneumothorax?", "Looking closely, do you see evidence of a pneumothorax?"),
        ("What modality is used to take this image?", "Name the modality of this picture."),
        ("Is there a liver in the image?", "Say whether there is a liver in the image."),
        ("Is/Are there cysts in the right lung?", "Would you say that there are cysts in the right lung?"),
        ("Where is/are the abnormality located?", "Tell where the abnormality is."),
        ("Is this a X-Ray?", "Say whether this is an X-Ray."),
        ("is the heart enlarged?", "Say whether the heart is enlarged."),
        ("Does the trachea exist in this picture?", "Can the trachea be seen in this picture?"),
        ("Do the organs in the image exist in the head?", "Say whether the organs in the image exist in the head."),
        ("Can pneumonia be observed on the left lung?", "Looking closely, do you see pneumonia on the left lung?"),
        ("Which side of lung is abnormal in this image?", "State the abnormal side of the lung."),
        ("Can brain edema be observed?", "Would you say that brain edema can be observed?"),
        ("图片中包含肝脏吗?", "请判断图片中是否包含肝脏。"),
        ("这张图片的成像方式是什么?", "请说出这张图片的成像方式。"),
        ("图中有多少个肾脏?", "图中肾脏的数量是多少?"),
        ("肝脏在哪个位置?", "请指出肝脏的位置。"),
        ("Does the picture contain liver?", "Say whether this picture shows the liver."),
    ],
)
def test_a_question_of_a_common_form_is_turned_round(question, expected):
    told = paraphrases(record(question=question), 0)
    assert expected in told and len(set(told)) == 3 and question not in told


@pytest.mark.parametrize("question", ["Which side is brighter, left or right?", "¿Dónde está?", "哪个器官更大?"])
def test_any_other_question_stands_whole_in_what_wraps_it(question):
    told = paraphrases(record(question=question), 0)
    assert len(set(told)) == 3 and all(question in other and question != other for other in told)
    assert {other.replace(question, "{question}") for other in told} <= {*WRAPPERS, *CHINESE_WRAPPERS}


def test_what_is_wrapped_begins_with_a_capital_and_ends_with_a_mark():
    wrapped = {text for seed in range(4) for text in paraphrases(record(question="what is on the differential"), seed)}
    assert wrapped == {wrapper.format(question="What is on the differential?") for wrapper in WRAPPERS}


def test_a_question_that_offers_choices_keeps_them():
    offered = record(question="Which side of lung is abnormal, left or right?", answer="Left", fact="Left")
    assert all("left or right" in other for other in paraphrases(offered, 0))


@pytest.mark.parametrize("question", ["Is there a pleural effusion?", "肝脏在哪个位置?", "What is beside it?"])
def test_no_phrasing_is_a_question_that_the_data_set_asks_itself(question):
    first, *_ = paraphrases(record(question=question), 0)
    others = paraphrases(record(question=question), 0, is_asked=lambda other: other == first)
    assert len(set(others)) == 3 and first not in others
