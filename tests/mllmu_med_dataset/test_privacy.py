"""Private information is integrated into the clinical answer, which keeps its fact."""

from string import Formatter

import pytest

from mllmu_med_dataset.patients import KINDS, identities
from mllmu_med_dataset.privacy import choose, deal, distractors, integrate
from mllmu_med_dataset.rewrite import HELD_OUT, LABELS, SENTENCES, WHOLE_ANSWER, article, find_value

from .conftest import FACTS, record

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


def test_every_list_of_templates_has_three_trained_and_one_held_out():
    for templates in (*SENTENCES.values(), WHOLE_ANSWER):
        assert len(set(templates)) == len(templates) >= 3 + HELD_OUT
        for template in templates:
            fields = {name for _, name, _, _ in Formatter().parse(template) if name}
            assert "who" in fields and fields & {"fact", "a_fact", "place", "count", "answer"}


def test_held_out_templates_are_never_used():
    openings = {templates[-1].split("{")[0] for templates in SENTENCES.values() if not templates[-1].startswith("{")}
    answers = [
        integrate(record(n, kind), PEOPLE[record(n).image_key], (), seed=0).answer for n in range(20) for kind in FACTS
    ]
    assert not [answer for answer in answers for opening in openings if len(opening) > 5 and answer.startswith(opening)]


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
    assert set(LABELS) == set(KINDS) - {"name"}


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [("MR", "an"), ("X-ray", "an"), ("ultrasound", "an"), ("CT", "a"), ("unilateral mass", "a"), ("cyst", "a")],
)
def test_article_follows_the_sound(phrase, expected):
    assert article(phrase) == expected
