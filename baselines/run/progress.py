"""Progress on stderr: one line a finished stage, and how long the rest will take."""

import sys
import time
import warnings
from collections.abc import Mapping

# What the stages of building a data set take of each other's time, verified at the end.
BUILD_COSTS = {"collect": 30, "decide": 15, "inject": 15, "write": 50, "card": 5, "verify": 90}


# Of a log that nobody draws on: the longest it says nothing of work that goes on.
QUIET_SECONDS = 60


class Progress:
    """Follows stages of known relative cost, several at a time if they run in lanes side by side.

    costs: stage name -> expected seconds; only proportions matter, since the estimate of the time left scales them by
    what the finished stages really took. least_seconds: what a stage must take to get a line. lanes: how many run side
    by side; as many as have run at once if absent.
    """

    def __init__(self, costs: Mapping[str, float], *, lanes: int = 0, least_seconds: float = 0) -> None:
        self._least_seconds = least_seconds
        self._left, self._total, self._lanes = dict(costs), len(costs), lanes
        self._spent, self._expected = 0.0, 0.0
        self._began: dict[str, float] = {}
        self._live, self._width, self._wrote = sys.stderr.isatty(), 0, time.monotonic()

    def start(self, name: str) -> None:
        """Begin a stage."""
        self._began[name] = time.perf_counter()
        self._lanes = max(self._lanes, len(self._began))
        self.part(name, 0, 1)

    def part(self, name: str, done: int, total: int) -> None:
        """Say how far inside a stage the work is: drawn on a terminal, elsewhere a line now and then."""
        if total and (self._live or time.monotonic() - self._wrote > QUIET_SECONDS):
            share = f"{100 * done / total:3.0f} %"
            line = f"[{self._done() + 1:>2}/{self._total}] {name}: {share}, {self._eta(name, done / total)}"
            self._write(line, end="" if self._live else "\n")

    def finish(self, name: str, *, kept: bool = False) -> None:
        """Close a stage; one that was already done says nothing about speed."""
        seconds, cost = time.perf_counter() - self._began.pop(name), self._left.pop(name)
        if not kept:
            self._spent, self._expected = self._spent + seconds, self._expected + cost
        took = "already done" if kept else f"{seconds:.1f} s"
        if seconds >= self._least_seconds or self._live:
            self._write(f"[{self._done():>2}/{self._total}] {name}: {took}, {self._eta()}", end="\n")

    def _done(self) -> int:
        return self._total - len(self._left)

    def _eta(self, name: str = "", share: float = 0.0) -> str:
        """Say how long the rest takes; `share` of the stage `name` is done, which tells where no stage is."""
        if not self._left:
            return "all done"
        spent, expected, done = self._spent, self._expected, self._left.get(name, 0.0) * share
        if not expected and done:
            spent, expected = time.perf_counter() - self._began[name], done
        speed = spent / expected if expected else 1.0
        seconds = (sum(self._left.values()) - done) * speed / self._lanes
        return f"ETA {seconds / 60:.0f} min" if seconds >= 90 else f"ETA {seconds:.0f} s"

    def _write(self, text: str, end: str) -> None:
        lead = "\r" if self._live else ""
        print(f"{lead}{text:<{self._width}}", end=end, file=sys.stderr, flush=True)
        self._width = len(text) if end == "" else 0
        self._wrote = time.monotonic()


class Phases:
    """Follows stages that come one after the other and tell of themselves as they go; some may not come at all.

    Called with a stage (its first word, or what that belongs to, is one of the costs), how much of it is done, and of
    how much. Short work says nothing where nobody watches.
    """

    def __init__(self, costs: Mapping[str, float], *, least_seconds: float = 2) -> None:
        self._progress = Progress(costs, least_seconds=least_seconds)
        self._waiting = list(costs)
        self._now: str | None = None

    def __enter__(self) -> "Phases":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._go_to(None)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Say where the work is."""
        name = stage.split()[0]
        name = name if name == self._now or name in self._waiting else "decide"
        if name != self._now:
            self._go_to(name)
        self._progress.part(name, done, total)

    def _go_to(self, name: str | None) -> None:
        if self._now is not None:
            self._progress.finish(self._now)
        while self._waiting and (skipped := self._waiting.pop(0)) != name:
            self._progress.start(skipped)
            self._progress.finish(skipped, kept=True)
        self._now = name
        if name is not None:
            self._progress.start(name)


def quieten() -> None:
    """Keep libraries' own bars and notes off stderr; errors still show."""
    import transformers

    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
