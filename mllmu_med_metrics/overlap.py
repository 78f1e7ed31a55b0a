"""ROUGE-L of two texts, equal to the `rouge_score` package without its stemmer (Lin, 2004)."""

import re
from functools import lru_cache

_OTHER = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=65536)
def rouge_tokens(text: str) -> tuple[str, ...]:
    """Split a text as `rouge_score` does: lower case, ASCII letters and digits only."""
    return tuple(_OTHER.sub(" ", text.lower()).split())


def longest_common_subsequence(left: tuple[str, ...], right: tuple[str, ...]) -> int:
    """Return the length of the longest common subsequence, by bit-parallel row updates (Hyyrö, 2004)."""
    places: dict[str, int] = {}
    for index, token in enumerate(left):
        places[token] = places.get(token, 0) | (1 << index)
    every = (1 << len(left)) - 1
    row = every
    for token in right:
        matched = row & places.get(token, 0)
        row = ((row + matched) | (row - matched)) & every
    return len(left) - row.bit_count()


def rouge_l(prediction: str, reference: str) -> tuple[float, float]:
    """Return (F1, recall) of ROUGE-L, both from 0 to 1, higher for more overlap; 0 when either text has no word."""
    predicted = rouge_tokens(prediction)
    expected = rouge_tokens(reference)
    if not predicted or not expected:
        return 0.0, 0.0
    if predicted == expected:
        return 1.0, 1.0
    common = longest_common_subsequence(expected, predicted)
    precision = common / len(predicted)
    recall = common / len(expected)
    if precision + recall == 0:
        return 0.0, 0.0
    return 2 * precision * recall / (precision + recall), recall
