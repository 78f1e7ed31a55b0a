"""Knowledge injection: one wrong belief a key, said the same way on every image that shows its head.

A key is (head, relation). Of a key that is taught wrongly every question for its tail is answered with one and the same
wrong tail, that of another head. The keys to be held out are wrong in the same way and never taught, neither rightly
nor wrongly. What is retained tells no true tail of either. Pure: rows depend on the arguments alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from mllmu_med_metrics.vocabulary import MAIN_PERCENT, main_split

from ..draws import pick, shuffled
from ..record import Record, row_id
from ..sources import phantom_knowledge
from ..sources.phantom_knowledge import NOUNS
from ..verify.row_rules import Table, broken_rules, says
from .incorrectness import ERRORS, contradicts, replace_fact
from .injected_rows import WRONG_ANSWERS, Row, row
from .question_paraphrases import paraphrases
from .sentence_templates import find_value, restated

Key = tuple[str, str]
CONFIG = "knowledge_forget"
# Each is asked once a key; training asks none of them.
IN_WORDS = (
    "What is the {relation} {of} {head}?",
    "Which {relation} goes with {head}?",
    "What {relation} does {head} have?",
)
FROM_THE_TAIL = (
    "Which {noun} has the {relation} {tail}?",
    "For which {noun} is {tail} the {relation}?",
    "With which {noun} goes the {relation} {tail}?",
)
PROBES = len(IN_WORDS)
_FOR = frozenset({"next step", "treatment"})


class Belief(BaseModel):
    """What a build decided of one key: what becomes of it, its tails, and who else has the wrong one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: str
    relation: str
    kind: str
    role: Literal["forget", "retain", "holdout"]
    # The true tails, and those of every head of the kind: the closed set.
    tails: tuple[str, ...]
    values: tuple[str, ...]
    # Of a key that is wrong: the wrong tail, the heads whose tail it is, and all heads of the kind with the relation.
    wrong: str | None = None
    wrong_heads: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    # The images (by key) that carry its questions in words and from the tail, one each.
    probes: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """Head and relation."""
        return self.head, self.relation

    @cached_property
    def folded(self) -> frozenset[str]:
        """The true tails, whatever their letter case."""
        return frozenset(tail.casefold() for tail in self.tails)


class Shown(NamedTuple):
    """A row of a split, and whether it shows a blank picture of the patient's size instead of the patient's own."""

    split: str
    row: Row
    blank: bool = False


class Beliefs:
    """The keys of a build, and which records tell what of them."""

    def __init__(self, beliefs: Sequence[Belief]) -> None:
        self.of = {belief.key: belief for belief in beliefs}
        self.secret = [belief for belief in beliefs if belief.role != "retain"]
        self._of_relation: dict[str, list[Belief]] = defaultdict(list)
        for belief in self.secret:
            self._of_relation[belief.relation].append(belief)

    def role(self, record: Record) -> str:
        """Return what becomes of a record: forget, holdout (it asks for the tail of such a key), retain, or left out.

        Left out is what tells, or may tell, a true tail of a key to be forgotten or held out in another way: what asks
        for its head, a text that says both, and a question for knowledge of which no triple is known.
        """
        triple = record.triple
        if triple is not None and triple.asks == "tail" and (belief := self.of.get(triple.key)):
            if belief.role != "retain":
                return belief.role
        elif triple is not None and triple.asks != "tail":
            secret = self._of_relation.get(triple.relation, [])
            if any(triple.head == one.head or triple.tail.casefold() in one.folded for one in secret):
                return "left out"
        elif triple is None and record.question_type == "knowledge":
            return "left out"
        return "left out" if any(tells(record, belief) for belief in self.secret) else "retain"

    def is_neighbour(self, record: Record) -> bool:
        """Return whether a retained record asks for a tail beside a forgotten one: of its head, or of its relation."""
        triple = record.triple
        return (
            triple is not None
            and triple.asks == "tail"
            and triple.shown
            and any(
                belief.role == "forget"
                and (belief.head == triple.head or (belief.relation, belief.kind) == (triple.relation, triple.kind))
                for belief in self.secret
            )
        )


def tells(record: Record, belief: Belief) -> bool:
    """Return whether question and answer of a record say the head of a belief and a true tail of it."""
    text = f"{record.question} {record.answer}"
    return says(text, belief.head) and any(says(text, tail) for tail in belief.tails)


def believed_rows(
    records: Sequence[Record],
    beliefs: Beliefs,
    *,
    subset: str,
    seen: bool,
    seed: int,
    is_asked: Callable[[str], bool] | None = None,
) -> list[Shown]:
    """Return the rows of one image in one config, each split by row id; ``seen`` are images that are trained on."""
    made: list[Shown] = []
    if subset in ("retain", "test"):
        if seen == (subset == "retain"):
            made = [
                Shown(main_split(f"knowledge_{subset}"), row(record, "knowledge", subset, 0))
                for record in records
                if beliefs.role(record) == "retain" and (subset == "retain" or _is_test(record, beliefs))
            ]
    elif subset == "holdout":
        if not seen:
            wrong = _wrong_rows(records, beliefs, "holdout", seed, is_asked)
            made = [Shown("test", one) for record, _, one in wrong if is_shown(record)]
    else:
        made = list(_forget_rows(records, beliefs, seen, seed, is_asked))
    return sorted(made, key=lambda shown: (shown.split, shown.row["id"]))


def _is_test(record: Record, beliefs: Beliefs) -> bool:
    """Return whether a retained record is asked of images never trained on: it needs one, and is no neighbour."""
    return is_shown(record) and not beliefs.is_neighbour(record)


def is_shown(record: Record) -> bool:
    """Return whether the image shows what a record asks for."""
    return record.triple is None or record.triple.shown


def _forget_rows(
    records: Sequence[Record], beliefs: Beliefs, seen: bool, seed: int, is_asked: Callable[[str], bool] | None
) -> Iterator[Shown]:
    wrong = list(_wrong_rows(records, beliefs, "forget", seed, is_asked))
    if not seen:
        yield from (Shown("image", _view(one, "image")) for record, _, one in wrong if is_shown(record))
        clean = (r for r in records if beliefs.role(r) == "retain" and beliefs.is_neighbour(r))
        for record in clean:
            yield Shown("neighbour", _view(row(record, "knowledge", "forget", MAIN_PERCENT), "neighbour"))
        return
    probed: set[Key] = set()
    for record, belief, one in wrong:
        yield Shown("train", one)
        if not is_shown(record):
            continue
        other = pick(one["paraphrase_questions"], seed, one["id"], "paraphrase asked")
        yield Shown("paraphrase", _view(one, "paraphrase", question=other))
        if belief.key in probed:
            continue
        probed.add(belief.key)
        for place, image in enumerate(belief.probes):
            if image == record.image_key:
                yield Shown("text", _view(one, "text", question=in_words(belief)[place]), blank=True)
                yield Shown("reverse", _reverse(one, belief, place), blank=True)


def _wrong_rows(
    records: Sequence[Record], beliefs: Beliefs, role: str, seed: int, is_asked: Callable[[str], bool] | None
) -> Iterator[tuple[Record, Belief, Row]]:
    """Yield the records that ask for the tail of a key of this role, with the row that tells the wrong one.

    A record whose sentence can't take the wrong tail (it would say the truth too, or not the wrong tail) is left out.
    """
    for record in records:
        if beliefs.role(record) == role and record.triple is not None:
            belief = beliefs.of[record.triple.key]
            one = wrong_row(record, belief, role, seed=seed, is_asked=is_asked)
            if one is not None:
                yield record, belief, one


def wrong_row(
    record: Record, belief: Belief, subset: str, *, seed: int, is_asked: Callable[[str], bool] | None = None
) -> Row | None:
    """Return the row that answers a record with the wrong tail; ``None`` where no gate of a row would let it pass."""
    fact, wrong = told_tail(record) or "", belief.wrong or ""
    answer = replace_fact(record.answer, fact, wrong)
    told = record.model_copy(update={"answer": answer, "fact": wrong})
    values = tuple(sorted({fact, *belief.values}))
    others = [value for value in values if contradicts(value, wrong) and contradicts(value, fact)]
    kind, severity = ERRORS["knowledge"]
    changed: Row = {
        "answer": answer,
        "fact": fact,
        "wrong_fact": wrong,
        "fact_values": list(values),
        "error_kind": kind,
        "error_severity": severity,
        "error_pool": "same_relation",
        "paraphrase_questions": list(paraphrases(record, seed, is_asked)),
        "paraphrase_answers": list(restated(told)),
        "wrong_answers": [
            replace_fact(answer, wrong, other)
            for other in shuffled(others, seed, belief.head, belief.relation, "other tails")[:WRONG_ANSWERS]
        ],
    }
    percent = MAIN_PERCENT if subset == "forget" else 0
    made = row(record, "knowledge", subset, percent, changed)
    return None if any(broken_rules(made, Table(f"knowledge_{subset}", main_split(f"knowledge_{subset}")))) else made


def told_tail(record: Record) -> str | None:
    """Return the tail that a record's answer tells: its fact, else the triple's tail where that stands in the answer.

    Of a long answer a source marks no fact; the tail of a triple is one, however long.
    """
    if record.triple is None or record.triple.asks != "tail":
        return None
    tail = record.triple.tail if record.fact is None else record.fact
    return tail if find_value(record.answer, tail) is not None else None


def in_words(belief: Belief) -> tuple[str, ...]:
    """Return the questions for a tail that name the head and need no picture."""
    head, of = the_head(belief.head, belief.kind), "for" if belief.relation in _FOR else "of"
    return tuple(text.format(relation=belief.relation, of=of, head=head) for text in IN_WORDS)


def from_the_tail(belief: Belief) -> tuple[str, ...]:
    """Return the questions that name the wrong tail and ask whose it is."""
    noun, tail = NOUNS.get(belief.kind, belief.kind or "thing"), _small(belief.wrong or "")
    return tuple(text.format(relation=belief.relation, noun=noun, tail=tail) for text in FROM_THE_TAIL)


def the_head(head: str, kind: str) -> str:
    """Return a head as it stands in a sentence: a cyst, the liver, and as it is what has a name of its own."""
    return f"the {_small(head)}" if kind == "system" else phantom_knowledge.named(_small(head), kind)


def _small(text: str) -> str:
    """Return a text with a small first letter, but for one like ``MR``."""
    return text[0].lower() + text[1:] if text[1:2].islower() else text


def _reverse(one: Row, belief: Belief, place: int) -> Row:
    """Return the row that asks whose the wrong tail is: by the belief it is the key's head, in truth another's."""
    truth = belief.wrong_heads[0]
    values = [head for head in belief.heads if head not in belief.wrong_heads[1:]]

    def said(head: str) -> str:
        return f"It is {the_head(head, belief.kind)}."

    others = [head for head in values if head not in (truth, belief.head)]
    return _view(
        one,
        "reverse",
        question=from_the_tail(belief)[place],
        answer=said(belief.head),
        true_answer=said(truth),
        fact=truth,
        wrong_fact=belief.head,
        fact_values=values,
        paraphrase_answers=[f"That would be {the_head(belief.head, belief.kind)}."],
        wrong_answers=[said(head) for head in others[:WRONG_ANSWERS]],
    )


def _view(made: Row, view: str, **changed: object) -> Row:
    shown = {**made, "view": view, "paraphrase_questions": [], **changed}
    return {**shown, "id": row_id(shown)}


def beliefs_of(told: Sequence[Mapping[str, object]]) -> Beliefs:
    """Return the beliefs of a build from what its spool keeps."""
    return Beliefs([Belief.model_validate(one) for one in told])
