"""What a speaker takes back: "left, sorry, right", "a cyst. Correction: a mass", "left. No, right"."""

from collections.abc import Sequence

from mllmu_med_metrics.answers.clauses import AUXILIARIES, ENDS, end_of_sentence, mark, start_of_sentence
from mllmu_med_metrics.answers.cues import cue_at, telling_words, trie_of, words_of
from mllmu_med_metrics.answers.pieces import is_word, word_set

# Between two names of which the second is meant.
_TAKES_BACK = (
    "sorry", "correction", "i mean/meant", "or rather/better", "on second thought/thoughts", "scratch that", "strike that", "no wait", "wait", "my mistake",
    "oops", "i misspoke", "let me correct", "i stand corrected",
)  # fmt: skip
# Before what it is, after a mere name: "MRI. Actually, this is a CT."
_IN_FACT = ("actually", "in fact", "on closer inspection/look/review")
_TRIE, _IN_FACT_TRIE = trie_of(*_TAKES_BACK), trie_of(*_IN_FACT)
_VERBS = AUXILIARIES | word_set("there here shows show see seen found no not none nothing i we")
_FIRST_WORDS = frozenset(_TRIE) | frozenset(_IN_FACT_TRIE) | {"no"}
TELLING = telling_words(*words_of(_TAKES_BACK), *words_of(_IN_FACT)) | {"no"}


def _is_fragment(words: Sequence[str]) -> bool:
    """Say whether words are a few and hold no verb: "left", "a small cyst"."""
    return 0 < len(words) <= 4 and _VERBS.isdisjoint(words) and all(map(is_word, words))


def only_retracted(pieces: Sequence[str]) -> list[bool] | None:
    """Mark what is named and then taken back for something else; None where nothing is.

    >>> from mllmu_med_metrics.answers.pieces import pieces_of
    >>> only_retracted(pieces_of("Left, sorry, right."))
    [True, False, False, False, False, False]
    >>> only_retracted(pieces_of("Sorry, I see a cyst."))
    """
    if TELLING.isdisjoint(pieces):
        return None
    marks = [False] * len(pieces)
    for at in range(2, len(pieces) - 1):
        if pieces[at - 1] not in ENDS and pieces[at] != "or":
            continue
        if pieces[at] not in _FIRST_WORDS:
            continue
        before = at - (pieces[at - 1] in ENDS)
        start = start_of_sentence(pieces, before)
        if pieces[start:before] == ("no",) and start > 1:
            # "A cyst. No, wait: a mass."
            before, start = start - 1, start_of_sentence(pieces, start - 1)
        length = cue_at(pieces, at, _TRIE)
        if length and any(map(is_word, pieces[at + length :])):
            mark(marks, start, before)
        elif pieces[at - 1] == "." and _is_fragment(pieces[start:before]):
            answered = pieces[at : at + 2] == ("no", ",")
            rest = pieces[at + 2 : end_of_sentence(pieces, at + 2)]
            if cue_at(pieces, at, _IN_FACT_TRIE) or (answered and _is_fragment(rest)):
                mark(marks, start, before)
    return marks if True in marks else None
