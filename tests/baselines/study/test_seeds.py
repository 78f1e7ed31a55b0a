"""The table over seeds: means and t intervals by hand, and no mean over what is not one study."""

import math

import pytest

from baselines.study import seeds


def report(seed: int, ues: float | None, verdict: str = "ok", **config) -> dict[str, object]:
    row = {field: None for field, _ in seeds.COLUMNS} | {"scenario": "privacy", "verdict": verdict}
    rows = [row | {"model": "target", "ues": 0.0, "verdict": None}, row | {"model": "ga", "ues": ues, "f": 0.5}]
    return {"seed": seed, "config": {"scenarios": ["privacy"], "seed": seed, **config}, "rows": rows}


def test_the_interval_of_three_values():
    # mean 0.5, sd 0.1, t(2) = 4.303: half width 4.303 * 0.1 / sqrt(3) = 0.2484
    assert seeds.interval([0.4, 0.5, 0.6]) == pytest.approx((0.2516, 0.7484), abs=1e-4)
    # mean 0.95, sd 0.0707, t(1) is Cauchy's, tan(0.475 pi) = 12.706: half width 0.635, cut at 1
    assert seeds.interval([0.9, 1.0]) == (pytest.approx(0.95 - math.tan(0.475 * math.pi) * math.sqrt(0.005 / 2)), 1.0)
    assert seeds.interval([0.5]) is None


def test_means_count_the_seeds_that_have_a_score():
    documents = [report(0, 0.4), report(2, 0.6), report(3, None, "diverged")]
    target, ga = seeds.summary(documents)
    assert (ga["ues"], ga["n"], ga["f"], ga["verdicts"]) == (0.5, 2, 0.5, ["ok", "ok", "diverged"])
    assert (target["low"], target["high"]) == (None, None)
    assert "2 ok, 1 diverged" in seeds.table(documents)


def test_other_settings_or_the_same_seed_twice_are_no_study():
    for other in (report(0, 0.5), report(1, 0.5, percent=5)):
        with pytest.raises(ValueError, match="not of one study"):
            seeds.summary([report(0, 0.5), other])
