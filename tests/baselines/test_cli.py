"""The command line: light to start, one paragraph and exit code 2 on bad input, nothing left half-written."""

import contextlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from baselines import cli
from baselines.methods import METHODS
from baselines.study.report_text import table
from mllmu_med_dataset.load import PACKAGED

ROOT = Path(__file__).parents[2]


def test_help_imports_no_model_library():
    code = (
        "import sys\nfrom baselines import cli\n"
        "try: cli.main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'torch', 'transformers', 'datasets', 'lm_eval'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "bench" in done.stdout


def test_alone_it_shows_five_commands_to_begin_with_that_there_are(run):
    code, out, err = run()
    assert (code, err) == (0, "")
    named = [line.split()[1] for line in out.splitlines() if line.startswith("  mllmu-med ")]
    assert len(named) == 5 and set(named) <= {command.callback.__name__ for command in cli.app.registered_commands}


def test_every_command_gives_its_result_as_json():
    commands = [one.callback for app in (cli.app, cli.tasks_app, cli.convert_app) for one in app.registered_commands]
    assert len(commands) > 20
    assert [one.__name__ for one in commands if "as_json" not in inspect.signature(one).parameters] == []


def test_the_path_of_the_tasks_as_json(run):
    assert json.loads(run("tasks", "path", "--json")[1]) == {"path": run("tasks", "path")[1].strip()}


def test_a_shell_completes_commands_and_options(tmp_path):
    """What `--install-completion` puts in place, sourced by a bash that asks for the words after what was typed."""
    if not (bash := shutil.which("bash")):
        pytest.skip("there is no bash")
    home, program = tmp_path / "home", tmp_path / "bin" / "mllmu-med"
    home.mkdir()
    program.parent.mkdir()
    program.write_text(f'#!{bash}\nexec "{sys.executable}" -m baselines.cli "$@"\n')
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), os.environ["PATH"]])
    environment = {**os.environ, "HOME": str(home), "SHELL": bash, "PATH": path, "PYTHONPATH": str(ROOT)}
    # Typer would ask which shell the tests were started from, and may meet none: then it takes the one that is named.
    environment["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"
    call = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True, "check": True}
    subprocess.run([program, "--install-completion", "bash"], **call)
    (script,) = (home / ".bash_completions").iterdir()
    for words, completed in (("mllmu-med le", "learn leaderboard"), ("mllmu-med bench --unl", "--unlearning-seeds")):
        typed = f"source {script}; COMP_WORDS=({words}); COMP_CWORD={words.count(' ')}; "
        typed += '_mllmu_med_completion mllmu-med; echo "${COMPREPLY[@]}"'
        assert subprocess.run([bash, "-c", typed], **call).stdout.split() == completed.split()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize("columns", [60, 100])
def test_a_table_fits_the_terminal_and_is_plain_text_elsewhere(columns):
    """`_print` of the committed report in a process whose output is a terminal of this width."""
    import pty

    code = (
        "import json, sys\nfrom functools import partial\nfrom baselines import cli\n"
        "from baselines.study.report_text import table\n"
        "cli._print(None, False, partial(table, json.load(open(sys.argv[1]))))"
    )
    report = ROOT / "baselines" / "results" / "bench-nano.json"
    command = [sys.executable, "-c", code, str(report)]
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm", "PYTHONPATH": str(ROOT)}
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, env=environment) as process:
        os.close(theirs)
        written = b""
        with contextlib.suppress(OSError):  # how a terminal says that nobody writes to it any more
            while part := os.read(ours, 65536):
                written += part
        assert process.wait() == 0
    os.close(ours)
    lines = re.sub(r"\x1b\[\d+m", "", written.decode()).split("\r\n")
    assert max(map(len, lines)) <= columns and "left out for want of width" in " ".join(lines)
    assert "\x1b[1mmodel" in written.decode()
    elsewhere = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert elsewhere == table(json.loads(report.read_text(encoding="utf-8"))) + "\n"


def test_the_data_set_is_built_and_verified_without_a_model_library(tmp_path):
    code = (
        "import sys\nsys.modules['torch'] = None\nfrom baselines import cli\n"
        "def call(*arguments):\n"
        "    try: cli.main([*arguments])\n"
        "    except SystemExit as ended: assert not ended.code, ended.code\n"
        "call('build', '--patients', '60', '--percents', '10', '--out', sys.argv[1])\n"
        "call('verify', sys.argv[1])\n"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "mllmu-med")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["learm"], "learm"),
        (["bench", "--methods", "gaa"], "Did you mean 'ga'?"),
        (["bench", "--scenarios", "privcy"], "Did you mean 'privacy'?"),
        (["bench", "--source", "slak"], "Did you mean 'slake'?"),
        (["bench", "--model", "no-such-model"], "no-such-model"),
        (["bench", "--preset", "nanno"], "Did you mean 'nano'?"),
        (["bench", "--seed", "1"], "Did you mean '--seeds'?"),
        (["bench", "--seeds", "one"], "whole numbers"),
        (["bench", "--workers", "1", "--patients", "5"], "patients"),
        (["bench", "--source", "slake"], "--source-path"),
        (["bench", "--workers", "-1"], "workers"),
        (["learn", "--scenario", "privacy", "--rows", "target", "--percent", "7"], "choose one of"),
        (["learn", "--scenario", "privacy", "--rows", "targt"], "targt"),
        (["learn", "--scenario", "privacy", "--rows", "target", "--set", "epoch=3"], "Did you mean 'epochs'?"),
        (
            ["unlearn", "--scenario", "privacy", "--model", "x", "--method", "gd", "--set", "retain_wait=2"],
            "retain_weight",
        ),
        (["methods", "klmin"], "Did you mean 'kl_min'?"),
        (["build", "--source", "slake"], "--source-path"),
        (["build", "--source", "phantom", "--patients", "4"], "patients"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_gets_one_paragraph_and_exit_code_2(run, tmp_path, arguments, said):
    out = tmp_path / "out"
    takes_out = arguments[0] in ("bench", "build", "learn", "unlearn")
    code, stdout, stderr = run(*arguments, *(["--out", out] if takes_out else []))
    assert code == 2
    assert said in stderr
    assert stdout == ""
    assert len(stderr.strip().splitlines()) == 1
    assert "Traceback" not in stderr
    assert not out.exists()


def test_an_output_folder_in_use_is_refused_and_left_alone(run, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for command in (
        ["bench"],
        ["build"],
        ["learn", "--scenario", "privacy", "--rows", "target"],
        ["evaluate", "--scenario", "privacy", "--model", "nano"],
    ):
        code, _, stderr = run(*command, "--out", tmp_path)
        assert code == 2, command
        assert str(tmp_path) in stderr
        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"], command


def test_a_place_that_cannot_be_written_is_refused(run, tmp_path):
    (tmp_path / "file").write_text("mine")
    for command in (
        ["bench", "--fast"],
        ["build", "--patients", "60"],
        ["learn", "--scenario", "privacy", "--rows", "target"],
        ["evaluate", "--scenario", "privacy", "--model", "nano"],
    ):
        code, _, stderr = run(*command, "--out", tmp_path / "file" / "below")
        assert code == 2, command
        assert "can't be made" in stderr, command


def test_damaged_weights_are_refused(run, tmp_path):
    import shutil

    from baselines.nano import MODEL

    shutil.copytree(MODEL, tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:3000])
    code, _, stderr = run(
        "learn", "--scenario", "privacy", "--rows", "target", "--model", tmp_path / "model", "--out", tmp_path / "out"
    )
    assert (code, "can't be loaded" in stderr) == (2, True)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_study_has_no_report(run, tmp_path):
    code, _, stderr = run("report", tmp_path)
    assert (code, str(tmp_path) in stderr) == (2, True)


def test_verify_passes_the_packaged_build_and_fails_a_tampered_one(run, tmp_path):
    import shutil

    code, stdout, _ = run("verify", PACKAGED, "--json")
    assert code == 0
    assert json.loads(stdout)["gates"]
    copy = tmp_path / "mllmu-med"
    shutil.copytree(PACKAGED, copy)
    path = copy / "data" / "privacy_test" / "test-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert run("verify", copy)[0] == 1


def test_methods_are_listed_and_described(run):
    code, stdout, _ = run("methods")
    assert code == 0
    assert [line.split()[0] for line in stdout.splitlines()] == list(METHODS)
    code, stdout, _ = run("methods", "kl_min", "--json")
    described = json.loads(stdout)
    assert described["reference_roles"] == ["retain"]
    assert described["options"]["kl_weight"]["default"] == 1.0


def test_a_dry_run_writes_nothing(run, tmp_path):
    out = tmp_path / "out"
    for command in (
        ["bench"],
        ["build", "--patients", "24"],
        ["learn", "--scenario", "privacy", "--rows", "target"],
        ["unlearn", "--scenario", "privacy", "--model", "nano", "--method", "gd"],
        ["evaluate", "--scenario", "privacy", "--model", "nano"],
    ):
        code, stdout, stderr = run(*command, "--dry-run", "--out", out)
        assert code == 0, stderr
        assert stdout.strip()
        assert not out.exists()


def test_an_interrupt_ends_with_130_and_the_command_that_resumes(run, tmp_path, monkeypatch):
    from baselines.study.engines import engine

    def interrupted(*_: object, **__: object):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "run", interrupted)
    code, _, stderr = run("bench", "--out", tmp_path / "study", "--fast")
    assert code == 130
    assert f"mllmu-med bench --out {tmp_path / 'study'} --fast" in stderr
