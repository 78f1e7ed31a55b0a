"""Stages as Ray tasks with declared resources, on every node of a cluster that Ray already runs."""

import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from mllmu_med_dataset.errors import UserError

from ..graph import Graph, Stage
from .engine import Follower
from .follow import Elsewhere, is_done, undisturbed
from .options import EngineOptions
from .records import Records, StageLost
from .work import PATIENCE, work

# Seconds between two looks at the stages, to connect, and for every node to read the shared folder.
LOOK, TO_CONNECT, TO_READ = 1.0, 10.0, 120.0


class Ray:
    """Every stage a task; a stage whose worker or node is lost starts again on another, and resumes."""

    keeps_order = False

    def __init__(self, options: EngineOptions, graph: Graph, records: Records, follower: Follower) -> None:
        """Connect; refuse a cluster that is not there, lacks what a stage needs, or does not share the folder."""
        self._ray = _connected(options.ray_address)
        self._options, self._graph, self._records = options, graph, records
        self._seen = Elsewhere(graph, records, follower)
        self._tasks: dict[object, tuple[str, int]] = {}
        self._kept: list[str] = []
        self._skipped: set[str] = set()
        gpus = max((self._gpus(stage) for stage in graph.values()), default=0)
        _check_resources(self._ray.nodes(), options.cpus_per_stage, gpus)
        self._check_shared()

    @property
    def free(self) -> int:
        """As many as there are: Ray keeps what finds no room."""
        return len(self._graph)

    def submit(self, stages: Sequence[Stage]) -> None:
        """Make tasks of stages, but for those that are known to be done."""
        for stage in stages:
            if self._skipped.issuperset(stage.needs) and is_done(stage, self._records):
                self._skipped.add(stage.id)
                self._kept.append(stage.id)
            else:
                self._start(stage.id, 1)

    def wait(self) -> str:
        """Follow the tasks until one has ended well; start again what was lost."""
        while True:
            if self._kept:
                return self._seen.ended(self._kept.pop(), kept=True)
            ended, _ = self._ray.wait(list(self._tasks), num_returns=1, timeout=LOOK)
            self._seen.look(id for id, _ in self._tasks.values())
            for task in ended:
                id, attempt = self._tasks.pop(task)
                if self._ended_well(task, id, attempt):
                    return self._seen.ended(id)

    def cancel(self) -> None:
        """Interrupt every task, wait while they save, kill what is left, and leave the cluster."""
        with undisturbed():
            tasks = list(self._tasks)
            for force, patience in ((False, PATIENCE + 5), (True, 5.0)):
                for task in tasks:
                    with suppress(Exception):  # one that ended in the meantime can't be cancelled
                        self._ray.cancel(task, force=force)
                if tasks:
                    _, tasks = self._ray.wait(tasks, num_returns=len(tasks), timeout=patience)
            self._ray.shutdown()

    def _start(self, id: str, attempt: int) -> None:
        self._records.forget(id)
        place = (str(self._records.folder.parent.resolve()), self._records.token)
        task = self._ray.remote(work).options(
            name=id, num_cpus=self._options.cpus_per_stage, num_gpus=self._gpus(self._graph[id]), max_retries=0
        )
        self._tasks[task.remote(Path(place[0]), place[1], id, attempt, self._options.cpus_per_stage)] = (id, attempt)

    def _ended_well(self, task: object, id: str, attempt: int) -> bool:
        """Say whether a task that ended did its work; raise what it failed of, or start it again."""
        errors = self._ray.exceptions
        try:
            self._ray.get(task)
            return True
        except errors.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, ImportError):
                raise UserError(
                    f"A node of the Ray cluster can't import what runs a stage ({cause}). Install mllmu-med on every "
                    "node, for the Python that `ray start` ran with, and start Ray there again."
                ) from error
            if not isinstance(cause, StageLost | KeyboardInterrupt):
                raise self._seen.failed(id, str(cause)) from None
            why = str(cause) or "interrupted there"
        except (errors.RayError, errors.TaskCancelledError) as error:  # the worker, or its node
            why = str(error).strip().splitlines()[0].partition(". ")[0]
        if attempt > self._options.retries:
            raise UserError(
                f"Stage {id} was lost {attempt} times, the last time so: {why}. Its log is "
                f"'{self._records.log(id)}'. What is done stays; run the same command again to go on, with more "
                "memory or fewer stages at once where it was killed for want of it."
            )
        print(f"{id}: lost ({why}); started again, {attempt} of {self._options.retries}", file=sys.stderr)
        self._start(id, attempt + 1)
        return False

    def _gpus(self, stage: Stage) -> int:
        return self._options.gpus_per_stage if stage.needs_gpu else 0

    def _check_shared(self) -> None:
        """Refuse a cluster with a node that does not read here what this process wrote."""
        out = self._records.folder.parent.resolve()
        strategy = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        tasks = {
            self._ray.remote(sees)
            .options(num_cpus=0, max_retries=0, scheduling_strategy=strategy(node["NodeID"], soft=False))
            .remote(out, self._records.token): node
            for node in self._ray.nodes()
            if node["Alive"]
        }
        ended, silent = self._ray.wait(list(tasks), num_returns=len(tasks), timeout=TO_READ)
        for task in ended:
            try:
                wrong = self._ray.get(task)
            except Exception as error:
                if tasks[task]["NodeID"] not in {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}:
                    continue  # it was lost, as it may be later: stages run on the others
                wrong = f"The node {tasks[task]['NodeManagerAddress']} of the Ray cluster can't run a stage: {error}"
            if wrong:
                raise UserError(wrong)
        if silent:
            where = ", ".join(tasks[task]["NodeManagerAddress"] for task in silent)
            raise UserError(f"Nodes of the Ray cluster do not answer: {where}. See `ray status`, and start them again.")


def sees(out: Path, token: str) -> str:
    """Return why this machine can't work in the folder that holds the token; nothing where it can."""
    try:
        Records(out).check_shared(token)
    except UserError as error:
        return str(error)
    return ""


def _connected(address: str | None) -> ModuleType:
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError as error:
        raise UserError(
            f"--engine ray needs Ray, which is not installed ({error}). Install it here and on every node: pip install "
            "'mllmu-med[ray]'; or leave --engine out to run on this machine."
        ) from error
    if address and address != "auto" and not address.startswith("ray://"):
        _check_reached(address)
    try:
        ray.init(address=address or "auto", log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = f"at {address}" if address else "that this machine knows (RAY_ADDRESS, or one started here)"
        raise UserError(
            f"There is no Ray cluster {where}: {str(error).strip().splitlines()[0]} Start one with `ray start --head`, "
            "the other nodes with `ray start --address HOST:6379`, and give --ray-address HOST:6379."
        ) from error
    return ray


def _check_reached(address: str) -> None:
    """Refuse an address at which nobody listens, at once: Ray itself tries for a minute."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), TO_CONNECT).close()
    except (OSError, ValueError) as error:
        raise UserError(
            f"There is no Ray cluster at --ray-address {address} ({error}). Give HOST:PORT as `ray start --head` "
            "printed it, such as 10.0.0.1:6379; `ray status` shows whether it runs."
        ) from error


def _check_resources(nodes: Sequence[dict[str, object]], cpus: int, gpus: int) -> None:
    """Refuse what no node has: Ray would wait for such a node for ever."""
    have = [(node["Resources"].get("CPU", 0), node["Resources"].get("GPU", 0)) for node in nodes if node["Alive"]]
    if not any(cpus <= cpu and gpus <= gpu for cpu, gpu in have):
        largest = ", ".join(f"{cpu:g} cores and {gpu:g} GPUs" for cpu, gpu in sorted(set(have), reverse=True)[:3])
        raise UserError(
            f"No node of the Ray cluster has {cpus} cores and {gpus} GPUs for a stage; its nodes have {largest}. Give "
            "--cpus-per-stage and --gpus-per-stage that a node has."
        )
