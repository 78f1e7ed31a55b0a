"""The same question in other words that no trained row uses: the held-out side of every question.

A phantom's question has held-out phrasings of its own. A question of a form that is common in radiology data sets is
turned round by a rule; any other one is wrapped, which changes nothing about what it asks.
"""

import re

from .draws import shuffled
from .record import Record
from .sources import phantom

PARAPHRASES = 3
WRAPPERS = (
    "Look at the image: {question}",
    "{question} Answer from the image.",
    "About this image: {question}",
    "Please answer: {question}",
)
_IMAGE = r"(?:image|picture|scan|study|radiograph|x-?ray)"
# A form of question, and ways to put it; \1 and \2 are its own words.
_TURNED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        r"(?:what|which) (?:imaging )?(?:modality|technique) (?:is|was) used (?:to (?:take|acquire)|for|in) this "
        rf"{_IMAGE}"
        rf"|what is the (?:imaging )?modality (?:of|for) this {_IMAGE}|what imaging modality is (?:seen here|this|used)"
        rf"|what (?:type|kind) of (?:medical )?(?:imaging|{_IMAGE}) is this",
        (
            "By which imaging modality was this picture made?",
            "Name the modality of this picture.",
            "The modality of what we see here is which one?",
        ),
    ),
    (
        rf"(?:what|which) part of the body (?:does this {_IMAGE} belong to|is (?:being )?(?:imaged|shown)(?: here)?)",
        (
            "Name the part of the body in this picture.",
            "We see which part of the body here?",
            "Tell which part of the body was imaged here.",
        ),
    ),
    (
        rf"what is the (?:scanning |imaging )?plane of this {_IMAGE}"
        rf"|(?:in )?(?:what|which) plane is this {_IMAGE}(?: (?:in|taken|acquired))*",
        (
            "Name the plane of this picture.",
            "This picture was taken in which plane?",
            "Tell the plane in which this was scanned.",
        ),
    ),
    (
        rf"does (?:the|this) ({_IMAGE}) (?:contain|show|include) (.+)",
        (
            r"Would you say that we see \2 in this \1?",
            r"Looking at this \1, do you find \2?",
            r"Say whether \2 can be seen in this \1.",
        ),
    ),
    (
        r"(?:is|are) there (?:an? |any )?(.+)",
        (
            r"Say whether one can see any \1.",
            r"Looking closely, do you find any \1?",
            r"Would you say that we see any \1?",
        ),
    ),
    (
        r"(?:is|was) this (an? .+)",
        (
            r"Would you call this \1?",
            r"Say whether this is \1.",
            r"Looking closely, do you take this for \1?",
        ),
    ),
    (
        r"where (is|are) (.+?)(?: located)?(?: in this (?:image|picture))?",
        (
            r"Tell where \2 \1.",
            r"In which place do you find \2?",
            r"Looking closely, \2 \1 where?",
        ),
    ),
    (
        rf"(?:what|which) diseases? (?:is|are) (?:included|shown|seen|present) in (?:the|this) {_IMAGE}",
        (
            "Name what disease can be seen in this picture.",
            "We see which disease here?",
            "Tell what disease this picture shows.",
        ),
    ),
    (
        r"how many (.+?) (are|can be) (.+)",
        (
            r"Tell the number of \1 that \2 \3.",
            r"Of \1, how many \2 \3?",
            r"Count what \1 \2 \3.",
        ),
    ),
    (
        r"what colou?r (?:is|are|does) (.+)",
        (
            r"Tell the color of \1.",
            r"In which color do we see \1?",
            r"Name the color: \1.",
        ),
    ),
    (
        r"what is the (shape|size|color|position|location|function|orientation|density) of (.+)",
        (
            r"Tell the \1 of \2.",
            r"How would you give the \1 of \2?",
            r"Looking closely, which \1 do you give for \2?",
        ),
    ),
    (
        r"(?:does|do) (.+?) looks? (normal|healthy|abnormal)(?: here)?",
        (
            r"Say whether \1 can be called \2.",
            r"Looking closely, do you find \1 \2?",
            r"Would you call the look of \1 \2?",
        ),
    ),
)
_RULES = tuple((re.compile(form, re.IGNORECASE), ways) for form, ways in _TURNED)


def paraphrases(record: Record, seed: int) -> tuple[str, ...]:
    """Return three other ways to ask the record's question, none of which any row is trained on."""
    question = record.question
    key = (seed, record.image_key, question, "paraphrase")
    if record.source == "phantom" and question in phantom.QUESTIONS.get(record.question_type, ()):
        return tuple(shuffled(phantom.HELD_OUT_QUESTIONS[record.question_type], *key)[:PARAPHRASES])
    turned = shuffled(_turned(question), *key)
    wrapped = shuffled((wrapper.format(question=question) for wrapper in WRAPPERS), *key)
    return tuple([*turned, *wrapped][:PARAPHRASES])


def _turned(question: str) -> list[str]:
    asked = question.strip().rstrip("?. ")
    for form, ways in _RULES:
        if found := form.fullmatch(asked):
            return [found.expand(way) for way in ways]
    return []
