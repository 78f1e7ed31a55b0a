"""The script that builds many patients several ways, and kills a build ten times, finds nothing; here with a few."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..many_patients import MOMENTS

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_builds_are_the_same_however_they_are_made_and_whenever_they_are_killed(tmp_path):
    options = ["--patients", "120", "--percents", "10", "--delay", "0"]
    command = [sys.executable, "-m", "tests.mllmu_med_dataset.many_patients", str(tmp_path), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    *steps, verdict = done.stdout.splitlines()
    assert verdict == "all the same" and len(steps) == 3 + len(MOMENTS) + 1
    one, *_ = map(json.loads, steps)
    assert one["rows_with_identifiers"] > 0 and one["values_by_kind"]["name"] == one["patients_with_identifiers"]
