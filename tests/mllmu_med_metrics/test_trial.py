"""The trial's numbers by hand."""

from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllmu_med_metrics.trial import (
    Gold,
    Interval,
    Unlearned,
    counted,
    harmonic,
    icc,
    kendall,
    relearning,
    relearning_symmetric,
    rounding,
    rounding_symmetric,
    stability,
    threshold,
    verdict,
)

GOLD = Gold(before=0.1, relearned=0.2)
SHARES = st.floats(0, 1)


def unlearned(before=0.1, relearned=nan, rounded=nan, utility=1.0, cluster="t"):
    return Unlearned(cluster, utility, before, relearned, rounded)


def test_a_threshold_lies_midway_between_pools_that_part():
    assert threshold([0.8, 1.0], [0.0, 0.2]) == pytest.approx(0.5)


def test_of_overlapping_pools_the_threshold_is_right_most_often():
    """Cuts at .15 (3/3 + 1/2), .25 (2/3 + 1/2), .35 (2/3 + 2/2), .6 (1/3 + 2/2): .35 is right 5/3, .15 only 3/2."""
    assert threshold([0.2, 0.4, 0.8], [0.1, 0.3]) == pytest.approx(0.35)


def test_a_threshold_of_pools_that_are_all_the_same():
    assert threshold([0.5], [0.5]) == 0.5
    with pytest.raises(ValueError, match="one is empty"):
        threshold([], [0.5])


def test_relearning_by_hand():
    """The gold rises by .1; a model that rises by .4 has R 1/4, one that rises by .05, or falls, has 1."""
    assert relearning(unlearned(0.1, 0.5), GOLD) == pytest.approx(0.25)
    assert relearning(unlearned(0.1, 0.15), GOLD) == 1
    assert relearning(unlearned(0.3, 0.1), GOLD) == 1
    assert relearning(unlearned(0.1, 0.5), Gold(0.2, 0.1)) == 0  # the gold falls, it rises
    assert isnan(relearning(unlearned(0.1), GOLD))


def test_relearning_in_the_symmetric_form():
    """Rises .4 and .1: 1 - .3 / .5; opposite ways: 0; both still: 1."""
    assert relearning_symmetric(unlearned(0.1, 0.5), GOLD) == pytest.approx(0.4)
    assert relearning_symmetric(unlearned(0.3, 0.1), GOLD) == 0
    assert relearning_symmetric(unlearned(0.3, 0.3), Gold(0.1, 0.1)) == 1


def test_rounding_by_hand():
    """From .2 to .8: Q 1/4 and 1 - .6 / 1; back to .1: Q 1 and 1 - .1 / .3; 0 to anything is 0, to 0 is 1."""
    assert rounding(unlearned(0.2, rounded=0.8)) == pytest.approx(0.25)
    assert rounding_symmetric(unlearned(0.2, rounded=0.8)) == pytest.approx(0.4)
    assert rounding(unlearned(0.2, rounded=0.1)) == 1
    assert rounding_symmetric(unlearned(0.2, rounded=0.1)) == pytest.approx(2 / 3)
    assert rounding(unlearned(0.0, rounded=0.3)) == 0
    assert rounding(unlearned(0.0, rounded=0.0)) == rounding_symmetric(unlearned(0.0, rounded=0.0)) == 1
    assert isnan(rounding(unlearned(0.2)))


@given(SHARES, SHARES, SHARES, SHARES, SHARES)
def test_every_part_is_from_0_to_1(before, relearned, rounded, gold_before, gold_relearned):
    one, gold = unlearned(before, relearned, rounded), Gold(gold_before, gold_relearned)
    parts = (relearning(one, gold), relearning_symmetric(one, gold), rounding(one), rounding_symmetric(one))
    assert all(-1e-12 <= part <= 1 + 1e-12 for part in parts)


def test_harmonic_mean():
    assert harmonic(1.0, 0.5) == pytest.approx(2 / 3)
    assert harmonic(0.0, 0.0) == harmonic(1.0, 0.0) == 0


def test_only_models_that_work_and_seem_not_to_know_count():
    models = [unlearned(0.1), unlearned(0.1, utility=0.79), unlearned(0.5), unlearned(0.4, utility=0.8)]
    assert counted(models, below=0.5) == [models[0], models[3]]


def test_a_verdict_by_hand():
    """P and N part in 3 of 4 pairs, a tie counting half: (1 + 1 + .5 + 1) / 4; the cut .25 leaves both models in."""
    models = [unlearned(0.1, 0.5, 0.2, cluster="a"), unlearned(0.2, 0.2, 0.2, cluster="b")]
    found = verdict({"p": 1.0, "q": 0.5}, {"n": 0.5, "m": 0.0}, models, [Gold(0.0, 0.1), Gold(0.2, 0.3)])
    assert found.faithfulness.value == pytest.approx(3.5 / 4)
    assert found.threshold == pytest.approx(0.25) and found.counted == 2
    assert found.r.value == pytest.approx((0.25 + 1) / 2)
    assert found.q.value == pytest.approx((0.5 + 1) / 2)
    assert found.robustness.value == pytest.approx(harmonic(0.625, 0.75))
    assert found.r_symmetric.value == pytest.approx((0.4 + 0) / 2)
    assert found.q_symmetric.value == pytest.approx((2 / 3 + 1) / 2)
    assert found.r.low <= found.r.value <= found.r.high
    again = verdict({"p": 1.0, "q": 0.5}, {"n": 0.5, "m": 0.0}, models, [Gold(0.0, 0.1), Gold(0.2, 0.3)])
    assert found == again


def test_a_metric_that_no_model_passes_has_no_robustness():
    found = verdict({"p": 1.0}, {"n": 0.0}, [unlearned(0.9, 1.0, 1.0)], [GOLD])
    assert found.faithfulness == Interval(1.0, 1.0, 1.0) and found.counted == 0
    assert found.r is found.q is found.robustness is None


def test_a_metric_that_was_not_measured_has_no_verdict():
    found = verdict({"p": nan}, {"n": 0.0}, [], [])
    assert found.faithfulness is None and found.threshold is None


def test_models_of_one_target_are_drawn_together():
    """Two targets, each with three models alike: R of a draw can only be 1, 1/4 or their mean."""
    models = [unlearned(0.1, 0.5, 0.1, cluster="a")] * 3 + [unlearned(0.1, 0.1, 0.1, cluster="b")] * 3
    found = verdict({"p": 1.0}, {"n": 0.0}, models, [GOLD])
    assert (found.r.low, found.r.value, found.r.high) == pytest.approx((0.25, 0.625, 1.0))


def test_kendalls_tau():
    """Of the six pairs of four methods one is turned round: (5 - 1) / 6."""
    assert kendall([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(2 / 3)
    assert kendall([1, 2], [2, 1]) == -1
    assert isnan(kendall([1, 1], [1, 2]))


def test_icc_by_hand():
    """Means 1 and 3 of two runs each: MSB 4, MSW (.5 + .5) / 2 = .5; (4 - .5) / (4 + .5)."""
    assert icc([[0.5, 1.5], [2.5, 3.5]]) == pytest.approx(3.5 / 4.5)
    assert icc([[1.0, 1.0], [2.0, 2.0]]) == 1
    assert icc([[0.0, 1.0], [1.0, 0.0]]) == -1
    assert isnan(icc([[1.0, 1.0], [1.0, 1.0]])) and isnan(icc([[1.0, 2.0]]))


def test_stability_leaves_out_what_was_not_measured():
    values = {"ga": (0.1, 0.2), "gd": (0.5, 0.4), "npo": (0.9, 0.8), "idk": (nan, 0.1)}
    tau, correlation = stability(values, {name: name for name in values})
    assert (tau.low, tau.value, tau.high) == pytest.approx((1, 1, 1))
    assert correlation.value == pytest.approx(icc([(0.1, 0.2), (0.5, 0.4), (0.9, 0.8)]))
    assert correlation.low <= correlation.value <= correlation.high
    assert stability({}, {}) == (None, None)


def test_better_metrics_are_told_from_worse_ones():
    rng = np.random.default_rng(0)
    present, absent = ({n: float(x) for n, x in enumerate(rng.normal(mean, 1, 15))} for mean in (1, 0))
    found = verdict(present, absent, [], [])
    assert 0.5 < found.faithfulness.low < found.faithfulness.value < found.faithfulness.high <= 1
