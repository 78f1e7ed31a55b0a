"""A stage as a command: its log, its record, and nothing of it left when whoever runs it ends."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from baselines.study.engines import records as of
from baselines.study.engines import work as working
from baselines.study.engines.records import DONE, FAILED, LOST, RUNNING, STOPPED, Record, Records, StageLost
from baselines.study.graph import Graph
from mllmu_med_dataset.errors import UserError
from tests.baselines.study.engines import toys
from tests.baselines.study.engines.toys import is_alive, until


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """Return a function that plans a toy stage `a`, and gives its records."""
    monkeypatch.setattr(of, "BEAT", 0.1)
    monkeypatch.setattr(working, "BEAT", 0.1)

    def plan(how: str = "") -> Records:
        records = Records(tmp_path / "out")
        with records.driving(Graph([toys.toy(tmp_path, "a", how=how)]), "ray"):
            return records

    return plan


def run(records: Records, attempt: int = 1, threads: int = 3) -> None:
    working.work(records.folder.parent, records.token, "a", attempt, threads)


def apart(records: Records, first: str) -> "subprocess.Popen[bytes]":
    """Run the stage in a process of its own, which does something first."""
    code = (
        f"import signal\nfrom pathlib import Path\nfrom baselines.study.engines.work import work\n{first}\n"
        f"work(Path({str(records.folder.parent)!r}), {records.token!r}, 'a', 1, 1)"
    )
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)


def test_a_command_runs_with_its_threads_and_leaves_log_and_record(planned, tmp_path):
    records = planned()
    run(records, attempt=2)
    assert (tmp_path / "starts").read_text().split()[::2] == ["a", "3"]
    assert records.log("a").read_text() == "a begins\n"
    assert (records.read("a").state, records.read("a").attempt, records.read("a").note) == (DONE, 2, "a begins")


def test_a_command_that_fails_has_the_last_word(planned):
    records = planned("fail")
    with pytest.raises(UserError, match=r"^the disk is full\.$"):
        run(records)
    assert (records.read("a").state, records.read("a").note) == (FAILED, "the disk is full.")


def test_a_command_that_is_killed_is_lost_and_its_log_goes_on(planned, tmp_path):
    records = planned("hold")

    def kill() -> None:
        until(lambda: records.log("a").is_file() and records.log("a").read_text())
        os.kill(toys.pids(tmp_path)[0], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(StageLost, match="killed by SIGKILL, perhaps for want of memory"):
        run(records)
    thread.join()
    assert records.read("a").state == LOST
    (tmp_path / "go").touch()
    run(records, attempt=2)
    assert records.log("a").read_text() == "a begins\n" * 2 and records.read("a").state == DONE


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_ends_with_who_runs_it_and_saves_where_it_is_let(planned, tmp_path, ended_by):
    records = planned("hold")
    process = apart(records, "signal.signal(signal.SIGTERM, signal.default_int_handler)")
    (pid,) = until(lambda: toys.pids(tmp_path))
    process.send_signal(ended_by)
    process.wait(30)
    until(lambda: not is_alive(pid), 10)
    is_let = ended_by == signal.SIGTERM
    assert (tmp_path / "a.saved").exists() == is_let and records.state("a").state == (STOPPED if is_let else LOST)


def test_who_runs_a_command_can_be_interrupted_though_a_shell_began_it_in_its_background(planned, tmp_path):
    """Such a process ignores SIGINT, and so would all that it starts: a cluster's node, its workers, a stage."""
    records = planned("hold")
    process = apart(records, "signal.signal(signal.SIGINT, signal.SIG_IGN)")
    until(lambda: toys.pids(tmp_path))
    process.send_signal(signal.SIGINT)
    process.wait(30)
    assert (tmp_path / "a.saved").exists() and records.state("a").state == STOPPED


def test_a_stage_is_not_begun_beside_itself(planned, monkeypatch):
    records = planned()
    monkeypatch.setattr(of, "SILENCE", 0.2)
    signs = iter(range(9))
    monkeypatch.setattr(Records, "_changed", lambda self, id: next(signs))
    records.write("a", Record(RUNNING, "elsewhere", 1, 1, 0.0, 0.0))
    with pytest.raises(UserError, match="Stage a runs already: process 1 on elsewhere"):
        run(records)


def test_a_working_folder_that_is_not_there_is_told_as_that(planned, monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "cwd", lambda: tmp_path / "home")
    with pytest.raises(UserError, match=r"working folder is not shared: '.*home' is not there"):
        run(planned())


def test_a_full_disk_is_told_before_a_stage_begins(planned, monkeypatch, tmp_path):
    def full(self: Path, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(self))

    records = planned()
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UserError, match=r"can't be written on .* \(No space left on device\)"):
        run(records)
    assert not toys.starts(tmp_path) and records.read("a") is None


def test_commands_run_with_this_python_whatever_the_path_holds():
    assert working.command(["mllmu-med", "report", "x"]) == [sys.executable, "-m", "baselines.cli", "report", "x"]
    assert working.command(["python", "-m", "x"]) == [sys.executable, "-m", "x"]
    assert working.command(["true"]) == ["true"]


@pytest.mark.parametrize(
    ("printed", "last"), [("", ""), ("one\ntwo\n\n", "two"), ("x" * 20_000, "x" * 2000), ("\xff\n", "\xff")]
)
def test_the_last_line_of_a_log(tmp_path, printed, last):
    (tmp_path / "log").write_text(printed, encoding="utf-8")
    assert working.last_line(tmp_path / "log") == last
    assert working.last_line(tmp_path / "log", len(printed.encode())) == ""
