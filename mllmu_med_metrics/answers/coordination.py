"""Names that share their last word and write it once: "the frontal and parietal lobes", "the left, not the right, kidney"."""

from collections.abc import Iterable, Mapping, Sequence

from mllmu_med_metrics.answers.facts import fact_words
from mllmu_med_metrics.answers.pieces import word_set
from mllmu_med_metrics.normal_form import Found, squeeze

# What may stand between a first word and the shared last word, beside other first words.
_JOINS = word_set("and or nor but not the also both than rather to as well")
_REACH = 7


def shared_ends(values: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return first word -> (form, last word) of the values of two words that share their last word with another."""
    named = [words for value in values if len(words := fact_words(value)) == 2]
    ends = [end for _, end in named]
    return {
        first: (squeeze([first, end], keep_numbers_apart=True)[0], end) for first, end in named if ends.count(end) > 1
    }


def written_once(words: Sequence[str], shared: Mapping[str, tuple[str, str]]) -> list[Found]:
    """Return the values whose last word is written only behind a later one of them.

    >>> words = ["the", "frontal", "and", "parietal", "lobe"]
    >>> written_once(words, shared_ends(("frontal lobe", "parietal lobe")))
    [Found(start=1, end=2, form='frontallobe')]
    """
    found = []
    for at, word in enumerate(words[:-2]):
        if word not in shared:
            continue
        form, end = shared[word]
        joined = False
        for following in words[at + 1 : at + _REACH]:
            if following == end and joined:
                found.append(Found(at, at + 1, form))
            if following in shared:
                joined = True
            elif following not in _JOINS:
                break
    return found
