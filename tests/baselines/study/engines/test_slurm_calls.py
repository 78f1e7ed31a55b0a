"""What SLURM's programs are given, and what is made of their answers: with programs that only take notes."""

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from baselines.study.engines import slurm
from baselines.study.engines.engine import run
from baselines.study.engines.options import EngineOptions
from baselines.study.engines.records import DONE, FAILED, Record, Records
from baselines.study.graph import Graph
from mllmu_med_dataset.errors import UserError
from tests.baselines.study.engines import toys
from tests.baselines.study.engines.test_local import Follower

_SBATCH = """
import json, sys
from pathlib import Path
here = Path(sys.argv[0]).parent
calls = here / "calls"
number = 7 + len(calls.read_text().splitlines()) if calls.exists() else 7
with calls.open("a") as file:
    file.write(json.dumps([sys.argv[1:], sys.stdin.read()]) + "\\n")
if (here / "refuse").exists():
    sys.exit("sbatch: error: invalid partition specified: none")
print(f"{number};cluster")
"""
_SQUEUE = """
import sys
from dataclasses import replace
from pathlib import Path
if (Path(sys.argv[0]).parent / "down").exists():
    sys.exit("slurm_load_jobs error: Unable to contact slurm controller")
queue = Path(sys.argv[0]).parent / "queue"
print(queue.read_text() if queue.exists() else "")
"""
_SCANCEL = """
import sys
from dataclasses import replace
from pathlib import Path
here = Path(sys.argv[0]).parent
(here / "cancelled").write_text(" ".join(sys.argv[1:]))
(here / "queue").unlink(missing_ok=True)
"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """The folder of sbatch, squeue and scancel, alone on the PATH, and patience for nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in {"sbatch": _SBATCH, "squeue": _SQUEUE, "scancel": _SCANCEL}.items():
        (folder / name).write_text(f"#!{sys.executable}\n{script}")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    for name in ("LOOK", "LOOK_AT_QUEUE", "GRACE"):
        monkeypatch.setattr(slurm, name, 0.01)
    return folder


@pytest.fixture
def opened(tmp_path, programs):
    """Return a function that opens the engine on the diamond with options."""

    def engine(graph: Graph | None = None, **options: object) -> slurm.Slurm:
        graph = graph or toys.diamond(tmp_path)
        records = Records(tmp_path / "out")
        with records.driving(graph, "slurm"):
            return slurm.Slurm(EngineOptions(engine="slurm", **options), graph, records, Follower())

    return engine


def calls(programs: Path) -> list[tuple[list[str], str]]:
    return [json.loads(line) for line in (programs / "calls").read_text().splitlines()]


def write(tmp_path: Path, id: str, state: str, note: str = "") -> None:
    Records(tmp_path / "out").write(id, Record(state, "node7", 1, 1, 0.0, 1.0, note))


def test_equal_stages_are_an_array_and_each_is_held_back_for_what_it_needs(opened, programs, tmp_path):
    graph = toys.diamond(tmp_path)
    opened(slurm_partition="gpu", slurm_time="2:00:00", slurm_option=["account=lab"], cpus_per_stage=4).submit(
        list(graph.values())
    )
    (a, script), (bc, scripts), (d, _) = calls(programs)
    assert {"--array=0-0", "--partition=gpu", "--time=2:00:00", "--account=lab", "--cpus-per-task=4"} <= set(a)
    assert {"--requeue", "--kill-on-invalid-dep=yes", "--signal=B:USR1@60", "--open-mode=append"} <= set(a)
    assert not [word for word in a if "dependency" in word or "gpus" in word]
    assert {"--array=0-1", "--dependency=afterok:7_0"} <= set(bc) and "stages=(b c)" in scripts
    assert {"--array=0-0", "--dependency=afterok:8_0:8_1"} <= set(d)
    words = shlex.split(script.splitlines()[2])
    assert words[:4] == ["exec", sys.executable, "-m", "baselines.study.engines.slurm_job"]
    assert words[4:] == [
        str((tmp_path / "out").resolve()), Records(tmp_path / "out").token, "4", "3", "${stages[$SLURM_ARRAY_TASK_ID]}",
    ]  # fmt: skip
    assert Records(tmp_path / "out").document("_jobs") == {"a": "7_0", "b": "8_0", "c": "8_1", "d": "9_0"}


def test_gpus_are_of_stages_that_run_a_model(opened, programs, tmp_path):
    plain = toys.toy(tmp_path, "a")
    graph = Graph([plain, replace(toys.toy(tmp_path, "b"), needs_gpu=True)])
    opened(graph, gpus_per_stage=2).submit(list(graph.values()))
    assert ["--gpus-per-node=2" in words for words, _ in calls(programs)] == [False, True]


def test_a_large_array_is_parted(opened, programs, tmp_path, monkeypatch):
    monkeypatch.setattr(slurm, "LARGEST_ARRAY", 2)
    graph = Graph([toys.toy(tmp_path, id) for id in "abcde"])
    opened(graph).submit(list(graph.values()))
    assert [words[2] for words, _ in calls(programs)] == ["--array=0-1", "--array=0-1", "--array=0-0"]


def test_what_is_done_is_not_queued_but_what_came_after_something_undone_is(opened, programs, tmp_path):
    opened()
    for id in "abcd":
        write(tmp_path, id, DONE)
        (tmp_path / f"{id}.work").touch()
    (tmp_path / "c.work").unlink()
    engine, graph = opened(), toys.diamond(tmp_path)
    engine.submit(list(graph.values()))
    assert [script.splitlines()[1] for _, script in calls(programs)] == ["stages=(c)", "stages=(d)"]
    assert not [word for word in calls(programs)[0][0] if "dependency" in word]
    assert Records(tmp_path / "out").read("c") is None  # so that the old record is not taken for the new one's
    assert {engine.wait(), engine.wait()} == {"a", "b"}


def test_a_whole_graph_ends_by_its_records(opened, programs, tmp_path):
    engine = opened()
    submit = engine.submit

    def submit_and_do(stages):
        submit(stages)
        for stage in stages:
            write(tmp_path, stage.id, DONE)

    engine.submit = submit_and_do
    run(toys.diamond(tmp_path), engine)
    assert len(calls(programs)) == 3 and not (programs / "cancelled").exists()


def test_an_interrupt_while_jobs_are_being_queued_leaves_none_in_the_queue(opened, programs, tmp_path, monkeypatch):
    engine = opened()
    submit, calls_made = engine._submit, []

    def interrupted(group):
        submit(group)
        calls_made.append(group)
        (programs / "queue").write_text("7_0|RUNNING|None")
        if len(calls_made) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(engine, "_submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(toys.diamond(tmp_path), engine)
    assert len(calls_made) == 2 and (programs / "cancelled").is_file() and not (programs / "queue").exists()


@pytest.mark.parametrize(
    ("queue", "record", "says"),
    [
        ("7_0|FAILED|None", FAILED, r"Stage a failed on node7: no room\."),
        ("7_0|TIMEOUT|None", None, "Stage a failed: job 7_0 ended without a word, and its time limit ended it"),
        ("7_0|OUT_OF_MEMORY|None", None, "more memory than the job had"),
        ("7_0|NODE_FAIL|None", None, "its node failed"),
        ("7|CANCELLED|None", None, "cancelled, by scancel"),
        ("", None, "it left the queue"),
        ("7_0|COMPLETED|None", None, "the folder is not shared with its node"),
        ("7_0|FAILED|None", None, "SLURM says FAILED; it printed nothing here, so its node may not share"),
        ("7_0|BOOT_FAIL|None", None, "SLURM says BOOT_FAIL"),
    ],
)
def test_a_job_that_did_not_end_well_is_told_in_a_paragraph(opened, programs, tmp_path, queue, record, says):
    engine = opened()
    engine.submit(list(toys.diamond(tmp_path).values()))
    (programs / "queue").write_text(queue + "\n8_0|PENDING|Dependency\n8_1|PENDING|Dependency\n9_0|PENDING|Dependency")
    if record:
        write(tmp_path, "a", record, "no room.")
    with pytest.raises(UserError, match=says):
        engine.wait()
    engine.cancel()
    assert (programs / "cancelled").read_text() == f"--name=mllmu-{Records(tmp_path / 'out').token} --me"


def test_what_a_job_printed_before_its_stage_could_begin_is_told(opened, programs, tmp_path):
    engine = opened()
    engine.submit(list(toys.diamond(tmp_path).values()))
    (programs / "queue").write_text("7_0|FAILED|None")
    (tmp_path / "out" / "stages" / "_slurm-7_0.log").write_text("python: not found\n")
    with pytest.raises(UserError, match=r"SLURM says FAILED\. It printed: python: not found"):
        engine.wait()


def test_a_controller_that_does_not_answer_is_asked_again_and_an_odd_reason_is_said_once(
    opened, programs, tmp_path, capsys
):
    engine = opened()
    engine.submit(list(toys.diamond(tmp_path).values()))
    (programs / "queue").write_text("7_0|PENDING|PartitionTimeLimit")
    for _ in range(2):
        engine._look_at_queue(now=True)
        engine._check_queued("a")
    (programs / "down").touch()
    engine._look_at_queue(now=True)
    engine._check_queued("a")
    assert capsys.readouterr().err.splitlines() == [
        "a waits in the queue: PartitionTimeLimit",
        "SLURM does not answer, and is asked again: slurm_load_jobs error: Unable to contact slurm controller",
    ]


def test_jobs_of_an_earlier_driver_are_taken_over_and_strangers_ended(opened, programs, tmp_path, capsys):
    opened().submit(list(toys.diamond(tmp_path).values()))
    (programs / "calls").unlink()
    (programs / "queue").write_text("8_0|RUNNING|None\n8_1|PENDING|Resources\n55_0|PENDING|Dependency")
    (tmp_path / "a.work").touch()
    write(tmp_path, "a", DONE)
    opened().submit(list(toys.diamond(tmp_path).values()))
    assert "2 jobs of this study are in the queue already" in capsys.readouterr().err
    assert (programs / "cancelled").read_text() == "55_0"
    ((words, script),) = calls(programs)
    assert "stages=(d)" in script and "--dependency=afterok:8_0:8_1" in words


def test_what_sbatch_refuses_is_told_in_its_words(opened, programs, tmp_path):
    (programs / "refuse").touch()
    with pytest.raises(UserError, match=r"SLURM does not take the job of a: .*invalid partition specified: none"):
        opened().submit(list(toys.diamond(tmp_path).values()))


def test_a_machine_without_slurm_or_with_a_silent_one_is_refused(opened, programs, monkeypatch):
    (programs / "down").touch()
    with pytest.raises(UserError, match=r"SLURM does not answer: .*Unable to contact"):
        opened()
    (programs / "scancel").unlink()
    with pytest.raises(UserError, match="needs SLURM's scancel, which is not on the PATH"):
        opened()
