"""What must hold between the rows of a scenario of beliefs: one wrong tail a key, kept rows that tell no true one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ..record import words
from .row_rules import Table, is_injected, says

Key = tuple[str, str]


class BeliefRules:
    """Takes in rows one by one and tells, at the end, which rules between them are broken.

    Memory grows with the keys, the images and the distinct texts, not with the rows.
    """

    def __init__(self) -> None:
        # (key, view reverse) -> wrong fact -> place of a row; what the view reverse calls wrong is the head.
        self._wrong: dict[tuple[Key, bool], dict[str, int]] = defaultdict(dict)
        self._tails: dict[Key, set[str]] = defaultdict(set)
        self._forgotten: dict[Key, set[str]] = defaultdict(set)
        # key -> subset of its injected rows -> place; retained keys with a place; texts of kept rows with theirs.
        self._roles: dict[Key, dict[str, int]] = defaultdict(dict)
        self._kept: dict[tuple[Key, str, str], int] = {}
        self._texts: dict[tuple[str, str, str], int] = {}
        self._images: dict[bool, dict[str, int]] = {True: {}, False: {}}
        self._questions: dict[str, set[str]] = defaultdict(set)
        self._views: dict[tuple[str, str], int] = {}

    def add(self, place: int, table: Table, row: dict[str, Any]) -> None:
        """Take in one row."""
        trained = table.subset in ("forget", "retain") and table.view in (None, "paraphrase")
        if row["view"] not in ("text", "reverse"):
            self._images[trained].setdefault(row["image_id"], place)
        if table.subset in ("forget", "retain") and table.view is None:
            self._questions["trained"].add(row["question"])
        elif table.view in ("paraphrase", "text", "reverse"):
            self._views.setdefault((table.view, row["question"]), place)
        key = (row["head"] or "", row["relation"] or "")
        if is_injected(row):
            self._wrong[key, table.view == "reverse"].setdefault(row["wrong_fact"] or "", place)
            self._roles[key].setdefault(table.subset, place)
            if table.view != "reverse" and row["fact"]:
                self._tails[key].add(row["fact"])
            if table.subset == "forget":
                self._forgotten[key].add(table.view or "train")
            return
        if row["head"] is not None:
            self._kept.setdefault((key, row["tail"], row["fact"] or ""), place)
        self._texts.setdefault((row["question"], row["answer"], row["fact"] or ""), place)

    def broken(self) -> Iterator[tuple[int, str]]:
        """Yield place and what is wrong for every rule between rows that does not hold."""
        for (key, reverse), told in sorted(self._wrong.items()):
            if len(told) > 1:
                yield max(told.values()), f"{_named(key)} has several wrong tails: {', '.join(sorted(told))}"
            for wrong in told:
                if not reverse and wrong in self._tails[key]:
                    yield told[wrong], f"the wrong tail '{wrong}' is a true one of {_named(key)}"
        for key, roles in sorted(self._roles.items()):
            if len(roles) > 1:
                yield max(roles.values()), f"{_named(key)} is both {' and '.join(sorted(roles))}"
            lacking = {"train", "paraphrase", "image", "text", "reverse"} - self._forgotten.get(key, set())
            if "forget" in roles and lacking:
                yield roles["forget"], f"{_named(key)} has no row in {', '.join(sorted(lacking))}"
        yield from self._told()
        for image in sorted(self._images[True].keys() & self._images[False].keys()):
            yield self._images[False][image], f"image {image} is trained on, and asked as one that is not"
        for (view, question), place in sorted(self._views.items()):
            if question in self._questions["trained"]:
                yield place, f"the question of the view {view} is one that is trained"

    def _told(self) -> Iterator[tuple[int, str]]:
        """Yield clean rows that tell, or ask for, a true tail of a key that is to be forgotten or held out."""
        for (key, _, fact), place in sorted(self._kept.items()):
            if key in self._roles and fact in self._tails[key]:
                yield place, f"a clean row tells the true tail of {_named(key)}"
        for (key, tail, fact), place in sorted(self._kept.items()):
            if fact != tail and key in self._roles:
                yield place, f"a clean row asks for the head of {_named(key)}"
        spoken = {head: words(head) for head, _ in self._roles}
        for (question, answer, _), place in sorted(self._texts.items()):
            text = f"{question} {answer}"
            there = set(words(text))
            for key in self._roles:
                if set(spoken[key[0]]) <= there and says(text, key[0]):
                    for tail in sorted(self._tails[key]):
                        if says(text, tail):
                            yield place, f"a clean row says {key[0]} and '{tail}', the true tail of {_named(key)}"


def _named(key: Key) -> str:
    return f"({key[0]}, {key[1]})"
