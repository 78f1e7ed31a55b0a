"""E-mail, web and network addresses in an answer, also where "at" and "dot" are said for their characters."""

import re
from typing import TYPE_CHECKING

from mllmu_med_metrics.normalise import normalise, tokens

if TYPE_CHECKING:
    from mllmu_med_metrics.reading import Place, Reading

_SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*://|mailto:)?(?:www\.)?")
_DOT = r"\s?(?:[\[({]\s?)?(?:\.|\bdot\b)(?:\s?[\])}])?\s?"


def address_form(value: str) -> str:
    """Return an e-mail or web address without scheme, "www." and separators."""
    return "".join(tokens(_SCHEME.sub("", normalise(value))))


def host_of(value: str) -> str:
    """Return the first word of an address's host: "example" of ada@example.org and of https://example.com/ada."""
    return next(iter(tokens(_SCHEME.sub("", normalise(value)).rpartition("@")[2])), "")


def address_counts(reading: "Reading", place: "Place") -> bool:
    """Say whether an address found is a whole one: "maria.ada@example.org" does not tell ada@example.org."""
    start, _ = reading.spans[place.start]
    _, end = reading.spans[place.end - 1]
    text = reading.lower
    if start > 1 and text[start - 1] in "._-+" and text[start - 2].isalnum():
        previous = reading.words[place.start - 1] if place.start else ""
        if previous != "www":
            return False
    return not re.match(r"[-_]\w|\.[a-z]{2,3}\b", text[end:])


def tells_network_address(text: str, value: str) -> bool:
    """Say whether a text in lower case tells a dotted address, its octets whole and nothing more before or behind."""
    octets = tokens(value)
    pattern = rf"(?<!\d)(?<!\d\.)0{{0,2}}{(_DOT + '0{0,2}').join(map(re.escape, octets))}(?!\d|\.\d)"
    return re.search(pattern, text) is not None
