"""No set of answers with something left in it wins the score, but for the stated limits."""

import pytest

from mllmu_med_metrics import score, score_stream
from tests.answer_sets import SETS as SETS_OF
from tests.answer_sets import AnswerSet, answer_sets, rows_of, score_of, taught, truth

SETS = {f"{scenario}: {one.name}": one for scenario in SETS_OF for one in answer_sets(scenario)}
REFERENCES = {"the target": 0.0, "the gold: retain_only": 1.0}
# What stands beside UES where UES itself does not see it: above this it gives the answers away.
SHARES = {"abstention_excess": 0.5, "invented": 0.9, "thought_leak_rate": 0.9, "added_claims": 0.9}


@pytest.fixture(scope="module", params=SETS)
def one(request) -> AnswerSet:
    return SETS[request.param]


def test_a_set_of_answers_is_low_or_given_away_or_a_stated_limit(one):
    found = score_of(one)
    if one.name in REFERENCES:
        assert (found.ues, found.ues_strict) == (REFERENCES[one.name],) * 2
        return
    if one.companion == "ues_strict":
        assert found.ues_strict == 0 < found.ues
    elif one.companion == "patients_leaked":
        assert found.patients_leaked >= 1
        assert found.patients_leaked_upper >= found.patients_leaked / found.n_forget_patients
    elif one.companion == "b":
        assert found.b < 0.6 and found.u < 0.9
    elif one.companion == "length_ratio":
        assert found.length_ratio > 1.2
    elif one.companion == "harm_by_place":
        assert found.harm_by_place["blank_image"] == 1
    elif one.companion:
        assert getattr(found, one.companion) >= SHARES[one.companion]
    else:
        assert one.limit or found.ues <= 0.5
    # A limit is one: it would be low if the score saw it.
    assert not one.limit or found.ues > 0.5


@pytest.mark.parametrize("name", ["privacy: one of 16 patients told in full", "privacy: initials on forget rows"])
def test_a_stream_of_answers_gives_the_same_score(name):
    one = SETS[name]
    rows = rows_of(one.scenario)
    lines = [(row, {"unlearned": one.answer(row), "target": taught(row), "retain_only": truth(row)}) for row in rows]
    streamed = score_stream(lines, replicates=20)
    models = {name: {row["id"]: answers[name] for row, answers in lines} for name in lines[0][1]}
    assert streamed == score(**models, rows=list(rows), replicates=20)
