"""Stages on this machine: any whose needs are met, on any worker that is free.

Workers live as long as the run, so that libraries are imported once a worker.
"""

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics.pool import cores

from ..graph import Graph, Stage
from .engine import Follower, run_stage
from .records import Records

# Seconds in which a worker without a stage ends by itself.
PATIENCE = 10


class _Noted:
    """A follower that notes in a stage's record how far it is as well."""

    def __init__(self, follower: Follower, note: Callable[[int, int], None]) -> None:
        self._note = note
        self.start, self.finish, self._part = follower.start, follower.finish, follower.part

    def part(self, name: str, done: int, total: int) -> None:
        self._note(done, total)
        self._part(name, done, total)


def _run_recorded(stage: Stage, follower: Follower, records: Records) -> None:
    """Run one stage in this process, and keep its record."""
    with records.keeping(stage.id) as sign:
        run_stage(stage, _Noted(follower, sign.part))


class InProcess:
    """Runs one stage after the other in this process, which then has every core, or the accelerator."""

    keeps_order = False

    def __init__(self, follower: Follower, records: Records) -> None:
        """Say to the follower, and in the records, how stages go."""
        self._follower, self._records = follower, records
        self._stage: Stage | None = None

    @property
    def free(self) -> int:
        """One, unless a stage waits to be run."""
        return int(self._stage is None)

    def submit(self, stages: Sequence[Stage]) -> None:
        """Take a stage."""
        (self._stage,) = stages

    def wait(self) -> str:
        """Run the stage taken."""
        stage, self._stage = self._stage, None
        _run_recorded(stage, self._follower, self._records)
        return stage.id

    def cancel(self) -> None:
        """Do nothing: what runs here ends with the exception that ends it."""


class Workers:
    """Runs stages in processes of their own, each with its share of the cores."""

    keeps_order = False

    def __init__(self, graph: Callable[[], Graph], count: int, follower: Follower, records: Records) -> None:
        """Start so many; each makes the graph for itself, so that what a stage runs need not travel."""
        context = multiprocessing.get_context("spawn")
        threads = max(1, cores() // count)
        self._follower = follower
        self._pipes: dict[Connection, BaseProcess] = {}
        self._idle: list[Connection] = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(graph, threads, records, theirs), daemon=True)
            process.start()
            theirs.close()
            self._pipes[ours] = process
            self._idle.append(ours)

    @property
    def free(self) -> int:
        """How many workers have no stage."""
        return len(self._idle)

    def submit(self, stages: Sequence[Stage]) -> None:
        """Give stages to free workers."""
        for stage in stages:
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


def _work(graph: Callable[[], Graph], threads: int, records: Records, pipe: Connection) -> None:
    """Run the stages that come through the pipe, until nobody sends any more."""
    import torch

    from ...run.progress import quieten

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's to answer
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    quieten()
    try:
        stages = graph()
        while True:
            id = pipe.recv()
            _run_recorded(stages[id], _Sender(pipe), records)
            pipe.send(("ended", id))
    except (EOFError, KeyboardInterrupt):  # nobody sends more, or a stage that was ended has saved where it is
        return
    except UserError as error:
        pipe.send(("refused", str(error)))
    except Exception:
        pipe.send(("failed", traceback.format_exc()))


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however it went: a resumed run must be alone."""
    multiprocessing.parent_process().join()
    os._exit(1)


def workers(asked: int | None, stages: int) -> int:
    """Return how many stages run side by side: as many as cores if not asked, or one that has the accelerator."""
    import torch

    return min(asked or (1 if torch.cuda.is_available() else cores()), stages)
