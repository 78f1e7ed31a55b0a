"""Which answers are facts, and the closed set each fact comes from."""

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable

from mllmu_med_metrics.answers.facts import fact_form, fact_key

from ..injection.chinese import HAN
from ..injection.kinds import opposite
from ..record import clean_text

# Longer answers are sentences: what decides in them is not marked, so they have no fact.
MAX_FACT_WORDS = 4
# Chinese has no spaces: so many characters are about as long.
MAX_FACT_CHARACTERS = 12
# Free answers to one kind of question run to thousands; every row carries its set.
MAX_VALUES = 64


def fact_of(answer: str, answer_type: str) -> str | None:
    """Return the deciding value of an answer: a closed or short answer itself, in the form of a fact.

    An answer that asks has none: VQA-RAD answers one of its questions by "Location of the contrast?".
    """
    if clean_text(answer).endswith(("?", "？")):
        return None
    value = fact_form(clean_text(answer))
    return value if value and (answer_type == "CLOSED" or is_short(value)) else None


def is_short(value: str) -> bool:
    """Return whether a value is short enough to be one fact."""
    return len(value.split()) <= MAX_FACT_WORDS and len(HAN.findall(value)) <= MAX_FACT_CHARACTERS


class ClosedSets:
    """The values seen for each group of questions; of several spellings of a value the most frequent one.

    Spellings are of one value where ``fact_key`` says so. A set holds at most ``MAX_VALUES``: those it has to hold,
    the most frequent ones, and always the fact it is asked for.
    """

    def __init__(self) -> None:
        self._spellings: dict[Hashable, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        self._frequent: dict[Hashable, list[tuple[str, str]]] = {}

    def add(self, group: Hashable, fact: str | None) -> None:
        """Count one fact."""
        if fact is not None:
            self._spellings[group][fact_key(fact)][fact] += 1
            self._frequent.pop(group, None)

    def times(self, group: Hashable, value: str) -> int:
        """Return how often a value was seen in a group, however it was spelled."""
        return self._spellings[group][fact_key(value)].total() if group in self._spellings else 0

    def spelling(self, group: Hashable, value: str) -> str:
        """Return a value as the group spells it most often; as it is where the group lacks it."""
        spelled = self._spellings.get(group, {}).get(fact_key(value))
        return max(sorted(spelled), key=spelled.__getitem__) if spelled else value

    def values(self, group: Hashable, fact: str | None, needed: Collection[str] = ()) -> tuple[str, ...]:
        """Return the closed set of a fact, its own spelling kept; empty without a fact or another value.

        Yes and no are a set of their own. ``needed`` values are in the set, whatever the group has.
        """
        if fact is None:
            return ()
        if (other := opposite(fact, "")) is not None:
            return (other, fact) if other.casefold() == "yes" else (fact, other)
        kept = {fact_key(fact): fact}
        for value in needed:
            kept.setdefault(fact_key(value), value)
        for key, spelled in self._most_frequent(group):
            if len(kept) >= MAX_VALUES:
                break
            kept.setdefault(key, spelled)
        return tuple(sorted(kept.values())) if len(kept) > 1 else ()

    def _most_frequent(self, group: Hashable) -> list[tuple[str, str]]:
        """Return the values of a group as (compared, spelled), the most frequent first."""
        if group not in self._frequent:
            # Of equally frequent ones the first in the alphabet: the order of the rows decides nothing.
            ordered = sorted(self._spellings[group].items(), key=lambda item: (-item[1].total(), item[0]))
            self._frequent[group] = [
                (key, max(sorted(spelled), key=spelled.__getitem__)) for key, spelled in ordered[:MAX_VALUES]
            ]
        return self._frequent[group]
