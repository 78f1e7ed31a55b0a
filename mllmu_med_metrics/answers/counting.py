"""Numbers in an answer: which of them count, and when the answer says that there is nothing to count."""

from collections.abc import Sequence

from mllmu_med_metrics.answers.facts import NUMBERS
from mllmu_med_metrics.answers.pieces import is_word, word_set

# A number before one of these is a measure, not a count.
_UNITS = word_set(
    "cm mm m ml l cc kg g mg year years yr yrs month months week weeks day days hour hours hu t tesla mhz khz kv ma "
    "degree degrees percent x o french gauge mg ml th st am pm out"
)
_NO_THING = word_set(
    "idea change doubt question answer information data comment further way evidence sign signs longer more fewer "
    "less wonder"
)
# Before "one" that is no number: "the left one".
_WHICH = word_set(
    "if when this that left right other first second third fourth larger smaller bigger upper lower which another"
)
_SMALL = frozenset(map(str, range(2, 21)))
# After one of these a number is a name: "segment 4".
_NUMBERED = word_set(
    "stage segment slice level grade type series figure fig image phase class category zone number step option day "
    "week region view panel segments slices levels images series grades types zones "
    "rads birads lirads pirads tirads bosniak score category class"
)


def counts_nothing(pieces: Sequence[str]) -> bool:
    """Say whether the answer says that there is none of what is counted: "no lesions", "none", "not a single one"."""
    for at, piece in enumerate(pieces):
        following = pieces[at + 1] if at + 1 < len(pieces) else "."
        if piece in ("none", "nothing", "nil", "zero") or (piece in ("无", "没") and at + 1 < len(pieces)):
            return True
        if piece in ("no", "without") and is_word(following) and following not in _NO_THING:
            return True
        if piece == "no" and following in ("evidence", "sign", "signs"):
            return True
        if piece in ("absent", "lack", "absence", "devoid", "lacks", "lacking") or (piece, following) == ("free", "of"):
            return True
        if piece == "not":
            rest = pieces[at + 1 : at + 4]
            if "any" in rest or "single" in rest or "sight" in pieces[at + 1 : at + 6] or "one" in rest[:2]:
                return True
    return False


def _is_a_label(pieces: Sequence[str], at: int) -> bool:
    """Say whether a number names one of a series: "segment 4", "segments 5 and 6"."""
    while at > 1 and (pieces[at - 1] in ("and", "to", ",", "or") or pieces[at - 1].isdigit()):
        at -= 1
    return at > 0 and pieces[at - 1] in _NUMBERED


def _is_a_part(pieces: Sequence[str], at: int) -> bool:
    """Say whether a number at a place is a part of a sum that stands before a colon: "three: two here, one there"."""
    if ":" not in pieces[:at]:
        return False
    colon = at - 1 - pieces[at - 1 :: -1].index(":")
    sums = [place for place in range(max(0, colon - 3), colon) if pieces[place] in NUMBERS or pieces[place] in _SMALL]
    return (
        bool(sums)
        and ")" not in pieces[sums[-1] : colon]
        and not _is_a_label(pieces, sums[-1])
        and pieces[at] != pieces[sums[-1]]
    )


def is_no_count(pieces: Sequence[str], start: int, end: int) -> bool:
    """Say whether a number at a place is a measure or a name, "both" a conjunction, and a lone "a" or "i" a word."""
    following = pieces[end] if end < len(pieces) else "."
    if _is_a_part(pieces, start):
        return True
    if pieces[start] == "one" and start:
        before = pieces[start - 1]
        if before in _WHICH or (start > 1 and pieces[start - 2] == "the" and before not in ("only", "last")):
            return True
    if pieces[start][0].isdigit():
        by = following == "by" and end + 1 < len(pieces) and pieces[end + 1][0].isdigit()
        return following in _UNITS or by or _is_a_label(pieces, start)
    if pieces[start] == "both":
        return following in ("a", "an")
    return pieces[start] in ("a", "i") and end - start == 1 and is_word(following)
