"""The trial of the metrics, from the command line.

    python -m baselines.trial --out runs/trial

A graph of stages, as a bench is: models of P and N are learned, methods unlearn from some of P, every model is measured
and dropped, and at the end every metric is judged. ``OUT/trial.json``, ``OUT/trial.txt`` and ``OUT/figures`` hold the
result. Stopped, the same command goes on.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path

from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_dataset.errors import UserError, unknown
from mllmu_med_dataset.load import PACKAGED
from mllmu_med_metrics.trial import UTILITY

from .. import config
from ..methods import METHODS
from ..study import bench
from ..study.engines.options import add_options, read_options
from ..study.graph import Graph, Part, Stage
from ..study.plain_command import run_command
from .pools import SETTINGS, Learned, Trial, Unlearned, rows_of, small

CLAIM = "trial-settings.json"
RESULT, TABLE, FIGURES = "trial.json", "trial.txt", "figures"
REFERENCES = ("target", "retain_only")
SCENARIOS = ("privacy", "incorrectness")
# Expected seconds on one core; only proportions matter.
COSTS = {"reference": 30.0, "learn": 60.0, "retain_only": 12.0, "measure": 25.0, "unlearn": 45.0, "judge": 30.0}


def plan(trial: Trial) -> Graph:
    """Return the graph of a trial."""
    stages = [
        _stage(trial, f"reference-{name}", (), partial(_reference, trial, name), "reference") for name in REFERENCES
    ]
    ready = tuple(stage.id for stage in stages)
    for one in trial.learned():
        cost = "retain_only" if one.kind == "retain_only" else "learn"
        stages.append(_stage(trial, f"learn-{one.name}", (), partial(_learn, trial, one), cost))
        needs = (f"learn-{one.name}", *ready)
        stages.append(_stage(trial, f"measure-{one.name}", needs, partial(_measure_learned, trial, one), "measure"))
    for one in trial.unlearned():
        needs = (f"learn-{one.target.name}", *ready)
        stages.append(_stage(trial, f"unlearn-{one.name}", needs, partial(_unlearn, trial, one), "unlearn"))
    needs = tuple(stage.id for stage in stages if not stage.id.startswith("learn-"))
    return Graph([*stages, _stage(trial, "judge", needs, partial(_judge, trial), "judge")])


def _stage(trial: Trial, id: str, needs: tuple[str, ...], run, cost: str) -> Stage:
    words = ["python", "-m", "baselines.trial", *_words(trial), "--stage", id]
    return Stage(id, id.replace("-", " ", 1), needs, tuple(words), run, COSTS[cost])


def _words(trial: Trial) -> list[str]:
    """Return the options that make this trial."""
    words = ["--out", trial.out, "--scenario", trial.scenario, "--seeds", trial.seeds]
    words += ["--methods", ",".join(trial.methods), "--settings", ",".join(trial.settings)]
    words += ["--targets", trial.targets, "--candidates", trial.candidates]
    words += [] if trial.steps is None else ["--steps", trial.steps]
    return [str(word) for word in words]


def _reference(trial: Trial, name: str, part: Part) -> bool:
    """Measure a published model that scores are relative to."""
    return _measured(trial, name, f"nano-{trial.scenario}-{name}", works=lambda answers: True, in_full=False)


def _learn(trial: Trial, one: Learned, part: Part) -> bool:
    """Learn a model of P or N, unless it is no longer needed."""
    from ..training.learn import learn
    from .measure import material

    if _is_done(trial, one):
        return False
    data, which = rows_of(one, material(trial.scenario).rows)
    recipe = config.learn_recipe("nano", [*one.settings(), *_steps(trial)], trial.scenario)
    learn(
        model="nano", data_dir=PACKAGED, scenario=trial.scenario, rows=which, out=trial.model(one.name), recipe=recipe,
        seed=one.seed, progress=part, data=data,
    )  # fmt: skip
    return True


def _measure_learned(trial: Trial, one: Learned, part: Part) -> bool:
    """Measure a model of P or N, and drop it where nothing is unlearned from it."""
    worked = _measured(trial, one.name, trial.model(one.name), works=_works(trial), in_full=one.kind == "retain_only")
    _drop_done(trial, one)
    return worked


def _unlearn(trial: Trial, one: Unlearned, part: Part) -> bool:
    """Unlearn, measure, and drop the model; its target too where this was the last from it."""
    from ..training.unlearn import unlearn

    if trial.record(one.name).is_file():
        return False
    recipe = config.unlearn_recipe(one.method, trial.scenario, "nano", [*one.settings(trial.scenario), *_steps(trial)])
    folder = trial.model(one.name)
    unlearn(
        model=trial.model(one.target.name), data_dir=PACKAGED, scenario=trial.scenario, method=one.method, out=folder,
        recipe=recipe, seed=one.target.seed, progress=part,
    )  # fmt: skip
    _measured(trial, one.name, folder, works=_works(trial), in_full=True)
    shutil.rmtree(folder)
    _drop_done(trial, one.target)
    return True


def _judge(trial: Trial, part: Part) -> bool:
    """Judge every metric, write what came of it, and draw it."""
    from .figure import draw
    from .result import SHOWN, pools, result, table

    outcome = result(trial)
    write_atomically(trial.out / RESULT, json.dumps(outcome, allow_nan=False, separators=(",", ":")) + "\n")
    write_atomically(trial.out / TABLE, f"{table(outcome)}\n\n{pools(outcome, trial, SHOWN)}\n")
    draw(outcome, trial.out / FIGURES)
    return True


def _measured(trial: Trial, name: str, model: str | Path, *, works, in_full: bool) -> bool:
    """Write what is measured of a model, where it is not there yet."""
    from .measure import measure

    if trial.record(name).is_file():
        return False
    record = measure(model, trial.scenario, works=works, in_full=in_full, candidates=trial.candidates)
    trial.record(name).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(trial.record(name), json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
    return True


@lru_cache(maxsize=1)
def _scorer(trial: Trial):
    from .values import scorer

    return scorer(trial)


def _works(trial: Trial):
    """Return what says whether a model's answers are still of use."""
    return lambda answers: _scorer(trial).utility(answers) >= UTILITY


def _is_done(trial: Trial, one: Learned) -> bool:
    """Say whether a learned model was measured, and all that is unlearned from it."""
    after = [other.name for other in trial.unlearned() if other.target == one]
    return all(trial.record(name).is_file() for name in (one.name, *after))


def _drop_done(trial: Trial, one: Learned) -> None:
    if _is_done(trial, one):
        shutil.rmtree(trial.model(one.name), ignore_errors=True)


def _steps(trial: Trial) -> list[str]:
    return [] if trial.steps is None else [f"max_steps={trial.steps}"]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the trial, or one stage of it, from the command line."""
    parser = argparse.ArgumentParser(prog="python -m baselines.trial", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenario", default="privacy", help="privacy or incorrectness")
    parser.add_argument("--seeds", type=int, default=5, help="models of each kind that know, and that never did")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--settings", default=",".join(SETTINGS), help="of every method: preset, gentler (half)")
    parser.add_argument("--targets", type=int, default=2, help="that each method setting unlearns from")
    parser.add_argument("--candidates", type=int, default=20, help="that a true value is ranked among")
    parser.add_argument("--small", action="store_true", help="3 models that know, 3 that don't, 4 unlearned")
    parser.add_argument("--steps", type=int, help="of learning and unlearning at most: a smoke test")
    add_options(parser)
    parser.add_argument("--stage", help="run this one alone, what it needs being done")
    parser.add_argument("--plan", action="store_true", help="print every stage as a command with what it needs")
    run_command(parser, _run, argv)


def _run(options: argparse.Namespace) -> None:
    trial = trial_of(options)
    engine = read_options(vars(options))
    graph = plan(trial)
    if not bench.plan_or_stage(graph, trial.out, engine, plan=options.plan, stage=options.stage):
        settings = json.dumps(trial.settings_file(), indent=1) + "\n"
        with bench.claimed(trial.out, CLAIM, settings, "a trial with other settings", "settings"):
            bench.run(partial(plan, trial), trial.out, engine, CLAIM)
        print((trial.out / TABLE).read_text(encoding="utf-8"), end="")


def trial_of(options: argparse.Namespace) -> Trial:
    """Return the trial that the options make; refuse what makes none."""
    if options.scenario not in SCENARIOS:
        raise unknown("scenario", options.scenario, SCENARIOS)
    methods, settings = (tuple(text.split(",")) for text in (options.methods, options.settings))
    for kind, words, known in (("method", methods, METHODS), ("setting", settings, SETTINGS)):
        for word in words:
            if word not in known:
                raise unknown(kind, word, known)
    for name in ("seeds", "targets", "candidates", "steps"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UserError(f"--{name} is {value}; it takes a whole number from 1. Write --{name} 1, or more.")
    if options.targets > 2 or options.targets > options.seeds:
        raise UserError(
            f"--targets is {options.targets}; a method setting starts from one target or two, and from no more than "
            f"there are --seeds ({options.seeds}). Write --targets {min(2, options.seeds)}."
        )
    trial = Trial(
        options.out, options.scenario, options.seeds, methods, settings, options.targets, options.candidates,
        options.steps,
    )  # fmt: skip
    return small(trial) if options.small else trial


if __name__ == "__main__":
    main()
