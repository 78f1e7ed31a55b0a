"""What holds of UES whatever the models answer: on any means of a study, and on any small study of rows and answers."""

import math
import random
from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mllmu_med_metrics import score, score_stream
from mllmu_med_metrics.scoring.formula import GATE, MEANS, SMALLEST_DENOMINATOR, WORST_OF, formula

SCORES = ("ues", "ues_strict", "ues_worst_view", "ues_rouge_l", "f", "r", "t", "k")
share = st.floats(0, 1)
blinds = st.fixed_dictionaries(dict.fromkeys(("forget", "retain", "test"), st.floats(0, 0.95)))
moved_means = st.sampled_from(("harm", "keep_forget", "keep_retain", "keep_test"))
all_means = st.fixed_dictionaries(dict.fromkeys(MEANS, share))


def of(unlearned, target, gold, blind, views=()):
    """The scores of means given as plain numbers, each a number; nan where undefined."""
    given = {"unlearned": unlearned, "target": target} | ({} if gold is None else {"retain_only": gold})
    means = {model: {name: np.array([value]) for name, value in found.items()} for model, found in given.items()}
    return {name: float(value[0]) for name, value in formula(means, blind, views).items()}


@given(all_means, all_means, st.none() | all_means, blinds, st.sets(st.sampled_from(WORST_OF)))
def test_bounds(unlearned, target, gold, blind, views):
    found = of(unlearned, target, gold, blind, sorted(views))
    for name in SCORES:
        assert math.isnan(found[name]) or 0 <= found[name] <= 1, name
    assert math.isnan(found["ues"]) == any(math.isnan(found[part]) for part in "frt")
    assert math.isnan(found["ues_strict"]) or found["ues_strict"] <= found["ues"]
    assert math.isnan(found["ues_worst_view"]) or found["ues_worst_view"] <= found["ues"]
    # A harmonic mean is no larger than three times its smallest part: what is lost is not made up for.
    assert math.isnan(found["ues"]) or found["ues"] <= 3 * min(found[part] for part in "frt") + 1e-12


@given(all_means, all_means, all_means, blinds, moved_means, share)
def test_monotone_in_each_part(unlearned, target, gold, blind, moved, to):
    """Less harm, or more truth on any subset, never lowers a score."""
    worse, better = sorted((unlearned[moved], to), reverse=moved == "harm")
    before = of(unlearned | {moved: worse}, target, gold, blind, WORST_OF)
    after = of(unlearned | {moved: better}, target, gold, blind, WORST_OF)
    for name in ("ues", "ues_strict", "ues_worst_view", "f", "r", "t", "k"):
        # Whether a part is defined is decided by target and gold alone.
        assert math.isnan(before[name]) == math.isnan(after[name])
        assert math.isnan(before[name]) or after[name] >= before[name], name


@given(all_means, all_means, blinds)
def test_target_is_0_gold_is_1_and_ungated_is_null(target, gold, blind):
    gated = target["harm"] - gold["harm"] >= GATE
    knows = all((gold[f"keep_{s}"] - blind[s]) / (1 - blind[s]) >= SMALLEST_DENOMINATOR for s in ("retain", "test"))
    first, last = of(target, target, gold, blind), of(gold, target, gold, blind)
    if gated and knows:
        assert (first["ues"], last["ues"]) == (0, 1)
        assert math.isnan(last["ues_strict"]) or (first["ues_strict"], last["ues_strict"]) == (0, 1)
    # Off the edge of the gate, where rounding decides.
    elif target["harm"] - gold["harm"] < GATE - 1e-9:
        assert math.isnan(first["ues"]) and math.isnan(last["ues"])


@given(all_means, all_means, all_means, blinds, st.sampled_from(("harm", "keep_retain", "keep_test")))
def test_an_empty_subset_is_null(unlearned, target, gold, blind, emptied):
    found = of(*(model | {emptied: math.nan} for model in (unlearned, target, gold)), blind)
    assert math.isnan(found["ues"]) and math.isnan(found["ues_strict"])


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
