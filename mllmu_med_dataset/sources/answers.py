"""What a corpus answers to each of its questions, and from it the wrong facts that a question can take.

A source tells every question with its fact in a first pass; in the second, each fact gets its closed set and the values
that would be a plausible error, from the first of these that has any:

1. ``yes_no``: the other of yes and no, in the fact's own spelling and language.
2. ``choices``: what the row or its question offers, and nothing else.
3. ``rule``: the other side or end of a scale ("left lung", "hypodense"), one more or less.
4. ``same_question``: what the corpus answers to the same question about the same region.
5. ``same_template``: what it answers to questions of the same narrow template in the same region and modality.

Never a value of another kind, another wording of the truth, a placeholder, or (3 to 5) what the corpus says once.
"""

import hashlib
import re
import sqlite3
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TypedDict

from mllmu_med_metrics.answers.facts import fact_form, fact_key

from ..injection.chinese import gloss, is_chinese
from ..injection.choices import alternatives, offers_choice
from ..injection.incorrectness import by_rule, contradicts, region_of_finding
from ..injection.kinds import (
    BESIDE,
    REGIONS,
    SPINE,
    TAKEN_FOR,
    YES_NO,
    affirms,
    imaging_in,
    kinds_of,
    opposite,
    organ_of_function,
    organs_in,
    region_of,
    regions_of_organ,
    words_of,
)
from ..injection.questions import asks_for_organ, asks_for_the_contrary, question_key, template, thing_shown
from ..injection.sentence_templates import find_value
from ..record import ErrorPool
from .closed_sets import ClosedSets

# Wrong facts of one question: more would say nothing more.
MAX_ERRORS = 32
FEWEST_TIMES = 2
# What the picture is, and how things look: the same in every region of the body.
_ANYWHERE = frozenset(
    {"modality", "sequence", "contrast", "plane", "projection", "color", "density", "shape", "number", "stain", "sex"}
    | {"region", "measure"}
)
# Answers to these say what is done or felt: their words tell no kind.
_FREE = frozenset(f"knowledge: {one}" for one in ("treat", "prevent", "cause", "symptom", "function", "harm"))
# Other organs that are said to belong to a system do belong to it: none of them is an error.
_TRUE_TOO = frozenset({"knowledge: belong"})
# Whose organs one picture may show, and which have findings in common.
_OVERLAPPING = ({"chest", "abdomen"}, {"abdomen", "pelvis"})
_COMMON = ({"abdomen", "pelvis"},)
_AT_THE_BORDER = frozenset({"lung", "heart", "diaphragm", "esophagus", "liver", "stomach", "spleen", "kidney"})
# A value of these kinds is answered with one of its kind alone.
_STRICT = _ANYWHERE | {"position", "organ", "system", "yes or no"}
_HEALTHY = frozenset(fact_key(value) for value in ("none", "normal", "no disease", "no abnormality"))
SIDES = frozenset([
    "left", "right", "upper", "lower", "top", "bottom", "center", "middle", "anterior", "posterior", "superior",
    "inferior",
])  # fmt: skip
# Beginnings that many findings have, and words that say nothing of what a thing is.
_IDLE_STEMS = frozenset(
    {"lesio", "mass", "abnor", "large", "small", "lobe", "image", "multi", "acute", "chron"}
    | {"pneum", "cardi", "hydro", "hyper", "bronc", "osteo", "neuro", "gastr", "hepat", "nephr"}
)

Pool = tuple[str, ...]


class FactFields(TypedDict):
    """What a record says of its fact."""

    fact: str | None
    fact_values: tuple[str, ...]
    error_values: tuple[str, ...] | None
    error_pool: ErrorPool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question of a corpus with its fact, and what narrows down which other facts it could have."""

    question: str
    fact: str | None
    # What shares a closed set.
    group: Hashable
    question_type: str
    region: str = ""
    modality: str = ""
    # The relation of a knowledge triple, in data that have one.
    relation: str = ""
    # The choices of the row itself, in data of multiple choice.
    choices: Sequence[str] = ()


class Answers:
    """The facts of a corpus by question; on disk, so that memory stays flat however many questions there are."""

    def __init__(self) -> None:
        self.closed = ClosedSets()
        # An empty name is a private file on disk that is gone with the connection.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(
            "CREATE TABLE answered(pool BLOB, key TEXT, value TEXT, times INT, PRIMARY KEY(pool, key)) WITHOUT ROWID"
        )
        self._db.execute("BEGIN")
        self._pool = lru_cache(maxsize=1024)(self._read)
        # Many rows ask the same question and have the same fact.
        self._cached = lru_cache(maxsize=4096)(self._fields)

    def add(self, item: Item) -> None:
        """Take in one question of the corpus."""
        fact = _spelled(item.fact)
        if fact is None:
            return
        self.closed.add(item.group, fact)
        if item.choices or opposite(fact, item.question) is not None:
            return
        pools = [*_question_pools(item), *_template_pools(item), _type_pool(item)]
        self._db.executemany(
            # Of several spellings the first in the alphabet: the order of the rows decides nothing.
            "INSERT INTO answered VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE "
            "SET value = MIN(value, excluded.value), times = times + 1",
            [(_digest(*pool), fact_key(fact), fact) for pool in dict.fromkeys(pools)],
        )

    def fields(self, item: Item) -> FactFields:
        """Return what a record says of its fact: ``fact, fact_values, error_values, error_pool``.

        For a question of the corpus, once all of it is taken in.
        """
        return self._cached(item).copy()

    def _fields(self, item: Item) -> FactFields:
        fact = _spelled(item.fact)
        if fact is None:
            return {"fact": None, "fact_values": (), "error_values": (), "error_pool": None}
        pool, errors, offered = self._errors(item, fact)
        values: tuple[str, ...]
        if pool == "yes_no":
            other = opposite(fact, item.question) or ""
            values = (fact, other) if affirms(fact) else (other, fact)
        elif offered:
            # The spelling of the choice, where the answer says it so.
            choice = next((value for value in offered if fact_key(value) == fact_key(fact)), fact)
            fact = choice if find_value(fact, choice) else fact
            values = tuple(sorted({fact_key(value): value for value in (*offered, fact)}.values()))
        else:
            spelled = self.closed.spelling(item.group, fact)
            # The set's spelling, where the answer says it so: but for case, punctuation and spaces.
            fact = spelled if _letters(spelled) == _letters(fact) and find_value(fact, spelled) else fact
            if pool != "rule":
                errors = tuple(dict.fromkeys(self.closed.spelling(item.group, value) for value in errors))
            values = self.closed.values(item.group, fact, errors)
        if not values:
            # Nothing is known to be of its kind, in this corpus.
            return {"fact": fact, "fact_values": (), "error_values": None, "error_pool": None}
        return {"fact": fact, "fact_values": values, "error_values": errors, "error_pool": pool if errors else None}

    def _errors(self, item: Item, fact: str) -> tuple[ErrorPool | None, tuple[str, ...], tuple[str, ...]]:
        """Return the pool that has plausible errors, the errors, and the choices where any are offered."""
        if (other := opposite(fact, item.question)) is not None:
            return "yes_no", ((other,) if _is_believable(item, fact) else ()), ()
        offered = tuple(map(fact_form, item.choices)) or alternatives(item.question, fact)
        if offered or offers_choice(item.question):
            others = [value for value in offered if contradicts(value, fact) and _is_value(value)]
            return ("choices" if others else None), tuple(_taken_for(others, fact) or others), offered
        if kinds_of(fact) & {"placeholder", "measure"} or asks_for_the_contrary(item.question):
            return None, (), ()
        if flipped := self._flipped(item, fact):
            return "rule", tuple(flipped), ()
        narrowing: tuple[tuple[ErrorPool, list[Pool]], ...] = (
            ("same_question", _question_pools(item)),
            ("same_template", _template_pools(item)),
        )
        found = [
            (name, values) for name, pools in narrowing if pools and (values := self._plausible(pools, item, fact))
        ]
        likely = [(name, near) for name, values in found if (near := _taken_for(values, fact))]
        return next(((name, tuple(values), ()) for name, values in (*likely, *found)), (None, (), ()))

    def _flipped(self, item: Item, fact: str) -> list[str]:
        """Return what follows from the fact itself; of counts those that the corpus gives, where it gives any."""
        flipped = [value for value in by_rule(item.question_type, fact, item.question) if contradicts(value, fact)]
        if kinds_of(fact) != {"number"} or not flipped:
            return flipped
        seen = {fact_key(value) for value, _ in self._pool(_digest(*_question_pools(item)[-1]))}
        # Of the unseen ones the smaller: a third kidney is less likely than a missed one. That there is any is told.
        unseen = [value for value in flipped if fact_key(value) != "0"][:1]
        return [value for value in flipped if fact_key(value) in seen] or unseen

    def _plausible(self, pools: Sequence[Pool], item: Item, fact: str) -> list[str]:
        """Return the plausible errors of the narrowest pool: that of the region, but for what is alike anywhere."""
        name = template(item.question, item.relation)
        if name in _TRUE_TOO:
            return []
        free = name in _FREE
        # "Brain" is an organ and a part of the body: the question says which.
        kinds = kinds_of(fact) - ({"region"} if asks_for_organ(item.question) else set())
        pool = pools[-1] if kinds & _ANYWHERE else pools[0]
        values = self._fitting(pool, item, fact, free=free)
        if not values and "organ" in kinds and pools == _question_pools(item):
            # An organ of the region beside, which the picture may show as well.
            values = self._fitting(pools[-1], item, fact, free=free)
        if "shape" in kinds and pools != _question_pools(item):
            # A form with a name belongs to few things: a mandible is U-shaped, and no eye is.
            values = [value for value in values if "shaped" not in words_of(value)]
        return _nearest(values, fact, is_region="region" in kinds)[:MAX_ERRORS]

    def _fitting(self, pool: Pool, item: Item, fact: str, *, free: bool) -> list[str]:
        """Return the values of a pool that are of the fact's kind and region, another thing, and no slip of the pen."""
        return [
            value
            for value, _ in self._pool(_digest(*pool))
            if contradicts(value, fact)
            and _is_value(value)
            and (free or (_same_kind(value, fact) and fact_key(gloss(value)) not in _HEALTHY))
            and (free or _is_found_in(value, item.region, beside=asks_for_organ(item.question)))
            and _no_part_alike(value, fact)
            and self._times(item, value) >= FEWEST_TIMES
        ]

    def _times(self, item: Item, value: str) -> int:
        counted = self._db.execute(
            "SELECT times FROM answered WHERE pool = ? AND key = ?", (_digest(*_type_pool(item)), fact_key(value))
        ).fetchone()
        return counted[0] if counted else 0

    def _read(self, pool: bytes) -> tuple[tuple[str, int], ...]:
        """Return the values of a pool, the most frequent first."""
        query = "SELECT value, times FROM answered WHERE pool = ? ORDER BY times DESC, key LIMIT ?"
        return tuple(self._db.execute(query, (pool, 4 * MAX_ERRORS)))


def offered(question: str, answer: str, choices: Sequence[str]) -> FactFields:
    """Return the same of a row of multiple choice, which needs no corpus: its choices are its closed set."""
    return Answers().fields(Item(question=question, fact=answer, group=None, question_type="", choices=tuple(choices)))


def _is_believable(item: Item, fact: str) -> bool:
    """Return whether the other of yes and no could be believed of an image, where it is asked what the image shows.

    Nobody believes that a chest film shows the eyes, or that it shows no chest: a far-off region or organ is not put
    in, and the image's own region and modality are not denied by their very name.
    """
    thing = thing_shown(item.question)
    if thing is None or kinds_of(thing) & {"finding", "sequence", "contrast"}:
        return True
    is_own = affirms(fact)
    asked, own = imaging_in(thing), imaging_in(item.modality)
    if asked:
        return not _is_bare_imaging(thing) if is_own else not own or bool({TAKEN_FOR.get(one) for one in own} & asked)
    if "plane" in kinds_of(thing) and own == {"x-ray"}:
        return is_own or "transverse" not in words_of(thing)
    if not item.region:
        return True
    region = region_of(thing)
    if is_own:
        return region != item.region
    organ = organ_of_function(thing) or thing
    # The spine runs through all of the trunk.
    if item.region not in BESIDE or set(words_of(organ)) & {*SPINE}:
        return True
    there = {region} if region else regions_of_organ(organ)
    return not there or bool(there & {item.region, *BESIDE[item.region]})


def _is_bare_imaging(thing: str) -> bool:
    """Return whether a thing is a modality by its very name: "an MRI scan", but not "CT with contrast"."""
    plain = " ".join(words_of(thing))
    return bool(
        re.fullmatch(
            r"(?:plain film )?(?:ct|mri?|x ray|xray|ultrasound|magnetic resonance|radiograph|plain film)"
            r"(?: (?:scan|image|imaging|film|[^ a-z]))*",
            plain,
        )
    )


def _question_pools(item: Item) -> list[Pool]:
    """Return the pools of the same question: about the region, and about any."""
    same = question_key(item.question)
    return [("question", same, item.region), ("question", same, "")]


def _template_pools(item: Item) -> list[Pool]:
    """Return the pools of the question's template: in the region and modality, and in any; none without a template."""
    name = template(item.question, item.relation)
    organs = " ".join(sorted(organs_in(item.question)))
    if name is None or (name == "where the organ is" and not organs):
        return []
    name = f"{name} {is_chinese(item.question)}"
    # What is wrong with the pancreas is not what is wrong with the bowel.
    return [("template", name, organs, item.region, item.modality), ("template", name, "", "", "")]


def _type_pool(item: Item) -> Pool:
    return ("type", item.question_type, str(is_chinese(item.question)))


def _same_kind(value: str, fact: str) -> bool:
    """Return whether a value may be of the fact's kind: no plane for an organ, and no unknown thing for a place."""
    ours, theirs = kinds_of(value), kinds_of(fact)
    if ours and theirs:
        # The chest is a part of the body, and no organ of it.
        parts = ["region" in kinds and not organs_in(text) for text, kinds in ((value, ours), (fact, theirs))]
        return bool(ours & theirs) and parts[0] <= ("region" in theirs) and parts[1] <= ("region" in ours)
    return not ((ours | theirs) & _STRICT)


def _is_found_in(value: str, region: str, *, beside: bool) -> bool:
    """Return whether a finding or an organ is one of the region (or one ``beside`` it), or may be in any."""
    kinds = kinds_of(value)
    if not region or "region" in kinds:
        return True
    words = set(words_of(value))
    # "Right chest" is no place in the abdomen.
    parts = {region_of(word) for word in words if not kinds_of(word) & {"position"}}
    if len(parts) == 1 and parts != {None} and not organs_in(value):
        return region in parts
    if "modality" in kinds and (there := {name for name, names in REGIONS.items() if words & set(names)}):
        return region in there
    is_finding = "finding" in kinds
    named = {region_of_finding(gloss(value))} - {None} if is_finding else regions_of_organ(value)
    near = _OVERLAPPING if beside and not is_finding and organs_in(value) & _AT_THE_BORDER else _COMMON
    return not named or region in named or any({region, one} in near for one in named)


def _nearest(values: list[str], fact: str, *, is_region: bool) -> list[str]:
    """Return the likeliest mistakes: of regions those beside, of places those in the same organ."""
    if is_region and (region := region_of(fact)) is not None:
        return [value for value in values if region_of(value) in BESIDE[region]]
    words = set(words_of(fact))
    if words & SIDES and (organs := {word for word in words if "organ" in kinds_of(word)}):
        return [value for value in values if set(words_of(value)) & SIDES and organs & set(words_of(value))]
    return values


def _taken_for(values: list[str], fact: str) -> list[str]:
    """Return the values that a modality is taken for, none where it has none among them; all for any other fact."""
    likely = {TAKEN_FOR.get(one) for one in imaging_in(fact)} - {None} if "modality" in kinds_of(fact) else set()
    return [value for value in values if imaging_in(value) & likely] if likely else values


def _no_part_alike(value: str, fact: str) -> bool:
    """Return whether nothing of a value is another wording of something of the fact: a misspelling, one of a list."""
    ours, theirs = (_parts(text) for text in (value, fact))
    if len(ours) != len(theirs) and fact_key(gloss(fact)) not in _HEALTHY:
        return False
    if len(theirs) > 1 and not all(contradicts(one, other) for one in ours for other in theirs):
        return False
    sided = {bool(set(words_of(text)) & SIDES) for text in (value, fact)}
    if "organ" in kinds_of(fact) and organs_in(value) & organs_in(fact) and len(sided) > 1:
        return False
    # One of two sides is a part of both.
    both = [bool({"both", "bilateral"} & set(words_of(text))) for text in (value, fact)]
    one_sided = [bool({"left", "right"} & set(words_of(text))) for text in (value, fact)]
    if (both[0] and one_sided[1]) or (both[1] and one_sided[0]):
        return False
    words, others = ([word for word in words_of(text) if word not in SIDES] for text in (value, fact))
    for word in words:
        for other in others:
            if word != other and len(word) > 4 and SequenceMatcher(None, word, other).ratio() >= 0.8:
                return False
    if "position" in kinds_of(fact):
        return True
    return not (_stems(words) & _stems(others) - _IDLE_STEMS)


def _stems(words: Sequence[str]) -> set[str]:
    """Return the beginnings of the words that are more than a place."""
    return {word[:5] for word in words if len(word) > 3 and not kinds_of(word) & {"organ", "region"}}


def _parts(value: str) -> list[str]:
    """Return the items of a list; where sides are named, the parts belong together ("left lung, upper")."""
    if set(words_of(value)) & SIDES:
        return [value]
    return [part for part in re.split(r"[,;，；、]| and |和|/", value) if part.strip()]


def _spelled(fact: str | None) -> str | None:
    """Return a fact as it is stored: in its form, and yes and no in one of two letter cases."""
    if fact is None:
        return None
    bare = fact_form(fact) or fact
    return bare.capitalize() if bare.casefold() in YES_NO and not bare.islower() else bare


def _letters(value: str) -> str:
    return "".join(re.findall(r"[^\W_]+", value)).casefold()


def _is_value(value: str) -> bool:
    return "placeholder" not in kinds_of(value)


def _digest(*names: str) -> bytes:
    return hashlib.blake2b("\0".join(names).encode("utf-8", "surrogatepass"), digest_size=12).digest()
