"""Stages as SLURM jobs, all queued at once: `sbatch --dependency=afterok` holds back what waits for others.

sbatch itself and not submitit: a stage is a command already, so nothing needs to be pickled, and one thing less stands
between a job and who looks for it. Stages that need the same others are one array: one call, one line of the queue.
"""

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mllmu_med_dataset.errors import UserError

from ..graph import Graph, Stage
from . import slurm_job
from .engine import Follower
from .follow import Elsewhere, is_done, undisturbed
from .options import EngineOptions
from .records import DONE, FAILED, LONGEST_NOTE, Records

JOBS = "_jobs"
PROGRAMS = ("sbatch", "squeue", "scancel")
# Seconds between two looks at the records and at the queue, in which a record may still come, and to end everything.
LOOK, LOOK_AT_QUEUE, GRACE, TO_END = 1.0, 5.0, 20.0, 90.0
# SLURM's own limit is 1,001 unless it was raised.
LARGEST_ARRAY = 500
LIVE = ("PENDING", "RUNNING", "SUSPENDED", "CONFIGURING", "COMPLETING", "REQUEUED", "RESIZING", "STOPPED", "SIGNALING")
ORDINARY = ("None", "Priority", "Resources", "Dependency", "BeginTime", "JobArrayTaskLimit", "Cleaning")
ENDS = {
    "TIMEOUT": "its time limit ended it; give a longer --slurm-time",
    "OUT_OF_MEMORY": "it took more memory than the job had; give --slurm-option mem=SIZE",
    "CANCELLED": "it was cancelled, by scancel or an administrator",
    "NODE_FAIL": "its node failed",
    "COMPLETED": "it left no record in the output folder: the folder is not shared with its node",
}


class Slurm:
    """Every stage a job; jobs that an earlier driver left in the queue are taken over."""

    keeps_order = True

    def __init__(self, options: EngineOptions, graph: Graph, records: Records, follower: Follower) -> None:
        """Look what of this study is queued; refuse a machine that can't submit."""
        for program in PROGRAMS:
            if shutil.which(program) is None:
                raise UserError(
                    f"--engine slurm needs SLURM's {program}, which is not on the PATH. Start from a login node of the "
                    "cluster, or leave --engine out to run on this machine."
                )
        self._options, self._graph, self._records = options, graph, records
        self._seen = Elsewhere(graph, records, follower)
        self._name = f"mllmu-{records.token}"
        self._jobs: dict[str, str] = {}
        self._missing: dict[str, float] = {}
        self._waiting: set[str] = set()
        self._noted: set[str] = set()
        self._queue: dict[str, tuple[str, str]] = {}
        self._looked = 0.0
        self._look_at_queue(now=True, strict=True)
        self._take_over()

    @property
    def free(self) -> int:
        """As many as there are: SLURM keeps what finds no room."""
        return len(self._graph)

    def submit(self, stages: Sequence[Stage]) -> None:
        """Queue stages after what they need, but for those that are queued already or known to be done."""
        done: set[str] = set()
        groups: dict[tuple[object, ...], list[Stage]] = {}
        for stage in stages:  # the more urgent first, so that what a stage needs stands before it
            self._waiting.add(stage.id)
            if stage.id in self._jobs:
                continue
            if done.issuperset(stage.needs) and is_done(stage, self._records):
                done.add(stage.id)
            else:
                self._records.forget(stage.id)
                groups.setdefault((stage.needs, stage.needs_gpu), []).append(stage)
        for group in groups.values():
            for first in range(0, len(group), LARGEST_ARRAY):
                self._submit(group[first : first + LARGEST_ARRAY])

    def wait(self) -> str:
        """Follow records and queue until a stage has ended well; raise what the first that did not ended of."""
        while True:
            found = self._seen.look(sorted(self._waiting))
            for id, record in found.items():
                if record.state == FAILED:
                    raise self._seen.failed(id)
            for id, record in found.items():
                if record.state == DONE:
                    self._waiting.discard(id)
                    return self._seen.ended(id, kept=id not in self._jobs)
            self._look_at_queue()
            for id in sorted(self._waiting):
                self._check_queued(id)
            time.sleep(LOOK)

    def cancel(self) -> None:
        """Take every job out of the queue, and wait until none runs."""
        with undisturbed():
            until = time.monotonic() + TO_END
            self._look_at_queue(now=True)
            while self._live() and time.monotonic() < until:
                _call("scancel", f"--name={self._name}", "--me")
                time.sleep(LOOK)
                self._look_at_queue(now=True)
            if left := self._live():
                print(f"SLURM has not ended {', '.join(left)} yet: scancel --name={self._name}", file=sys.stderr)

    def _submit(self, group: Sequence[Stage]) -> None:
        """Queue stages that need the same others as one array."""
        folder, options = self._records.folder.resolve(), self._options
        words = ["sbatch", "--parsable", f"--job-name={self._name}", f"--array=0-{len(group) - 1}", *options.sbatch]
        words += [f"--output={folder}/_slurm-%A_%a.log", "--open-mode=append", f"--chdir={Path.cwd()}"]
        words += [f"--signal=B:USR1@{slurm_job.WARNING}"]
        words += [f"--gpus-per-node={options.gpus_per_stage}"] if options.gpus_per_stage and group[0].needs_gpu else []
        after = [self._jobs[need] for need in group[0].needs if need in self._jobs]
        words += [f"--dependency=afterok:{':'.join(after)}"] if after else []
        job = [sys.executable, "-m", slurm_job.__name__, str(folder.parent), self._records.token]
        job += [str(options.cpus_per_stage), str(options.retries)]
        ids = shlex.join(stage.id for stage in group)
        script = f'#!/bin/bash\nstages=({ids})\nexec {shlex.join(job)} "${{stages[$SLURM_ARRAY_TASK_ID]}}"\n'
        done = _call(*words, script=script)
        if done.returncode:
            raise UserError(
                f"SLURM does not take the job of {group[0].id}: {_said(done)}. Change what it names, as "
                "--slurm-partition, --slurm-time, --gpus-per-stage or --slurm-option; `sinfo` shows what there is."
            )
        number = done.stdout.strip().partition(";")[0]
        self._jobs |= {stage.id: f"{number}_{place}" for place, stage in enumerate(group)}
        self._records.write(JOBS, self._jobs)

    def _take_over(self) -> None:
        """Keep the jobs of an earlier driver whose stages are known; end the others."""
        known = self._records.document(JOBS) or {}
        live = set(self._live())
        self._jobs = {id: str(job) for id, job in known.items() if job in live and id in self._graph}
        if strange := live - set(self._jobs.values()):
            _call("scancel", *sorted(strange))
        if self._jobs:
            print(f"{len(self._jobs)} jobs of this study are in the queue already: taken over", file=sys.stderr)

    def _live(self) -> list[str]:
        return [job for job, (state, _) in self._queue.items() if state in LIVE]

    def _look_at_queue(self, *, now: bool = False, strict: bool = False) -> None:
        """Read what the queue says of this study's jobs; a controller that does not answer now will later."""
        if time.monotonic() - self._looked < LOOK_AT_QUEUE and not now:
            return
        self._looked = time.monotonic()
        mine = ("--me", f"--name={self._name}")
        done = _call("squeue", "--noheader", "--array", "--states=all", *mine, "-o", "%i|%T|%r")
        if done.returncode:
            if strict:
                raise UserError(f"SLURM does not answer: {_said(done)}. `scontrol ping` shows whether it runs.")
            return self._note(f"SLURM does not answer, and is asked again: {_said(done)}")
        lines = [line.strip().split("|", 2) for line in done.stdout.splitlines() if line.count("|") >= 2]
        self._queue = {job: (state, reason) for job, state, reason in lines}

    def _check_queued(self, id: str) -> None:
        """Raise where the job of a stage has ended without a record; say of one that waits for something odd."""
        job = self._jobs.get(id, "")
        # What was cancelled before it began is no longer a part of its array.
        state, reason = self._queue.get(job) or self._queue.get(job.partition("_")[0]) or ("", "")
        if state in LIVE:
            self._missing.pop(id, None)
            if state == "PENDING" and reason not in ORDINARY:
                self._note(f"{id} waits in the queue: {reason}")
            return
        # A record may come later than the end of its job: file systems keep what they have read for a while.
        since = self._missing.setdefault(id, time.monotonic())
        if time.monotonic() - since < GRACE or self._looked < since:
            return
        if self._records.read(id) and self._records.read(id).state in (DONE, FAILED):
            return
        log = self._records.folder / f"_slurm-{job}.log"
        said = log.read_text(encoding="utf-8", errors="replace").strip()[-LONGEST_NOTE:] if log.is_file() else ""
        why = ENDS.get(state, f"SLURM says {state}" if state else "it left the queue, cancelled or long ago")
        if state == "FAILED" and not log.is_file():
            why += "; it printed nothing here, so its node may not share the output folder"
        why += f". It printed: {said}" if said else ""
        raise self._seen.failed(id, f"job {job} ended without a word, and {why}")

    def _note(self, text: str) -> None:
        """Say something once."""
        if text not in self._noted:
            self._noted.add(text)
            print(text, file=sys.stderr)


def _call(*words: str, script: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run one of SLURM's programs; an interrupt of this process does not reach it half-way."""
    return subprocess.run(
        words, input=script, capture_output=True, text=True, check=False, start_new_session=True, errors="replace"
    )


def _said(done: "subprocess.CompletedProcess[str]") -> str:
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return "; ".join(lines[:3]).rstrip(".") or f"it ended with code {done.returncode}"
