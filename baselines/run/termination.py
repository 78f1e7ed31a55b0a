"""SIGTERM in the middle of a run: noted, so that the run saves a checkpoint at the next step and ends resumable.

Schedulers send it before they take a machine away, and kill what goes on for longer than their patience.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130  # the exit code of what was interrupted and goes on when it is run again, as shells report SIGINT


@contextmanager
def noted() -> Iterator[Callable[[], bool]]:
    """Within, SIGTERM interrupts nothing; give what says whether it came. What went on to its end gets it afterwards.

    An interrupt (SIGINT) acts at once as ever. Outside the main thread signals go where they went before.
    """
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came.is_set
        return

    def note(number: int, frame: FrameType | None) -> None:
        came.set()

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield came.is_set
    finally:
        signal.signal(signal.SIGTERM, before)
    if came.is_set():
        signal.raise_signal(signal.SIGTERM)
