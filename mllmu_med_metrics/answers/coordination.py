"""Names that share their last word, written once: "the frontal and parietal lobes", "the left, not the right, kidney"."""

from collections.abc import Iterable, Mapping, Sequence

from mllmu_med_metrics.answers.facts import fact_words
from mllmu_med_metrics.answers.pieces import word_set
from mllmu_med_metrics.normal_form import Found, squeeze

# What may stand between a first word and the shared last word, beside other first words.
_JOINS = word_set("and or nor but not the also both than rather to as well")
_REACH = 7
_LONGEST = 3


def shared_ends(values: Iterable[str]) -> dict[tuple[str, ...], tuple[str, str]]:
    """Return the words before the last -> (form, last word) of the values that share their last word with another."""
    named = [words for value in values if 2 <= len(words := fact_words(value)) <= _LONGEST]
    ends = [words[-1] for words in named]
    return {
        tuple(words[:-1]): (squeeze(words, keep_numbers_apart=True)[0], words[-1])
        for words in named
        if ends.count(words[-1]) > 1
    }


def written_once(words: Sequence[str], shared: Mapping[tuple[str, ...], tuple[str, str]]) -> list[Found]:
    """Return the values whose last word is written only behind a later one of them.

    >>> words = ["the", "frontal", "and", "parietal", "lobe"]
    >>> written_once(words, shared_ends(("frontal lobe", "parietal lobe")))
    [Found(start=1, end=2, form='frontallobe')]
    """
    begun = {first for before in shared for first in before}
    found = []
    for at in range(len(words) - 2):
        if words[at] not in begun:
            continue
        for length in range(_LONGEST - 1, 0, -1):
            if (before := tuple(words[at : at + length])) in shared:
                form, end = shared[before]
                rest = words[at + length : at + length + _REACH]
                stop = next(
                    (place for place, word in enumerate(rest) if word not in _JOINS and word not in begun), None
                )
                if stop and rest[stop] == end and not begun.isdisjoint(rest[:stop]):
                    found.append(Found(at, at + length, form))
                break
    return found
