"""What a source of records is: its name, what opens it, whose it is, and under which licence."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..record import Record
from .attribution import Attribution

# What `open_source` gives to every source that takes it; the other parameters of its `records` are its own options.
COMMON = ("path", "seed", "patients", "workers", "losses", "with_beliefs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source of records: its name, whether it needs your copy of it, its licence, and what it is.

    ``records`` yields the records; of ``path``, ``seed``, ``patients``, ``workers``, ``losses`` and ``with_beliefs``
    it takes those it has a use for, any other parameter is an option of the source. ``redistributable`` says whether
    its pixels may be passed on (``None``: you say so), ``hub`` is its repository on the Hub, if it has one, of which
    ``hub_files`` gives the patterns of the files that some options need (all, without it), and ``download`` where
    people get it otherwise.
    ``attribution`` names the work, of a source that is published.
    """

    name: str
    records: Callable[..., Iterator[Record]]
    needs_path: bool
    license: str
    summary: str
    redistributable: bool | None
    hub: str | None = None
    hub_files: Callable[[Mapping[str, str]], tuple[str, ...]] | None = None
    download: str | None = None
    attribution: Attribution | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the options only this source has."""
        return tuple(name for name in inspect.signature(self.records).parameters if name not in COMMON)
