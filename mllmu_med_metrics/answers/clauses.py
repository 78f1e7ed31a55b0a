"""Where a clause ends and a statement of its own begins, as the rules on denials read a text."""

from collections.abc import Sequence

from mllmu_med_metrics.answers.pieces import word_set

ENDS = frozenset(".,;:!?()")
SENTENCE_ENDS = frozenset(".;!?")
BREAKS = frozenset(".;:!?()") | word_set(
    "but however although though while whereas yet nevertheless nonetheless because since albeit 但 而 却 然 因"
)
STOPS = BREAKS | {","}
# What begins a statement of its own after a comma or "and".
STARTERS = word_set(
    "the it its there this that these those they he she a an i we is are was were in on at instead rather but only "
    "just merely small mild moderate minimal slight trace tiny stable unchanged persistent normal clear unremarkable "
    "positive one two three four five several many multiple both which who whose so then therefore hence thus some yes present seen found visible"
)
BE = word_set("is are was were be been being s get gets got")
AUXILIARIES = BE | word_set(
    "has have had can could may might will would do does did should must to need needs appear appears appeared seem "
    "seems seemed remain remains become became look looks"
)
# With one of these before it in the clause an exclusion is not done ("not", "hard to") or still to do ("should").
_NOT_EXCLUDED = word_set(
    "not never unable impossible difficult hard no nothing without insufficient inability neither nor hardly should "
    "must only need needs needed required recommended advised please further cant 不 无 未 难 需 应 待 没"
)
# "A CT would exclude a cyst" is still to do; "I would exclude a cyst" is done.
_MODALS = frozenset({"would", "might", "may"})
_SPEAKERS = frozenset({"i", "we"})
_DONE_BY = word_set(
    "able possible us help helps used sufficient enough me appear appears appeared seem seems seemed thought considered "
    "felt believed deemed"
)


def end_of_sentence(pieces: Sequence[str], at: int) -> int:
    """Return the place of the full stop, semicolon, or other mark that ends the sentence of a place."""
    total = len(pieces)
    while at < total and pieces[at] not in SENTENCE_ENDS:
        at += 1
    return at


def start_of_sentence(pieces: Sequence[str], at: int) -> int:
    """Return the place of the first word of the sentence of a place."""
    while at and pieces[at - 1] not in SENTENCE_ENDS:
        at -= 1
    return at


def next_stop(pieces: Sequence[str], at: int) -> int:
    """Return the place of the next stop from a place on: punctuation, "but", "although"."""
    total = len(pieces)
    while at < total and pieces[at] not in STOPS:
        at += 1
    return at


def mark(marks: list[bool], start: int, end: int) -> None:
    """Set the marks from one place to another."""
    marks[start:end] = [True] * (end - start)


def start_of_clause(pieces: Sequence[str], at: int) -> int:
    """Return the place of the first word of the clause of a place, commas apart."""
    while at and pieces[at - 1] not in BREAKS:
        at -= 1
    return at


def past_aside(pieces: Sequence[str], at: int) -> int:
    """Return the place after an aside between commas or in parentheses that begins at a place; the place without one.

    >>> past_aside(("not", ",", "in", "fact", ",", "a", "cyst"), 1)
    5
    """
    close = {",": ",", "(": ")"}.get(pieces[at]) if at < len(pieces) else None
    if close is None:
        return at
    for end in range(at + 1, min(at + 9, len(pieces) - 1)):
        if pieces[end] == close:
            return at if pieces[end + 1] in ENDS else end + 1
        if pieces[end] in ENDS:
            break
    return at


def left_open(pieces: Sequence[str], start: int, at: int) -> bool:
    """Say whether an exclusion at a place is not done or still to be done, by the clause before it."""
    before = pieces[start:at]
    if not _NOT_EXCLUDED.isdisjoint(before):
        return True
    if not _MODALS.isdisjoint(before) and _SPEAKERS.isdisjoint(before):
        return True
    while len(before) > 1 and before[-1] == "be" and before[-2] == "to":
        before = before[:-1]
    if before and before[-1] == "to":
        return len(before) < 2 or before[-2] not in _DONE_BY
    return not before and pieces[at] in ("rule", "exclude")
