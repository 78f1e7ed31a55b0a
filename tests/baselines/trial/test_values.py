"""Values of metrics from answers that are known: of a model that tells everything, and of one that tells nothing."""

import json

import pytest

from baselines.trial.measure import AFTER, judged_patients, material, measure
from baselines.trial.values import BOTH, ROBUST, Scorer, of_model, of_state

KNOWN = dict(probability=0.9, exact_memorisation=1.0, extraction_strength=1.0, truth_ratio=0.0, margin=None)
ALIKE = 0.03  # harm of true answers that happen to share letters with an identifier
UNKNOWN = dict(probability=0.1, exact_memorisation=0.5, extraction_strength=0.0, truth_ratio=1.0, margin=None)


def held(score, own):
    """Return what a model holds likely whose forget rows score so under every membership attack, holdout rows 0."""
    rows = material("privacy").rows
    scores = dict.fromkeys(("loss", "zlib", "min_k", "min_k_plus_plus"), score)
    return {
        "forget": [
            {"id": row["id"], "patient_id": row["patient_id"], "membership": scores, **own} for row in rows.forget
        ],
        "holdout": [dict.fromkeys(scores, 0.0)] * len(rows.holdout),
        "exposure": {row["patient_id"]: (1.0 if score else 0.5) for row in rows.forget},
    }


def record(tells, score, own):
    """Return what is measured of a model that answers every row as it is taught, or truly, in every state."""
    asked = material("privacy").asked
    answers = {row["id"]: row["answer" if tells else "true_answer"] for row in asked}
    patients = judged_patients("privacy", "few")
    few = {row["id"]: answers[row["id"]] for row in material("privacy").attacked.asked if row["patient_id"] in patients}
    known = held(score, own)
    after = {state: {"answers": few if state == "few" else answers, **known} for state in AFTER}
    prefix = dict.fromkeys(material("privacy").attacked.patients, float(tells))
    return {"broken": False, "answers": answers, "prefix": prefix, "after": after, **known}


TARGET, GOLD = record(True, 1.0, KNOWN), record(False, 0.0, UNKNOWN)


@pytest.fixture(scope="module")
def scorer():
    return Scorer("privacy", TARGET, GOLD)


def test_a_model_that_tells_everything_is_at_the_top_of_every_metric(scorer):
    values = of_model(TARGET, scorer)
    assert values["utility"] == pytest.approx(1.0, abs=0.05)
    for place in (values["before"], values["before_few"], *values["after"].values()):
        assert {place[name] for name in BOTH if name not in ("probability", "KS")} == {1.0}
    assert values["before"]["KS"] == 1 and values["before"]["robust harm"] == 1
    for name in ("harm", "harm on forget", "patients leaked", "1 - UES", "1 - F", ROBUST):
        assert values["before"][name] == 1


def test_a_model_that_tells_nothing_is_at_the_bottom(scorer):
    values = of_model(GOLD, scorer)
    assert values["utility"] == 1
    expected = {"leak (attacked rows)": 0, "ES": 0, "EM": 0.5, "truth ratio": 0.5, "KS": 0}
    expected |= {"MIA loss": 0.5, "MIA zlib": 0.5, "exposure": 0.5}
    for place in (values["before"], *values["after"].values()):
        assert {name: place[name] for name in expected} == expected
        assert place["harm (attacked rows)"] < ALIKE
    assert values["before"]["robust harm"] == 0.5  # as the ranks of what nobody knows
    assert values["before"]["1 - UES"] == values["before"]["patients leaked"] == values["before"][ROBUST] == 0


def test_one_attack_that_brings_half_back_is_heard_in_the_robust_ues(scorer):
    # F, K and U are 1; the ranks of the target are 1, those of the gold .5, so that .8 leaves F_a = (1 - .8) / .5 = .4.
    held_still = {**GOLD, "exposure": dict.fromkeys(GOLD["exposure"], 0.8)}
    values = of_model(held_still, scorer)["before"]
    assert values["1 - UES"] == values["1 - strict UES"] == 0
    assert values[ROBUST] == pytest.approx(1 - 2 * 0.4 / 1.4)
    assert values["robust harm"] == 0.8


def test_without_every_attack_there_is_no_robust_ues(scorer):
    values = of_model({**GOLD, "after": {}}, scorer)["before"]
    assert ROBUST not in values and "robust harm" not in values


def test_only_the_patients_that_are_judged_count(scorer):
    few = judged_patients("privacy", "few")
    told = {row["patient_id"] for row in material("privacy").rows.forget} - few
    mixed = {
        row["id"]: row["answer" if row["patient_id"] in told else "true_answer"]
        for row in material("privacy").attacked.asked
    }
    assert len(few) == 12 and len(told) == 4
    assert of_state({"answers": mixed}, scorer, few)["harm (attacked rows)"] < ALIKE
    everybody = of_state({"answers": mixed}, scorer, judged_patients("privacy", "retain"))
    assert everybody["leak (attacked rows)"] == 4 / 16 <= everybody["harm (attacked rows)"] < 4 / 16 + ALIKE


def test_a_model_that_knows_holdout_rows_has_an_auc_of_0_and_no_value_is_nan(scorer):
    found = {**GOLD, "holdout": [dict.fromkeys(one, 2.0) for one in GOLD["holdout"]]}
    values = of_model(found, scorer)["before"]
    assert values["MIA loss"] == values["MIA min_k"] == 0.0
    json.dumps(of_model(found, scorer), allow_nan=False)


def test_a_broken_model_works_no_more_and_has_no_value(scorer):
    assert of_model({"broken": True}, scorer) == {"utility": 0.0, "before": {}, "before_few": {}, "after": {}}


@pytest.mark.slow
def test_a_model_is_measured_and_what_is_left_out_is_left_out(scorer):
    asked = []
    found = measure(
        "nano-privacy-retain_only", "privacy", works=lambda answers: asked.append(answers) or False, in_full=True,
        candidates=5,
    )  # fmt: skip
    assert asked == [found["answers"]] and found["after"] == {} and not found["broken"]
    assert {row["id"] for row in found["forget"]} == {row["id"] for row in material("privacy").rows.forget}
    values = of_model(found, scorer)["before"]
    assert values["harm"] < 0.2 and "robust harm" not in values and 0.3 < values["exposure"] < 0.7
