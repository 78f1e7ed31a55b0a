"""What the runs of a scenario scored: each run's score, and its parts in every draw of patients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mllmu_med_metrics import References, Score, Scored, score
from mllmu_med_metrics.scoring.attack_harms import AttackHarms, GivenHarms, Roles, of_one
from mllmu_med_metrics.scoring.hierarchy import Run
from mllmu_med_metrics.scoring.interval import Floats
from mllmu_med_metrics.scoring.means import bootstrap_means, point_means
from mllmu_med_metrics.scoring.ues import formula_of, patients_behind
from mllmu_med_metrics.vocabulary import CLEAN_VIEWS, INJECTED, VIEWS

from ..run.run_record import RunRecord
from .gathered import Gathered
from .study import CLEAN, run_name, seeds_of_runs

REPLICATES = 1000
GOLD_AND_TARGET = ("target", "retain_only")
BESIDE = (*GOLD_AND_TARGET, CLEAN)  # what a model is scored by, as far as the scenario has it


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
    judged: int | None = None  # how many patients robust UES rests on, where the run was attacked

    def run(self, part: str) -> Run:
        """Return one part of the score as a run of the hierarchy."""
        value: float | None = getattr(self.score, part)
        behind = self.judged if part == "ues_robust" and self.judged is not None else self.patients
        return Run(point=value, drawn=self.drawn[part], patients=behind)


@dataclass(frozen=True)
class Scenario:
    """The scored runs of one scenario by model, in the order of the report; what they are scored from, by run."""

    name: str
    runs: Mapping[str, Sequence[Measured]]
    left: Gathered
    references: References
    scored: Mapping[str, Scored]


def runs_of(settings: Mapping[str, object], references: Sequence[str], unlearned: Sequence[str]) -> dict[str, list]:
    """Return each model's runs, as (name, unlearning seed or None), of a study with these settings."""
    first, most, fewer = settings["seed"], settings["unlearning_seeds"], settings.get("fewer_seeds")
    runs: dict[str, list] = {model: [(model, None)] for model in references}
    return runs | {
        model: [(run_name(model, first, seed), seed) for seed in seeds_of_runs(first, most, fewer, model)]
        for model in unlearned
    }


def measured(
    scenario: str, gathered: Gathered, runs: Mapping[str, Sequence[tuple[str, int | None]]], seed: int
) -> Scenario:
    """Score every run of a scenario against its target and gold, all on the same draws of patients."""
    references = References(gathered.rows)
    scored = {name: references.scored(one, name) for name, one in gathered.answers.items()}
    attacks = gathered.attacks
    harms = AttackHarms(references, attacks, list(scored)) if attacks else None
    parts = drawn_parts(references, scored, seed, harms)
    found: dict[str, list[Measured]] = {}
    for model, of_model in runs.items():
        for name, unlearning_seed in of_model:
            value = score(  # intervals are those of all runs of a model, from `drawn`
                unlearned=scored[name], target=scored["target"], retain_only=scored["retain_only"],
                clean=scored.get(CLEAN),
                base=scored.get("base"), rows=references, replicates=0, seed=seed, attacks=_of_run(attacks, name),
            )  # fmt: skip
            record = gathered.records[name]
            seconds = gathered.seconds[name] + (record.seconds if record else 0.0)
            one = Measured(
                model, name, unlearning_seed, value, parts[name], references.fewest_patients, record, seconds,
                harm_of_rows(scored[name]), _judged(references, harms, name),
            )  # fmt: skip
            found.setdefault(model, []).append(one)
    return Scenario(scenario, found, gathered, references, scored)


def harm_of_rows(scored: Scored) -> dict[str, float]:
    """Return the mean harm of a model's answers to the injected rows, by subset and view."""
    places = (*INJECTED, *(view for view in VIEWS if view not in CLEAN_VIEWS))
    asked = {place: scored.mean("harm", place) for place in places}
    return {place: harm for place, harm in asked.items() if harm is not None}


def drawn_parts(
    references: References, scored: Mapping[str, Scored], seed: int, harms: AttackHarms | None = None
) -> dict[str, dict[str, Floats]]:
    """Return the parts of every model's score in every draw of patients, [replicates]; nan where undefined."""
    beside = [name for name in BESIDE if name in scored]
    at_point = {name: point_means(scored[name]) for name in beside}
    means = bootstrap_means(scored, REPLICATES, seed, harms and harms.tables)
    both = {name: means[name] for name in beside}
    return {
        name: formula_of(references, at_point, counting=harms and harms.counting(Roles(name)))(
            {"unlearned": one, **both}
        )
        for name, one in means.items()
    }


def _of_run(attacks: GivenHarms, name: str) -> GivenHarms | None:
    """Return the harms of a run beside its target's and gold's; None where it was not attacked."""
    if not any(name in of_models for of_models in attacks.values()):
        return None
    return of_one(attacks, Roles(name))


def _judged(references: References, harms: AttackHarms | None, name: str) -> int | None:
    """Return how many patients a run's robust UES rests on; None where it was not attacked."""
    return harms and patients_behind("ues_robust", references, harms, Roles(name))
