"""SLURM on this machine's loopback: order, requeue, time limits, failure, interrupts; nothing is left in the queue."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from baselines.study.engines.records import Records
from tests.baselines.study.engines import toys
from tests.baselines.study.engines.toys import is_alive, state, until

PROGRAMS = ("slurmctld", "slurmd", "munged")
SCRIPT = Path(__file__).with_name("slurm_cluster.sh")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(shutil.which(name, path="/usr/sbin") for name in PROGRAMS) or os.getuid() != 0,
        reason="SLURM is not installed (apt-get install slurm-wlm munge), or this is not root, who may start it",
    ),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slurm")
    with pytest.MonkeyPatch.context() as patch:
        try:
            subprocess.run(["bash", SCRIPT, "start", folder], check=True)
            patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
            yield folder
        finally:
            subprocess.run(["bash", SCRIPT, "stop", folder], check=False)


_begun: "list[subprocess.Popen[str]]" = []


@pytest.fixture(autouse=True)
def nothing_left(cluster):
    """A test that fails leaves no driver, and no job that would keep the cores from the next."""
    yield
    while _begun:
        _begun.pop().kill()
    subprocess.run(["scancel", "--me"], check=False)
    until(lambda: not queue())


def begin(folder: Path, how: dict[str, str], *options: str) -> "subprocess.Popen[str]":
    _begun.append(toys.begin(folder, how, "--engine", "slurm", *options))
    return _begun[-1]


def queue() -> list[str]:
    done = subprocess.run(
        ["squeue", "--noheader", "--array", "-o", "%i %T"], capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if "COMPLETING" not in line]


def job(folder: Path, id: str) -> str:
    return str(Records(folder / "out").document("_jobs")[id])


def test_every_stage_runs_once_after_what_it_needs_and_equal_ones_are_an_array(cluster, tmp_path):
    process = begin(tmp_path, {})
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 0, printed
    ran = toys.starts(tmp_path)
    assert ran[0] == "a" and ran[-1] == "d" and sorted(ran) == ["a", "b", "c", "d"]
    assert job(tmp_path, "b").split("_")[0] == job(tmp_path, "c").split("_")[0] != job(tmp_path, "d").split("_")[0]
    assert {state(tmp_path, id) for id in "abcd"} == {"done"} and not queue()
    # Again: what is done is not queued again.
    process = begin(tmp_path, {})
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 0 and "toy d: already done" in printed, printed
    assert len(toys.starts(tmp_path)) == 4


def test_a_requeued_job_saves_goes_on_and_lets_go_what_waits_for_it(cluster, tmp_path):
    process = begin(tmp_path, {"b": "hold"})
    until(lambda: "b" in toys.starts(tmp_path))
    subprocess.run(["scontrol", "requeue", job(tmp_path, "b")], check=True)
    until(lambda: toys.starts(tmp_path).count("b") == 2)
    assert (tmp_path / "b.saved").exists() and "d" not in toys.starts(tmp_path)
    assert Records(tmp_path / "out").read("b").attempt == 2
    (tmp_path / "go").touch()
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 0, printed
    assert Records(tmp_path / "out").read("b").attempt == 2


def test_a_stage_that_is_killed_is_queued_again_until_its_retries_are_used_up(cluster, tmp_path):
    process = begin(tmp_path, {"b": "hold"}, "--retries", "1")
    for start in (1, 2):
        until(lambda start=start: toys.starts(tmp_path).count("b") == start)
        os.kill(toys.pids(tmp_path)[toys.last(tmp_path, "b")], signal.SIGKILL)
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 2, printed
    assert "Stage b failed on " in printed and "started 2 times, and in the end killed by SIGKILL" in printed
    assert not queue()


def test_a_stage_whose_time_is_up_saves_and_goes_on_in_the_same_job(cluster, tmp_path):
    process = begin(tmp_path, {"b": "hold"}, "--slurm-time", "1")
    until(lambda: toys.starts(tmp_path).count("b") == 2, 180)
    assert (tmp_path / "b.saved").exists()
    (tmp_path / "go").touch()
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 0, printed


def test_a_failure_ends_the_others_and_says_which_stage_where_and_why(cluster, tmp_path):
    process = begin(tmp_path, {"b": "hold", "c": "fail"})
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 2, printed
    assert "Stage c failed on " in printed and "the disk is full. Its log is " in printed
    assert not queue() and not any(map(is_alive, toys.pids(tmp_path)))
    assert "d" not in toys.starts(tmp_path) and state(tmp_path, "c") == "failed"


def test_an_interrupt_has_stages_save_and_leaves_nothing_queued(cluster, tmp_path):
    process = begin(tmp_path, {"b": "hold", "c": "hold"})
    until(lambda: {"b", "c"} <= set(toys.starts(tmp_path)))
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 130, printed
    assert not queue() and not any(map(is_alive, toys.pids(tmp_path)))
    assert (tmp_path / "b.saved").exists() and (tmp_path / "c.saved").exists()


def test_jobs_outlive_their_driver_and_another_takes_them_over(cluster, tmp_path):
    process = begin(tmp_path, {"b": "hold"})
    until(lambda: {"b", "c"} <= set(toys.starts(tmp_path)) and state(tmp_path, "c") == "done")
    process.kill()
    process.communicate()
    process = begin(tmp_path, {"b": "hold"})
    assert "taken over" in process.stdout.readline()
    (tmp_path / "go").touch()
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 0, printed
    assert sorted(toys.starts(tmp_path)) == ["a", "b", "c", "d"]  # nothing twice


def test_a_job_that_somebody_cancels_is_told_as_that(cluster, tmp_path):
    process = begin(tmp_path, {"a": "hold"})
    until(lambda: "a" in toys.starts(tmp_path))
    subprocess.run(["scancel", job(tmp_path, "d")], check=True)
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 2 and "Stage d failed" in printed and "cancelled, by scancel" in printed, printed
    assert not queue() and not any(map(is_alive, toys.pids(tmp_path)))


def test_a_study_has_the_report_that_it_has_here_though_a_stage_was_requeued(cluster, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    _begun.append(toys.begin_study(there, "--engine", "slurm"))
    records, requeued = Records(there), "incorrectness-target"
    until(lambda: (record := records.read(requeued)) and record.state == "running", 600)
    subprocess.run(["scontrol", "requeue", str(records.document("_jobs")[requeued])], check=True)
    found = toys.report(_begun[-1], there)
    assert records.read(requeued).attempt == 2
    assert found == toys.report(toys.begin_study(here, "--workers", "1"), here)


@pytest.mark.parametrize("options", [("--slurm-partition", "none"), ("--slurm-option", "nodelist=none")])
def test_what_slurm_does_not_take_is_refused_with_its_own_words(cluster, tmp_path, options):
    process = begin(tmp_path, {}, *options)
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 2 and "SLURM does not take the job of a: " in printed, printed
    assert "nvalid" in printed and not toys.starts(tmp_path) and not (tmp_path / "out").exists()
