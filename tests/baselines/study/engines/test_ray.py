"""Ray with two nodes on this machine: order, a lost node, a failure, an interrupt; nothing is left running."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.baselines.study.engines import toys
from tests.baselines.study.engines.toys import is_alive, state, until

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'mllmu-med[ray]'")


class Cluster:
    """A head without cores, and two nodes that come and go, each of which runs one stage at a time."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster as Nodes

        # Workers as urgent as everything else here: on a busy machine they would not get on.
        os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_worker_niceness="0")
        small = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
        self._nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 0, **small})
        self.address = self._nodes.address
        self.workers = [self.add(), self.add()]

    def add(self):
        return self._nodes.add_node(num_cpus=1, object_store_memory=80 * 2**20)

    def kill(self, node) -> None:
        """Take a node away without a word to anybody."""
        self._nodes.remove_node(node, allow_graceful=False)

    def stop(self) -> None:
        self._nodes.shutdown()


@pytest.fixture(scope="module")
def cluster():
    started = Cluster()
    yield started
    started.stop()


def begin(folder: Path, how: dict[str, str], cluster: Cluster, *options: str) -> "subprocess.Popen[str]":
    return toys.begin(folder, how, "--engine", "ray", "--ray-address", cluster.address, *options)


def test_every_stage_runs_once_after_what_it_needs(cluster, tmp_path):
    process = begin(tmp_path, {}, cluster)
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 0, printed
    ran = toys.starts(tmp_path)
    assert ran[0] == "a" and ran[-1] == "d" and sorted(ran) == ["a", "b", "c", "d"]
    assert {state(tmp_path, id) for id in "abcd"} == {"done"}
    # Again: what is done is not started again.
    process = begin(tmp_path, {}, cluster)
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 0 and "toy d: already done" in printed, printed
    assert len(toys.starts(tmp_path)) == 4


def test_a_stage_whose_node_is_killed_goes_on_on_the_other(cluster, tmp_path):
    process = begin(tmp_path, {"b": "hold", "c": "hold"}, cluster)
    until(lambda: {"b", "c"} <= set(toys.starts(tmp_path)))
    before = toys.pids(tmp_path)
    cluster.kill(cluster.workers.pop())
    try:
        until(lambda: not all(map(is_alive, before[1:])))
        (tmp_path / "go").touch()
        printed, _ = process.communicate(timeout=200)
    finally:
        cluster.workers.append(cluster.add())
    assert process.returncode == 0, printed
    assert sorted(toys.starts(tmp_path)) in (["a", "b", "b", "c", "d"], ["a", "b", "c", "c", "d"])
    assert "lost (" in printed and "started again, 1 of 3" in printed


def test_a_failure_ends_the_others_and_says_which_stage_where_and_why(cluster, tmp_path):
    process = begin(tmp_path, {"b": "hold", "c": "fail"}, cluster)
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 2, printed
    assert "Stage c failed on " in printed and "the disk is full. Its log is " in printed
    assert not any(map(is_alive, toys.pids(tmp_path))) and state(tmp_path, "c") == "failed"
    assert "d" not in toys.starts(tmp_path)


def test_an_interrupt_has_stages_save_and_leaves_nothing_running(cluster, tmp_path):
    process = begin(tmp_path, {"b": "hold", "c": "hold"}, cluster)
    until(lambda: {"b", "c"} <= set(toys.starts(tmp_path)))
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 130, printed
    assert not any(map(is_alive, toys.pids(tmp_path)))
    assert (tmp_path / "b.saved").exists() and (tmp_path / "c.saved").exists()
    assert state(tmp_path, "b") == "stopped"


def test_a_killed_driver_takes_its_stages_with_it_and_another_goes_on(cluster, tmp_path):
    process = begin(tmp_path, {"b": "hold"}, cluster)
    until(lambda: "b" in toys.starts(tmp_path))
    process.kill()
    process.communicate()
    until(lambda: not any(map(is_alive, toys.pids(tmp_path))))
    (tmp_path / "go").touch()
    process = begin(tmp_path, {}, cluster)
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 0, printed
    assert toys.starts(tmp_path).count("a") == 1 and state(tmp_path, "d") == "done"


def test_a_study_has_the_report_that_it_has_here(cluster, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    process = toys.begin_study(there, "--engine", "ray", "--ray-address", cluster.address)
    found = toys.report(process, there)
    assert found == toys.report(toys.begin_study(here, "--workers", "1"), here)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--ray-address", "127.0.0.1:1"), "no Ray cluster at --ray-address 127.0.0.1:1"),
        (("--cpus-per-stage", "7"), "No node of the Ray cluster has 7 cores"),
        (("--gpus-per-stage", "1"), ""),  # no stage of these runs a model, so none needs one
    ],
)
def test_what_the_cluster_lacks_is_refused_before_anything_runs(cluster, tmp_path, options, says):
    process = begin(tmp_path, {}, cluster, *options)
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == (2 if says else 0) and says in printed, printed
    assert bool(toys.starts(tmp_path)) == (not says)
    if says:
        assert not (tmp_path / "out").exists()
