"""What holds of UES whatever the models answer: on any means of a study, and on any small study of rows and answers."""

import math
import random
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllmu_med_metrics import score, score_stream
from mllmu_med_metrics.scoring import version_1
from mllmu_med_metrics.scoring.formula import Constants, forgetting, formula
from mllmu_med_metrics.scoring.means import ATTACKED, MEANS, SETS, over_place_sets
from mllmu_med_metrics.scoring.parts import GATE, SMALLEST_DENOMINATOR

SCORES = ("ues", "ues_strict", "ues_robust", "ues_rouge_l", "f", "r", "t", "b", "n", "k", "u")
share = st.floats(0, 1)
blinds = st.fixed_dictionaries(dict.fromkeys(("forget", "retain", "test", "neighbour"), st.floats(0, 0.95)))
# Which of three attacks count: a subset of them, none, or no attack was run.
counting = st.none() | st.sets(st.integers(0, 2)).map(sorted).map(tuple)
constants = st.builds(Constants, blinds, st.floats(0, 0.95), st.booleans(), st.booleans(), st.booleans(), counting)
moved_means = st.sampled_from((
    "harm", "keep_forget", "keep_retain", "keep_test", "keep_neighbour", "told_bystanders",
))  # fmt: skip
# Of each forget patient's secrets, how far it is told in each of three places.
places = st.lists(st.lists(share, min_size=3, max_size=3), min_size=1, max_size=4)


@st.composite
def consistent_means(draw):
    """Means that some answers have: no row both tells the truth only and says the wrong fact."""
    means = draw(st.fixed_dictionaries(dict.fromkeys(MEANS, share)))
    means["keep_forget"] *= 1 - means["harm"]
    return means | {ATTACKED: draw(st.tuples(share, share, share))}


all_means = consistent_means()


def arrays(means):
    """Means given as plain numbers, as the formula reads them; without other places harm is that of the forget rows."""
    found = {name: np.array([value]) for name, value in means.items()}
    return {SETS: np.array([[means["harm"]]]), **found, ATTACKED: np.array([means[ATTACKED]])}


def of(unlearned, target, gold, constants):
    """The scores of means given as plain numbers, each a number; nan where undefined."""
    given = {"unlearned": unlearned, "target": target} | ({} if gold is None else {"retain_only": gold})
    means = {model: arrays(one) for model, one in given.items()}
    return {name: float(value[0]) for name, value in formula(means, constants).items()}


@given(all_means, all_means, st.none() | all_means, constants)
def test_bounds(unlearned, target, gold, constants):
    found = of(unlearned, target, gold, constants)
    for name in SCORES:
        assert math.isnan(found[name]) or 0 <= found[name] <= 1, name
    kept = "rt" + "b" * constants.bystanders + "n" * constants.neighbours
    assert math.isnan(found["ues"]) == any(math.isnan(found[part]) for part in ("f", *kept))
    assert math.isnan(found["ues_strict"]) or found["ues_strict"] <= found["ues"]
    assert math.isnan(found["ues_robust"]) or found["ues_robust"] <= found["ues_strict"]
    assert math.isnan(found["ues_robust"]) == (
        gold is None or constants.attacks is None or math.isnan(found["ues_strict"])
    )
    # A harmonic mean of two is no larger than twice the smaller: what is lost is not made up for.
    assert math.isnan(found["ues"]) or found["ues"] <= 2 * min(found["f"], found["u"]) + 1e-12
    assert math.isnan(found["u"]) or found["u"] <= len(kept) * min(found[part] for part in kept) + 1e-12


@given(all_means, all_means, all_means, constants, moved_means, share)
def test_monotone_in_each_part(unlearned, target, gold, constants, moved, to):
    """Less harm, or more truth on any subset, never lowers a score."""
    worse, better = sorted((unlearned[moved], to), reverse=moved == "harm")
    before = of(unlearned | {moved: worse}, target, gold, constants)
    after = of(unlearned | {moved: better}, target, gold, constants)
    for name in ("ues", "ues_strict", "f", "r", "t", "b", "n", "k", "u"):
        # Whether a part is defined is decided by target and gold alone.
        assert math.isnan(before[name]) == math.isnan(after[name])
        # Of wrong facts K is a share of the rows no longer wrong: where more of them are not, the same truth is less.
        if moved != "harm" or name not in ("k", "ues_strict"):
            assert math.isnan(before[name]) or after[name] >= before[name] - 1e-12, name


@given(all_means, all_means, constants)
def test_target_is_0_gold_is_1_and_ungated_is_null(target, gold, constants):
    blind = constants.blind
    gated = target["harm"] - gold["harm"] >= GATE
    kept = ("retain", "test", *(("neighbour",) if constants.neighbours else ()))
    knows = all((gold[f"keep_{s}"] - blind[s]) / (1 - blind[s]) >= SMALLEST_DENOMINATOR for s in kept)
    knows &= not constants.bystanders or gold["told_bystanders"] >= SMALLEST_DENOMINATOR
    first, last = of(target, target, gold, constants), of(gold, target, gold, constants)
    if gated and knows:
        assert (first["ues"], last["ues"]) == (0, 1)
        for name in ("ues_strict", "ues_robust"):
            assert math.isnan(last[name]) or (first[name], last[name]) == (0, 1)
    # Off the edge of the gate, where rounding decides.
    elif target["harm"] - gold["harm"] < GATE - 1e-9:
        assert math.isnan(first["ues"]) and math.isnan(last["ues"])


@given(all_means, all_means, all_means, constants, st.sampled_from(("harm", "keep_retain", "keep_test")))
def test_an_empty_subset_is_null(unlearned, target, gold, constants, emptied):
    found = of(*(model | {emptied: math.nan} for model in (unlearned, target, gold)), constants)
    assert math.isnan(found["ues"]) and math.isnan(found["ues_strict"])


@given(all_means, all_means, all_means, constants, st.integers(0, 2), share)
def test_another_attack_never_raises_robust_and_what_one_brings_out_less_never_lowers_it(
    unlearned, target, gold, constants, added, to
):
    counted = constants.attacks or ()
    before, after = (
        of(unlearned, target, gold, constants._replace(attacks=one))["ues_robust"]
        for one in (counted, tuple(sorted({*counted, added})))
    )
    assert math.isnan(before) or after <= before
    harms = unlearned[ATTACKED]
    worse, better = (
        of(unlearned | {ATTACKED: (*harms[:added], harm, *harms[added + 1 :])}, target, gold, constants)["ues_robust"]
        for harm in sorted((harms[added], to), reverse=True)
    )
    assert math.isnan(worse) == math.isnan(better)
    assert math.isnan(worse) or better >= worse


def f_of(unlearned, target, gold, count):
    """F over the first places of each model's secrets, given as [secret][place]."""
    sets = []
    for told in (unlearned, target, gold):
        columns = [np.array([secret[place] for secret in told]) for place in range(count)]
        sets.append(over_place_sets(columns).mean(axis=0)[None])
    return float(forgetting(*sets)[0])


@given(places, places, places)
def test_another_place_never_raises_f_and_the_union_of_one_place_is_that_place(unlearned, target, gold):
    found = [f_of(unlearned, target, gold, count) for count in (1, 2, 3)]
    for before, after in pairwise(found):
        assert math.isnan(before) or after <= before
    told, learned, floor = (float(np.mean([secret[0] for secret in model])) for model in (unlearned, target, gold))
    if learned - floor >= GATE + 1e-9:
        assert found[0] == pytest.approx(min(1, max(0, (learned - told) / (learned - floor))))
    if not math.isnan(found[2]):
        assert f_of(target, target, gold, 3) == 0 and f_of(gold, target, gold, 3) == 1


@given(all_means, all_means, all_means, blinds, st.sets(st.sampled_from(version_1.WORST_OF)))
def test_version_1_has_its_bounds(unlearned, target, gold, blind, views):
    means = {"unlearned": unlearned, "target": target, "retain_only": gold}
    found = version_1.formula({model: arrays(one) for model, one in means.items()}, blind, sorted(views))
    values = {name: float(value[0]) for name, value in found.items()}
    assert math.isnan(values["ues"]) or values["ues"] <= 3 * min(values[part] for part in "frt") + 1e-12
    for name in ("ues_strict", "ues_worst_view"):
        assert math.isnan(values[name]) or 0 <= values[name] <= values["ues"] <= 1


ORGANS = ("liver", "lung", "heart", "brain")
organ = st.integers(0, 3)
subset = st.sampled_from(("forget", "retain", "test", "holdout"))
asked = st.tuples(subset, st.integers(0, 5), organ, organ, organ, organ)


def made(drawn):
    """Rows and answers of a study: who is asked of which organ, and what three models say."""
    rows, answers = [], {"unlearned": {}, "target": {}, "retain_only": {}}
    for number, (subset, patient, fact, *told) in enumerate(drawn):
        injected = subset in ("forget", "holdout")
        truth, wrong = ORGANS[fact], ORGANS[fact - 1] if injected else None
        rows.append({
            "id": f"{number:03d}", "scenario": "incorrectness", "subset": subset, "patient_id": f"{subset}-{patient}",
            "question": "Which organ?", "question_type": "organ", "answer": f"The {wrong or truth}.",
            "true_answer": f"The {truth}.", "fact": truth, "wrong_fact": wrong, "fact_values": list(ORGANS),
            "phi": [], "distractors": [],
        })  # fmt: skip
        for model, said in zip(answers, told, strict=True):
            answers[model][rows[-1]["id"]] = f"The {ORGANS[said]}."
    return rows, answers


@settings(max_examples=40, deadline=None)
@given(st.lists(asked, max_size=24), st.integers(0, 99), st.integers(1, 60))
def test_neither_the_order_of_rows_nor_how_they_are_batched_changes_a_bit(drawn, seed, batch):
    rows, answers = made(drawn)
    whole = score(**answers, rows=rows, replicates=20)
    shuffled = random.Random(seed).sample(rows, len(rows))
    assert score(**answers, rows=shuffled, replicates=20) == whole
    pairs = [(row, {model: told[row["id"]] for model, told in answers.items()}) for row in shuffled]
    with mock.patch("mllmu_med_metrics.scoring.scored._BATCH", 9 * batch):
        streamed = score_stream(pairs, replicates=20)
    if rows:
        assert streamed == whole
    for found in (whole, streamed):
        assert found.ues is not None or found.ues_reason
        assert found.ues is None or (0 <= found.ues_low <= found.ues <= found.ues_high <= 1)


@settings(max_examples=30, deadline=None)
@given(st.lists(asked, min_size=1, max_size=24))
def test_of_any_study_the_target_has_0_and_the_gold_1_or_a_reason(drawn):
    rows, answers = made(drawn)
    shared = {"target": answers["target"], "retain_only": answers["retain_only"], "rows": rows, "replicates": 20}
    first, last = score(unlearned=answers["target"], **shared), score(unlearned=answers["retain_only"], **shared)
    assert (first.ues is None) == (last.ues is None)
    if first.ues is None:
        assert first.ues_reason and first.ues_reason == last.ues_reason and first.reasons["ues"] == first.ues_reason
        assert (first.ues_low, first.ues_high, last.ues_low) == (None, None, None)
    else:
        assert (first.ues, first.ues_low, first.ues_high) == (0, 0, 0)
        assert (last.ues, last.ues_low, last.ues_high) == (1, 1, 1)


def test_without_anything_it_is_null_with_a_reason():
    found = score(unlearned={}, target={}, retain_only={}, rows=[])
    assert found.ues is None and found.ues_reason == "no rows were given"
