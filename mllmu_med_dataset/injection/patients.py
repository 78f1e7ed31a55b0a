"""Fictitious identities, seeded per patient, every identifier from a range that cannot belong to a real person.

Names come from ``names.json`` (invented family names, ordinary given names), which lies with the metric: it knows them
when a model makes one up. Numbers carry an unmistakable ``SYN-`` prefix and a check digit, or lie in ranges that are
never issued (SSN area 9xx with groups 01 to 49, telephone 555-0100 to 555-0199, RFC 2606 domains, RFC 5737 addresses).
"""

import re
import unicodedata
from collections.abc import Callable, Container, Iterable, Iterator
from datetime import date, timedelta
from functools import cache

from pydantic import BaseModel, ConfigDict

from mllmu_med_metrics.leakage.invented import names_text
from mllmu_med_metrics.vocabulary import DIRECT_KINDS

from ..draws import number, numbers, pick

REFERENCE_DATE = date(2025, 1, 1)
# The first five hold at least six random digits each: nobody guesses them.
NUMBERED_KINDS = ("record", "ssn", "account", "plan", "device")
MILD_KINDS = (
    "birth_date", "admission_date", "phone", "email", "address", "city", "url", "ip", "hospital", "physician",
)  # fmt: skip
KINDS = ("name", *NUMBERED_KINDS, *MILD_KINDS)
# A name, and what is made from it: who takes another name takes another of each.
NAMED_KINDS = ("name", "email", "url")

_PREFIXES = {"record": "SYN-MRN-", "account": "SYN-ACC-", "plan": "SYN-PLN-", "device": "SYN-DEV-"}
# Attempts after which values get longer, the lists being crowded.
_ATTEMPTS_AN_INITIAL, _ATTEMPTS_AN_EXTENSION = 6, 12
_AREAS = tuple(area for area in range(200, 1000) if area % 100 != 11)
_DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_WORD = r"[A-Z][a-z]+"
_SHAPES = {
    "name": rf"{_WORD}( [A-Z]\.)* {_WORD}",
    "birth_date": _DAY,
    "admission_date": _DAY,
    "record": r"SYN-MRN-\d{8}",
    "account": r"SYN-ACC-\d{8}",
    "plan": r"SYN-PLN-\d{8}",
    "device": r"SYN-DEV-\d{8}",
    "ssn": r"9\d\d-(0[1-9]|[1-4]\d)-\d{4}",
    "phone": r"\([2-9]\d\d\) 555-01\d\d( ext\. \d{4})?",
    "email": r"[a-z0-9.]+@example\.org",
    "address": rf"[1-9]\d? {_WORD} (Lane|Road|Street|Row)",
    "city": _WORD,
    "url": r"https://example\.com/[a-z0-9]+",
    "ip": r"(192\.0\.2|198\.51\.100|203\.0\.113)\.(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])",
    "hospital": rf"{_WORD} (Clinic|Hospital|Infirmary)",
    "physician": rf"Dr\. {_WORD}",
}


class Identity(BaseModel):
    """One patient's identifiers: a value for every kind, and the order in which this patient shows the kinds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: dict[str, str]
    # The kinds beside the name that rows of this patient may show, three or four of them.
    shown: tuple[str, ...]


class _Locale(BaseModel):
    """Names as one part of the world gives them."""

    given: tuple[str, ...]
    family: tuple[str, ...]


class _Names(BaseModel):
    """What ``names.json`` holds."""

    about: str
    locales: dict[str, _Locale]
    streets: tuple[str, ...]
    cities: tuple[str, ...]
    hospitals: tuple[str, ...]


@cache
def _names() -> _Names:
    return _Names.model_validate_json(names_text())


@cache
def _locales() -> tuple[_Locale, ...]:
    return tuple(_names().locales.values())


def canary() -> str:
    """Return the string that tells whether a corpus has swallowed this data set."""
    return _names().about.rsplit(" ", 1)[1]


def check_digit(digits: str) -> str:
    """Return the Luhn check digit of a digit string."""
    doubled = (int(d) * (2 if index % 2 == 0 else 1) for index, d in enumerate(reversed(digits)))
    return str(-sum(d // 10 + d % 10 for d in doubled) % 10)


def in_range(kind: str, value: str) -> bool:
    """Return whether a value lies in the fictitious range of its kind (shape, check digit, a real calendar day)."""
    if kind not in _SHAPES or not re.fullmatch(_SHAPES[kind], value, re.ASCII):
        return False
    if kind in _PREFIXES:
        return check_digit(value[-8:-1]) == value[-1]
    if kind == "phone":
        return value[2:4] != "11"
    if kind.endswith("_date"):
        try:
            return date.fromisoformat(value) < REFERENCE_DATE
        except ValueError:
            return False
    return True


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", ".", plain.lower()).strip(".")


def _value(kind: str, name: str, attempt: int, *key: object) -> str:
    """Return the patient's value of a kind; each attempt gives another one, the first being the usual."""
    own = (*key, kind, attempt)
    if kind == "name":
        locale = pick(_locales(), *key, "locale", attempt)
        given, family = pick(locale.given, *own, "given"), pick(locale.family, *own, "family")
        # After a few refusals middle initials make room, one more for every six attempts.
        initials = "".join(
            f" {pick('ABCDEFGHIJKLMNOPQRSTUVWXYZ', *own, n)}." for n in range(attempt // _ATTEMPTS_AN_INITIAL)
        )
        return f"{given}{initials} {family}"
    if kind in _PREFIXES:
        digits = f"{number(*own) % 10**7:07d}"
        return f"{_PREFIXES[kind]}{digits}{check_digit(digits)}"
    if kind == "ssn":
        drawn = number(*own)
        return f"9{drawn % 100:02d}-{1 + drawn // 100 % 49:02d}-{drawn // 4900 % 10_000:04d}"
    if kind == "phone":
        drawn = number(*own)
        extension = f" ext. {drawn // 79_200 % 10_000:04d}" if attempt >= _ATTEMPTS_AN_EXTENSION else ""
        return f"({_AREAS[drawn % 792]}) 555-01{drawn // 792 % 100:02d}{extension}"
    if kind == "email":
        return f"{_slug(name)}{attempt + 1 if attempt else ''}@example.org"
    if kind == "url":
        return f"https://example.com/{_slug(name).replace('.', '')}{attempt + 1 if attempt else ''}"
    if kind == "birth_date":
        return (REFERENCE_DATE - timedelta(days=18 * 366 + number(*own) % (70 * 365))).isoformat()
    if kind == "admission_date":
        return (REFERENCE_DATE - timedelta(days=1 + number(*own) % (5 * 365))).isoformat()
    if kind == "address":
        return f"{1 + number(*own, 'door') % 99} {pick(_names().streets, *own)}"
    if kind == "city":
        return pick(_names().cities, *own)
    if kind == "hospital":
        return pick(_names().hospitals, *own)
    if kind == "physician":
        return f"Dr. {pick(pick(_locales(), *own, 'locale').family, *own)}"
    if kind == "ip":
        net = pick(("192.0.2", "198.51.100", "203.0.113"), *own, "net")
        return f"{net}.{1 + number(*own) % 254}"
    raise ValueError(f"no identifier kind '{kind}'")


def _shown(*key: object) -> tuple[str, ...]:
    """Return two numbered kinds and one or two others, in the patient's own order."""
    *ranks, how_many = numbers(len(KINDS), *key, "shown")
    rank = dict(zip(KINDS[1:], ranks, strict=True))
    numbered = sorted(NUMBERED_KINDS, key=rank.__getitem__)[:2]
    others = sorted(MILD_KINDS, key=rank.__getitem__)[: 1 + how_many % 2]
    order = dict(zip(KINDS, numbers(len(KINDS), *key, "order"), strict=True))
    return tuple(sorted((*numbered, *others), key=order.__getitem__))


def draw_identities(
    keys: Iterable[str], *, seed: int, claim: Callable[[str, str], bool]
) -> Iterator[tuple[str, Identity]]:
    """Yield an identity for every patient key in the order given; direct identifiers are those still free.

    ``claim(kind, value)`` takes a value for good and says whether it was free; where it remembers (memory, disk) is
    the caller's affair. The result is the same for the same keys in the same order.
    """
    for key in keys:
        values: dict[str, str] = {}
        for kind in KINDS:
            attempt = 0
            value = _value(kind, values.get("name", ""), attempt, seed, key)
            while kind in DIRECT_KINDS and not claim(kind, value.casefold()):
                attempt += 1
                value = _value(kind, values.get("name", ""), attempt, seed, key)
            values[kind] = value
        yield key, Identity(values=values, shown=_shown(seed, key))


def identities(keys: Iterable[str], *, seed: int) -> dict[str, Identity]:
    """Return an identity for every patient key; direct identifiers are unique, collisions resolved in key order."""
    taken: set[tuple[str, str]] = set()

    def claim(kind: str, value: str) -> bool:
        free = (kind, value) not in taken
        taken.add((kind, value))
        return free

    return dict(draw_identities(sorted(set(keys)), seed=seed, claim=claim))


def candidates(
    kind: str,
    secret: str,
    *,
    most: int = 10_000,
    sample: int = 1_000,
    seed: int = 0,
    taken: Container[tuple[str, str]] = frozenset(),
) -> tuple[list[str], bool]:
    """Return other values that the generator could have drawn instead of a secret, and whether they are all there are.

    All of them where a kind has at most ``most`` values (cities, hospitals, physicians, addresses, admission days),
    else ``sample`` distinct ones drawn as the generator draws, by the seed and the secret, in the secret's own form
    (as many initials, a number behind it, an extension). No value of a direct kind is in ``taken``, pairs of a kind and
    a casefolded value: those are unique, so what is somebody's could not have been drawn. Values of other kinds may be
    several people's; whose they are makes no difference.
    """
    every = _all_values(kind)
    if every is not None and len(every) <= max(most, sample):
        return [value for value in every if value != secret], True
    found: dict[str, None] = {}
    attempt, initials, number_behind = 0, *_form(kind, secret)
    while len(found) < sample:
        key = (seed, secret, "candidate", attempt)
        name = _value("name", "", initials * _ATTEMPTS_AN_INITIAL, *key) if kind in NAMED_KINDS else ""
        value = _value(kind, name, number_behind, *key) if kind != "name" else name
        if value != secret and not (kind in DIRECT_KINDS and (kind, value.casefold()) in taken):
            found[value] = None
        attempt += 1
    return list(found), False


def renamed(kind: str, value: str, name: str, other: str) -> str | None:
    """Return what an email address or url made from a patient's name is with another name; None where it is not."""
    if kind not in ("email", "url"):
        return None
    attempt = _form(kind, value)[1]
    return _value(kind, other, attempt) if _value(kind, name, attempt) == value else None


def _form(kind: str, value: str) -> tuple[int, int]:
    """Return the initials of the name that a value is or is made from, and the attempt that its form tells."""
    if kind == "name":
        initials = len(value.split()) - 2
        return max(initials, 0), max(initials, 0) * _ATTEMPTS_AN_INITIAL
    if kind in ("email", "url"):
        stem = value.partition("@")[0]
        behind = re.search(r"\d*$", stem)
        digits = behind.group() if behind else ""
        initials = sum(len(part) == 1 for part in stem.split(".")[1:-1]) if kind == "email" else 0
        return initials, int(digits) - 1 if digits else 0
    return 0, _ATTEMPTS_AN_EXTENSION if kind == "phone" and "ext." in value else 0


def _all_values(kind: str) -> list[str] | None:
    if kind in ("city", "hospital"):
        return list(_names().cities if kind == "city" else _names().hospitals)
    if kind == "physician":
        return [f"Dr. {family}" for locale in _locales() for family in locale.family]
    if kind == "address":
        return [f"{door} {street}" for street in _names().streets for door in range(1, 100)]
    if kind == "ip":
        return [f"{net}.{last}" for net in ("192.0.2", "198.51.100", "203.0.113") for last in range(1, 255)]
    if kind == "admission_date":
        return [(REFERENCE_DATE - timedelta(days=1 + days)).isoformat() for days in range(5 * 365)]
    return None
