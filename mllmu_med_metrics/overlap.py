"""Overlap of wording: ROUGE-L, equal to `rouge_score` without its stemmer; sentence BLEU, equal to sacrebleu's.

ROUGE-L: Lin, 2004. BLEU: Papineni et al., 2002, with the exponential smoothing of Chen and Cherry, 2014 (method 3).
"""

import re
from collections import Counter
from collections.abc import Sequence
from math import exp, fsum, log

from mllmu_med_metrics.normalise import ascii_words, normalise

_ROUGE_WORD = re.compile(r"[a-z0-9]+")
_ORDERS = 4
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
# ASCII punctuation but for the apostrophe, comma, hyphen and full stop, which depend on what stands beside them.
_APART = re.compile(r"([!-&(-+/:-@\[-`{-~])")
_STOP_AFTER_OTHER = re.compile(r"([^0-9])([.,])")
_STOP_BEFORE_OTHER = re.compile(r"([.,])([^0-9])")
_HYPHEN_AFTER_DIGIT = re.compile(r"([0-9])(-)")


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


def bleu_tokens(text: str) -> list[str]:
    """Split a text as sacrebleu's default tokenizer (13a, that of the WMT evaluations) does."""
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for name, character in _ENTITIES:
        text = text.replace(name, character)
    text = _APART.sub(r" \1 ", f" {text} ")
    text = _STOP_AFTER_OTHER.sub(r"\1 \2 ", text)
    text = _STOP_BEFORE_OTHER.sub(r" \1 \2", text)
    return _HYPHEN_AFTER_DIGIT.sub(r"\1 \2 ", text).split()


def _ngrams(tokens: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[start:] for start in range(order)), strict=False))


def bleu(prediction: str, reference: str) -> float:
    """Return sentence BLEU, from 0 to 1, higher for more overlap; a hundredth of sacrebleu's `sentence_bleu`.

    Case counts. n-grams up to 4 words, or up to the prediction's length where it is shorter; an order without a match
    counts as half, then a quarter ... of one match. 0 where no word is shared.

    >>> bleu("The liver.", "The liver."), bleu("A heart", "the liver")
    (1.0, 0.0)
    """
    predicted, expected = bleu_tokens(prediction), bleu_tokens(reference)
    logs: list[float] = []
    halved = 1.0
    for order in range(1, min(_ORDERS, len(predicted)) + 1):
        total = len(predicted) - order + 1
        matched = (_ngrams(predicted, order) & _ngrams(expected, order)).total()
        if not matched:
            # Without a word in common there is no longer n-gram in common either.
            if order == 1:
                return 0.0
            halved *= 2
        logs.append(log(matched / total) if matched else -log(halved * total))
    if not logs:
        return 0.0
    shorter = 1.0 if len(predicted) >= len(expected) else exp(1 - len(expected) / len(predicted))
    return shorter * exp(fsum(logs) / len(logs))


def exact_match(prediction: str, reference: str) -> bool:
    """Say whether two texts are equal but for case, accents, spacing and kinds of dashes and quotes.

    >>> exact_match(" Left  lung", "left lung"), exact_match("left lung.", "left lung")
    (True, False)
    """
    return normalise(prediction) == normalise(reference)
