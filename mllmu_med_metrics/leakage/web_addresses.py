"""E-mail, web and network addresses in an answer, also where "at" and "dot" are said for their characters."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from mllmu_med_metrics.normal_form import normalise, tokens

if TYPE_CHECKING:
    from mllmu_med_metrics.leakage.reading import Place, Reading

_SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*://|mailto:)?(?:www\.)?")
# An address of version 6, in which one of version 4 may stand.
_VERSION_6 = re.compile(
    r"(?<![^\W_])(?=[0-9a-f:]{0,10}:)[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){1,8}(?:(?:\.\d{1,3}){3})?(?![^\W_])"
)
_COLON = re.compile(r"(?<=[0-9a-f: ]) ?(?:[\[({]:[\])}]|\bcolon\b|:) ?(?=[0-9a-f:[({]|colon)")
_DOT = r"\s?(?:[\[({]\s?)?(?:[.。]|\b(?:dot|point|punkt)\b)(?:\s?[\])}])?\s?"


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


@lru_cache(maxsize=4096)
def network_address(value: str) -> IPv4Address | IPv6Address | None:
    """Return the network address that a value is, octets with leading zeros and zones allowed; None for no address."""
    bare = re.sub(
        r"(?<![0-9a-f])0+(?=\d{1,3}(?:\.|$))", "", value.lower().strip("[]").partition("%")[0].partition("/")[0]
    )
    try:
        found = ip_address(bare)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _tells_octets(text: str, octets: Sequence[str]) -> bool:
    """Say whether a text tells the octets, whole and nothing more before or behind: dotted, hyphenated or listed."""
    padded = [f"0{{0,2}}{octet}" for octet in octets]
    before, after = r"(?<!\d)(?<!\d\.)", r"(?!\d|\.\d)"
    if re.search(f"{before}{_DOT.join(padded)}{after}", text):
        return True
    first, *rest = padded
    return (
        re.search(
            rf"(?<!\d)(?<!\d[-,_])(?<!\d[,;] ){first}(?P<by>[-_]|[,;] ?){'(?P=by)'.join(rest)}(?!\d|(?P=by)\d)", text
        )
        is not None
    )


def tells_network_address(text: str, value: str) -> bool:
    """Say whether a text in lower case tells a network address, in any of its notations."""
    wanted = network_address(value)
    if isinstance(wanted, IPv4Address) and _tells_octets(text, str(wanted).split(".")):
        return True
    if ":" not in text and "colon" not in text:
        return False
    # As it stands too, because "face: 2001:db8::1" is one address after a word.
    written = (text, _COLON.sub(":", text))
    return any(network_address(found[0]) == wanted for one in written for found in _VERSION_6.finditer(one))
