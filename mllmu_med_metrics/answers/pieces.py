"""A text as the rules on words read it: contractions written out, lines and signs made punctuation, then pieces."""

import re
from functools import lru_cache

from mllmu_med_metrics.normal_form import normalise

_HAN = "\u3400-\u9fff"
# Of text in any script; a Han character is a piece of its own, since no space separates words.
_PIECE = re.compile(rf"\d+(?:[.,]\d+)+|[{_HAN}]|[^\W_{_HAN}]+|[.,;:!?()]")
# The same of ASCII text, with the most frequent pieces tried first.
_ASCII_PIECE = re.compile(r"[a-z][a-z0-9]*|[0-9]+(?:[.,][0-9]+)+|[a-z0-9]+|[.,;:!?()]")
_DECIMAL = re.compile(r"[0-9][.,][0-9]")
# Of ASCII text in lower case: a space for everything that is neither a word's nor punctuation.
_PIECES_AND_GAPS = bytes(code if chr(code).isalnum() or chr(code) in ".,;:!?()" else 32 for code in range(128)) + bytes(
    128
)
_CONTRACTED = (
    (re.compile(r"\bcan't\b|\bcannot\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(i|we|you|they)'(?:m|re)\b"), r"\1 am"),
    (re.compile(r"\b(i|we|you|he|she|one|there|they|it|that)'d\b"), r"\1 would"),
)
# "w/o", "+/-" signs after a finding, and dashes between phrases.
_WITHOUT = re.compile(r"\bw/(?:o|out)\b", re.IGNORECASE)
_RULE_OUT = re.compile(r"\br/o\b", re.IGNORECASE)
_ABSENT = re.compile(r"\s*\(-+\)|\s-+(?=\s*(?:[,.;]|$))")
_PRESENT = re.compile(r"\s*\(\++\)|\s\++(?=\s*(?:[,.;]|$))")
# Ticks and crosses, drawn and as boxes.
_TICKS = "✅✔☑👍🟢"
_CROSSES = "❌✘✗✖☐⬜⛔🚫👎🔴"
_BOXES = ((re.compile(r"\[[xX✓✔]\]"), "✅"), (re.compile(r"\[ \]"), "❌"), (re.compile("[✓√]"), "✅"))
_MARK = re.compile(f"[{_TICKS}{_CROSSES}]")
_MARK_FIRST = re.compile(rf"(?:^|\n)[\s>*#-]*[{_TICKS}{_CROSSES}]\ufe0f?[ \t]*[\w*]")
_LABELLED_MARK = re.compile(rf"((?:present|absent|yes|no|positive|negative)\s*:)\s*[{_TICKS}{_CROSSES}]", re.IGNORECASE)
# "(left/right)"
_EITHER = re.compile(r"\(([\w -]+(?:/[\w -]+)+)\)")
# "C.T.", "i.e."
_DOTTED = re.compile(r"(?<![\w.])((?:[a-z]\.){2,4})(?!\w)", re.IGNORECASE)
# Part of each of them, quick to find.
_MAYBE_DOTTED = re.compile(r"\.\w\.")
# Plus and minus before the findings: "(+) cyst, (-) mass".
_SIGN_FIRST = re.compile(r"(?:^|(?<=[,;\n]))\s*(?:\(\+\)|\+)(?=\s*[^\W\d])")
_MINUS_FIRST = re.compile(r"(?:^|(?<=[,;\n]))\s*(?:\([-−]\)|[-−])(?=\s*[^\W\d])")
_STRUCK = re.compile(r"~~[^~\n]+~~")
_BLOCK_TAG = re.compile(r"</(?:p|li|div|tr|h\d)>|<br\s*/?>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][a-z0-9]*\s*/?>", re.IGNORECASE)
_ARROW = re.compile(r"\s*(?:->|=>|→|⇒|(?<=\w)\s*=(?=\s*\w))\s*")
# A bulleted list under a line that denies it.
_BULLETS = re.compile(
    r"^(.*\b(?:no|not|none|without|absent|excluded|negative)\b.*):[ \t]*\n((?:[ \t]*[-*•][^:\n]*(?:\n|$))+)",
    re.M | re.IGNORECASE,
)
_WORD_NO = re.compile(r"^\W*(?:no|none|not)\W*$", re.IGNORECASE)
_BULLET = re.compile(r"[ \t]*\n[ \t]*[-*•][ \t]*")
# "Mass... no, cyst": the speaker's second thought.
_SECOND_THOUGHT = re.compile(r"\s*(?:\.{2,}|…)\s*(?=(?:no|not|nope|yes|sorry|wait)\b)", re.IGNORECASE)
_ACTUALLY = re.compile(r"\s*(?:\.{2,}|…)\s*(?:actually|i mean),?\b", re.IGNORECASE)
_LARGER = re.compile(r"(?<=\w) > (?=\w)")
_DASH = re.compile(r"\s+-+\s+|\s*—\s*|\s+–\s+")
# A new line begins a new statement, unless it goes on in lower case.
_LINE = re.compile(r"[^\S\n]*\n\s*\n\s*|[^\S\n]*\n[^\S\n]*(?![a-z\s])")
_NUMBERED_LINE = re.compile(r"(^|\n)[^\S\n]*\d{1,2}[.)][^\S\n]+(?=[^\W\d]|[*_])")


def _ticked(text: str) -> str:
    """Return the text with ticks and crosses written out, as a label before what follows or as a word behind."""
    for box, mark in _BOXES:
        text = box.sub(mark, text)
    text = _LABELLED_MARK.sub(r"\1", text.replace("[", "(").replace("]", ")"))
    if _MARK_FIRST.search(text):
        return _MARK.sub(lambda mark: "; present: " if mark[0] in _TICKS else "; absent: ", text)
    return _MARK.sub(lambda mark: ": positive;" if mark[0] in _TICKS else ": negative;", text)


def _marked_up(text: str) -> str:
    """Return the text without tags and struck-out words, its lists and arrows turned into punctuation."""
    if "<" in text:
        text = _TAG.sub(" ", _BLOCK_TAG.sub("; ", text))
    if "~~" in text:
        text = _STRUCK.sub("; ", text)
    if not text.isascii():
        text = text.replace("−", "-").replace("－", "-")
    if "[" in text or not text.isascii():
        text = _ticked(text)
    if "+" in text and _SIGN_FIRST.search(text):
        text = _MINUS_FIRST.sub("; absent: ", _SIGN_FIRST.sub("; present: ", text))
    if "\n" in text:
        text = _BULLETS.sub(
            lambda list_: f"{_WORD_NO.sub('absent', list_[1])}: " + _BULLET.sub(", ", list_[2]).strip(" -*•\n") + "\n",
            text,
        )
    if ">" in text or "=" in text or "→" in text:
        text = _ARROW.sub(" : ", text)
    return _SECOND_THOUGHT.sub(", ", _ACTUALLY.sub(", or rather", text)) if ".." in text or "…" in text else text


def _is_marked_up(text: str) -> bool:
    return (
        not text.isascii() or "\n" in text or "[" in text or "<" in text or ">" in text or "=" in text or "+" in text
        or ".." in text or "~~" in text
    )  # fmt: skip


def _laid_out(text: str) -> str:
    """Return the text with numbered lines, line ends, dashes and signs turned into words and punctuation."""
    if _is_marked_up(text):
        text = _marked_up(text)
    if "\n" in text or text[:1].isdigit():
        text = _NUMBERED_LINE.sub(r"\1", text)
    if "\n" in text:
        text = _LINE.sub("; ", text.strip())
    if text.count(".") > 1 and _MAYBE_DOTTED.search(text):
        text = _DOTTED.sub(lambda letters: letters[0].replace(".", ""), text)
    if "/" in text:
        text = _EITHER.sub(lambda choice: choice[0].replace("/", " or "), text)
        text = _RULE_OUT.sub("rule out", _WITHOUT.sub("without", text))
    if " -" in text or "(-" in text or "—" in text or " –" in text:
        text = _DASH.sub(" : ", _ABSENT.sub(": negative", text))
    if "+" in text:
        text = _PRESENT.sub(": positive", text)
    if " > " in text:
        text = _LARGER.sub(" than ", text)
    if "&" in text:
        text = text.replace("&", " and ")
    return text


# Several rules read one answer, one after the other.
@lru_cache(maxsize=64)
def written_out(text: str) -> str:
    """Return the text in normal form with contractions written out ("can't" -> "can not")."""
    text = normalise(_laid_out(text))
    if not text.isascii():
        text = text.replace("。", ".")
    if "'" in text or "cannot" in text:
        for pattern, full in _CONTRACTED:
            text = pattern.sub(full, text)
    return text


@lru_cache(maxsize=64)
def pieces_of(text: str) -> tuple[str, ...]:
    """Split a text into words, numbers (decimals whole) and punctuation, contractions written out.

    >>> pieces_of("It isn't 2.5 cm.")
    ('it', 'is', 'not', '2.5', 'cm', '.')
    """
    written = written_out(text)
    if not written.isascii():
        return tuple(_PIECE.findall(written))
    if _DECIMAL.search(written):
        return tuple(_ASCII_PIECE.findall(written))
    # The same pieces as the pattern's where no number is a decimal, in half the time.
    bare = written.encode().translate(_PIECES_AND_GAPS).decode()
    for mark in PUNCTUATION:
        if mark in bare:
            bare = bare.replace(mark, f" {mark} ")
    return tuple(bare.split())


# The pieces that are no words; every other piece is one.
PUNCTUATION = frozenset(".,;:!?()")


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text, separated by spaces, as a set."""
    return frozenset(text.split())


def is_word(piece: str) -> bool:
    """Say whether a piece is a word or number, not punctuation."""
    return piece not in PUNCTUATION


def is_han(piece: str) -> bool:
    """Say whether a piece is a Chinese character."""
    return "\u3400" <= piece[0] <= "\u9fff"
