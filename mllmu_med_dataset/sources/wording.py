"""What a question asks for, told from its words: for sources whose rows say no more than question and answer."""

import re

from mllmu_med_metrics.vocabulary import QuestionType

from ..injection.choices import alternatives
from ..injection.kinds import is_yes_no
from ..record import clean_text

__all__ = ["alternatives", "choice_text", "group", "question_type"]

# In this order: "what modality shows the size of the mass" asks for the modality.
_ASKS: tuple[tuple[QuestionType, str], ...] = (
    (
        "modality",
        r"modality|imaging (technique|method|procedure|study)"
        r"|(type|kind|sort) of (medical )?(imag|scan|radiograph|study)"
        r"|how (was|is|were) (this|the) (image|scan|study|picture)s? (taken|acquired|obtained|made|produced)"
        r"|what (scan|imaging) (is|was)|(ct|mri|x-?ray|ultrasound) or (an? )?(ct|mri|x-?ray|ultrasound)",
    ),
    ("plane", r"\bplane|axial|coronal|sagittal|transverse|(what|which) view|orientation of (the|this) (image|scan)"),
    ("quantity", r"how many|number of|how much"),
    ("color", r"colou?r"),
    ("shape", r"\bshape"),
    (
        "size",
        r"how (large|big|small|long|wide|thick)|\bsize|enlarged|diameter|(larg|bigg|small)(er|est)"
        r"|(what|which) .*measure",
    ),
    (
        "position",
        r"\bwhere\b|locat|position|(which|what) (side|lobe|lung|part|area|region|quadrant|hemisphere|aspect)"
        r"|left or (the )?right|right or (the )?left|(upper|lower|anterior|posterior) or",
    ),
    (
        "knowledge",
        r"function of|treat|caused? by|what causes|cause of|risk factor|symptom|prevent|used for|treatment|prognosis",
    ),
    (
        "abnormality",
        r"abnormal|disease|diagnos|lesion|patholog|finding|condition|wrong|fracture|tumou?r|\bmass\b|disorder|cancer"
        r"|infection|syndrome|healthy|opacit",
    ),
    ("organ", r"organ\b|organs\b|organ system|body part|part of the body|anatom|(what|which) (structure|tissue|bone)"),
)
_ASKED = tuple((kind, re.compile(pattern)) for kind, pattern in _ASKS)


def question_type(question: str, answer: str) -> QuestionType:
    """Return what a question asks for, by its words: ``yes_no`` where that is the answer, else ``other`` in doubt."""
    if is_yes_no(answer):
        return "yes_no"
    asked = clean_text(question).casefold()
    return next((kind for kind, pattern in _ASKED if pattern.search(asked)), "other")


def group(kind: QuestionType, question: str) -> tuple[str, ...]:
    """Return what shares a closed set: the question type, and the question itself where the type says nothing."""
    return (kind, clean_text(question).casefold()) if kind == "other" else (kind,)


def choice_text(choice: str, label: str) -> str:
    """Return a choice without its label (`` B:Magnetic resonance imaging ``, ``(b) left``) and without a full stop.

    Only its own label goes: ``E. coli`` as choice A stays whole.
    """
    bare = re.sub(rf"^(?:\({label}\)|{label}\s*[:.)])", "", clean_text(choice), count=1, flags=re.IGNORECASE)
    return clean_text(bare).rstrip(".").strip()
