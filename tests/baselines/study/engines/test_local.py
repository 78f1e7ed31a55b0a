"""On this machine: any ready stage on any free worker, nothing twice, nothing left running."""

import os
import time
from functools import partial
from pathlib import Path

import pytest

from baselines.study.engines import engine, local
from baselines.study.engines.records import DONE, FAILED, Records
from baselines.study.graph import Graph, Stage
from mllmu_med_dataset.errors import UserError


class Follower:
    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def start(self, name: str) -> None:
        self.events.append(("start", name))

    def part(self, name: str, done: int, total: int) -> None:
        self.events.append(("part", name))

    def finish(self, name: str, *, kept: bool = False) -> None:
        self.events.append(("kept" if kept else "finish", name))


def _note(folder: Path, id: str, part) -> bool:
    part(1, 2)
    with (folder / "order").open("a") as file:
        file.write(f"{id} {os.getpid()}\n")
    return id != "b"


def _refuse(part) -> bool:
    raise UserError("the disk is full")


def _crash(part) -> bool:
    raise ZeroDivisionError


def _vanish(part) -> bool:
    os._exit(9)


def _sleep(part) -> bool:
    time.sleep(60)
    return True


def diamond(folder: Path) -> Graph:
    """a, then b and c, then d; c is the longer way."""
    needs = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
    costs = {"c": 5.0}
    return Graph([Stage(id, id.upper(), needs[id], (), partial(_note, folder, id), costs.get(id, 1.0)) for id in needs])


def failing(what) -> Graph:
    return Graph([Stage("bad", "bad", (), (), what, 1.0), Stage("slow", "slow", (), (), _sleep, 1.0)])


@pytest.fixture
def records(tmp_path):
    """Records of a folder whose stages nobody planned."""
    made = Records(tmp_path / "out")
    made.folder.mkdir(parents=True)
    return made


def test_in_one_process_the_longest_way_goes_first(tmp_path, records):
    follower = Follower()
    engine.run(diamond(tmp_path), local.InProcess(follower, records))
    assert [line.split()[0] for line in (tmp_path / "order").read_text().splitlines()] == ["a", "c", "b", "d"]
    assert follower.events[:3] == [("start", "A"), ("part", "A"), ("finish", "A")]
    assert ("kept", "B") in follower.events


def test_workers_run_every_stage_once_after_what_it_needs_and_end(tmp_path, records):
    follower = Follower()
    workers = local.Workers(partial(diamond, tmp_path), 2, follower, records)
    processes = list(workers._pipes.values())
    engine.run(diamond(tmp_path), workers)
    order = [line.split()[0] for line in (tmp_path / "order").read_text().splitlines()]
    assert order[0] == "a" and order[-1] == "d" and sorted(order) == ["a", "b", "c", "d"]
    assert {name for event, name in follower.events if event in ("finish", "kept")} == {"A", "B", "C", "D"}
    assert not any(process.is_alive() for process in processes)
    assert {id: (records.read(id).state, records.read(id).note) for id in "abcd"} == dict.fromkeys(
        "abcd", (DONE, "1 of 2")
    )


@pytest.mark.parametrize(
    ("what", "error", "says"),
    [
        (_refuse, UserError, "the disk is full"),
        (_crash, RuntimeError, "ZeroDivisionError"),
        (_vanish, UserError, "A worker process was killed"),
    ],
)
def test_what_ends_one_stage_ends_all(what, error, says, records):
    workers = local.Workers(partial(failing, what), 2, Follower(), records)
    processes = list(workers._pipes.values())
    began = time.monotonic()
    with pytest.raises(error, match=says):
        engine.run(failing(what), workers)
    assert time.monotonic() - began < 50  # the slow one was not waited for
    assert not any(process.is_alive() for process in processes)
    if what is not _vanish:
        assert records.read("bad").state == FAILED and says in records.read("bad").note
