"""A study as a directed graph of stages: what each needs, the command that does it, and what it costs.

Every engine and `--plan` take this one graph. A stage finds its work done, or half done, and
goes on; so stages may run in any order that keeps what they need, on any machine that shares the folder.
"""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path

Part = Callable[[int, int], None]  # follows a stage: done, of


@dataclass(frozen=True)
class Stage:
    """One step: `run` takes a progress callback and returns whether there was anything to do.

    id: names it in its graph. needs: ids of the stages that must have ended well before. argv: the command that does
    the same in a process of its own. cost: expected seconds on one core. kind: what it is one of, which another machine
    does faster or slower by one factor. leaves: what is there once it was done, where that is known. needs_gpu: whether
    an accelerator does anything for it. decides: what a record of it must have been made by to count, where that is
    less than its command.
    """

    id: str
    title: str
    needs: tuple[str, ...]
    argv: tuple[str, ...]
    run: Callable[[Part], bool]
    cost: float
    kind: str = ""
    leaves: tuple[Path, ...] = ()
    needs_gpu: bool = True
    decides: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command as a shell takes it."""
        return shlex.join(self.argv)

    def line(self) -> str:
        """Return the stage as one line of text, tab-separated: id, what it needs, command."""
        return f"{self.id}\t{','.join(self.needs) or '-'}\t{self.command}"


class Graph(Mapping[str, Stage]):
    """Stages by id, in the order they were given; none needs an unknown one, or itself by way of others."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        """Take the stages; raise ValueError for an id that stands twice, is needed and unknown, or needs itself."""
        self._stages = {stage.id: stage for stage in stages}
        if len(self._stages) < len(stages):
            raise ValueError("two stages have one id")
        if unknown := {need for stage in stages for need in stage.needs} - self._stages.keys():
            raise ValueError(f"stages are needed that the graph does not have: {', '.join(sorted(unknown))}")
        self._order = tuple(TopologicalSorter({stage.id: stage.needs for stage in stages}).static_order())

    def __getitem__(self, id: str) -> Stage:
        return self._stages[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stages)

    def __len__(self) -> int:
        return len(self._stages)

    @cached_property
    def urgency(self) -> dict[str, float]:
        """The cost of the longest way from a stage to the end, its own included: what is longest starts first."""
        longest = {id: stage.cost for id, stage in self._stages.items()}
        for id in reversed(self._order):
            for need in self._stages[id].needs:
                longest[need] = max(longest[need], self._stages[need].cost + longest[id])
        return longest
