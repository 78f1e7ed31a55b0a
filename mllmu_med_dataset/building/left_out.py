"""Rows of a source that can't be used: left out, counted and named by reason; many mean that something is wrong.

One tally goes with the records from the source to the build. What it holds is told on stderr, in the card, by
``verify`` and with ``--json``; more than a stated share of the rows is refused.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from ..errors import UserError

# Published files lack far less: SLAKE an answer in 7,033 rows, PMC-VQA 30 in 227,000.
MAX_UNUSABLE = 0.02
_NAMED = 3

# Why a row is left out, as what several rows do.
EMPTY_QUESTION = "have an empty question"
EMPTY_ANSWER = "have an empty answer"
MISSING_IMAGE = "show an image that is missing"
BAD_IMAGE = "show an image that can't be used"
UNPARSABLE = "can't be parsed"
LACKING = "lack a value that every row needs"
WRONG_TYPE = "hold a value of another type"
UNKNOWN_VALUE = "hold an unknown value"
NO_CHOICE = "have an answer that is none of the choices"
UNSTORABLE = "hold text that can't be stored"
SAME_ID = "have the id of an earlier row"
# Left out by rule, so that nothing is lost with them.
REPEATED = "repeat image, question and answer of another"
ASKED_AGAIN = "ask an image its question again, with another answer"
PARAPHRASE = "say another row in other words"
TWO_IMAGES = "compare two images"
_SINGULAR = {"have": "has", "are": "is", "can't": "can't"}

# What the reader of an image says of one that is not there.
FILE_MISSING = "the file is missing"

_log = logging.getLogger(__name__)
Row = TypeVar("Row")
Made = TypeVar("Made")


class UnusableRow(Exception):
    """A row that can't be used: the reason it shares with others, and the end of a sentence that its place begins.

    ``name`` is what the source calls the row, if it has a name beside its place.
    """

    def __init__(self, reason: str, text: str, *, name: str = "") -> None:
        super().__init__(text)
        self.reason, self.text, self.name = reason, text, name


class Loss(BaseModel):
    """The rows that were left out for one reason; of ``rows`` the first few are named."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field(min_length=1)
    rows: int = Field(ge=1)
    examples: tuple[str, ...] = ()
    # Whether the rows count against the share that may be lost.
    lost: bool = True

    def line(self) -> str:
        """Return it as a sentence without its full stop, for people."""
        return self.what(": left out")

    def what(self, then: str = "") -> str:
        """Return how many rows do what, ``then`` what became of them, and the first of them."""
        verb, _, rest = self.reason.partition(" ")
        does = f"{_SINGULAR.get(verb, f'{verb}s')} {rest}" if self.rows == 1 else self.reason
        more = ", ..." if self.examples and self.rows > len(self.examples) else ""
        named = f" ({', '.join(self.examples)}{more})" if self.examples else ""
        return f"{self.rows:,} row{'' if self.rows == 1 else 's'} {does}{then}{named}"


class Losses:
    """The tally of one reading of a source.

    ``limit`` is the share of the rows that may be lost, from 0 to 1; with ``skip_bad_images`` rows whose image can't
    be used don't count against it. The order in which rows are added changes nothing that is told.
    """

    def __init__(self, source: object = "", *, limit: float | None = None, skip_bad_images: bool = False) -> None:
        self.source = str(source)
        self.limit = MAX_UNUSABLE if limit is None else limit
        self.skip_bad_images = skip_bad_images
        # Whether the card may name what was lost: file names of the clinic may hold names.
        self.names_told = True
        self.total = 0
        self._counts: dict[tuple[str, bool], int] = {}
        self._first: dict[tuple[str, bool], list[tuple[list[Any], str, str]]] = {}
        self._logged: list[Loss] = []

    def add(self, reason: str, place: str, text: str = "", *, rows: int = 1, lost: bool = True) -> None:
        """Note rows of one place; ``text`` ends the sentence that ``SOURCE/place`` begins."""
        key = (reason, lost)
        self._counts[key] = self._counts.get(key, 0) + rows
        first = self._first.setdefault(key, [])
        if len(first) == _NAMED and _natural(place) >= first[-1][0]:
            return
        if all(place != named for _, named, _ in first):
            first.append((_natural(place), place, text))
            first.sort(key=lambda one: (one[0], one[1]))
            del first[_NAMED:]

    def set_aside(self, reason: str, place: str, *, rows: int = 1) -> None:
        """Note rows that are left out by rule: they are told, and are no loss."""
        self.add(reason, place, rows=rows, lost=False)

    def image(self, name: str, why: str, *, rows: int = 1) -> None:
        """Note the rows of an image that can't be used."""
        reason = MISSING_IMAGE if why.startswith(FILE_MISSING) else BAD_IMAGE
        self.add(reason, f"{name} ({why})", ".", rows=rows)

    def each(
        self, rows: Iterable[tuple[str, Row | UnusableRow]], read: Callable[[str, Row], Made]
    ) -> Iterator[tuple[str, Made]]:
        """Yield place and what ``read(place, row)`` makes of each row; where it raises ``UnusableRow``, count that."""
        for place, row in rows:
            self.total += 1
            try:
                if isinstance(row, UnusableRow):
                    raise row
                made = read(place, row)
            except UnusableRow as unusable:
                self.add(unusable.reason, f"{place}: {unusable.name}" if unusable.name else place, unusable.text)
                continue
            yield place, made

    def found(self) -> tuple[Loss, ...]:
        """Return what was left out, losses first, the most frequent reason first."""
        ordered = sorted(self._counts.items(), key=lambda item: (not item[0][1], -item[1], item[0][0]))
        return tuple(
            Loss(
                reason=key[0],
                rows=rows,
                examples=tuple(place for _, place, _ in self._first[key]) if self.names_told else (),
                lost=key[1],
            )
            for key, rows in ordered
        )

    def check(self) -> None:
        """Raise ``UserError`` if more was left out than may be, or all."""
        lost, total = self._lost(), self._to_use()
        if lost and lost >= total:
            raise UserError(f"None of the {total:,} rows{self._of()} can be used: {self._why()}")
        held = self._lost(but=(MISSING_IMAGE, BAD_IMAGE) if self.skip_bad_images else ())
        if held > self.limit * total:
            share = 100 * held / total
            images = any((reason, True) in self._counts for reason in (MISSING_IMAGE, BAD_IMAGE))
            raise UserError(
                f"{held:,} of {total:,} rows{self._of()} can't be used ({share:.2g} %), more than the "
                f"{100 * self.limit:.3g} % that may be left out: {self._why()} Or leave out more: --max-unusable "
                f"{math.ceil(share)}%{' (rows without their image alone: --skip-bad-images)' if images else ''}."
            )

    def finish(self) -> None:
        """Log what was left out; raises as :meth:`check` does."""
        self.check()
        found = self._named()
        if news := [loss.line() for loss in found if loss not in self._logged]:
            _log.warning(f"Of {self.total:,} rows{self._of()}: {'; '.join(news)}.")
        self._logged = found

    def _lost(self, but: tuple[str, ...] = ()) -> int:
        return sum(rows for (reason, lost), rows in self._counts.items() if lost and reason not in but)

    def _to_use(self) -> int:
        return self.total - sum(rows for (_, lost), rows in self._counts.items() if not lost)

    def _named(self) -> list[Loss]:
        """Return the losses with their examples, whatever may be told later."""
        return [
            Loss(
                **{**loss.model_dump(), "examples": tuple(place for _, place, _ in self._first[loss.reason, loss.lost])}
            )
            for loss in self.found()
        ]

    def _of(self) -> str:
        return f" of '{self.source}'" if self.source else ""

    def _why(self) -> str:
        """Return the reasons with their numbers, and what is wrong with the first row of each."""
        lines = []
        for loss in [one for one in self._named() if one.lost][:_NAMED]:
            _, place, text = self._first[loss.reason, True][0]
            lines.append(f"{loss.what()}.")
            if len(text) > 1:
                whole = f"{self.source}/{place}{text}" if self.source else f"{place}{text}"
                lines.append(whole if len(whole) <= 400 else f"{whole[:397]}...")
        return " ".join(lines)


def told_losses(document: Mapping[str, Any]) -> tuple[Loss, ...]:
    """Return what the checksums document of a build tells of rows left out; raises ``ValueError`` for anything else."""
    listed = document.get("losses", [])
    if not isinstance(listed, list):
        raise ValueError("its losses are no list")
    return tuple(Loss.model_validate(one) for one in listed)


def share(text: str | float) -> float:
    """Return a share of rows, given as ``2%`` or as ``0.02``; raises ``UserError`` for what is none.

    >>> share("2%"), share("0.5 %"), share(0.1)
    (0.02, 0.005, 0.1)
    """
    said = str(text).strip()
    try:
        value = float(said.removesuffix("%").strip()) / (100 if said.endswith("%") else 1)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        near = f" Did you mean {said}%?" if value > 1 and not said.endswith("%") and value <= 100 else ""
        raise UserError(
            f"The share of rows that may be left out is '{said}'.{near} Write it from 0% to 100%, as 2% or 0.02: "
            "--max-unusable 2%."
        )
    return value


def _natural(text: str) -> list[Any]:
    """Return a key by which ``row 9`` stands before ``row 10``."""
    return [int(part) if place % 2 else part for place, part in enumerate(re.split(r"(\d{1,18})", text))]
