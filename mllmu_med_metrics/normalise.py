"""One normal form of text for every comparison, and phrase search on word boundaries."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_WORD = re.compile(r"[^\W_]+")
# Punctuation look-alikes that NFKD leaves apart, and characters that print nothing.
_SAME = str.maketrans(
    {**dict.fromkeys("‐‑‒–—―−", "-"), **dict.fromkeys("‘’‛′´", "'"), **dict.fromkeys("“”„″", '"')}
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", None)
)


def normalise(text: str) -> str:
    """Return the text in lower case, without accents, with plain dashes and quotes and single spaces."""
    if not text.isascii():
        # Translated before NFKD, which would turn an acute accent used as an apostrophe into a space.
        text = unicodedata.normalize("NFKD", text.translate(_SAME).casefold())
        text = "".join(character for character in text if not unicodedata.combining(character)).translate(_SAME)
    return " ".join(text.lower().split())


def tokens(text: str) -> list[str]:
    """Return the words and numbers of the text in normal form, without punctuation."""
    return _WORD.findall(normalise(text))


def contains(text: str, value: str) -> bool:
    """Say whether the value's words stand in the text next to each other and in order, as whole words."""
    wanted = tokens(value)
    return bool(wanted) and f" {' '.join(wanted)} " in f" {' '.join(tokens(text))} "


def squeeze(words: Sequence[str], *, keep_numbers_apart: bool = False) -> tuple[str, list[int]]:
    """Join words without separators; return the string and the offset at which each word starts.

    With `keep_numbers_apart`, two digits of different words are separated by a space, so that "1 2" is not "12".
    """
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    for word in words:
        if keep_numbers_apart and parts and parts[-1][-1].isdigit() and word[0].isdigit():
            parts.append(" ")
            length += 1
        parts.append(word)
        starts.append(length)
        length += len(word)
    return "".join(parts), starts


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
        text, starts = squeeze(words, keep_numbers_apart=self._keep_numbers_apart)
        ends: dict[int, int] | None = None
        found: list[Found] = []
        for index, start in enumerate(starts):
            for length in self._lengths.get(text[start : start + self._prefix], ()):
                form = text[start : start + length]
                if form in self.forms:
                    if ends is None:
                        ends = {at + len(word): i + 1 for i, (at, word) in enumerate(zip(starts, words, strict=True))}
                    end = ends.get(start + length)
                    if end is not None:
                        found.append(Found(index, end, form))
        return found
