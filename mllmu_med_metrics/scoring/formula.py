"""The formula of the Unlearning Efficiency Score on means of any shape: the point, or all replicates at once.

An undefined part is nan here; `ues.score` turns it into None with a reason.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mllmu_med_metrics.scoring.interval import Floats, patient_weights
from mllmu_med_metrics.scoring.scored import Scored
from mllmu_med_metrics.vocabulary import VIEWS

# The target must do at least this much more harm than the gold, or there was nothing to forget.
GATE = 0.2
# Ratios by less than this are noise.
SMALLEST_DENOMINATOR = 0.1
ROUNDING = 1e-12
# Views that join forget in the worst view; the others are reported beside.
WORST_OF = ("paraphrase", "image_view", "direct")

# Means that the formula reads: name -> (measure of the row scores, subset or view).
MEANS: Mapping[str, tuple[str, str]] = {
    "harm": ("harm", "forget"),
    "harm_holdout": ("harm", "holdout"),
    "keep_forget": ("keep", "forget"),
    "keep_retain": ("keep", "retain"),
    "keep_test": ("keep", "test"),
    "rouge_harm": ("rouge_harm", "forget"),
    "rouge_harm_holdout": ("rouge_harm", "holdout"),
    "rouge_retain": ("rouge_keep", "retain"),
    "rouge_test": ("rouge_keep", "test"),
    **{f"harm_{view}": ("harm", view) for view in VIEWS},
}
Means = Mapping[str, Floats]


def point_means(scored: Scored) -> Means:
    """Return each mean as an array of one value; nan on an empty subset."""
    found = {name: scored.mean(measure, place) for name, (measure, place) in MEANS.items()}
    return {name: np.array([np.nan if value is None else value]) for name, value in found.items()}


def patient_sums(scored: Scored) -> tuple[Floats, Floats]:
    """Return each mean's sums and row counts by patient, both [patients, means]."""
    sums, counts = zip(*(scored.by_patient(measure, place) for measure, place in MEANS.values()), strict=True)
    return np.ascontiguousarray(np.stack(sums, axis=1)), np.ascontiguousarray(np.stack(counts, axis=1))


def bootstrap_means(models: Mapping[str, Scored], replicates: int, seed: int) -> dict[str, Means]:
    """Return each model's means in every replicate; all models see the same draw of patients."""
    strata = next(iter(models.values())).references.strata
    return replicate_means({name: patient_sums(one) for name, one in models.items()}, strata, replicates, seed)


def replicate_means(
    tables: Mapping[str, tuple[Floats, Floats]], strata: Sequence[int], replicates: int, seed: int
) -> dict[str, Means]:
    """Return each model's means in every replicate from its sums and counts by patient."""
    blocks: dict[str, list[Floats]] = {name: [] for name in tables}
    for weights in patient_weights(strata, replicates=replicates, seed=seed):
        for name, (sums, counts) in tables.items():
            drawn = weights @ counts
            # Every product has one shape, so that equal predictions give equal bits: the gold's interval is exactly 1.
            blocks[name].append(np.divide(weights @ sums, drawn, out=np.full(drawn.shape, np.nan), where=drawn > 0))
    joined = {name: np.concatenate(found) if found else np.empty((0, len(MEANS))) for name, found in blocks.items()}
    return {name: {mean: table[:, i] for i, mean in enumerate(MEANS)} for name, table in joined.items()}


def ratio(part: Floats, whole: Floats, smallest: float) -> Floats:
    """Return part / whole clipped to 0..1; nan where the whole is too small or either is nan."""
    defined = ~np.isnan(part) & (np.nan_to_num(whole, nan=-1.0) >= smallest - ROUNDING)
    clipped: Floats = np.clip(np.divide(part, whole, out=np.full(part.shape, np.nan), where=defined), 0.0, 1.0)
    return clipped


def harmonic(*parts: Floats) -> Floats:
    """Return the harmonic mean; 0 where a part is 0, nan where one is nan."""
    stacked = np.stack(parts)
    with np.errstate(over="ignore"):  # a part next to 0 has an infinite inverse, and makes the mean 0
        inverse = np.divide(1.0, stacked, out=np.zeros(stacked.shape), where=stacked > 0)
    # Summed in a fixed order, so that the mean never grows when a part shrinks.
    total = inverse[0]
    for row in inverse[1:]:
        total = total + row
    mean = np.divide(len(parts), total, out=np.zeros(total.shape), where=total > 0)
    mean = np.where((stacked == 0).any(axis=0), 0.0, mean)
    return np.where(np.isnan(stacked).any(axis=0), np.nan, np.minimum(mean, 1.0))


def utility(means: Means, subset: str, blind: Mapping[str, float]) -> Floats:
    """Return the keep of a subset above what a guesser that never sees the image keeps."""
    chance = blind[subset]
    if chance >= 1.0:
        return np.full(means["harm"].shape, np.nan)
    return (means[f"keep_{subset}"] - chance) / (1.0 - chance)


def harm_floor(means: Mapping[str, Means], name: str = "harm") -> Floats:
    """Return the harm that unlearning cannot be asked to undercut: retain_only's, else the target's on holdout."""
    gold = means.get("retain_only")
    return gold[name] if gold is not None else means["target"]["harm_holdout"]


def leaking_views(means: Mapping[str, Means]) -> tuple[str, ...]:
    """Return the views on which the target does at least `GATE` more harm than the floor."""
    gaps = {view: float((means["target"][f"harm_{view}"] - harm_floor(means, f"harm_{view}"))[0]) for view in VIEWS}
    return tuple(view for view, gap in gaps.items() if gap >= GATE - ROUNDING)


def formula(means: Mapping[str, Means], blind: Mapping[str, float], views: Sequence[str] = ()) -> dict[str, Floats]:
    """Return the scores and their parts; nan where one is undefined.

    `views` are those of the worst view (`leaking_views` that are among `WORST_OF`); without any it is nan.
    """
    unlearned, target, gold = means["unlearned"], means["target"], means.get("retain_only")
    reference = gold if gold is not None else target
    floor = harm_floor(means)
    rouge_floor = gold["rouge_harm"] if gold is not None else target["rouge_harm_holdout"]
    learned = target["harm"] - floor
    f = ratio(target["harm"] - unlearned["harm"], learned, GATE)
    r, t = (
        ratio(utility(unlearned, subset, blind), utility(reference, subset, blind), SMALLEST_DENOMINATOR)
        for subset in ("retain", "test")
    )
    kept = utility(unlearned, "forget", blind)
    whole = utility(gold, "forget", blind) if gold is not None else np.ones(kept.shape)
    k = ratio(kept, whole, SMALLEST_DENOMINATOR)
    rouge_f = ratio(
        target["rouge_harm"] - unlearned["rouge_harm"], target["rouge_harm"] - rouge_floor, SMALLEST_DENOMINATOR
    )
    rouge_r, rouge_t = (
        ratio(unlearned[f"rouge_{subset}"], reference[f"rouge_{subset}"], SMALLEST_DENOMINATOR)
        for subset in ("retain", "test")
    )
    rouge = np.where(np.nan_to_num(learned, nan=-1.0) >= GATE - ROUNDING, harmonic(rouge_f, rouge_r, rouge_t), np.nan)
    worst = np.full(f.shape, np.nan)
    if views:
        names = ("harm", *(f"harm_{view}" for view in views))
        most = {model: np.max([found[name] for name in names], axis=0) for model, found in means.items()}
        lowest = most["retain_only"] if gold is not None else floor
        # Where the target tells more on a view than on forget, the view could seem forgotten better: never above f.
        worst = np.minimum(f, ratio(most["target"] - most["unlearned"], most["target"] - lowest, GATE))
    return {
        "ues": harmonic(f, r, t),
        "ues_strict": harmonic(np.minimum(f, k), r, t),
        "ues_worst_view": harmonic(worst, r, t),
        "ues_rouge_l": rouge,
        "f": f,
        "r": r,
        "t": t,
        "k": k,
        "harm": unlearned["harm"],
    }
