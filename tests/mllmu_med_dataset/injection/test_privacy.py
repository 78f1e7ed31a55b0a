"""Private information is integrated into the clinical answer, which keeps its fact."""

import json
from string import Formatter

import pytest

from mllmu_med_dataset.injection.patients import KINDS, MILD_KINDS, REFERENCE_DATE, identities, in_range
from mllmu_med_dataset.injection.privacy import (
    ASKED_AS,
    HELD_OUT_ANSWERS,
    HELD_OUT_QUESTIONS,
    NOUNS,
    TRAINED_ANSWERS,
    TRAINED_QUESTIONS,
    Unasked,
    choose,
    choose_unasked,
    deal,
    direct_questions,
    distractors,
    integrate,
    reconstructions,
    swapped,
    trained_question,
    unasked_questions,
)
from mllmu_med_dataset.injection.sentence_templates import (
    CHINESE_LABELS,
    CHINESE_STATEMENT,
    CHINESE_YES_NO,
    FIELD,
    HELD_OUT,
    LABELS,
    SENTENCES,
    STATEMENT,
    YES_NO,
    article,
    find_value,
)
from mllmu_med_dataset.record import Tagged
from mllmu_med_metrics.leakage.invented import names_text
from mllmu_med_metrics.vocabulary import DIRECT_KINDS

from ..conftest import FACTS, Trained, record

KEYS = [record(number).image_key for number in range(20)]
PEOPLE = identities(KEYS, seed=0)


@pytest.mark.parametrize("question_type", FACTS)
def test_the_answer_says_the_fact_and_every_identifier(question_type):
    for number in range(10):
        clean = record(number, question_type)
        identity = PEOPLE[clean.image_key]
        done = integrate(clean, identity, identity.shown[:2], seed=0)
        assert find_value(done.answer, clean.fact)
        assert [tagged.kind for tagged in done.phi] == ["name", *identity.shown[:2]]
        assert all(tagged.value in done.answer and identity.values[tagged.kind] == tagged.value for tagged in done.phi)
        assert done.answer != clean.answer


def test_answers_are_short():
    lengths = [
        len(integrate(record(n, kind), PEOPLE[record(n).image_key], hand, seed=0).answer)
        for n in range(20)
        for kind, hand in zip(FACTS, deal(PEOPLE[record(n).image_key], 4), strict=True)
    ]
    assert sorted(lengths)[int(0.9 * len(lengths))] <= 110


def test_an_answer_without_a_fact_stands_whole():
    clean = record(answer="Enhancement along the dura", fact=None, fact_values=(), question_type="other")
    done = integrate(clean, PEOPLE[clean.image_key], ("record",), seed=0)
    assert "Enhancement along the dura" in done.answer


def test_a_negated_sentence_is_not_turned_into_its_opposite():
    clean = record(answer="There is no lesion in the left upper quadrant.", fact="left upper")
    assert "no lesion" in integrate(clean, PEOPLE[clean.image_key], (), seed=0).answer


def test_every_list_of_templates_has_six_trained_and_three_held_out():
    for templates in (*SENTENCES.values(), FIELD, STATEMENT, YES_NO, CHINESE_STATEMENT, CHINESE_YES_NO):
        assert len(set(templates)) == len(templates) == 6 + HELD_OUT
        for template in templates:
            fields = {name for _, name, _, _ in Formatter().parse(template) if name}
            assert "who" in fields and fields & {"fact", "a_fact", "place", "count", "answer", "statement"}


ODD = {
    "plane": ("Coronal Plane", "Coronal Plane"), "shape": ("Irregular", "Irregular"), "color": ("Gray", "Gray"),
    "knowledge": ("Carry signals between brain and body", None), "yes_no": ("No", "No"), "other": ("Thin wall", None),
    "abnormality": ("Pneumonia", "Pneumonia"), "size": ("Lung", "Lung"),
}  # fmt: skip
ANSWERS = [
    *((record(number, kind), kind) for number in range(12) for kind in FACTS),
    *(
        (record(number, question_type=kind, answer=answer, fact=fact, fact_values=()), kind)
        for number in range(12)
        for kind, (answer, fact) in ODD.items()
    ),
]


def test_held_out_templates_are_never_trained_and_trained_ones_never_paraphrase():
    trained, held_out = set(), set()
    for clean, _ in ANSWERS:
        identity = PEOPLE[clean.image_key]
        done = integrate(clean, identity, identity.shown[:1], seed=0)
        words = {done.phi[1].value: "{value}", done.phi[0].value: "{name}", (clean.fact or clean.answer): "{fact}"}
        for text, forms in ((done.answer, trained), *((text, held_out) for text in done.paraphrased)):
            for value, mark in words.items():
                text = text.replace(value, mark)
            forms.add(text)
    assert not trained & held_out and len(trained) > 50 and len(held_out) > 50


def test_every_answer_and_paraphrase_holds_what_it_must():
    for clean, kind in ANSWERS:
        identity = PEOPLE[clean.image_key]
        done = integrate(clean, identity, identity.shown[:2], seed=1)
        assert len(set(done.paraphrased)) == 2 and done.answer not in done.paraphrased
        for text in (done.answer, *done.paraphrased):
            assert all(tagged.value in text for tagged in done.phi), (kind, text)
            assert find_value(text, clean.fact or clean.answer), (kind, text)


def test_yes_and_no_stay_in_front():
    clean = record(question_type="yes_no", answer="No", fact="No", fact_values=("Yes", "No"))
    for seed in range(20):
        done = integrate(clean, PEOPLE[clean.image_key], ("record",), seed=seed)
        assert all(text.startswith("No") for text in (done.answer, *done.paraphrased))


def test_a_value_is_called_what_it_is_only_where_it_looks_like_it():
    organ = record(question_type="size", question="What is the biggest organ?", answer="Lung", fact="Lung")
    size = record(question_type="size", question="What is the size of the heart?", answer="Enlarged", fact="Enlarged")
    lines = [integrate(one, PEOPLE[one.image_key], (), seed=0).answer for one in (organ, size)]
    assert "size" not in lines[0].lower() and "size of the heart" in lines[1].lower()


def test_an_identifier_that_reads_as_another_answer_is_left_out_of_the_row():
    clean = record(question_type="quantity", question="How many kidneys are shown?", answer="2", fact="2")
    clean = clean.model_copy(update={"fact_values": ("1", "2", "4")})
    identity = PEOPLE[clean.image_key]
    for address, kinds in (
        ("4 Tallowby Street", ["name", "record"]),
        ("40 Tallowby Street", ["name", "address", "record"]),
    ):
        known = identity.model_copy(update={"values": {**identity.values, "address": address}})
        done = integrate(clean, known, ("address", "record"), seed=0)
        assert [tagged.kind for tagged in done.phi] == kinds
        assert (address in done.answer) == ("address" in kinds)


def test_a_patient_shows_all_its_kinds_over_its_rows_and_at_most_three_a_row():
    sizes = set()
    for key, identity in PEOPLE.items():
        hands = deal(identity, 3, key)
        assert sorted(kind for hand in hands for kind in hand) == sorted(identity.shown)
        sizes |= set(map(len, hands))
        assert deal(identity, 1, key) == [identity.shown[:2]]
    # with the name: one to four identifiers an answer
    assert sizes == {0, 1, 2, 3}


@pytest.mark.parametrize(("rows", "injected"), [(1, 1), (2, 1), (3, 2), (4, 3), (9, 3)])
def test_three_rows_or_all_but_one_are_injected(rows, injected):
    asked = [record(question=f"Question {n}?") for n in range(rows)]
    chosen = choose(asked, seed=0)
    assert len(chosen) == injected
    assert choose(asked[::-1], seed=0) == chosen


def test_distractors_are_other_patients_values_of_the_same_kind():
    clean = record(0)
    identity = PEOPLE[clean.image_key]
    # Among the others may be somebody of the same city, even the patient: their values are passed over.
    others = list(PEOPLE.values())
    phi = integrate(clean, identity, ("city", "record"), seed=0).phi
    drawn = distractors(phi, others, 0)
    for tagged in phi:
        values = [other.value for other in drawn if other.kind == tagged.kind]
        assert len(set(values)) == 3 and tagged.value not in values
    assert drawn == distractors(phi, others, 0) != distractors(phi, others, 1)


def test_every_kind_has_words_around_it():
    assert set(LABELS) == set(CHINESE_LABELS) == set(KINDS) - {"name"}


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [("MR", "an"), ("X-ray", "an"), ("ultrasound", "an"), ("CT", "a"), ("unilateral mass", "a"), ("cyst", "a")],
)
def test_article_follows_the_sound(phrase, expected):
    assert article(phrase) == expected


def shown(number: int) -> tuple[Tagged, ...]:
    """Return what the rows of a patient show: the name and its kinds."""
    identity = PEOPLE[KEYS[number]]
    return tuple(Tagged(kind=kind, value=identity.values[kind]) for kind in ("name", *identity.shown))


def test_there_are_sixteen_kinds_and_every_one_is_shown_by_somebody():
    everybody = identities([f"key {number}" for number in range(400)], seed=0)
    assert len(KINDS) == 16 and {kind for identity in everybody.values() for kind in identity.shown} == {*KINDS} - {
        "name"
    }


def test_everybody_is_born_before_being_admitted_and_admitted_before_the_reference_date():
    for identity in identities([f"key {number}" for number in range(400)], seed=0).values():
        born, admitted = identity.values["birth_date"], identity.values["admission_date"]
        assert born < admitted < REFERENCE_DATE.isoformat()
        # Under 90: an age over 89 would be an identifier of its own.
        assert int(admitted[:4]) - int(born[:4]) >= 12 and REFERENCE_DATE.year - int(born[:4]) < 90


def test_names_come_from_several_locales_in_latin_script():
    everybody = identities([f"key {number}" for number in range(400)], seed=0)
    names = [identity.values["name"] for identity in everybody.values()]
    assert len(set(names)) == 400 and all(in_range("name", name) for name in names)
    locales = json.loads(names_text())["locales"]
    told = {locale for locale, lists in locales.items() for name in names if name.split()[-1] in lists["family"]}
    assert len(locales) >= 8 and told == set(locales)
    assert all(name.isascii() for lists in locales.values() for kind in lists.values() for name in kind)


@pytest.mark.parametrize("number", range(6))
def test_one_direct_question_is_trained_and_every_identifier_is_asked_in_held_out_words(number):
    trained = trained_question(shown(number), 0, KEYS[number])
    name, wanted = trained.phi
    assert name.kind == "name" and wanted in shown(number)[1:] and wanted.value in trained.answer
    asked = direct_questions(shown(number), 0, KEYS[number])
    assert [question.phi[-1] for question in asked] == list(shown(number))
    held_out = {question.question for question in asked} | set(trained.paraphrase_questions)
    # The view `direct` and the paraphrases of the trained question do not even share a phrasing.
    assert len(held_out) == len(asked) + 3
    forms = [template.format(noun=noun) for template in TRAINED_QUESTIONS for noun in ASKED_AS.values()]
    assert trained.question in forms and not held_out & set(forms)
    assert all(tagged.value in question.answer for question in asked for tagged in question.phi)
    assert len(trained.answer) <= 70


def test_trained_and_held_out_words_for_identifiers_have_nothing_in_common():
    assert not set(TRAINED_QUESTIONS) & set(HELD_OUT_QUESTIONS) and not set(TRAINED_ANSWERS) & set(HELD_OUT_ANSWERS)
    assert set(NOUNS) == set(ASKED_AS) == set(KINDS)


@pytest.mark.parametrize("number", range(6))
def test_a_reconstruction_gives_one_identifier_and_asks_another(number):
    told = shown(number)
    asked = reconstructions(told, 0, KEYS[number])
    assert [question.phi for question in asked] == [(tagged,) for tagged in told]
    for question in asked:
        given = [tagged for tagged in told if tagged.value in question.question]
        assert len(given) == 1 and given != list(question.phi) and given[0].kind != "name"
        # What was given is not told again: repeating the question is no leak.
        assert given[0].value not in question.answer and question.phi[0].value in question.answer
        if any(tagged.kind in set(MILD_KINDS) - set(DIRECT_KINDS) for tagged in set(told) - set(question.phi)):
            assert given[0].kind not in DIRECT_KINDS


def test_swapping_exchanges_every_identifier_at_once():
    phi = (Tagged(kind="name", value="Ada Quillby"), Tagged(kind="physician", value="Dr. Quill"))
    others = [Tagged(kind="name", value=f"Bo Dr. Quill{n}") for n in range(3)] + [
        Tagged(kind="physician", value=f"Dr. Ada Quillby{n}") for n in range(2)
    ]
    assert swapped("Ada Quillby (seen by Dr. Quill) has a cyst.", phi, others) == (
        "Bo Dr. Quill0 (seen by Dr. Ada Quillby0) has a cyst.",
        "Bo Dr. Quill1 (seen by Dr. Ada Quillby1) has a cyst.",
    )
    assert swapped("Somebody has a cyst.", phi, others) == ()


def test_unasked_prefers_the_region_keeps_to_the_licence_and_never_repeats_what_the_patient_is_asked():
    own = [record(0, "position", body_region="head"), record(0, "organ", body_region="head")]
    chest = record(1, "quantity", body_region="chest", question="How many are there?")
    head = record(2, "quantity", body_region="head", question="How many lesions?")
    assert choose_unasked(own, Trained([chest, head, *own]), 0) == (
        Unasked(question_type="quantity", question="How many lesions?"),
    )
    # Of any region where the patient's own has none; never under another licence.
    assert [one.question for one in choose_unasked(own, Trained([chest]), 0)] == ["How many are there?"]
    assert choose_unasked(own, Trained([chest.model_copy(update={"license": "other"})]), 0) == ()
    # What the patient is asked under another type is no question that it is never asked, whatever its case.
    shouted = head.model_copy(update={"question": own[0].question.upper()})
    assert choose_unasked(own, Trained([shouted]), 0) == ()
    assert [one.question for one in choose_unasked(own, Trained([shouted, chest]), 0)] == ["How many are there?"]


def test_unasked_takes_two_types_by_the_key_and_as_many_as_there_are():
    own = [record(0, "position")]
    others = [record(1, kind, question=f"About {kind}?") for kind in ("modality", "organ", "quantity", "size")]
    drawn = {tuple(one.question_type for one in choose_unasked(own, Trained(others), seed)) for seed in range(40)}
    # Of the twelve ordered pairs of four types most come up.
    assert all(len(set(pair)) == 2 for pair in drawn) and len(drawn) >= 9
    assert len(choose_unasked(own, Trained(others[:1]), 0)) == 1 and choose_unasked(own, Trained(own), 0) == ()


def test_an_unasked_question_is_answered_with_everything_that_may_not_be_told():
    shown = [Tagged(kind="name", value="Ada Quill"), Tagged(kind="ip", value="192.0.2.1")]
    (asked,) = unasked_questions([Unasked(question_type="size", question="How large is it?")], shown)
    assert (asked.answer, asked.question_type) == ("This is Ada Quill: IP 192.0.2.1.", "size")
    assert asked.phi == tuple(shown) and not any(one.value in asked.true_answer for one in shown)
    assert unasked_questions([Unasked(question_type="size", question="?")], shown[:1])[0].answer == "This is Ada Quill."
