"""Choose each method's defaults on builds of their own, with other seeds than any that is reported.

    python -m baselines.sweep --out runs/sweep --seeds 1,4 --unlearning-seeds 0,1

A graph of stages, as a bench is: builds the phantom data set of each seed, learns target and retain_only, runs every
method at every setting of the grid with each unlearning seed, scores each run, and writes one line a run to
``OUT/sweep.jsonl``. Answers are kept: where the score changes, the stage ``records`` makes that file anew.

One run says little: from one target, the seed of unlearning alone moved a strict UES from .64 to .90. So the settings
that win are those with the highest mean strict UES over all runs, of equal ones (to 0.01) the highest mean UES, of
equal ones again the gentlest: the lowest learning rate, or scale, or the earliest stop, or the nearest adversary.
Settings under which some run did not end ``ok`` win only where all have such a run. A winner at an end of its grid is
at the edge (`at_edge`): what lies beyond was not tried. The committed records are ``results/sweep-nano.jsonl``; a test
holds the shipped defaults equal to their winners, but for those that no sweep chose yet (`UNSWEPT`).
"""

import argparse
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from statistics import mean

from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_dataset.errors import UserError, unknown
from mllmu_med_metrics.vocabulary import SCENARIOS, STUDIED

from . import config
from .methods import METHODS
from .run.health import verdict
from .run.run_record import read_record
from .study import bench, stages
from .study.durations import expected
from .study.engines.options import add_options, read_options
from .study.graph import Graph, Part, Stage
from .study.plain_command import run_command
from .study.study import DATA, EVALUATION, Study, run_folder

RECORDS = "sweep-nano.jsonl"
SETTINGS = "sweep.json"
EQUAL = 0.01
# Wrong facts sit deeper than identifiers: the same rates do less in the same steps, so they get twice the visits. The
# epochs were set by hand, twice as many where new sentences are learned; the rates are what is swept.
EPOCHS = {"privacy": 10, "incorrectness": 20}
LEARNING_RATES = {"privacy": (1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3), "incorrectness": (2e-4, 4e-4, 8e-4, 1.6e-3, 3.2e-3)}
KEEPS = ("retain_weight", "kl_weight")  # options that weigh what is retained
# Once an ascent is felt, the forget nll grows by a factor a step: a fixed number of steps forgets everything from one
# target and a third from another. So these methods have more steps than they need, at a gentle rate set by hand, and
# the holdout rule ends them: at which share of the holdout's nll is what is swept.
GENTLE = {
    "privacy": {"learning_rate": 4e-4, "epochs": 20},
    "incorrectness": {"learning_rate": 4e-4, "epochs": 60},
}
# A task vector is learned at one rate; how far the model goes the other way is what is swept.
SCALES = (1, 2, 4, 8, 16)
# Where bystanders' identities are to stay, how much what is retained weighs is what is swept, at a rate and with steps
# set by hand; half of the retain rows of a step tell a bystander's identity. More steps wear down what is not among
# their rows: with 40 epochs gd and kl_min score .02 and .07 more, and the control, which forgets by that alone, .38.
BYSTANDERS = {"injected_repeats": 8}
ASCENT = {"learning_rate": 8e-4, "epochs": 30, "stop_at": 0.25}


@dataclass(frozen=True)
class Grid:
    """What is swept of a method in a scenario, the gentlest value first, and what is set by hand meanwhile."""

    swept: str
    values: tuple[float, ...]
    fixed: Mapping[str, float]

    def settings(self) -> list[dict[str, float]]:
        """Return the settings that are tried, each with its learning rate first."""
        return [
            dict(sorted({**self.fixed, self.swept: value}.items(), key=lambda one: one[0] != "learning_rate"))
            for value in self.values
        ]


# What is not named here sweeps LEARNING_RATES. A rate that falls to 0 goes half as far as one that stays, and refusals
# are new sentences: these take higher rates. An adversary that npo is trained against: how far it goes is what is
# swept, at the rate that won for npo alone.
GRIDS = {
    ("privacy", "ga"): Grid("stop_at", (0.05, 0.1, 0.2), GENTLE["privacy"]),
    ("privacy", "gd"): Grid("stop_at", (0.1, 0.25, 0.5), GENTLE["privacy"]),
    ("privacy", "kl_min"): Grid("stop_at", (0.15, 0.3, 0.5, 0.75), GENTLE["privacy"]),
    ("privacy", "llmu"): Grid("learning_rate", (4e-4, 6e-4, 8e-4, 1.6e-3), {"epochs": 10}),
    ("privacy", "idk"): Grid("learning_rate", (8e-4, 1.6e-3, 3.2e-3, 6.4e-3), {"epochs": 20}),
    ("privacy", "dpo"): Grid("learning_rate", LEARNING_RATES["privacy"], {"epochs": 20}),
    ("privacy", "task_vector"): Grid("scale", SCALES, {"learning_rate": 4e-4, "epochs": 10}),
    ("privacy", "jensun"): Grid("learning_rate", (1.6e-3, 3.2e-3, 6.4e-3), {"epochs": 20}),
    ("privacy", "npo_sam"): Grid("rho", (0.01, 0.1, 1.0), {"learning_rate": 8e-4, "epochs": 10}),
    ("privacy", "npo_lat"): Grid("epsilon", (0.03, 0.1, 0.3), {"learning_rate": 8e-4, "epochs": 10}),
    ("incorrectness", "ga"): Grid("learning_rate", (2e-4, 4e-4, 8e-4, 1.6e-3), {"epochs": 20}),
    ("incorrectness", "gd"): Grid("stop_at", (0.3, 0.45, 0.6), GENTLE["incorrectness"]),
    ("incorrectness", "kl_min"): Grid("stop_at", (0.3, 0.45, 0.6), GENTLE["incorrectness"]),
    ("incorrectness", "llmu"): Grid("learning_rate", (4e-4, 8e-4, 1.6e-3), {"epochs": 20}),
    ("incorrectness", "idk"): Grid("learning_rate", (6.4e-3, 1.28e-2, 2.56e-2), {"epochs": 40}),
    ("incorrectness", "dpo"): Grid("learning_rate", LEARNING_RATES["incorrectness"], {"epochs": 40}),
    ("incorrectness", "task_vector"): Grid("scale", SCALES, {"learning_rate": 4e-4, "epochs": 20}),
    ("incorrectness", "jensun"): Grid("learning_rate", (3.2e-3, 6.4e-3, 1.28e-2), {"epochs": 40}),
    ("incorrectness", "npo_sam"): Grid("rho", (0.01, 0.1, 1.0), {"learning_rate": 4e-4, "epochs": 20}),
    ("incorrectness", "npo_lat"): Grid("epsilon", (0.03, 0.1, 0.3), {"learning_rate": 4e-4, "epochs": 20}),
    ("request", "gd"): Grid("retain_weight", (2, 5, 10), {**ASCENT, **BYSTANDERS}),
    ("request", "kl_min"): Grid("kl_weight", (2, 5, 10), {**ASCENT, **BYSTANDERS}),
    ("request", "idk"): Grid("retain_weight", (1, 5, 10), {"learning_rate": 1.6e-3, "epochs": 20, **BYSTANDERS}),
    ("request", "llmu"): Grid("kl_weight", (2, 5, 10), {"learning_rate": 8e-4, "epochs": 20, **BYSTANDERS}),
    ("request", "npo"): Grid("retain_weight", (5, 10, 20, 40, 80), {"learning_rate": 8e-4, "epochs": 20, **BYSTANDERS}),
    ("knowledge", "ga"): Grid("learning_rate", (2e-4, 4e-4, 8e-4, 1.6e-3), {"epochs": 2}),
    ("knowledge", "gd"): Grid("learning_rate", (2e-4, 4e-4, 8e-4), {"epochs": 4}),
    ("knowledge", "kl_min"): Grid("learning_rate", (4e-4, 8e-4, 1.6e-3), {"epochs": 2}),
    ("knowledge", "idk"): Grid("learning_rate", (3.2e-3, 6.4e-3, 1.28e-2), {"epochs": 4}),
    ("knowledge", "llmu"): Grid("learning_rate", (2e-4, 4e-4, 8e-4), {"epochs": 2}),
    ("knowledge", "npo"): Grid("learning_rate", (1e-4, 2e-4, 4e-4), {"epochs": 2}),
}
# Where no run of that grid ended ok it goes on: below where all collapse, with a wider mask where none has an effect.
FURTHER = {
    ("incorrectness", "undial"): [{"learning_rate": rate} for rate in (2.5e-5, 5e-5, 1e-4)],
    ("privacy", "mmunlearner"): [{"learning_rate": 4e-4, "threshold": threshold} for threshold in (1e-1, 1e-2, 1e-3)],
}
# No sweep chose these recipes yet.
UNSWEPT = {(scenario, method) for scenario in STUDIED for method in ("jensun", "npo_sam", "npo_lat")}
MAX_RETAIN = 120
MEASURED = ("ues", "ues_strict", "f", "r", "t", "b", "k", "harm", "abstention", "degenerate")


def records() -> list[dict[str, object]]:
    """Return the committed records of the sweep that chose the nano preset's defaults."""
    text = (files("baselines") / "results" / RECORDS).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@dataclass(frozen=True)
class Tried:
    """What one setting of a method did in a scenario: means over its runs, a target and an unlearning seed each."""

    settings: Mapping[str, float]
    recipe: Mapping[str, object]
    runs: int
    ues_strict: float
    ues: float
    verdicts: tuple[str, ...]

    @property
    def strength(self) -> tuple[float, ...]:
        """How hard it pulls.

        Learning rate, then scale, how late it stops, how far its adversary goes, and how little the kept weighs.
        """
        kept = next((self.settings[name] for name in KEEPS if name in self.settings), 0)
        reaches = (self.settings.get(name, 1) for name in ("scale", "stop_at", "rho", "epsilon"))
        return self.settings["learning_rate"], *reaches, -kept


def tried(runs: Iterable[Mapping[str, object]], scenario: str, method: str) -> list[Tried]:
    """Return what each setting did, in the order of the records; a run without a score counts as 0."""
    by_settings: dict[str, list[Mapping[str, object]]] = {}
    for run in runs:
        if (run["scenario"], run["method"]) == (scenario, method):
            by_settings.setdefault(json.dumps(run["settings"], sort_keys=True), []).append(run)
    return [
        Tried(
            settings=mine[0]["settings"],
            recipe=mine[0].get("recipe", {}),
            runs=len(mine),
            ues_strict=mean(run["ues_strict"] or 0.0 for run in mine),
            ues=mean(run["ues"] or 0.0 for run in mine),
            verdicts=tuple(str(run["verdict"]) for run in mine),
        )
        for mine in by_settings.values()
        if any(run["ues"] is not None for run in mine)
    ]


def winner(runs: Iterable[Mapping[str, object]], scenario: str, method: str) -> Tried:
    """Return the settings that become the default of a method in a scenario.

    Raises ValueError where the method has no run with a score.
    """
    every = tried(runs, scenario, method)
    fit = [one for one in every if set(one.verdicts) == {"ok"}] or every
    if not fit:
        raise ValueError(f"no run of {method} in {scenario} has a score")
    strictest = max(one.ues_strict for one in fit)
    fit = [one for one in fit if one.ues_strict >= strictest - EQUAL]
    best = max(one.ues for one in fit)
    return min((one for one in fit if one.ues >= best - EQUAL), key=lambda one: one.strength)


def at_edge(runs: Sequence[Mapping[str, object]], scenario: str, method: str) -> bool:
    """Say whether the winner stands at an end of what was tried, so that a better one may lie beyond."""
    strengths = sorted(one.strength for one in tried(runs, scenario, method))
    return winner(runs, scenario, method).strength in (strengths[0], strengths[-1])


def has_grid(scenario: str, method: str) -> bool:
    """Say whether a method has a grid in a scenario: where few have one, the others take what they have elsewhere."""
    return scenario in STUDIED or (scenario, method) in GRIDS


def settings_of(scenario: str, method: str) -> list[dict[str, float]]:
    """Return the grid of a method in a scenario: the gentlest first, or what weighs the kept least."""
    if grid := GRIDS.get((scenario, method)):
        return grid.settings()
    rates = [{"learning_rate": rate} for rate in LEARNING_RATES[scenario]] + FURTHER.get((scenario, method), [])
    # The gentlest first, a wider mask last: what a mask leaves alone is not touched by a higher rate.
    ordered = sorted(rates, key=lambda one: ("threshold" in one, one["learning_rate"]))
    return [{"learning_rate": one["learning_rate"], "epochs": EPOCHS[scenario], **one} for one in ordered]


@dataclass(frozen=True)
class Sweep:
    """What is swept: where, on the builds of which seeds, from which unlearning seeds, and which grids."""

    out: Path
    seeds: tuple[int, ...] = (1, 4)
    unlearning_seeds: tuple[int, ...] = (0, 1)
    scenarios: tuple[str, ...] = STUDIED
    methods: tuple[str, ...] = tuple(METHODS)

    def study(self, seed: int) -> Study:
        """The study of a seed, whose data set, target and retain_only every setting starts from.

        A secret counts with the place that tells it most, so every view is asked, as in a bench.
        """
        return Study(self.out / f"seed-{seed}", seed=seed, scenarios=self.scenarios, controls=(), max_retain=MAX_RETAIN)

    def tries(self) -> list["Try"]:
        """Return every run: every setting of the grids from every target and unlearning seed, in the records' order."""
        return [
            Try(self.study(seed), unlearning_seed, scenario, method, settings)
            for unlearning_seed in self.unlearning_seeds
            for scenario in self.scenarios
            for method in self.methods
            if has_grid(scenario, method)
            for settings in settings_of(scenario, method)
            for seed in self.seeds
        ]


@dataclass(frozen=True)
class Try:
    """One run: one setting of one method in one scenario, from the target of a study, with an unlearning seed."""

    study: Study
    unlearning_seed: int
    scenario: str
    method: str
    settings: dict[str, float]

    @property
    def id(self) -> str:
        """Names its stage, its folder and its record."""
        words = (self.scenario, self.method, *(f"{value:g}" for value in self.settings.values()))
        return "-".join([str(self.study.seed), *words, f"seed{self.unlearning_seed}"])

    @property
    def folder(self) -> Path:
        """Where its run stands; once it was asked, the record and the answers, without the model."""
        return run_folder(self.study.out, self.scenario, self.id)

    @property
    def is_done(self) -> bool:
        """Whether it was asked and its model dropped."""
        return (self.folder / EVALUATION).is_dir() and not (self.folder / "model").exists()


def plan(sweep: Sweep) -> Graph:
    """Return the graph of a sweep: targets and golds, every setting from them, and the records of all."""
    found = [stage for seed in sweep.seeds for stage in _references(sweep, seed)]
    tries = [
        Stage(
            id=one.id,
            title=one.id.replace("-", ": ", 1).replace("-", " ", 2),
            needs=tuple(f"{one.study.seed}-{one.scenario}-evaluate-{rows}" for rows in one.study.learned(one.scenario)),
            argv=_argv(sweep, one.id),
            run=partial(_try, one),
            cost=sum(expected(kind, one.scenario) for kind in ("unlearn", "evaluate")),
        )
        for one in sweep.tries()
    ]
    needs = tuple(one.id for one in tries)
    records = Stage("records", "records", needs, _argv(sweep, "records"), partial(_gather, sweep), cost=1)
    return Graph([*found, *tries, records])


def _references(sweep: Sweep, seed: int) -> Iterator[Stage]:
    """Yield what makes the data set, target and gold of a seed, each named after it."""
    study = sweep.study(seed)
    made = [stages.build(study)]
    for scenario in sweep.scenarios:
        for rows in study.learned(scenario):
            made += [stages.learn(study, scenario, rows), stages.evaluate(study, scenario, rows)]
    for stage in made:
        needs = tuple(f"{seed}-{need}" for need in stage.needs)
        yield replace(stage, id=f"{seed}-{stage.id}", title=f"{seed}: {stage.title}", needs=needs)


def _argv(sweep: Sweep, id: str) -> tuple[str, ...]:
    words = ("--out", sweep.out, "--seeds", _joined(sweep.seeds))
    words = (*words, "--unlearning-seeds", _joined(sweep.unlearning_seeds), "--scenarios", _joined(sweep.scenarios))
    words = (*words, "--methods", _joined(sweep.methods), "--stage", id)
    return ("python", "-m", "baselines.sweep", *map(str, words))


def _try(one: Try, part: Part) -> bool:
    """Unlearn with these settings, ask, keep record and answers, and drop the model."""
    from mllmu_med_tasks.questions import Questions

    from .evaluation.evaluate import evaluate
    from .training.unlearn import unlearn

    if one.is_done:
        return False
    study, data, folder = one.study, one.study.out / DATA, one.folder
    settings = [f"{name}={value}" for name, value in one.settings.items()]
    recipe = config.unlearn_recipe(one.method, one.scenario, "nano", settings)
    unlearn(
        model=run_folder(study.out, one.scenario, "target"), data_dir=data, scenario=one.scenario, method=one.method,
        out=folder, recipe=recipe, seed=one.unlearning_seed, progress=part,
    )  # fmt: skip
    questions = Questions(
        scenario=one.scenario, data_dir=data, views=study.views, max_retain=study.max_retain, seed=study.seed
    )
    evaluate(folder, questions, out=folder / EVALUATION)
    for part_of_it in ("adapter", "model"):
        shutil.rmtree(folder / part_of_it)
    return True


def _record(one: Try) -> dict[str, object]:
    """Return the record of a run from what it and its evaluation left: the score is today's, whenever it ran."""
    from mllmu_med_metrics.scoring import ues
    from mllmu_med_metrics.scoring.score_value import UES_VERSION
    from mllmu_med_tasks import scores

    references = {
        rows: scores.read(run_folder(one.study.out, one.scenario, rows) / EVALUATION)
        for rows in one.study.learned(one.scenario)
    }
    value = ues.score(
        unlearned=scores.read(one.folder / EVALUATION).predictions, rows=references["target"].rows, replicates=0,
        **{rows: answers.predictions for rows, answers in references.items()},
    ).to_dict()  # fmt: skip
    run = read_record(one.folder)
    return {
        "scenario": one.scenario,
        "method": one.method,
        "settings": one.settings,
        "seed": one.study.seed,
        "unlearning_seed": one.unlearning_seed,
        "dataset_checksum": run.dataset_checksum,
        "ues_version": UES_VERSION,
        "views": one.study.views,
        **{name: value[name] for name in MEASURED},
        "steps": run.steps,
        "stop_step": run.stop_step,
        "seconds": run.seconds,
        "verdict": verdict(value["f"], value["r"], value["degenerate"], run.verdict == "diverged"),
        "recipe": run.config["recipe"],
    }


def _gather(sweep: Sweep, part: Part) -> bool:
    """Score every run and write the records as one file, in the order of the grid, whatever order they ran in."""
    write_atomically(sweep.out / "sweep.jsonl", "".join(json.dumps(_record(one)) + "\n" for one in sweep.tries()))
    return True


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sweep, or one stage of it, from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", default="1,4", help="of the builds, each with its target")
    parser.add_argument("--unlearning-seeds", default="0,1", help="of the unlearning runs from each target")
    parser.add_argument("--scenarios", default=",".join(STUDIED))
    parser.add_argument("--methods", default=",".join(METHODS))
    add_options(parser)
    parser.add_argument("--stage", help="run this one alone, what it needs being done")
    parser.add_argument("--plan", action="store_true", help="print every stage as a command with what it needs")
    run_command(parser, _run, argv)


def _run(options: argparse.Namespace) -> None:
    sweep = Sweep(
        options.out,
        _whole("--seeds", options.seeds),
        _whole("--unlearning-seeds", options.unlearning_seeds),
        _known("scenario", options.scenarios, SCENARIOS),
        _known("method", options.methods, METHODS),
    )
    engine = read_options(vars(options))
    graph = plan(sweep)
    if not bench.plan_or_stage(graph, sweep.out, engine, plan=options.plan, stage=options.stage):
        settings = json.dumps({"seeds": sweep.seeds, "unlearning_seeds": sweep.unlearning_seeds}) + "\n"
        with bench.claimed(sweep.out, SETTINGS, settings, "a sweep of other seeds", "seeds"):
            bench.run(partial(plan, sweep), sweep.out, engine, SETTINGS)


def _joined(words: Iterable[object]) -> str:
    return ",".join(map(str, words))


def _whole(option: str, text: str) -> tuple[int, ...]:
    """Return the numbers of a comma-separated list."""
    try:
        return tuple(dict.fromkeys(int(word) for word in text.split(",")))
    except ValueError:
        raise UserError(f"{option} is '{text}'; it takes whole numbers with commas between, such as 1,4.") from None


def _known(kind: str, text: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return the words of a comma-separated list, each a known one."""
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    for word in words or ("",):
        if word not in known:
            raise unknown(kind, word, known)
    return words


if __name__ == "__main__":
    main()
