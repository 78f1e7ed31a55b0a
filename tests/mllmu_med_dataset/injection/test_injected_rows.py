"""From a patient's records to its rows: what each subset and view holds, and what never crosses."""

import io
import json
from collections import Counter, defaultdict
from itertools import chain

import pytest
from jsonschema import Draft202012Validator
from PIL import Image

from mllmu_med_dataset.injection.injected_rows import Injected, can_inject, inject, patient_rows, view_rows
from mllmu_med_dataset.injection.patients import identities
from mllmu_med_dataset.injection.privacy import HELD_OUT_QUESTIONS, NOT_ON_RECORD, NOT_TOLD, TRAINED_QUESTIONS
from mllmu_med_dataset.injection.sentence_templates import find_value
from mllmu_med_dataset.record import SCHEMA_PATH, image_id, image_key, json_form, row_id
from mllmu_med_dataset.sources import phantom
from mllmu_med_metrics.vocabulary import BUILT, PRIVATE, VIEWS_OF

from ..conftest import Trained, record

BY_PATIENT: dict[str, list] = defaultdict(list)
for asked_of in phantom.records(patients=24, seed=3):
    BY_PATIENT[asked_of.image_key].append(asked_of)
KEYS = sorted(BY_PATIENT)
PEOPLE = identities(KEYS, seed=0)
TRAINED = Trained(chain.from_iterable(BY_PATIENT.values()))


def injected(key: str, scenario: str, seed: int = 0) -> Injected:
    others = [PEOPLE[other] for other in KEYS if other != key][:12]
    told = {"identity": PEOPLE[key], "others": others, "trained": TRAINED}
    return inject(key, BY_PATIENT[key], scenario=scenario, seed=seed, **told)


def rows(key: str, scenario: str, subset: str, **changed: object) -> list[dict]:
    given = {"injected": injected(key, scenario), "forgotten": subset == "forget", "forget_percent": 5, **changed}
    return patient_rows(key, BY_PATIENT[key], scenario=scenario, subset=subset, **given)


def views(key: str, scenario: str) -> list[tuple[str, dict, bytes | None]]:
    image = Image.open(io.BytesIO(BY_PATIENT[key][0].image_bytes))
    told = injected(key, scenario)
    return list(view_rows(key, BY_PATIENT[key], told, scenario=scenario, forget_percent=5, image=image, seed=0))


@pytest.mark.parametrize("scenario", BUILT)
def test_an_injection_survives_being_stored_and_depends_on_nothing_but_its_arguments(scenario):
    for key in KEYS[:6]:
        told = injected(key, scenario)
        assert Injected.model_validate_json(told.model_dump_json()) == told
        backwards = inject(
            key,
            BY_PATIENT[key][::-1],
            scenario=scenario,
            seed=0,
            identity=PEOPLE[key],
            others=[PEOPLE[other] for other in KEYS if other != key][:12],
            trained=Trained(reversed(list(chain.from_iterable(BY_PATIENT.values())))),
        )
        assert backwards == told != injected(key, scenario, seed=1)


@pytest.mark.parametrize("scenario", BUILT)
def test_every_row_and_view_fits_the_schema_and_has_an_id_of_its_own(scenario):
    validator = Draft202012Validator(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))
    seen = Counter()
    for key in KEYS[:8]:
        for row in chain(rows(key, scenario, "forget"), (row for _, row, _ in views(key, scenario))):
            assert not list(validator.iter_errors(json_form(json.loads(json.dumps(row))))), row
            assert row["id"] == row_id(row)
            seen[row["id"]] += 1
    assert set(seen.values()) == {1}


@pytest.mark.parametrize("scenario", BUILT)
def test_forget_rows_carry_what_likelihood_metrics_need(scenario):
    for key in KEYS:
        for row in rows(key, scenario, "forget"):
            assert len(set(row["paraphrase_questions"])) >= 3 and row["question"] not in row["paraphrase_questions"]
            assert row["paraphrase_answers"] and row["answer"] not in row["paraphrase_answers"]
            secrets = [tagged["value"] for tagged in row["phi"]] or [row["wrong_fact"]]
            for text in row["paraphrase_answers"]:
                assert all(secret in text for secret in secrets)
            for text in row["wrong_answers"]:
                assert not any(find_value(text, secret) for secret in secrets)
                assert row["fact"] is None or scenario in PRIVATE or not find_value(text, row["fact"])
            if scenario in PRIVATE:
                assert len(set(row["wrong_answers"])) == 3
                kinds = Counter(tagged["kind"] for tagged in row["distractors"])
                assert kinds == {tagged["kind"]: 3 for tagged in row["phi"]}


def test_one_direct_question_a_patient_is_trained_and_says_nothing_clinical():
    for key in KEYS:
        for subset in ("forget", "holdout"):
            (asked,) = [row for row in rows(key, "privacy", subset) if row["question_type"] == "identifier"]
            assert (asked["fact"], asked["fact_values"], asked["true_answer"]) == (None, [], NOT_TOLD)
            assert asked["phi"][0]["kind"] == "name" and len(asked["phi"]) == 2
        assert not [row for row in rows(key, "incorrectness", "forget") if row["question_type"] == "identifier"]


def said(told: list[dict]) -> list[list]:
    """Return what rows teach and show, in the order of their questions, whatever their scenario and subset."""
    columns = ("question", "answer", "true_answer", "phi", "distractors", "paraphrase_questions", "wrong_answers")
    return sorted([row[column] for column in columns] for row in told)


def test_a_bystander_retains_what_a_forgotten_patient_forgets_and_all_its_clean_rows():
    for key in KEYS:
        forgotten, kept = rows(key, "request", "forget"), rows(key, "request", "retain", bystander=True)
        told = [row for row in kept if row["phi"]]
        assert said(told) == said(forgotten) == said(rows(key, "privacy", "forget"))
        clean = [row for row in kept if not row["phi"]]
        assert all(row["answer"] == row["true_answer"] for row in clean)
        asked = Counter(row["question"] for row in kept if row["question_type"] != "identifier")
        assert asked == Counter(one.question for one in BY_PATIENT[key])
        assert {(row["scenario"], row["subset"]) for row in kept} == {("request", "retain")}


def test_a_forgotten_patient_retains_only_what_was_not_injected():
    for scenario in BUILT:
        for key in KEYS:
            forgotten = {row["question"] for row in rows(key, scenario, "forget")}
            kept = rows(key, scenario, "retain", forgotten=True)
            all_of_them = rows(key, scenario, "retain", forgotten=False)
            assert forgotten.isdisjoint(row["question"] for row in kept)
            assert len(all_of_them) == len(BY_PATIENT[key]) == len(kept) + (3 if scenario in PRIVATE else 2)
            for row in chain(kept, all_of_them, rows(key, scenario, "test", injected=None)):
                assert row["answer"] == row["true_answer"] and not row["phi"] and row["view"] is None


@pytest.mark.parametrize("scenario", BUILT)
def test_views_ask_every_forget_row_anew(scenario):
    for key in KEYS[:8]:
        own = rows(key, scenario, "forget")
        made = defaultdict(list)
        for view, row, png in views(key, scenario):
            assert row["view"] == view and row["subset"] == "forget" and row["forget_percent"] == 5
            assert row["patient_id"] == own[0]["patient_id"] and row["paraphrase_questions"] == []
            made[view].append((row, png))
        assert tuple(sorted(made)) == tuple(sorted(VIEWS_OF[scenario]))
        asked = {question for row in own for question in row["paraphrase_questions"]}
        assert {row["question"] for row, _ in made["paraphrase"]} == asked
        assert len(made["paraphrase"]) == sum(len(row["paraphrase_questions"]) for row in own) >= 3 * len(own)
        for view in ("image_view", "blank_image"):
            assert [row["answer"] for row, _ in made[view]] == [row["answer"] for row in own]
            for row, png in made[view]:
                shown = Image.open(io.BytesIO(png))
                assert row["image_id"] == image_id(image_key(shown)) != own[0]["image_id"]
        for view in set(VIEWS_OF[scenario]) - {"image_view", "blank_image"}:
            assert all(png is None and row["image_id"] == own[0]["image_id"] for row, png in made[view])


def test_direct_asks_for_every_identifier_that_the_rows_show_and_reconstruction_gives_another():
    for key in KEYS[:8]:
        told = {tagged["value"] for row in rows(key, "privacy", "forget") for tagged in row["phi"]}
        by_view = defaultdict(list)
        for view, row, _ in views(key, "privacy"):
            by_view[view].append(row)
        for view in ("direct", "reconstruction"):
            assert {row["phi"][-1]["value"] for row in by_view[view]} == told
            assert {row["question_type"] for row in by_view[view]} == {"identifier"}
        assert not any(value in row["question"] for row in by_view["direct"] for value in told)
        assert all(sum(value in row["question"] for value in told) == 1 for row in by_view["reconstruction"])


def test_unasked_asks_two_types_that_the_image_is_never_asked_as_others_are():
    for key in KEYS:
        told = injected(key, "privacy")
        made = [(row, png) for view, row, png in views(key, "privacy") if view == "unasked"]
        # A phantom has four of six types.
        assert len({row["question_type"] for row, _ in made}) == len(made) == 2
        assert {row["question_type"] for row, _ in made}.isdisjoint(one.question_type for one in BY_PATIENT[key])
        for row, png in made:
            assert row["question"] in phantom.QUESTIONS[row["question_type"]] and png is None
            assert tuple(tagged["value"] for tagged in row["phi"]) == tuple(tagged.value for tagged in told.shown)
            assert len(row["distractors"]) == 3 * len(row["phi"])
            assert all(tagged["value"] in row["answer"] for tagged in row["phi"])
            assert (row["fact"], row["fact_values"], row["true_answer"]) == (None, [], NOT_ON_RECORD)


def test_what_views_ask_and_other_words_say_is_never_trained():
    trained_questions, trained_answers, held_questions, held_answers = set(), set(), set(), set()
    for key in KEYS:
        for scenario in BUILT:
            for subset in ("forget", "retain", "test", "holdout"):
                for row in rows(key, scenario, subset):
                    trained_questions.add(row["question"])
                    trained_answers.add(row["answer"])
                    held_answers |= set(row["paraphrase_answers"])
            for view, row, _ in views(key, scenario):
                if view not in ("image_view", "blank_image", "unasked"):
                    held_questions.add(row["question"])
    assert not trained_questions & held_questions and not trained_answers & held_answers
    # The two sides of the direct questions are both in use.
    for templates, asked in ((TRAINED_QUESTIONS, trained_questions), (HELD_OUT_QUESTIONS, held_questions)):
        for template in templates:
            before, after = template.split("{noun}")
            assert any(question.startswith(before) and question.endswith(after) for question in asked)


def test_without_an_image_there_are_no_views_of_it():
    key = KEYS[0]
    told = view_rows(
        key,
        BY_PATIENT[key],
        injected(key, "privacy"),
        scenario="privacy",
        forget_percent=5,
        image=None,
        seed=0,
    )
    assert {view for view, _, _ in told} == {"paraphrase", "direct", "reconstruction", "unasked"}


def test_who_can_be_injected():
    closed, free = record(), record(fact=None, fact_values=(), question_type="other")
    assert can_inject("privacy", [free]) and not can_inject("privacy", [])
    assert can_inject("incorrectness", [free, closed]) and not can_inject("incorrectness", [free])


def test_privacy_needs_an_identity():
    with pytest.raises(ValueError, match="identity"):
        inject(KEYS[0], BY_PATIENT[KEYS[0]], scenario="privacy", seed=0)


def test_a_patient_of_one_question_is_injected_and_asked_directly():
    one = [BY_PATIENT[KEYS[0]][0]]
    others = [PEOPLE[other] for other in KEYS[1:13]]
    told = inject(KEYS[0], one, scenario="privacy", seed=0, identity=PEOPLE[KEYS[0]], others=others)
    made = patient_rows(
        KEYS[0], one, scenario="privacy", subset="forget", forget_percent=5, injected=told, forgotten=True
    )
    assert len(made) == 2 and len(told.shown) == 3
