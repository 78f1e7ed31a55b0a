"""Numbers that name somebody: telephone, social security, record, plan, account and device numbers."""

import re
from typing import TYPE_CHECKING, NamedTuple

from mllmu_med_metrics.normal_form import normalise

if TYPE_CHECKING:
    from mllmu_med_metrics.leakage.reading import Number

_PART = re.compile(r"[a-z]+|\d+")
_FEWEST_DIGITS = 6
# What is dialled before a number of North America, and before a number of its own country elsewhere.
_PHONE_PREFIXES = ("", "1", "001", "0111")
_COUNTRY_DIGITS = 10
_COUNTRY_CODE = re.compile(r"\s*(?:\+|00)([1-9]\d{0,2})\b(?:\W{0,3}\(0\))?")


class DigitForm(NamedTuple):
    """The digits that tell a number, and the letters that stand before them in full."""

    digits: str
    letters: str


def digit_forms(value: str, kind: str) -> tuple[DigitForm, ...]:
    """Return the digit strings that tell a value by themselves; empty where letters stand between or behind digits.

    "SYN-MRN-48120937" is told by 48120937, a telephone number with or without its country's 1.
    """
    parts = _PART.findall(re.sub(r"\bext(?:ension)?\b|\bx(?=\W*\d)", "", normalise(value)))
    lead = next((index for index, part in enumerate(parts) if part.isdigit()), len(parts))
    letters, digits = parts[:lead], parts[lead:]
    joined = "".join(digits)
    if not all(part.isdigit() for part in digits) or len(joined) < _FEWEST_DIGITS:
        return ()
    if kind != "phone":
        return (DigitForm(joined, " ".join(letters)),)
    code = _COUNTRY_CODE.match(value)
    if code and code[1] != "1":
        national = re.sub(r"\D", "", value[code.end() :])
        forms = (code[1] + national, "00" + code[1] + national, code[1] + "0" + national, "0" + national, national)
        return tuple(DigitForm(digits, "") for digits in forms if len(digits) >= _FEWEST_DIGITS)
    national = joined[1:] if len(digits[0]) == 1 and len(joined) == _COUNTRY_DIGITS + 1 else joined
    return tuple(DigitForm(prefix + national, "") for prefix in _PHONE_PREFIXES)


def number_counts(number: "Number", letters: str) -> bool:
    """Say whether digits found are the number: not where another code of the same scheme stands before them.

    "SYN-ACC-48120937" does not tell SYN-MRN-48120937; "record 48120937" and "48120937" do.
    """
    first, _, rest = letters.partition(" ")
    if not rest:
        return True
    before = number.text[max(0, number.start - 40) : number.start]
    words = re.findall(r"[a-z]+", before)
    # Only what stands right before the digits, with nothing but separators between.
    if not words or not re.search(r"[a-z][\W_]{0,3}$", before):
        return True
    own = first + rest.replace(" ", "")
    last = words[-1]
    joined = words[-2] + last if len(words) > 1 else last
    told = next((code for code in (joined, last) if code.startswith(first) and code != first), None)
    return told is None or told == own or own.endswith(last)
