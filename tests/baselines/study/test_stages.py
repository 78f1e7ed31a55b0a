"""A study as a graph: each stage after what it needs, and as commands it leaves the same report in the end."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from baselines.study import stages
from baselines.study.study import Study

APART = ("seconds", "rows_per_second", "peak_memory_mb", "resumed_at")


def test_every_stage_stands_after_what_it_needs():
    graph = stages.plan(Study(out=Path("runs/study"), methods=("gd", "idk"), views=True, max_retain=None))
    seen: set[str] = set()
    for stage in graph.values():
        assert set(stage.needs) <= seen, stage.id
        seen.add(stage.id)
    assert list(graph) == [
        "build",
        *(
            f"{scenario}-{step}"
            for scenario in ("privacy", "incorrectness")
            for step in (
                "target", "retain_only", "gd", "idk", "evaluate-base", "evaluate-target", "evaluate-retain_only",
                "evaluate-gd", "evaluate-idk", "evaluate-target-blank", "evaluate-target-other",
            )
        ),
        "report",
    ]  # fmt: skip
    assert set(graph["report"].needs) == {id for id in graph if "-evaluate-" in id}
    assert graph["privacy-gd"].needs == ("privacy-target",)
    assert graph["privacy-evaluate-base"].needs == ("build",)
    assert "--views" in graph["privacy-evaluate-gd"].argv
    assert "--views" not in graph["privacy-evaluate-target-blank"].argv


def test_a_path_with_a_space_survives_the_shell():
    graph = stages.plan(Study(out=Path("my runs/a study"), methods=("gd",)))
    assert "my runs/a study" in shlex.split(graph["build"].command)


def test_a_line_is_an_id_what_it_needs_and_a_command():
    lines = [stage.line().split("\t") for stage in stages.plan(Study(out=Path("out"), methods=("gd",))).values()]
    assert {len(line) for line in lines} == {3}
    assert lines[0][:2] == ["build", "-"] and lines[1][:2] == ["privacy-target", "build"]


def without_clocks(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_clocks(part) for key, part in value.items() if key not in APART}
    return [without_clocks(part) for part in value] if isinstance(value, list) else value


@pytest.mark.slow
def test_the_commands_leave_the_report_that_the_bench_leaves(tmp_path):
    shared = ["--fast", "--methods", "gd", "--scenarios", "privacy"]

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "baselines.cli", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    run("bench", *shared, "--out", str(tmp_path / "whole"))
    planned = json.loads(run("bench", *shared, "--out", str(tmp_path / "parts"), "--plan", "--json"))
    assert not (tmp_path / "parts").exists()  # a plan writes nothing
    for stage in planned:
        run(*shlex.split(stage["command"])[1:])
    again = shlex.split(planned[1]["command"])[1:]
    before = (tmp_path / "parts" / "privacy" / "target" / "record.json").read_bytes()
    run(*again)  # idempotent
    assert (tmp_path / "parts" / "privacy" / "target" / "record.json").read_bytes() == before
    whole, parts = (json.loads((tmp_path / name / "report.json").read_text()) for name in ("whole", "parts"))
    assert without_clocks(whole) == without_clocks(parts)
