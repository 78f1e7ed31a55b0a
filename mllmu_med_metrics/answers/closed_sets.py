"""A closed set made ready: where its values are found in a text, and what its values mean together."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from mllmu_med_metrics.answers.coordination import shared_ends
from mllmu_med_metrics.answers.facts import adjectives, forms, names_alone
from mllmu_med_metrics.answers.sides import Pair, pairs_of, turned
from mllmu_med_metrics.normal_form import Phrases

_YES_NO = frozenset({"yes", "no"})
_CHINESE_YES = ("是", "是的", "对", "有", "对的")
_CHINESE_NO = ("否", "不是", "不", "没有", "无", "不对")


class ClosedSet(NamedTuple):
    """A closed set made ready: where its values are found, and what its values mean together."""

    table: dict[str, str]
    phrases: Phrases
    ascii_phrases: Phrases
    alone: dict[str, str]
    adjectives: dict[str, str]
    yes_no: bool
    chinese_yes_no: dict[str, str]
    together: dict[str, Pair]
    sides: list[Pair]
    nothing: str | None
    opposites: dict[str, str]
    shared: dict[tuple[str, ...], tuple[str, str]]
    shared_words: frozenset[str]

    def named(self, form: str) -> tuple[str, ...]:
        """Return the values that a form found in a text names: one, or both of a pair of sides."""
        value = self.table.get(form)
        if value is not None:
            return (value,)
        pair = self.together[form]
        return (pair.both,) if pair.both else (pair.first, pair.second)


def _chinese_yes_no(table: Mapping[str, str]) -> dict[str, str]:
    """Return the values that mean yes and no in a Chinese closed set that holds both."""
    yes = next((table[word] for word in _CHINESE_YES if word in table), None)
    no = next((table[word] for word in _CHINESE_NO if word in table), None)
    return {"yes": yes, "no": no} if yes is not None and no is not None else {}


def _negated(table: Mapping[str, str]) -> dict[str, str]:
    """Return value -> the value that denies it: "present" -> "not present", "包含" -> "不包含"."""
    return {
        value: table[no + form] for form, value in table.items() for no in ("not", "no", "non", "不", "没有")
        if no + form in table
    }  # fmt: skip


@lru_cache(maxsize=8192)
def distinct_values(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return each value once: in one order for all orders of the same values, unless two of them share a name.

    Then the first of them counts, so that their order stays. An answer read for one fact of a closed set need not be
    read anew for another.

    >>> distinct_values(("mass", "cyst", "mass")), distinct_values(("xray", "radiograph"))
    (('cyst', 'mass'), ('xray', 'radiograph'))
    """
    distinct = tuple(dict.fromkeys(values))
    names = [forms(value) | names_alone(value) | adjectives(value) | turned(value) for value in distinct]
    alike = sum(map(len, names)) > len(frozenset().union(*names))
    return distinct if alike else tuple(sorted(distinct))


@lru_cache(maxsize=8192)
def closed_set(values: tuple[str, ...]) -> ClosedSet:
    """Return the form -> value table of a set of values (first value wins) and all that is read with it."""
    table: dict[str, str] = {}
    for value in values:
        for form in forms(value):
            table.setdefault(form, value)
    for value in values:
        for form in turned(value):
            table.setdefault(form, value)
    table.pop("", None)
    alone: dict[str, str] = {}
    for value in values:
        for form in names_alone(value):
            if form not in table:
                alone.setdefault(form, value)
    of_parts = {word: form for form, value in table.items() for word in adjectives(value) if word not in table}
    chinese = _chinese_yes_no(table)
    together, sides = pairs_of(table)
    counts = sum(form.isdigit() and form != "0" for form in table) >= 2
    looked_for = [form for form in (*table, *together) if form not in _YES_NO]
    if chinese:
        looked_for = [form for form in looked_for if form not in (*_CHINESE_YES, *_CHINESE_NO)]
    shared = shared_ends(values)
    # Chinese names are short, and the shortest form decides how fast a text is searched.
    phrases = Phrases(looked_for, keep_numbers_apart=True)
    ascii_phrases = Phrases(filter(str.isascii, looked_for), keep_numbers_apart=True)
    return ClosedSet(
        table, phrases, ascii_phrases, alone, of_parts, not _YES_NO.isdisjoint(table), chinese, together,
        sides, table.get("0", table.get("none")) if counts else None, _negated(table), shared,
        frozenset(word for before in shared for word in before),
    )  # fmt: skip
