"""A thing named by one value and then called another: "the mass is a cyst" says the cyst alone."""

from collections.abc import Sequence

from mllmu_med_metrics.answers.clauses import BE, ENDS
from mllmu_med_metrics.answers.cues import passing
from mllmu_med_metrics.answers.pieces import word_set

# Before the name: "the mass", "what seems a mass".
POINTERS = word_set("the this that what alleged supposed")
_BECOMES = word_set("turned turns out proved proves proven to become becomes became found known shown now")
_ARTICLES = frozenset({"a", "an"})
# Between the name and the verb: "the mass that was felt here is ...", and what may stand before the article.
_RELATIVES = word_set("that which of on in at seen reported described noted mentioned")
_LONGEST = 14


def called_another(pieces: Sequence[str], first: int, end: int, start: int) -> bool:
    """Say whether what is named at pieces[first:end] is said to be a thing named from a later place on.

    >>> from mllmu_med_metrics.answers.pieces import pieces_of
    >>> called_another(pieces_of("The mass turned out to be a cyst."), 1, 2, 7)
    True
    """
    if POINTERS.isdisjoint(pieces[max(0, first - 2) : first]) or not end < start <= end + _LONGEST:
        return False
    between = list(pieces[end:start])
    article = next(
        (at for at in range(len(between) - 1, max(-1, len(between) - 4), -1) if between[at] in _ARTICLES), None
    )
    if article is None:
        return False
    verb = article
    while (
        verb
        and between[verb - 1] not in BE
        and (passing(between[verb - 1]) or between[verb - 1] in ("in", "fact", ","))
    ):
        verb -= 1
    if not verb or not (between[verb - 1] in BE or between[verb - 1] in _BECOMES):
        return False
    before = between[: verb - 1]
    if before and before[0] in _RELATIVES:
        return ENDS.isdisjoint(before)
    return all(word in BE or word in _BECOMES or passing(word) or word in ("has", "have", "had") for word in before)
