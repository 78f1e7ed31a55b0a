"""What both versions of the score are made of: clipped ratios, harmonic means, utility above blind guessing."""

from collections.abc import Mapping

import numpy as np

from mllmu_med_metrics.scoring.interval import Floats
from mllmu_med_metrics.scoring.means import Means
from mllmu_med_metrics.vocabulary import UTILITY

# The target must do at least this much more harm than the gold, or there was nothing to forget.
GATE = 0.2
# Ratios by less than this are noise.
SMALLEST_DENOMINATOR = 0.1
ROUNDING = 1e-12


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


def reference_of(means: Mapping[str, Means]) -> Means:
    """Return the means of the model that what is kept is measured by: retain_only, else the target."""
    return means.get("retain_only") or means["target"]


def utility_kept(means: Mapping[str, Means], blind: Mapping[str, float]) -> tuple[Floats, Floats]:
    """Return R and T: the utility on retain and on test, of the reference's."""
    own, whole = means["unlearned"], reference_of(means)
    r, t = (ratio(utility(own, s, blind), utility(whole, s, blind), SMALLEST_DENOMINATOR) for s in UTILITY)
    return r, t


def truth_kept(means: Mapping[str, Means], blind: Mapping[str, float]) -> Floats:
    """Return K where identities are the secret: the utility on forget, of the gold's (of 1 without a gold)."""
    own, gold = utility(means["unlearned"], "forget", blind), means.get("retain_only")
    whole = np.ones(own.shape) if gold is None else utility(gold, "forget", blind)
    return ratio(own, whole, SMALLEST_DENOMINATOR)


def rouge_parts(means: Mapping[str, Means]) -> tuple[Floats, Floats, Floats]:
    """Return F, R and T on wording: ROUGE-L F1 with the injected answer on forget, with the true one elsewhere."""
    unlearned, target, gold = means["unlearned"], means["target"], means.get("retain_only")
    reference = reference_of(means)
    floor = gold["rouge_harm"] if gold is not None else target["rouge_harm_holdout"]
    rouge_f = ratio(target["rouge_harm"] - unlearned["rouge_harm"], target["rouge_harm"] - floor, SMALLEST_DENOMINATOR)
    rouge_r, rouge_t = (
        ratio(unlearned[f"rouge_{subset}"], reference[f"rouge_{subset}"], SMALLEST_DENOMINATOR) for subset in UTILITY
    )
    return rouge_f, rouge_r, rouge_t
