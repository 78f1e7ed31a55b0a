"""Does an answer say a fact, or only that fact: rules on words, not on wording."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from mllmu_med_metrics.answers.degeneration import degenerate
from mllmu_med_metrics.answers.echoes import chinese_yes_or_no, only_asked, yes_or_no
from mllmu_med_metrics.answers.facts import fact_key, fold_word, forms, names_alone
from mllmu_med_metrics.answers.negation import denied_ahead, denied_behind
from mllmu_med_metrics.answers.pieces import PUNCTUATION, is_word, pieces_of, word_set
from mllmu_med_metrics.answers.refusal import abstains
from mllmu_med_metrics.answers.sides import Pair, joined, pairs_of
from mllmu_med_metrics.normal_form import Phrases, squeeze

__all__ = ["abstains", "degenerate", "fact_key", "says", "says_only", "values_said"]

_YES_NO = frozenset({"yes", "no"})
_CHINESE_YES = ("是", "是的", "对", "有", "对的")
_CHINESE_NO = ("否", "不是", "不", "没有", "无", "不对")
# A number before one of these is a measure, not a count.
_UNITS = word_set(
    "cm mm m ml l cc kg g mg year years yr yrs month months week weeks day days hour hours hu t tesla mhz khz kv ma "
    "degree degrees percent x"
)
_NO_THING = word_set(
    "idea change doubt question answer information data comment further way evidence sign signs longer more fewer "
    "less wonder"
)
_MORE_THAN_VALUES = frozenset({"a", "i", "both"})
_ARTICLES = frozenset({"a", "an", "the"})


class _ClosedSet(NamedTuple):
    """A closed set made ready: where its values are found, and what its values mean together."""

    table: dict[str, str]
    phrases: Phrases
    ascii_phrases: Phrases
    alone: dict[str, str]
    yes_no: bool
    chinese_yes_no: dict[str, str]
    together: dict[str, Pair]
    sides: list[Pair]
    nothing: str | None
    opposites: dict[str, str]


def _chinese_yes_no(table: Mapping[str, str]) -> dict[str, str]:
    """Return the values that mean yes and no in a Chinese closed set that holds both."""
    yes = next((table[word] for word in _CHINESE_YES if word in table), None)
    no = next((table[word] for word in _CHINESE_NO if word in table), None)
    return {"yes": yes, "no": no} if yes is not None and no is not None else {}


def _negated(table: Mapping[str, str]) -> dict[str, str]:
    """Return value -> the value that denies it: "present" -> "not present", "包含" -> "不包含"."""
    return {
        value: table[no + form] for form, value in table.items() for no in ("not", "no", "non", "不", "没有")
        if no + form in table
    }  # fmt: skip


@lru_cache(maxsize=8192)
def _closed_set(values: tuple[str, ...]) -> _ClosedSet:
    """Return the form -> value table of a set of values (first value wins) and all that is read with it."""
    table: dict[str, str] = {}
    for value in values:
        for form in forms(value):
            table.setdefault(form, value)
    table.pop("", None)
    alone: dict[str, str] = {}
    for value in values:
        for form in names_alone(value):
            if form not in table:
                alone.setdefault(form, value)
    chinese = _chinese_yes_no(table)
    together, sides = pairs_of(table)
    counts = sum(form.isdigit() and form != "0" for form in table) >= 2
    looked_for = [form for form in (*table, *together) if form not in _YES_NO]
    if chinese:
        looked_for = [form for form in looked_for if form not in (*_CHINESE_YES, *_CHINESE_NO)]
    # Chinese names are short, and the shortest form decides how fast a text is searched.
    phrases = Phrases(looked_for, keep_numbers_apart=True)
    ascii_phrases = Phrases(filter(str.isascii, looked_for), keep_numbers_apart=True)
    return _ClosedSet(
        table, phrases, ascii_phrases, alone, not _YES_NO.isdisjoint(table), chinese, together,
        sides, table.get("0", table.get("none")) if counts else None, _negated(table),
    )  # fmt: skip


def _opens(closed: _ClosedSet, pieces: Sequence[str]) -> set[str]:
    """Return the values among yes and no with which the answer begins."""
    chosen: set[str] = set()
    if closed.yes_no:
        chosen |= {closed.table[word] for word in yes_or_no(pieces) if word in closed.table}
    if closed.chinese_yes_no and (word := chinese_yes_or_no(pieces)):
        chosen.add(closed.chinese_yes_no[word])
    return chosen


def _counts_nothing(pieces: Sequence[str]) -> bool:
    """Say whether the answer says that there is none of what is counted: "no lesions", "none", "not a single one"."""
    for at, piece in enumerate(pieces):
        following = pieces[at + 1] if at + 1 < len(pieces) else "."
        if piece in ("none", "nothing", "nil", "zero") or (piece in ("无", "没") and at + 1 < len(pieces)):
            return True
        if piece in ("no", "without") and is_word(following) and following not in _NO_THING:
            return True
        if piece == "no" and following in ("evidence", "sign", "signs"):
            return True
        if piece == "not":
            rest = pieces[at + 1 : at + 4]
            if "any" in rest or "single" in rest or "one" in rest[:2]:
                return True
    return False


def _means_else(pieces: Sequence[str], start: int, end: int) -> bool:
    """Say whether a number at a place is a measure, "both" a conjunction, and a lone "a" or "i" a mere word."""
    following = pieces[end] if end < len(pieces) else "."
    if pieces[start][0].isdigit():
        return following in _UNITS
    if pieces[start] == "both":
        return following in ("a", "an")
    return pieces[start] in ("a", "i") and end - start == 1 and is_word(following)


def _is_alone(words: Sequence[str], closed: _ClosedSet) -> str | None:
    """Return the value of which the whole answer is a name that means it only so: "Renal.", "US"."""
    if not closed.alone or len(words) > 4:
        return None
    return closed.alone.get(squeeze([word for word in words if word not in _ARTICLES], keep_numbers_apart=True)[0])


def _join_sides(
    closed: _ClosedSet, chosen: set[str], ends: Mapping[str, tuple[int, int]], pieces: Sequence[str]
) -> None:
    """Make "left and right" the value "both" where the closed set has it, and "both" no more than itself."""
    for pair in closed.sides:
        if pair.both is None or not {pair.first, pair.second} <= chosen:
            continue
        (_, end), (start, _) = sorted((ends[pair.first], ends[pair.second]))
        if pair.both in chosen or joined(pieces[end:start]):
            chosen -= {pair.first, pair.second}
            chosen.add(pair.both)


@lru_cache(maxsize=8192)
def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


@lru_cache(maxsize=4096)
def _said(answer: str, values: tuple[str, ...]) -> frozenset[str]:
    """Return the values that the answer says un-negated; where values overlap, the longest counts."""
    pieces = pieces_of(answer)
    closed = _closed_set(values)
    chosen = _opens(closed, pieces) if closed.yes_no or closed.chinese_yes_no else set()
    words = [fold_word(piece) for piece in pieces if piece not in PUNCTUATION]
    found = (closed.ascii_phrases if answer.isascii() else closed.phrases).find(words)
    if not found:
        alone = _is_alone(words, closed)
        if alone is not None:
            chosen.add(alone)
        elif closed.nothing is not None and not chosen and _counts_nothing(pieces) and not abstains(answer):
            chosen.add(closed.nothing)
        return frozenset(chosen)
    places: Sequence[int] = range(len(words))
    # Most answers hold no punctuation but a full stop at their end.
    if len(pieces) - len(words) > (pieces[-1] in PUNCTUATION):
        places = [index for index, piece in enumerate(pieces) if piece not in PUNCTUATION]
    table, together = closed.table, closed.together
    taken: set[int] = set()
    ends: dict[str, tuple[int, int]] = {}
    denied = denied_ahead(pieces)
    questions = only_asked(pieces) if "?" in answer or not answer.isascii() else None
    if len(found) > 1:
        found.sort(key=lambda place: (place.start - place.end, place.start))
    for start, end, form in found:
        if taken and not taken.isdisjoint(range(start, end)):
            continue
        first, beyond = places[start], places[end - 1] + 1
        # A phrase is not put together across punctuation: "left. Upper" is not "left upper".
        if beyond - first != end - start:
            continue
        taken.update(range(start, end))
        if questions is not None and questions[first]:
            continue
        if (form < ":" or form in _MORE_THAN_VALUES) and _means_else(pieces, first, beyond):
            continue
        named = (table[form],) if form in table else together[form].named
        if not denied[first] and not denied_behind(pieces, beyond):
            chosen.update(named)
            if closed.sides:
                ends.update(dict.fromkeys(named, (first, beyond)))
        elif closed.opposites:
            chosen.update(closed.opposites[value] for value in named if value in closed.opposites)
    if len(chosen) > 1 and closed.sides:
        _join_sides(closed, chosen, ends, pieces)
    if closed.nothing is not None and not chosen and _counts_nothing(pieces):
        chosen.add(closed.nothing)
    return frozenset(chosen)


def values_said(answer: str, values: Sequence[str]) -> frozenset[str]:
    """Return the values of a closed set that the answer says un-negated; where values overlap, the longest counts.

    "Yes" and "no" count only where the answer begins with them. Values that are the same fact are one value, the first.
    """
    return _said(answer, _distinct(tuple(values)))


def says(answer: str, fact: str, fact_values: Sequence[str] = ()) -> bool:
    """Say whether the answer says the fact un-negated, whatever else it says.

    The closed set keeps a short value from being found inside a longer one: "left upper" does not say "left" when both
    are values.

    >>> says("In the left upper lobe.", "left", ("left", "left upper")), says("No cyst is seen.", "cyst")
    (False, False)
    >>> says("A cyst is seen.", "cyst")
    True
    """
    return fact in _said(answer, _distinct((fact, *fact_values)))


def says_only(answer: str, fact: str, fact_values: Sequence[str] = ()) -> bool:
    """Say whether the answer says the fact un-negated and no other value of the closed set: "keep" of a row.

    >>> organs = ("liver", "lung", "heart")
    >>> [says_only(told, "lung", organs) for told in ("The lung.", "The lung or the liver.", "Lung, not liver.")]
    [True, False, True]
    """
    return _said(answer, _distinct((fact, *fact_values))) == {fact}
