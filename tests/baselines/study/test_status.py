"""The table of a study: true of what its records say, whatever engine wrote them."""

import json
import os
import threading
import time

import pytest

from baselines import cli
from baselines.study import status
from baselines.study.engines.records import DONE, DRIVER, FAILED, RUNNING, STOPPED, Record, Records
from mllmu_med_dataset.errors import UserError
from tests.baselines.study.engines import toys


@pytest.fixture
def out(tmp_path):
    """A study whose driver is gone: a is done, b failed on another machine, c runs there, d waits."""
    records = Records(tmp_path / "out")
    with records.driving(toys.diamond(tmp_path), "slurm"):
        pass
    records.write("a", Record(DONE, "node1", 1, 1, 0.0, 61.2, "a begins"))
    records.write("b", Record(FAILED, "node2", 1, 2, 0.0, 5.0, "no room " * 20))
    records.write("c", Record(RUNNING, "node3", 1, 1, time.time() - 100, 90.0, "3 of 4"))
    records.log("b").write_text("no room")
    return tmp_path / "out"


def run(capsys, *words: object) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["status", *map(str, words)])
    printed = capsys.readouterr()
    return ended.value.code or 0, printed.out + printed.err


def test_the_table_has_a_line_a_stage_and_counts(out, capsys):
    code, printed = run(capsys, out)
    lines = printed.splitlines()
    assert code == 1  # something failed
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["a", "done"], ["b", "failed"], ["c", "running"], ["d", "waiting"],
    ]  # fmt: skip
    assert lines[1].split() == ["a", "done", "node1", "1", "61", "a", "begins"]
    assert "100" in lines[3].split() and lines[3].endswith("3 of 4") and "..." in lines[2]
    assert lines[5].startswith(f"{out}: 1 done, 1 running, 1 failed, 1 waiting; engine slurm, driver done (process ")


def test_json_has_notes_whole_and_where_logs_are(out, capsys):
    code, printed = run(capsys, out, "--json")
    (study,) = json.loads(printed)
    b = study["stages"][1]
    assert code == 1 and b["note"] == "no room " * 20 and b["log"].endswith("b.log") and b["attempt"] == 2
    assert study["counts"]["waiting"] == 1 and study["stages"][3]["seconds"] is None


def test_a_silent_stage_is_lost(out, capsys):
    path = Records(out).path("c")
    os.utime(path, (time.time() - 500, time.time() - 500))
    assert "no sign of life for 500 s" in run(capsys, out)[1]


def test_several_seeds_are_several_tables(out, capsys, tmp_path):
    for seed in (0, 1):
        with Records(tmp_path / "all" / f"seed-{seed}").driving(toys.diamond(tmp_path), "local"):
            pass
    code, printed = run(capsys, tmp_path / "all")
    assert code == 0 and printed.count("4 waiting; engine local") == 2


def test_a_folder_without_records_is_refused(tmp_path, capsys):
    code, printed = run(capsys, tmp_path)
    assert code == 2 and "holds no record of stages" in printed
    with pytest.raises(UserError):
        status.read_status(tmp_path / "none")


def test_watch_tells_every_change_until_nothing_runs(out):
    records = Records(out)
    records.write(DRIVER, Record(RUNNING, "elsewhere", 1, 1, time.time(), 0.0))
    seen = []

    def end() -> None:
        records.write("c", Record(DONE, "node3", 1, 1, 0.0, 100.0))
        records.write(DRIVER, Record(STOPPED, "elsewhere", 1, 1, 0.0, 0.0))

    timer = threading.Timer(0.5, end)
    timer.start()
    for (one,) in status.watch(out, 0.05):
        seen.append((one.counts[RUNNING], one.is_over))
    timer.join()
    assert seen[0] == (1, False) and seen[-1] == (0, True)


def test_the_records_of_a_local_study_are_read_too(fast_study, capsys):
    code, printed = run(capsys, fast_study)
    last = printed.splitlines()[-1]
    assert code == 0 and "engine local, driver done" in last and "running" not in last and "waiting" not in last
