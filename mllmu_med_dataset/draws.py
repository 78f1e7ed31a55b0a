"""Every choice is a sha256 of what it is about: no random state, so order and workers never matter."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def number(*parts: object) -> int:
    """Return the 64-bit number that these parts (seed, key, purpose, ...) own."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def numbers(count: int, *parts: object) -> list[int]:
    """Return several 32-bit numbers that these parts own, from one hash."""
    stream = hashlib.shake_256("|".join(map(str, parts)).encode()).digest(4 * count)
    return [int.from_bytes(stream[4 * n : 4 * n + 4], "big") for n in range(count)]


def pick(choices: Sequence[T], *parts: object) -> T:
    """Return the choice that these parts own."""
    return choices[number(*parts) % len(choices)]


def shuffled(items: Iterable[T], *parts: object) -> list[T]:
    """Return the items in the order that these parts own; the order they came in does not matter."""
    return sorted(items, key=lambda item: (number(*parts, item), str(item)))
