"""The processes of a build: a build whose worker is killed had to stop, and goes on where it stopped."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TypeVar

from mllmu_med_metrics import pool

from ..errors import UserError

R = TypeVar("R")


class StoppedError(UserError):
    """A build that had to stop for a reason outside its data: the same command goes on where it stopped."""


class Pool(pool.Pool):
    """So many processes of a build; with one, the calls are made here."""

    def _result(self, future: Future[R]) -> R:
        try:
            return super()._result(future)
        except pool.WorkerLostError as error:
            raise StoppedError(
                "A worker process of the build was killed, by the system for want of memory or by hand. Run the same "
                "command again: it goes on where it stopped; with --workers 1 where memory is short."
            ) from error
