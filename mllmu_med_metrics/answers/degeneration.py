"""Is an output broken: empty, looping, or mostly noise."""

import re
from collections.abc import Sequence

_RUN = re.compile(r"([^\W\d_])\1{4,}|([^\w\s])\2{5,}|(_)\3{5,}|(\d)\4{8,}")
_LOOP = re.compile(r"(.{2,24}?)\1{3,}", re.DOTALL)
_LOOP_CHARACTERS = 20
# What every run and every loop brings with it, quick to see: five equal characters, triples that come again. Of the at
# least 18 triples of a loop, no more than a quarter of its characters are different.
_REPEATED = re.compile(r"(.)\1{4}")
_REPEATED_TRIPLES = 13
_NOT_ALPHANUMERIC = bytes(code for code in range(128) if not chr(code).isalnum())
_LOOP_TIMES = {1: 4, 2: 3, 3: 3, 4: 3}


def _may_loop(text: str, words: Sequence[str]) -> bool:
    """Say whether a text holds as many triples of characters again as a loop of them must.

    A loop with a space in it repeats words, one without is a long word: most texts need no count of triples.
    """
    if len(words) - len(set(words)) < 2 and max(map(len, words), default=0) < _LOOP_CHARACTERS:
        return False
    triples = len(text) - 2
    return triples >= _LOOP_CHARACTERS - 2 and (
        triples - len(set(zip(text, text[1:], text[2:], strict=False))) >= _REPEATED_TRIPLES
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
        run = 0
        for index in range(size, len(words)):
            run = run + 1 if words[index] == words[index - size] else 0
            if run >= size * (times - 1):
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
