"""How a text stands to what it names: it says it, denies it, or only asks, offers, supposes, likens or retracts it."""

from collections.abc import Sequence
from functools import lru_cache

from mllmu_med_metrics.answers import likenesses, offers, retractions, scopes, sequels, suppositions
from mllmu_med_metrics.answers.echoes import only_asked
from mllmu_med_metrics.answers.likenesses import only_likened
from mllmu_med_metrics.answers.negation import denied, denied_ahead
from mllmu_med_metrics.answers.offers import only_offered
from mllmu_med_metrics.answers.retractions import only_retracted
from mllmu_med_metrics.answers.suppositions import only_supposed

SAYS, DENIES, SETS_ASIDE = "says", "denies", "sets aside"

# A text without any of these says all that it names.
_TELLING = (
    offers.TELLING | suppositions.TELLING | likenesses.TELLING | retractions.TELLING | scopes.TELLING | sequels.TELLING
    | {"?"}
)  # fmt: skip


class Stance:
    """How a text stands to what it names at a place."""

    def __init__(self, pieces: Sequence[str]) -> None:
        """Read a text, given as its pieces."""
        self._pieces = pieces
        self._ahead = denied_ahead(pieces)
        aside = (
            only_asked(pieces), only_offered(pieces), only_supposed(pieces), only_likened(pieces), only_retracted(pieces)
        )  # fmt: skip
        self._aside = [marks for marks in aside if marks is not None]
        self._known: dict[tuple[int, int], str] = {}

    def to(self, first: int, end: int) -> str:
        """Return SAYS, DENIES or SETS_ASIDE for what the text names at pieces[first:end]."""
        known = self._known.get((first, end))
        if known is None:
            known = self._known[first, end] = self._read(first, end)
        return known

    def _read(self, first: int, end: int) -> str:
        for marks in self._aside:
            if marks[first]:
                return SETS_ASIDE
        return DENIES if denied(self._pieces, self._ahead, first, end) else SAYS


# One answer is read for its fact and for the wrong fact, one after the other.
@lru_cache(maxsize=64)
def stance_of(pieces: tuple[str, ...]) -> Stance | None:
    """Return how a text stands to what it names; None where it says all of it.

    >>> from mllmu_med_metrics.answers.pieces import pieces_of
    >>> stance_of(pieces_of("A cyst and no mass.")).to(4, 5), stance_of(pieces_of("A cyst."))
    ('denies', None)
    """
    plain = _TELLING.isdisjoint(pieces) and pieces[0] not in offers.FIRST_WORDS
    return None if plain else Stance(pieces)
