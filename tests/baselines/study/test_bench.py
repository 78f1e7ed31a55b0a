"""The bench as a whole: one at a time in a folder, nothing left running, and committed results that are its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from baselines import config
from baselines.model import models
from baselines.study import bench, study
from mllmu_med_dataset.errors import UserError

RESULTS = Path(bench.__file__).parents[1] / "results" / "bench-nano.json"


def test_a_second_bench_is_kept_out_of_a_folder_at_work(tmp_path):
    out = tmp_path / "study"
    with bench.locked(out), pytest.raises(UserError, match="Another process is at work"):
        bench.bench(study.fast(study.Study(out=out)))
    assert not out.exists()  # neither bench left anything


def test_a_file_is_no_output_folder(tmp_path):
    (tmp_path / "study").touch()
    with pytest.raises(UserError, match="in use by something else"):
        bench.bench(study.fast(study.Study(out=tmp_path / "study")))


def test_the_committed_bench_ran_the_shipped_recipes_on_the_shipped_model():
    report = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert report["config"]["preset"] == "nano"
    settings = {**study.OLDER, **report["config"]}
    unlearned = [*(name for name in settings["controls"] if name == study.UNLEARNED_CONTROL), *study.METHODS]
    ran = Counter((run["scenario"], run["name"]) for run in report["runs"].values() if run["kind"] == "unlearn")
    expected = [(scenario, name) for scenario in settings["scenarios"] for name in unlearned]
    assert ran == Counter(expected * settings["unlearning_seeds"])
    for run in report["runs"].values():
        kind, scenario, name = run["kind"], run["scenario"], run["name"]
        if kind == "learn":
            shipped = config.learn_recipe("nano", scenario=scenario)
            assert models.is_digest_of(run["config"]["model"], "nano")
        else:
            shipped = config.unlearn_recipe(name, scenario, "nano")
        assert run["config"]["recipe"] == json.loads(json.dumps(shipped.canonical())), run["run_id"]


@pytest.mark.slow
def test_workers_end_with_a_killed_bench(tmp_path):
    command = [sys.executable, "-m", "baselines.cli", "bench", "--fast", "--out", str(tmp_path / "study")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    parent = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    workers = _wait(lambda: len(found) == 2 and found if (found := _spawned(parent.pid)) else [], 120)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert workers and _wait(lambda: not any(map(_alive, workers)), 30)
    assert subprocess.run(command, env=environment, capture_output=True).returncode == 0  # and it can be resumed


def _wait(found, seconds):
    until = time.monotonic() + seconds
    while not (result := found()) and time.monotonic() < until:
        time.sleep(0.2)
    return result


def _spawned(parent: int) -> list[int]:
    """Return the scenario workers of a bench: its children but for multiprocessing's own resource tracker."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(one) for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


def _alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
