"""Kill runs at random moments with SIGKILL, start them again, and hold what they leave equal to an unkilled run's.

    python -m tests.baselines.killed_runs 50 [seed]

Every run is the command line in a process of its own, forked from one that has imported it already. Half of them learn,
half unlearn; a run may be killed again and again before it is let through.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

APART = ("seconds", "rows_per_second", "peak_memory_mb", "resumed_at")
STEPS = 12


def arguments(kind: str, model: Path, data: Path, out: Path) -> list[str]:
    """Return the command line of a run that saves a checkpoint after every step."""
    chosen = ["--rows", "target"] if kind == "learn" else ["--method", "kl_min"]
    settings = ("batch=2", "accumulation=2", f"max_steps={STEPS}", "learning_rate=1e-3", "checkpoint_seconds=1e-9")
    extra = () if kind == "learn" else ("stop=holdout", "stop_at=9", "stop_every=3", "stop_rows=4", "lora.dropout=0.1")
    return [
        kind, "--model", str(model), "--data", str(data), "--scenario", "privacy", "--out", str(out), "--json", *chosen,
        *(part for setting in (*settings, *extra) for part in ("--set", setting)),
    ]  # fmt: skip


def start(command: list[str], log: Path) -> int:
    """Run the command line in a forked process and return its id."""
    child = os.fork()
    if child:
        return child
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    from baselines import cli

    code = 1
    try:
        cli.main(command)
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        os._exit(code)


def through(command: list[str], log: Path) -> float:
    """Run the command line to its end and return the seconds it took."""
    began = time.monotonic()
    _, status = os.waitpid(start(command, log), 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with {status}:\n{log.read_text()[-2000:]}")
    return time.monotonic() - began


def left(folder: Path) -> dict[str, object]:
    """Return what a finished run leaves: every file but the record by content, and the record without clocks."""
    record = json.loads((folder / "record.json").read_text())
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "record.json"
    }
    return {**files, "record": {key: value for key, value in record.items() if key not in APART}}


def moment(folder: Path) -> str:
    """Return how far a killed run had come, by what it left."""
    if not (folder / "config.canonical.json").is_file():
        return "before it took its folder"
    if (folder / "record.json").is_file():
        return "after its record"
    if any(folder.glob(".*.part")) or (folder / "model").exists() or (folder / "adapter").exists():
        return "while writing"
    return "in the loop" if (folder / "checkpoint.safetensors").is_file() else "before its first checkpoint"


def kill_and_compare(kills: int, seed: int, scratch: Path, model: Path, data: Path) -> Counter[str]:
    """Kill so many times and return the moments counted; raises where a resumed run leaves something else."""
    random, log, moments = Random(seed), scratch / "log", Counter()
    references, seconds = {}, {}
    for kind in ("learn", "unlearn"):
        began_with = model if kind == "learn" else scratch / "whole-learn"
        command = arguments(kind, began_with, data, scratch / f"whole-{kind}")
        seconds[kind] = through(command, log)
        references[kind] = left(scratch / f"whole-{kind}")
    number = done = 0
    while done < kills:
        kind = ("learn", "unlearn")[number % 2]
        out = scratch / f"{kind}-{number}"
        number += 1
        command = arguments(kind, model if kind == "learn" else scratch / "whole-learn", data, out)
        while True:
            child = start(command, log)
            time.sleep(random.uniform(0, seconds[kind]))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            if os.WIFSIGNALED(status):
                done += 1
                moments[f"{kind} {moment(out)}"] += 1
            elif status:
                raise RuntimeError(f"{' '.join(command)} ended with {status}:\n{log.read_text()[-2000:]}")
            if not os.WIFSIGNALED(status) or done >= kills or random.random() < 0.5:
                break
        through(command, log)
        resumed = json.loads((out / "record.json").read_text())["resumed_at"]
        moments["resumed from a checkpoint"] += bool(resumed)
        moments["finished"] += 1
        found = left(out)
        differing = [name for name in references[kind] | found if references[kind].get(name) != found.get(name)]
        if differing:
            raise AssertionError(f"run {number} ({kind}, resumed at {resumed}) differs in {differing}")
    return moments


def main() -> None:
    """Make the tiny model and a small data set, kill, and print the moments."""
    import torch

    torch.set_num_threads(1)
    import baselines.training.learn
    import baselines.training.unlearn  # noqa: F401 (imported once, for every fork)
    from mllmu_med_dataset.build import build
    from mllmu_med_dataset.sources import open_source
    from tests.tiny_model import make_tiny_model

    kills, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        model, data = make_tiny_model(scratch / "tiny"), scratch / "data"
        records = open_source("phantom", seed=0, patients=40)
        build(records, data, scenarios=("privacy",), percents=(10,), seed=0, parameters=records.parameters)
        began = time.monotonic()
        moments = kill_and_compare(kills, seed, scratch, model, data)
    print(f"{kills} kills, every run the same in the end ({time.monotonic() - began:.0f} s)")
    for name, count in sorted(moments.items()):
        print(f"{count:4d} {name}")


if __name__ == "__main__":
    main()
