"""A run followed live: its metrics lines sent to trackio or wandb as well. What they are sent decides nothing."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

from mllmu_med_dataset.errors import UserError, unknown

TRACKERS = ("trackio", "wandb")
PROJECT = "mllmu-med"


def check(name: str | None) -> None:
    """Refuse a tracker that is unknown or not installed; None is no tracker."""
    if name is None:
        return
    if name not in TRACKERS:
        raise unknown("tracker", name, TRACKERS)
    if find_spec(name) is None:
        raise UserError(f"--report-to {name} needs the package {name}, which is not here: pip install {name}.")


class Tracker:
    """One run at a tracker, named by its run id: a resumed run goes on in the same one.

    Steps since the last checkpoint of a run that was killed are sent again.
    """

    def __init__(self, name: str, run_id: str, config: Mapping[str, object]) -> None:
        """Begin or resume the run; where the tracker can't, a :class:`UserError`."""
        self._lost = False
        identity = {"id": run_id} if name == "wandb" else {}  # trackio knows a run by its name
        try:
            self._run = import_module(name).init(
                project=PROJECT, name=run_id, config=dict(config), resume="allow", **identity
            )
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            raise UserError(
                f"{name} can't follow this run: {reason}. Start the same command again once it can, or "
                "without --report-to: the result is the same."
            ) from error

    def log(self, line: Mapping[str, object]) -> None:
        """Send one line of metrics under its step."""
        self._try(
            lambda: self._run.log({key: value for key, value in line.items() if key != "step"}, step=line["step"])
        )

    def finish(self) -> None:
        """Send what is left."""
        self._try(self._run.finish)

    def _try(self, send: Callable[[], object]) -> None:
        """Send, and where that fails say so once and send no more: the run goes on."""
        if self._lost:
            return
        try:
            send()
        except Exception as error:
            self._lost = True
            warnings.warn(f"the run goes on without its tracker: {error}", stacklevel=2)


@contextmanager
def following(name: str, run_id: str, config: Mapping[str, object]) -> Iterator[Tracker]:
    """Follow a run while it is at work."""
    tracker = Tracker(name, run_id, config)
    try:
        yield tracker
    finally:
        tracker.finish()
