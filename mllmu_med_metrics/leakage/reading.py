"""An answer as the leak rules read it: folded but in its own case, its words with their places, its runs of digits.

What is escaped, marked up, spelled or spaced is read twice: as it stands, and as the plain text it tells (`others`).
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from mllmu_med_metrics.leakage.dates import Date, dates_in
from mllmu_med_metrics.leakage.digits import (
    NUMBER_WORDS,
    may_spell_digits,
    with_lookalike_digits,
    with_spelled_digits,
)
from mllmu_med_metrics.leakage.markup import letters_gathered, plain_texts
from mllmu_med_metrics.leakage.person_names import NAME_LABELS, names_in_parts
from mllmu_med_metrics.normal_form import Squeezed, ascii_words, fold

_WORD = re.compile(r"[^\W_]+")
_DIGITS = re.compile(r"\d+")
# Tags, emphasis and code marks; a star between digits is a sign of multiplication.
_MARKUP = re.compile(
    r"</?(?:b|i|u|s|p|a|em|br|tt|li|td|tr|div|sub|sup|code|mark|font|span|small|strong|h\d)(?:\s[^<>]{0,80})?/?>"
    r"|(?<!\d)\*+|\*+(?!\d)|`+|~~|__+",
    re.IGNORECASE,
)
# One byte for each of a text's, so that one search in bytes finds what is unusual: "!" begins or is markup, an escape
# or a line's end, "0" is a digit, "l" a letter that looks like one, "a" another letter, "-" joins.
_shape = bytearray(b"," * 128 + b"a" * 128)
for _class, _members in (
    (b"!", b"<>*`~_%&=\\{}$|^+[\n\r\x1b\x00"),
    (b"0", b"0123456789"),
    (b"l", b"oOiIlLsSbBzZ"),
    (b"-", b"-."),
    (b" ", b" "),
    (b"a", b"acdefghjkmnpqrtuvwxyACDEFGHJKMNPQRTUVWXY"),
):
    for _member in _members:
        _shape[_member] = _class[0]
_SHAPE = bytes(_shape)
_LETTERS_AND_GAPS = bytes.maketrans(b"0l-", b"aa ")
_LETTERS_APART = b"a a a "
_TELLING_WORDS = NUMBER_WORDS | NAME_LABELS
# What may stand between two parts of one number: "(212) 555-0123", "48,120,937", "481 then 209", "0123 ext. 4567". It
# may be much, because only the very digits of an identifier count, of which there are at least six.
_GAP = re.compile(
    r"[\W_]{1,4}(?:(?:then|and|dash|hyphen|minus|space|dot|point|slash|number|no|ext|extension|x)\b[\W_]{0,4})?|x"
)
# Said beside the parts of a name, and left out where they are: "surname Quillby, first name Ada".
_LABELLED = NAME_LABELS | {"name", "names", "is", "was", "and", "the", "her", "his", "their", "s"}
# Said for a character of a web address: "ada dot quillby at example dot org".
_CHARACTER_NAMES = frozenset(
    {"at", "dot", "slash", "punkt", "punto", "point", "period", "arroba", "arobase", "sign", "symbol", "hyphen", "dash"}
    | {"underscore"}
)


SHORTEST_NUMBER = 6
LONGEST_NUMBER = 24


class Place(NamedTuple):
    """Words [start:end] of a reading, found under a squeezed form."""

    start: int
    end: int


class Number(NamedTuple):
    """The digits of a number without what groups them, and where in which text it starts."""

    digits: str
    start: int
    text: str


class Reading:
    """One answer, read once for all leak rules; what is costly is made when first asked for."""

    __slots__ = (
        "_dates", "_folded", "_kept", "_numbers", "_others", "_shape", "_spans", "_squeezed", "_unlabelled",
        "_without_labels", "labels_left_out", "lower", "text", "words",
    )  # fmt: skip

    def __init__(self, answer: str) -> None:
        """Fold the answer and split it into words."""
        plain = answer.isascii()
        text = answer if plain else fold(answer)
        plain = plain or text.isascii()
        # Half of a pair of surrogates has no bytes.
        raw = text.encode() if plain else text.encode(errors="replace")
        self._folded = text
        self._shape = raw.translate(_SHAPE)
        if b"!" in self._shape:
            text = _MARKUP.sub("", text)
            plain = text.isascii()
        self.text = text
        lower = text.lower()
        self.lower = lower if plain or len(lower) == len(text) else text
        self._others: tuple[Reading, ...] | None = None
        self._begin(ascii_words(text) if plain else _WORD.findall(self.lower))

    def _begin(self, words: list[str]) -> None:
        self.words = words
        self.labels_left_out = False
        self._spans: list[tuple[int, int]] | None = None
        # Which of the text's words these are, where some are left out.
        self._kept: list[int] | None = None
        self._squeezed: Squeezed | None = None
        self._numbers: list[Number] | None = None
        self._dates: frozenset[Date] | None = None
        self._unlabelled: bool | None = None
        self._without_labels: Reading | None = None

    @property
    def others(self) -> "tuple[Reading, ...]":
        """The plain texts that the answer tells besides, each read; none for most answers.

        What is escaped, in markup, under keys, with its letters apart, in number words, with letters for digits, or
        with the parts of a name under labels. A rule counts for an answer where it does for the answer or one of these.
        """
        if self._others is None:
            self._others = tuple(self._read_others()) if self._may_tell_more() else ()
        return self._others

    def _may_tell_more(self) -> bool:
        """Say, quickly, whether there may be others."""
        shape = self._shape
        if b"!" in shape or (b"0" in shape and self._has_lookalikes()):
            return True
        if _TELLING_WORDS.isdisjoint(self.words):
            self._unlabelled = True
        elif not NAME_LABELS.isdisjoint(self.words) or may_spell_digits(self.words):
            return True
        return _LETTERS_APART in shape.translate(_LETTERS_AND_GAPS)

    def _has_lookalikes(self) -> bool:
        shape = self._shape
        return b"0l" in shape or b"l0" in shape or b"0-l" in shape or b"l-0" in shape or b"0 l 0" in shape

    def _read_others(self) -> "Iterator[Reading]":
        known = {self.text}
        bases = [self]
        if b"!" in self._shape:
            for text in plain_texts(self._folded):
                if text not in known:
                    known.add(text)
                    bases.append(Reading(text))
        yield from bases[1:]
        for base in bases:
            for text in base._retold():
                if text and text not in known:
                    known.add(text)
                    yield Reading(text)

    def _retold(self) -> Iterator[str]:
        """Yield what number words, look-alike letters, letters that are apart and labelled names tell."""
        if may_spell_digits(self.words):
            yield with_spelled_digits(self.lower)
        if self._has_lookalikes():
            yield with_lookalike_digits(self.lower)
        if _LETTERS_APART in self._shape.translate(_LETTERS_AND_GAPS):
            yield letters_gathered(self.text)
        if not NAME_LABELS.isdisjoint(self.words):
            yield ". ".join(names_in_parts(self.text))

    @property
    def normal(self) -> str:
        """The text in normal form, as `normalise` makes it."""
        return " ".join(self.lower.split())

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Where each word stands in `text` and `lower`."""
        if self._spans is None:
            spans = [found.span() for found in _WORD.finditer(self.lower)]
            self._spans = spans if self._kept is None else [spans[index] for index in self._kept]
        return self._spans

    @property
    def squeezed(self) -> Squeezed:
        """The words joined."""
        if self._squeezed is None:
            self._squeezed = Squeezed(self.words)
        return self._squeezed

    @property
    def without_character_names(self) -> "Reading":
        """The same without the words "at", "dot" and "slash"; itself where it has none of them."""
        return self if _CHARACTER_NAMES.isdisjoint(self.words) else self._without(_CHARACTER_NAMES)

    @property
    def without_labels(self) -> "Reading":
        """The same without words such as "surname" and "first name"; itself where no part of a name is labelled."""
        if self._unlabelled is None:
            self._unlabelled = NAME_LABELS.isdisjoint(self.words)
        if self._unlabelled or not self._is_labelled():
            return self
        if self._without_labels is None:
            self._without_labels = self._without(_LABELLED)
            self._without_labels.labels_left_out = True
        return self._without_labels

    def _is_labelled(self) -> bool:
        """Say whether a part of a name is labelled: "first" and "last" are labels of a name beside that word."""
        found = NAME_LABELS.intersection(self.words)
        return not found <= {"first", "last"} or "name" in self.words

    def _without(self, words: frozenset[str]) -> "Reading":
        kept = [index for index, word in enumerate(self.words) if word not in words]
        other = Reading.__new__(Reading)
        other.text, other.lower, other._folded, other._shape = self.text, self.lower, self._folded, b""
        other._others = ()
        other._begin([self.words[index] for index in kept])
        other._kept = kept if self._kept is None else [self._kept[index] for index in kept]
        return other

    @property
    def dates(self) -> frozenset[Date]:
        """Every calendar day that the answer may mean by a date it tells."""
        if self._dates is None:
            self._dates = dates_in(self.lower)
        return self._dates

    @property
    def numbers(self) -> list[Number]:
        """Every number the answer may tell, however its digits are grouped.

        A number ends at a group's edge and never within a word: "48120937a" tells none.
        """
        if self._numbers is None:
            # The shape, where there is one, is of the whole answer and shows every digit.
            enough = not self._shape or self._shape.count(b"0") >= SHORTEST_NUMBER
            self._numbers = list(_numbers(self.lower)) if enough else []
        return self._numbers

    def places(self, form: str) -> Iterator[Place]:
        """Yield the places of a squeezed form that begins and ends at a word's edge."""
        text, starts = self.squeezed.text, self.squeezed.starts
        at = text.find(form)
        while at >= 0:
            first, after = bisect_left(starts, at), bisect_left(starts, at + len(form))
            begins = first < len(starts) and starts[first] == at
            if begins and starts[after - 1] + len(self.words[after - 1]) == at + len(form):
                yield Place(first, after)
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
                yield Number(digits, start, text)
