"""The rows of a report: one a model, its values the means of its runs, and what its interval covers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from mllmu_med_metrics.scoring.hierarchy import Estimate, difference, mean_of_runs
from mllmu_med_metrics.scoring.score_value import UES_VERSION, WITH_INTERVAL
from mllmu_med_metrics.vocabulary import OF_BELIEFS

from ..run.health import verdict
from .compared import beats_control, comparisons, same_letters
from .measured import Measured, Scenario
from .study import CLEAN, LEARNED_CONTROL, UNLEARNED_CONTROL

REFERENCES = ("base", "target", "retain_only", CLEAN, LEARNED_CONTROL)
# The score that a scenario is about, where it is not UES: of wrong facts, the truth has to be put in their place.
HEADLINES = {"incorrectness": "ues_strict", "knowledge": "ues_strict"}
ROW_FIELDS = (
    "scenario", "model", "ues", "ues_low", "ues_high", "ues_strict", "ues_strict_low", "ues_strict_high", "ues_reason",
    "ues_rouge_l", "f", "r", "t", "b", "k", "u", "harm", "harm_by_place", "harm_rows", "harm_by_kind",
    "patients_leaked", "patients_leaked_upper", "harm_holdout", "overshoot", "keep_forget", "keep_retain", "keep_test",
    "blind_test", "utility_test", "leak_rate", "any_leak_per_patient", "wrong_agreement", "true_recovery", "abstention",
    "abstention_excess", "invented", "added_claims", "length_ratio", "degenerate", "n_forget", "n_retain", "n_test",
    "n_holdout", "n_forget_patients", "verdict", "seconds", "peak_memory_mb", "leak_by_kind", "blind_forget", "reasons",
    "covers", "errors", "spread", "letters", "beats_retain_ft", "by_run",
)  # fmt: skip
# A row holds these where a run of its scenario was attacked: robust UES covers the patients of the runs that were.
ATTACK_FIELDS = (
    "ues_robust", "ues_robust_low", "ues_robust_high", "robust_covers", "attack_set", "attacks", "worst_attack",
)  # fmt: skip
# A row of a scenario of beliefs holds these: neighbours kept, and the wrong belief on images never trained on.
BELIEF_FIELDS = ("n", "belief_spread")
# Of each run, beside its name and seed.
RUN_FIELDS = ("ues", "ues_strict", "f", "r", "t", "b", "k", "u", "harm", "patients_leaked", "degenerate")
# A row holds it only where the model's answers hold thoughts.
THOUGHTS = "thought_leak_rate"


def headline(scenario: str, ues_version: int = UES_VERSION) -> str:
    """Return the field that models of a scenario are compared by; version 1 compared all by UES."""
    return HEADLINES.get(scenario, "ues") if ues_version > 1 else "ues"


def rows_of(scenario: Scenario) -> tuple[list[dict[str, object]], dict[str, object]]:
    """Return a scenario's rows, in the order of its models, and the declared comparisons of its methods."""
    field = headline(scenario.name)
    runs = {model: [one.run(field) for one in of_model] for model, of_model in scenario.runs.items()}
    points = {model: mean_of_runs(of_model).point for model, of_model in runs.items() if model not in REFERENCES}

    def differ(one: str, other: str) -> Estimate:
        return difference(runs[one], runs[other])

    found = comparisons(points, differ)
    shared, above = same_letters(points, differ), beats_control(found)
    attacked = any(one.score.attacks for of_model in scenario.runs.values() for one in of_model)
    names = (*ROW_FIELDS, *(ATTACK_FIELDS if attacked else ()))
    names = (*names, *(BELIEF_FIELDS if scenario.name in OF_BELIEFS else ()))
    rows = [_row(of_model, field, shared, above, names) for of_model in scenario.runs.values()]
    return rows, {"score": field, "differences": found}


def _row(
    runs: Sequence[Measured],
    field: str,
    shared: Mapping[str, str],
    above: Mapping[str, bool | None],
    names: Sequence[str],
) -> dict[str, object]:
    """Return one row of the report, with these fields; whatever is null has its reason under `reasons`."""
    model, scores = runs[0].model, [one.score.to_dict() for one in runs]
    attacked = "attacks" in names
    row = {name: averaged([score.get(name) for score in scores]) for name in names}
    row |= {"model": model, "by_run": [_by_run(one, attacked) for one in runs]}
    row["harm_rows"] = averaged([one.harm_rows for one in runs])
    row |= _intervals(runs, field, WITH_INTERVAL[UES_VERSION] if attacked else ("ues", "ues_strict"))
    row |= _under_attack(row, runs) if attacked else {}
    row["ues_reason"] = row["ues_reason"] if row["ues"] is None else None
    row["verdict"] = None if model in REFERENCES else counted([one["verdict"] for one in row["by_run"]])
    row["seconds"] = round(mean(one.seconds for one in runs), 1)
    memory = [one.record.peak_memory_mb for one in runs if one.record]
    row["peak_memory_mb"] = max(memory, default=None)
    row["letters"], row["beats_retain_ft"] = shared.get(model), above.get(model)
    if any(THOUGHTS in score for score in scores):
        row[THOUGHTS] = averaged([score.get(THOUGHTS) for score in scores])
    reasons = _reasons(runs, row)
    row["reasons"] = {name: reasons.get(name, "not defined here") for name in names if row[name] is None}
    row["reasons"].pop("reasons", None)
    return row


def _under_attack(row: Mapping[str, object], runs: Sequence[Measured]) -> dict[str, object]:
    """Return the attack that counts and leaves least forgotten, and what the interval of robust UES covers."""
    counting = {
        name: one["f"] for name, one in (row["attacks"] or {}).items() if one["counts"] and one["f"] is not None
    }
    worst = min(counting, key=lambda name: counting[name], default=None)
    covers = mean_of_runs([one.run("ues_robust") for one in runs]).covers
    return {
        "worst_attack": None if worst is None else {"attack": worst, "f": counting[worst]},
        "robust_covers": None if row["ues_robust"] is None else covers,
    }


def _intervals(runs: Sequence[Measured], field: str, names: Sequence[str]) -> dict[str, object]:
    """Return every interval's ends and standard error, what that of the headline covers, the spread of its runs."""
    values: dict[str, object] = {"errors": {}}
    for name in names:
        found = mean_of_runs([one.run(name) for one in runs])
        values |= {f"{name}_low": found.low, f"{name}_high": found.high}
        values["errors"][name] = found.error
        if name == field:
            values["covers"] = found.covers
    points = [value for one in runs if (value := getattr(one.score, field)) is not None]
    values["spread"] = stdev(points) if len(points) > 1 else None
    return values


def _by_run(one: Measured, attacked: bool) -> dict[str, object]:
    """Return the values of one run."""
    diverged = one.record is not None and one.record.verdict == "diverged"
    judged = verdict(one.score.f, one.score.r, one.score.degenerate, diverged)
    under_attack = {"ues_robust": one.score.ues_robust, "attacked": one.score.attacks is not None}
    return {
        "run": one.name,
        "seed": one.seed,
        **{field: getattr(one.score, field) for field in RUN_FIELDS},
        **(under_attack if attacked else {}),
        "verdict": None if one.model in REFERENCES else judged,
    }


def _reasons(runs: Sequence[Measured], row: Mapping[str, object]) -> dict[str, str]:
    """Return why values of a row are None: what the first run says that has a reason, and what the row knows."""
    reasons: dict[str, str] = {}
    for one in reversed(runs):
        reasons |= one.score.reasons
    model = str(row["model"])
    if model in REFERENCES:
        for name in ("verdict", "letters", "beats_retain_ft"):
            reasons[name] = f"{model} is a reference, not an unlearning run"
    if model == UNLEARNED_CONTROL:
        reasons["beats_retain_ft"] = f"{model} is the control itself"
    if not any(one.record for one in runs):
        reasons["peak_memory_mb"] = f"{model} is not trained here"
    if row["ues_reason"] is None:
        reasons["ues_reason"] = "UES is defined"
    known = reasons.get("ues", "the study has no control retain_ft, or too little to compare by")
    robust = reasons.get("ues_robust", "no bootstrap replicate defines it")
    return {
        "letters": known,
        "beats_retain_ft": known,
        "spread": "there is one run with a score",
        "robust_covers": robust,
        "worst_attack": robust if row.get("attacks") is None else "no attack counts",
    } | reasons


def averaged(values: Sequence[object]) -> object:
    """Return the mean of what runs say: of numbers, or key by key; what else they say where all say the same.

    A run that says None is left out; whole numbers that are equal stay whole.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    if all(value == known[0] for value in known):
        return known[0]
    if all(isinstance(value, Mapping) for value in known):
        keys = dict.fromkeys(key for value in known for key in value)
        return {key: averaged([value.get(key) for value in known]) for key in keys}
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return mean(map(float, known))
    return None


def counted(verdicts: Sequence[str]) -> str:
    """Return one word where all verdicts are the same, else how often each was given."""
    counts = Counter(verdicts)
    if len(counts) == 1:
        return verdicts[0]
    return ", ".join(f"{count} {judged}" for judged, count in counts.items())
