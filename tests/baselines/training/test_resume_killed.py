"""A run killed at any moment and started again ends as one that was never killed, bit for bit."""

import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("kills", [12])
def test_killed_runs_end_as_unkilled_ones(kills):
    command = [sys.executable, "-m", "tests.baselines.killed_runs", str(kills)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith(f"{kills} kills, every run the same in the end")
