"""A text without its escapes, markup and keys: what is shown of it where it is a page, a file or typeset."""

import html
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from mllmu_med_metrics.normal_form import fold

# An escape may be escaped again, as in "%2540" and "&amp;nbsp;".
_MOST_ROUNDS = 4
_PERCENT = re.compile(r"(?:%[0-9a-f]{2})+", re.IGNORECASE)
_QUOTED_PRINTABLE = re.compile(r"=\r?\n|(?:=[0-9A-F]{2})+")
_ENTITY = re.compile(r"&[a-z]{2,8};", re.IGNORECASE)
# \x41 and \303; %u0041, \u0041, \u{41} and \U00000041; U+0041.
_BYTES = re.compile(r"(?:\\{1,4}x[0-9a-f]{2})+|(?:\\[0-3][0-7]{2})+", re.IGNORECASE)
_POINTS = re.compile(
    r"(?:%|\\{1,4})u(?:\{([0-9a-f]{1,6})\}|([0-9a-f]{4}))|\\{1,4}u([0-9a-f]{8})|\\0000([0-9a-f]{2})\s?"
    r"|\bu\+([0-9a-f]{4,6})(?:\s(?=u\+))?",
    re.IGNORECASE,
)
_ESCAPED_QUOTE = re.compile(r"\\{1,4}(?=[\"/])")
# Not of a code point, U+0041.
_PLUS = re.compile(r"(?<=\w)(?<!\b[uU])\+(?=\w)")
_FORM_FIELD = re.compile(r"[^\s&=?]+")

_TERMINAL = re.compile(r"\x1b\[[0-9;]{0,16}[a-z]", re.IGNORECASE)
_COMMENT = re.compile(
    r"<!--[^>]{0,400}-->|<!\[CDATA\[|\]\]>|\[/?(?:b|i|u|s|code|url|email|color|size|quote)(?:=[^\]]{0,80})?\]"
)
# What a link of Markdown leads to, behind what is shown of it.
_TARGET = re.compile(r"\]\((?=[^()\s]{0,300}[a-z#])[^()\s]{0,300}\)", re.IGNORECASE)
_SEMICOLONS = re.compile(r"\s?;[\s;]*")
_TAG = re.compile(r"</?(?P<name>[a-z][\w:.-]{0,40})(?:\s[^<>]{0,300})?/?>", re.IGNORECASE)
_INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "code", "del", "em", "font", "i", "ins", "mark", "q", "s", "small", "span", "strong"}
    | {"sub", "sup", "tt", "u", "wbr"}
)
# LaTeX and RTF. What is one letter and a space is a switch of RTF; \n, \r and \t are of strings.
_ACCENT = re.compile(r"\\[\"'`^~=.]\{?\\?([a-z])\}?|\\[uvHcdbkr]\{([a-z])\}", re.IGNORECASE)
_LETTER = re.compile(r"\\(ss|ae|oe|aa|o|l)(?![a-z])(?:\{\}|\s)?", re.IGNORECASE)
_ENVIRONMENT = re.compile(
    r"\\(?:begin\{[^{}]{0,40}\}(?:\[[^\]]{0,40}\])?(?:\{[^{}]{0,40}\})?|end\{[^{}]{0,40}\}|[vh]space\*?\{[^{}]{0,40}\})"
)
_COLOUR = re.compile(r"\\(?:text)?color(?:box)?\{[^{}]{0,40}\}")
_COMMAND = re.compile(r"\\[a-z]+\*?(?:\[[^\]]{0,40}\])?\s{0,4}(?=\{)", re.IGNORECASE)
_SWITCH = re.compile(
    r"\\(?:bf|it|em|rm|sc|sf|tt|sl|bfseries|itshape|scshape|ttfamily|q?quad|large|small|par|item|noindent|newline|hfill"
    r"|line|tab|cell|ul|ulnone|plain|[bi]0?|c?f\d{1,3}|fs\d{1,3})(?![a-z0-9])\s?",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"\\{1,4}(?:\r?\n|[nrtfv,;:! ]|(?=[a-z]))|\\\\(?:\[[^\]]{0,20}\])?|[~\x00-\x08\x0b-\x1f\x7f]")
_HYPHENATED = re.compile(r"(?<=[^\W\d_])-[ \t]{0,40}\r?\n[ \t]{0,40}(?=[^\W\d_])")
_SUPERSCRIPT = re.compile(r"(?<=\d)\^(?=(?:st|nd|rd|th)\b)")

# What names a value in JSON, Python, YAML, a table or a list with one part a line, a query, an attribute.
_KEY = re.compile(
    r"[,{\[(\s]{0,60}[\"'][\w .-]{1,30}[\"']\s{0,4}(?::|=>)\s{0,4}"
    r"|(?:^|[ \t|,;]{0,6}\n)[ \t>*+|#-]{0,12}(?:\d{1,2}[.)] )?[A-Za-z][\w .]{0,30}?[ \t]{0,12}(?:[:=]|\|)\s{0,12}"
    r"|(?:^|\n)[ \t>]{0,12}(?:[*+-]|\d{1,2}[.)])[ \t]"
    r"|(?<![\w@.])[A-Za-z_][\w.:-]{0,30}=|\b[A-Za-z]{2,20}:\s"
)
_BRACKETS = str.maketrans(dict.fromkeys("\"'{}[]<>", " "))

# Letters apart by one separator each, words by more: "Q u i l l b y", "A-d-a". Digits stay apart from letters.
_APART = re.compile(r"(?<![^\W_])[^\W_](?P<by>[ ._-])[^\W_](?![^\W_])(?:(?P=by)[^\W_](?![^\W_]))*")
_SEPARATED = re.compile(r"(?<=[^\W\d_])[ ._-](?=[^\W\d_])|(?<=\d)[ ](?=\d)")


def _decoded_bytes(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _percent(text: str) -> str:
    if "+" in text:
        # A plus is a space in a form's fields, and part of an address's user where there is an at sign.
        text = _FORM_FIELD.sub(
            lambda field: field[0] if "@" in field[0] or "%40" in field[0] else _PLUS.sub(" ", field[0]),
            text,
        )
    return _PERCENT.sub(lambda run: _decoded_bytes(unquote_to_bytes(run[0])), text) if "%" in text else text


def _point(found: re.Match[str]) -> str:
    code = int(next(filter(None, found.groups())), 16)
    return chr(code) if code < 0x110000 else found[0]


def _byte_run(found: re.Match[str]) -> str:
    codes = re.split(r"\\+x?", found[0].lower())[1:]
    return _decoded_bytes(bytes(int(code, 16 if len(code) == 2 else 8) for code in codes))


def _escapes_undone(text: str) -> str:
    """Return the text after one round: of URLs, entities of HTML, escapes of strings."""
    text = _percent(text)
    if "&" in text:
        # "&NBSP;" is no entity of HTML, but a folded answer's.
        text = html.unescape(_ENTITY.sub(lambda name: html.unescape(html.unescape(name[0]).lower()), text))
    if "\\" in text or "+" in text or "%u" in text.lower():
        text = _POINTS.sub(_point, _BYTES.sub(_byte_run, text))
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _ESCAPED_QUOTE.sub("", text)


def without_escapes(text: str) -> str:
    """Return a text with the escapes of URLs, HTML and strings undone, also where they are escaped again."""
    for _ in range(_MOST_ROUNDS):
        plain = _escapes_undone(text)
        if plain == text:
            break
        text = plain
    return fold(text)


def _without_commands(text: str) -> str:
    """Return a text without the commands, ties and braces of LaTeX and RTF and the escapes of Markdown."""
    text = _LETTER.sub(r"\1", _ACCENT.sub(lambda found: found[1] or found[2], text))
    text = _SWITCH.sub(" ", _COMMAND.sub("", _COLOUR.sub("", _ENVIRONMENT.sub(" ", text))))
    text = re.sub(r"\\(?=[^\w\s,;:!\\]|_)", "", _CONTROL.sub(" ", text))
    text = text.replace("}{", "} {").translate({ord(mark): None for mark in "{}$"})
    return _SUPERSCRIPT.sub("", text)


def without_markup(text: str) -> str:
    """Return a text without tags, commands and ties, words broken at a line's end put together."""
    text = _HYPHENATED.sub("", re.sub(r"\\\r?\n", "", text))
    text = _TERMINAL.sub("", text)
    if "<" in text or "[" in text or "]" in text:
        text = _TAG.sub(
            lambda tag: "" if tag["name"].lower() in _INLINE else "; ", _TARGET.sub("]", _COMMENT.sub("", text))
        )
    return _without_commands(text)


def without_keys(text: str) -> str:
    """Return a text with a semicolon in place of what names its values: "area: 212, line: 0123" is "; 212; 0123"."""
    return _SEMICOLONS.sub("; ", _KEY.sub("; ", text).translate(_BRACKETS)).strip()


def letters_gathered(text: str) -> str:
    """Return a text with letters and digits that stand apart put together, as in "M a r c h  1 2" and "A-d-a"."""
    return _APART.sub(lambda run: _SEPARATED.sub("", run[0]), text)


def plain_texts(text: str) -> Iterator[str]:
    """Yield what a folded text with escapes, markup or keys tells without them; the same text may come twice."""
    sources = [text]
    if _QUOTED_PRINTABLE.search(text):
        # Apart, because "id=20481209" is a key and its value.
        sources.append(_QUOTED_PRINTABLE.sub(_quoted_printable, text))
    for source in sources:
        shown = without_escapes(source)
        bare = without_markup(shown)
        yield shown
        yield _SEMICOLONS.sub("; ", " ".join(bare.split()))
        yield without_keys(shown)
        yield without_keys(bare)


def _quoted_printable(found: re.Match[str]) -> str:
    return "" if found[0][1] in "\r\n" else _decoded_bytes(bytes.fromhex(found[0].replace("=", "")))
