"""The whole study by one command: its graph run in its folder, by whichever engine; what is done stays."""

import json
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_dataset.errors import UserError, make_folder, unknown

from .. import methods
from ..run.folder_lock import taken
from ..run.progress import Progress
from .engines import engine
from .engines.choice import opened
from .engines.options import EngineOptions
from .engines.records import FOLDER, Records
from .graph import Graph
from .growth import GROWS, grown
from .plan_text import plan_text
from .stages import build, check, plan
from .study import STUDY, Study, read_study

HERE = EngineOptions()


def bench(study: Study, *, resume: bool = True, options: EngineOptions = HERE) -> dict[str, object]:
    """Run the study, or what is left of it, and return its report.

    What the folder's study holds beside it stays part of it (:mod:`.growth`). On a CPU stages run side by side, each in
    a process with its share of the cores (a small model gains little from a second thread); or by the engine that the
    options name. A folder that holds another study is a :class:`UserError`.
    """
    check(study)
    with locked(study.out):
        whole = claim(study, resume=resume)
        run(partial(study_graph, whole), study.out, options)
        return json.loads((study.out / "report.json").read_text(encoding="utf-8"))


def build_only(study: Study) -> None:
    """Take the study's folder and build its data set, for stages that are run as commands of their own.

    A bench may be at work in the folder, and this one of its stages; the data set's folder refuses a second build.
    """
    check(study)
    refuse_other_use(study.out)
    make_folder(study.out)
    stage = build(claim(study, resume=True))
    with given_up(study.out, STUDY):
        engine.run_stage(stage, Progress({stage.title: stage.cost}))


def study_graph(study: Study) -> Graph:
    """Return the graph of a study in a process that may not know its methods yet."""
    for file in study.method_files:
        methods.read(file)
    return plan(study)


def run(graph: Callable[[], Graph], out: Path, options: EngineOptions = HERE, marker: str = STUDY) -> None:
    """Run the graph that the call makes, with progress on stderr; a folder refused before it was used is given up.

    `marker` is the file that says what the folder holds.
    """
    stages = graph()
    progress = Progress(
        {stage.title: stage.cost for stage in stages.values()},
        kinds={stage.title: stage.kind for stage in stages.values()},
    )
    try:
        with given_up(out, marker), Records(out).driving(stages, options.engine) as records:
            engine.run(stages, opened(options, graph, stages, records, progress))
    finally:
        progress.close()


@contextmanager
def given_up(out: Path, marker: str) -> Iterator[None]:
    """Leave nothing in a folder whose study was refused before it made anything; a log of what was tried stays."""
    try:
        yield
    except UserError:
        if _made(out) == [marker] and not any((out / FOLDER).glob("*.log")):
            shutil.rmtree(out / FOLDER, ignore_errors=True)
            (out / marker).unlink()
        raise


def _made(out: Path) -> list[str]:
    """Return the names in a folder, but for the records of how stages go."""
    return [path.name for path in out.iterdir() if path.name != FOLDER]


@contextmanager
def locked(out: Path, marker: str = STUDY) -> Iterator[None]:
    """Keep a second bench out of the folder while this one runs; a folder that holds nothing in the end is removed."""
    refuse_other_use(out, marker)
    with taken(out):
        yield


def refuse_other_use(out: Path, marker: str = STUDY) -> None:
    """Refuse a folder that holds something else than a study."""
    if out.exists() and (not out.is_dir() or (_made(out) and not (out / marker).is_file())):
        raise UserError(f"The output folder '{out}' is in use by something else. Name an empty or new folder.")


@contextmanager
def claimed(out: Path, marker: str, settings: str, holds: str, gave: str) -> Iterator[None]:
    """Take a folder that is new, empty or of these settings, written into its marker, and keep a second one out of it.

    holds, gave: in words, what a folder of other settings holds, and what to give to go on with it.
    """
    with locked(out, marker):
        path = out / marker
        if not path.is_file():
            write_atomically(path, settings)
        elif path.read_text(encoding="utf-8", errors="replace") != settings:
            raise UserError(
                f"'{out}' holds {holds} ({path}). Name another --out folder, or give the {gave} it was started with to "
                "resume it."
            )
        yield


def plan_or_stage(graph: Graph, out: Path, options: EngineOptions, *, plan: bool, stage: str | None) -> bool:
    """Print a graph's stages, or run one of them, where that was asked for; return whether it was."""
    if stage is not None and stage not in graph:
        raise unknown("stage", stage, graph)
    if plan:
        print(plan_text([(out, graph)], options))
    elif stage:
        engine.run_stage(graph[stage], Progress({graph[stage].title: 1}))
    return plan or bool(stage)


def claim(study: Study, *, resume: bool) -> Study:
    """Write down what the folder holds from now on and return it, or refuse a folder that holds something else."""
    whole = grown(read_study(study.out), study) if _is_claimed(study.out / STUDY) else study
    claim_as(study.out / STUDY, whole.settings(), lambda: read_study(study.out), resume=resume, grows=GROWS)
    return whole


def _is_claimed(path: Path) -> bool:
    """Say whether a folder is of the study in its file, which alone claims nothing: it was refused before it began."""
    return path.is_file() and len(_made(path.parent)) > 1


def claim_as(
    path: Path,
    asked: Mapping[str, object],
    read: Callable[[], Mapping[str, object]],
    *,
    resume: bool,
    grows: Collection[str] = (),
) -> None:
    """Write the settings of a study into the file of its folder, or refuse where what `read` gives differs.

    What is in `grows` may differ.
    """
    out = path.parent
    if _is_claimed(path):
        held = read()
        differing = [key for key in {**asked, **held} if held.get(key) != asked.get(key) and key not in grows]
        if differing:
            raise UserError(
                f"'{out}' holds a study with other settings ({', '.join(differing)}). Name another --out folder, "
                "or give the settings it was started with to resume it."
            )
        if not resume:
            raise UserError(f"'{out}' already holds this study. Name another --out folder, or use --resume.")
    write_atomically(path, json.dumps(asked, indent=1) + "\n")
