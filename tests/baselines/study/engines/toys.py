"""Graphs of small commands, for engines: they take seconds, note who ran them, and can be told to fail."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from baselines.study.engines.records import Records
from baselines.study.graph import Graph, Stage

MODULE = "tests.baselines.study.engines.toys"
# A stage notes every start, waits until it is let go, and leaves its work; TERM is answered by a checkpoint.
_SCRIPT = """
import os, signal, sys, time
from pathlib import Path
folder, id, hold = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
def saved(*_):
    (folder / f"{id}.saved").touch()
    sys.exit(130)
signal.signal(signal.SIGTERM, saved)
with (folder / "starts").open("a") as file:
    file.write(f"{id} {os.getpid()} {os.environ['OMP_NUM_THREADS']}\\n")
print(f"{id} begins", flush=True)
if hold == ["fail"]:
    sys.exit("the disk is full.")
while hold == ["hold"] and not (folder / "go").exists():
    time.sleep(0.1)
(folder / f"{id}.work").write_text(id)
"""


def toy(folder: Path, id: str, *needs: str, how: str = "") -> Stage:
    """Return a stage; how: hold (until the file `go` is there) or fail."""
    argv = ("python", "-c", _SCRIPT, str(folder), id, *([how] if how else []))
    leaves = (folder / f"{id}.work",)
    return Stage(id, f"toy {id}", needs, argv, lambda part: True, 1.0, leaves=leaves, needs_gpu=False)


def diamond(folder: Path, **how: str) -> Graph:
    """Return a, then b and c, then d."""
    needs = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
    return Graph([toy(folder, id, *needs[id], how=how.get(id, "")) for id in needs])


def starts(folder: Path) -> list[str]:
    """Return the ids of stages in the order they were started, as often as they were."""
    path = folder / "starts"
    return [line.split()[0] for line in path.read_text().splitlines()] if path.is_file() else []


def pids(folder: Path) -> list[int]:
    """Return the processes of all starts."""
    path = folder / "starts"
    return [int(line.split()[1]) for line in path.read_text().splitlines()] if path.is_file() else []


def last(folder: Path, id: str) -> int:
    """Return which start was the last of a stage."""
    ids = starts(folder)
    return len(ids) - 1 - ids[::-1].index(id)


def begin(folder: Path, how: dict[str, str], *options: str) -> "subprocess.Popen[str]":
    """Run the diamond by an engine, as bench does, in a process of its own; its output folder is FOLDER/out."""
    words = [f"{id}={what}" for id, what in how.items()]
    command = [sys.executable, "-m", MODULE, str(folder), *words, "--", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def state(folder: Path, id: str) -> str:
    """Return the state of a stage by its record."""
    record = Records(folder / "out").read(id)
    return record.state if record else ""


def until(what: Callable[[], object], seconds: float = 120.0) -> object:
    """Wait until something holds, and return it."""
    end = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)
    return value


def is_alive(pid: int) -> bool:
    """Say whether a process runs."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


# A study with one stage of every kind; local, it takes half a minute of one core.
STUDY = (
    "bench", "--fast", "--patients", "36", "--scenarios", "incorrectness", "--methods", "gd", "--controls", "none",
    "--unlearning-seeds", "1", "--no-views", "--no-attacks",
)  # fmt: skip
# What is another on every run.
APART = ("seconds", "rows_per_second", "peak_memory_mb", "resumed_at")


def begin_study(out: Path, *options: str) -> "subprocess.Popen[str]":
    """Run the small study in a process of its own."""
    command = [sys.executable, "-m", "baselines.cli", *STUDY, "--out", str(out), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def report(process: "subprocess.Popen[str]", out: Path) -> object:
    """Wait for a study to end well, and return its report but for clocks and memory."""
    printed, _ = process.communicate()
    assert process.returncode == 0, printed
    return _without_clocks(json.loads((out / "report.json").read_text(encoding="utf-8")))


def _without_clocks(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_clocks(part) for key, part in value.items() if key not in APART}
    return [_without_clocks(part) for part in value] if isinstance(value, list) else value


def main() -> None:
    """Run the diamond by the engine that the options name."""
    import argparse
    from functools import partial

    from baselines.study import bench
    from baselines.study.engines.options import add_options, read_options
    from mllmu_med_dataset.errors import UserError

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its background commands ignore it
    place = sys.argv.index("--")
    folder, how = Path(sys.argv[1]), dict(word.split("=") for word in sys.argv[2:place])
    parser = argparse.ArgumentParser()
    add_options(parser)
    options = read_options(vars(parser.parse_args(sys.argv[place + 1 :])))
    out = folder / "out"
    try:
        with bench.claimed(out, "study.json", "{}", "another", "settings"):
            bench.run(partial(diamond, folder, **how), out, options)
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
