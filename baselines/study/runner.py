"""Run a graph of stages on this machine: any stage whose needs are met, on any worker that is free.

Workers live as long as the run, so that libraries are imported once a worker. Other engines have the same three verbs:
submit a stage, wait until one has ended, cancel what runs.
"""

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Protocol

from mllmu_med_dataset.errors import UserError

from .graph import Graph, Stage

# Seconds in which a worker without a stage ends by itself.
PATIENCE = 10


class Follower(Protocol):
    """Who follows how stages go: a :class:`~baselines.run.progress.Progress`, or the other end of a worker's pipe."""

    def start(self, name: str) -> None: ...

    def part(self, name: str, done: int, total: int) -> None: ...

    def finish(self, name: str, *, kept: bool = False) -> None: ...


class Runner(Protocol):
    """Where stages run."""

    @property
    def free(self) -> int:
        """How many more stages can be submitted now."""

    def submit(self, stage: Stage) -> None:
        """Begin a stage."""

    def wait(self) -> str:
        """Return the id of a stage that has ended well; raise what ended one otherwise."""

    def cancel(self) -> None:
        """Leave nothing running."""


def run(graph: Graph, runner: Runner) -> None:
    """Run every stage of the graph; the first that fails ends all of them."""
    missing = {id: set(stage.needs) for id, stage in graph.items()}
    running = 0
    try:
        while missing or running:
            ready = sorted((id for id, needs in missing.items() if not needs), key=lambda id: -graph.urgency[id])
            for id in ready[: runner.free]:
                runner.submit(graph[id])
                del missing[id]
                running += 1
            ended = runner.wait()
            running -= 1
            for needs in missing.values():
                needs.discard(ended)
    finally:
        runner.cancel()


def run_stage(stage: Stage, follower: Follower) -> None:
    """Run one stage here."""
    follower.start(stage.title)
    worked = stage.run(partial(follower.part, stage.title))
    follower.finish(stage.title, kept=not worked)


class InProcess:
    """Runs one stage after the other in this process, which then has every core, or the accelerator."""

    def __init__(self, follower: Follower) -> None:
        """Say to the follower how stages go."""
        self._follower, self._stage = follower, None

    @property
    def free(self) -> int:
        """One, unless a stage waits to be run."""
        return int(self._stage is None)

    def submit(self, stage: Stage) -> None:
        """Take a stage."""
        self._stage = stage

    def wait(self) -> str:
        """Run the stage taken."""
        stage, self._stage = self._stage, None
        run_stage(stage, self._follower)
        return stage.id

    def cancel(self) -> None:
        """Do nothing: what runs here ends with the exception that ends it."""


class Workers:
    """Runs stages in processes of their own, each with its share of the cores."""

    def __init__(self, graph: Callable[[], Graph], count: int, follower: Follower) -> None:
        """Start so many; each makes the graph for itself, so that what a stage runs need not travel."""
        context = multiprocessing.get_context("spawn")
        threads = max(1, cores() // count)
        self._follower = follower
        self._pipes: dict[Connection, BaseProcess] = {}
        self._idle: list[Connection] = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(graph, threads, theirs), daemon=True)
            process.start()
            theirs.close()
            self._pipes[ours] = process
            self._idle.append(ours)

    @property
    def free(self) -> int:
        """How many workers have no stage."""
        return len(self._idle)

    def submit(self, stage: Stage) -> None:
        """Give a stage to a free worker."""
        self._idle.pop(0).send(stage.id)

    def wait(self) -> str:
        """Follow the workers until one has ended its stage."""
        while True:
            for pipe in wait(list(self._pipes)):
                try:
                    event, details = pipe.recv()
                except EOFError:
                    raise UserError(
                        "A worker process was killed, by the system for want of memory or by hand. Run the same "
                        "command again to resume, with --workers 1 where memory is short."
                    ) from None
                if event == "refused":
                    raise UserError(details)
                if event == "failed":
                    raise RuntimeError(details)
                if event == "ended":
                    self._idle.append(pipe)
                    return details
                getattr(self._follower, event)(**details)

    def cancel(self) -> None:
        """End every worker: those at work at once, the others by themselves."""
        for pipe, process in self._pipes.items():
            if pipe not in self._idle:
                process.terminate()
            pipe.close()
        for process in self._pipes.values():
            process.join(PATIENCE)
            process.kill()
            process.join()


class _Sender:
    """The follower at a worker's end of its pipe."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def start(self, name: str) -> None:
        self._pipe.send(("start", {"name": name}))

    def part(self, name: str, done: int, total: int) -> None:
        self._pipe.send(("part", {"name": name, "done": done, "total": total}))

    def finish(self, name: str, *, kept: bool = False) -> None:
        self._pipe.send(("finish", {"name": name, "kept": kept}))


def _work(graph: Callable[[], Graph], threads: int, pipe: Connection) -> None:
    """Run the stages that come through the pipe, until nobody sends any more."""
    import torch

    from ..run.progress import quieten

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's to answer
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    quieten()
    try:
        stages = graph()
        while True:
            id = pipe.recv()
            run_stage(stages[id], _Sender(pipe))
            pipe.send(("ended", id))
    except EOFError:
        return
    except UserError as error:
        pipe.send(("refused", str(error)))
    except Exception:
        pipe.send(("failed", traceback.format_exc()))


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however it went: a resumed run must be alone."""
    multiprocessing.parent_process().join()
    os._exit(1)


def default_workers() -> int:
    """Return how many stages run side by side: as many as cores, or one that has the accelerator."""
    import torch

    return 1 if torch.cuda.is_available() else cores()


def cores() -> int:
    """Return the cores this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
