"""The driver's view of stages that run elsewhere: progress by their records, and what to say of one that failed."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mllmu_med_dataset.errors import UserError

from ..graph import Graph, Stage
from .engine import Follower
from .records import DONE, FAILED, RUNNING, Record, Records


class Elsewhere:
    """Follows stages by the records that other machines write."""

    def __init__(self, graph: Graph, records: Records, follower: Follower) -> None:
        """Nothing runs yet."""
        self._graph, self._records, self._follower = graph, records, follower
        self._started: set[str] = set()

    def look(self, ids: Iterable[str]) -> dict[str, Record]:
        """Return the records of stages as they stand, and tell the follower which have begun."""
        found = {id: record for id in ids if (record := self._records.read(id)) is not None}
        for id, record in found.items():
            if record.state == RUNNING and id not in self._started:
                self._start(id)
        return found

    def ended(self, id: str, *, kept: bool = False) -> str:
        """Tell the follower that a stage has ended well, and return its id."""
        if id not in self._started:
            self._start(id)
        self._follower.finish(self._graph[id].title, kept=kept)
        return id

    def failed(self, id: str, said: str = "") -> UserError:
        """Return what to say of a stage that failed; `said` is its last word, where no record could be written."""
        record, log = self._records.read(id), self._records.log(id)
        where = f" on {record.host}" if record else ""
        said = record.note if record and record.state == FAILED and record.note else said
        kept = f" Its log is '{log}'." if log.is_file() else ""
        end = "" if said.endswith((".", "!", "?")) else "."
        return UserError(
            f"Stage {id} failed{where}: {said or 'it left no word'}{end}{kept} What is done stays; run the same "
            "command again to go on."
        )

    def _start(self, id: str) -> None:
        self._started.add(id)
        self._follower.start(self._graph[id].title)


def is_done(stage: Stage, records: Records) -> bool:
    """Say whether a stage need not be queued again: its record says that it was done, and what it leaves is there."""
    record = records.read(stage.id)
    there = bool(stage.leaves) and all(map(Path.exists, stage.leaves))
    return there and record is not None and record.state == DONE


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let nothing interrupt the end of what runs elsewhere: a second Ctrl-C would leave it running."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
