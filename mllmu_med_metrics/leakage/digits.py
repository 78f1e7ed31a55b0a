"""Digits that are told in words, or by letters that look like them."""

import re
from collections.abc import Sequence

_ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ZEROS = ("oh", "o", "nought", "naught", "nil", "null")
_DIGIT = {word: digit for digit, word in enumerate(_ONES)} | dict.fromkeys(_ZEROS, 0) | {"niner": 9}
_SMALL = {word: number for number, word in enumerate(_TEENS, 10)}
_TEN = {word: 10 * number for number, word in enumerate(_TENS, 2)} | {"fourty": 40}
_SCALE = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_REPEATS = {"double": 2, "triple": 3, "treble": 3, "quadruple": 4}
NUMBER_WORDS = frozenset(_DIGIT) | frozenset(_SMALL) | frozenset(_TEN)
# A run of fewer is rather a count than an identifier.
FEWEST_WORDS = 4

_ANY = "|".join(sorted(NUMBER_WORDS | _SCALE.keys() | _REPEATS.keys(), key=len, reverse=True))
_RUN = re.compile(rf"\b(?:{_ANY})s?\b(?:(?:[ \t]{{1,4}}|-)(?:and[ -])?(?:{_ANY})s?\b)*")

# 0 and O, 1 and l and I, 5 and S, 8 and B, 2 and Z; in lower case.
_LIKE = "oilsbz"
_AS_DIGIT = str.maketrans(_LIKE, "011582")
# Words of such letters and digits, joined as the groups of a number are.
_CHAIN = re.compile(rf"(?:(?<![^\W_])|(?=\d))[\d{_LIKE}]{{1,24}}(?:[-./ ][\d{_LIKE}]{{1,24}})*(?![^\W_])")
_WORD = re.compile(r"[^\W_]+")
# So many digits, or joined characters, make a chain a number as a whole: "555-oloo", "2oo2-oi-io".
_FEWEST_DIGITS, _LONG = 3, 7


def may_spell_digits(words: Sequence[str]) -> bool:
    """Say whether some words may tell a number in words: four are numbers, or a number word stands beside digits."""
    if NUMBER_WORDS.isdisjoint(words):
        return False
    kinds = "".join(["w" if word in NUMBER_WORDS else "d" if word.isdigit() else " " for word in words])
    return len(kinds) - kinds.count(" ") >= FEWEST_WORDS or "wd" in kinds or "dw" in kinds


def spoken_number(number: int) -> str:
    """Return a number under 100 in words, joined: 48 is "fortyeight"."""
    if number < 20:
        return (*_ONES, *_TEENS)[number]
    return _TENS[number // 10 - 2] + (_ONES[number % 10] if number % 10 else "")


class _Speech:
    """The digits that are said by number words in a row."""

    def __init__(self) -> None:
        self.digits = ""
        self._total = 0
        self._number: int | None = None
        self._last = ""

    def _end_number(self) -> None:
        if self._number is not None:
            self.digits += str(self._total + self._number)
        self._total, self._number, self._last = 0, None, ""

    def add_digit(self, digit: int, times: int) -> None:
        joins = self._last in ("tens", "hundred", "scale") and times == 1 and digit
        if joins:
            self._number = (self._number or 0) + digit
            self._last = "ones"
            return
        self._end_number()
        if times == 1:
            self._number, self._last = digit, "ones"
        else:
            self.digits += str(digit) * times

    def add_number(self, number: int, kind: str) -> None:
        if self._last not in ("hundred", "scale"):
            self._end_number()
        self._number = (self._number or 0) + number
        self._last = kind

    def add_scale(self, scale: int) -> None:
        if scale == 100:
            whole, hundreds = divmod(1 if self._number is None else self._number, 1000)
            self._number = whole * 1000 + max(hundreds, 1) * 100
            self._last = "hundred"
        else:
            self._total += max(self._number or 0, 1) * scale
            self._number, self._last = 0, "scale"

    def ended(self) -> str:
        self._end_number()
        return self.digits


def _said(run: re.Match[str]) -> str:
    words = [word for word in re.split(r"[ \t-]+", run[0]) if word != "and"]
    if len(words) == 1 and words[0] not in NUMBER_WORDS:
        return run[0]
    speech = _Speech()
    times = 1
    for word in words:
        bare = word if word in NUMBER_WORDS or word in _SCALE else word.removesuffix("s")
        if bare in _DIGIT:
            speech.add_digit(_DIGIT[bare], times)
        elif bare in _SCALE:
            speech.add_scale(_SCALE[bare])
        elif bare in _SMALL or bare in _TEN:
            speech.add_number(_SMALL.get(bare) or _TEN[bare], "teen" if bare in _SMALL else "tens")
        times = _REPEATS.get(bare, 1)
    return speech.ended() or run[0]


def with_spelled_digits(text: str) -> str:
    """Return a text in lower case with its number words as digits, those of a row one number.

    >>> with_spelled_digits("four eight one two double zero nine, forty-eight twelve oh nine")
    '4812009, 481209'
    """
    return _RUN.sub(_said, text)


def _as_digits(chain: re.Match[str]) -> str:
    if sum(map(str.isdigit, chain[0])) >= _FEWEST_DIGITS:
        return chain[0].translate(_AS_DIGIT)
    groups = chain[0].split(" ")
    return " ".join(group.translate(_AS_DIGIT) if len(group) >= _LONG else _words_as_digits(group) for group in groups)


def _words_as_digits(group: str) -> str:
    """Return joined words with those as digits that have one."""
    return _WORD.sub(lambda word: word[0].translate(_AS_DIGIT) if any(map(str.isdigit, word[0])) else word[0], group)


def with_lookalike_digits(text: str) -> str:
    """Return a text in lower case with the letters that look like digits as digits, within numbers only.

    >>> with_lookalike_digits("syn-mrn-48l2o937, 555-oloo, slice l4 is so")
    'syn-mrn-48120937, 555-0100, slice 14 is so'
    """
    return _CHAIN.sub(_as_digits, text)
