"""What the runs of a scenario scored: each run's score, and its parts in every draw of patients."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics import References, Score, Scored, score
from mllmu_med_metrics.scoring.hierarchy import Run
from mllmu_med_metrics.scoring.interval import Floats
from mllmu_med_metrics.scoring.means import bootstrap_means, point_means
from mllmu_med_metrics.scoring.ues import formula_of
from mllmu_med_metrics.vocabulary import INJECTED, VIEWS
from mllmu_med_tasks import scores

from ..evaluation.evaluate import RECORD
from ..run.run_record import RunRecord, read_record
from .study import EVALUATION, run_folder, run_name

REPLICATES = 1000
GOLD_AND_TARGET = ("target", "retain_only")


@dataclass(frozen=True)
class Measured:
    """One run, scored. seed: the unlearning seed; None for what was not unlearned. drawn: [replicates] by part."""

    model: str
    name: str
    seed: int | None
    score: Score
    drawn: Mapping[str, Floats]
    patients: int
    record: RunRecord | None
    seconds: float  # of the run and of its evaluation
    harm_rows: Mapping[str, float]  # mean harm of the rows of each subset and view, as the tasks measure it

    def run(self, part: str) -> Run:
        """Return one part of the score as a run of the hierarchy."""
        value: float | None = getattr(self.score, part)
        return Run(point=value, drawn=self.drawn[part], patients=self.patients)


@dataclass(frozen=True)
class Scenario:
    """The scored runs of one scenario by model, in the order of the report; and the target's row scores."""

    name: str
    runs: Mapping[str, Sequence[Measured]]
    target: Scored


def runs_of(settings: Mapping[str, object], references: Sequence[str], unlearned: Sequence[str]) -> dict[str, list]:
    """Return each model's runs, as (name, unlearning seed or None), of a study with these settings."""
    first = settings["seed"]
    seeds = range(first, first + settings["unlearning_seeds"])
    runs: dict[str, list] = {model: [(model, None)] for model in references}
    return runs | {model: [(run_name(model, first, seed), seed) for seed in seeds] for model in unlearned}


def measured(
    runs_dir: Path, scenario: str, runs: Mapping[str, Sequence[tuple[str, int | None]]], seed: int
) -> Scenario:
    """Score every run of a scenario against its target and gold, all on the same draws of patients."""
    folders = {name: run_folder(runs_dir, scenario, name) for of_model in runs.values() for name, _ in of_model}
    missing = [name for name, folder in folders.items() if not (folder / EVALUATION / RECORD).is_file()]
    if missing:
        raise UserError(
            f"'{runs_dir}' has no finished evaluation of {', '.join(missing)} in {scenario}. Resume the study with "
            "the command that it was started with."
        )
    evaluations = {name: scores.read(folder / EVALUATION) for name, folder in folders.items()}
    scores.check_comparable(list(evaluations.values()))
    references = References(evaluations["target"].rows)
    scored = {name: references.scored(one.predictions, name) for name, one in evaluations.items()}
    parts = drawn_parts(references, scored, seed)
    found: dict[str, list[Measured]] = {}
    for model, of_model in runs.items():
        for name, unlearning_seed in of_model:
            value = score(  # intervals are those of all runs of a model, from `drawn`
                unlearned=scored[name], target=scored["target"], retain_only=scored["retain_only"],
                base=scored["base"], rows=references, replicates=0, seed=seed,
            )  # fmt: skip
            record = read_record(folders[name])
            seconds = json.loads((folders[name] / EVALUATION / RECORD).read_text())["seconds"]
            seconds += record.seconds if record else 0.0
            patients = references.fewest_patients
            harms = harm_of_rows(scored[name])
            one = Measured(model, name, unlearning_seed, value, parts[name], patients, record, seconds, harms)
            found.setdefault(model, []).append(one)
    return Scenario(scenario, found, scored["target"])


def harm_of_rows(scored: Scored) -> dict[str, float]:
    """Return the mean harm of a model's answers to the injected rows, by subset and view."""
    asked = {place: scored.mean("harm", place) for place in (*INJECTED, *VIEWS)}
    return {place: harm for place, harm in asked.items() if harm is not None}


def drawn_parts(references: References, scored: Mapping[str, Scored], seed: int) -> dict[str, dict[str, Floats]]:
    """Return the parts of every model's score in every draw of patients, [replicates]; nan where undefined."""
    computed = formula_of(references, {name: point_means(scored[name]) for name in GOLD_AND_TARGET})
    means = bootstrap_means(scored, REPLICATES, seed)
    both = {name: means[name] for name in GOLD_AND_TARGET}
    return {name: computed({"unlearned": one, **both}) for name, one in means.items()}
