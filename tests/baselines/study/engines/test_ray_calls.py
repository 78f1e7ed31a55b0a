"""What Ray is given, and what is made of its answers: with a stand-in that runs nothing."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from baselines.study.engines import ray as on_ray
from baselines.study.engines.engine import run
from baselines.study.engines.options import EngineOptions
from baselines.study.engines.records import DONE, Record, Records, StageLost
from baselines.study.graph import Graph
from mllmu_med_dataset.errors import UserError
from tests.baselines.study.engines import toys
from tests.baselines.study.engines.test_local import Follower


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: Exception) -> None:
        super().__init__("a traceback\nof many lines")
        self.cause = cause


class TaskCancelledError(RayError):
    pass


class Cluster(ModuleType):
    """A stand-in for Ray: `answers` are what tasks of a stage end with, one after the other; None is well."""

    def __init__(self) -> None:
        super().__init__("ray")
        self.answers: dict[str, list[Exception | None]] = {}
        self.sees: Callable[..., str] = on_ray.sees
        self.silent = False
        self.machines = [{"NodeID": "n", "NodeManagerAddress": "10.0.0.2", "Alive": True, "Resources": {"CPU": 2.0}}]
        self.started: list[tuple[str, int, dict[str, object]]] = []
        self.cancelled: list[tuple[str, bool]] = []
        self.exceptions = SimpleNamespace(
            RayError=RayError, RayTaskError=RayTaskError, TaskCancelledError=TaskCancelledError
        )
        strategies = SimpleNamespace(NodeAffinitySchedulingStrategy=lambda node, soft: node)
        self.util = SimpleNamespace(scheduling_strategies=strategies)
        self.is_up = False

    def init(self, **options: object) -> None:
        if self.is_up is None:
            raise ConnectionError("Could not find any running Ray instance.")
        self.is_up = True

    def nodes(self) -> list[dict[str, object]]:
        return self.machines

    def remote(self, function: Callable[..., object]) -> SimpleNamespace:
        def begin(options: dict[str, object], *arguments: object) -> tuple[object, ...]:
            if function is on_ray.work:
                self.started.append((arguments[2], arguments[3], options))
                return (arguments[2], arguments[3])
            return ("sees", *arguments)

        return SimpleNamespace(options=lambda **options: SimpleNamespace(remote=lambda *words: begin(options, *words)))

    def wait(self, tasks: list, num_returns: int, timeout: float) -> tuple[list, list]:
        return ([], tasks) if self.silent else (tasks[:num_returns], tasks[num_returns:])

    def get(self, task: tuple[object, ...]) -> object:
        if task[0] == "sees":
            return self.sees(*task[1:])
        answers = self.answers.get(task[0], [])
        if answers and (error := answers.pop(0)) is not None:
            raise error
        return None

    def cancel(self, task: tuple[object, ...], force: bool) -> None:
        self.cancelled.append((task[0], force))

    def shutdown(self) -> None:
        self.is_up = False


@pytest.fixture
def cluster(monkeypatch):
    fake = Cluster()
    for name in ("ray", "ray.util", "ray.util.scheduling_strategies"):
        monkeypatch.setitem(sys.modules, name, fake)
    return fake


@pytest.fixture
def opened(tmp_path, cluster):
    """Return a function that opens the engine on the diamond with options."""

    def engine(graph: Graph | None = None, **options: object) -> on_ray.Ray:
        graph = graph or toys.diamond(tmp_path)
        records = Records(tmp_path / "out")
        with records.driving(graph, "ray"):
            return on_ray.Ray(EngineOptions(engine="ray", **options), graph, records, Follower())

    return engine


def test_every_stage_is_a_task_with_what_it_may_take(opened, cluster, tmp_path):
    cluster.machines[0]["Resources"] = {"CPU": 8.0, "GPU": 2.0}
    run(toys.diamond(tmp_path), opened(cpus_per_stage=4, gpus_per_stage=2))
    assert [id for id, _, _ in cluster.started] == ["a", "b", "c", "d"]
    assert all(options["num_cpus"] == 4 and options["num_gpus"] == 0 for _, _, options in cluster.started)
    assert not cluster.cancelled and not cluster.is_up


def test_what_is_lost_starts_again_and_what_is_done_does_not(opened, cluster, tmp_path, capsys):
    engine = opened()
    Records(tmp_path / "out").write("a", Record(DONE, "node7", 1, 1, 0.0, 1.0))
    (tmp_path / "a.work").touch()
    cluster.answers["b"] = [
        RayError("The node died. This can happen.\nmore"),
        RayTaskError(StageLost("killed by SIGKILL")),
        None,
    ]
    cluster.answers["c"] = [RayTaskError(KeyboardInterrupt())]
    run(toys.diamond(tmp_path), engine)
    assert sorted((id, attempt) for id, attempt, _ in cluster.started) == [
        ("b", 1), ("b", 2), ("b", 3), ("c", 1), ("c", 2), ("d", 1),
    ]  # fmt: skip
    assert sorted(capsys.readouterr().err.splitlines()) == [
        "b: lost (The node died); started again, 1 of 3",
        "b: lost (killed by SIGKILL); started again, 2 of 3",
        "c: lost (interrupted there); started again, 1 of 3",
    ]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RayError("The node died"), r"Stage b was lost 2 times, the last time so: The node died\. Its log"),
        (RayTaskError(UserError("no room.")), r"Stage b failed: no room\. What is done stays"),
        (RayTaskError(ModuleNotFoundError("No module named 'baselines'")), "can't import what runs a stage"),
    ],
)
def test_what_can_not_be_mended_is_told_in_a_paragraph_and_ends_the_others(opened, cluster, tmp_path, error, says):
    cluster.answers["b"] = [error] * 9
    with pytest.raises(UserError, match=says):
        run(toys.diamond(tmp_path), opened(retries=1))
    assert "d" not in [id for id, _, _ in cluster.started] and not cluster.is_up


def test_tasks_that_do_not_end_when_interrupted_are_killed(opened, cluster, tmp_path):
    engine = opened()
    engine.submit([toys.toy(tmp_path, "a")])
    cluster.silent = True
    engine.cancel()
    assert cluster.cancelled == [("a", False), ("a", True)]


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        ({"is_up": None}, {}, "There is no Ray cluster that this machine knows"),
        ({"silent": True}, {}, r"do not answer: 10\.0\.0\.2"),
        ({"sees": lambda *_: "The output folder is not shared"}, {}, "^The output folder is not shared"),
        ({"sees": lambda *_: 1 / 0}, {}, r"node 10\.0\.0\.2 of the Ray cluster can't run a stage: division"),
        ({}, {"cpus_per_stage": 3}, "No node of the Ray cluster has 3 cores and 0 GPUs .* have 2 cores and 0 GPUs"),
    ],
)
def test_a_cluster_that_can_not_do_it_is_refused(opened, cluster, change, options, says):
    for name, value in change.items():
        setattr(cluster, name, value)
    with pytest.raises(UserError, match=says):
        opened(**options)
    assert not cluster.started


def test_a_node_that_is_lost_while_it_is_asked_is_left_out(opened, cluster):
    """Who asks for the nodes once more no longer finds it among the living."""

    def lost(*_: object) -> str:
        cluster.machines = [machine | {"Alive": False} for machine in cluster.machines]
        raise RayError("The node has been marked dead")

    cluster.sees = lost
    assert opened() and cluster.is_up


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "127.0.0.1:x"])
def test_an_address_at_which_nobody_listens_is_refused(opened, address):
    with pytest.raises(UserError, match=f"There is no Ray cluster at --ray-address {address}"):
        opened(ray_address=address)


def test_without_ray_the_extra_is_named(opened, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"not installed .*pip install 'mllmu-med\[ray\]'"):
        opened()


def test_a_node_that_sees_the_folder_may_work_in_it(tmp_path):
    records = Records(tmp_path / "out")
    with records.driving(toys.diamond(tmp_path), "ray"):
        assert on_ray.sees(tmp_path / "out", records.token) == ""
        assert "not shared" in on_ray.sees(Path("/nowhere"), records.token)
