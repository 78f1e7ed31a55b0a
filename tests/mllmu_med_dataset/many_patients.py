"""Build many phantom patients several ways, kill a build again and again, and compare: run by hand, it takes a while.

    python -m tests.mllmu_med_dataset.many_patients FOLDER [--patients 20000] [--percents 10]

One process, two processes, a shuffled source, and a build that is killed (SIGKILL, in the midst of its work) at ten
moments one after the other, each time gone on with: all must end with the same files. The identifiers are counted
apart from the gates of the build. Prints one line of JSON a step, and ends with 1 where two builds differ; what a
finished step has printed is not done again by the same command.
"""

import argparse
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from mllmu_med_dataset.build import build
from mllmu_med_dataset.building.content import file_sha256
from mllmu_med_dataset.injection.patients import in_range
from mllmu_med_dataset.sources import open_source
from mllmu_med_dataset.sources.phantom import QUESTIONS_A_PATIENT
from mllmu_med_dataset.verify import verify
from mllmu_med_metrics.vocabulary import DIRECT_KINDS

WAYS = {"one process": (1, False), "two processes": (2, False), "shuffled source": (1, True)}
# What a build is doing when it is killed, and how far it is with it.
MOMENTS = (
    ("collect", 0.1), ("collect", 0.8), ("roles", 0.0), ("identities", 0.0), ("inject privacy", 0.5),
    ("inject incorrectness", 0.9), ("write ", 0.1), ("write ", 0.6), ("card", 0.0), ("verify", 0.0),
)  # fmt: skip


class Job(NamedTuple):
    """A build to be made: where, of how many patients, how, and at which moment it dies, so many seconds after it."""

    out: Path
    patients: int
    percents: tuple[int, ...]
    workers: int
    shuffled: bool = False
    moment: tuple[str, float] | None = None
    delay: float = 0.0


def run_build(job: Job) -> None:
    """Build, or die trying."""

    def progress(stage: str, done: int, total: int) -> None:
        share = done / (total or job.patients * QUESTIONS_A_PATIENT)
        if job.moment is not None and stage.startswith(job.moment[0]) and share >= job.moment[1]:
            if job.delay:
                threading.Timer(job.delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
            else:
                os.kill(os.getpid(), signal.SIGKILL)

    records = open_source("phantom", patients=job.patients, workers=job.workers)
    if job.shuffled:
        records = list(records)
        random.Random(7).shuffle(records)
    build(records, job.out, percents=job.percents, workers=job.workers, progress=progress)


def in_a_process(job: Job) -> dict[str, object]:
    """Build in a process of its own; return whether it lived, its seconds, and the peak of memory."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = multiprocessing.get_context("spawn").Process(target=run_build, args=(job,))
    process.start()
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        sys.exit(f"a build ended with {process.exitcode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "lived": process.exitcode == 0,
        "cpu_seconds": round(sum(after[:2]) - sum(before[:2])),
        "wall_seconds": round(time.perf_counter() - began),
        "largest_process_mib_so_far": round(after.ru_maxrss / 1024),
    }


def files(folder: Path) -> dict[str, str]:
    """Return the checksums of all files of a build."""
    return {str(path.relative_to(folder)): file_sha256(path) for path in folder.rglob("*") if path.is_file()}


def identifiers(folder: Path) -> dict[str, object]:
    """Count the identifiers of a build, by another way than its gates: outside their ranges, and of two patients."""
    owners: dict[tuple[str, str], set[str]] = defaultdict(set)
    rows = outside = 0
    for path in sorted(folder.glob("data/privacy_*/*.parquet")):
        table = pq.read_table(path, columns=["patient_id", "phi", "distractors"])
        for patient, phi, others in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
            rows += bool(phi)
            outside += sum(not in_range(told["kind"], told["value"]) for told in (*phi, *others))
            for told in phi:
                owners[told["kind"], told["value"].casefold()].add(patient)
    shared = sum(len(found) > 1 for (kind, _), found in owners.items() if kind in DIRECT_KINDS)
    return {
        "rows_with_identifiers": rows,
        "patients_with_identifiers": len({patient for found in owners.values() for patient in found}),
        "values_by_kind": dict(sorted(Counter(kind for kind, _ in owners).items())),
        "outside_their_range": outside,
        "direct_ones_of_two_patients": shared,
    }


def main() -> int:
    """Print a line a step; return 1 where anything is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patients", type=int, default=20_000)
    parser.add_argument("--percents", default="5,10,15")
    parser.add_argument("--delay", type=float, default=0.5, help="seconds from a moment to its kill")
    asked = parser.parse_args()
    percents = tuple(map(int, asked.percents.split(",")))
    asked.folder.mkdir(parents=True, exist_ok=True)
    log = asked.folder / "steps.jsonl"
    steps = {told["step"]: told for told in map(json.loads, log.read_text().splitlines())} if log.exists() else {}

    def step(name: str, made: Callable[[], dict[str, object]]) -> dict[str, object]:
        if name not in steps:
            steps[name] = {"step": name, **made()}
            with log.open("a") as stream:
                stream.write(json.dumps(steps[name]) + "\n")
        shown = {key: f"{len(value)} files" if key == "files" else value for key, value in steps[name].items()}
        print(json.dumps(shown), flush=True)
        return steps[name]

    def job(way: str, place: str, **more: object) -> Job:
        workers, shuffled = WAYS[way]
        return Job(asked.folder / place / "mllmu-med", asked.patients, percents, workers, shuffled)._replace(**more)

    def whole(way: str) -> dict[str, object]:
        out = job(way, way).out
        told = in_a_process(job(way, way))
        made = json.loads((out / "checksums.json").read_text())
        rows = sum(split["rows"] for config in made["content"].values() for split in config.values())
        told |= {"rows": rows, "dataset_sha256": made["dataset_sha256"], "files": files(out), **identifiers(out)}
        shutil.rmtree(out.parent)
        return told

    found = [step(way, lambda way=way: whole(way)) for way in WAYS]
    expected = found[0]["files"]
    fine = all(told["files"] == expected for told in found)
    fine &= not any(told["outside_their_range"] or told["direct_ones_of_two_patients"] for told in found)

    out = job("one process", "killed").out
    left = out.parent / ".mllmu-med.building" / "folder"

    def kill(number: int) -> dict[str, object]:
        way = tuple(WAYS)[number % 2]
        told = in_a_process(job(way, "killed", moment=MOMENTS[number], delay=asked.delay))
        return {
            **told,
            "there": out.exists(),
            "complete": out.exists() and verify(out).ok and files(out) == expected,
            "left_verifies_and_is_incomplete": left.exists() and verify(left).ok and files(left) != expected,
        }

    def go_on() -> dict[str, object]:
        told = in_a_process(job("two processes", "killed"))
        told |= {"same_files": files(out) == expected, "left": sorted(path.name for path in out.parent.iterdir())}
        shutil.rmtree(out.parent)
        return told

    for number, (stage, share) in enumerate(MOMENTS):
        told = step(f"killed at {share:.0%} of {stage.strip()}", lambda number=number: kill(number))
        fine &= told["there"] == told["complete"] and not told["left_verifies_and_is_incomplete"]
        fine &= not told["lived"]
    told = step("gone on to the end", go_on)
    fine &= bool(told["lived"] and told["same_files"] and told["left"] == ["mllmu-med"])
    print("all the same" if fine else "NOT all the same")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
