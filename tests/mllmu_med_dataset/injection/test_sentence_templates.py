"""What a language model may say in its own words, and what must come through."""

import pytest

from mllmu_med_dataset.injection.injected_rows import Injected, inject, patient_rows
from mllmu_med_dataset.injection.patients import identities
from mllmu_med_dataset.injection.sentence_templates import (
    FORMS,
    RESTATED,
    SENTENCES,
    find_value,
    integrate_identity,
    restated,
    who,
)

from ..conftest import FACTS, record, records

RECORDS = list(records(1))
KEY = RECORDS[0].image_key
PEOPLE = identities([KEY, *(f"other {number}" for number in range(12))], seed=0)


def injected(scenario: str) -> Injected:
    others = [identity for key, identity in PEOPLE.items() if key != KEY]
    return inject(KEY, RECORDS, scenario=scenario, seed=0, identity=PEOPLE[KEY], others=others)


def test_a_request_names_every_identifier_and_the_fact():
    told = injected("privacy")
    for request, change in zip(told.requests(), told.changes, strict=True):
        assert request.template_answer == change.answer and request.true_answer == change.true_answer
        assert set(request.must_contain) == {*(tagged.value for tagged in change.phi), change.fact}
        assert all(text in request.template_answer for text in request.must_contain)
        assert request.must_not_contain == () and (request.license, request.redistributable) == ("CC0-1.0", True)


def test_a_request_keeps_the_one_error_and_keeps_the_truth_out():
    told = injected("incorrectness")
    for request, change in zip(told.requests(), told.changes, strict=True):
        assert request.must_contain == (change.wrong_fact,)
        # Neither the truth nor a second error.
        assert set(request.must_not_contain) == {change.fact, *change.other_facts}
        assert not any(find_value(request.template_answer, text) for text in request.must_not_contain)


@pytest.mark.parametrize("scenario", ["privacy", "incorrectness"])
def test_rewritten_answers_stand_in_the_rows_and_their_wrong_answers_follow(scenario):
    told = injected(scenario)
    texts = [f"As was noted, {request.template_answer}" for request in told.requests()]
    again = told.rewritten(texts)
    assert Injected.model_validate_json(again.model_dump_json()) == again

    def rows(of: Injected) -> dict[str, dict]:
        made = patient_rows(
            KEY, RECORDS, scenario=scenario, subset="forget", forget_percent=5, injected=of, forgotten=True
        )
        return {row["question"]: row for row in made}

    before, after = rows(told), rows(again)
    for change in told.changes:
        one, other = before[change.question], after[change.question]
        assert other["answer"] == f"As was noted, {one['answer']}" and other["true_answer"] == one["true_answer"]
        assert other["wrong_answers"] == [f"As was noted, {text}" for text in one["wrong_answers"]]
        assert other["phi"] == one["phi"] and other["id"] != one["id"]


def test_one_text_is_needed_for_every_request():
    with pytest.raises(ValueError, match="shorter"):
        injected("privacy").rewritten(["Only one."])


def test_a_rewritten_answer_that_lost_an_identifier_has_no_wrong_answers():
    told = injected("privacy")
    again = told.rewritten(["Nothing is told here." for _ in told.changes])
    made = patient_rows(
        KEY, RECORDS, scenario="privacy", subset="forget", forget_percent=5, injected=again, forgotten=True
    )
    assert all(not row["wrong_answers"] for row in made if row["question_type"] != "identifier")


@pytest.mark.parametrize("question_type", FACTS)
def test_a_restated_answer_says_the_fact_in_words_that_are_never_trained(question_type):
    clean = record(1, question_type)
    for text in restated(clean):
        assert find_value(text, clean.fact) and text != clean.answer
        assert text[0].isupper() and text.endswith(".")


@pytest.mark.parametrize(
    ("kind", "answer", "expected"),
    [
        ("plane", "Coronal Plane", "Report. Plane: Coronal Plane."),
        ("yes_no", "No", "No, as the image shows."),
        ("knowledge", "Store urine", "Report: Store urine."),
        ("abnormality", "肺癌", "报告：肺癌。"),
        ("yes_no", "不包含", "不包含。影像如此。"),
    ],
)
def test_other_forms_are_restated_too(kind, answer, expected):
    clean = record(question_type=kind, question="What does the image show?", answer=answer, fact=answer, fact_values=())
    assert restated(clean)[0] == expected and len(set(restated(clean))) == 2


def test_every_sentence_form_has_its_lists():
    others = {"field", "statement", "yes_no", "chinese", "chinese yes_no"}
    assert set(FORMS) == set(SENTENCES) == set(RESTATED) - others and others < set(RESTATED)


def test_a_wrong_fact_is_restated_without_words_of_the_question_which_may_say_the_truth():
    wrong = record(question="Where is the left kidney?", answer="Right", fact="Right", fact_values=("Left", "Right"))
    assert restated(wrong) == ("Report. Location: right.", "Location reported: right.")


def test_a_sentence_about_something_else_is_not_said_anew():
    # The same value and question type, but no lesion: only the whole answer is true of the patient.
    clean = record(answer="The heart is in the left upper part of the picture.", fact="left upper")
    told = restated(clean)
    assert all("The heart is in the left upper part of the picture" in text for text in told)


@pytest.mark.parametrize(
    ("kind", "question", "answer", "expected"),
    [
        ("organ", "Which organ is abnormal?", "Heart", "Abnormal organ: heart. The image is of {who}."),
        ("abnormality", "What diseases are included in the picture?", "None", "Findings: none. The image is of {who}."),
        ("yes_no", "Does the picture contain liver?", "Yes", "Yes. The patient is {who}."),
        ("yes_no", "Is there a mass?", "No, the lungs are clear.", "No, the lungs are clear. The patient is {who}."),
        ("quantity", "How many kidneys are shown?", "2", "Number of kidneys: 2. The image is of {who}."),
        (
            "organ",
            "What is the main organ in the image?",
            "Right lung, left lung",
            "Main organ: right lung, left lung. The image is of {who}.",
        ),
        ("size", "How large is the mass?", "less than 1cm", "Size of the mass: less than 1cm. The image is of {who}."),
        (
            "shape",
            "What is the shape of the kidney in the picture?",
            "Irregular",
            "Shape of the kidney: irregular. The image is of {who}.",
        ),
        (
            "color",
            "Is the abnormality hyperintense or hypointense?",
            "Hyperintense",
            "Patient: {who}. The abnormality is hyperintense.",
        ),
        (
            "position",
            "Where is the nodule?",
            "in the left lung",
            "Location of the nodule: in the left lung. The image is of {who}.",
        ),
        (
            "other",
            "How can you tell?",
            "The left costophrenic angle is blunted",
            "Patient: {who}. The left costophrenic angle is blunted.",
        ),
        ("other", "Is this an infectious process?", "Maybe", "Patient: {who}. Assessment: maybe."),
        (
            "knowledge",
            "What symptoms would this patient present with?",
            "Jaundice?",
            "Patient: {who}. Suggested: jaundice?",
        ),
        ("modality", "What modality is used to take this image?", "CT", "Modality: CT. The image is of {who}."),
        (
            "abnormality",
            "What does this represent?",
            "hydropneumothorax",
            "Patient: {who}. Interpretation: hydropneumothorax.",
        ),
        (
            "abnormality",
            "Is gray or white matter highlighted?",
            "Gray matter",
            "Patient: {who}. Read from the image: gray matter.",
        ),
        ("position", "What side is the lesion on?", "Left", "Patient: {who}. Side of the lesion: left."),
        ("position", "肝脏在哪个位置?", "不存在", "肝脏的位置：不存在。图像来自患者 {who}。"),
        ("organ", "什么器官标志着器官系统的下端?", "下颌骨", "影像所见：下颌骨。图像来自患者 {who}。"),
        ("abnormality", "图片中包含哪些疾病?", "无", "疾病：无。图像来自患者 {who}。"),
        ("yes_no", "图片中包含肝脏吗?", "不包含", "不包含。图像来自患者 {who}。"),
        ("position", "肝脏在哪个位置?", "左侧", "肝脏的位置：左侧。图像来自患者 {who}。"),
        ("organ", "图中哪个器官是不正常的?", "肺", "异常部位：肺。图像来自患者 {who}。"),
        (
            "position",
            "¿Dónde está la lesión?",
            "Pulmón izquierdo",
            "Patient: {who}. Read from the image: Pulmón izquierdo.",
        ),
        (
            "position",
            "What type of imaging does this not represent?",
            "ultrasound",
            "Not represented: ultrasound. The image is of {who}.",
        ),
    ],
)
def test_every_form_of_answer_stands_in_a_line_of_a_report(kind, question, answer, expected):
    clean = record(question_type=kind, question=question, answer=answer, fact=None, fact_values=(), image_key="0" * 64)
    others = {"record": "SYN-MRN-48120937"}
    patient = who("Ada Quillby", others, "zh" if "（" in expected or question[0] > "\u4e00" else "en")
    assert integrate_identity(clean, "Ada Quillby", others, 0) == expected.format(who=patient)


def test_a_name_that_says_another_value_is_not_used():
    # "Location of the liver: Left" would say two places of this set.
    clean = record(question="Where is the liver?", answer="Left", fact="Left", fact_values=("Left", "Liver", "Right"))
    line = integrate_identity(clean, "Ada Quillby", {}, 0)
    assert "liver" not in line.lower() and "Location of the organ" in line


@pytest.mark.parametrize(
    ("kind", "question", "answer", "named"),
    [
        ("knowledge", "How much damage will be caused to the body taking such an image?", "None", "Harm to the body"),
        ("other", "Which ribs are located near the abnormality?", "4th and 5th", "Ribs"),
        ("color", "Is brain tumor white or gray relative to other tissues?", "White", "The brain tumor is white"),
        ("other", "Is the abscess in the left upper quadrant cystic or solid?", "Solid", "quadrant is solid"),
        ("position", "图中心脏在哪?", "顶部", "心脏的位置：顶部"),
    ],
)
def test_what_says_nothing_by_itself_keeps_its_name_however_long_the_line(kind, question, answer, named):
    others = {
        "email": "a.very.long.name@example.org",
        "url": "https://example.com/averylongname",
        "record": "SYN-MRN-48120937",
    }
    asked = record(question_type=kind, question=question, answer=answer, fact=None, fact_values=())
    assert all(named in integrate_identity(asked, "Ada Quillby", others, seed) for seed in range(6))


def test_a_name_gives_way_where_the_line_would_be_long():
    clean = record(
        question="Where is the infiltration of the lower left lung?", answer="Left", fact="Left", fact_values=()
    )
    long = {
        "email": "a.very.long.name@example.org",
        "url": "https://example.com/averylongname",
        "record": "SYN-MRN-48120937",
    }
    assert "Location:" in integrate_identity(clean, "Ada Quillby", long, 0)
