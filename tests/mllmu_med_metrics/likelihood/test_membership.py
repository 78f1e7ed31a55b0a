"""Membership scores by hand, and their AUC against the pairs counted one by one."""

import zlib
from math import log

import pytest

from mllmu_med_metrics.likelihood.membership import (
    auc,
    loss_score,
    min_k_plus_plus_score,
    min_k_score,
    row_scores,
    zlib_score,
)

LOG_PROBS = [log(1 / 2), log(1 / 4), log(1 / 8), log(1 / 2), log(1 / 2)]


def test_loss_is_the_mean_log_probability():
    assert loss_score(LOG_PROBS) == pytest.approx(log(1 / 256) / 5)


def test_zlib_divides_by_the_compressed_bytes():
    assert zlib_score(LOG_PROBS, "aaaa") == pytest.approx(log(1 / 256) / len(zlib.compress(b"aaaa")))


def test_min_k_takes_the_least_likely_fifth():
    assert min_k_score(LOG_PROBS) == pytest.approx(log(1 / 8))  # one of five
    assert min_k_score(LOG_PROBS, 0.4) == pytest.approx((log(1 / 8) + log(1 / 4)) / 2)
    assert min_k_score(LOG_PROBS[:2]) == pytest.approx(log(1 / 4))  # at least one


def test_min_k_plus_plus_standardises_each_token():
    """Scores (-1 + 2) / 0.5 = 2 and (-3 + 2) / 1 = -1: the lowest is -1; without deviation a score is 0."""
    assert min_k_plus_plus_score([-1.0, -3.0], [-2.0, -2.0], [0.5, 1.0]) == pytest.approx(-1.0)
    assert min_k_plus_plus_score([-1.0], [-1.0], [0.0]) == 0.0


def test_auc_counts_pairs_with_ties_as_half():
    members, others = [3.0, 1.0, 2.0], [2.0, 0.0]
    pairs = [1.0 if m > o else 0.5 if m == o else 0.0 for m in members for o in others]
    assert auc(members, others) == pytest.approx(sum(pairs) / len(pairs))
    assert auc([1.0], [1.0]) == 0.5
    assert auc([], others) is None and auc(members, []) is None


def test_an_empty_answer_is_refused():
    with pytest.raises(ValueError, match="has no tokens"):
        row_scores([], [], [], "")
