"""The whole study by one command: its stages run, side by side where they can; a finished one is not repeated."""

import json
import multiprocessing
import os
import signal
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from typing import Protocol

from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_dataset.errors import UserError, make_folder

from . import methods
from .disk import alone
from .progress import Progress
from .stages import COSTS, Stage, check, plan
from .study import STUDY, Study


def bench(study: Study, *, resume: bool = True, workers: int | None = None) -> dict[str, object]:
    """Run the study, or what is left of it, and return its report.

    Scenarios share nothing but the data set, so on a CPU they run side by side, each in a process with its share of the
    cores (a small model gains little from a second thread). A folder that holds another study is a :class:`UserError`.
    """
    check(study)
    with locked(study.out):
        claim(study, resume=resume)
        return _run(study, workers)


def build_only(study: Study) -> None:
    """Take the study's folder and build its data set, for stages that are run as commands of their own."""
    check(study)
    with locked(study.out):
        claim(study, resume=True)
        _build_or_leave(study, Progress({"build": COSTS["build"]}))


def _build_or_leave(study: Study, progress: Progress) -> None:
    """Run the first stage; where it is refused, give the folder up again."""
    try:
        run_stages([plan(study)[0]], progress)
    except UserError:
        if [path.name for path in study.out.iterdir()] == [STUDY]:
            (study.out / STUDY).unlink()
        raise


def _run(study: Study, workers: int | None) -> dict[str, object]:
    build, *rest = plan(study)
    lanes = [[stage for stage in rest if stage.name.startswith(f"{scenario}: ")] for scenario in study.scenarios]
    workers = min(workers or _default_workers(), len(lanes))
    costs = {stage.name: COSTS[stage.kind] for stage in (build, *rest)} | {"report": COSTS["report"]}
    progress = Progress(costs, lanes=workers)
    _build_or_leave(study, progress)
    if workers == 1:
        for lane in lanes:
            run_stages(lane, progress)
    else:
        _side_by_side(study, workers, progress)
    from . import report  # brings matplotlib

    progress.start("report")
    found = report.report(study.out)
    progress.finish("report")
    return found


class Follower(Protocol):
    """Who is told how stages go: a :class:`Progress`, or the other end of a worker's queue."""

    def start(self, name: str) -> None: ...

    def part(self, name: str, done: int, total: int) -> None: ...

    def finish(self, name: str, *, kept: bool = False) -> None: ...


def run_stages(stages: Sequence[Stage], follower: Follower) -> None:
    """Run stages one after the other."""
    for stage in stages:
        follower.start(stage.name)
        worked = stage.run(partial(follower.part, stage.name))
        follower.finish(stage.name, kept=not worked)


class _Sender:
    """Tells the process that started this one how its stages go."""

    def __init__(self, queue: "Queue") -> None:
        self._queue = queue

    def start(self, name: str) -> None:
        self._queue.put(("start", {"name": name}))

    def part(self, name: str, done: int, total: int) -> None:
        self._queue.put(("part", {"name": name, "done": done, "total": total}))

    def finish(self, name: str, *, kept: bool = False) -> None:
        self._queue.put(("finish", {"name": name, "kept": kept}))


def _side_by_side(study: Study, workers: int, progress: Progress) -> None:
    """Run each scenario's stages in a process of its own, at most so many at once, and follow them."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    threads = max(1, _cores() // workers)
    waiting = list(study.scenarios)
    running: list[multiprocessing.process.BaseProcess] = []
    finished = 0
    try:
        while finished < len(study.scenarios):
            while waiting and len(running) < workers:
                process = context.Process(target=_work, args=(study, waiting.pop(0), threads, queue), daemon=True)
                process.start()
                running.append(process)
            try:
                what, details = queue.get(timeout=1)
            except Empty:
                if any(process.exitcode not in (None, 0) for process in running):
                    raise UserError(
                        "A worker process of the bench was killed, by the system for want of memory or by hand. Run "
                        "the same command again to resume, with --workers 1 where memory is short."
                    ) from None
                continue
            if what == "refused":
                raise UserError(details["said"])
            if what == "failed":
                raise RuntimeError(details["said"])
            if what == "done":
                finished += 1
                running = [process for process in running if process.pid != details["pid"]]
            else:
                getattr(progress, what)(**details)
    finally:
        for process in running:
            process.terminate()


def _work(study: Study, scenario: str, threads: int, queue: "Queue") -> None:
    """Run one scenario's stages in a process of its own."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's to answer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    quieten()
    try:
        for file in study.method_files:
            methods.read(file)
        run_stages([stage for stage in plan(study) if stage.name.startswith(f"{scenario}: ")], _Sender(queue))
        queue.put(("done", {"pid": os.getpid()}))
    except UserError as error:
        queue.put(("refused", {"said": str(error)}))
    except Exception:
        queue.put(("failed", {"said": traceback.format_exc()}))


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however it went: a resumed bench must be alone."""
    multiprocessing.parent_process().join()
    os._exit(1)


def quieten() -> None:
    """Keep libraries' own bars and notes off stderr; errors still show."""
    import transformers

    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()


def _default_workers() -> int:
    import torch

    return 1 if torch.cuda.is_available() else _cores()


def _cores() -> int:
    """Return the cores this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep a second bench out of the folder while this one runs; a folder that holds nothing in the end is removed."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / STUDY).is_file())):
        raise UserError(f"The output folder '{out}' is in use by something else. Name an empty or new folder.")
    make_folder(out)
    with alone(out):
        try:
            yield
        finally:
            if not any(out.iterdir()):
                out.rmdir()


def claim(study: Study, *, resume: bool) -> None:
    """Write down what the folder holds, or refuse a folder that holds something else."""
    path = study.out / STUDY
    # Alone in its folder the file claims nothing: the study it names was refused before it built anything.
    if path.is_file() and len(list(study.out.iterdir())) > 1:
        held = json.loads(path.read_text(encoding="utf-8"))
        asked = study.settings()
        differing = [key for key in {**asked, **held} if held.get(key) != asked.get(key)]
        if differing:
            raise UserError(
                f"'{study.out}' holds a study with other settings ({', '.join(differing)}). Name another --out folder, "
                "or give the settings it was started with to resume it."
            )
        if not resume:
            raise UserError(f"'{study.out}' already holds this study. Name another --out folder, or use --resume.")
    write_atomically(path, json.dumps(study.settings(), indent=1) + "\n")
