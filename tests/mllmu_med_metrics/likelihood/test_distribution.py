"""KS distance against scipy's, and its p-value where it can be counted by hand."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from mllmu_med_metrics.likelihood.distribution import ks_distance


@pytest.mark.parametrize("seed", range(5))
def test_the_distance_is_scipys(seed):
    draw = np.random.default_rng(seed)
    one, other = draw.normal(size=40).round(1), draw.normal(0.5, size=40).round(1)  # rounded: with ties
    found = ks_distance(one, other, range(40), permutations=10)
    assert found.d == pytest.approx(ks_2samp(one, other).statistic)


def test_the_same_values_are_at_no_distance():
    found = ks_distance([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], "abc")
    assert (found.d, found.p) == (0.0, 1.0)


def test_p_by_hand():
    """Three patients, models wholly apart: only 2 of the 8 exchanges (none, all) give a distance of 1."""
    found = ks_distance([1.0, 2.0, 3.0], [11.0, 12.0, 13.0], "abc", permutations=8000)
    assert found.d == 1.0
    assert found.p == pytest.approx(2 / 8, abs=0.02)


def test_rows_of_a_patient_are_exchanged_together():
    """As many rows of one patient alone give no evidence: both exchanges give the same distance."""
    one, other = list(range(20)), list(range(100, 120))
    assert ks_distance(one, other, ["same"] * 20).p == 1.0
    assert ks_distance(one, other, range(20)).p < 0.01


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="same rows"):
        ks_distance([1.0], [1.0, 2.0], ["a"])
    assert ks_distance([], [], []) is None
