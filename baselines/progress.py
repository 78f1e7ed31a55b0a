"""Progress on stderr: one line a stage, and how long the rest will take."""

import sys
import time
from collections.abc import Sequence


class Progress:
    """Counts stages of known relative cost; prints each and an estimate of the time left.

    costs are in expected seconds on two CPU cores; only their proportions matter, since the estimate scales them by
    what the finished stages really took.
    """

    def __init__(self, costs: Sequence[float], *, quiet: bool = False) -> None:
        self._costs, self._quiet = list(costs), quiet
        self._done, self._spent, self._expected = 0, 0.0, 0.0
        self._name, self._began, self._width = "", 0.0, 0
        self._live = sys.stderr.isatty() and not quiet

    def start(self, name: str) -> None:
        """Announce a stage."""
        self._name, self._began = name, time.perf_counter()
        if self._live:
            self._draw(0.0)

    def part(self, done: int, total: int) -> None:
        """Say how far inside the stage the work is (drawn on a terminal only)."""
        if self._live and total:
            self._draw(done / total)

    def finish(self, note: str = "") -> None:
        """Close the stage; a stage that was already done ("kept") says nothing about speed."""
        seconds = time.perf_counter() - self._began
        head, cost = self._head(), self._costs[self._done]
        self._done += 1
        if not note:
            self._spent, self._expected = self._spent + seconds, self._expected + cost
        if not self._quiet:
            took = note or f"{seconds:.1f} s"
            self._write(f"{head} {took}, {self._left(0.0)}", end="\n")

    def _head(self) -> str:
        return f"[{self._done + 1:>2}/{len(self._costs)}] {self._name}:"

    def _left(self, share: float) -> str:
        left = sum(self._costs[self._done :]) - share * (self._costs[self._done] if self._done < len(self._costs) else 0)
        speed = self._spent / self._expected if self._expected else 1.0
        seconds = left * speed
        if not left:
            return "all done"
        return f"ETA {seconds / 60:.0f} min" if seconds >= 90 else f"ETA {seconds:.0f} s"

    def _draw(self, share: float) -> None:
        self._write(f"{self._head()} {100 * share:3.0f} %, {self._left(share)}", end="")

    def _write(self, text: str, end: str) -> None:
        lead = "\r" if self._live else ""
        print(f"{lead}{text:<{self._width}}", end=end, file=sys.stderr, flush=True)
        self._width = len(text) if end == "" else 0
