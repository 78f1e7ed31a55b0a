"""Records: written by who runs a stage, and true of one that is gone without a word."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from baselines.study.engines import records as of
from baselines.study.engines.records import DONE, DRIVER, FAILED, LOST, RUNNING, STOPPED, Record, Records, StageLost
from mllmu_med_dataset.errors import UserError
from tests.baselines.study.engines import toys


@pytest.fixture
def records(tmp_path):
    made = Records(tmp_path / "out")
    made.folder.mkdir(parents=True)
    return made


@pytest.fixture
def gone():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def here(pid: int, state: str = RUNNING) -> Record:
    return Record(state, of.platform.node(), pid, 1, time.time(), 0.0)


@pytest.mark.parametrize(
    ("raised", "state", "note"),
    [
        (None, DONE, "3 of 4"),
        (UserError("no room"), FAILED, "no room"),
        (ZeroDivisionError("by 0"), FAILED, "ZeroDivisionError: by 0"),
        (StageLost("killed by SIGKILL"), LOST, "killed by SIGKILL"),
        (KeyboardInterrupt(), STOPPED, "3 of 4"),
    ],
)
def test_a_record_says_how_a_stage_ended(records, raised, state, note):
    try:
        with records.keeping("a", attempt=2) as sign:
            assert records.read("a").state == RUNNING
            sign.part(3, 4)
            if raised:
                raise raised
    except BaseException as error:
        assert error is raised
    found = records.read("a")
    assert (found.state, found.note, found.attempt, found.pid) == (state, note, 2, os.getpid())


def test_what_runs_gives_signs_of_life_and_what_gives_none_is_lost(records, monkeypatch):
    monkeypatch.setattr(of, "BEAT", 0.05)
    elsewhere = replace(here(1), host="elsewhere")
    with records.keeping("a"):
        before = records.path("a").stat().st_mtime_ns
        time.sleep(0.3)
        assert records.path("a").stat().st_mtime_ns > before and records.state("a").state == RUNNING
    records.write("b", elsewhere)
    assert records.state("b").state == RUNNING
    silent = time.time() - of.SILENCE - 1
    os.utime(records.path("b"), (silent, silent))
    assert records.state("b").state == LOST and "no sign of life for 3" in records.state("b").note


def test_a_process_of_this_machine_that_is_gone_is_lost_at_once(records, gone):
    records.write("a", here(gone))
    assert records.state("a").state == LOST and not records.is_at_work("a")


def test_whether_another_machine_is_at_work_is_seen_by_change_whatever_its_clock(records, monkeypatch):
    monkeypatch.setattr(of, "BEAT", 0.05)
    monkeypatch.setattr(of, "SILENCE", 0.3)
    records.write(DRIVER, replace(here(1), host="elsewhere"))
    os.utime(records.path(DRIVER), (1, 1))  # a clock that is far behind
    assert not records.is_at_work(DRIVER)
    over = threading.Event()

    def beat() -> None:
        for seconds in range(2, 10_000):
            os.utime(records.path(DRIVER), (seconds, seconds))
            if over.wait(0.02):
                return

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        assert records.is_at_work(DRIVER)
        with (
            pytest.raises(UserError, match=r"Another process is at work in .*: 1 on elsewhere"),
            records.driving(toys.diamond(records.folder), "local"),
        ):
            pass
    finally:
        over.set()
        thread.join()


def test_a_driver_forgets_how_an_earlier_run_ended_but_not_what_is_done(records, gone, tmp_path):
    for id, record in {"a": here(1, DONE), "b": here(1, FAILED), "c": here(gone), "d": here(os.getpid())}.items():
        records.write(id, record)
    with records.driving(toys.diamond(tmp_path), "slurm"):
        assert [id for id in "abcd" if records.read(id)] == ["a", "d"]
        token = records.token
    with records.driving(toys.diamond(tmp_path), "slurm"):
        assert records.token == token  # a folder keeps its name
        assert records.read("a").state == DONE
    with records.driving(toys.diamond(tmp_path, a="hold"), "slurm"):
        assert records.read("a") is None  # done by another command


def test_what_ended_without_a_word_under_a_driver_was_stopped(records, gone, tmp_path):
    with records.driving(toys.diamond(tmp_path), "local"):
        records.write("b", here(gone))
    assert records.read("b").state == STOPPED and records.read(DRIVER).state == DONE


def test_a_machine_that_sees_another_folder_is_refused(records, tmp_path):
    with pytest.raises(UserError, match=r"not shared: '.*out' on .* is not there"):
        records.check_shared("cafe")
    with records.driving(toys.diamond(tmp_path), "ray"):
        records.check_shared(records.token)
        with pytest.raises(UserError, match="holds other files there"):
            records.check_shared("cafe")
    assert sorted(path.name for path in records.folder.iterdir()) == ["_driver.json", "_plan.json"]


def test_a_damaged_record_is_none(records):
    for text in ("{", "[]", json.dumps({"state": DONE})):
        records.path("a").write_text(text)
        assert records.read("a") is None and records.state("a") is None
