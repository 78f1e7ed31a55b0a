"""A study as commands: each after what it needs, the same stages as the bench, and the same report in the end."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from baselines import plan, stages
from baselines.study import Study

APART = ("seconds", "rows_per_second", "peak_memory_mb", "resumed_at")


def test_every_stage_of_the_bench_is_a_command_after_what_it_needs():
    study = Study(out=Path("runs/study"), methods=("gd", "idk"), views=True, max_retain=None)
    found = plan.commands(study)
    assert len(found) == len(stages.plan(study)) + 1  # and the report
    seen: set[str] = set()
    for command in found:
        assert set(command.needs) <= seen, command.id
        assert command.id not in seen
        seen.add(command.id)
    assert set(found[-1].needs) == {command.id for command in found if "-evaluate-" in command.id}
    by_id = {command.id: command for command in found}
    assert by_id["privacy-gd"].needs == ("privacy-target",)
    assert by_id["privacy-evaluate-base"].needs == ("build",)
    assert "--views" in by_id["privacy-evaluate-gd"].command
    assert "--views" not in by_id["privacy-evaluate-target-blank"].command


def test_a_path_with_a_space_survives_the_shell():
    command = plan.commands(Study(out=Path("my runs/a study"), methods=("gd",)))[0]
    assert "my runs/a study" in shlex.split(command.command)


def test_a_line_is_an_id_what_it_needs_and_a_command():
    lines = [command.line().split("\t") for command in plan.commands(Study(out=Path("out"), methods=("gd",)))]
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
