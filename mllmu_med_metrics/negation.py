"""Which words of a sentence are denied: cues before and after them, within the clause."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from mllmu_med_metrics.normalise import normalise

_PIECE = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+|[.,;:!?()]")
# The same of ASCII text, with the most frequent pieces tried first.
_ASCII_PIECE = re.compile(r"[a-z][a-z0-9]*|[0-9]+(?:[.,][0-9]+)+|[a-z0-9]+|[.,;:!?()]")
_CONTRACTED = (
    (re.compile(r"\bcan't\b|\bcannot\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(i|we|you|they)'(?:m|re)\b"), r"\1 am"),
    (re.compile(r"\b(i|we|they|it|that)'d\b"), r"\1 would"),
)


# Several rules read one answer, one after the other.
@lru_cache(maxsize=64)
def written_out(text: str) -> str:
    """Return the text in normal form with contractions written out ("can't" -> "can not")."""
    text = normalise(text)
    if "'" in text or "cannot" in text:
        for pattern, full in _CONTRACTED:
            text = pattern.sub(full, text)
    return text


@lru_cache(maxsize=64)
def pieces_of(text: str) -> tuple[str, ...]:
    """Split a text into words, numbers (decimals whole) and punctuation, contractions written out."""
    written = written_out(text)
    return tuple((_ASCII_PIECE if written.isascii() else _PIECE).findall(written))


# The pieces that are no words; every other piece is one.
PUNCTUATION = frozenset(".,;:!?()")


def is_word(piece: str) -> bool:
    """Say whether a piece is a word or number, not punctuation."""
    return piece not in PUNCTUATION


_BREAKS = frozenset(".;:!?()") | {"but", "however", "although", "though", "while", "whereas", "yet"}
_STARTERS = frozenset(
    {"the", "it", "its", "there", "this", "that", "these", "those", "they", "he", "she", "a", "an", "i", "we"}
    | {"is", "are", "was", "were", "in", "on", "at", "instead", "rather", "but"}
)
# What turns the words after it into something denied, up to the end of the clause.
_DENIAL_CUES: tuple[tuple[str, ...], ...] = tuple(
    tuple(cue.split())
    for cue in (
        "no", "not", "without", "never", "neither", "nor", "nothing", "none of", "lack of", "lacks", "lacking",
        "absence of", "absent", "free of", "free from", "devoid of", "negative for", "rule out", "rules out",
        "ruled out", "ruling out", "exclude", "excludes", "excluding", "excluded", "denies", "rather than",
        "instead of", "unlike", "in place of", "as opposed to", "far from", "fails to", "failed to", "unable to",
    )
)  # fmt: skip
# Looks like a denial and is none.
_NO_DENIALS: tuple[tuple[str, ...], ...] = tuple(
    tuple(cue.split())
    for cue in (
        "not only", "not just", "not merely", "not simply", "not solely", "no doubt", "no question", "without doubt",
        "without a doubt", "without question", "not exclude", "not excluded", "not be excluded", "not rule out",
        "not ruled out", "not be ruled out", "not unlikely", "not absent", "not without", "not lack", "not unlike",
    )
)  # fmt: skip
# Denies what follows; inside a denial it ends the denial ("nothing other than a cyst").
_EXCEPTION_CUES: tuple[tuple[str, ...], ...] = (
    ("other", "than"), ("except", "for"), ("except",), ("apart", "from"), ("aside", "from"), ("besides",),
)  # fmt: skip
Cues = Mapping[str, tuple[tuple[str, ...], ...]]


def _by_first_word(cues: Sequence[tuple[str, ...]]) -> Cues:
    return {first: tuple(cue for cue in cues if cue[0] == first) for first in {cue[0] for cue in cues}}


NO_DENIALS = _by_first_word(_NO_DENIALS)
_DENIALS = _by_first_word(_DENIAL_CUES)
_EXCEPTIONS = _by_first_word(_EXCEPTION_CUES)
_COMMON = frozenset({"of", "from", "for", "to", "than", "out", "in", "as"})
# Without any of these no word is denied by what stands before it: of each cue the word that is rare elsewhere.
_DENYING = {next(word for word in cue if word not in _COMMON) for cue in (*_DENIAL_CUES, *_EXCEPTION_CUES)} | {"non"}
_COMPARED = frozenset({"rather", "instead", "unlike", "as", "in"})
_SUBJECTS = frozenset({"it", "this", "that", "there", "these", "they"})
_COPULAS = frozenset({"is", "are", "was", "were", "s", "shows", "show"})
_SEEN = (
    "seen|visible|visualized|visualised|present|identified|evident|found|detected|observed|demonstrated|noted|shown|"
    "apparent|appreciated|there|affected|involved|used|performed|taken|acquired|applied|correct|right|true|the case|"
    "the answer|the correct|the right answer"
)
_DENIED_AFTER = re.compile(
    r"^(?:(?!not |never )[^\W_]+ ){0,4}?(?:(?:is|are|was|were|be|been|has|have|can|could|appear|appears|seems?|s) )+"
    rf"(?:(?:clearly |definitely |definitively )?(?:not|never) (?:be |been )?(?:{_SEEN})|absent|unlikely|ruled out|"
    r"excluded|incorrect|wrong|false|missing)\b"
)


# Without any of these a clause does not deny what it named before.
_DENYING_BEHIND = frozenset(
    {"not", "never", "absent", "unlikely", "ruled", "excluded", "incorrect", "wrong", "false", "missing"}
)


def cue_at(pieces: Sequence[str], at: int, cues: Cues) -> int:
    """Return the length of the longest cue that starts at a place, or 0."""
    begun = cues.get(pieces[at])
    if begun is None:
        return 0
    return max((len(cue) for cue in begun if tuple(pieces[at : at + len(cue)]) == cue), default=0)


def _list_goes_on(pieces: Sequence[str], comma: int) -> bool:
    """Say whether a comma stands inside a list that ends with "or": "no cyst, nodule, or mass"."""
    words: list[str] = []
    for piece in pieces[comma + 1 :]:
        if piece in _BREAKS:
            break
        if piece == ",":
            words = []
            continue
        if not words and piece in _STARTERS:
            return False
        words.append(piece)
        if piece in ("or", "nor"):
            return True
        if len(words) > 4:
            return False
    return False


def denied_ahead(pieces: Sequence[str]) -> list[bool]:
    """Mark each piece that stands in the scope of a denial before it."""
    denied = [False] * len(pieces)
    if _DENYING.isdisjoint(pieces):
        return denied
    scope = compared = False
    at = 0
    while at < len(pieces):
        piece = pieces[at]
        following = pieces[at + 1] if at + 1 < len(pieces) else "."
        ends_at_comma = piece == "," and not _list_goes_on(pieces, at)
        new_statement = piece == "and" and following in _STARTERS
        back_to_subject = compared and piece in _SUBJECTS and following in _COPULAS
        if piece in _BREAKS or ends_at_comma or new_statement or back_to_subject:
            scope = compared = False
            at += 1
            continue
        skip = cue_at(pieces, at, NO_DENIALS)
        if skip:
            scope = compared = False
            at += skip
            continue
        skip = cue_at(pieces, at, _EXCEPTIONS)
        if skip:
            scope, compared = not scope, False
            denied[at : at + skip] = [scope] * skip
            at += skip
            continue
        skip = cue_at(pieces, at, _DENIALS)
        # "No, ..." and "No the lesion is ..." answer a question; they deny nothing after them.
        if skip and not (piece == "no" and (following in _SUBJECTS or following == "the")):
            denied[at : at + skip] = [scope] * skip
            scope, compared = True, piece in _COMPARED
            at += skip
            continue
        denied[at] = scope or (at > 0 and pieces[at - 1] == "non")
        at += 1
    return denied


def denied_behind(pieces: Sequence[str], end: int) -> bool:
    """Say whether the clause goes on to deny what it named before `end`: "the cyst is not seen"."""
    if _DENYING_BEHIND.isdisjoint(pieces):
        return False
    clause: list[str] = []
    for piece in pieces[end:]:
        if piece in _BREAKS or piece == "," or not is_word(piece):
            break
        clause.append(piece)
    return bool(clause) and _DENIED_AFTER.match(" ".join(clause)) is not None
