"""The stages of a study: each runs here, or as the command of the same name, on the study's folder."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mllmu_med_dataset.errors import UserError, unknown
from mllmu_med_metrics.vocabulary import ATTACK_SET, MAIN_PERCENT, OF_BELIEFS, PERCENTS, SUBSETS

from .. import config, methods
from ..model import published
from ..run.run_record import RECORD
from ..run.run_record import read_record as read_run
from .durations import expected
from .graph import Graph, Part, Stage
from .growth import of_data_set
from .study import ATTACKED, CLEAN, CONTROLS, DATA, EVALUATION, IMAGES, Study, run_folder, run_name

if TYPE_CHECKING:
    from mllmu_med_dataset.sources import Records

FAST_SETTINGS = {
    "learn": ["max_steps=4"],
    "unlearn": ["max_steps=2"],
    "attack": ["steps=1", "answers=2", "draws=1", "candidates=4"],
}


def plan(study: Study) -> Graph:
    """Return the graph of a study, each stage after those it needs."""
    stages = [build(study)]
    for scenario in study.scenarios:
        stages += [learn(study, scenario, rows) for rows in study.learned(scenario)]
        stages += [unlearn(study, scenario, method, seed) for method, seed in study.runs]
        runs = [run_name(method, study.seed, seed) for method, seed in study.runs]
        stages += [evaluate(study, scenario, run) for run in ("base", *study.learned(scenario), *runs)]
        stages += [evaluate(study, scenario, "target", image) for image in IMAGES]
        stages += [attack(study, scenario, run) for run in study.attacked(scenario)]
    scored = tuple(stage.id for stage in stages if "-evaluate-" in stage.id or "-attack-" in stage.id)
    return Graph([*stages, report(study, scored)])


def check(study: Study) -> None:
    """Refuse what can be refused before anything is written: percent, methods, preset, model, source."""
    if study.percent not in PERCENTS:
        nearest = min(PERCENTS, key=lambda known: abs(known - study.percent))
        raise UserError(f"--percent is {study.percent}; it can be 5, 10 or 15, and {nearest} is the nearest.")
    for file in study.method_files:
        methods.read(file)
    for method in study.methods:
        if methods.get(method).name in methods.CONTROLS:
            raise UserError(f"{method} is a control, not a method: it stands beside the methods. See --controls.")
    for control in study.controls:
        if control not in CONTROLS:
            raise unknown("control", control, CONTROLS)
    if study.unlearning_seeds < 1:
        raise UserError(f"--unlearning-seeds is {study.unlearning_seeds}; every method runs at least once. Write 1.")
    for scenario in study.scenarios:
        config.learn_recipe(study.preset, scenario=scenario)
        if study.built and scenario not in study.built:
            raise UserError(
                f"--build-scenarios leaves out {scenario}, which --scenarios names. Add it, or leave --build-scenarios "
                "out."
            )
    from ..model import models

    models.check_usable(study.model)
    _records(study)


def build(study: Study) -> Stage:
    """Return what builds the data set."""
    argv = _argv("bench", *study.arguments(_files(study)), "--build-only")
    cost, leaves = _cost(study, "build"), (study.out / DATA / "checksums.json",)
    run, decides = partial(_build, study), tuple(map(str, of_data_set(study).arguments({})))
    return Stage("build", "build", (), argv, run, cost, "build", leaves, needs_gpu=False, decides=decides)


def learn(study: Study, scenario: str, rows: str) -> Stage:
    """Return what learns a model from these rows."""
    out, first = run_folder(study.out, scenario, rows), _learned_first(scenario, rows)
    words = ["--model", model_of(study, scenario, first), "--rows", rows, *_recipe(study, "learn"), "--out", out]
    words += [] if study.learn else ["--published"]
    kind = "published" if _comes_with_package(study, scenario, rows) else "learn"
    return Stage(
        id=f"{scenario}-{rows}",
        title=f"{scenario}: learn {rows}",
        needs=("build" if first == "base" else f"{scenario}-{first}",),
        argv=_argv("learn", *_common(study, scenario), *words),
        run=partial(_learn, study, scenario, rows),
        cost=_cost(study, kind, scenario),
        kind=kind,
        leaves=(out / RECORD,),
    )


def unlearn(study: Study, scenario: str, method: str, seed: int) -> Stage:
    """Return what makes the target forget by a method, or go on by a control, with an unlearning seed."""
    name = run_name(method, study.seed, seed)
    target, out = model_of(study, scenario, "target"), run_folder(study.out, scenario, name)
    words = ("--model", target, "--method", _files(study).get(method, method), *_recipe(study, "unlearn"), "--out", out)
    return Stage(
        id=f"{scenario}-{name}",
        title=f"{scenario}: unlearn {name}",
        needs=(f"{scenario}-target",),
        argv=_argv("unlearn", *_common(study, scenario, seed), *words),
        run=partial(_unlearn, study, scenario, method, seed),
        cost=_cost(study, "unlearn", scenario, name),
        kind="unlearn",
        leaves=(out / RECORD,),
    )


def evaluate(study: Study, scenario: str, model: str, image: str = "own") -> Stage:
    """Return what asks a model the study's questions, about their own image or, as a control, another one."""
    folder = run_folder(study.out, scenario, model)
    kind = "evaluate" if image == "own" else "control"
    words: list[object] = ["--max-retain", study.max_retain or 0]
    words += ["--model", model_of(study, scenario, model)]
    if image == "own":
        title = f"{scenario}: evaluate {model}"
        words += ["--out", folder / EVALUATION, *(["--views"] if study.views else [])]
    else:
        title = f"{scenario}: target shown {'a blank' if image == 'blank' else 'another'} image"
        words += ["--out", folder / image, "--image", image, "--subsets", "forget"]
    return Stage(
        id=f"{scenario}-evaluate-{model}" + ("" if image == "own" else f"-{image}"),
        title=title,
        needs=("build" if model == "base" else f"{scenario}-{model}",),
        argv=_argv("evaluate", *_common(study, scenario), *words),
        run=partial(_evaluate, study, scenario, model, image),
        cost=_cost(study, kind, scenario),
        kind=kind,
        leaves=(folder / (EVALUATION if image == "own" else image),),
    )


def attack(study: Study, scenario: str, model: str) -> Stage:
    """Return what runs the set of attacks on the model of a run."""
    words: list[object] = ["--model", model_of(study, scenario, model), "--attack", ATTACK_SET]
    for setting in _settings(study, "attack"):
        words += ["--set", setting]
    out = run_folder(study.out, scenario, model) / ATTACKED
    words += ["--out", out]
    return Stage(
        id=f"{scenario}-attack-{model}",
        title=f"{scenario}: attack {model}",
        needs=(f"{scenario}-{model}",),
        argv=_argv("attack", *_common(study, scenario), *words),
        run=partial(_attack, study, scenario, model),
        cost=_cost(study, "attack", scenario),
        kind="attack",
        leaves=(out,),
    )


def report(study: Study, needs: tuple[str, ...]) -> Stage:
    """Return what scores the finished runs and writes the report."""
    argv = _argv("report", study.out)
    run, cost = partial(_report, study), _cost(study, "report")
    return Stage("report", "report", needs, argv, run, cost, "report", needs_gpu=False)


def model_of(study: Study, scenario: str, name: str) -> str | Path:
    """Return where the model of a run is: of base the study's own, else what the run leaves in its folder."""
    return study.model if name == "base" else run_folder(study.out, scenario, name)


def _learned_first(scenario: str, rows: str) -> str:
    """Return what a model is learned from: the base, or, of beliefs, the model that was taught the truth before.

    Whoever believes something wrong of a matter has its own idea of it: a base that knows nothing would have to be
    measured by guesses.
    """
    return CLEAN if scenario in OF_BELIEFS and rows != CLEAN else "base"


def _build(study: Study, part: Part) -> bool:
    from mllmu_med_dataset import build as data_set

    records = _records(study)
    summary = data_set.build(
        records,
        study.out / DATA,
        scenarios=study.built or study.scenarios,
        percents=tuple(sorted({MAIN_PERCENT, study.percent})),
        seed=study.seed,
        # A study never leaves this machine, so the model sees images that may not be passed on.
        local=True,
        parameters=records.parameters,
    )
    return not summary.already_there


def _learn(study: Study, scenario: str, rows: str, part: Part) -> bool:
    from ..training.learn import learn

    folder = run_folder(study.out, scenario, rows)
    before = read_run(folder)
    record = learn(
        model=model_of(study, scenario, _learned_first(scenario, rows)),
        data_dir=study.out / DATA,
        scenario=scenario,
        rows=rows,
        percent=study.percent,
        out=folder,
        recipe=config.learn_recipe(study.preset, _settings(study, "learn"), scenario, rows),
        seed=study.seed,
        progress=part,
        published=not study.learn,
    )
    return record != before


def _unlearn(study: Study, scenario: str, method: str, seed: int, part: Part) -> bool:
    from ..training.unlearn import unlearn

    folder = run_folder(study.out, scenario, run_name(method, study.seed, seed))
    before = read_run(folder)
    record = unlearn(
        model=model_of(study, scenario, "target"),
        data_dir=study.out / DATA,
        scenario=scenario,
        method=method,
        percent=study.percent,
        out=folder,
        recipe=config.unlearn_recipe(method, scenario, study.preset, _settings(study, "unlearn")),
        seed=seed,
        progress=part,
    )
    return record != before


def _evaluate(study: Study, scenario: str, model: str, image: str, part: Part) -> bool:
    from mllmu_med_tasks.questions import Questions

    from ..evaluation.evaluate import evaluate

    folder, own = run_folder(study.out, scenario, model), image == "own"
    questions = Questions(
        scenario=scenario,
        data_dir=study.out / DATA,
        percent=study.percent,
        subsets=SUBSETS if own else ("forget",),
        views=study.views and own,
        max_retain=study.max_retain,
        image=image,
        seed=study.seed,
    )
    record = evaluate(
        model_of(study, scenario, model),
        questions,
        out=folder / (EVALUATION if own else image),
        progress=part,
    )
    return not record["kept"]


def _attack(study: Study, scenario: str, model: str, part: Part) -> bool:
    from .. import attacks
    from ..attacks.attack_model import AttackRequest, attack_model, read_record

    request = AttackRequest(model_of(study, scenario, model), study.out / DATA, scenario, study.percent, study.seed)
    chosen = attacks.chosen([ATTACK_SET])
    settings = {name: float(value) for name, _, value in (one.partition("=") for one in _settings(study, "attack"))}
    out = run_folder(study.out, scenario, model) / ATTACKED
    before = {one.name: read_record(out, one.name) for one in chosen}
    after = attack_model(
        request,
        chosen,
        out,
        options=attacks.options_of(chosen, settings),
        progress=lambda _, done, of: part(done, of),
    )
    return after != before


def _report(study: Study, part: Part) -> bool:
    from . import report as reporting  # brings matplotlib

    reporting.report(study.out)
    return True


def _records(study: Study) -> "Records":
    from mllmu_med_dataset.sources import open_source

    return open_source(
        study.source,
        path=study.source_path,
        seed=study.seed,
        patients=study.patients,
        max_unusable=study.max_unusable,
        skip_bad_images=study.skip_bad_images,
        with_beliefs=not set(OF_BELIEFS).isdisjoint(study.built or study.scenarios),
        options=study.source_options or {},
    )


def _comes_with_package(study: Study, scenario: str, rows: str) -> bool:
    """Say whether a model will be taken and not learned, as far as the study's settings tell."""
    usual, deciding = Study(study.out), ("model", "source", "patients", "preset", "percent", "seed", "learn", "fast")
    same = all(getattr(study, one) == getattr(usual, one) for one in deciding)
    return same and f"{study.model}-{scenario}-{rows}" in published.names()


def _cost(study: Study, kind: str, scenario: str = "", name: str = "") -> float:
    return expected(kind, scenario, name, fast=study.fast)


def _argv(*words: object) -> tuple[str, ...]:
    return ("mllmu-med", *map(str, words))


def _common(study: Study, scenario: str, seed: int | None = None) -> tuple[object, ...]:
    seed = study.seed if seed is None else seed
    return ("--data", study.out / DATA, "--scenario", scenario, "--percent", study.percent, "--seed", seed)


def _settings(study: Study, kind: str) -> list[str]:
    return FAST_SETTINGS[kind] if study.fast else []


def _recipe(study: Study, kind: str) -> Iterator[str]:
    yield from ("--preset", study.preset)
    for setting in _settings(study, kind):
        yield from ("--set", setting)


def _files(study: Study) -> dict[str, str]:
    """Return the file of each method that is not the package's, as a command line names it."""
    return {methods.read(file).name: str(file) for file in study.method_files}
