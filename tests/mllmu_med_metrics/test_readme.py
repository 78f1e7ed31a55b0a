"""The package's page names every public name and every likelihood metric, and modules that there are."""

import inspect
import re
from pathlib import Path

import mllmu_med_metrics
from mllmu_med_metrics.likelihood import distribution, membership, memorisation

ROOT = Path(mllmu_med_metrics.__file__).parents[1]
TEXT = (ROOT / "mllmu_med_metrics" / "README.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([A-Za-z_.]+)`", TEXT))


def test_every_public_name_is_told():
    assert set(mllmu_med_metrics.__all__) <= NAMED


def test_every_likelihood_metric_is_told():
    # The mean log-probability is what the others are made of; the rows' scores are the four above by name.
    parts = {"mean_log_prob", "row_scores"}
    for module in (memorisation, membership, distribution):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if not name.startswith("_") and function.__module__ == module.__name__ and name not in parts:
                short = module.__name__.rsplit(".", 1)[1]
                assert {name, f"{short}.{name}"} & NAMED, name


def test_the_commands_are_files_that_there_are():
    for name in re.findall(r"python -m (tests\.[a-z_.]+)", TEXT):
        assert (ROOT / (name.replace(".", "/") + ".py")).is_file()
    for path in re.findall(r"tests/[a-z_/]+\.py", TEXT):
        assert (ROOT / path).is_file()
