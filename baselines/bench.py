"""The whole study by one command: build, learn, unlearn, evaluate, score, report; a finished stage is not repeated.

Every stage is the command of the same name run on a fixed folder layout:

    OUT/mllmu-med/                            the data set
    OUT/<scenario>/<model>/                   a run: record.json, metrics.jsonl, model/ (and adapter/)
    OUT/<scenario>/<model>/evaluation/        lm-eval's results and samples
    OUT/<scenario>/target/blank|other/        controls: the target shown a blank or another patient's image
    OUT/report.json  report.md  figures/
"""

import json
import multiprocessing
import os
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Protocol

from filelock import FileLock, Timeout

from mllmu_med_dataset.configs import MAIN_PERCENT, PERCENTS, SCENARIOS
from mllmu_med_dataset.errors import UserError, make_folder

from . import config, methods
from .progress import Progress
from .record import read_record, write_atomically

if TYPE_CHECKING:
    from mllmu_med_dataset.sources import Records

METHODS = ("ga", "gd", "kl_min", "idk", "llmu")
STUDY = "study.json"
LOCK = ".lock"
DATA = "mllmu-med"
EVALUATION = "evaluation"
CONTROLS = ("blank", "other")
FAST_SETTINGS = {"learn": ["max_steps=4"], "unlearn": ["max_steps=2"]}
# Expected seconds on two CPU cores with the nano model; only proportions matter, for the estimate of the time left.
COSTS = {"build": 4.0, "learn": 50.0, "unlearn": 15.0, "evaluate": 5.0, "control": 1.0, "report": 6.0}


@dataclass(frozen=True)
class Study:
    """What a bench runs: the same value gives the same report (but for seconds and memory)."""

    out: Path
    model: str = "nano"
    source: str = "phantom"
    source_path: Path | None = None
    source_options: Mapping[str, str] | None = None
    patients: int = 240
    skip_bad_images: bool = False
    scenarios: tuple[str, ...] = SCENARIOS
    methods: tuple[str, ...] = METHODS
    method_files: tuple[Path, ...] = ()  # of the methods that are not the package's
    preset: str = "nano"
    percent: int = MAIN_PERCENT  # of the trained patients are forgotten; each share is a study of its own
    views: bool = False  # whether every model is asked the views of the forget rows as well
    seed: int = 0
    max_retain: int = 200
    fast: bool = False

    def settings(self) -> dict[str, object]:
        """Return what decides the result, in plain values: everything but where it is written."""
        return {key: _plain(value) for key, value in asdict(self).items() if key != "out"}


@dataclass(frozen=True)
class Stage:
    """One step of the plan: `run` takes a progress callback and returns whether there was anything to do."""

    name: str
    kind: str
    run: Callable[[Callable[[int, int], None]], bool]


def fast(study: Study) -> Study:
    """Return the smallest study that passes every stage: a smoke test, its numbers mean nothing."""
    return Study(**{**study.__dict__, "patients": min(study.patients, 60), "max_retain": 8, "fast": True})


def plan(study: Study) -> list[Stage]:
    """Return the stages of a study in the order they run; what a later stage needs comes before it."""
    stages = [Stage("build", "build", lambda part: _build(study))]
    for scenario in study.scenarios:
        for rows in ("target", "retain_only"):
            stages.append(Stage(f"{scenario}: learn {rows}", "learn", _learn(study, scenario, rows)))
        for method in study.methods:
            stages.append(Stage(f"{scenario}: unlearn {method}", "unlearn", _unlearn(study, scenario, method)))
        for model in ("base", "target", "retain_only", *study.methods):
            stages.append(Stage(f"{scenario}: evaluate {model}", "evaluate", _evaluate(study, scenario, model)))
        for image in CONTROLS:
            name = f"{scenario}: target shown {'a blank' if image == 'blank' else 'another'} image"
            stages.append(Stage(name, "control", _evaluate(study, scenario, "target", image)))
    return stages


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
        if not _contents(study.out) - {STUDY}:
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
    from . import report

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


def check(study: Study) -> None:
    """Refuse what can be refused before anything is written: percent, methods, preset, model, source."""
    if study.percent not in PERCENTS:
        nearest = min(PERCENTS, key=lambda known: abs(known - study.percent))
        raise UserError(f"--percent is {study.percent}; it can be 5, 10 or 15, and {nearest} is the nearest.")
    for method in study.methods:
        methods.get(method)
    for scenario in study.scenarios:
        config.learn_recipe(study.preset, scenario=scenario)
    from . import models

    models.check_usable(study.model)
    _records(study)


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep a second bench out of the folder while this one runs; the system lets go of the lock however this one ends.

    A folder that holds nothing in the end is removed.
    """
    if out.exists() and (not out.is_dir() or (_contents(out) and not (out / STUDY).is_file())):
        raise UserError(f"The output folder '{out}' is in use by something else. Name an empty or new folder.")
    make_folder(out)
    lock = FileLock(out / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"Another bench is at work in '{out}'. Wait until it ends, or name another --out folder."
        ) from None
    try:
        yield
    finally:
        if not _contents(out):
            (out / LOCK).unlink(missing_ok=True)
            out.rmdir()
        lock.release()


def _contents(out: Path) -> set[str]:
    """Return the names of what a study's folder holds, but for its lock."""
    return {path.name for path in out.iterdir()} - {LOCK}


def claim(study: Study, *, resume: bool) -> None:
    """Write down what the folder holds, or refuse a folder that holds something else."""
    path = study.out / STUDY
    # Alone in its folder the file claims nothing: the study it names was refused before it built anything.
    if path.is_file() and _contents(study.out) - {STUDY}:
        held = json.loads(path.read_text(encoding="utf-8"))
        differing = [key for key, value in study.settings().items() if held.get(key) != value]
        if differing:
            raise UserError(
                f"'{study.out}' holds a study with other settings ({', '.join(differing)}). Name another --out folder, "
                "or give the settings it was started with to resume it."
            )
        if not resume:
            raise UserError(f"'{study.out}' already holds this study. Name another --out folder, or use --resume.")
    write_atomically(path, json.dumps(study.settings(), indent=1) + "\n")


def run_folder(out: Path, scenario: str, model: str) -> Path:
    """Return where a model of a study lives."""
    return out / scenario / model


def _records(study: Study) -> "Records":
    from mllmu_med_dataset.sources import open_source

    return open_source(
        study.source,
        path=study.source_path,
        seed=study.seed,
        patients=study.patients,
        skip_bad_images=study.skip_bad_images,
        options=study.source_options or {},
    )


def _build(study: Study) -> bool:
    from mllmu_med_dataset.build import build

    records = _records(study)
    summary = build(
        records,
        study.out / DATA,
        scenarios=study.scenarios,
        percents=tuple(sorted({MAIN_PERCENT, study.percent})),
        seed=study.seed,
        # A study never leaves this machine, so the model sees images that may not be passed on.
        local=True,
        parameters=records.parameters,
    )
    return not summary.already_there


def _learn(study: Study, scenario: str, rows: str) -> Callable[[Callable[[int, int], None]], bool]:
    def run(part: Callable[[int, int], None]) -> bool:
        from . import train

        settings = FAST_SETTINGS["learn"] if study.fast else []
        folder = run_folder(study.out, scenario, rows)
        before = read_record(folder)
        record = train.learn(
            model=study.model,
            data_dir=study.out / DATA,
            scenario=scenario,
            rows=rows,
            percent=study.percent,
            out=folder,
            recipe=config.learn_recipe(study.preset, settings, scenario),
            seed=study.seed,
            progress=part,
        )
        return record != before

    return run


def _unlearn(study: Study, scenario: str, method: str) -> Callable[[Callable[[int, int], None]], bool]:
    def run(part: Callable[[int, int], None]) -> bool:
        from . import train

        settings = FAST_SETTINGS["unlearn"] if study.fast else []
        folder = run_folder(study.out, scenario, method)
        before = read_record(folder)
        record = train.unlearn(
            model=run_folder(study.out, scenario, "target"),
            data_dir=study.out / DATA,
            scenario=scenario,
            method=method,
            percent=study.percent,
            out=folder,
            recipe=config.unlearn_recipe(method, scenario, study.preset, settings),
            seed=study.seed,
            progress=part,
        )
        return record != before

    return run


def _evaluate(
    study: Study, scenario: str, model: str, image: str = "own"
) -> Callable[[Callable[[int, int], None]], bool]:
    def run(part: Callable[[int, int], None]) -> bool:
        from .evaluate import evaluate

        folder = run_folder(study.out, scenario, model)
        record = evaluate(
            model=study.model if model == "base" else folder,
            data_dir=study.out / DATA,
            scenario=scenario,
            out=folder / (EVALUATION if image == "own" else image),
            percent=study.percent,
            views=study.views and image == "own",
            max_retain=study.max_retain,
            image=image,
            **({} if image == "own" else {"subsets": ("forget",)}),
            seed=study.seed,
            progress=part,
        )
        return not record["kept"]

    return run


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def seeds_of(study: Study, seeds: Sequence[int]) -> list[Study]:
    """Return one study a seed; several seeds get a folder each."""
    if len(seeds) == 1:
        return [Study(**{**study.__dict__, "seed": seeds[0]})]
    return [Study(**{**study.__dict__, "seed": seed, "out": study.out / f"seed-{seed}"}) for seed in seeds]
