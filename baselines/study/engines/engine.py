"""What an engine is: four words over which every graph runs, on this machine or on a cluster."""

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from ..graph import Graph, Stage


class Follower(Protocol):
    """Who follows how stages go: a :class:`~baselines.run.progress.Progress`, or the other end of a worker's pipe."""

    def start(self, name: str) -> None: ...

    def part(self, name: str, done: int, total: int) -> None: ...

    def finish(self, name: str, *, kept: bool = False) -> None: ...


class Engine(Protocol):
    """Where stages run.

    keeps_order: whether it takes a stage before what it needs has ended, and holds it back by itself.
    """

    keeps_order: bool

    @property
    def free(self) -> int:
        """How many more stages can be submitted now."""

    def submit(self, stages: Sequence[Stage]) -> None:
        """Begin stages, or queue them; not more than are free."""

    def wait(self) -> str:
        """Return the id of a stage that has ended well; raise what ended one otherwise."""

    def cancel(self) -> None:
        """Leave nothing running."""


def run(graph: Graph, engine: Engine) -> None:
    """Run every stage of the graph; the first that fails ends all of them."""
    missing = {id: set(stage.needs) for id, stage in graph.items()}
    running = 0
    try:
        while missing or running:
            ready = [id for id, needs in missing.items() if engine.keeps_order or not needs]
            ready = sorted(ready, key=lambda id: -graph.urgency[id])[: engine.free]
            if ready:
                engine.submit([graph[id] for id in ready])
                running += len(ready)
            for id in ready:
                del missing[id]
            ended = engine.wait()
            running -= 1
            for needs in missing.values():
                needs.discard(ended)
    finally:
        engine.cancel()


def run_stage(stage: Stage, follower: Follower) -> None:
    """Run one stage in this process."""
    follower.start(stage.title)
    worked = stage.run(partial(follower.part, stage.title))
    follower.finish(stage.title, kept=not worked)
