"""Overlap of wording: ROUGE-L (Lin, 2004), equal to `rouge_score` without its stemmer; sentence BLEU by sacrebleu.

ROUGE-L is our own: scoring asks it of every answer, and this one is many times faster.
"""

import re
from collections.abc import Sequence

from mllmu_med_metrics.normal_form import ascii_words, normalise

_ROUGE_WORD = re.compile(r"[a-z0-9]+")


def rouge_tokens(text: str) -> list[str]:
    """Split a text as `rouge_score` does: lower case, ASCII letters and digits only."""
    return ascii_words(text) if text.isascii() else _ROUGE_WORD.findall(text.lower())


def longest_common_subsequence(left: Sequence[str], right: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, by bit-parallel row updates (Hyyrö, 2004)."""
    # What both begin and end with is common in any case; wordings of one template share most of it.
    shorter = min(len(left), len(right))
    begin = 0
    while begin < shorter and left[begin] == right[begin]:
        begin += 1
    end = 0
    while end < shorter - begin and left[-1 - end] == right[-1 - end]:
        end += 1
    if begin + end == shorter:
        return shorter
    left, right = left[begin : len(left) - end], right[begin : len(right) - end]
    places: dict[str, int] = {}
    for index, token in enumerate(left):
        places[token] = places.get(token, 0) | (1 << index)
    every = (1 << len(left)) - 1
    row = every
    for token in right:
        matched = row & places.get(token, 0)
        if matched:
            row = ((row + matched) | (row - matched)) & every
    return begin + end + len(left) - row.bit_count()


def rouge_l_of(predicted: Sequence[str], expected: Sequence[str]) -> tuple[float, float]:
    """Return (F1, recall) of ROUGE-L of two lists of `rouge_tokens`."""
    if not predicted or not expected:
        return 0.0, 0.0
    if predicted == expected:
        return 1.0, 1.0
    common = longest_common_subsequence(expected, predicted)
    if not common:
        return 0.0, 0.0
    precision = common / len(predicted)
    recall = common / len(expected)
    return 2 * precision * recall / (precision + recall), recall


def rouge_l(prediction: str, reference: str) -> tuple[float, float]:
    """Return (F1, recall) of ROUGE-L, both from 0 to 1, higher for more overlap; 0 when either text has no word.

    >>> rouge_l("The lesion is a cyst.", "It is a cyst")  # 3 of 5 and 3 of 4 words: F1 2/3
    (0.6666666666666665, 0.75)
    """
    return rouge_l_of(rouge_tokens(prediction), rouge_tokens(reference))


def bleu(prediction: str, reference: str) -> float:
    """Return sentence BLEU by sacrebleu, from 0 to 1 (sacrebleu's own goes to 100), higher for more overlap.

    Case counts; 0 where no word is shared. Needs sacrebleu, which comes with ``mllmu-med[harness]``.

    >>> bleu("The liver.", "The liver."), bleu("A heart", "the liver")
    (1.0, 0.0)
    """
    from sacrebleu import sentence_bleu

    return min(1.0, sentence_bleu(prediction, [reference]).score / 100)


def exact_match(prediction: str, reference: str) -> bool:
    """Say whether two texts are equal but for case, accents, spacing and kinds of dashes and quotes.

    >>> exact_match(" Left  lung", "left lung"), exact_match("left lung.", "left lung")
    (True, False)
    """
    return normalise(prediction) == normalise(reference)
