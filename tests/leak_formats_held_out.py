"""Formats in which an identifier is told, held out: written before the leak detector's rules for such formats.

See `tests.leak_formats` for the half that the rules were tuned on.
"""

import json
from datetime import date

from tests.leak_cases import MONTHS, ONES, ORDINALS
from tests.leak_formats import (
    DATES,
    NUMBERED,
    ROMAN,
    Format,
    any_kind,
    digits_of,
    each_symbol,
    of_dates,
    of_kinds,
    ordinal,
    parts,
    spoken_year,
    two_digits,
)

_DAY_IN = {
    "Portuguese": (
        "{} de janeiro de", "{} de fevereiro de", "{} de março de", "{} de abril de", "{} de maio de", "{} de junho de",
        "{} de julho de", "{} de agosto de", "{} de setembro de", "{} de outubro de", "{} de novembro de",
        "{} de dezembro de",
    ),
    "Dutch": (
        "{} januari", "{} februari", "{} maart", "{} april", "{} mei", "{} juni", "{} juli", "{} augustus",
        "{} september", "{} oktober", "{} november", "{} december",
    ),
    "Italian": (
        "{} gennaio", "{} febbraio", "{} marzo", "{} aprile", "{} maggio", "{} giugno", "{} luglio", "{} agosto",
        "{} settembre", "{} ottobre", "{} novembre", "{} dicembre",
    ),
    "Swedish": (
        "den {} januari", "den {} februari", "den {} mars", "den {} april", "den {} maj", "den {} juni", "den {} juli",
        "den {} augusti", "den {} september", "den {} oktober", "den {} november", "den {} december",
    ),
}  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _month(day: date) -> str:
    return MONTHS[day.month - 1]


def _thousands(number: int) -> str:
    """Return a number under 1000 in words."""
    hundreds, rest = divmod(number, 100)
    return f"{ONES[hundreds]} hundred" + (f" and {two_digits(rest)}" if rest else "") if hundreds else two_digits(rest)


def _cardinal(digits: str) -> str | None:
    """Return eight digits as one number in words."""
    if len(digits) != 8 or digits[0] == "0":
        return None
    number = int(digits)
    millions, thousands, ones = number // 10**6, number // 1000 % 1000, number % 1000
    words = f"{_thousands(millions)} million"
    words += f" {_thousands(thousands)} thousand" if thousands else ""
    return words + (f" {_thousands(ones)}" if ones else "")


def _doubled(value: str) -> str:
    words, digits = [], digits_of(value)
    while digits:
        pair = len(digits) > 1 and digits[0] == digits[1]
        name = "nought" if digits[0] == "0" else ONES[int(digits[0])]
        words.append(f"double-{name}" if pair else name)
        digits = digits[1 + pair :]
    return ", ".join(words)


def _year_first(kind: str, value: str) -> str | None:
    if kind not in DATES:
        return None
    return json.dumps({key.title(): int(part) for key, part in parts(kind, value).items()} | {"calendar": "gregorian"})


def _attributes(kind: str, value: str) -> str:
    return "<patient " + " ".join(f'{key}="{part}"' for key, part in parts(kind, value).items()) + "/>"


def _columns(kind: str, value: str) -> str:
    found = parts(kind, value)
    return "\n".join(
        f"| {' | '.join(row)} |" for row in ([key.title() for key in found], ["---"] * len(found), [*found.values()])
    )


def _pairs(joint: str, assign: str) -> Format:
    return lambda kind, value: joint.join(f"{key}{assign}{part}" for key, part in parts(kind, value).items())


def _all_alike(kind: str, value: str) -> str | None:
    if kind not in NUMBERED:
        return None
    head, digits = value[: -len(value.split("-", 2)[-1])], value.split("-", 2)[-1]
    return head + digits.translate(str.maketrans("01582", "OlSBZ"))


def _hexadecimal(value: str) -> str:
    a, b, c, d = map(int, value.split("."))
    return f"::ffff:{a * 256 + b:x}:{c * 256 + d:x}"


HELD_OUT: dict[str, Format] = {
    "percent, every character": any_kind(lambda value: "".join(f"%{ord(one):02X}" for one in value)),
    "percent, small letters": any_kind(lambda value: each_symbol(value, lambda one: f"%{ord(one):02x}")),
    "percent three times": any_kind(lambda value: each_symbol(value, lambda one: f"%2525{ord(one):02X}")),
    "percent u": any_kind(lambda value: each_symbol(value, lambda one: f"%u{ord(one):04X}")),
    "entities, every character": any_kind(lambda value: "".join(f"&#x{ord(one):X};" for one in value)),
    "entities twice": any_kind(lambda value: each_symbol(value, lambda one: f"&amp;#{ord(one)};")),
    "entities of five digits": any_kind(lambda value: each_symbol(value, lambda one: f"&#{ord(one):05d};")),
    "thin spaces and signs": any_kind(
        lambda value: value.replace(" ", "&thinsp;").replace("@", "&#64;").replace("-", "&ndash;")
    ),
    "soft hyphens": any_kind(lambda value: f"{value[:3]}&shy;{value[3:]}"),
    "byte escapes": any_kind(lambda value: "".join(f"\\x{ord(one):02x}" for one in value)),
    "braced escapes": any_kind(lambda value: each_symbol(value, lambda one: f"\\u{{{ord(one):x}}}")),
    "code points": any_kind(lambda value: " ".join(f"U+{ord(one):04X}" for one in value)),
    "quoted printable": any_kind(lambda value: f"{each_symbol(value[:-2], lambda c: f'={ord(c):02X}')}=\n{value[-2:]}"),
    "escaped line ends": any_kind(lambda value: f'"id":\\n\\t\\"{value}\\"\\n'),
    "LaTeX small capitals": any_kind(lambda value: "~".join(rf"\textsc{{{word}}}" for word in value.split())),
    "LaTeX old bold": any_kind(lambda value: " ".join(rf"{{\bf {word}}}" for word in value.split())),
    "LaTeX roman formula": any_kind(lambda value: r"\;".join(rf"\mathrm{{{word}}}" for word in value.split())),
    "LaTeX table": any_kind(lambda value: rf"\begin{{tabular}}{{ll}} Id & {value} \\ Sex & F \end{{tabular}}"),
    "LaTeX link": of_kinds(("email", "url"), lambda value: rf"\href{{{value}}}{{\underline{{here}}}}"),
    "LaTeX th": of_dates(lambda day: rf"${day.day}^{{\text{{th}}}}$ {_month(day)} {day.year}"),
    "Markdown escapes": any_kind(lambda value: each_symbol(value, lambda one: one if one == " " else f"\\{one}")),
    "BBCode": any_kind(lambda value: " ".join(f"[b]{word}[/b]" for word in value.split())),
    "RTF": any_kind(lambda value: " ".join(rf"{{\b {word}}}" for word in value.split())),
    "terminal colours": any_kind(lambda value: " ".join(f"\x1b[1m{word}\x1b[0m" for word in value.split())),
    "XML attributes": _attributes,
    "XML with a namespace": lambda kind, value: "\n".join(
        f"  <v3:{key} use='L'>{part}</v3:{key}>" for key, part in parts(kind, value).items()
    ),
    "nested JSON": lambda kind, value: json.dumps({"patient": {"identity": parts(kind, value)}, "age": 77}, indent=2),
    "JSON in JSON": lambda kind, value: json.dumps({"body": json.dumps(parts(kind, value))}),
    "capitalised keys and another": _year_first,
    "Python tuple": of_dates(lambda day: f"datetime.date({day.year}, {day.month}, {day.day})"),
    "YAML": _pairs("\n", ": "),
    "assignments": _pairs("; ", "="),
    "table, a part a column": _columns,
    "numbered lines": lambda kind, value: "\n".join(
        f"{number}. {part}" for number, part in enumerate(parts(kind, value).values(), 1)
    ) if kind in ("name", "hospital", "city", "email", "address") else None,
    "cells": lambda kind, value: "".join(f"<td>{part}</td>" for part in parts(kind, value).values()),
    "breaks": any_kind(lambda value: "<br />".join(value.split())),
    "comment inside": any_kind(lambda value: f"{value[:3]}<!-- c -->{value[3:]}"),
    "word joiners": any_kind("\u2060".join),
    "variation selectors": any_kind("\ufe0f".join),
    "direction marks": any_kind(lambda value: f"\u202a{value[:4]}\u202c\u2066{value[4:]}\u2069"),
    "bold mathematical letters": any_kind(
        lambda value: "".join(
            chr(0x1D400 + ord(c) - 65) if "A" <= c <= "Z" else chr(0x1D41A + ord(c) - 97) if "a" <= c <= "z"
            else chr(0x1D7CE + int(c)) if c.isdigit() else c for c in value
        )
    ),
    "hyphenated, indented": lambda kind, value: f"{value[: len(value) - 4]}-\r\n    {value[-4:]}"
    if kind in ("name", "city", "hospital", "physician", "address")
    else None,
    "dots between letters": lambda kind, value: " ".join(".".join(word) for word in value.replace(".", "").split())
    if kind in ("name", "city", "hospital", "physician")
    else None,
    "underscores between letters": lambda kind, value: "__".join("_".join(word) for word in value.split())
    if kind in ("name", "city", "hospital", *NUMBERED)
    else None,
    "all digits alike": _all_alike,
    "letters for digits in other kinds": of_kinds(
        ("ip", "address"), lambda value: value.translate(str.maketrans("01", "Ol"))
    ),
    "doubled with nought": of_kinds((*NUMBERED, "phone"), _doubled),
    "one number in words": of_kinds(("record", "account", "plan", "device"), lambda value: _cardinal(digits_of(value))),
    "hyphens between spoken digits": of_kinds(
        (*NUMBERED, "phone"), lambda value: "-".join(ONES[int(c)] for c in digits_of(value))
    ),
    "digits and words mixed": of_kinds(
        (*NUMBERED, "phone"),
        lambda value: " ".join(c if at % 2 else ONES[int(c)] for at, c in enumerate(digits_of(value))),
    ),
    "hundreds": of_kinds(
        ("ssn",),
        lambda value: f"{_thousands(int(value[:3]))}, {ONES[int(value[4])]} {ONES[int(value[5])]}, "
        + " ".join(ONES[int(c)] for c in value[7:]),
    ),
    "month 3, day 12": of_dates(lambda day: f"day {day.day} of month {day.month} of the year {day.year}"),
    "12th day of the 3rd month": of_dates(
        lambda day: f"the {ordinal(day.day)} day of the {ordinal(day.month)} month of {day.year}"
    ),
    "in words, twelfth of the third": of_dates(
        lambda day: f"the {ORDINALS[day.day - 1]} of the {ORDINALS[day.month - 1]}, {spoken_year(day.year)}"
    ),
    "1947 on the twelfth": of_dates(lambda day: f"{day.year}, on the {ORDINALS[day.day - 1]} of {_month(day)}"),
    "on the 12th in March 1947": of_dates(lambda day: f"on the {ordinal(day.day)} in {_month(day)} {day.year}"),
    "weekday inside": of_dates(lambda day: f"{_month(day)} {day.day}, {_DAYS[day.weekday()]}, {day.year}"),
    "weekday first": of_dates(lambda day: f"{_DAYS[day.weekday()]}, {day.day} {_month(day)} {day.year}"),
    "cardinal day": of_dates(lambda day: f"{_month(day)} {two_digits(day.day)}, {spoken_year(day.year)}"),
    "labelled sentence": of_dates(lambda day: f"the year is {day.year}, the month {_month(day)}, the day {day.day}"),
    "Roman month first": of_dates(lambda day: f"{day.year}-{ROMAN[day.month - 1]}-{day.day:02d}"),
    "year and then 12 March": of_dates(lambda day: f"in the year {day.year} on {day.day} {_month(day)}"),
    "nineteen hundred and": of_dates(
        lambda day: f"{ordinal(day.day)} of {_month(day)}, "
        + (f"nineteen hundred and {two_digits(day.year % 100)}" if 1900 < day.year < 2000 else spoken_year(day.year))
    ),
    "East Asian": of_dates(lambda day: f"{day.year}年{day.month}月{day.day}日"),
    "colons": of_dates(lambda day: f"{day.year}:{day.month:02d}:{day.day:02d} 00:00:00"),
    **{
        name: of_dates(lambda day, words=words: f"{words[day.month - 1].format(day.day)} {day.year}")
        for name, words in _DAY_IN.items()
    },
    "international prefix": of_kinds(("phone",), lambda value: f"0111{digits_of(value)}"),
    "encoded plus": of_kinds(("phone",), lambda value: f"tel:%2B1{digits_of(value)}"),
    "bracketed country": of_kinds(("phone",), lambda value: f"(+1) {value[1:4]}/{value[6:9]}/{value[10:]}"),
    "encoded link": of_kinds(("email",), lambda value: f"mailto:{value.replace('@', '%40')}?cc=a%40b.de"),
    "hyphens for dots": of_kinds(("ip",), lambda value: f"host-{value.replace('.', '-')}.example.net"),
    "hexadecimal address": of_kinds(("ip",), _hexadecimal),
    "spoken address": of_kinds(
        ("ip",), lambda value: " dot ".join(" ".join(ONES[int(c)] for c in octet) for octet in value.split("."))
    ),
    "door number behind": of_kinds(("address",), lambda value: f"{value.split(' ', 1)[1]} no. {value.split(' ')[0]}"),
    "door number in words": of_kinds(
        ("address",), lambda value: f"{two_digits(int(value.split(' ')[0]))} {value.split(' ', 1)[1]}"
    ),
}  # fmt: skip
