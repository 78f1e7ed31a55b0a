"""Progress on stderr: one line a finished stage, and how long the rest will take."""

import sys
import time
from collections.abc import Mapping


class Progress:
    """Follows stages of known relative cost, several at a time if they run in lanes side by side.

    costs: stage name -> expected seconds; only proportions matter, since the estimate of the time left scales them by
    what the finished stages really took.
    """

    def __init__(self, costs: Mapping[str, float], *, lanes: int = 1) -> None:
        self._left, self._total, self._lanes = dict(costs), len(costs), lanes
        self._spent, self._expected = 0.0, 0.0
        self._began: dict[str, float] = {}
        self._live, self._width = sys.stderr.isatty(), 0

    def start(self, name: str) -> None:
        """Begin a stage."""
        self._began[name] = time.perf_counter()
        self.part(name, 0, 1)

    def part(self, name: str, done: int, total: int) -> None:
        """Say how far inside a stage the work is (drawn on a terminal only)."""
        if self._live and total:
            self._write(
                f"[{self._done() + 1:>2}/{self._total}] {name}: {100 * done / total:3.0f} %, {self._eta()}", end=""
            )

    def finish(self, name: str, *, kept: bool = False) -> None:
        """Close a stage; one that was already done says nothing about speed."""
        seconds, cost = time.perf_counter() - self._began.pop(name), self._left.pop(name)
        if not kept:
            self._spent, self._expected = self._spent + seconds, self._expected + cost
        took = "already done" if kept else f"{seconds:.1f} s"
        self._write(f"[{self._done():>2}/{self._total}] {name}: {took}, {self._eta()}", end="\n")

    def _done(self) -> int:
        return self._total - len(self._left)

    def _eta(self) -> str:
        if not self._left:
            return "all done"
        speed = self._spent / self._expected if self._expected else 1.0
        seconds = sum(self._left.values()) * speed / self._lanes
        return f"ETA {seconds / 60:.0f} min" if seconds >= 90 else f"ETA {seconds:.0f} s"

    def _write(self, text: str, end: str) -> None:
        lead = "\r" if self._live else ""
        print(f"{lead}{text:<{self._width}}", end=end, file=sys.stderr, flush=True)
        self._width = len(text) if end == "" else 0
