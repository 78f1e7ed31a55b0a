"""Calendar days told in an answer, in any usual way of writing a date."""

import re
from calendar import isleap
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date, timedelta
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

from mllmu_med_metrics.normal_form import ascii_words, normalise

Date = tuple[int, int, int]  # year, month, day

_MONTHS = (
    ("january", "jan", "janvier", "januar", "enero", "gennaio", "janeiro", "januari", "janv", "ene", "stycznia"),
    ("february", "feb", "fevrier", "februar", "febrero", "febbraio", "fevereiro", "februari", "fevr", "fev", "lutego"),
    ("march", "mar", "mars", "marz", "marzo", "marco", "maart", "mrt", "marca", "marts", "maerz"),
    ("april", "apr", "avril", "abril", "aprile", "avr", "abr", "kwietnia"),
    ("may", "mai", "mayo", "maggio", "maio", "mei", "maj", "maja"),
    ("june", "jun", "juin", "juni", "junio", "giugno", "junho", "czerwca"),
    ("july", "jul", "juillet", "juli", "julio", "luglio", "julho", "juil", "lipca"),
    ("august", "aug", "aout", "agosto", "augustus", "augusti", "sierpnia"),
    ("september", "sept", "sep", "septembre", "septiembre", "settembre", "setembro", "setiembre", "wrzesnia"),
    ("october", "oct", "octobre", "oktober", "octubre", "ottobre", "outubro", "okt", "pazdziernika"),
    ("november", "nov", "novembre", "noviembre", "novembro", "listopada"),
    ("december", "dec", "decembre", "dezember", "diciembre", "dicembre", "dezembro", "dez", "dic", "grudnia"),
)  # fmt: skip
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_ROMAN_OF = {name: number for number, name in enumerate(_ROMAN, start=1)}
_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBER_OF = {word: number for number, word in enumerate(_UNITS)} | {
    word: 10 * number for number, word in enumerate(_TENS, start=2)
}
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth",
    "twentieth",
)  # fmt: skip
_ORDINAL_OF = {word: number for number, word in enumerate(_ORDINALS, start=1)}
_ORDINAL_OF |= {f"twenty {word}": 20 + number for word, number in list(_ORDINAL_OF.items())[:9]}
_ORDINAL_OF |= {"thirtieth": 30, "thirty first": 31}
_CARDINAL_OF = {word: number for number, word in enumerate(_UNITS) if number} | {"twenty": 20, "thirty": 30}
_CARDINAL_OF |= {f"twenty {word}": 20 + number for number, word in enumerate(_UNITS[:10]) if number} | {
    "thirty one": 31
}


def _any_of(words: Iterable[str]) -> str:
    return "|".join(sorted((word.replace(" ", "[ -]?") for word in words), key=len, reverse=True))


_MONTH_NAME = _any_of(_MONTH_OF)
_ONES = f"(?:{_any_of(_UNITS[1:10])})"
_TWO_DIGITS = rf"(?:(?:{_any_of(_TENS)})(?:[ -]?{_ONES})?|(?:oh|o)[ -]{_ONES}|{_any_of(_UNITS[1:])})"
_SPOKEN_YEAR = (
    rf"(?:nineteen|eighteen|twenty)[ -](?:hundred(?: and)?[ -])?{_TWO_DIGITS}\b"
    rf"|two[ -]thousand(?:(?: and)?[ -]{_TWO_DIGITS})?\b|nineteen hundred\b"
)
_ROMAN_YEAR = r"(?=[mdclxvi]{4})m{1,2}(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})(?![^\W_])"
_MEASURE = re.compile(
    r"[\d%]|[.,:]\d|\s?(?:mm|cm|ml|mg|kg|hu|years?|yrs?|patients?|cases?|slices?|lesions?|nodules?|o'clock)\b"
)
_LABELS = {
    "y": ("year", "yyyy", "yr", "jahr", "jahres", "annee", "ano", "anno", "jaar"),
    "m": ("month", "mm", "monat", "mois", "mes", "mese", "maand"),
    "d": ("day", "dd", "tag", "jour", "dia", "giorno", "dag"),
}
_MAY_BE_LABELLED = {
    "y": ("year", "spoken", "romanyear", "number"),
    "m": ("month", "roman", "number", "ordinal", "worded", "cardinal"),
    "d": ("number", "ordinal", "worded", "cardinal"),
}
_LABEL_OF = {name: role for role, names in _LABELS.items() for name in names}
# What dates in words are made of; each begins and ends as a word does.
_PART = re.compile(
    rf"(?<![^\W_])(?:(?P<spoken>{_SPOKEN_YEAR})"
    rf"|(?P<year>\d{{4}}(?!\d)|'\s?\d{{2}}(?![\d']))"
    rf"|(?P<ordinal>\d{{1,2}}[ -]?(?:st|nd|rd|th|er)(?![^\W_]))"
    rf"|(?P<number>\d{{1,2}}(?!\d)(?=\W|_|$|{_MONTH_NAME}))"
    rf"|(?P<worded>{_any_of(_ORDINAL_OF)})(?![^\W_])"
    rf"|(?P<cardinal>{_any_of(_CARDINAL_OF)})(?![^\W_])"
    rf"|(?P<month>{_MONTH_NAME})(?![^\W\d_])"
    rf"|(?P<roman>{_any_of(_ROMAN)})(?![^\W_])"
    rf"|(?P<romanyear>{_ROMAN_YEAR})"
    rf"|(?:birth|born)?(?P<label>{_any_of(_LABEL_OF)})(?![^\W_]))"
)
_FILLER = _any_of(
    (
        "of", "the", "in", "on", "de", "del", "di", "do", "da", "den", "der", "am", "im", "le", "el", "il", "and", "a",
        "is", "was", "s", "des", "which", "back", "ad", "d", "our", "lord", "dob", "date",
        "day", "month", "year", "jahr", "mes", "ano", "annee", "birth", *_WEEKDAYS,
        *(day[:3] for day in _WEEKDAYS),
    )
)  # fmt: skip
_BETWEEN = re.compile(rf"[^\w!?]{{0,16}}_?(?:(?:{_FILLER})(?![^\W_])(?:[^\w!?]|_){{0,8}}){{0,6}}")
_SENTENCE_END = re.compile(r"\.\s")
_LABEL_GAP = re.compile(r"[^\w.!?]{1,8}(?:(?:is|was|of|on|in|the)[^\w.!?]{1,4}){0,2}")
_ROMAN_GAP = re.compile(r"[-./ ]\s?")
_DAY_FOLLOWS = re.compile(r"\b(?:on|the|day)\b")
_USUAL_ORDERS, _YEAR_FIRST, _DAY_APART = ("dmy", "mdy"), ("ymd", "ydm"), ("myd", "dym")
# 12MAR1947 and 12mar47 have no word's edge after the month.
_GLUED = re.compile(rf"(?<![^\W_])(?P<day>\d{{1,2}})(?P<month>{_MONTH_NAME})(?P<year>\d{{4}}|\d{{2}})(?!\d)")
# In front of it no other part of a dotted number; a date by hyphens may follow a slash, and one by slashes a hyphen.
_NUMERIC = re.compile(
    r"(?<!\d)(?:(?<!\d[./_-])|(?<=[._/])(?=\d{4}-)|(?<=[-._])(?=\d{4}/))"
    r"(?P<a>\d{1,4})(?:\s{0,8}(?P<sign>[-./_,:;|])\s{0,8}|(?P<space>\s{1,4}))(?P<b>\d{1,2})"
    r"(?(sign)\s{0,8}(?P=sign)\s{0,8}|(?P=space))(?P<c>\d{4}|'?\d{1,2})"
    r"(?!\d|[._-]\d)(?(sign)(?!(?P=sign)\d)|(?!/\d))(?!\s?(?:mm|cm|ml)\b)"
)
# Between the parts of a date only where its year has four digits.
_LISTED = (",", ":", ";", "|")
# Behind it may stand the time of the day.
_COMPACT = re.compile(r"(?<![\d.,])(?P<a>\d{4})(?P<b>\d{2})(?P<c>\d{2})(?:\d{4}|\d{6})?(?!\d|[.,]\d)")
_DIGIT_BY_DIGIT = re.compile(r"(?<!\d)\d(?:[ ./-]{1,5}\d){7}(?!\d)")
# 1947-W11-3 and 1947-071; 1947年3月12日, the signs of Korean as `fold` leaves them.
_COUNTED = re.compile(r"(?<![^\W_])(?<![.-])(\d{4})-?(?:w(\d{2})-?([1-7])|(?<=-)(\d{3}))(?![^\W_]|-\d)")
_YEAR_SIGN, _MONTH_SIGN, _DAY_SIGN = (
    f"(?:{'|'.join(normalise(sign) for sign in signs)})" for signs in ("年년", "月월", "日号號일")
)
_SIGNED = re.compile(rf"(\d{{4}})\s?{_YEAR_SIGN}\s?(\d{{1,2}})\s?{_MONTH_SIGN}\s?(\d{{1,2}})\s?{_DAY_SIGN}")
# "12 of 3, 1947"; with "12th" it is a date in words.
_DAY_OF_MONTH = re.compile(r"(?<![\d.,])(\d{1,2}) of (?:the )?(\d{1,2})(?:st|nd|rd|th)?,? (?:of |in )?(\d{4})(?!\d)")
_DIGITS_NEAR = re.compile(r"\d\W?\D{0,3}\d")
# A date in words has one of these.
_WORDS_OF_DATES = frozenset(
    {*_MONTH_OF, *_LABEL_OF, *_ROMAN, *(f"{role}{name}" for name in _LABEL_OF for role in ("birth", "born"))}
    | {word for ordinal in _ORDINAL_OF for word in ordinal.split()}
    | {f"{day}{end}" for day in range(1, 32) for end in ("st", "nd", "rd", "th", "er")}
    | {"nineteen", "eighteen", "twenty", "thousand"}
)


class _Part(NamedTuple):
    """A part of a date in words: its kind, the numbers it may be, its place, and the role a label gives it."""

    kind: str
    values: tuple[int, ...]
    start: int
    end: int
    role: str = ""


def _years(text: str) -> tuple[int, ...]:
    digits = text.strip("' ")
    return (int(digits),) if len(digits) == 4 else (1900 + int(digits), 2000 + int(digits)) if len(digits) == 2 else ()


def _spoken_years(text: str) -> tuple[int, ...]:
    words = [word for word in re.findall(r"[a-z]+", text) if word not in ("and", "hundred", "oh", "o")]
    if words[0] == "two" and words[1] == "thousand":
        return (2000 + sum(_NUMBER_OF[word] for word in words[2:]),)
    return (100 * _NUMBER_OF[words[0]] + sum(_NUMBER_OF[word] for word in words[1:]),)


def _roman_number(text: str) -> int:
    values = [{"m": 1000, "d": 500, "c": 100, "l": 50, "x": 10, "v": 5, "i": 1}[letter] for letter in text]
    return sum(-one if one < following else one for one, following in zip(values, [*values[1:], 0], strict=True))


def _values_of(kind: str, text: str) -> tuple[int, ...]:
    """Return the numbers that a part may be; a year's are years."""
    if kind == "spoken":
        return _spoken_years(text)
    if kind == "year":
        return _years(text)
    if kind == "romanyear":
        return (_roman_number(text),)
    if kind in ("ordinal", "number"):
        return (int(text.rstrip("dehnrst -")),)
    if kind == "month":
        return (_MONTH_OF[text],)
    if kind == "roman":
        return (_ROMAN_OF[text],)
    words = re.sub(r"(twenty|thirty)[ -]?(?=[a-z])", r"\1 ", text)
    return ((_ORDINAL_OF if kind == "worded" else _CARDINAL_OF)[words],)


def _parts(text: str) -> list[_Part]:
    """Return the parts of dates in a text, with the roles that labels give: "month: 3", "the 12th day"."""
    found: list[_Part] = []
    label: tuple[str, int, int] | None = None
    for one in _PART.finditer(text):
        kind = one.lastgroup or ""
        if kind == "label":
            role = _LABEL_OF[one["label"]]
            before = found[-1] if found else None
            if before and before.kind in ("ordinal", "worded") and text[before.end : one.start()] in (" ", "-"):
                found[-1] = before._replace(role=role, end=one.end())
                label = None
            else:
                label = (role, one.start(), one.end())
            continue
        role, start = "", one.start()
        if label and kind in _MAY_BE_LABELLED[label[0]] and _LABEL_GAP.fullmatch(text, label[2], start):
            role, start = label[:2]
        found.append(_Part(kind, _values_of(kind, one[0]), start, one.end(), role))
        label = None
    return found


def _may_be(part: _Part, text: str, *, named_month: bool, all_roman: bool, last: bool) -> str:
    """Return the roles that a part of three may have, as letters."""
    kind = part.kind
    if part.role:
        return part.role
    if kind in ("month", "roman"):
        return "dm" if all_roman else "m"
    if kind in ("spoken", "year", "romanyear"):
        return "" if last and kind == "year" and _MEASURE.match(text, part.end) else "y"
    if kind == "number":
        if _MEASURE.match(text, part.end):
            return ""
        return "dy" if last and named_month and part.end - part.start == 2 else "d"
    return "d" if named_month else "dm"


def _order_counts(order: str, three: tuple[_Part, ...], text: str) -> bool:
    """Say whether three parts are a date in an order of day, month and year."""
    gaps = [text[before.end : after.start] for before, after in pairwise(three)]
    if any(part.kind == "roman" and not part.role for part in three) and not all(map(_ROMAN_GAP.fullmatch, gaps)):
        return False
    if order in _USUAL_ORDERS:
        return True
    year = order.index("y")
    if three[year].kind == "number" or _SENTENCE_END.search(gaps[year]):
        return any(part.role for part in three)
    if order in _YEAR_FIRST:
        return True
    day = three[order.index("d")]
    return bool(day.role) or day.kind in ("ordinal", "worded") or bool(order == "myd" and _DAY_FOLLOWS.search(gaps[1]))


def _worded(text: str) -> Iterator[Date]:
    """Yield (year, month, day) of dates in words, in every order of their parts."""
    parts = _parts(text)
    joined = [bool(_BETWEEN.fullmatch(text, before.end, after.start)) for before, after in pairwise(parts)]
    found: list[tuple[int, str, tuple[_Part, ...]]] = []
    for at in range(len(parts) - 2):
        if not (joined[at] and joined[at + 1]):
            continue
        three = tuple(parts[at : at + 3])
        named = any("m" in part.role or part.kind in ("month", "roman") for part in three)
        all_roman = all(part.kind in ("roman", "romanyear") for part in three)
        may = [
            _may_be(part, text, named_month=named, all_roman=all_roman, last=place == 2)
            for place, part in enumerate(three)
        ]
        for order in (*_USUAL_ORDERS, *_YEAR_FIRST, *_DAY_APART):
            if all(role in roles for role, roles in zip(order, may, strict=True)) and _order_counts(order, three, text):
                found.append((at, order, three))
    # What is part of a usual date is no part of one in another order: "12 March 1947, 3 April 1950".
    used = {
        at + place
        for at, order, three in found
        if order in _USUAL_ORDERS and three[2].kind != "number"
        for place in (0, 1, 2)
    }
    for at, order, three in found:
        if order not in _USUAL_ORDERS and not used.isdisjoint(range(at, at + 3)):
            continue
        values = dict(zip(order, three, strict=True))
        years = values["y"].values
        if values["y"].kind == "number":
            years = _years(f"{years[0]:02d}")
        for year in years:
            yield year, values["m"].values[0], values["d"].values[0]


def _readings(text: str) -> Iterator[Date]:
    """Yield (year, month, day) of everything that can be read as a date; not all are days of the calendar."""
    for found in _GLUED.finditer(text):
        for year in _years(found["year"]):
            yield year, _MONTH_OF[found["month"]], int(found["day"])
    for found in _NUMERIC.finditer(text):
        a, b, c = found["a"], int(found["b"]), found["c"]
        if found["sign"] in _LISTED and len(a) != 4 and len(c) != 4:
            continue
        if len(a) == 4:
            yield int(a), b, int(c.strip("'"))
        elif len(a) <= 2:
            # Three bare numbers of two digits apart by spaces are a list, not a date.
            for year in _years(c) if len(c) == 4 or found["sign"] else ():
                yield year, b, int(a)
                yield year, int(a), b
            if len(a) == 2 and len(c) == 2 and found["sign"] == "-":
                for year in _years(a):
                    yield year, b, int(c)
    compact = ["".join(found.groups()) for found in _COMPACT.finditer(text)]
    compact += ["".join(filter(str.isdigit, found.group())) for found in _DIGIT_BY_DIGIT.finditer(text)]
    for whole in compact:
        yield int(whole[:4]), int(whole[4:6]), int(whole[6:])
        yield int(whole[4:]), int(whole[2:4]), int(whole[:2])
        yield int(whole[4:]), int(whole[:2]), int(whole[2:4])
    for found in _DAY_OF_MONTH.finditer(text) if " of " in text else ():
        yield int(found[3]), int(found[2]), int(found[1])
    for found in () if text.isascii() else _SIGNED.finditer(text):
        yield int(found[1]), int(found[2]), int(found[3])


def _counted(text: str) -> Iterator[date]:
    """Yield the days told by the number of a week and a weekday, or by the number of a day in its year."""
    for found in _COUNTED.finditer(text):
        year, week, weekday, day = found.groups()
        with suppress(ValueError):
            if week:
                yield date.fromisocalendar(int(year), int(week), int(weekday))
            elif 1 <= int(day) <= 365 + isleap(int(year)):
                yield date(int(year), 1, 1) + timedelta(days=int(day) - 1)


def dates_in(text: str) -> frozenset[Date]:
    """Return every calendar day that a text in lower case may mean by a date it tells.

    A date that can be read day first or month first is both days, a year of two digits is of the last and of this
    century. Dates without a year are none.
    """
    in_words = not (text.isascii() and _WORDS_OF_DATES.isdisjoint(ascii_words(text)))
    in_digits = _DIGITS_NEAR.search(text) is not None
    if not in_words and not in_digits:
        return frozenset()
    found = {(day.year, day.month, day.day) for day in _counted(text)}
    for year, month, day in chain(_worded(text) if in_words else (), _readings(text)):
        try:
            date(year, month, day)
        except ValueError:
            continue
        found.add((year, month, day))
    return frozenset(found)


@lru_cache(maxsize=65536)
def date_of(value: str) -> Date | None:
    """Return the one day that a value tells; None where it tells none or can be read as several."""
    found = dates_in(normalise(value))
    return next(iter(found)) if len(found) == 1 else None
