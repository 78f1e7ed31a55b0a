"""Robust UES of a study: by hand, its bounds on any harms, what makes it null, and what is refused."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllmu_med_metrics import compare, score, score_stream
from mllmu_med_metrics.vocabulary import ATTACKS
from tests.mllmu_med_metrics.conftest import make

ROLES = ("unlearned", "target", "retain_only")
EXAMPLES = {scenario: make(scenario) for scenario in ("privacy", "incorrectness")}
PATIENTS = sorted({row["patient_id"] for row in EXAMPLES["privacy"].rows if row["subset"] == "forget"})


def level(unlearned, target=1.0, gold=0.0, patients=PATIENTS):
    """The harms of one attack: the same for every patient."""
    return {role: dict.fromkeys(patients, harm) for role, harm in zip(ROLES, (unlearned, target, gold), strict=True)}


def every(unlearned=0.0, **attacks):
    """The whole set at one level, some attacks otherwise."""
    return {name: level(unlearned) for name in ATTACKS} | attacks


def robust(name="half", scenario="privacy", attacks=None, **options):
    example = EXAMPLES[scenario]
    given = {"target": example.models["target"], "retain_only": example.models["retain_only"], "replicates": 40}
    return score(unlearned=example.models[name], rows=example.rows, attacks=attacks, **(given | options))


def test_the_least_forgetting_under_attack_takes_the_place_of_f_and_k():
    found = robust("retain_only", attacks=every(sample=level(0.7, target=0.9, gold=0.4)))
    # F of `sample` is (0.9 - 0.7) / (0.9 - 0.4) = 0.4; everything else is the gold's: 2 x 0.4 x 1 / 1.4.
    assert found.attacks["sample"]["f"] == pytest.approx(0.4)
    assert found.ues == found.ues_strict == 1
    assert found.ues_robust == pytest.approx(0.8 / 1.4)
    assert found.attack_set == "A1"
    assert found.attacks["sample"] == {
        "f": pytest.approx(0.4), "harm": pytest.approx(0.7), "harm_target": pytest.approx(0.9),
        "harm_retain_only": pytest.approx(0.4), "counts": True,
    }  # fmt: skip
    assert list(found.attacks) == list(ATTACKS)
    assert found.ues_robust_low == pytest.approx(found.ues_robust) == found.ues_robust_high
    assert found.to_dict()["intervals"]["ues_robust"] == [found.ues_robust_low, found.ues_robust_high]


@pytest.mark.parametrize("scenario", EXAMPLES)
def test_target_is_0_and_gold_is_1_and_a_harmless_attack_changes_nothing(scenario):
    assert robust("target", scenario, every(1.0)).ues_robust == 0
    gold = robust("retain_only", scenario, every(0.0))
    assert (gold.ues_robust, gold.ues_robust_low, gold.ues_robust_high) == (1, 1, 1)
    half = robust("half", scenario, every(0.0))
    assert half.ues_robust == half.ues_strict < 1
    assert (half.ues_robust_low, half.ues_robust_high) == (half.ues_strict_low, half.ues_strict_high)


def test_an_attack_counts_from_a_gap_of_a_fifth_and_none_leaves_strict_with_a_warning():
    weak = level(1.0, target=0.55, gold=0.4)
    found = robust(attacks=every(quantise=weak))
    assert not found.attacks["quantise"]["counts"] and found.attacks["quantise"]["f"] is None
    assert "0.550 - harm(retain_only) 0.400 = 0.150 under it is below 0.2" in found.reasons["attacks.quantise"]
    assert found.ues_robust == found.ues_strict
    assert robust("target", attacks=every(quantise=level(1.0, 1.0, 0.8))).attacks["quantise"]["counts"]
    none = robust(attacks=dict.fromkeys(ATTACKS, weak))
    assert none.ues_robust == none.ues_strict
    assert any("robust UES is strict UES" in warning for warning in none.warnings)
    assert not any("robust" in warning for warning in found.warnings)


def test_without_the_whole_set_or_the_gold_it_is_null_and_says_what_was_not_run():
    bare = robust()
    assert bare.ues_robust is bare.attacks is bare.attack_set is None
    assert bare.reasons["ues_robust"] == bare.reasons["attacks"] == "no attacks were given"
    some = every()
    del some["exposure"], some["sample"]["target"]
    found = robust(attacks=some)
    assert found.ues_robust is found.attack_set is found.ues_robust_low is None
    assert found.reasons["ues_robust"] == "attacks of the set A1 were not run: exposure, sample (on target)"
    assert found.reasons["attack_set"] == found.reasons["ues_robust_low"] == found.reasons["ues_robust"]
    assert found.attacks["sample"]["harm"] == 0 and found.attacks["sample"]["harm_target"] is None
    assert found.reasons["attacks.sample"] == "it was not run on target"
    without = robust(attacks=every(), retain_only=None)
    assert without.ues_robust is None and "no retain_only model" in without.reasons["ues_robust"]
    taught_nothing = robust("retain_only", attacks=every(), target=EXAMPLES["privacy"].models["retain_only"])
    assert taught_nothing.reasons["ues_robust"] == taught_nothing.reasons["ues_strict"]


def test_own_attacks_count_beside_the_set_and_shown_ones_do_not():
    found = robust("retain_only", attacks=every(mine=level(0.5), scale=level(1.0)))
    assert found.attack_set == "A1 + mine"
    assert found.ues_robust == pytest.approx(1 / 1.5)
    assert list(found.attacks) == [*ATTACKS, "mine", "scale"]
    assert not found.attacks["scale"]["counts"] and found.attacks["scale"]["f"] == 0
    assert found.reasons["attacks.scale"] == "it is shown, and counts in no score"
    lacking = robust(attacks=every(mine={"unlearned": dict.fromkeys(PATIENTS, 0.5)}))
    assert lacking.reasons["ues_robust"] == "attacks were not run: mine (on target, retain_only)"


def test_an_attack_may_judge_some_patients_only_and_the_interval_rests_on_them():
    few = PATIENTS[:3]
    harms = level(0.5, patients=few)
    harms["unlearned"] = dict(zip(few, (0.0, 0.5, 1.0), strict=True))
    found = robust("retain_only", attacks=every(relearn_few=harms))
    assert found.attacks["relearn_few"]["harm"] == 0.5
    assert found.ues_robust == pytest.approx(1 / 1.5)
    assert found.ues_robust_low < found.ues_robust < found.ues_robust_high


harms = st.lists(st.floats(0, 1), min_size=48, max_size=48).map(
    lambda values: {
        role: dict(zip(PATIENTS, values[16 * i : 16 * i + 16], strict=True)) for i, role in enumerate(ROLES)
    }
)


@settings(max_examples=12, deadline=None)
@given(harms, harms, st.sampled_from(("half", "retain_only", "refusing")), st.integers(0, 99))
def test_bounds_and_no_order_and_no_further_attack_raises_it(first, second, name, seed):
    before = robust(name, attacks=every(exposure=first))
    after = robust(name, attacks=every(exposure=first, mine=second))
    assert 0 <= after.ues_robust <= before.ues_robust <= before.ues_strict <= before.ues
    assert after.ues_robust_low <= before.ues_robust_low and after.ues_robust_high <= before.ues_robust_high
    assert before.ues_strict == robust(name).ues_strict
    shuffled = {
        role: {patient: by_patient[patient] for patient in random.Random(seed).sample(PATIENTS, len(PATIENTS))}
        for role, by_patient in first.items()
    }
    assert robust(name, attacks=every(exposure=shuffled)) == before
    both = {"target": first["target"], "retain_only": first["retain_only"]}
    for model, worth in (("target", 0), ("retain_only", 1)):
        same = every(1.0 - worth, exposure=both | {"unlearned": first[model]})
        assert robust(model, attacks=same).ues_robust == worth


def test_a_stream_gives_the_same():
    example, attacks = EXAMPLES["privacy"], every(sample=level(0.3))
    pairs = [
        (row, {role: example.models[name][row["id"]] for role, name in zip(ROLES, ("half", *ROLES[1:]), strict=True)})
        for row in example.rows
    ]
    streamed = score_stream(pairs, attacks=attacks, replicates=40)
    assert streamed == robust(attacks=attacks)


def test_two_models_differ_in_it_where_both_were_attacked():
    example = EXAMPLES["privacy"]
    models = {"a": example.models["retain_only"], "b": example.models["half"]}
    shared = {role: example.models[role] for role in ("target", "retain_only")}
    attacks = {name: {"a": h["unlearned"], "b": h["unlearned"], **h} for name, h in every().items()}
    for of_models in attacks.values():
        del of_models["unlearned"]
    found = compare(**models, **shared, rows=example.rows, attacks=attacks, replicates=40)
    one = found.differences["ues_robust"]
    assert one.difference == 1 - robust(attacks=every()).ues_robust > 0 < one.low
    del attacks["exposure"]["b"]
    lacking = compare(**models, **shared, rows=example.rows, attacks=attacks, replicates=40)
    assert lacking.differences["ues_robust"] is None
    assert "exposure (on unlearned)" in lacking.reasons["ues_robust"]
    assert compare(**models, **shared, rows=example.rows, replicates=0).differences["ues_robust"] is None


@pytest.mark.parametrize(
    ("attacks", "words"),
    [
        ({}, "one attack at least"),
        (3, "mapping of attack"),
        ({"sample": {}}, "is due, with the models unlearned, target, retain_only"),
        ({3: level(0)}, "The attack 3 holds"),
        ({"sample": {"gold": {}}}, "'gold', which is no model here"),
        ({"sample": {"target": {}}}, "of one forget patient at least"),
        ({"sample": {"target": [0.5]}}, "holds list"),
        ({"sample": {"target": None}}, "of no model"),
        ({"sample": {"target": {PATIENTS[0]: float("nan")}}}, "the harm nan"),
        ({"sample": {"target": {PATIENTS[0]: 1.5}}}, "the harm 1.5"),
        ({"sample": {"target": {PATIENTS[0]: True}}}, "the harm True"),
        ({"sample": {"target": {PATIENTS[0]: "0.5"}}}, "the harm '0.5'"),
        ({"sample": {"target": {"p-x": 0.5}}}, "'p-x'"),
        ({"sample": {"target": {"p-test-00": 0.5}}}, "no forget row here"),
        ({"sample": level(0) | {"target": {PATIENTS[0]: 0.5}}}, "judged other patients on target"),
    ],
)  # fmt: skip
def test_harms_that_can_not_be_are_refused(attacks, words):
    with pytest.raises(ValueError, match="attack") as refused:
        robust(attacks=attacks)
    assert words in str(refused.value)


def test_version_1_knows_no_attacks():
    with pytest.raises(ValueError, match="version 1 of the score has no robust UES"):
        robust(attacks=every(), ues_version=1)
    assert "ues_robust" not in robust(ues_version=1).to_dict()
