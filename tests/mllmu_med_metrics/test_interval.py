import numpy as np
import pytest

from mllmu_med_metrics.interval import patient_weights, percentile_interval


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
    monkeypatch.setattr("mllmu_med_metrics.interval._BLOCK", 100)
    blocks = list(patient_weights([0] * 30, replicates=10, seed=0))
    assert [block.shape for block in blocks] == [(3, 30)] * 3 + [(1, 30)]


def test_percentiles_by_hand():
    assert percentile_interval(50.0, np.arange(101.0)) == (pytest.approx(2.5), pytest.approx(97.5), 0)


def test_the_interval_always_holds_the_point():
    assert percentile_interval(1.0, np.full(10, 0.5)) == (0.5, 1.0, 0)


def test_undefined_replicates_are_counted_and_left_out():
    assert percentile_interval(0.5, np.array([0.5, np.nan, 0.5])) == (0.5, 0.5, 1)
    assert percentile_interval(0.5, np.array([np.nan])) == (None, None, 1)
    assert percentile_interval(float("nan"), np.array([0.5])) == (None, None, 0)
