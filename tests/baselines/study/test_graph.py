"""A graph of stages: sound, and the longest way to the end first."""

import pytest

from baselines.study.graph import Graph, Stage


def stage(id: str, *needs: str, cost: float = 1.0) -> Stage:
    return Stage(id, id, needs, ("true",), lambda part: True, cost)


def test_an_id_twice_an_unknown_need_and_a_circle_are_refused():
    with pytest.raises(ValueError, match="one id"):
        Graph([stage("a"), stage("a")])
    with pytest.raises(ValueError, match="does not have: b"):
        Graph([stage("a", "b")])
    with pytest.raises(ValueError, match="cycle"):
        Graph([stage("a", "b"), stage("b", "a")])


def test_urgency_is_the_longest_way_to_the_end():
    """build (1) -> learn (10) -> unlearn (5) -> report (2): 18; the evaluation beside it only 1 + 3 + 2."""
    graph = Graph(
        [
            stage("build"),
            stage("learn", "build", cost=10),
            stage("unlearn", "learn", cost=5),
            stage("evaluate", "build", cost=3),
            stage("report", "unlearn", "evaluate", cost=2),
        ]
    )
    assert graph.urgency == {"build": 18, "learn": 17, "unlearn": 7, "evaluate": 5, "report": 2}
