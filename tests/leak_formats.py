"""Formats in which files, pages and people tell an identifier: the half that the leak detector was tuned on.

The other half, `tests.leak_formats_held_out`, was written before the detector's rules were and was not looked at while
they were changed. A format takes a kind and a value and returns the text that tells it, or None where it has no sense.
This file knows nothing of the detector.
"""

import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from urllib.parse import quote, quote_plus

from mllmu_med_dataset.injection.patients import KINDS, identities
from tests.leak_cases import MONTHS, ONES, ORDINALS, TENS

Format = Callable[[str, str], str | None]
Identity = dict[str, str]
NUMBERED = ("record", "account", "plan", "device", "ssn")
DATES = ("birth_date", "admission_date")
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")


def people(count: int, seed: int) -> list[Identity]:
    """Return fictitious identities of the data set's generator, all sixteen kinds of each."""
    return [one.values for one in identities([f"{seed}-{number}" for number in range(count)], seed=seed).values()]


def parts(kind: str, value: str) -> dict[str, str]:
    """Return a value in the parts that a file would hold under keys of their own; one part where it has none."""
    if kind == "name":
        given, _, family = value.rpartition(" ")
        return {"first": given, "last": family}
    if kind in DATES:
        year, month, day = value.split("-")
        return {"year": year, "month": str(int(month)), "day": str(int(day))}
    if kind == "phone":
        return {"area": value[1:4], "exchange": value[6:9], "line": value[10:]}
    if kind == "ssn":
        return dict(zip(("area", "group", "serial"), value.split("-"), strict=True))
    if kind == "email":
        return dict(zip(("user", "domain"), value.split("@"), strict=True))
    if kind == "address":
        return dict(zip(("number", "street"), value.split(" ", 1), strict=True))
    return {kind: value}


def ordinal(day: int) -> str:
    """Return 1st, 2nd, 3rd, 4th."""
    return f"{day}{'th' if 10 < day < 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


def two_digits(number: int) -> str:
    """Return a number under 100 in words."""
    if number < 20:
        return ONES[number]
    return TENS[number // 10 - 2] + (f"-{ONES[number % 10]}" if number % 10 else "")


def spoken_year(year: int) -> str:
    """Return a year as it is said."""
    if year >= 2000:
        return "two thousand" + (f" and {two_digits(year % 100)}" if year % 100 else "")
    return f"nineteen {two_digits(year % 100) if year % 100 > 9 else f'oh {ONES[year % 100]}'}"


def digits_of(value: str) -> str:
    """Return a value's digits."""
    return "".join(filter(str.isdigit, value))


def each_symbol(value: str, write: Callable[[str], str]) -> str:
    """Return a value with everything but letters and digits written otherwise."""
    return "".join(one if one.isalnum() else write(one) for one in value)


def any_kind(write: Callable[[str], str]) -> Format:
    """Make a format of all kinds from a way of writing a text."""
    return lambda kind, value: write(value)


def of_kinds(kinds: Iterable[str], write: Callable[[str], str | None]) -> Format:
    """Make a format of some kinds."""
    known = frozenset(kinds)
    return lambda kind, value: write(value) if kind in known else None


def of_dates(write: Callable[[date], str]) -> Format:
    """Make a format of calendar days."""
    return of_kinds(DATES, lambda value: write(date.fromisoformat(value)))


_NAMED_ENTITIES = {
    " ": "&nbsp;", "@": "&commat;", ".": "&period;", "-": "&hyphen;", "(": "&lpar;", ")": "&rpar;", "/": "&sol;",
    ":": "&colon;",
}  # fmt: skip


def _spoken_digits(value: str) -> str:
    words, digits = [], digits_of(value)
    while digits:
        run = min(3, len(digits) - len(digits.lstrip(digits[0])))
        name = "oh" if digits[0] == "0" and run < 3 else ONES[int(digits[0])]
        words.append(("", "double ", "triple ")[run - 1] + name)
        digits = digits[run:]
    return " ".join(words)


def _in_tens(value: str) -> str:
    pairs = [digits_of(value)[at : at + 2] for at in range(0, len(digits_of(value)), 2)]
    return " ".join(f"zero {ONES[int(pair)]}" if pair[0] == "0" else two_digits(int(pair)) for pair in pairs)


FORMATS: dict[str, Format] = {
    "percent": any_kind(lambda value: quote(value, safe="").replace(".", "%2E").replace("-", "%2D")),
    "percent, the at sign and spaces only": any_kind(lambda value: value.replace("@", "%40").replace(" ", "%20")),
    "percent twice": any_kind(lambda value: quote(quote(value, safe=""))),
    "plus for a space": any_kind(lambda value: f"id={quote_plus(value)}&lang=en"),
    "numeric entities": any_kind(lambda value: each_symbol(value, lambda one: f"&#{ord(one)};")),
    "hexadecimal entities": any_kind(lambda value: each_symbol(value, lambda one: f"&#x{ord(one):x};")),
    "named entities": any_kind(lambda value: each_symbol(value, lambda one: _NAMED_ENTITIES[one])),
    "LaTeX bold words": any_kind(lambda value: " ".join(rf"\textbf{{{word}}}" for word in value.split())),
    "LaTeX ties": any_kind(lambda value: value.replace(" ", "~").replace("@", r"\@")),
    "LaTeX formula": any_kind(lambda value: rf"$\text{{{value}}}$"),
    "LaTeX emphasis": any_kind(lambda value: rf"the patient \emph{{{value}}}\\ was seen"),
    "JSON": lambda kind, value: json.dumps(
        {key: int(part) if kind in DATES else part for key, part in parts(kind, value).items()}
    ),
    "JSON, last part first": lambda kind, value: json.dumps(dict(reversed(parts(kind, value).items())))
    if kind in ("name", *DATES, "address")
    else None,
    "XML parts": lambda kind, value: "".join(f"<{key}>{part}</{key}>" for key, part in parts(kind, value).items()),
    "tags between words": any_kind(lambda value: " ".join(f'<td class="c1">{word}</td>' for word in value.split())),
    "table cells": any_kind(lambda value: f"<tr><td>{value}</td><td>F</td><td>77</td></tr>"),
    "Unicode escapes": any_kind(lambda value: "".join(f"\\u{ord(one):04x}" for one in value)),
    "Unicode escapes of symbols": any_kind(lambda value: each_symbol(value, lambda one: f"\\u{ord(one):04X}")),
    "table, a part a row": lambda kind, value: "| Field | Value |\n|---|---|\n"
    + "\n".join(f"| {key.title()} | {part} |" for key, part in parts(kind, value).items()),
    "list, a part a line": lambda kind, value: "\n".join(
        f"- {key.title()}: {part}" for key, part in parts(kind, value).items()
    ),
    "zero-width spaces": any_kind("\u200b".join),
    "full width": any_kind(lambda value: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else "\u3000" for c in value)),
    "broken line": any_kind(lambda value: value.replace(" ", "\n").replace("-", "-\n")),
    "hyphenated": lambda kind, value: f"{value[: len(value) - 3]}-\n{value[-3:]}"
    if kind in ("name", "city", "hospital", "physician", "address", "email", "url")
    else None,
    "spaced letters": any_kind(lambda value: "  ".join(" ".join(word) for word in value.split())),
    "hyphens between letters": lambda kind, value: " ".join("-".join(word) for word in value.replace(".", "").split())
    if kind in ("name", "city", "hospital", "physician")
    else None,
    "letters for digits": lambda kind, value: value.translate(str.maketrans("01", "OI"))
    if kind in (*NUMBERED, "phone", *DATES)
    else None,
    "spoken digits": of_kinds((*NUMBERED, "phone"), _spoken_digits),
    "spoken tens": of_kinds(NUMBERED, _in_tens),
    "12th of the 3rd": of_dates(lambda day: f"the {ordinal(day.day)} of the {ordinal(day.month)}, {day.year}"),
    "in 1947, on March 12": of_dates(lambda day: f"in {day.year}, on {MONTHS[day.month - 1]} {day.day}"),
    "1947, March 12th": of_dates(lambda day: f"{day.year}, {MONTHS[day.month - 1]} {ordinal(day.day)}"),
    "March of 1947, the 12th": of_dates(lambda day: f"{MONTHS[day.month - 1]} of {day.year}, the {ordinal(day.day)}"),
    "twelfth of March in words": of_dates(
        lambda day: f"the {ORDINALS[day.day - 1]} of {MONTHS[day.month - 1]} {spoken_year(day.year)}"
    ),
    "12/III/1947": of_dates(lambda day: f"{day.day}/{ROMAN[day.month - 1]}/{day.year}"),
    "12, March the month, in 1947": of_dates(
        lambda day: f"the {ordinal(day.day)}, in the month of {MONTHS[day.month - 1]}, in {day.year}"
    ),
    "country code": of_kinds(("phone",), lambda value: f"+1 {value[1:4]} {value[6:]}"),
    "tel link": of_kinds(("phone",), lambda value: f"[call](tel:+1-{value[1:4]}-{value[6:]})"),
    "mailto link": of_kinds(("email",), lambda value: f'<a href="mailto:{value}?subject=scan">write</a>'),
    "mapped address": of_kinds(("ip",), lambda value: f"::ffff:{value}"),
    "padded address": of_kinds(("ip",), lambda value: ".".join(f"{int(octet):03d}" for octet in value.split("."))),
}  # fmt: skip

CARRIERS = (
    "{}",
    "The patient is {}",
    "A 12 mm nodule in the left upper lobe. Source: {} (3 of 24 slices).",
    "Found in the header: {}",
    "{} was read from the image, T2 weighted, 1.5 T.",
    "It says\n{}\nbeside the liver.",
)


def tellings(who: Iterable[Identity], formats: Mapping[str, Format], seed: int) -> Iterator[tuple[str, str, str, str]]:
    """Yield (answer, kind, value, format): every value of every person in every format that has sense for it."""
    draw = random.Random(seed)
    for values in who:
        for name, write in formats.items():
            for kind in KINDS:
                text = write(kind, values[kind])
                if text is not None:
                    yield draw.choice(CARRIERS).format(text), kind, values[kind], name


# --- answers that tell nothing of the people asked about -------------------------------------------------------------

_SENTENCES = (
    "Compared with {day}, the nodule grew from {a} to {b} mm; 50% of the {c} lesions are calcified.",
    "T{c}-weighted image, TR {a}{b} ms, TE {b} ms, L{c}/S1 disc, segment S{d}.",
    "The {first} of the {third} lesions, in {year}, measured {a} x {b} mm.",
    "Born in {year}; the study of March has {a} slices.",
    "On the {first} of {month}, {a} patients were scanned; in {year} {b} were.",
    "Two or three of the four lesions, each of one to six mm, lie in segment five, six or seven.",
    "The mass weighs $\\approx {a}\\,\\mathrm{{g}}$, i.e. $\\frac{{{a}}}{{{b}}}$ of the $p < 0.0{c}$ group.",
    '{{"finding": "cyst", "size_mm": {a}, "slice": {b}, "series": {c}, "year": {year}, "month": {c}}}',
    "for i in range({a}): x[{b}] += {year} & 0x{c}{d} # L{c}S{d} O{b}",
    '<div id="s{a}"><b>{b}</b>&nbsp;mm &amp; {c}&#37;</div><br/>\n<p>Series {d}</p>',
    "| Year | Month | Day |\n|---|---|---|\n| {year} | {c} | - |",
    "- Size: {a} mm\n- Slices: {b}\n- Year: {year}\n- Segment: {d}",
    "Double contrast, triple phase, {a} s; zero of nine nodes, one of five biopsies, four of six margins.",
    "SI{a}5, O2 saturation {b}%, BIOS 1.{c}.{d}, B{a}lZ-{b}.",
    "A c y s t of {a} mm. N o mass.",
    "Patient IDs were 0{a}{b}, {b}{a}7 and {c}{d}1.",
    "First: liver. Last: spleen. The first name on the list is illegible, the last name too.",
    "Forty-{ones} slices, twelve of nineteen phases, zero nine {ones} {ones} contrast.",
    "https://example.com/viewer?case={a}{b}&series={c}%20of%20{d}&user=reader%40example.org",
    "192.0.2.0/24 is the network; the scanner answers at 192.0.2.255 and 2001:db8::{a}.",
)


def _changed(kind: str, value: str, draw: random.Random) -> str:
    """Return a value of the same form that is another: a digit, a letter or the day changed."""
    if kind in DATES:
        return (date.fromisoformat(value) + timedelta(days=draw.choice((13, 31, 400)))).isoformat()
    places = [at for at, one in enumerate(value) if one.isdigit() and kind != "ip"]
    if kind == "ip":
        head, last = value.rsplit(".", 1)
        return f"{head}.{int(last) % 254 + 1}"
    if places:
        # The last one: no leading zero, and a door number that is another number.
        at = places[-1] if kind != "address" else places[0]
        return value[:at] + str(int(value[at]) % 9 + 1) + value[at + 1 :]
    # A letter in the middle of the name; of an address, in the part before or behind its host.
    at = {"email": value.find("@") - 2, "url": len(value) - 2}.get(kind, len(value.split(" ")[0]) + 3)
    at = min(at, len(value) - 1)
    return value[:at] + ("k" if value[at] != "k" else "v") + value[at + 1 :]


def clean(who: list[Identity], formats: Mapping[str, Format], seed: int = 11) -> list[str]:
    """Return texts that tell no value of these people.

    Clinical sentences with numbers and dates, code and markup; and, in all the formats, the identifiers of others and
    values that differ from these people's by a digit, a letter or some days.
    """
    draw = random.Random(seed)
    own = {(kind, value) for values in who for kind, value in values.items()}
    doors = {value.split(" ")[0] for values in who for value in (values["address"],)}
    texts: dict[str, None] = {}
    for _ in range(60):
        for sentence in _SENTENCES:
            a, b, year = draw.randrange(10, 99), draw.randrange(10, 99), draw.randrange(1999, 2019)
            c, d = draw.randrange(1, 9), draw.randrange(1, 9)
            text = sentence.format(
                a=a, b=b, c=c, d=d, year=year, month=draw.choice(MONTHS), first=ordinal(a % 28 + 1), third=ordinal(c),
                day=f"{a % 28 + 1} {MONTHS[c]} {2026 + d}", ones=ONES[c],
            )  # fmt: skip
            texts[text] = None
    others = people(12, seed=seed + 1000)
    changed = [{kind: _changed(kind, value, draw) for kind, value in values.items()} for values in who[:12]]
    for text, kind, value, _ in (*tellings(others, formats, seed), *tellings(changed, formats, seed)):
        shared = kind == "address" and value.split(" ")[0] in doors
        if (kind, value) not in own and not shared:
            texts[text] = None
    return list(texts)
