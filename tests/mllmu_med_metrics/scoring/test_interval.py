import numpy as np
import pytest

from mllmu_med_metrics.scoring.interval import expanded_p, expanded_tail, patient_weights, percentile_interval
from tests.benchmarks.score_coverage import coverage


def test_every_replicate_draws_each_stratum_at_its_size():
    strata = [0, 0, 0, 5, 5, 2]
    weights = np.concatenate(list(patient_weights(strata, replicates=200, seed=1)))
    assert weights.shape == (200, 6)
    assert (weights[:, :3].sum(axis=1) == 3).all()
    assert (weights[:, 3:5].sum(axis=1) == 2).all()
    assert (weights[:, 5] == 1).all()
    assert weights[:, :3].std() > 0


def test_the_seed_decides():
    first, again, other = (next(patient_weights([0] * 9, replicates=50, seed=seed)) for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_blocks_bound_memory(monkeypatch):
    monkeypatch.setattr("mllmu_med_metrics.scoring.interval._BLOCK", 100)
    blocks = list(patient_weights([0] * 30, replicates=10, seed=0))
    assert [block.shape for block in blocks] == [(3, 30)] * 3 + [(1, 30)]


def test_of_many_patients_the_ends_are_the_usual_percentiles():
    assert percentile_interval(50.0, np.arange(101.0), 10**9) == (pytest.approx(2.5), pytest.approx(97.5), 0)


def test_of_few_patients_the_ends_lie_further_out():
    # Two patients: t with 1 degree of freedom is 12.706 at 2.5 %, times sqrt(2 / 1), 17.97 standard deviations.
    assert expanded_tail(2) < 1e-60
    # Eight: 2.3646 x sqrt(8 / 7) = 2.5279 standard deviations, beyond which lies 0.005737 of a normal distribution.
    assert expanded_tail(8) == pytest.approx(0.005737, abs=1e-6)
    low, high, _ = percentile_interval(500.0, np.arange(1001.0), 8)
    assert (low, high) == (pytest.approx(5.737, abs=1e-3), pytest.approx(994.263, abs=1e-3))
    assert percentile_interval(5.0, np.arange(11.0), 1) == (0.0, 10.0, 0)


def test_p_and_interval_agree():
    """p is 0.05 where an end of the 95 % interval touches 0."""
    for patients in (2, 3, 8, 40, 10**6):
        assert 2 * expanded_p(expanded_tail(patients), patients) == pytest.approx(0.05, rel=1e-6)
        assert 2 * expanded_p(0.5, patients) == pytest.approx(1.0)
    assert 2 * expanded_p(0.001, 1) == 1


def test_the_interval_always_holds_the_point():
    assert percentile_interval(1.0, np.full(10, 0.5), 40) == (0.5, 1.0, 0)


def test_undefined_replicates_are_counted_and_left_out():
    assert percentile_interval(0.5, np.array([0.5, np.nan, 0.5]), 40) == (0.5, 0.5, 1)
    assert percentile_interval(0.5, np.array([np.nan]), 40) == (None, None, 1)
    assert percentile_interval(float("nan"), np.array([0.5]), 40) == (None, None, 0)


@pytest.mark.slow
def test_the_interval_covers_the_truth_of_simulated_studies():
    found = coverage(300, fewest=40, most=60, lowest=0.3, highest=0.9, seed=1, replicates=500)
    # 95 % of 300, and two standard errors.
    assert 0.925 <= found.holds <= 0.98, found
    assert found.undefined == 0


@pytest.mark.slow
def test_a_narrower_interval_is_found_out(monkeypatch):
    """Ends at the 10 and 90 percentiles cover about 80 %: the simulation can tell."""
    monkeypatch.setattr("mllmu_med_metrics.scoring.interval.expanded_tail", lambda patients: 0.1)
    found = coverage(200, fewest=40, most=60, lowest=0.3, highest=0.9, seed=1, replicates=300)
    assert 0.7 <= found.holds <= 0.87, found
