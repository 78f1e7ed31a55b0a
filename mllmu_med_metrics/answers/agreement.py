"""Does an answer say a fact, or only that fact: rules on words, not on wording."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from mllmu_med_metrics.answers import stance
from mllmu_med_metrics.answers.adjectives import named_by_adjective
from mllmu_med_metrics.answers.closed_sets import ClosedSet, closed_set, distinct_values
from mllmu_med_metrics.answers.coordination import written_once
from mllmu_med_metrics.answers.counting import counts_nothing, is_no_count
from mllmu_med_metrics.answers.degeneration import degenerate
from mllmu_med_metrics.answers.echoes import chinese_yes_or_no, yes_or_no
from mllmu_med_metrics.answers.facts import fact_key, fold_word
from mllmu_med_metrics.answers.identities import POINTERS, called_another
from mllmu_med_metrics.answers.pieces import PUNCTUATION, pieces_of
from mllmu_med_metrics.answers.refusal import abstains
from mllmu_med_metrics.answers.sequels import only_suspected
from mllmu_med_metrics.answers.sides import compares_sides, is_no_side, joined, more_than, of_picture, spared
from mllmu_med_metrics.normal_form import Found, Squeezed, squeeze

__all__ = ["abstains", "degenerate", "fact_key", "says", "says_only", "values_said"]

_MORE_THAN_VALUES = frozenset({"a", "i", "both"})
_ARTICLES = frozenset({"a", "an", "the"})
# After a value such as "no finding": "no finding of pneumonia", "no finding apart from a cyst".
_NONE = ("nofinding", "noabnorm", "noacute", "nothing")
_LIMITS = frozenset({"of", "apart", "aside", "except", "other", "but", "besides", "beyond", "save"})


def _opens(closed: ClosedSet, pieces: Sequence[str]) -> set[str]:
    """Return the values among yes and no with which the answer begins."""
    chosen: set[str] = set()
    if closed.yes_no:
        chosen |= {closed.table[word] for word in yes_or_no(pieces) if word in closed.table}
    if closed.chinese_yes_no and (word := chinese_yes_or_no(pieces)):
        chosen.add(closed.chinese_yes_no[word])
    return chosen


def _is_alone(words: Sequence[str], closed: ClosedSet) -> str | None:
    """Return the value of which the whole answer is a name that means it only so: "Renal.", "US"."""
    if not closed.alone or len(words) > 4:
        return None
    return closed.alone.get(squeeze([word for word in words if word not in _ARTICLES], keep_numbers_apart=True)[0])


def _join_sides(
    closed: ClosedSet, chosen: set[str], ends: Mapping[str, tuple[int, int]], pieces: Sequence[str]
) -> None:
    """Leave out the side that is spared; make "left and right" the value "both", and "both" no more than itself."""
    for pair in closed.sides:
        if len(chosen) > 1:
            named = [side for side in (pair.first, pair.second) if side in chosen]
            chosen.difference_update(
                [side for side in named if spared(pieces, ends[side][1]) or of_picture(pieces, ends[side][1])]
            )
        if pair.both in chosen and compares_sides(pieces):
            chosen -= {pair.first, pair.second}
        if pair.both is None or not {pair.first, pair.second} <= chosen:
            continue
        (_, end), (start, _) = sorted((ends[pair.first], ends[pair.second]))
        if pair.both in chosen or joined(pieces[end:start]) or more_than(pieces[end:start]):
            chosen -= {pair.first, pair.second}
            chosen.add(pair.both)


def _leave_out_renamed(pieces: Sequence[str], stated: list[tuple[int, int, tuple[str, ...]]], chosen: set[str]) -> None:
    """Leave out a value that names what is then said to be another: "the mass is a cyst"."""
    if POINTERS.isdisjoint(pieces):
        return
    stated.sort()
    for (first, end, named), (start, _, other) in pairwise(stated):
        once = sum(named == names for _, _, names in stated) == 1
        if once and named != other and called_another(pieces, first, end, start):
            chosen.difference_update(named)


def _unfound(answer: str, pieces: Sequence[str], words: Sequence[str], closed: ClosedSet, chosen: set[str]) -> None:
    """Choose a value that no name of a value in the answer says: the answer is a name by itself, or counts nothing."""
    alone = _is_alone(words, closed)
    if alone is not None:
        chosen.add(alone)
    elif closed.nothing is not None and not chosen and counts_nothing(pieces) and not abstains(answer):
        chosen.add(closed.nothing)


def _read(pieces: Sequence[str], words: Sequence[str], closed: ClosedSet, found: list[Found], chosen: set[str]) -> None:
    """Choose the values found that the text says."""
    places: Sequence[int] = range(len(words))
    # Most answers hold no punctuation but a full stop at their end.
    if len(pieces) - len(words) > (pieces[-1] in PUNCTUATION):
        places = [index for index, piece in enumerate(pieces) if piece not in PUNCTUATION]
    taken: set[int] = set()
    ends: dict[str, tuple[int, int]] = {}
    stated: list[tuple[int, int, tuple[str, ...]]] = []
    refused: dict[str, int] = {}
    stands = stance.stance_of(pieces)
    several, sides = len(found) > 1, closed.sides
    if several:
        found.sort(key=lambda place: (place.start - place.end, place.start))
    for start, end, form in found:
        if taken and not taken.isdisjoint(range(start, end)):
            continue
        first, beyond = places[start], places[end - 1] + 1
        # A phrase is not put together across punctuation: "left. Upper" is not "left upper".
        if beyond - first != end - start:
            continue
        if several:
            taken.update(range(start, end))
        if (form < ":" or form in _MORE_THAN_VALUES) and is_no_count(pieces, first, beyond):
            continue
        if sides and end - start == 1 and is_no_side(pieces, first):
            continue
        says = stance.SAYS if stands is None else stands.to(first, beyond)
        if says is stance.SETS_ASIDE:
            continue
        named = closed.named(form)
        if says is stance.SAYS:
            if beyond < len(pieces) and pieces[beyond] in _LIMITS and form.startswith(_NONE):
                continue
            chosen.update(named)
            stated.append((first, beyond, named))
            if sides:
                ends.update(dict.fromkeys(named, (first, beyond)))
            continue
        refused.update(dict.fromkeys(named, first))
        if closed.opposites:
            chosen.update(closed.opposites[value] for value in named if value in closed.opposites)
    if refused and not chosen.isdisjoint(refused):
        chosen -= refused.keys() - {
            value
            for first, _, named in stated
            for value in named
            if first > refused.get(value, 0) or not only_suspected(pieces, first)
        }
    if len(chosen) > 1:
        _leave_out_renamed(pieces, stated, chosen)
        if sides:
            _join_sides(closed, chosen, ends, pieces)
    if closed.nothing is not None and not chosen and counts_nothing(pieces):
        chosen.add(closed.nothing)


# One answer is read for several closed sets, one after the other.
@lru_cache(maxsize=64)
def _folded(answer: str) -> Squeezed:
    """Return the words of an answer in the form in which values are compared."""
    words = [fold_word(piece) for piece in pieces_of(answer) if piece not in PUNCTUATION]
    return Squeezed(words, keep_numbers_apart=True)


@lru_cache(maxsize=4096)
def _said(answer: str, values: tuple[str, ...]) -> frozenset[str]:
    """Return the values that the answer says un-negated; where values overlap, the longest counts."""
    pieces = pieces_of(answer)
    closed = closed_set(values)
    chosen = _opens(closed, pieces) if closed.yes_no or closed.chinese_yes_no else set()
    folded = _folded(answer)
    words = folded.words
    found = (closed.ascii_phrases if answer.isascii() else closed.phrases).find_in(folded)
    if not found and closed.adjectives and not closed.adjectives.keys().isdisjoint(words):
        found = named_by_adjective(words, closed.adjectives)
    if closed.shared_words and not closed.shared_words.isdisjoint(words):
        found += written_once(words, closed.shared)
    if found:
        _read(pieces, words, closed, found, chosen)
    else:
        _unfound(answer, pieces, words, closed, chosen)
    return frozenset(chosen)


def values_said(answer: str, values: Sequence[str]) -> frozenset[str]:
    """Return the values of a closed set that the answer says un-negated; where values overlap, the longest counts.

    "Yes" and "no" count only where the answer begins with them. Values that are the same fact are one value, the first.
    """
    return _said(answer, distinct_values(tuple(values)))


def says(answer: str, fact: str, fact_values: Sequence[str] = ()) -> bool:
    """Say whether the answer says the fact un-negated, whatever else it says.

    The closed set keeps a short value from being found inside a longer one: "left upper" does not say "left" when both
    are values.

    >>> says("In the left upper lobe.", "left", ("left", "left upper")), says("No cyst is seen.", "cyst")
    (False, False)
    >>> says("A cyst is seen.", "cyst")
    True
    """
    return fact in _said(answer, distinct_values((fact, *fact_values)))


def says_only(answer: str, fact: str, fact_values: Sequence[str] = ()) -> bool:
    """Say whether the answer says the fact un-negated and no other value of the closed set: "keep" of a row.

    >>> organs = ("liver", "lung", "heart")
    >>> [says_only(told, "lung", organs) for told in ("The lung.", "The lung or the liver.", "Lung, not liver.")]
    [True, False, True]
    """
    return _said(answer, distinct_values((fact, *fact_values))) == {fact}
