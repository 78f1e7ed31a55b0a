"""How long a stage of a study takes on one of two cores with the nano model: what the order and the time left rest on.

What the packaged bench measured stands in its record; what that lacks, and other methods, take what their kind took.
A study on another machine, or of another size, differs by factors: those are learned while it runs (`run/progress.py`).
"""

import json
import re
from functools import cache
from importlib.resources import files
from statistics import mean

from mllmu_med_metrics.vocabulary import PRIVATE

# Seconds of a kind in the packaged bench, where identities are forgotten and where facts are.
OF_KIND = {
    "build": (2.3, 2.3), "published": (2.0, 2.0), "learn": (66.0, 66.0), "unlearn": (19.0, 11.0),
    "evaluate": (7.0, 2.9), "control": (1.4, 0.7), "attack": (28.0, 7.5), "report": (6.0, 6.0),
}  # fmt: skip
# Seconds of any stage of a smoke run.
FAST = 2.0


def expected(kind: str, scenario: str = "", name: str = "", *, fast: bool = False) -> float:
    """Return the seconds that a stage of a kind takes; `name` is the run's, as `gd` or `gd-s1`."""
    if fast:
        return FAST
    private, other = OF_KIND[kind]
    usual = private if scenario in (*PRIVATE, "") else other
    return _recorded().get((kind, scenario, re.sub(r"-s\d+$", "", name)), usual)


@cache
def _recorded() -> dict[tuple[str, str, str], float]:
    """Return the mean seconds of each method's runs in the packaged bench."""
    text = (files("baselines") / "results" / "bench-nano.json").read_text(encoding="utf-8")
    seconds: dict[tuple[str, str, str], list[float]] = {}
    for run in json.loads(text)["runs"].values():
        if run["kind"] == "unlearn":
            seconds.setdefault((run["kind"], run["scenario"], run["name"]), []).append(run["seconds"])
    return {key: mean(values) for key, values in seconds.items()}
