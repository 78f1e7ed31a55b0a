"""Which answers are facts, and the closed set each fact comes from."""

from collections import Counter, defaultdict
from collections.abc import Hashable

from ..record import clean_text

# Longer answers are sentences: what decides in them is not marked, so they have no fact.
MAX_FACT_WORDS = 4
# Free answers to one kind of question run to thousands; every row carries its set.
MAX_VALUES = 64
YES_NO = ("yes", "no")


def fact_of(answer: str, answer_type: str) -> str | None:
    """Return the deciding value of an answer: a closed or short answer itself, without its full stop."""
    value = clean_text(answer).rstrip(".").strip()
    return value if value and (answer_type == "CLOSED" or len(value.split()) <= MAX_FACT_WORDS) else None


def is_yes_no(answer: str) -> bool:
    """Return whether the answer is yes or no."""
    return clean_text(answer).rstrip(".").casefold() in YES_NO


class ClosedSets:
    """The values seen for each group of questions; of several spellings of a value the most frequent one.

    A set holds at most ``MAX_VALUES``: the most frequent ones, and always the fact it is asked for.
    """

    def __init__(self) -> None:
        self._spellings: dict[Hashable, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        self._frequent: dict[Hashable, list[tuple[str, str]]] = {}

    def add(self, group: Hashable, fact: str | None) -> None:
        """Count one fact."""
        if fact is not None:
            self._spellings[group][fact.casefold()][fact] += 1
            self._frequent.pop(group, None)

    def values(self, group: Hashable, fact: str | None) -> tuple[str, ...]:
        """Return the closed set of a fact, its own spelling kept; empty without a fact or another value."""
        if fact is None:
            return ()
        if fact.casefold() in YES_NO:
            return YES_NO if fact.islower() else tuple(value.capitalize() for value in YES_NO)
        others = [spelled for key, spelled in self._most_frequent(group) if key != fact.casefold()]
        return tuple(sorted([fact, *others[: MAX_VALUES - 1]])) if others else ()

    def _most_frequent(self, group: Hashable) -> list[tuple[str, str]]:
        """Return the values of a group as (compared, spelled), the most frequent first."""
        if group not in self._frequent:
            # Of equally frequent ones the first in the alphabet: the order of the rows decides nothing.
            ordered = sorted(self._spellings[group].items(), key=lambda item: (-item[1].total(), item[0]))
            self._frequent[group] = [
                (key, max(sorted(spelled), key=spelled.__getitem__)) for key, spelled in ordered[:MAX_VALUES]
            ]
        return self._frequent[group]
