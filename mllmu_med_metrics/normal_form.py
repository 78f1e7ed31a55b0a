"""One normal form of text for every comparison, and phrase search on word boundaries."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

_WORD = re.compile(r"[^\W_]+")
# Soft hyphens, joiners, marks of direction, variation selectors, tags: what prints nothing.
_INVISIBLE = (
    0xAD, 0x34F, 0x61C, *range(0x180B, 0x180F), *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10), 0xFEFF, *range(0xFFF9, 0xFFFC), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE01F0),
)  # fmt: skip
# Punctuation look-alikes that NFKD leaves apart, characters that print nothing, letters without a decomposition, and
# the Cyrillic and Greek letters that look like Latin ones.
_SAME = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("⁄∕", "/"),
        **dict.fromkeys("‘’‛′´", "'"),
        **dict.fromkeys("“”„″", '"'),
    }
    | dict.fromkeys(map(chr, _INVISIBLE), None)
    | {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "ı": "i"}
    | {"æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "þ": "th", "Þ": "Th"}
    | dict(zip("аеорсухкмтвніјѕАЕОРСУХКМТВНІЈЅ", "aeopcyxkmtbhijsAEOPCYXKMTBHIJS", strict=True))
    | dict(zip("αορυκινΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aopukivABEZHIKMNOPTYX", strict=True))
)


# Of ASCII text: letters in lower case, digits, and a space for everything else.
_ASCII_WORDS = bytes(ord(chr(code).lower()) if chr(code).isalnum() else 32 for code in range(128)) + bytes(128)


def ascii_words(text: str) -> list[str]:
    """Return the words and numbers of an ASCII text in lower case, several times faster than a pattern does."""
    return text.encode().translate(_ASCII_WORDS).decode().split()


def fold(text: str) -> str:
    """Return the text in its own case without accents, with plain dashes, quotes, letters and digits."""
    if text.isascii():
        return text
    # Translated before NFKD, which would turn an acute accent used as an apostrophe into a space.
    text = unicodedata.normalize("NFKD", text.translate(_SAME)).translate(_SAME)
    return "".join(
        str(unicodedata.decimal(character)) if character.isdecimal() else character
        for character in text
        if not unicodedata.combining(character)
    )


def normalise(text: str) -> str:
    """Return the text in lower case, without accents, with plain dashes and quotes and single spaces."""
    if not text.isascii():
        text = fold(fold(text).casefold())
    return " ".join(text.lower().split())


def tokens(text: str) -> list[str]:
    """Return the words and numbers of the text in normal form, without punctuation."""
    return ascii_words(text) if text.isascii() else _WORD.findall(normalise(text))


def contains(text: str, value: str) -> bool:
    """Say whether the value's words stand in the text next to each other and in order, as whole words."""
    wanted = tokens(value)
    return bool(wanted) and f" {' '.join(wanted)} " in f" {' '.join(tokens(text))} "


def _meeting_digits(words: Sequence[str]) -> bool:
    """Say whether a word that begins with a digit follows one that ends with a digit."""
    before = ""
    for word in words:
        # Of words in normal form only those that begin with a digit sort before ":".
        if word < ":" and before[-1:].isdigit():
            return True
        before = word
    return False


def squeeze(words: Sequence[str], *, keep_numbers_apart: bool = False) -> tuple[str, list[int]]:
    """Join words without separators; return the string and the offset at which each word starts.

    With `keep_numbers_apart`, two digits of different words are separated by a space, so that "1 2" is not "12".
    """
    if not words:
        return "", []
    joined = "".join(words)
    if not keep_numbers_apart or joined.isalpha() or not _meeting_digits(words):
        return joined, [0, *accumulate(map(len, words[:-1]))]
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    after_digit = False
    for word in words:
        if after_digit and word[0].isdigit():
            parts.append(" ")
            length += 1
        parts.append(word)
        starts.append(length)
        length += len(word)
        after_digit = word[-1].isdigit()
    return "".join(parts), starts


class Squeezed:
    """The words of a text, joined, for the searches of many `Phrases`."""

    __slots__ = ("_beginnings", "starts", "text", "words")

    def __init__(self, words: Sequence[str], *, keep_numbers_apart: bool = False) -> None:
        """Join the words as `squeeze` does."""
        self.words = words
        self.text, self.starts = squeeze(words, keep_numbers_apart=keep_numbers_apart)
        self._beginnings: dict[int, list[str]] = {}

    def beginnings(self, length: int) -> list[str]:
        """Return so many characters from the start of each word on."""
        found = self._beginnings.get(length)
        if found is None:
            text = self.text
            found = self._beginnings[length] = [text[start : start + length] for start in self.starts]
        return found


class Found(NamedTuple):
    """One phrase found: words[start:end], and the phrase in squeezed form."""

    start: int
    end: int
    form: str


class Phrases:
    """Many phrases, found in a text in time that does not grow with their number.

    A phrase is found where its characters stand one after the other and begin and end at a word's edge; what separates
    words does not matter ("x-ray", "x ray" and "xray" are one phrase).
    """

    def __init__(self, forms: Iterable[str], *, keep_numbers_apart: bool = False) -> None:
        """Prepare the squeezed forms of the phrases (empty ones are ignored)."""
        self.forms = frozenset(form for form in forms if form)
        self._keep_numbers_apart = keep_numbers_apart
        self._prefix = min((len(form) for form in self.forms), default=0)
        self._prefix = min(self._prefix, 4)
        lengths: dict[str, set[int]] = {}
        for form in self.forms:
            lengths.setdefault(form[: self._prefix], set()).add(len(form))
        self._lengths = {prefix: tuple(sorted(found, reverse=True)) for prefix, found in lengths.items()}

    def find(self, words: Sequence[str]) -> list[Found]:
        """Return every occurrence of every phrase, by place and then longest first; occurrences may overlap."""
        if not self.forms or not words:
            return []
        return self.find_in(Squeezed(words, keep_numbers_apart=self._keep_numbers_apart))

    def find_in(self, squeezed: Squeezed) -> list[Found]:
        """Return what `find` does for words squeezed before, with numbers kept apart as here."""
        lengths, beginnings = self._lengths, squeezed.beginnings(self._prefix)
        if lengths.keys().isdisjoint(beginnings):
            return []
        begun = [index for index, beginning in enumerate(beginnings) if beginning in lengths]
        text, starts, words = squeezed.text, squeezed.starts, squeezed.words
        found: list[Found] = []
        for index in begun:
            start = starts[index]
            for length in lengths[beginnings[index]]:
                form = text[start : start + length]
                if form in self.forms:
                    end = bisect_left(starts, start + length)
                    if starts[end - 1] + len(words[end - 1]) == start + length:
                        found.append(Found(index, end, form))
        return found
