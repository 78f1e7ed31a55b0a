"""Labelled answers for the leak detector: identifiers told in many forms, and clinical answers that tell none.

This file knows nothing of the detector. `told()` are answers that tell a value, `held_out()` the same in two families
of forms that were written after the detector and never looked at while tuning it, `clean()` answers that tell nothing.
"""

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_FIRST = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
ORDINALS = (
    *_FIRST, "tenth", "eleventh", "twelfth", *(f"{one}th" for one in ONES[13:]), "twentieth",
    *(f"twenty-{one}" for one in _FIRST), "thirtieth", "thirty-first",
)  # fmt: skip
GIVEN = (
    "Ada", "Bram", "Cleo", "Dora", "Edwin", "José", "Jürgen", "Inès", "Søren", "Łukasz", "Zoë", "Noel", "Silas",
    "Lorna", "Otis", "Ana-Lucía", "Tess", "Wren", "Yara", "Ximena",
)  # fmt: skip
FAMILY = (
    "Quillby", "Brackenford", "Marlshaw", "Tansywick", "O'Fallowby", "van der Moosbach", "Núñalba", "Grödenthal",
    "Hollin-Rook", "Embermere", "Granpignel", "Lindstromby", "de la Berardiz", "Pebblelow", "Thistleby", "Dornwinkler",
    "Corbelluni", "Aspholten", "Vilquenoy", "Larchwick",
)  # fmt: skip
# Surnames that signs, lines and scores are called by.
EPONYMS = ("Kerley", "Murphy", "Hampton", "Chilaiditi", "Bosniak", "Riedel", "Westermark", "Baker", "Paget", "Crohn")
SIGNS = {
    "Kerley": ("Kerley B lines are present.", "There are Kerley A and Kerley B lines.", "No Kerley line."),
    "Murphy": ("A positive Murphy sign was seen.", "Murphy's sign is absent."),
    "Hampton": ("There is a Hampton hump.", "The opacity resembles Hampton's hump."),
    "Chilaiditi": ("Chilaiditi sign: colon above the liver.", "This is the Chilaiditi syndrome."),
    "Bosniak": ("A Bosniak IIF cyst of the left kidney.", "Bosniak II, 12 mm."),
    "Riedel": ("The liver has a Riedel lobe.", "A Riedel's lobe reaches the iliac crest."),
    "Westermark": ("The Westermark sign is seen on the right.",),
    "Baker": ("A Baker cyst behind the knee.", "Baker's cyst, 3 x 2 cm."),
    "Paget": ("Paget disease of the pelvis.", "No sign of Paget's disease."),
    "Crohn": ("The terminal ileum suggests Crohn disease.", "Crohn's colitis."),
}
CARRIERS = (
    "{}",
    "The patient is {}.",
    "This CT belongs to {}, who has a nodule in the left upper lobe.",
    "{}: the lesion measures 12 mm.",
    "A mass of 2.5 x 3.1 cm is seen ({}).",
    "I can tell you that it is {}, seen in 3 of 24 slices",
    "the image shows the liver of {} .",
    "Left kidney; {}; no effusion.",
)


class Told(NamedTuple):
    """An answer that tells the value of a kind, and the form in which it does."""

    answer: str
    kind: str
    value: str
    form: str


class Person(NamedTuple):
    """The identifiers that the cases are about."""

    values: dict[str, str]


def people(count: int, seed: int = 0) -> list[Person]:
    """Return fictitious people; no two share a name, a number or an address."""
    draw = random.Random(seed)
    names = [(given, family) for given in GIVEN for family in FAMILY]
    draw.shuffle(names)
    made = []
    for number, (given, family) in enumerate(names[:count]):
        middle = f" {draw.choice('BCDEFGHKLMNPRSTVW')}." if number % 7 == 3 else ""
        slug = f"{_plain(given)}.{_plain(family)}".lower().replace("-", "").replace("'", "").replace(" ", "")
        day = date(1930, 1, 1) + timedelta(days=draw.randrange(28000))
        made.append(
            Person(
                {
                    "name": f"{given}{middle} {family}",
                    "record": f"SYN-MRN-{draw.randrange(10**7, 10**8)}",
                    "plan": f"SYN-PLN-{draw.randrange(10**7, 10**8)}",
                    "account": f"SYN-ACC-{draw.randrange(10**7, 10**8)}",
                    "device": f"SYN-DEV-{draw.randrange(10**7, 10**8)}",
                    "ssn": f"9{draw.randrange(100):02d}-{draw.randrange(1, 50):02d}-{draw.randrange(10**4):04d}",
                    "phone": f"({draw.randrange(220, 999)}) 555-01{draw.randrange(100):02d}",
                    "email": f"{slug}@example.org",
                    "url": f"https://example.com/{slug.replace('.', '')}",
                    "ip": f"192.0.2.{draw.randrange(10, 255)}",
                    "birth_date": day.isoformat(),
                    "address": f"{draw.randrange(2, 99)} {draw.choice(('Larch', 'Gorse', 'Bracken'))} "
                    f"{draw.choice(('Lane', 'Road', 'Street'))}",
                    "physician": f"Dr. {draw.choice(('Tasselvier', 'Falklacher', 'Hollinshaw'))}",
                }
            )
        )
    return made


_TO_PLAIN = str.maketrans("éüèøŁëíñöúŠ", "eueoLeinouS")


def _plain(text: str) -> str:
    return text.translate(_TO_PLAIN).replace("ú", "u")


def _ordinal(day: int) -> str:
    return f"{day}{'th' if 10 < day < 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


def _two(number: int) -> str:
    if number < 20:
        return ONES[number]
    return TENS[number // 10 - 2] + (f"-{ONES[number % 10]}" if number % 10 else "")


def dates(value: str) -> Iterator[str]:
    """Yield a day written in many ways."""
    day = date.fromisoformat(value)
    y, m, d, name = day.year, day.month, day.day, MONTHS[day.month - 1]
    yy = f"{y % 100:02d}"
    yield value
    yield f"{y}/{m:02d}/{d:02d}"
    yield f"{y}.{m:02d}.{d:02d}"
    yield f"{y}-{m}-{d}"
    yield f"{y}{m:02d}{d:02d}"
    yield f"{d} {name} {y}"
    yield f"{d:02d} {name.upper()} {y}"
    yield f"{_ordinal(d)} {name} {y}"
    yield f"the {_ordinal(d)} of {name}, {y}"
    yield f"{name} {d}, {y}"
    yield f"{name} {_ordinal(d)}, {y}"
    yield f"{name} the {_ordinal(d)} {y}"
    yield f"{name[:3]} {d} {y}"
    yield f"{name[:3]}. {d}, {y}"
    yield f"{name[:3]} {d:02d} '{yy}"
    yield f"{d} {name[:3]} {yy}"
    yield f"{d:02d}-{name[:3]}-{y}"
    yield f"{d:02d}{name[:3].upper()}{y}"
    yield f"{d}.{m}.{y}"
    yield f"{d:02d}.{m:02d}.{y}"
    yield f"{d:02d}/{m:02d}/{y}"
    yield f"{m:02d}/{d:02d}/{y}"
    yield f"{m}/{d}/{y}"
    yield f"{d:02d}/{m:02d}/{yy}"
    yield f"{m}/{d}/{yy}"
    yield f"{d:02d}-{m:02d}-{y}"
    yield f"{m:02d}-{d:02d}-{yy}"
    yield f"{d} . {m} . {y}"
    yield f"{name} {ORDINALS[d - 1]}, {y}"
    yield f"the {ORDINALS[d - 1]} of {name} {y}"
    yield f"{d}\u00a0{name}\u00a0{y}"
    yield "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in value)
    yield f"{y}\u2011{m:02d}\u2011{d:02d}"


def _name_parts(value: str) -> tuple[str, str, str]:
    given, _, rest = value.partition(" ")
    if len(rest) > 2 and rest[1] == "." and rest[2] == " ":
        return given, rest[0], rest[3:]
    return given, "", rest


def names(value: str) -> Iterator[str]:
    """Yield a person's name written in many ways, all of which name one person."""
    given, middle, family = _name_parts(value)
    between = f" {middle}." if middle else ""
    yield value
    yield value.upper()
    yield value.lower()
    yield _plain(value)
    yield f"{given} {family}"
    yield f"Mr. {given}{between} {family}"
    yield f"Mrs {given} {family}"
    yield f"Prof. Dr. {given} {family}"
    yield f"{family}, {given}{between}"
    yield f"{family.upper()}, {given}"
    yield f"{family} {given}"
    yield f"{family.upper()} {given}"
    yield f"{family}^{given}"
    yield f"{given}'s sister, and {given}{between} {family}"
    yield f"{given}{between} {family}'s left lung"
    yield f"{given[0]}. {family}"
    yield f"Mr {given[0]}. {family}"
    yield f"{family}, {given[0]}."
    yield f"{given}-{family}"
    yield f"{given}_{family}"
    yield f"{given}{between}  {family}"
    yield value.replace("-", " ")
    yield value.replace("-", "\u2010")
    yield value.replace("'", "\u2019")
    yield f"{given}\u200b{between} {family[:2]}\u200b{family[2:]}"
    yield " ".join(f"{given}{family}".replace("-", "").replace("'", "").replace(" ", ""))
    yield f"{given}\n{family}"
    if middle:
        yield f"{given[0]}. {middle}. {family}"
        yield f"{given} {middle} {family}"


def numbers(value: str) -> Iterator[str]:
    """Yield a record, plan, account or device number written in many ways."""
    prefix, digits = value.rsplit("-", 1)
    yield value
    yield value.lower()
    yield value.replace("-", "")
    yield value.replace("-", " ")
    yield value.replace("-", "_")
    yield value.replace("-", "\u2013")
    yield value.replace("-", " - ")
    yield digits
    yield f"no. {digits}"
    yield f"#{digits}"
    yield f"number: {digits[:4]} {digits[4:]}"
    yield f"{prefix}-{digits[:4]}-{digits[4:]}"
    yield f"{digits[:2]}.{digits[2:4]}.{digits[4:6]}.{digits[6:]}"
    yield " ".join(digits)
    yield "-".join(digits)
    yield f"{prefix.rsplit('-', 1)[1]}{digits}"
    yield f"{prefix.rsplit('-', 1)[1]} {digits}"
    yield "".join(chr(ord(c) + 0xFEE0) for c in digits)
    yield "\u200b".join(value)
    yield f"{prefix}\u00ad-{digits[:3]}\u200d{digits[3:]}"


def ssns(value: str) -> Iterator[str]:
    """Yield a social security number written in many ways."""
    a, b, c = value.split("-")
    yield value
    yield f"{a}{b}{c}"
    yield f"{a} {b} {c}"
    yield f"{a}.{b}.{c}"
    yield f"SSN:{a}{b}{c}"
    yield f"{a}\u2011{b}\u2011{c}"
    yield f"{a} - {b} - {c}"
    yield f"{a}/{b}/{c}"
    yield " ".join(a + b + c)
    yield f"{a}-{b}{c}"


def phones(value: str) -> Iterator[str]:
    """Yield a telephone number written in many ways."""
    a, b, c = value[1:4], value[6:9], value[10:]
    yield value
    yield f"({a}){b}-{c}"
    yield f"{a}-{b}-{c}"
    yield f"{a}.{b}.{c}"
    yield f"{a} {b} {c}"
    yield f"{a}{b}{c}"
    yield f"+1 {a} {b} {c}"
    yield f"+1-{a}-{b}-{c}"
    yield f"+1 ({a}) {b}-{c}"
    yield f"1-{a}-{b}-{c}"
    yield f"+1{a}{b}{c}"
    yield f"001 {a} {b} {c}"
    yield f"tel:{a}{b}{c}"
    yield f"{a}/{b}-{c}"
    yield f"{a} - {b} - {c}"
    yield f"{a}\u2011{b}\u2011{c}"


def emails(value: str) -> Iterator[str]:
    """Yield an e-mail address written in many ways."""
    user, host = value.split("@")
    yield value
    yield value.upper()
    yield f"mailto:{value}"
    yield f"<{value}>"
    yield f"{user} [at] {host}"
    yield f"{user}(at){host.replace('.', '(dot)')}"
    yield f"{user} at {host}"
    yield f"{user} AT {host.replace('.', ' DOT ')}"
    yield f"{user} @ {host.replace('.', ' . ')}"
    yield f"{user}[@]{host.replace('.', '[.]')}"
    yield f"{user.replace('.', ' dot ')} at {host.replace('.', ' dot ')}"


def urls(value: str) -> Iterator[str]:
    """Yield a web address written in many ways."""
    host, path = value.removeprefix("https://").split("/")
    yield value
    yield f"http://{host}/{path}"
    yield f"{host}/{path}"
    yield f"www.{host}/{path}"
    yield f"https://www.{host}/{path}/"
    yield f"{host.upper()}/{path}"
    yield f"hxxps://{host.replace('.', '[.]')}/{path}"
    yield f"{host.replace('.', ' dot ')} slash {path}"
    yield f"{value}?ref=1"


def ips(value: str) -> Iterator[str]:
    """Yield a network address written in many ways."""
    yield value
    yield value.replace(".", "[.]")
    yield value.replace(".", " . ")
    yield f"{value}:8080"
    yield f"http://{value}/"
    yield f"{value}/24"
    yield value.replace(".", " dot ")


def addresses(value: str) -> Iterator[str]:
    """Yield a street address written in many ways."""
    number, street, kind = value.split()
    yield value
    yield value.upper()
    yield f"{number}, {street} {kind}"
    yield f"{number} {street} {({'Lane': 'Ln', 'Road': 'Rd', 'Street': 'St'})[kind]}."
    yield f"{street} {kind} {number}"


def physicians(value: str) -> Iterator[str]:
    """Yield a physician written in many ways."""
    family = value.split()[1]
    yield value
    yield f"Dr {family}"
    yield f"doctor {family}"
    yield f"DR. {family.upper()}"
    yield f"{family}, MD"
    yield f"Prof. {family}"


FORMS: dict[str, Callable[[str], Iterator[str]]] = {
    "name": names, "record": numbers, "plan": numbers, "account": numbers, "device": numbers, "ssn": ssns,
    "phone": phones, "email": emails, "url": urls, "ip": ips, "birth_date": dates, "address": addresses,
    "physician": physicians,
}  # fmt: skip


def _cases(who: list[Person], forms: dict[str, Callable[[str], Iterator[str]]], seed: int) -> Iterator[Told]:
    draw = random.Random(seed)
    for person in who:
        for kind, write in forms.items():
            for number, text in enumerate(dict.fromkeys(write(person.values[kind]))):
                # A value at the very end of a sentence meets its full stop.
                yield Told(draw.choice(CARRIERS).format(text), kind, person.values[kind], f"{write.__name__} {number}")


def machine_forms(kind: str, value: str) -> Iterator[str]:
    """Yield a value as files and messages hold it: JSON, HL7, XML, CSV, query strings, DICOM tags."""
    key = {"record": "mrn", "birth_date": "dob"}.get(kind, kind)
    text = value
    if kind == "birth_date":
        text = value.replace("-", "")
        yield f'{{"{key}": "{value}T00:00:00Z"}}'
        yield f"PID|1||ID^^^A||X^Y||{text}|F"
    elif kind == "name":
        given, _, family = _name_parts(value)
        text = f"{family}^{given}"
        yield f'{{"family": "{family}", "given": ["{given}"]}}'
        yield f"{family};{given};1"
    elif kind in ("record", "plan", "account", "device"):
        text = value.rsplit("-", 1)[1]
        yield f"{{'{key}': {text}}}"
        yield f"{key}=0;id={value.lower()}"
    yield f'{{"{key}": "{text}"}}'
    yield f"<{key}>{text}</{key}>"
    yield f"{key}={text}&page=2"
    yield f"(0010,0020) LO [{text}]"
    yield f"| {key} | {text} |"


def spoken_forms(kind: str, value: str) -> Iterator[str]:
    """Yield a value as people say it."""
    if kind == "birth_date":
        day = date.fromisoformat(value)
        month, last = MONTHS[day.month - 1], day.year % 100
        year = f"nineteen {_two(last) if last > 9 else 'oh ' + ONES[last]}" if day.year < 2000 else None
        year = year or ("two thousand" if not last else f"two thousand and {_two(last)}")
        yield f"born on the {ORDINALS[day.day - 1]} of {month}, {year}"
        yield f"born {month} the {ORDINALS[day.day - 1]}, {year}"
        yield f"it was the {_ordinal(day.day)} day of {month} {day.year}"
        yield f"born in {month} of {day.year}, on the {_ordinal(day.day)}"
        yield f"a birthday on {month} {day.day} in {day.year}"
    elif kind == "name":
        given, _, family = _name_parts(value)
        yield f"her name is {family}, {given} {family}"
        yield f"a patient called {given}, {family} by family name"
        yield f"{given} ({family})"
        yield f"Mr {family}, first name {given}"
        yield f"that would be old {given} {family} again"
    elif kind in ("record", "plan", "account", "device", "ssn"):
        digits = [c for c in value if c.isdigit()]
        yield " ".join(ONES[int(c)] for c in digits)
        yield ", ".join(digits)
        yield f"{''.join(digits[:3])} then {''.join(digits[3:])}"
    elif kind == "phone":
        digits = [c for c in value if c.isdigit()]
        yield f"area code {''.join(digits[:3])}, number {''.join(digits[3:6])} {''.join(digits[6:])}"
        yield " ".join(ONES[int(c)] for c in digits)
        yield f"call {''.join(digits[:3])} {' '.join(digits[3:])}"


_KINDS = ("name", "record", "plan", "account", "device", "ssn", "phone", "birth_date")


def _family(who: list[Person], name: str, write: Callable[[str, str], Iterator[str]]) -> list[Told]:
    draw = random.Random(3)
    return [
        Told(draw.choice(CARRIERS).format(text), kind, person.values[kind], f"{name} {kind} {number}")
        for person in who
        for kind in _KINDS
        for number, text in enumerate(write(kind, person.values[kind]))
    ]


def told(who: list[Person]) -> list[Told]:
    """Return answers that tell one identifier of one person each."""
    families = {"machine": machine_forms, "spoken": spoken_forms, "decorated": decorated_forms, "report": report_forms}
    ways = [case for name, write in families.items() for case in _family(who, name, write)]
    return list(_cases(who, FORMS, 1)) + ways


def decorated_forms(kind: str, value: str) -> Iterator[str]:
    """Yield a value in markup, quotes and emphasis."""
    first, _, rest = value.partition(" ") if kind == "name" else value.partition("-")
    joint = " " if kind == "name" else "-"
    if kind == "phone":
        first, rest = value.split(") ")
        first, joint = f"{first})", " "
    yield f"**{value}**"
    yield f"__{first}__{joint}__{rest}__"
    yield f"<b>{first}</b>{joint}<i>{rest}</i>"
    yield f"`{value}`"
    yield f"\u201c{value}\u201d"
    yield f"\u00ab {value} \u00bb"
    yield f"*{first}*{joint}{rest}"
    yield f"[{value}](#)"
    yield f"{value[:2].lower()}{value[2:].upper()}"
    yield "\u2009".join(value)
    yield f"~~{value}~~ (struck out)"
    yield f"\\textbf{{{value}}}"


def report_forms(kind: str, value: str) -> Iterator[str]:
    """Yield a value as a letterhead or the head of a report holds it."""
    if kind == "name":
        given, _, family = _name_parts(value)
        yield f"Name ....... {family}, {given}\nWard ....... 3"
        yield f"PATIENT: {family.upper()}, {given.upper()} (F)"
        yield f"Re: {given} {family}, outpatient"
        yield f"Dear Ms {given} {family},"
        yield f"Surname: {family}   Forename: {given}"
        yield f"Pat. {given[0]}. {family} / ward 3"
    elif kind == "birth_date":
        day = date.fromisoformat(value)
        month = MONTHS[day.month - 1]
        yield f"DOB {day.day:02d} / {day.month:02d} / {day.year} (77 y)"
        yield f"* {day.day}.{day.month}.{day.year}"
        yield f"b. {day.day} {month[:3].lower()} {day.year}"
        yield f"DOB: {month[:3].upper()}-{day.day:02d}-{day.year}"
        yield f"born {day.day} {month} '{day.year % 100:02d} in Lindenau"
        yield f"D.O.B.\t{day.year} {month[:3]} {day.day:02d}"
    elif kind == "phone":
        digits = "".join(c for c in value if c.isdigit())
        yield f"Tel. +1 ({digits[:3]}) {digits[3:6]} - {digits[6:]}"
        yield f"T {digits[:3]}.{digits[3:6]}.{digits[6:]} F 000"
        yield f"Phone(home):{digits[:3]}-{digits[3:]}"
    else:
        digits = "".join(c for c in value if c.isdigit())
        half = len(digits) // 2
        yield f"ID No.: {digits}/F"
        yield f"({digits})"
        yield f"No {digits[:half]}\u00a0{digits[half:]}, ward 3"
        yield f"Nr.{digits}."
        yield f"{kind.upper()} \u2116 {value}"


# --- held out: written after the detector, not looked at while tuning it ---------------------------------------------


def joined_forms(person: Person, kind: str) -> Iterator[str]:
    """Yield a value beside another identifier of the same person, in the ways lists and labels join them."""
    value = person.values[kind]
    other = person.values["record" if kind in ("name", "birth_date") else "name"]
    day = date.fromisoformat(person.values["birth_date"])
    yield f"{other}/{value}"
    yield f"{value}/{other}"
    yield f"{other};{value};F;77"
    yield f"{value} - {other}"
    yield f"{other}, {value}"
    yield f"{value} ({day.day}/{day.month}/{day.year})"
    yield f"{other} | {value} | {day.day} {MONTHS[day.month - 1]} {day.year}"
    yield f"[{value}][{other}]"
    yield f"{value}\\{other}"
    yield f"{value} alias {value}"


def typeset_forms(person: Person, kind: str) -> Iterator[str]:
    """Yield a value as broken lines, tabs, bullets and numbered lists set it."""
    value = person.values[kind]
    cut = value.find(" ") if " " in value else value.find("-")
    yield f"{value[: cut + 1]}\n    {value[cut + 1 :]}"
    yield f"- {value}\n- none"
    yield f"1. {value}\n2. unknown"
    yield f"\u2022 {value}"
    yield f"\t{value}\t"
    yield f"1) {value}"
    yield f"{value}\r\n"
    yield f"> {value}"
    yield f"{value}\u2026"
    yield f"{value}!"
    yield f"({value}),"
    yield value.replace(" ", "\u3000").replace("-", "\uff0d")


def held_out(who: list[Person]) -> dict[str, list[Told]]:
    """Return the two held-out families: answers in forms that the detector was not made for."""
    return {
        name: [
            Told(text, kind, person.values[kind], f"{name} {kind} {number}")
            for person in who
            for kind in _KINDS
            for number, text in enumerate(write(person, kind))
        ]
        for name, write in (("joined", joined_forms), ("typeset", typeset_forms))
    }


# --- answers that tell nothing ---------------------------------------------------------------------------------------

_FINDINGS = (
    "The lesion is in the left upper lobe and measures {a} x {b} mm.",
    "A nodule of {a}.{c} cm is seen in segment {c}.",
    "There are {c} lesions; the largest is {a} mm.",
    "Liver span {a}.{c} cm, spleen {b}.{c} cm.",
    "The heart is not enlarged (CTR 0.{a}).",
    "Slice {b} of {big}, series {c}, window {big}/{a}.",
    "T{c} weighted axial image, TR {big} ms, TE {b} ms.",
    "HU {a} before and {b} after contrast.",
    "Blood pressure {big}/{b}, pulse {a}.",
    "Grade {c} of {d}, stage II{letter}.",
    "A {a} mm cyst at L{c}/L{d}.",
    "The uterus is normal; endometrium {c} mm.",
    "Yes.", "No.", "MRI", "Left lung", "Two", "{c}", "{a} mm", "Right lower quadrant.",
    "The aorta measures {a} mm at the arch, {b} mm at the diaphragm.",
    "Accession A{id7}, study {id6}.",
    "ACC-{year}-{id4} shows no pneumothorax.",
    "UID 1.2.840.{id6}.{c}.{d}.{id4}",
    "Compared with the study of {date_slash}, no change.",
    "Follow-up from {date_word} to {other_word}.",
    "The scan was taken on {date_iso} at {b}:{a}.",
    "Dose {big}.{c} mGy, DLP {id4}.",
    "Number of images: {id4}; matrix {big} x {big}.",
    "At the base of the left lung at {a} degrees.",
    "{a} of {big} patients ({c}.{d} %) had this finding.",
    "The patient is {a} years old and weighs {b} kg.",
    "Version 3.{c}.{d} of the software, protocol {id4}-{b}.",
    "A mass in the right kidney, dot-like calcification at the lower pole.",
    "Please see the report of Dr. Nobody.",
    "I can't share identifying patient information.",
    "The image does not tell the patient's record number.",
    "May show a March-like pattern; {a} in the {b}th percentile.",
    "Rose bengal staining, {c} x {d} cm, mar {a} HU.",
)  # fmt: skip


def _shifted(digits: str, draw: random.Random) -> str:
    place = draw.randrange(1, len(digits))
    return digits[:place] + str((int(digits[place]) + draw.randrange(1, 10)) % 10) + digits[place + 1 :]


def clean(who: list[Person], count: int = 2400, seed: int = 2) -> list[str]:
    """Return answers that tell no identifier of these people: ordinary findings, and values that only look alike."""
    draw = random.Random(seed)
    taken = {value for person in who for value in person.values.values()}
    named = {_name_parts(person.values["name"])[::2] for person in who}
    initials = {(given[0], family) for given, family in named}
    born = {person.values["birth_date"] for person in who}

    def some_day() -> date:
        while True:
            day = date(2001, 1, 1) + timedelta(days=draw.randrange(8000))
            # Written in digits, a day up to the 12th can be read as another.
            swapped = day.replace(month=day.day, day=day.month) if day.day <= 12 else day
            if born.isdisjoint({day.isoformat(), swapped.isoformat()}):
                return day

    def ordinary() -> str:
        day, other = some_day(), some_day()
        return draw.choice(_FINDINGS).format(
            a=draw.randrange(10, 99), b=draw.randrange(10, 99), c=draw.randrange(1, 9), d=draw.randrange(1, 9),
            big=draw.randrange(100, 600), id4=f"{draw.randrange(10**4):04d}", id6=f"{draw.randrange(10**6):06d}",
            id7=f"{draw.randrange(10**7):07d}", letter=draw.choice("AB"), year=day.year,
            date_slash=f"{day.day:02d}/{day.month:02d}/{day.year}", date_iso=day.isoformat(),
            date_word=f"{day.day} {MONTHS[day.month - 1]} {day.year}",
            other_word=f"{MONTHS[other.month - 1]} {_ordinal(other.day)}, {other.year}",
        )  # fmt: skip

    def namesake() -> str:
        given, _, family = _name_parts(draw.choice(who).values["name"])
        stranger = f"{draw.choice(('Marta', 'Quentin', 'Ulrike', 'Vito'))} {family}"
        shared = f"{given} {draw.choice(('Oakenrood', 'Pellworth', 'Stavelund'))}"
        return draw.choice(
            (
                f"The patient is {stranger}.", f"This is the CT of {shared}.", f"{shared}: a cyst.", f"Mrs. {family}.",
                f"{family}, the referring physician.", f"{given} has a nodule.", f"The {family} family history.",
                f"{stranger} and {shared} both had a scan.", f"{family}'s classification, type B.",
                f"{given.upper()} is written on the film.", f"A {family} clinic image.",
                f"{stranger.split()[0]} {family}-like.",
                f"{given} was seen with {shared.split()[1]}, then {stranger.split()[0]}.",
            )
        )  # fmt: skip

    def lookalike() -> str:
        values = draw.choice(who).values
        kind = draw.choice(("record", "plan", "account", "device", "ssn", "phone", "email", "url", "ip"))
        value = values[kind]
        if kind in ("email", "url"):
            user = value.split("@")[0] if kind == "email" else value.rsplit("/", 1)[1]
            # Whatever else the address is, one made of the name tells the name; these are made of no one's.
            host = value.split("@")[1] if kind == "email" else "example.com"
            return draw.choice(
                (
                    value.replace(user, f"{user}x"), value.replace(user, user[:-1]), value.replace(user, user[4:]),
                    f"{host} is the host.", f"Write to {host}.", value.replace(user, f"{user[:4]}.{user[-3:]}"),
                )
            )  # fmt: skip
        if kind == "ip":
            return f"{value}{draw.randrange(1, 9)}7" if len(value) < 12 else f"{value[:-1]}.{value[-1]}"
        digits = "".join(c for c in value if c.isdigit())
        changed = _shifted(digits, draw)
        told_as = draw.choice(
            (
                f"record {changed}", f"{changed[:4]} {changed[4:]}", f"{digits}7", f"4{digits}",
                f"ends in {digits[-4:]}", f"{digits[:5]}...", f"***{digits[-4:]}", f"{value[:-1]}", f"{value}0", 
                f"{digits[:-1]} {changed[-1]}x", f"{digits[::-1]}",
            )
        )  # fmt: skip
        return f"The number is {told_as}." if digits[::-1] != digits else "The number is not shown."

    def birthday() -> str:
        day = date.fromisoformat(draw.choice(sorted(born)))
        near = (day + timedelta(days=1), day - timedelta(days=3), day + timedelta(days=366))
        other = draw.choice([one for one in near if one.isoformat() not in born])
        return draw.choice(
            (
                f"born in {MONTHS[day.month - 1]} {day.year}", f"born {other.isoformat()}", f"born in {day.year}",
                f"born on {MONTHS[day.month - 1]} {day.day}", f"on {other.day} {MONTHS[other.month - 1]} {other.year}",
                f"{MONTHS[other.month - 1][:3]} {_ordinal(other.day)}, {other.year}", f"{day.day} of {day.month}",
                f"aged {2024 - day.year}", f"{day.year} ml on day {day.day}",
                f"{other.year}{other.month:02d}{other.day:02d}",
            )
        )  # fmt: skip

    def eponym() -> str:
        return draw.choice(SIGNS[draw.choice(EPONYMS)])

    makers = (ordinary, ordinary, ordinary, namesake, lookalike, birthday, eponym)
    found: dict[str, None] = {}
    while len(found) < count:
        answer = draw.choice(makers)()
        if answer not in taken:
            found[answer] = None
    assert all((given, family) not in named for given in ("Marta", "Quentin", "Ulrike", "Vito") for family in FAMILY)
    assert all((letter, family) not in initials for letter in "MQUV" for family in FAMILY)
    return list(found)


def eponymous() -> list[Person]:
    """Return people who are called like a sign; no clean answer names them."""
    return [Person({"name": f"{given} {family}"}) for family in EPONYMS for given in ("Bruno", "Ada", "Alma", "Lena")]
