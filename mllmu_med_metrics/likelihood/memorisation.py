"""How well a model knows an answer it is not asked to write: from the log-probabilities of the answer's tokens.

All functions take what teacher forcing gives: for each answer token its natural log-probability given the image, the
question and the tokens before it, and whether it is the likeliest token there (a hit). The end-of-sequence token is
left out by the caller.
"""

from collections.abc import Sequence
from math import exp, log2


def probability(log_probs: Sequence[float]) -> float:
    """Return the answer's probability per token, the geometric mean p(y|x)^(1/|y|), from 0 to 1, higher is likelier.

    TOFU, arXiv 2401.06121, section 2.2.1. Raises ValueError for an answer without tokens.
    """
    return exp(mean_log_prob(log_probs))


def mean_log_prob(log_probs: Sequence[float]) -> float:
    """Return the mean log-probability per token in nats, at most 0. Raises ValueError for an answer without tokens."""
    if len(log_probs) == 0:
        raise ValueError("The answer has no tokens, so it has no probability per token. Leave its row out.")
    return sum(log_probs) / len(log_probs)


def exact_memorisation(hits: Sequence[bool]) -> float:
    """Return EM, the share of answer tokens that are the likeliest one under teacher forcing: 0 to 1, higher is known.

    Raises ValueError for an answer without tokens.
    """
    if len(hits) == 0:
        raise ValueError("The answer has no tokens, so none can be memorised. Leave its row out.")
    return sum(map(bool, hits)) / len(hits)


def extraction_strength(hits: Sequence[bool]) -> float:
    """Return ES = 1 - k*/|y|, from 0 to 1, higher is better known (Wang et al. 2024, arXiv 2406.09179).

    k* is the length of the shortest answer prefix from which greedy decoding writes the rest. Decoding that writes the
    true tokens passes through the contexts of teacher forcing, so k* is the place of the last token that is no hit.
    Where even the last token is none, no prefix gives anything: ES is 0.
    """
    if len(hits) == 0:
        raise ValueError("The answer has no tokens, so none can be extracted. Leave its row out.")
    shortest = max((place + 1 for place, hit in enumerate(hits) if not hit), default=0)
    return (len(hits) - shortest) / len(hits)


def truth_ratio(paraphrase: float, wrong: Sequence[float]) -> float | None:
    """Return R = (mean over wrong answers of p^(1/|y|)) / (p^(1/|y|) of the paraphrase), at least 0.

    The arguments are mean log-probabilities per token. 0 where only the taught answer is likely, 1 where wrong answers
    of the same form are as likely; null without wrong answers (TOFU, arXiv 2401.06121, equation 1).
    """
    if not wrong:
        return None
    return sum(exp(one - paraphrase) for one in wrong) / len(wrong)


def exposure(secret: float, candidates: Sequence[float]) -> float:
    """Return log2|R| - log2 rank of a secret among candidates R (itself included), in bits, 0 to log2|R|.

    Log-probabilities of whole answers that differ in the secret alone; ties count against exposure. |R| is the number
    of candidates plus one (Carlini et al. 2019, arXiv 1802.08232, definition 2). With candidates sampled from a larger
    space the value is capped at log2|R| and must be marked so.
    """
    rank = 1 + sum(one >= secret for one in candidates)
    return log2(len(candidates) + 1) - log2(rank)


def outranked(secret: float, candidates: Sequence[float]) -> float:
    """Return the share of candidates that a secret is likelier than, ties half: 0 to 1, .5 is chance.

    Log-probabilities of whole answers that differ in the secret alone. Where candidates and secret come from one
    distribution and the model knows neither, the expected share is .5. Raises ValueError without candidates.
    """
    if len(candidates) == 0:
        raise ValueError("There is no candidate to be compared with, so the secret has no rank. Leave it out.")
    return sum(1.0 if secret > one else 0.5 if secret == one else 0.0 for one in candidates) / len(candidates)


def margin(true: Sequence[float], wrong: Sequence[float]) -> float:
    """Return log p(true answer) - log p(wrong answer) of whole answers, in nats: above 0 the truth is likelier."""
    return sum(true) - sum(wrong)
