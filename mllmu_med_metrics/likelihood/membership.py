"""Membership inference: can the rows a model was trained on be told from rows it never saw?

Every score is higher for what looks like a member. An attack's AUC is 0.5 when nothing can be told; members are forget
rows and non-members are holdout rows, injected alike (never retain rows, which differ in kind).
"""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import rankdata

MIN_K_SHARE = 0.2


def loss_score(log_probs: Sequence[float]) -> float:
    """Return the mean log-probability per token (LOSS: Yeom et al. 2018, arXiv 1709.01604), in nats, at most 0."""
    return float(np.mean(_some(log_probs)))


def zlib_score(log_probs: Sequence[float], answer: str) -> float:
    """Return the answer's log-probability per byte of its zlib compression (Carlini et al. 2021, arXiv 2012.07805)."""
    return float(np.sum(_some(log_probs)) / len(zlib.compress(answer.encode())))


def min_k_score(log_probs: Sequence[float], share: float = MIN_K_SHARE) -> float:
    """Return the mean of the lowest share of token log-probabilities, at least one (Min-K%: arXiv 2310.16789)."""
    return _lowest(_some(log_probs), share)


def min_k_plus_plus_score(
    log_probs: Sequence[float], means: Sequence[float], deviations: Sequence[float], share: float = MIN_K_SHARE
) -> float:
    """Return the mean of the lowest share of token scores (log p - mean) / deviation (Min-K%++: arXiv 2404.02936).

    mean and deviation are those of log p over the vocabulary under the model's own distribution at that position. A
    position that the model is certain of has no deviation; its score is 0.
    """
    values, spread = _some(log_probs), np.asarray(deviations, dtype=float)
    scores = np.divide(values - np.asarray(means, dtype=float), spread, out=np.zeros_like(values), where=spread > 1e-9)
    return _lowest(scores, share)


def auc(members: Sequence[float], others: Sequence[float]) -> float | None:
    """Return the chance that a member scores above a non-member, ties half: 0 to 1; null where either is empty."""
    if not len(members) or not len(others):
        return None
    ranks = rankdata(np.concatenate([np.asarray(members, dtype=float), np.asarray(others, dtype=float)]))
    above = ranks[: len(members)].sum() - len(members) * (len(members) + 1) / 2
    return float(above / (len(members) * len(others)))


def row_scores(
    log_probs: Sequence[float], means: Sequence[float], deviations: Sequence[float], answer: str
) -> Mapping[str, float]:
    """Return the four scores of one row by name: loss, zlib, min_k, min_k_plus_plus."""
    return {
        "loss": loss_score(log_probs),
        "zlib": zlib_score(log_probs, answer),
        "min_k": min_k_score(log_probs),
        "min_k_plus_plus": min_k_plus_plus_score(log_probs, means, deviations),
    }


def _some(values: Sequence[float]) -> np.ndarray:
    if len(values) == 0:
        raise ValueError("The answer has no tokens, so it has no membership score. Leave its row out.")
    return np.asarray(values, dtype=float)


def _lowest(values: np.ndarray, share: float) -> float:
    count = max(1, int(len(values) * share))
    return float(np.sort(values)[:count].mean())
