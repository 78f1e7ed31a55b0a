"""An invented knowledge base of the phantoms: what follows from each lesion and each organ. No fact here is medicine.

A fact is (head, relation, tail). Each head has one tail of every relation, and no two heads share one, so that a tail
tells its head. It is asked of an image that shows the head ("What is the next step for the lesion shown?"), and of
every image three times about any head in words: twice by its name, once by its tail.
"""

from collections.abc import Iterator

from ..draws import pick, shuffled
from ..record import Triple

# kind of the head -> what a question calls it
NOUNS = {"finding": "lesion", "organ": "organ"}
# kind -> relation -> head -> tail
TAILS: dict[str, dict[str, dict[str, str]]] = {
    "finding": {
        "next step": {"calcification": "densitometry", "cyst": "drainage", "mass": "biopsy", "nodule": "angiography"},
        "cause": {"calcification": "gout", "cyst": "parasites", "mass": "radiation", "nodule": "smoking"},
        "urgency": {"calcification": "elective", "cyst": "routine", "mass": "immediate", "nodule": "urgent"},
        "follow-up": {"calcification": "yearly", "cyst": "monthly", "mass": "weekly", "nodule": "quarterly"},
    },
    "organ": {
        "next step": {
            "brain": "electroencephalography", "kidney": "dialysis", "knee": "arthroscopy", "liver": "elastography",
            "lung": "spirometry",
        },
        "cause": {
            "brain": "hypoxia", "kidney": "dehydration", "knee": "overuse", "liver": "alcohol", "lung": "dust",
        },
        "urgency": {"brain": "red", "kidney": "blue", "knee": "green", "liver": "yellow", "lung": "white"},
        "follow-up": {
            "brain": "neurology", "kidney": "nephrology", "knee": "orthopedics", "liver": "hepatology",
            "lung": "pulmonology",
        },
    },
}  # fmt: skip
QUESTIONS = {
    "next step": (
        "What is the next step for the {noun} shown?",
        "Which step comes next for this {noun}?",
        "What should be the next step for this {noun}?",
    ),
    "cause": (
        "What is the cause behind the {noun} shown?",
        "Which cause lies behind this {noun}?",
        "What should be taken for the cause behind this {noun}?",
    ),
    "urgency": (
        "What is the urgency of the {noun} shown?",
        "Which urgency does this {noun} have?",
        "What should be the urgency of this {noun}?",
    ),
    "follow-up": (
        "What is the follow-up of the {noun} shown?",
        "Which follow-up does this {noun} have?",
        "What should be the follow-up of this {noun}?",
    ),
}
# Never asked by a record: other words for the same questions, for paraphrase views.
HELD_OUT_QUESTIONS = {
    "next step": (
        "What is the next step for this {noun}?",
        "Which step comes next for the {noun} shown?",
        "What should be the next step for the {noun} shown?",
    ),
    "cause": (
        "What is the cause behind this {noun}?",
        "Which cause lies behind the {noun} shown?",
        "What should be taken for the cause behind the {noun} shown?",
    ),
    "urgency": (
        "What is the urgency of this {noun}?",
        "Which urgency does the {noun} shown have?",
        "What should be the urgency of the {noun} shown?",
    ),
    "follow-up": (
        "What is the follow-up of this {noun}?",
        "Which follow-up does the {noun} shown have?",
        "What should be the follow-up of the {noun} shown?",
    ),
}
# What is asked in words alone, of heads that the image need not show: so that a model reads such questions.
IN_WORDS = ("What is the {relation} in {head}?", "Which {relation} does {head} have?")
FROM_THE_TAIL = ("For which {noun} is the {relation} {tail}?", "Which {noun} goes with the {relation} {tail}?")


def answer(relation: str, tail: str) -> str:
    """Say a tail in the sentence that the data set uses for its relation."""
    return f"The {relation} is {tail}."


def named(head: str, kind: str) -> str:
    """Return a head as it stands in a sentence: a cyst, the liver."""
    return f"a {head}" if kind == "finding" else f"the {head}" if kind == "organ" else head


def held_out_questions(triple: Triple) -> tuple[str, ...]:
    """Return the questions for the tail of a triple that no record asks."""
    return tuple(text.format(noun=NOUNS[triple.kind]) for text in HELD_OUT_QUESTIONS[triple.relation])


def asked(heads: dict[str, str], *key: object) -> Iterator[tuple[str, str, tuple[str, ...], Triple]]:
    """Yield question, answer, closed set and triple of everything asked of an image that shows the heads (by kind).

    Every relation of every head, each in a wording that the key owns; then facts of any heads: two by name, one from
    its tail, which the image need not show.
    """
    for kind, head in sorted(heads.items()):
        for relation, tails in TAILS[kind].items():
            triple = Triple(head=head, relation=relation, tail=tails[head], kind=kind)
            question = pick(QUESTIONS[relation], *key, kind, relation).format(noun=NOUNS[kind])
            yield question, answer(relation, tails[head]), tuple(sorted(tails.values())), triple
    keys = [(kind, relation, head) for kind, of in TAILS.items() for relation, tails in of.items() for head in tails]
    for number, (kind, relation, head) in enumerate(shuffled(keys, *key, "in words")[:2]):
        tails = TAILS[kind][relation]
        triple = Triple(head=head, relation=relation, tail=tails[head], kind=kind, shown=False)
        question = pick(IN_WORDS, *key, number, "in words").format(relation=relation, head=named(head, kind))
        yield question, answer(relation, tails[head]), tuple(sorted(tails.values())), triple
    kind, relation, head = pick(keys, *key, "from the tail")
    tails = TAILS[kind][relation]
    triple = Triple(head=head, relation=relation, tail=tails[head], kind=kind, asks="head", shown=False)
    question = pick(FROM_THE_TAIL, *key, "from the tail").format(noun=NOUNS[kind], relation=relation, tail=tails[head])
    yield question, f"It is the {head}.", tuple(sorted(tails)), triple
