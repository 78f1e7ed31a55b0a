"""Memorisation by hand: two tokens of 1/2 and 1/8, and which of them are the likeliest."""

from math import log, log2

import pytest

from mllmu_med_metrics.likelihood.memorisation import (
    exact_memorisation,
    exposure,
    extraction_strength,
    margin,
    outranked,
    probability,
    truth_ratio,
)


def test_probability_is_the_geometric_mean():
    """sqrt(1/2 * 1/8) = 1/4."""
    assert probability([log(1 / 2), log(1 / 8)]) == pytest.approx(1 / 4)


@pytest.mark.parametrize(
    ("hits", "em", "es"),
    [
        ([True, True, True, True], 1.0, 1.0),  # nothing need be given
        ([False, True, True, True], 0.75, 0.75),  # the first token need be given
        ([True, True, False, True], 0.75, 0.25),  # three tokens need be given
        ([True, True, True, False], 0.75, 0.0),  # no prefix gives anything
        ([False, False], 0.0, 0.0),
    ],
)
def test_memorisation_and_extraction(hits, em, es):
    assert exact_memorisation(hits) == em
    assert extraction_strength(hits) == es


def test_extraction_is_never_above_memorisation():
    for number in range(1, 64):
        hits = [bool(number >> bit & 1) for bit in range(6)]
        assert extraction_strength(hits) <= exact_memorisation(hits)


def test_truth_ratio_by_hand():
    """Wrong answers 1/8 and 1/4 a token, paraphrase 1/2: (1/8 + 1/4) / 2 / (1/2) = 3/8."""
    assert truth_ratio(log(1 / 2), [log(1 / 8), log(1 / 4)]) == pytest.approx(3 / 8)
    assert truth_ratio(log(1 / 2), []) is None


def test_exposure_by_hand():
    """First of four: log2 4 = 2 bits; last of four: 0; a tie counts against exposure."""
    assert exposure(-1.0, [-2.0, -3.0, -4.0]) == 2
    assert exposure(-9.0, [-2.0, -3.0, -4.0]) == 0
    assert exposure(-2.0, [-2.0, -3.0, -4.0]) == pytest.approx(log2(4) - log2(2))


def test_the_share_outranked_by_hand():
    """Above one of four, level with two: (1 + 2/2) / 4."""
    assert outranked(-2.0, [-1.0, -2.0, -2.0, -3.0]) == 0.5
    assert outranked(-1.0, [-2.0]) == 1 and outranked(-3.0, [-2.0]) == 0
    with pytest.raises(ValueError, match="no candidate"):
        outranked(-1.0, [])


def test_margin_is_of_whole_answers():
    assert margin([log(1 / 2), log(1 / 2)], [log(1 / 8)]) == pytest.approx(log(2))


@pytest.mark.parametrize("measure", [probability, exact_memorisation, extraction_strength])
def test_an_empty_answer_is_refused(measure):
    with pytest.raises(ValueError, match="has no tokens"):
        measure([])
