"""Is one unlearned model better than another: differences of scores on the same rows, paired by patient."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import isnan

import numpy as np

from mllmu_med_metrics.scoring.attack_harms import AttackHarms, GivenHarms, Roles, of_one
from mllmu_med_metrics.scoring.interval import Floats, expanded_p, percentile_interval
from mllmu_med_metrics.scoring.means import bootstrap_means, point_means
from mllmu_med_metrics.scoring.references import Outline, Predictions, References
from mllmu_med_metrics.scoring.score_value import PARTS, UES_VERSION
from mllmu_med_metrics.scoring.scored import Scored
from mllmu_med_metrics.scoring.ues import as_scored, check_options, formula_of, patients_behind, score


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value of model a minus that of model b."""

    a: float
    b: float
    difference: float  # a - b, -1 to 1; for all but harm, above 0 means that a is better
    low: float | None  # 95 % interval of the difference; None where no replicate defines it
    high: float | None
    p: float | None  # two-sided, of the hypothesis that there is no difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The differences between two unlearned models; one that is undefined for either is None with a reason."""

    scenario: str | None
    ues_version: int
    differences: dict[str, Difference | None]  # the scores of the version and their parts
    reasons: dict[str, str]
    n_forget_patients: int
    replicates: int
    null_replicates: int  # replicates in which the difference in UES is undefined; left out
    seed: int

    def to_dict(self) -> dict[str, object]:
        """Return the fields as plain values that JSON can hold."""
        return asdict(self)


def _p(differences: Floats, patients: int) -> float:
    """Return the two-sided p, from the share of replicates on the rarer side of 0, the sample itself counted in."""
    below, above = (1 + int((differences <= 0).sum()), 1 + int((differences >= 0).sum()))
    return 2 * expanded_p(min(0.5, min(below, above) / (1 + differences.size)), patients)


def compare(
    *,
    a: Predictions | Scored,
    b: Predictions | Scored,
    target: Predictions | Scored,
    retain_only: Predictions | Scored | None = None,
    rows: Iterable[Mapping[str, object]] | Outline,
    attacks: GivenHarms | None = None,
    replicates: int = 1000,
    seed: int = 0,
    ues_version: int = UES_VERSION,
) -> Comparison:
    """Compare two unlearned models of one target: the difference of each score, its 95 % interval and two-sided p.

    Both models are scored on the same draws of patients, so what makes a draw easy or hard for both cancels out: the
    interval of the difference is narrower than the two intervals suggest. Arguments are those of `score`; `attacks`
    hold the harms of "a", "b", "target" and "retain_only".
    """
    check_options(replicates, seed, ues_version, attacks=attacks is not None)
    references = rows if isinstance(rows, Outline) else References(rows)
    given = {"a": a, "b": b, "target": target, "retain_only": retain_only}
    models = {name: as_scored(references, one, name) for name, one in given.items() if one is not None}
    alone = {
        name: score(
            unlearned=models[name],
            target=models["target"],
            retain_only=models.get("retain_only"),
            rows=references,
            attacks=None if attacks is None else of_one(attacks, Roles(name)),
            replicates=0,
            seed=seed,
            ues_version=ues_version,
        )
        for name in ("a", "b")
    }
    harms = None if attacks is None else AttackHarms(references, attacks, ("a", "b", "target", "retain_only"))
    drawn = _drawn(references, models, replicates, seed, ues_version, harms)
    differences: dict[str, Difference | None] = {}
    reasons: dict[str, str] = {}
    for name in PARTS[ues_version]:
        ours, theirs = getattr(alone["a"], name), getattr(alone["b"], name)
        if ours is None or theirs is None:
            differences[name] = None
            reasons[name] = alone["a"].reasons.get(name) or alone["b"].reasons[name]
        else:
            patients = patients_behind(name, references, harms, Roles("a"))
            differences[name] = _difference(ours, theirs, drawn.get(name, np.empty(0)), patients)
    return Comparison(
        scenario=references.scenario,
        ues_version=ues_version,
        differences=differences,
        reasons=reasons,
        n_forget_patients=references.forget_patients,
        replicates=replicates,
        null_replicates=sum(map(isnan, drawn.get("ues", ()))) if differences["ues"] else 0,
        seed=seed,
    )


def _drawn(
    references: Outline,
    models: Mapping[str, Scored],
    replicates: int,
    seed: int,
    ues_version: int,
    harms: AttackHarms | None,
) -> dict[str, Floats]:
    """Return the difference of every part in every replicate."""
    if not (replicates and references.patients):
        return {}
    shared = [name for name in ("target", "retain_only") if name in models]
    at_point = {name: point_means(models[name]) for name in shared}
    means = bootstrap_means(models, replicates, seed, harms and harms.tables)
    both = {one: means[one] for one in shared}
    ours, theirs = (
        formula_of(references, at_point, ues_version, harms and harms.counting(Roles(name)))(
            {"unlearned": means[name], **both}
        )
        for name in ("a", "b")
    )
    return {name: ours[name] - theirs[name] for name in ours}


def _difference(ours: float, theirs: float, drawn: Floats, patients: int) -> Difference:
    known = drawn[~np.isnan(drawn)]
    low, high, _ = percentile_interval(ours - theirs, known, patients)
    p = _p(known, patients) if known.size else None
    return Difference(a=ours, b=theirs, difference=ours - theirs, low=low, high=high, p=p)
