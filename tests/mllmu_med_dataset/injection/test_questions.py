import pytest

from mllmu_med_dataset.injection.questions import question_key, template


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Where is the lesion located in this image?", "where are the lesions"),
        ("What organ is shown in the picture?", "Which organs are seen here?"),
        ("Where is/are the abnormality located?", "Where is the abnormality in this image?"),
        ("这张图片的成像方式是什么?", "图片的成像方式是什么？"),
    ],
)
def test_wordings_of_one_question_have_one_key(one, other):
    assert question_key(one) == question_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is above the liver?", "What is below the liver?"),
        ("Which lung is abnormal?", "Which lung is normal?"),
        ("What is on the left?", "What is on the right?"),
        ("图像左侧的器官是什么?", "图像右侧的器官是什么?"),
    ],
)
def test_other_questions_have_other_keys(one, other):
    assert question_key(one) != question_key(other)


@pytest.mark.parametrize(
    ("question", "relation", "name"),
    [
        ("How to treat the disease?", "", "knowledge: treat"),
        ("怎么办?", "病因", "knowledge: cause"),
        ("What is the function of the organ on the left?", "", "knowledge: function"),
        ("What is the scanning plane of this image?", "", "plane"),
        ("这张核磁共振图像用的什么加权方式?", "", "modality"),
        ("What is the structure behind the heart?", "", None),
    ],
)
def test_a_template_is_narrow(question, relation, name):
    assert template(question, relation) == name
