"""Choose each method's defaults on a build of its own, with another seed than any that is reported.

    python -m baselines.sweep --out runs/sweep --seed 1

Builds the phantom data set of that seed, learns target and retain_only, runs every method at every setting of the grid,
scores each, and appends one line a run to ``OUT/sweep.jsonl``. The winner of a method in a scenario is the run
with verdict ``ok`` and the highest UES; of equal ones (to 0.01) the gentlest: the lowest learning rate, or scale.
Where no run ended ``ok`` the highest UES of all wins. The committed records are ``results/sweep-nano.jsonl``; a test
holds the shipped defaults equal to their winners.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

from . import config, stages
from .health import verdict
from .methods import METHODS
from .record import read_record
from .study import DATA, EVALUATION, Study

RECORDS = "sweep-nano.jsonl"
EQUAL = 0.01
# Wrong facts sit deeper than identifiers: the same rates do less in the same steps, so they get twice the visits. The
# epochs were set by hand, twice as many where new sentences are learned; the rates are what is swept.
EPOCHS = {"privacy": 10, "incorrectness": 20}
REFUSING = ("idk", "dpo")
# A task vector is learned at one rate; how far the model goes the other way is what is swept.
SCALES, SCALED_RATE = (1, 2, 4, 8, 16), 4e-4
LEARNING_RATES = {"privacy": (1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3), "incorrectness": (2e-4, 4e-4, 8e-4, 1.6e-3, 3.2e-3)}
# Where no run of that grid ended ok it goes on: below where all collapse, with a wider mask where none has an effect.
BELOW = {("incorrectness", "undial"): (2.5e-5, 5e-5, 1e-4)}
WIDER = {("privacy", "mmunlearner"): (1e-1, 1e-2, 1e-3)}
WIDER_RATE = 4e-4
MAX_RETAIN = 120
SHOWN = ("ues", "ues_strict", "f", "r", "t", "k", "abstention")
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
    rates = BELOW.get((scenario, method), ()) + LEARNING_RATES[scenario]
    wider = WIDER.get((scenario, method), ())
    return [
        *({"learning_rate": rate, "epochs": epochs} for rate in rates),
        *({"learning_rate": WIDER_RATE, "epochs": epochs, "threshold": threshold} for threshold in wider),
    ]


def sweep(out: Path, seed: int, scenarios: Iterable[str], methods: Iterable[str]) -> Path:
    """Run what is left of the grid and return the records file."""
    from mllmu_med_metrics import ues
    from mllmu_med_tasks import scores

    from . import train
    from .evaluate import evaluate

    study = Study(out=out, seed=seed, max_retain=MAX_RETAIN)
    stages.build(study)
    path = out / "sweep.jsonl"
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    for scenario in scenarios:
        ignore = lambda done, total: None  # noqa: E731
        for rows in ("target", "retain_only"):
            stages.learn(study, scenario, rows)(ignore)
            stages.evaluate(study, scenario, rows)(ignore)
        read = {rows: scores.read(out / scenario / rows / EVALUATION) for rows in ("target", "retain_only")}
        asked = ues.Study(read["target"].rows)
        scored = {rows: asked.scored(one.predictions, rows) for rows, one in read.items()}
        for method in methods:
            for settings in settings_of(scenario, method):
                key = {"scenario": scenario, "method": method, "settings": settings}
                if any(all(run[name] == value for name, value in key.items()) for run in done):
                    continue
                shown = " ".join(f"{value:g}" for value in settings.values())
                folder = out / scenario / f"{method} {shown}"
                recipe = config.unlearn_recipe(
                    method, scenario, "nano", [f"{name}={value}" for name, value in settings.items()]
                )
                train.unlearn(
                    model=out / scenario / "target", data_dir=out / DATA, scenario=scenario, method=method,
                    out=folder, recipe=recipe, seed=seed,
                )  # fmt: skip
                evaluate(
                    model=folder, data_dir=out / DATA, scenario=scenario, out=folder / EVALUATION,
                    max_retain=MAX_RETAIN, seed=seed,
                )  # fmt: skip
                answers = scores.read(folder / EVALUATION)
                value = ues.score(
                    unlearned=answers.predictions, target=scored["target"], retain_only=scored["retain_only"],
                    rows=asked, replicates=0,
                ).to_dict()  # fmt: skip
                record = read_record(folder)
                run = key | {
                    "seed": seed,
                    "dataset_checksum": record.dataset_checksum,
                    **{name: value[name] for name in MEASURED},
                    "steps": record.steps,
                    "stop_step": record.stop_step,
                    "seconds": record.seconds,
                    "verdict": verdict(value["f"], value["r"], value["degenerate"], record.verdict == "diverged"),
                    "recipe": recipe.canonical(),
                }
                with path.open("a") as file:
                    file.write(json.dumps(run) + "\n")
                print(
                    f"{scenario} {method} {shown}: "
                    + " ".join(f"{name} {_shown(run[name])}" for name in SHOWN)
                    + f" {run['verdict']} ({record.steps} steps, {record.seconds:.0f} s)",
                    file=sys.stderr, flush=True,
                )  # fmt: skip
                shutil.rmtree(folder)
    return path


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def main() -> None:
    """Run the sweep from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scenarios", default="privacy,incorrectness")
    parser.add_argument("--methods", default=",".join(METHODS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    sweep(options.out, options.seed, options.scenarios.split(","), options.methods.split(","))


if __name__ == "__main__":
    main()
