"""The stages of a study in order, each the command of the same name run on the study's folder."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mllmu_med_dataset.configs import MAIN_PERCENT, PERCENTS
from mllmu_med_dataset.errors import UserError

from . import config, methods
from .record import read_record
from .study import CONTROLS, DATA, EVALUATION, Study, run_folder

if TYPE_CHECKING:
    from mllmu_med_dataset.sources import Records

# Expected seconds on two CPU cores with the nano model; only proportions matter, for the estimate of the time left.
COSTS = {"build": 4.0, "learn": 50.0, "unlearn": 15.0, "evaluate": 5.0, "control": 1.0, "report": 6.0}
FAST_SETTINGS = {"learn": ["max_steps=4"], "unlearn": ["max_steps=2"]}
Part = Callable[[int, int], None]  # told how far a stage is: done, of


@dataclass(frozen=True)
class Stage:
    """One step of the plan: `run` takes a progress callback and returns whether there was anything to do."""

    name: str
    kind: str
    run: Callable[[Part], bool]


def plan(study: Study) -> list[Stage]:
    """Return the stages of a study in the order they run; what a later stage needs comes before it."""
    stages = [Stage("build", "build", lambda part: build(study))]
    for scenario in study.scenarios:
        for rows in ("target", "retain_only"):
            stages.append(Stage(f"{scenario}: learn {rows}", "learn", learn(study, scenario, rows)))
        for method in study.methods:
            stages.append(Stage(f"{scenario}: unlearn {method}", "unlearn", unlearn(study, scenario, method)))
        for model in ("base", "target", "retain_only", *study.methods):
            stages.append(Stage(f"{scenario}: evaluate {model}", "evaluate", evaluate(study, scenario, model)))
        for image in CONTROLS:
            name = f"{scenario}: target shown {'a blank' if image == 'blank' else 'another'} image"
            stages.append(Stage(name, "control", evaluate(study, scenario, "target", image)))
    return stages


def check(study: Study) -> None:
    """Refuse what can be refused before anything is written: percent, methods, preset, model, source."""
    if study.percent not in PERCENTS:
        nearest = min(PERCENTS, key=lambda known: abs(known - study.percent))
        raise UserError(f"--percent is {study.percent}; it can be 5, 10 or 15, and {nearest} is the nearest.")
    for file in study.method_files:
        methods.read(file)
    for method in study.methods:
        methods.get(method)
    for scenario in study.scenarios:
        config.learn_recipe(study.preset, scenario=scenario)
    from . import models

    models.check_usable(study.model)
    _records(study)


def _records(study: Study) -> "Records":
    from mllmu_med_dataset.sources import open_source

    return open_source(
        study.source,
        path=study.source_path,
        seed=study.seed,
        patients=study.patients,
        max_unusable=study.max_unusable,
        skip_bad_images=study.skip_bad_images,
        options=study.source_options or {},
    )


def build(study: Study) -> bool:
    """Build the data set, and return whether there was anything to do."""
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


def learn(study: Study, scenario: str, rows: str) -> Callable[[Part], bool]:
    """Return what learns a model from these rows."""

    def run(part: Part) -> bool:
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


def unlearn(study: Study, scenario: str, method: str) -> Callable[[Part], bool]:
    """Return what makes the target forget by a method."""

    def run(part: Part) -> bool:
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


def evaluate(study: Study, scenario: str, model: str, image: str = "own") -> Callable[[Part], bool]:
    """Return what asks a model the study's questions, about their own image or a control."""

    def run(part: Part) -> bool:
        from . import evaluate as evaluation

        folder = run_folder(study.out, scenario, model)
        record = evaluation.evaluate(
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
