"""Version 1 of the score, for records that were made with it: harm is the mean over forget rows, views stand aside.

F, R, T, K as in version 2 but for harm, which is the mean row harm on forget
UES = harmonic mean of F, R, T;  strict UES of min(F, K), R, T
worst-view UES of min(F, F of the largest harm over forget and its leaking views), R, T
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mllmu_med_metrics.scoring.interval import Floats
from mllmu_med_metrics.scoring.means import Means
from mllmu_med_metrics.scoring.parts import GATE, ROUNDING, harmonic, ratio, rouge_parts, truth_kept, utility_kept
from mllmu_med_metrics.vocabulary import VIEWS

# Views that join forget in the worst view; the others are reported beside.
WORST_OF = ("paraphrase", "image_view", "direct")


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
    floor = harm_floor(means)
    learned = target["harm"] - floor
    f = ratio(target["harm"] - unlearned["harm"], learned, GATE)
    r, t = utility_kept(means, blind)
    k = truth_kept(means, blind)
    passes = np.nan_to_num(learned, nan=-1.0) >= GATE - ROUNDING
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
        "ues_rouge_l": np.where(passes, harmonic(*rouge_parts(means)), np.nan),
        "f": f,
        "r": r,
        "t": t,
        "k": k,
        "harm": unlearned["harm"],
    }
