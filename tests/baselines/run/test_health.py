import pytest

from baselines.run.health import verdict


@pytest.mark.parametrize(
    ("f", "r", "degenerate", "expected"),
    [
        (0.9, 0.9, 0.0, "ok"),
        (0.05, 0.5, 0.199, "ok"),  # each threshold itself still passes
        (0.049, 0.9, 0.0, "no-effect"),
        (0.9, 0.499, 0.0, "collapsed"),
        (0.9, 0.9, 0.2, "collapsed"),
        (0.0, 0.1, 0.0, "collapsed"),
        (None, None, None, "ok"),
        (None, 0.2, None, "collapsed"),
    ],
)
def test_verdicts_at_their_thresholds(f, r, degenerate, expected):
    assert verdict(f, r, degenerate) == expected


def test_what_ended_the_run_comes_before_how_it_scored():
    assert verdict(0.9, 0.9, 0.0, diverged=True) == "diverged"
