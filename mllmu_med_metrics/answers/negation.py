"""Whether a text denies a thing where it names it: by a cue before it, and by what it goes on to say of it."""

from collections.abc import Sequence

from mllmu_med_metrics.answers import scopes, sequels
from mllmu_med_metrics.answers.scopes import denied_ahead
from mllmu_med_metrics.answers.sequels import sequel

__all__ = ["denied", "denied_ahead"]


def denied(pieces: Sequence[str], ahead: Sequence[int], first: int, end: int) -> bool:
    """Say whether the text denies what it names at pieces[first:end]; `ahead` is what `denied_ahead` returns.

    A denial of a denial says the thing: "I would not say that a cyst is absent", "that there is no cyst is wrong".

    >>> from mllmu_med_metrics.answers.pieces import pieces_of
    >>> pieces = pieces_of("No cyst, and the mass has resolved.")
    >>> [denied(pieces, denied_ahead(pieces), at, at + 1) for at in (1, 5)]
    [True, True]
    """
    before = ahead[first]
    if before == scopes.DENIED and sequels.UNDOING.isdisjoint(pieces[end:]):
        return True
    after = sequel(pieces, first, end)
    if after == sequels.NOTHING:
        return before != scopes.SAID and not sequels.appears_after_all(pieces, end)
    if after == sequels.AFTER_ALL:
        return False
    if after == sequels.WRONG:
        return before == scopes.SAID
    return before != scopes.DOUBTED
