"""Choose each method's defaults on a build of its own, with another seed than any that is reported.

    python -m baselines.sweep --out runs/sweep --seed 1

A graph of stages, as a bench is: builds the phantom data set of that seed, learns target and retain_only, runs every
method at every setting of the grid, scores each, and writes one line a run to ``OUT/sweep.jsonl``. The winner of a
method in a scenario is the run with verdict ``ok`` and the highest UES; of equal ones (to 0.01) the gentlest: the
lowest learning rate, or scale. Where no run ended ``ok`` the highest UES of all wins. The committed records are
``results/sweep-nano.jsonl``; a test holds the shipped defaults equal to their winners.
"""

import argparse
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_dataset.errors import UserError, make_folder, unknown, using_paths
from mllmu_med_metrics.vocabulary import STUDIED

from . import config
from .methods import METHODS
from .run.folder_lock import taken
from .run.health import verdict
from .run.progress import Progress
from .run.run_record import read_record
from .study import bench, runner, stages
from .study.graph import Graph, Part, Stage
from .study.study import DATA, EVALUATION, Study

RECORDS = "sweep-nano.jsonl"
SETTINGS = "sweep.json"
EQUAL = 0.01
# Wrong facts sit deeper than identifiers: the same rates do less in the same steps, so they get twice the visits. The
# epochs were set by hand, twice as many where new sentences are learned; the rates are what is swept.
EPOCHS = {"privacy": 10, "incorrectness": 20}
REFUSING = ("idk", "dpo")
# A task vector is learned at one rate; how far the model goes the other way is what is swept.
SCALES, SCALED_RATE = (1, 2, 4, 8, 16), 4e-4
LEARNING_RATES = {"privacy": (1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3), "incorrectness": (2e-4, 4e-4, 8e-4, 1.6e-3, 3.2e-3)}
# Where no run of that grid ended ok it goes on: below where all collapse, with a wider mask where none has an effect.
FURTHER = {
    ("incorrectness", "undial"): [{"learning_rate": rate} for rate in (2.5e-5, 5e-5, 1e-4)],
    ("privacy", "mmunlearner"): [{"learning_rate": 4e-4, "threshold": threshold} for threshold in (1e-1, 1e-2, 1e-3)],
}
MAX_RETAIN = 120
MEASURED = ("ues", "ues_strict", "f", "r", "t", "k", "harm", "abstention", "degenerate")


def records() -> list[dict[str, object]]:
    """Return the committed records of the sweep that chose the nano preset's defaults."""
    text = (files("baselines") / "results" / RECORDS).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def winner(runs: Iterable[Mapping[str, object]], scenario: str, method: str) -> Mapping[str, object]:
    """Return the run whose settings become the default of a method in a scenario.

    Where none ended ``ok`` the highest UES of all wins, and the reports show what it is. Raises ValueError where the
    method has no run with a score.
    """
    mine = [r for r in runs if r["scenario"] == scenario and r["method"] == method and r["ues"] is not None]
    fit = [run for run in mine if run["verdict"] == "ok"] or mine
    if not fit:
        raise ValueError(f"no run of {method} in {scenario} has a score")
    best = max(run["ues"] for run in fit)
    equal = [run for run in fit if run["ues"] >= best - EQUAL]
    return min(equal, key=lambda run: (run["settings"]["learning_rate"], run["settings"].get("scale", 1)))


def settings_of(scenario: str, method: str) -> list[dict[str, float]]:
    """Return the grid of a method in a scenario, the gentlest first."""
    epochs = EPOCHS[scenario] * (2 if method in REFUSING else 1)
    if method == "task_vector":
        return [{"learning_rate": SCALED_RATE, "epochs": epochs, "scale": scale} for scale in SCALES]
    tried = [{"learning_rate": rate} for rate in LEARNING_RATES[scenario]] + FURTHER.get((scenario, method), [])
    # The gentlest first, a wider mask last: what a mask leaves alone is not touched by a higher rate.
    ordered = sorted(tried, key=lambda one: ("threshold" in one, one["learning_rate"]))
    return [{"learning_rate": one["learning_rate"], "epochs": epochs, **one} for one in ordered]


@dataclass(frozen=True)
class Sweep:
    """What is swept: where, on the build of which seed, and which grids."""

    out: Path
    seed: int = 1
    scenarios: tuple[str, ...] = STUDIED
    methods: tuple[str, ...] = tuple(METHODS)

    @property
    def study(self) -> Study:
        """The study whose data set, target and retain_only every setting starts from."""
        return Study(out=self.out, seed=self.seed, max_retain=MAX_RETAIN, views=False)

    def tries(self) -> list["Try"]:
        """Return every setting of the grids, in the order of the records."""
        return [
            Try(self, scenario, method, settings)
            for scenario in self.scenarios
            for method in self.methods
            for settings in settings_of(scenario, method)
        ]


@dataclass(frozen=True)
class Try:
    """One setting of one method in one scenario."""

    sweep: Sweep
    scenario: str
    method: str
    settings: dict[str, float]

    @property
    def id(self) -> str:
        """Names its stage, its folder and its record."""
        return "-".join([self.scenario, self.method, *(f"{value:g}" for value in self.settings.values())])

    @property
    def record(self) -> Path:
        """Where its record stands once it has been scored."""
        return self.sweep.out / "tries" / f"{self.id}.json"


def plan(sweep: Sweep) -> Graph:
    """Return the graph of a sweep: the study's target and gold, every setting from them, and the records of all."""
    base = [stages.build(sweep.study)]
    for scenario in sweep.scenarios:
        for rows in ("target", "retain_only"):
            base += [stages.learn(sweep.study, scenario, rows), stages.evaluate(sweep.study, scenario, rows)]
    tries = [
        Stage(
            id=one.id,
            title=one.id.replace("-", ": ", 1).replace("-", " ", 1),
            needs=tuple(f"{one.scenario}-evaluate-{rows}" for rows in ("target", "retain_only")),
            argv=_argv(sweep, one.id),
            run=partial(_try, one),
            cost=stages.COSTS["unlearn"] + stages.COSTS["evaluate"],
        )
        for one in sweep.tries()
    ]
    needs = tuple(one.id for one in tries)
    records = Stage("records", "records", needs, _argv(sweep, "records"), partial(_gather, sweep), cost=1)
    return Graph([*base, *tries, records])


def _argv(sweep: Sweep, id: str) -> tuple[str, ...]:
    words = ("--out", sweep.out, "--seed", sweep.seed, "--scenarios", ",".join(sweep.scenarios))
    words = (*words, "--methods", ",".join(sweep.methods), "--stage", id)
    return ("python", "-m", "baselines.sweep", *map(str, words))


def _try(one: Try, part: Part) -> bool:
    """Unlearn with these settings, ask, score, keep the record and drop the model."""
    from mllmu_med_tasks.questions import Questions

    from .evaluation.evaluate import evaluate
    from .training.unlearn import unlearn

    if one.record.is_file():
        return False
    out, data = one.sweep.out, one.sweep.out / DATA
    folder = out / one.scenario / one.id
    settings = [f"{name}={value}" for name, value in one.settings.items()]
    recipe = config.unlearn_recipe(one.method, one.scenario, "nano", settings)
    unlearn(
        model=out / one.scenario / "target", data_dir=data, scenario=one.scenario, method=one.method, out=folder,
        recipe=recipe, seed=one.sweep.seed, progress=part,
    )  # fmt: skip
    questions = Questions(scenario=one.scenario, data_dir=data, max_retain=MAX_RETAIN, seed=one.sweep.seed)
    evaluate(folder, questions, out=folder / EVALUATION)
    make_folder(one.record.parent)
    write_atomically(one.record, json.dumps(_record(one, folder, recipe)) + "\n")
    shutil.rmtree(folder)
    return True


def _record(one: Try, folder: Path, recipe: config.UnlearnRecipe) -> dict[str, object]:
    """Return the record of a setting from what its run and its evaluation left."""
    from mllmu_med_metrics.scoring import ues
    from mllmu_med_tasks import scores

    references = {
        rows: scores.read(one.sweep.out / one.scenario / rows / EVALUATION) for rows in ("target", "retain_only")
    }
    value = ues.score(
        unlearned=scores.read(folder / EVALUATION).predictions, rows=references["target"].rows, replicates=0,
        **{rows: answers.predictions for rows, answers in references.items()},
    ).to_dict()  # fmt: skip
    run = read_record(folder)
    return {
        "scenario": one.scenario,
        "method": one.method,
        "settings": one.settings,
        "seed": one.sweep.seed,
        "dataset_checksum": run.dataset_checksum,
        **{name: value[name] for name in MEASURED},
        "steps": run.steps,
        "stop_step": run.stop_step,
        "seconds": run.seconds,
        "verdict": verdict(value["f"], value["r"], value["degenerate"], run.verdict == "diverged"),
        "recipe": recipe.canonical(),
    }


def _gather(sweep: Sweep, part: Part) -> bool:
    """Write the records of all settings as one file, in the order of the grid, whatever order they ran in."""
    lines = [one.record.read_text(encoding="utf-8") for one in sweep.tries()]
    write_atomically(sweep.out / "sweep.jsonl", "".join(lines))
    return True


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sweep, or one stage of it, from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scenarios", default=",".join(STUDIED))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--workers", type=int, help="stages run side by side; as many as cores if absent")
    parser.add_argument("--stage", help="run this one alone, what it needs being done")
    parser.add_argument("--plan", action="store_true", help="print every stage as a command with what it needs")
    options = parser.parse_args(argv)
    try:
        with using_paths():
            _run(options)
    except UserError as error:
        parser.exit(2, f"{error}\n")


def _run(options: argparse.Namespace) -> None:
    sweep = Sweep(
        options.out,
        options.seed,
        _known("scenario", options.scenarios, STUDIED),
        _known("method", options.methods, METHODS),
    )
    if options.workers is not None and options.workers < 1:
        raise UserError(f"--workers is {options.workers}; at least one stage has to run. Write --workers 1, or more.")
    graph = plan(sweep)
    if options.stage is not None and options.stage not in graph:
        raise unknown("stage", options.stage, graph)
    if options.plan:
        print("\n".join(stage.line() for stage in graph.values()))
    elif options.stage:
        runner.run_stage(graph[options.stage], Progress({graph[options.stage].title: 1}))
    else:
        with _claimed(sweep):
            bench.run(partial(plan, sweep), sweep.out, options.workers)


def _known(kind: str, text: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return the words of a comma-separated list, each a known one."""
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    for word in words or ("",):
        if word not in known:
            raise unknown(kind, word, known)
    return words


@contextmanager
def _claimed(sweep: Sweep) -> Iterator[None]:
    """Take a folder that is new, empty or a sweep's of this seed, and keep a second sweep out of it."""
    marker = sweep.out / SETTINGS
    if sweep.out.exists() and (not sweep.out.is_dir() or (any(sweep.out.iterdir()) and not marker.is_file())):
        raise UserError(f"The output folder '{sweep.out}' is in use by something else. Name an empty or new folder.")
    with taken(sweep.out):
        settings = json.dumps({"seed": sweep.seed}) + "\n"
        if not marker.is_file():
            write_atomically(marker, settings)
        elif marker.read_text(encoding="utf-8", errors="replace") != settings:
            raise UserError(
                f"'{sweep.out}' holds a sweep of another seed than {sweep.seed} ({marker}). Name another --out folder, "
                "or give the seed it was started with to resume it."
            )
        yield


if __name__ == "__main__":
    main()
