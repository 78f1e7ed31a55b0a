"""The whole of it on two patients: interrupted and gone on with, its report, and folders that are refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from baselines import cli
from baselines.evaluation import evaluate
from baselines.run.run_record import read_record

FAST = ("--fast", "--methods", "gd", "--batches", "1", "--orders", "1", "--workers", "1")


@pytest.fixture
def run(capsys, two_patients):
    """Call `sequence` in this process on the two patients; returns exit code, stdout and stderr."""

    def call(out, *more):
        with pytest.raises(SystemExit) as ended:
            cli.main(["sequence", *FAST, "--data", str(two_patients), "--out", str(out), *map(str, more)])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


def test_an_interrupted_sequence_goes_on_and_leaves_its_report(run, tmp_path, monkeypatch):
    out, ask = tmp_path / "out", evaluate.evaluate

    def interrupted(model, questions, *, out, **options):
        if "request-2" in str(out):
            raise KeyboardInterrupt
        return ask(model, questions, out=out, **options)

    code, _, said = run(out, "--stage", "target")
    assert code == 0 and (out / "target" / "model").is_dir(), said
    monkeypatch.setattr(evaluate, "evaluate", interrupted)
    code, _, said = run(out)
    assert code == 130 and "To resume: mllmu-med sequence" in said and "learn target: already done" in said
    first, second = (out / "batch-1" / "order-0" / "gd" / f"request-{request}" for request in (1, 2))
    assert (first / "model").is_dir() and (second / "model").is_dir() and not (second / "evaluation").exists()
    made = (second / "record.json").read_bytes()
    monkeypatch.undo()

    code, printed, said = run(out, "--json")
    assert code == 0, said
    assert "request 1 of 2: already done" in said and (second / "record.json").read_bytes() == made
    assert not (first / "model").exists() and (second / "model").is_dir()  # the last alone is kept
    patients = read_record(second).config["patients"]
    report = json.loads(printed)
    assert [patients["gone"], patients["forget"]] == [[name] for name in report["asking"][0]]
    (out / "sequence.json").rename(tmp_path / "before.json")
    assert run(out, "--stage", "report")[0] == 0
    assert json.loads((out / "sequence.json").read_text()) == report
    row = report["rows"][0]
    assert [(step["request"], step["patients"]) for step in row["steps"]] == [(1, 1), (2, 2)]
    assert row["steps"][0]["r"] is not None and row["steps"][1]["waiting"] is None
    # Four steps teach the target nothing that could be forgotten, which is said and not scored.
    assert row["headline"] is None and "target does not tell enough" in row["reasons"]["order 0"]
    assert (out / "figures" / "sequence.png").stat().st_size > 10_000
    assert "No mean for gd, order 0: request 1" in (out / "sequence.md").read_text()

    code, printed, _ = run(out)
    assert code == 0 and "1 at a time: 2 patients in 2 requests; one order" in printed
    code, _, said = run(out, "--set", "epochs=3")
    assert code == 2 and "other settings (recipes)" in said
    code, _, said = run(out, "--no-resume")
    assert code == 2 and "already holds" in said
    shutil.rmtree(second)
    code, _, said = run(out, "--stage", "1-0-gd-2")
    assert code == 2 and "request-1" in said  # whose model is gone with it
    (out / "settings.json").write_text("{}")
    code, _, said = run(out)
    assert code == 2 and "can't be read as the settings of a sequence" in said


def test_a_folder_of_something_else_is_refused(run, tmp_path):
    (tmp_path / "study.json").write_text("{}")
    code, _, said = run(tmp_path)
    assert code == 2 and "in use by something else" in said


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--batches", "2"), "1 to 1 of them"),
        (("--batches", "one"), "whole numbers"),
        (("--batches", ","), "at least one value"),
        (("--stage", "1-0-gd-3"), "Did you mean '1-0-gd-"),
        (("--methods", "gda"), "Did you mean"),
        (("--orders", "0"), "orders"),
        (("--percent", "5"), "request_forget_05"),
    ],
)
def test_malformed_options_leave_nothing_behind(run, tmp_path, more, says):
    code, _, said = run(tmp_path / "out", *more)
    assert code == 2 and says in said and "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_a_plan_and_a_dry_run_write_nothing(run, tmp_path):
    code, printed, _ = run(tmp_path / "out", "--plan", "--json")
    assert code == 0 and {"id", "needs", "command"} == set(json.loads(printed)[0])
    code, printed, _ = run(tmp_path / "out", "--dry-run")
    assert code == 0 and "gd, 1 at a time, order 0: request 2 of 2" in printed and "minutes" in printed
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_killed_sequence_ends_as_one_that_was_not(run, tmp_path, two_patients):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run(whole)[0] == 0
    command = [sys.executable, "-m", "baselines.cli", "sequence", *FAST, "--data", str(two_patients)]
    command += ["--out", str(parts)]
    for name in ("target", "batch-1/order-0/gd/request-1", "batch-1/order-0/gd/request-2/adapter"):
        process = subprocess.Popen(command, env={**os.environ}, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 120
        while not (parts / name).exists() and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (parts / name).exists()
    assert run(parts)[0] == 0
    found = [without_clocks(json.loads((out / "sequence.json").read_text())) for out in (whole, parts)]
    assert found[0] == found[1]


def without_clocks(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_clocks(part) for key, part in value.items() if key != "seconds"}
    return [without_clocks(part) for part in value] if isinstance(value, list) else value
