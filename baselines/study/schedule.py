"""How long a graph of stages takes on so many workers, by a clock that runs as fast as it can."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from .engines import engine
from .graph import Graph, Stage


@dataclass(frozen=True)
class Schedule:
    """How long a graph takes on some workers, in the seconds that its stages cost.

    longest: what no number of workers gets below, the longest way through the graph. busy: the share of all workers'
    time in which they have a stage, 0 to 1.
    """

    seconds: float
    longest: float
    busy: float


def schedule(graph: Graph, workers: int) -> Schedule:
    """Run the graph as every engine does, the most urgent stage first, by the costs of its stages alone."""
    clock = _Clock(workers)
    engine.run(graph, clock)
    worked = sum(stage.cost for stage in graph.values())
    longest = max(graph.urgency.values(), default=0.0)
    return Schedule(clock.now, longest, worked / (workers * clock.now) if clock.now else 1.0)


class _Clock:
    """An engine whose stages end when their cost has passed, which takes no time."""

    keeps_order = False

    def __init__(self, workers: int) -> None:
        self.now = 0.0
        self._workers = workers
        self._running: list[tuple[float, str]] = []

    @property
    def free(self) -> int:
        return self._workers - len(self._running)

    def submit(self, stages: Sequence[Stage]) -> None:
        for stage in stages:
            heapq.heappush(self._running, (self.now + stage.cost, stage.id))

    def wait(self) -> str:
        self.now, ended = heapq.heappop(self._running)
        return ended

    def cancel(self) -> None:
        self._running.clear()
