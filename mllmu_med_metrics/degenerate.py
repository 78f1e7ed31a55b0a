"""Is an output broken: empty, looping, or mostly noise."""

import re
from collections.abc import Sequence
from functools import lru_cache

_RUN = re.compile(r"([^\W\d_])\1{4,}|([^\w\s])\2{5,}|(_)\3{5,}|(\d)\4{8,}")
_LOOP = re.compile(r"(.{2,24}?)\1{3,}", re.DOTALL)
_LOOP_CHARACTERS = 20
_LOOP_TIMES = {1: 4, 2: 3, 3: 3, 4: 3}


def _words_loop(words: Sequence[str]) -> bool:
    """Say whether a word comes four times in a row, or a group of two to four words three times."""
    for size, times in _LOOP_TIMES.items():
        run = 0
        for index in range(size, len(words)):
            run = run + 1 if words[index] == words[index - size] else 0
            if run >= size * (times - 1):
                return True
    return len(words) >= 3 and len(set(words)) == 1


@lru_cache(maxsize=65536)
def degenerate(answer: str) -> bool:
    """Say whether the output is broken: empty, without a letter or digit, looping, or mostly noise.

    Short answers ("CT", "2", "Left lung") and answers that hold identifiers are not.
    """
    text = " ".join(answer.split())
    alphanumeric = sum(character.isalnum() for character in text)
    if alphanumeric == 0 or _RUN.search(text):
        return True
    if not any(character.isalpha() for character in text) and alphanumeric > 24:
        return True
    if any(looped.end() - looped.start() >= _LOOP_CHARACTERS for looped in _LOOP.finditer(text)):
        return True
    words = [word.strip(".,;:!?()'\"").lower() for word in text.split()]
    words = [word for word in words if word]
    if _words_loop(words):
        return True
    if len(words) >= 12 and len(set(words)) / len(words) < 0.3:
        return True
    if len(words) >= 6 and sum(len(word) == 1 and not word.isdigit() for word in words) / len(words) > 0.6:
        return True
    spaces = text.count(" ")
    return len(text) >= 4 and (alphanumeric + spaces) / len(text) < 0.5
