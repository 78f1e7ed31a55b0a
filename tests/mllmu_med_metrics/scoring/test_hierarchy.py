"""Means, intervals and p over targets, seeds and patients: values derived by hand, and coverage on known truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from mllmu_med_metrics.scoring import hierarchy
from mllmu_med_metrics.scoring.hierarchy import Run, difference, holm, letters, mean_of_runs, over_targets
from mllmu_med_metrics.scoring.interval import percentile_interval
from tests.benchmarks.interval_coverage import Design, coverage


def run(point: float | None, *drawn: float, patients: int = 16) -> Run:
    return Run(point=point, drawn=np.array(drawn or (point,) * 4, dtype=float), patients=patients)


def test_three_targets():
    # sd 0.1, t(2) = 4.3027: half width 4.3027 * 0.1 / sqrt(3) = 0.2484
    found = over_targets([0.4, 0.5, 0.6], runs=9)
    assert (found.point, found.low, found.high) == pytest.approx((0.5, 0.2516, 0.7484), abs=1e-4)
    assert (found.covers, found.targets, found.runs) == ("over targets, seeds and patients", 3, 9)
    # mean 0.95, sd 0.0707, t(1) is Cauchy's, tan(0.475 pi) = 12.706: half width 0.635, cut at 1
    two = over_targets([0.9, 1.0])
    assert (two.low, two.high) == (pytest.approx(0.95 - math.tan(0.475 * math.pi) * math.sqrt(0.0025)), 1.0)
    alone = over_targets([0.5])
    assert (alone.point, alone.low, alone.p, alone.covers) == (0.5, None, None, "given this target")
    assert over_targets([]).point is None


def test_targets_that_lie_close_together_count_as_half_as_far_apart_as_seeds_and_patients_make_them():
    # variance 0.0001 of the three, 0.02 within: half of it is 0.01, as if they were 0.4, 0.5, 0.6
    found = over_targets([0.49, 0.5, 0.51], [math.sqrt(0.02), None, math.sqrt(0.02)])
    assert (found.low, found.high) == pytest.approx((0.2516, 0.7484), abs=1e-4)
    assert over_targets([0.4, 0.5, 0.6], [0.1] * 3).low == pytest.approx(0.2516, abs=1e-4)


def test_differences_over_targets_go_below_0_and_have_a_p():
    # mean 0.1, sd 0.1: t = 0.1 / (0.1 / sqrt(3)) = 1.732 at 2 degrees of freedom, where p = 1 - t / sqrt(t^2 + 2)
    found = over_targets([0.0, 0.1, 0.2], lowest=-1.0)
    assert (found.low, found.p) == pytest.approx((0.1 - 0.24841, 1 - math.sqrt(3 / 5)), abs=1e-4)


def test_seeds_of_one_target_whose_patients_change_nothing():
    # as three targets: the patients' part is 0
    found = mean_of_runs([run(0.4), run(0.5), run(0.6)])
    assert (found.low, found.high) == pytest.approx((0.2516, 0.7484), abs=1e-4)
    assert (found.covers, found.targets, found.runs) == ("given this target", 1, 3)
    assert found.error == pytest.approx(0.1 / math.sqrt(3))


def test_seeds_and_patients_make_one_variance_each_at_its_own_t():
    # Seeds: 0.01 / 3 at t(2) = 4.3027. Patients, the same draw for all seeds: the mean is 0.05 lower or higher,
    # variance 0.0025 * 16 / 15 at t(15) = 2.1314.
    # Half width (0.0033333 * 4.3027 + 0.0026667 * 2.1314) / sqrt(0.006) = 0.25853
    runs = [run(p, p - 0.05, p + 0.05) for p in (0.4, 0.5, 0.6)]
    found = mean_of_runs(runs)
    assert (found.high - found.point) == pytest.approx(0.25853, abs=1e-5)
    assert found.error == pytest.approx(math.sqrt(0.006))


def test_one_run_has_the_interval_of_its_score():
    drawn = np.random.default_rng(0).uniform(0.2, 0.8, 500)
    found = mean_of_runs([Run(point=0.5, drawn=drawn, patients=16), run(None)])
    assert (found.low, found.high) == percentile_interval(0.5, drawn, 16)[:2]
    assert (found.covers, found.runs) == ("patients only", 1)
    assert mean_of_runs([run(None)]).point is None


def test_a_difference_is_paired_by_patient():
    # Both rise and fall with the patients alike: nothing is left of it.
    ours, theirs = run(0.7, 0.6, 0.8), run(0.5, 0.4, 0.6)
    found = difference([ours], [theirs])
    assert (found.point, found.low, found.high) == pytest.approx((0.2, 0.2, 0.2))
    assert found.p == 0 and found.covers == "patients only"
    # Theirs falls where ours rises: 0 and 0.4, variance 0.04 * 16 / 15, half width 2.1314 * 0.20656 = 0.44027
    crossed = difference([ours], [run(0.5, 0.6, 0.4)])
    assert (crossed.low, crossed.high) == pytest.approx((0.2 - 0.44027, 0.2 + 0.44027), abs=1e-4)
    assert difference([ours], [run(None)]).p is None


def test_the_seeds_of_both_sides_count():
    # 0.01 / 3 on each side, t(2) both: half width 4.3027 * sqrt(0.02 / 3) = 0.35131
    found = difference([run(p) for p in (0.4, 0.5, 0.6)], [run(p) for p in (0.3, 0.2, 0.1)])
    assert (found.point, found.low) == pytest.approx((0.3, 0.3 - 0.35131), abs=1e-4)
    assert found.covers == "given this target" and found.runs == 6


@given(
    some.lists(some.floats(0, 1), min_size=2, max_size=5),
    some.lists(some.floats(0, 1), min_size=1, max_size=5),
    some.floats(0.001, 0.2),
)
def test_p_and_interval_agree_and_sides_are_equal(ours, theirs, spread):
    mine, others = ([run(p, p - spread, p + spread) for p in points] for points in (ours, theirs))
    mine = [run(one.point, *one.drawn[::-1]) for one in mine]
    found, turned = difference(mine, others), difference(others, mine)
    assert turned.point == pytest.approx(-found.point, abs=1e-12)
    assert turned.p == pytest.approx(found.p, abs=1e-6)
    if found.low > -1 and found.high < 1 and abs(found.p - 0.05) > 1e-6:
        assert (found.p < 0.05) == (not found.low <= 0 <= found.high)


def test_holm():
    # 4 * 0.005, 3 * 0.01, 2 * 0.03, 1 * 0.04 raised to the one before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([None, 0.6, 0.7]) == [None, 1.0, 1.0]
    assert holm([]) == []


def test_letters_of_a_chain():
    # a - b and b - c can't be told apart, a - c can: b shares a letter with each.
    assert letters(["a", "b", "c"], [("a", "c")]) == {"a": "a", "b": "ab", "c": "b"}
    assert letters(["a", "b", "c"], []) == {"a": "a", "b": "a", "c": "a"}
    assert letters(["a", "b"], [("b", "a")]) == {"a": "a", "b": "b"}
    assert letters(["x"], []) == {"x": "a"}


@given(some.sets(some.tuples(some.integers(0, 6), some.integers(0, 6)).filter(lambda pair: pair[0] < pair[1])))
def test_two_share_a_letter_exactly_where_they_are_not_told_apart(pairs):
    names = [f"m{number}" for number in range(7)]
    found = letters(names, [(f"m{one}", f"m{other}") for one, other in pairs])
    for one in range(7):
        for other in range(one + 1, 7):
            assert bool(set(found[f"m{one}"]) & set(found[f"m{other}"])) == ((one, other) not in pairs)


def test_letters_go_on_after_z():
    assert [hierarchy._letter(number) for number in (0, 25, 26, 52)] == ["a", "z", "aa", "ba"]


@pytest.mark.parametrize("design", [Design(3, 3, 16), Design(1, 3, 16)])
def test_the_interval_holds_the_truth_as_often_as_it_claims(design):
    found = coverage(design, 400, seed=5, compared=False)
    assert 0.92 <= found.holds <= 0.98  # 0.93 to 0.97 of many studies; 400 are within 0.02 of that
