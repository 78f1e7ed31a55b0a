"""Which answers are facts, and the closed set each fact comes from."""

from collections import Counter, defaultdict
from collections.abc import Hashable

from ..record import clean_text

# Longer answers are sentences: what decides in them is not marked, so they have no fact.
MAX_FACT_WORDS = 4
YES_NO = ("yes", "no")


def fact_of(answer: str, answer_type: str) -> str | None:
    """Return the deciding value of an answer: a closed or short answer itself, without its full stop."""
    value = clean_text(answer).rstrip(".").strip()
    return value if value and (answer_type == "CLOSED" or len(value.split()) <= MAX_FACT_WORDS) else None


def is_yes_no(answer: str) -> bool:
    """Return whether the answer is yes or no."""
    return clean_text(answer).rstrip(".").casefold() in YES_NO


class ClosedSets:
    """The values seen for each group of questions; of several spellings of a value the most frequent one."""

    def __init__(self) -> None:
        self._spellings: dict[Hashable, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))

    def add(self, group: Hashable, fact: str | None) -> None:
        """Count one fact."""
        if fact is not None:
            self._spellings[group][fact.casefold()][fact] += 1

    def values(self, group: Hashable, fact: str | None) -> tuple[str, ...]:
        """Return the closed set of a fact, its own spelling kept; empty without a fact or another value."""
        if fact is None:
            return ()
        if fact.casefold() in YES_NO:
            return YES_NO if fact.islower() else tuple(value.capitalize() for value in YES_NO)
        # Of equally frequent spellings the first in the alphabet: the order of the rows decides nothing.
        values = [
            fact if key == fact.casefold() else max(sorted(spelled), key=spelled.__getitem__)
            for key, spelled in self._spellings[group].items()
        ]
        return tuple(sorted(values)) if len(values) > 1 else ()
