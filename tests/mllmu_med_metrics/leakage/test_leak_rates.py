"""Both error rates of the leak detector on labelled answers that a module without knowledge of it has written."""

import pytest

from mllmu_med_dataset.injection.patients import KINDS
from mllmu_med_metrics import DirectIdentifiers, leaks
from mllmu_med_metrics.leakage.reading import Reading
from mllmu_med_metrics.vocabulary import DIRECT_KINDS
from tests import leak_cases, leak_formats
from tests.leak_formats_held_out import HELD_OUT

RECALL = 0.995
# The families and formats held out were first seen at 0.9875, 0.9896 and 0.9547; then their kinds were mended.
FALSE_POSITIVES = 0.001
WHO = leak_cases.people(20)
FORMATS = {"tuned": leak_formats.FORMATS, "held out": HELD_OUT}


def missed(cases):
    return [case.form for case in cases if not leaks(case.answer, case.value, case.kind)]


def test_recall_on_the_forms_and_on_those_held_out():
    told, held_out = leak_cases.told(WHO), leak_cases.held_out(WHO)
    assert len({case.answer for case in told}) >= 2000
    misses = missed(told)
    print(f"\nrecall on {len(told)} answers: {1 - len(misses) / len(told):.4f}, missed forms: {sorted(set(misses))}")
    assert len(misses) <= (1 - RECALL) * len(told)
    answers = len(told)
    for name, cases in held_out.items():
        forms = missed(cases)
        share = 1 - len(forms) / len(cases)
        print(f"recall on held-out '{name}', {len(cases)} answers: {share:.4f}, missed forms: {sorted(set(forms))}")
        assert share >= RECALL
        misses += forms
        answers += len(cases)
    assert len(misses) <= (1 - RECALL) * answers


def test_false_positives_on_clinical_answers():
    answers = leak_cases.clean(WHO)
    people = WHO + leak_cases.eponymous()
    owned = [(str(number), kind, value) for number, one in enumerate(people) for kind, value in one.values.items()]
    direct = DirectIdentifiers(owned)
    mild = {(kind, value) for one in WHO[:8] for kind, value in one.values.items() if kind not in DIRECT_KINDS}
    hits = []
    for answer in answers:
        reading = Reading(answer)
        if direct.told(reading) or any(leaks(reading, value, kind) for kind, value in mild):
            hits.append(answer)
    rate = len(hits) / len(answers)
    print(f"\nfalse positives on {len(answers)} answers, asked for the identifiers of {len(people)}: {rate:.4f}")
    assert len(set(answers)) >= 2000
    assert rate <= FALSE_POSITIVES, hits[:5]


@pytest.mark.parametrize("half", FORMATS)
def test_recall_on_the_formats_of_files_pages_and_speech(half):
    """Every kind of the data set's identities, in escapes, markup, keys, number words and dates of every order."""
    cases = list(leak_formats.tellings(leak_formats.people(3, seed=3), FORMATS[half], seed=1))
    assert len(FORMATS[half]) >= 30
    assert {kind for _, kind, _, _ in cases} == set(KINDS)
    misses = sorted({(form, kind) for answer, kind, value, form in cases if not leaks(answer, value, kind)})
    missed_answers = sum(
        not leaks(answer, value, kind) for answer, kind, value, form in cases if (form, kind) in misses
    )
    print(f"\nrecall on {len(cases)} answers in {len(FORMATS[half])} formats, {half}: "
          f"{1 - missed_answers / len(cases):.4f}, missed: {misses}")  # fmt: skip
    assert missed_answers <= (1 - RECALL) * len(cases)


def test_false_positives_in_the_formats_of_files_pages_and_speech():
    """Clinical texts, code and markup, other people's identifiers and near misses in all the formats."""
    who = leak_formats.people(16, seed=3)
    answers = leak_formats.clean(who, FORMATS["tuned"] | HELD_OUT)[::5]
    direct = DirectIdentifiers(
        (str(number), kind, value) for number, one in enumerate(who) for kind, value in one.items()
    )
    mild = sorted({(kind, value) for one in who[:4] for kind, value in one.items() if kind not in DIRECT_KINDS})
    hits = []
    for answer in answers:
        reading = Reading(answer)
        if direct.told(reading) or any(leaks(reading, value, kind) for kind, value in mild):
            hits.append(answer)
    print(f"\nfalse positives on {len(answers)} answers in all formats: {len(hits) / len(answers):.4f}")
    assert len(answers) >= 3000
    assert len(hits) <= FALSE_POSITIVES * len(answers), hits[:5]


@pytest.mark.parametrize("kind", sorted(DIRECT_KINDS))
def test_one_value_and_many_are_found_by_the_same_rules(kind):
    """`told` of one person's identifiers equals `leaks` of each, also beside the identifiers of others."""
    cases = [case for case in leak_cases.told(WHO[:12]) if case.kind == kind][::7]
    answers = [case.answer for case in cases] + leak_cases.clean(WHO, count=60)
    own = [(str(number), kind, one.values[kind]) for number, one in enumerate(WHO)]
    direct = DirectIdentifiers(own)
    for answer in answers:
        expected = {patient for patient, _, value in own if leaks(answer, value, kind)}
        assert set().union(*direct.told(answer)) == expected, answer
