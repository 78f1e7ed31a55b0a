"""Graphs on a clock of their own: values derived by hand."""

from pathlib import Path

import pytest

from baselines.study.graph import Graph
from baselines.study.schedule import schedule
from baselines.study.stages import plan
from baselines.study.study import Study
from tests.baselines.study.test_graph import stage


@pytest.fixture
def study():
    """Build (1), then a target (4) and a gold (2); from the target two methods (3 each); a report (1)."""
    methods = [stage(name, "target", cost=3) for name in ("one", "two")]
    learned = [stage("target", "build", cost=4), stage("gold", "build", cost=2)]
    return Graph([stage("build"), *learned, *methods, stage("report", "gold", "one", "two")])


@pytest.mark.parametrize(
    ("workers", "seconds", "busy"),
    [
        (1, 14, 1.0),  # the sum
        (2, 9, 14 / 18),  # build 1, target and gold to 5, both methods to 8, report to 9
        (64, 9, 14 / (64 * 9)),  # no sooner than the longest way
    ],
)
def test_a_graph_takes_what_its_order_leaves(study, workers, seconds, busy):
    found = schedule(study, workers)
    assert (found.seconds, found.longest, found.busy) == (seconds, 9, pytest.approx(busy))


def test_the_default_study_never_takes_less_than_its_longest_way_or_its_share():
    graph = plan(Study(Path("runs"), attacks=True))
    worked = sum(one.cost for one in graph.values())
    took = [schedule(graph, workers) for workers in (1, 2, 8, 64)]
    assert took[0].seconds == pytest.approx(worked)
    assert [one.seconds for one in took] == sorted((one.seconds for one in took), reverse=True)
    for workers, one in zip((1, 2, 8, 64), took, strict=True):
        assert one.seconds >= max(one.longest, worked / workers) - 1e-9
    assert took[-1].seconds == pytest.approx(took[-1].longest)


def test_an_empty_graph_takes_no_time():
    assert schedule(Graph([]), 2).seconds == 0


def test_a_dry_run_says_what_two_cores_take_and_what_no_number_gets_below(tmp_path, capsys):
    from baselines import cli

    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", "--dry-run", "--out", str(tmp_path / "runs")])
    graph = plan(Study(tmp_path / "runs", attacks=True))
    least, here = schedule(graph, 2).longest / 60, schedule(graph, 2).seconds / 60
    last = capsys.readouterr().out.splitlines()[-1]
    assert not ended.value.code and not (tmp_path / "runs").exists()
    assert f"About {here:.0f} minutes" in last and last.endswith(f"no less than {least:.0f}.")
