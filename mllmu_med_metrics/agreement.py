"""Does an answer say a fact, or only that fact: rules on words, not on wording."""

from collections.abc import Sequence
from functools import lru_cache

from mllmu_med_metrics.degenerate import degenerate
from mllmu_med_metrics.facts import fact_key, fold_word, forms
from mllmu_med_metrics.negation import NO_DENIALS, PUNCTUATION, cue_at, denied_ahead, denied_behind, is_word, pieces_of
from mllmu_med_metrics.normalise import Phrases
from mllmu_med_metrics.refusal import abstains

__all__ = ["abstains", "degenerate", "fact_key", "says", "says_only", "values_said"]

_YES = frozenset({"yes", "yeah", "yep"})
_NO = frozenset({"no", "nope"})


def _polarity(pieces: Sequence[str]) -> frozenset[str]:
    """Return which of yes and no the answer begins with; both for "yes or no"."""
    at = 0
    for lead in (("the", "answer", "is"), ("answer", "is"), ("answer",)):
        if tuple(pieces[: len(lead)]) == lead:
            at = len(lead)
            break
    while at < len(pieces) and not is_word(pieces[at]):
        at += 1
    if at >= len(pieces) or cue_at(pieces, at, NO_DENIALS):
        return frozenset()
    first = "yes" if pieces[at] in _YES else "no" if pieces[at] in _NO else ""
    if not first:
        return frozenset()
    opposite, other = (_NO, "no") if first == "yes" else (_YES, "yes")
    after = at + 1
    while after < len(pieces) and (pieces[after] in ("and", "or", ",") or not is_word(pieces[after])):
        after += 1
    ends = after + 1 >= len(pieces) or not is_word(pieces[after + 1])
    if after < len(pieces) and pieces[after] in opposite and ends:
        return frozenset({first, other})
    return frozenset({first})


@lru_cache(maxsize=8192)
def _closed_set(values: tuple[str, ...]) -> tuple[dict[str, str], Phrases]:
    """Return the form -> value table of a set of values (first value wins) and its phrase search."""
    table: dict[str, str] = {}
    for value in values:
        for form in forms(value):
            table.setdefault(form, value)
    table.pop("", None)
    return table, Phrases(table, keep_numbers_apart=True)


@lru_cache(maxsize=4096)
def _said(answer: str, values: tuple[str, ...]) -> frozenset[str]:
    """Return the values that the answer says un-negated; where values overlap, the longest counts."""
    pieces = pieces_of(answer)
    table, phrases = _closed_set(values)
    said: set[str] = set()
    if "yes" in table or "no" in table:
        said |= {table[word] for word in _polarity(pieces) if word in table}
    places = [index for index, piece in enumerate(pieces) if piece not in PUNCTUATION]
    found = phrases.find([fold_word(pieces[index]) for index in places])
    if not found:
        return frozenset(said)
    taken: set[int] = set()
    denied: list[bool] | None = None
    if len(found) > 1:
        found.sort(key=lambda place: (place.start - place.end, place.start))
    for start, end, form in found:
        if form in ("yes", "no") or not taken.isdisjoint(range(start, end)):
            continue
        # A phrase is not put together across punctuation: "left. Upper" is not "left upper".
        if places[end - 1] - places[start] != end - 1 - start:
            continue
        taken.update(range(start, end))
        denied = denied_ahead(pieces) if denied is None else denied
        if not denied[places[start]] and not denied_behind(pieces, places[end - 1] + 1):
            said.add(table[form])
    return frozenset(said)


def values_said(answer: str, values: Sequence[str]) -> frozenset[str]:
    """Return the values of a closed set that the answer says un-negated; where values overlap, the longest counts.

    "Yes" and "no" count only where the answer begins with them. Values that are the same fact are one value, the first.
    """
    return _said(answer, tuple(dict.fromkeys(values)))


def says(answer: str, fact: str, fact_values: Sequence[str] = ()) -> bool:
    """Say whether the answer says the fact un-negated, whatever else it says.

    The closed set keeps a short value from being found inside a longer one: "left upper" does not say "left" when both
    are values.

    >>> says("In the left upper lobe.", "left", ("left", "left upper")), says("No cyst is seen.", "cyst")
    (False, False)
    >>> says("A cyst is seen.", "cyst")
    True
    """
    return fact in values_said(answer, (fact, *fact_values))


def says_only(answer: str, fact: str, fact_values: Sequence[str] = ()) -> bool:
    """Say whether the answer says the fact un-negated and no other value of the closed set: "keep" of a row.

    >>> organs = ("liver", "lung", "heart")
    >>> [says_only(told, "lung", organs) for told in ("The lung.", "The lung or the liver.", "Lung, not liver.")]
    [True, False, True]
    """
    return values_said(answer, (fact, *fact_values)) == {fact}
