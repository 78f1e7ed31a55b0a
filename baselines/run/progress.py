"""Progress on stderr: one line a finished stage, and how long the rest will take."""

import shutil
import sys
import time
import warnings
from collections.abc import Mapping

# As how many seconds of finished stages the expected costs weigh, and all kinds beside one: no short stage then turns
# the estimate over.
WEIGHT = 20.0
# What the stages of building a data set take of each other's time, verified at the end.
BUILD_COSTS = {"collect": 30, "decide": 15, "inject": 15, "write": 50, "card": 5, "verify": 90}


# Of a log that nobody draws on: the longest it says nothing of work that goes on.
QUIET_SECONDS = 60


class Progress:
    """Follows stages of known cost, several at a time if they run in lanes side by side.

    costs: stage name -> expected seconds. kinds: stage name -> what it is one of; without it only the proportions of
    the costs matter. The time left is the expected one times what finished stages took of theirs, those of the same
    kind first of all. least_seconds: what a stage must take to get a line. Where nobody watches, every finished stage
    has a line; a terminal has one line that is drawn anew.
    """

    def __init__(
        self,
        costs: Mapping[str, float],
        *,
        kinds: Mapping[str, str] | None = None,
        lanes: int = 0,
        least_seconds: float = 0,
    ) -> None:
        self._least_seconds = least_seconds
        self._left, self._total, self._lanes = dict(costs), len(costs), lanes
        self._kinds, self._weight = dict(kinds or {}), WEIGHT if kinds else 0.0
        self._took: dict[str | None, tuple[float, float]] = {}  # kind (None: all) -> seconds, expected ones
        self._began: dict[str, float] = {}
        self._parts: dict[str, tuple[int, int]] = {}
        self._started = time.perf_counter()
        self._live, self._width, self._wrote = sys.stderr.isatty(), 0, time.monotonic()

    def start(self, name: str) -> None:
        """Begin a stage."""
        self._began[name] = time.perf_counter()
        self._lanes = max(self._lanes, len(self._began))
        self.part(name, 0, 1)

    def part(self, name: str, done: int, total: int) -> None:
        """Say how far inside a stage the work is: drawn on a terminal, elsewhere a line now and then."""
        self._parts[name] = (done, total)
        if total and (self._live or time.monotonic() - self._wrote > QUIET_SECONDS):
            line = " | ".join([f"{self._count()} {self._eta()}", *map(self._stage, self._began)])
            self._write(line, end="" if self._live else "\n")

    def finish(self, name: str, *, kept: bool = False) -> None:
        """Close a stage; one that was already done says nothing about speed."""
        seconds, cost = time.perf_counter() - self._began.pop(name), self._left.pop(name)
        self._parts.pop(name, None)
        if not kept:
            for kind in (None, self._kinds.get(name, "")):
                spent, expected = self._took.get(kind, (0.0, 0.0))
                self._took[kind] = (spent + seconds, expected + cost)
        took = "already done" if kept else f"{seconds:.1f} s"
        if not self._live:
            if seconds >= self._least_seconds:
                self._write(f"{self._count()} {name}: {took}, {self._eta()}", end="\n")
        elif self._left:
            self._write(f"{self._count()} {self._eta()} | {name}: {took}", end="")
        else:
            whole = _duration(time.perf_counter() - self._started)
            self._write(f"{self._count()} {name if self._total == 1 else 'all done'}: {whole}", end="\n")

    def close(self) -> None:
        """Leave the line that is drawn anew, so that what is printed next has one of its own."""
        if self._width:
            print(file=sys.stderr, flush=True)
            self._width = 0

    def seconds_left(self) -> float:
        """Return the expected seconds until all stages are done."""
        now = time.perf_counter()
        rests = []
        for name, cost in self._left.items():
            expected = cost * self._factor(self._kinds.get(name, ""))
            ran = now - self._began[name] if name in self._began else 0.0
            rests.append(max(expected - ran, expected / 10))
        return max(sum(rests) / max(1, self._lanes), max(rests, default=0.0))

    def _factor(self, kind: str) -> float:
        """Return by what to multiply the cost of a kind: what its finished stages took of theirs, and what all did."""
        factor = 1.0
        for which in (None, kind):
            spent, expected = self._took.get(which, (0.0, 0.0))
            if expected:
                factor = (spent + self._weight * factor) / (expected + self._weight)
        return factor

    def _count(self) -> str:
        return f"[{self._total - len(self._left):>2}/{self._total}]"

    def _stage(self, name: str) -> str:
        """Return a stage at work: how far it is, and how much it does a second."""
        done, total = self._parts.get(name, (0, 0))
        ran = time.perf_counter() - self._began[name]
        if not done or not total or ran <= 0:
            return name
        return f"{name} {100 * done / total:.0f} %" + (f" ({done / ran:.3g}/s)" if total > 1 else "")

    def _eta(self) -> str:
        return f"ETA {_duration(self.seconds_left())}" if self._left else "all done"

    def _write(self, text: str, end: str) -> None:
        if self._live:  # a line that is longer than the terminal can't be drawn anew
            text = text[: max(20, shutil.get_terminal_size().columns - 1)]
        lead = "\r" if self._live else ""
        print(f"{lead}{text:<{self._width}}", end=end, file=sys.stderr, flush=True)
        self._width = len(text) if end == "" else 0
        self._wrote = time.monotonic()


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


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
