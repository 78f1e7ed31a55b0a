"""Calls shared among processes: results in the order asked for, few waiting at a time, nobody left behind."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

T = TypeVar("T")
R = TypeVar("R")
B = TypeVar("B")


class WorkerLostError(RuntimeError):
    """A worker process was killed, by the system for want of memory or by hand."""


def cores() -> int:
    """Return the cores this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pool:
    """So many processes, started when first needed; with one, the calls are made here.

    The processes are started afresh, so a script that asks for workers needs ``if __name__ == "__main__":``. They end
    with this one, however it ends. ``prepare`` is called with ``given`` at the start of each, and not here.
    """

    def __init__(self, workers: int, prepare: Callable[..., None] | None = None, *given: object) -> None:
        self._workers = workers
        self._prepare, self._given = prepare, given
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._executor is None:
            return
        if kind is not None:
            self._leash.close()
        self._executor.shutdown(cancel_futures=True)
        self._leash.close()

    def map(self, call: Callable[[T], R], asked: Iterable[tuple[T, B]]) -> Iterator[tuple[R, B]]:
        """Yield what the call makes of each first value, in the order asked, with the second that stays here."""
        if self._workers == 1:
            yield from ((call(value), beside) for value, beside in asked)
            return
        waiting: deque[tuple[Future[R], B]] = deque()
        for value, beside in asked:
            waiting.append((self._submit(call, value), beside))
            if len(waiting) > 2 * self._workers:
                yield self._result(waiting[0][0]), waiting.popleft()[1]
        while waiting:
            yield self._result(waiting[0][0]), waiting.popleft()[1]

    def as_finished(self, call: Callable[[T], R], asked: Iterable[T]) -> Iterator[tuple[R, T]]:
        """Yield what the call makes of each value, as soon as it is made, with the value."""
        if self._workers == 1:
            yield from ((call(value), value) for value in asked)
            return
        running = {self._submit(call, value): value for value in asked}
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield self._result(future), running.pop(future)

    def _submit(self, call: Callable[[T], R], value: T) -> Future[R]:
        if self._executor is None:
            context = multiprocessing.get_context("spawn")
            held, self._leash = context.Pipe(duplex=False)
            self._executor = ProcessPoolExecutor(self._workers, context, _begin, (held, self._prepare, self._given))
        return self._executor.submit(call, value)

    def _result(self, future: Future[R]) -> R:
        try:
            return future.result()
        except BrokenProcessPool as error:
            raise WorkerLostError("A worker process was killed, for want of memory or by hand.") from error


def _begin(held: Connection, prepare: Callable[..., None] | None, given: tuple[object, ...]) -> None:
    """End this process when the other end of the leash is closed, or its holder gone, even in the midst of a call."""

    def watch() -> None:
        try:
            held.recv()
        except (EOFError, OSError):
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if prepare is not None:
        prepare(*given)
