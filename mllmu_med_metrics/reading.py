"""An answer as the leak rules read it: folded but in its own case, its words with their places, its runs of digits."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from mllmu_med_metrics.dates import Date, dates_in
from mllmu_med_metrics.normalise import ascii_words, fold, squeeze

_WORD = re.compile(r"[^\W_]+")
_DIGITS = re.compile(r"\d+")
_MARKED = re.compile(r"[<*`~]|__")
# Tags, emphasis and code marks; a star between digits is a sign of multiplication.
_MARKUP = re.compile(
    r"</?(?:b|i|u|s|p|a|em|br|tt|li|td|tr|div|sub|sup|code|mark|font|span|small|strong|h\d)(?:\s[^<>]{0,80})?/?>"
    r"|(?<!\d)\*+|\*+(?!\d)|`+|~~|__+",
    re.IGNORECASE,
)
# What may stand between two parts of one number: "(212) 555-0123", "48,120,937", "481 then 209", "0123 ext. 4567". It
# may be much, because only the very digits of an identifier count, of which there are at least six.
_GAP = re.compile(
    r"[\W_]{1,4}(?:(?:then|and|dash|hyphen|minus|space|dot|point|slash|number|no|ext|extension|x)\b[\W_]{0,4})?|x"
)
_SPELLED = {
    word: str(digit)
    for digit, word in enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"))
} | {"oh": "0"}
_SPELLED_DIGIT = re.compile(rf"\b(?:{'|'.join(_SPELLED)})\b")
# Said beside the parts of a name: "surname Quillby, first name Ada".
_LABELS = frozenset({"surname", "forename", "given", "family", "lastname", "firstname"})
_LABELLED = _LABELS | {"first", "last", "name", "names", "is", "and", "the"}
# Said for a character of a web address: "ada dot quillby at example dot org".
_CHARACTER_NAMES = frozenset({"at", "dot", "slash", "punkt", "arroba"})


SHORTEST_NUMBER = 6
LONGEST_NUMBER = 24


class Place(NamedTuple):
    """Words [start:end] of a reading, found under a squeezed form."""

    start: int
    end: int


class Number(NamedTuple):
    """The digits of a number without what groups them, and where in `in_digits` it starts."""

    digits: str
    start: int


class Reading:
    """One answer, read once for all leak rules; what is costly is made when first asked for."""

    __slots__ = ("_dates", "_numbers", "_spans", "_squeezed", "in_digits", "labels_left_out", "lower", "text", "words")

    def __init__(self, answer: str) -> None:
        """Fold the answer and split it into words."""
        text = answer if answer.isascii() else fold(answer)
        self.text = _MARKUP.sub("", text) if _MARKED.search(text) else text
        lower = self.text.lower()
        self.lower = lower if len(lower) == len(self.text) else self.text
        self._begin(ascii_words(self.text) if self.text.isascii() else _WORD.findall(self.lower))

    def _begin(self, words: list[str]) -> None:
        self.words = words
        self.in_digits = self.lower
        self.labels_left_out = False
        self._spans: list[tuple[int, int]] | None = None
        self._squeezed: tuple[str, list[int]] | None = None
        self._numbers: list[Number] | None = None
        self._dates: frozenset[Date] | None = None

    @property
    def normal(self) -> str:
        """The text in normal form, as `normalise` makes it."""
        return " ".join(self.lower.split())

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Where each word stands in `text` and `lower`."""
        if self._spans is None:
            self._spans = [found.span() for found in _WORD.finditer(self.lower)]
        return self._spans

    @property
    def squeezed(self) -> tuple[str, list[int]]:
        """The words joined, and the offset at which each starts."""
        if self._squeezed is None:
            self._squeezed = squeeze(self.words)
        return self._squeezed

    @property
    def without_character_names(self) -> "Reading":
        """The same without the words "at", "dot" and "slash"; itself where it has none of them."""
        return self if _CHARACTER_NAMES.isdisjoint(self.words) else self._without(_CHARACTER_NAMES)

    @property
    def without_labels(self) -> "Reading":
        """The same without words such as "surname" and "first name"; itself where no part of a name is labelled."""
        labelled = not _LABELS.isdisjoint(self.words) or (
            "name" in self.words and ("first" in self.words or "last" in self.words)
        )
        if not labelled:
            return self
        other = self._without(_LABELLED)
        other.labels_left_out = True
        return other

    def _without(self, words: frozenset[str]) -> "Reading":
        kept = [index for index, word in enumerate(self.words) if word not in words]
        other = Reading.__new__(Reading)
        other.text, other.lower = self.text, self.lower
        other._begin([self.words[index] for index in kept])
        other._spans = [self.spans[index] for index in kept]
        return other

    @property
    def dates(self) -> frozenset[Date]:
        """Every calendar day that the answer may mean by a date it tells."""
        if self._dates is None:
            self._dates = dates_in(self.lower)
        return self._dates

    @property
    def numbers(self) -> list[Number]:
        """Every number the answer may tell, however its digits are grouped or spelled.

        A number ends at a group's edge and never within a word: "48120937a" tells none.
        """
        if self._numbers is None:
            if not _SPELLED.keys().isdisjoint(self.words) and sum(map(_SPELLED.__contains__, self.words)) >= 4:
                self.in_digits = _SPELLED_DIGIT.sub(lambda said: _SPELLED[said.group()], self.lower)
            enough = sum(map(len, _DIGITS.findall(self.in_digits))) >= SHORTEST_NUMBER
            self._numbers = list(_numbers(self.in_digits)) if enough else []
        return self._numbers

    def places(self, form: str) -> Iterator[Place]:
        """Yield the places of a squeezed form that begins and ends at a word's edge."""
        text, starts = self.squeezed
        at = text.find(form)
        while at >= 0:
            end = at + len(form)
            if at in starts and (end == len(text) or end in starts):
                yield Place(starts.index(at), len(starts) if end == len(text) else starts.index(end))
            at = text.find(form, at + 1)


def _numbers(text: str) -> Iterator[Number]:
    groups = [found.span() for found in _DIGITS.finditer(text)]
    for first, (start, _) in enumerate(groups):
        digits = ""
        for place in range(first, len(groups)):
            begin, end = groups[place]
            if place > first and not _GAP.fullmatch(text, groups[place - 1][1], begin):
                break
            digits += text[begin:end]
            if len(digits) > LONGEST_NUMBER:
                break
            if len(digits) >= SHORTEST_NUMBER and (end == len(text) or not text[end].isalpha()):
                yield Number(digits, start)
