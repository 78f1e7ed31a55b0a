"""The time left of a bench, on what the stages of a whole one took on two cores: right within a factor of two."""

import heapq
from pathlib import Path

import pytest

from baselines.run import progress
from baselines.study import durations
from baselines.study.stages import plan
from baselines.study.study import Study, fast

# Stage and seconds, of `mllmu-med bench` on two cores.
SECONDS = Path(__file__).with_name("bench_seconds.tsv")


def estimates(graph, seconds, monkeypatch, lanes=2):
    """Run a graph as the runner does, by a clock of its own; return (seconds left, estimate) after each stage."""
    now, running, found = [0.0], [], []
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    shown = progress.Progress(
        {stage.title: stage.cost for stage in graph.values()},
        kinds={stage.title: stage.kind for stage in graph.values()},
        lanes=lanes,
    )
    missing = {id: set(stage.needs) for id, stage in graph.items()}
    while missing or running:
        ready = sorted((id for id, needs in missing.items() if not needs), key=lambda id: -graph.urgency[id])
        for id in ready[: lanes - len(running)]:
            shown.start(graph[id].title)
            heapq.heappush(running, (now[0] + seconds[graph[id].title], id))
            del missing[id]
        now[0], ended = heapq.heappop(running)
        shown.finish(graph[ended].title)
        for needs in missing.values():
            needs.discard(ended)
        found.append((now[0], shown.seconds_left()))
    return [(now[0] - at, estimate) for at, estimate in found]


# A machine that is far from ours is known once something was trained on it.
@pytest.mark.parametrize(("slower", "first"), [(0.7, 2), (1.0, 2), (1.9, 2), (0.4, 12), (4.0, 12)])
def test_the_time_left_is_right_within_a_factor_of_two_from_the_second_stage_on(slower, first, monkeypatch, capsys):
    lines = [line.split("\t") for line in SECONDS.read_text(encoding="utf-8").splitlines()]
    seconds = {title: slower * float(took) for title, took in lines}
    graph = plan(Study(Path("runs"), attacks=True))
    assert {stage.title for stage in graph.values()} == seconds.keys()
    found = estimates(graph, seconds, monkeypatch)
    assert len(found) == 107 and found[-1][0] == 0
    apart = [max(left / estimate, estimate / left) for left, estimate in found[first - 1 :] if left >= 10 * slower]
    assert len(apart) > 80 and max(apart) < 2
    assert capsys.readouterr().err.count("\n") == 107


def test_the_packaged_bench_is_the_measure_and_other_methods_take_what_their_kind_took():
    assert durations.expected("unlearn", "privacy", "gd-s2") == durations.expected("unlearn", "privacy", "gd")
    assert durations.expected("unlearn", "privacy", "gd") != durations.expected("unlearn", "privacy", "mine")
    assert durations.expected("unlearn", "privacy", "mine") == durations.expected("unlearn", "request")
    assert durations.expected("evaluate", "knowledge") < durations.expected("evaluate", "privacy")


def test_what_comes_with_the_package_is_expected_to_be_taken():
    usual = plan(Study(Path("runs")))
    assert usual["privacy-target"].kind == "published" and usual["privacy-format_matched"].kind == "learn"
    for changed in (Study(Path("runs"), learn=True), Study(Path("runs"), patients=60), Study(Path("runs"), model="x")):
        assert plan(changed)["privacy-target"].kind == "learn"
    assert {stage.cost for stage in plan(fast(Study(Path("runs")))).values()} == {durations.FAST}
