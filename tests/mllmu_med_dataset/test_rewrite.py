"""What a language model may say in its own words, and what must come through."""

import pytest

from mllmu_med_dataset.patients import identities
from mllmu_med_dataset.rewrite import FORMS, RESTATED, SENTENCES, find_value, restated
from mllmu_med_dataset.rows import Injected, inject, patient_rows

from .conftest import FACTS, record, records

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
    assert restated(wrong) == ("Report. Location: Right.", "Location reported: Right.")


def test_a_sentence_about_something_else_is_not_said_anew():
    # The same value and question type, but no lesion: only the whole answer is true of the patient.
    clean = record(answer="The heart is in the left upper part of the picture.", fact="left upper")
    told = restated(clean)
    assert all("The heart is in the left upper part of the picture" in text for text in told)
