"""A text as a page shows it: in segments, what a reader can't see made visible, what is too long left out."""

import re
from collections.abc import Sequence
from typing import NamedTuple

# So much of a text is shown, and so much around each mark beyond.
LONGEST, AROUND = 1500, 120
# Signs that have no picture, or turn the text around them: controls but for tab and line end, and those of direction.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_FIRST_PICTURE, _DELETE, _DELETE_PICTURE = 0x2400, 0x7F, "␡"
_JOINER = "\u200d"  # holds emoji together


class Mark(NamedTuple):
    """A part [start, end) of a text, what it is (a class of the page's style), and a word for it."""

    start: int
    end: int
    name: str
    word: str


def visible(text: str) -> str:
    """Return a text with a sign for every character that has no picture, or that would turn the page around it.

    >>> visible("a\\x00b\\u202ec")
    'a␀b⟨U+202E⟩c'
    """
    return _UNSEEN.sub(_picture, _HALF_PAIR.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n")))


def _picture(found: re.Match[str]) -> str:
    sign = found[0]
    if sign == _JOINER:
        return sign
    code = ord(sign)
    if code < ord(" "):
        return chr(_FIRST_PICTURE + code)
    return _DELETE_PICTURE if code == _DELETE else f"⟨U+{code:04X}⟩"


def segments(text: str, marks: Sequence[Mark] = (), longest: int = LONGEST) -> list[object]:
    """Return a text as a list of its parts: plain text, [marked text, name, word], or how many characters are left out.

    Of marks that overlap the one that starts first is kept, of those the longest. Of a text longer than `longest` its
    beginning is shown, and what stands around each mark.
    """
    parts: list[object] = []
    kept = _windows(len(text), marks, longest)
    at = 0
    for begin, end in kept:
        if begin > at:
            parts.append(begin - at)
        at = begin
        for mark in sorted(marks, key=lambda one: (one.start, -one.end)):
            if mark.start < at or mark.end > end:
                continue
            _add(parts, text[at : mark.start])
            cut = min(mark.end, mark.start + longest)
            parts.append([visible(text[mark.start : cut]), mark.name, mark.word])
            if cut < mark.end:
                parts.append(mark.end - cut)
            at = mark.end
        _add(parts, text[at:end])
        at = end
    if at < len(text):
        parts.append(len(text) - at)
    return parts


def _add(parts: list[object], text: str) -> None:
    if text:
        parts.append(visible(text))


def _windows(length: int, marks: Sequence[Mark], longest: int) -> list[tuple[int, int]]:
    """Return what is kept of a text, from the left and apart from each other."""
    if length <= longest:
        return [(0, length)]
    windows = [(0, longest)]
    for mark in sorted(marks):
        begin, end = max(0, mark.start - AROUND), min(length, mark.end + AROUND)
        if begin <= windows[-1][1]:
            windows[-1] = windows[-1][0], max(end, windows[-1][1])
        else:
            windows.append((begin, end))
    return windows
