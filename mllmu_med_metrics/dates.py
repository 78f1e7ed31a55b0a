"""Calendar days told in an answer, in any usual way of writing a date."""

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache

from mllmu_med_metrics.normalise import normalise

Date = tuple[int, int, int]  # year, month, day

_MONTHS = (
    ("january", "jan", "janvier", "januar", "enero", "gennaio"),
    ("february", "feb", "fevrier", "februar", "febrero", "febbraio"),
    ("march", "mar", "mars", "marz", "marzo"),
    ("april", "apr", "avril", "abril", "aprile"),
    ("may", "mai", "mayo", "maggio"),
    ("june", "jun", "juin", "juni", "junio", "giugno"),
    ("july", "jul", "juillet", "juli", "julio", "luglio"),
    ("august", "aug", "aout", "agosto"),
    ("september", "sept", "sep", "septembre", "septiembre", "settembre"),
    ("october", "oct", "octobre", "oktober", "octubre", "ottobre"),
    ("november", "nov", "novembre", "noviembre"),
    ("december", "dec", "decembre", "dezember", "diciembre", "dicembre"),
)
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names}
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


def _any_of(words: object) -> str:
    return "|".join(sorted((str(word).replace(" ", "[ -]?") for word in words), key=len, reverse=True))


_MONTH = rf"(?P<month>{_any_of(_MONTH_OF)})\b\.?"
_DAY = rf"(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th|er)?(?!\d)|(?P<ordinal>{_any_of(_ORDINAL_OF)})\b)"
_ONES = f"(?:{_any_of(_UNITS[1:10])})"
_TWO_DIGITS = rf"(?:(?:{_any_of(_TENS)})(?:[ -]?{_ONES})?|(?:oh|o)[ -]{_ONES}|{_any_of(_UNITS[1:])})"
_SPOKEN_YEAR = (
    rf"(?:nineteen|eighteen|twenty)[ -](?:hundred(?: and)?[ -])?{_TWO_DIGITS}\b"
    rf"|two thousand(?:(?: and)?[ -]{_TWO_DIGITS})?\b|nineteen hundred\b"
)
# A number of two digits is a year only where nothing makes it a measure.
_YEAR = (
    r"(?:(?P<year>\d{4}|'\s?\d{2}|\d{2})(?![\d%]|[.,:]\d|\s?(?:mm|cm|ml|mg|kg|hu|years?|yrs?|patients?|cases?|o'clock)\b)"
    rf"|(?P<spoken>{_SPOKEN_YEAR}))"
)
_OF = r"(?:\s*(?:day\b\s*)?(?:of|de|del|di|-|/|\.|,|_|')?\s*(?:the\b\s*)?)"
_THEN = r"(?:\s*[,./_-]?\s*(?:(?:in|of|de|del)\b\s*)?(?:the\b\s*)?(?:year\b\s*)?)"
_WORDED = tuple(
    re.compile(rf"(?<![^\W_]){pattern}")
    for pattern in (
        rf"{_DAY}{_OF}{_MONTH}{_THEN}{_YEAR}",
        rf"{_MONTH}{_OF}{_DAY}{_THEN}{_YEAR}",
        rf"(?P<year>\d{{4}})\s*[,./_-]?\s*{_MONTH}{_OF}{_DAY}",
        rf"{_MONTH}{_THEN}(?P<year>\d{{4}})\W{{1,3}}(?:on )?the {_DAY}",
    )
)
# 12MAR1947 and 12mar47 have no word's edge after the month.
_GLUED = re.compile(rf"(?<![^\W_])(?P<day>\d{{1,2}})(?P<month>{_any_of(_MONTH_OF)})(?P<year>\d{{4}}|\d{{2}})(?!\d)")
_NUMERIC = re.compile(
    r"(?<!\d)(?<!\d[./_-])(?P<a>\d{1,4})(?P<gap>\s?[-./_]\s?|\s)(?P<b>\d{1,2})(?P=gap)(?P<c>\d{4}|'?\d{1,2})"
    r"(?!\d)(?![./_-]\d)(?!\s?(?:mm|cm|ml)\b)"
)
_ROMAN_MONTH = re.compile(
    rf"(?<![^\W_])(?P<day>\d{{1,2}})(?P<gap>[-./ ]\s?)(?P<roman>{_any_of(_ROMAN)})(?P=gap)"
    r"(?P<year>\d{4}|\d{2})(?!\d)"
)
_COMPACT = re.compile(r"(?<![\d.,])(?P<a>\d{4})(?P<b>\d{2})(?P<c>\d{2})(?!\d|[.,]\d)")
_DIGIT_BY_DIGIT = re.compile(r"(?<!\d)\d(?:[ ./-]{1,5}\d){7}(?!\d)")
_MAY_BE_DATE = re.compile(rf"\d\W?\D{{0,3}}\d|{_any_of(_MONTH_OF)}")


def _years(text: str) -> tuple[int, ...]:
    digits = text.strip("' ")
    return (int(digits),) if len(digits) == 4 else (1900 + int(digits), 2000 + int(digits)) if len(digits) == 2 else ()


def _spoken_years(text: str) -> tuple[int, ...]:
    words = [word for word in re.findall(r"[a-z]+", text) if word not in ("and", "hundred", "oh", "o")]
    if words[0] == "two" and words[1] == "thousand":
        return (2000 + sum(_NUMBER_OF[word] for word in words[2:]),)
    return (100 * _NUMBER_OF[words[0]] + sum(_NUMBER_OF[word] for word in words[1:]),)


def _readings(text: str) -> Iterator[Date]:
    """Yield (year, month, day) of everything that can be read as a date; not all are days of the calendar."""
    for pattern in _WORDED:
        for found in pattern.finditer(text):
            groups = found.groupdict()
            said = groups.get("ordinal")
            day = _ORDINAL_OF[re.sub(r"(twenty|thirty)[ -]?(?=[a-z])", r"\1 ", said)] if said else int(groups["day"])
            spoken = groups.get("spoken")
            for year in _spoken_years(spoken) if spoken else _years(groups["year"]):
                yield year, _MONTH_OF[groups["month"]], day
    for found in _GLUED.finditer(text):
        for year in _years(found["year"]):
            yield year, _MONTH_OF[found["month"]], int(found["day"])
    for found in _ROMAN_MONTH.finditer(text):
        for year in _years(found["year"]):
            yield year, _ROMAN_OF[found["roman"]], int(found["day"])
    for found in _NUMERIC.finditer(text):
        a, b, c = found["a"], int(found["b"]), found["c"]
        if len(a) == 4:
            yield int(a), b, int(c.strip("'"))
        elif len(a) <= 2:
            # Three bare numbers of two digits apart by spaces are a list, not a date.
            for year in _years(c) if len(c) == 4 or found["gap"].strip() else ():
                yield year, b, int(a)
                yield year, int(a), b
            if len(a) == 2 and len(c) == 2 and found["gap"] == "-":
                for year in _years(a):
                    yield year, b, int(c)
    compact = [found.group() for found in _COMPACT.finditer(text)]
    compact += ["".join(filter(str.isdigit, found.group())) for found in _DIGIT_BY_DIGIT.finditer(text)]
    for whole in compact:
        yield int(whole[:4]), int(whole[4:6]), int(whole[6:])
        yield int(whole[4:]), int(whole[2:4]), int(whole[:2])
        yield int(whole[4:]), int(whole[:2]), int(whole[2:4])


def dates_in(text: str) -> frozenset[Date]:
    """Return every calendar day that a text in lower case may mean by a date it tells.

    A date that can be read day first or month first is both days, a year of two digits is of the last and of this
    century. Dates without a year are none.
    """
    if not _MAY_BE_DATE.search(text):
        return frozenset()
    found = set()
    for year, month, day in _readings(text):
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
