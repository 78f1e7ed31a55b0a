"""Is an output broken: empty, looping, or mostly noise."""

import re
from collections.abc import Sequence
from operator import eq

_RUN = re.compile(r"([^\W\d_])\1{4,}|([^\w\s])\2{5,}|(_)\3{5,}|(\d)\4{8,}")
# What every run begins with, quick to see.
_REPEATED = re.compile(r"(.)\1{4}")
_LONGEST_PERIOD = 24
_LOOP = re.compile(rf"(.{{2,{_LONGEST_PERIOD}}}?)\1{{3,}}", re.DOTALL)
_LOOP_CHARACTERS = 20
# A loop of n characters, the larger of 20 and four periods p, holds n - p - 7 eights that come again p further on: never
# fewer than eight, so that one of them begins at a multiple of eight.
_EIGHT = 8
_NOT_ALPHANUMERIC = bytes(code for code in range(128) if not chr(code).isalnum())
_LOOP_TIMES = {1: 4, 2: 3, 3: 3, 4: 3}
_SAME = bytes([True])


def _may_loop(text: str, words: Sequence[str]) -> bool:
    """Say whether some eight characters come again as near as in a loop.

    A loop with a space in it repeats words, one without is a long word: short texts need no more than this.
    """
    if len(words) - len(set(words)) < 2 and max(map(len, words), default=0) < _LOOP_CHARACTERS:
        return False
    farthest = _LONGEST_PERIOD + _EIGHT
    return any(
        [text.find(text[at : at + _EIGHT], at + 2, at + farthest) > 0 for at in range(0, len(text) - _EIGHT, _EIGHT)]
    )


def _alphanumeric(text: str) -> int:
    if text.isascii():
        return len(text.encode().translate(None, _NOT_ALPHANUMERIC))
    return sum(character.isalnum() for character in text)


def _words_loop(words: Sequence[str], different: int) -> bool:
    """Say whether a word comes four times in a row, or a group of two to four words three times."""
    if len(words) - different < 3:
        return len(words) >= 3 and different == 1
    for size, times in _LOOP_TIMES.items():
        # One byte a word: whether it is the word so many before it.
        again = bytes(map(eq, words[size:], words))
        if _SAME * (size * (times - 1)) in again:
            return True
    return len(words) >= 3 and different == 1


def degenerate(answer: str) -> bool:
    """Say whether the output is broken: empty, without a letter or digit, looping, or mostly noise.

    Short answers ("CT", "2", "Left lung") and answers that hold identifiers are not.

    >>> degenerate("the the the the the the"), degenerate(""), degenerate("CT")
    (True, True, False)
    """
    parts = answer.split()
    text = " ".join(parts)
    alphanumeric = _alphanumeric(text)
    if alphanumeric == 0 or (_REPEATED.search(text) and _RUN.search(text)):
        return True
    if alphanumeric > 24 and not any(map(str.isalpha, text)):
        return True
    if _may_loop(text, parts) and any(
        looped.end() - looped.start() >= _LOOP_CHARACTERS for looped in _LOOP.finditer(text)
    ):
        return True
    words = [bare for word in text.lower().split() if (bare := word.strip(".,;:!?()'\""))]
    different = len(set(words))
    if _words_loop(words, different):
        return True
    if len(words) >= 12 and different / len(words) < 0.3:
        return True
    letters = [word for word in words if len(word) == 1 and not word.isdigit()]
    if len(words) >= 6 and len(letters) / len(words) > 0.6:
        return True
    return len(text) >= 4 and (alphanumeric + len(parts) - 1) / len(text) < 0.5
