"""Scores of requests in sequence: what each request made of the model before it, and what became of those before.

Request t of T removes the identities of patients D_t from the model that request t - 1 left; M_t is what it leaves, M_0
the target. Gold_t never saw D_1..t. Golds are few: they are trained for t = 1, half of T and T (`gold_points`), and in
between gold_t is that of the nearest of these points at or after t. An earlier one was taught what was to go since, so
that its harm is no floor; a later one never saw D_1..t, and of the others only some that ask before its own point.

    F_t = F of the score, its harm that of the patients of D_1..t alone          forgotten, of all requests so far
    S_t = B of the score: bystanders' identifiers told exactly on their own rows, of gold_t's
    R_t, T_t = R and T of the score                                              utility on retain, on test, of gold_t's
    h_t = harmonic mean of F_t, S_t, R_t and T_t
    headline = mean of h_t over t; last value = h_T; gap = h of removing all in one request - h_T
    F_s at t = F with the harm of D_s alone in M_t, its floor gold_s's whatever t
    backslide at t = max over s < t of (F_s at s - F_s at t); of a sequence the largest over t

Harm is the largest over every place asked, by patient; the mean is over the patients of the requests. 0 is the target,
1 the gold; a backslide goes from -1 (each request is forgotten better later) to 1, and 0 is none. In a draw of patients
that holds nobody of D_1..t, request t is left out. What is undefined is nan here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mllmu_med_metrics.scoring.formula import Constants, forgetting, formula
from mllmu_med_metrics.scoring.interval import Floats
from mllmu_med_metrics.scoring.means import SETS, Sums, means_under
from mllmu_med_metrics.scoring.parts import harmonic

PARTS = ("f", "s", "r", "t")


class Scores(NamedTuple):
    """A sequence of T requests in every draw of patients: [T, draws], or [draws] of the sequence as a whole."""

    f: Floats
    s: Floats
    r: Floats
    t: Floats
    h: Floats
    own: Floats  # F_s at t by request s and model t, [T, T, draws]; nan where t < s
    backslide: Floats  # at t; nan at the first request
    headline: Floats
    last: Floats
    worst_backslide: Floats


def gold_points(requests: int) -> tuple[int, ...]:
    """Return after which of so many requests a gold is trained: the first, the middle (rounded up), the last.

    >>> gold_points(16), gold_points(5), gold_points(2), gold_points(1)
    ((1, 8, 16), (1, 3, 5), (1, 2), (1,))
    """
    return tuple(sorted({1, (requests + 1) // 2, requests}))


def gold_point(request: int, requests: int) -> int:
    """Return after which request the gold is trained that this one is measured by: the nearest at or after it."""
    return min(point for point in gold_points(requests) if point >= request)


def of_patients(sums: Sums, patients: Sequence[int]) -> Sums:
    """Return the sums of a model with the harm of some forget patients only: their places in `Secrets.of_patient`."""
    return sums._replace(sets=sums.sets[list(patients)], forget=sums.forget[list(patients)])


def scores(
    models: Sequence[Sums],
    target: Sums,
    golds: Mapping[int, Sums],
    requests: Sequence[Sequence[int]],
    constants: Constants,
    draws: Iterable[Floats],
) -> Scores:
    """Return the scores of a sequence in every draw of patients.

    models: what each request left. golds: those of `gold_points`, by request. requests: of each its forget patients, by
    their places in `Secrets.of_patient`. draws: blocks of weights, [draws, patients]. Raises ValueError where models
    and requests are not as many.
    """
    if len(models) != len(requests) or not requests:
        raise ValueError(f"there are {len(models)} models of {len(requests)} requests; each request leaves one")
    blocks = list(draws)
    count, so_far = len(requests), []
    own = np.full((count, count, sum(len(block) for block in blocks)), np.nan)
    parts: dict[str, list[Floats]] = {name: [] for name in PARTS}
    for t, model in enumerate(models, start=1):
        so_far += list(requests[t - 1])
        given = {"unlearned": model, "target": target, "retain_only": golds[gold_point(t, count)]}
        found = formula(means_under({name: of_patients(one, so_far) for name, one in given.items()}, blocks), constants)
        for name, part in zip(PARTS, ("f", "b", "r", "t"), strict=True):
            parts[name].append(found[part])
    for s, patients in enumerate(requests):
        given = {f"{t}": models[t] for t in range(s, count)}
        given |= {"target": target, "gold": golds[gold_point(s + 1, count)]}
        means = means_under({name: of_patients(one, patients) for name, one in given.items()}, blocks)
        for t in range(s, count):
            own[s, t] = forgetting(means[f"{t}"][SETS], means["target"][SETS], means["gold"][SETS])
    stacked = {name: np.stack(parts[name]) for name in PARTS}
    h, back = harmonic(*stacked.values()), backslides(own)
    return Scores(
        **stacked, h=h, own=own, backslide=back, headline=over_requests(h), last=h[-1], worst_backslide=largest(back)
    )


def backslides(own: Floats) -> Floats:
    """Return by model how much the request that lost most has lost since it was made: [T, draws] of [T, T, draws].

    nan where no earlier request has both values, as at the first.
    """
    count = own.shape[0]
    just_forgotten = own[np.arange(count), np.arange(count)]
    earlier = np.triu(np.ones((count, count), dtype=bool), k=1)[..., None]
    lost = np.where(earlier, just_forgotten[:, None] - own, np.nan)
    return largest(lost)


def largest(values: Floats) -> Floats:
    """Return the largest value along the first axis that is not nan; nan where all are."""
    known: NDArray[np.bool_] = ~np.isnan(values)
    most: Floats = np.max(np.where(known, values, -np.inf), axis=0, initial=-np.inf)
    return np.where(known.any(axis=0), most, np.nan)


def over_requests(values: Floats) -> Floats:
    """Return the mean along the first axis of what is not nan; nan where all is."""
    known: NDArray[np.bool_] = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    mean: Floats = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean
