"""Every command in the README runs, in the order it stands there; the long ones in their quick form."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from baselines import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
QUICK = {
    "bench": ["--fast"],
    "build": ["--patients", "48", "--percents", "10"],
    "learn": ["--set", "max_steps=2"],
    "unlearn": ["--set", "max_steps=2"],
    "evaluate": ["--max-retain", "8"],
    "attack": ["--attack", "quantise"],
}


def commands(language: str) -> list[str]:
    """Return the lines of the README's code blocks in a language."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_the_make_targets_exist():
    targets = [line.split()[1] for line in commands("bash") if line.startswith("make ")]
    assert targets == ["bench", "test"]
    for target in targets:
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_what_is_installed_first_brings_what_the_three_calls_need():
    """The extra of the README's `pip` line: the harness, the metric's library, and what a model takes."""
    (line,) = [line for line in commands("bash") if line.startswith("pip ")]
    (extra,) = re.findall(r"\[(\w+)\]", line)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (brought,) = (re.findall(r"\[([\w,]+)\]", one)[0] for one in project["optional-dependencies"][extra])
    assert {"harness", "train", "report"} <= set(brought.split(","))


def test_the_command_line_block_runs_as_written(fast_study, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lines = [shlex.split(line)[1:] for line in commands("bash") if line.startswith("mllmu-med ")]
    stages = [line for line in lines if line[0] != "install"]
    assert len(stages) > 10
    # What `report runs/bench` in the block reports. A file that it writes takes the place of the linked one.
    shutil.copytree(fast_study, "runs/bench", copy_function=os.link)
    for arguments in stages:
        with pytest.raises(SystemExit) as ended:
            cli.main([*arguments, *QUICK.get(arguments[0], [])])
        assert not ended.value.code, (arguments, capsys.readouterr().err)


def test_the_three_calls_work_from_an_empty_folder_and_leave_no_trace(tmp_path):
    """The metric and the data set by their literal calls; lm_eval by its literal command in the slow test below."""
    script = "\n".join(commands("python")) + "\nprint(forget.num_rows, type(ues).__name__)"
    home, folder = tmp_path / "home", tmp_path / "empty"
    folder.mkdir()
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1"}
    mllmu_med = [sys.executable, "-m", "baselines.cli"]

    def call(command: list[str]) -> str:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    call([*mllmu_med, "install"])
    try:
        assert call([sys.executable, "-c", script]).split()[-2:] == ["64", "MllmuMedUES"]
    finally:
        call([*mllmu_med, "install", "--undo"])
    assert not [path for path in home.rglob("*") if path.is_file() and "mllmu" in str(path)]


@pytest.mark.slow
def test_the_literal_lm_eval_call_works_after_install(tmp_path):
    from baselines.nano import MODEL

    (line,) = [line for line in commands("bash") if line.startswith("lm_eval ")]
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1"}
    mllmu_med = [sys.executable, "-m", "baselines.cli"]
    subprocess.run([*mllmu_med, "install"], env=environment, check=True)
    try:
        arguments = [*shlex.split(line.replace("MODEL_FOLDER", str(MODEL)))[1:], "--limit", "4"]
        done = subprocess.run(
            [sys.executable, "-m", "lm_eval", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        subprocess.run([*mllmu_med, "install", "--undo"], env=environment, check=True)
    assert done.returncode == 0, done.stderr[-3000:]
    for task in ("privacy_forget", "privacy_holdout", "incorrectness_test", "incorrectness_retain"):
        assert f"mllmu_med_{task}" in done.stdout
