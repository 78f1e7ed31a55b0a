"""What a fact is: the form in which it is stored, the key by which two spellings are one fact, and other names.

The data set and the metrics read facts through this file alone, so what a build holds for the same, the score does.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import permutations

from mllmu_med_metrics.negation import is_word, pieces_of
from mllmu_med_metrics.normalise import squeeze

NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
NUMBER_WORDS = {word: str(number) for number, word in enumerate(NUMBERS)}
SPELLINGS = {
    "tumour": "tumor", "colour": "color", "grey": "gray", "oedema": "edema", "centre": "center",
    "oesophagus": "esophagus", "haemorrhage": "hemorrhage", "haematoma": "hematoma", "anaemia": "anemia",
}  # fmt: skip
# Names of one thing: values of one group are one fact, which no injection swaps for another. A value is found in an
# answer under the names of its group.
SAME_THING = (
    ("ct", "ct scan", "computed tomography", "cat scan"),
    ("mr", "mri", "mri scan", "mr scan", "magnetic resonance", "magnetic resonance imaging", "nmr"),
    ("x ray", "xray", "radiograph", "radiography", "plain film", "roentgenogram"),
    ("ultrasound", "us", "ultrasonography", "sonography", "sonogram"),
    ("axial", "transverse", "transversal", "horizontal", "transverse plane", "axial plane"),
    ("coronal", "frontal", "coronal plane", "frontal plane"),
    ("mass", "tumor", "tumour", "neoplasm"),
    ("kidney", "kidneys", "renal"), ("lung", "lungs", "pulmonary"), ("liver", "hepatic"), ("heart", "cardiac"),
    ("bladder", "urinary bladder"), ("brain", "cerebral"), ("chest", "thorax"), ("abdomen", "belly"),
    ("limb", "extremity"), ("none", "no", "nothing", "healthy", "normal"),
    ("large", "big", "enlarged", "larger", "bigger", "largest", "biggest", "increased"),
    ("small", "little", "tiny", "smaller", "smallest", "decreased"),
    ("both", "both sides", "bilateral", "left and right"), ("center", "central", "centre", "middle"),
)  # fmt: skip
# In an answer these mean the thing only where they are the value itself: "the renal artery", "the largest", "let us".
_NOT_LOOKED_FOR = frozenset(
    {"us", "horizontal", "frontal", "renal", "pulmonary", "hepatic", "cardiac", "cerebral", "none", "no", "nothing"}
    | {"larger", "bigger", "largest", "biggest", "increased", "little", "smaller", "smallest", "decreased"}
)
_POSITIONS = frozenset(
    {"left", "right", "upper", "lower", "middle", "central", "anterior", "posterior", "superior", "inferior", "medial"}
    | {"lateral", "proximal", "distal"}
)

# What a fact is stored without: "In the right lung." names the right lung.
_LEAD = re.compile(
    r"(?:(?:in|on|at|to|from|within|near)\s+(?=(?:the|an?|left|right|both|upper|lower)\b))?"
    # "A little" is an amount, and "little" another.
    r"(?:(?:the|an?(?!\s+(?:bit|couple|few|little|lot)\b))\s+)?(?=\S)",
    re.IGNORECASE,
)
_COMMA = re.compile(r"\s*,\s*(?=[^\W\d])")
_WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0+")


@lru_cache(maxsize=65536)
def fact_form(value: str) -> str:
    """Return a value as a fact is stored: no leading article or preposition, no full stop, whole numbers whole.

    Builder and metric share this form. It keeps the letters' case; `fact_key` compares.

    >>> [fact_form(value) for value in ("In the right lung.", "The  heart", "2.0", "Right Lung,Upper Left", "A")]
    ['right lung', 'heart', '2', 'Right Lung, Upper Left', 'A']
    """
    bare = " ".join(unicodedata.normalize("NFC", value).split()).rstrip(".。").strip()
    bare = _COMMA.sub(", ", _LEAD.sub("", bare, count=1))
    number = _WHOLE_NUMBER.fullmatch(bare)
    return number[1] if number else bare


@lru_cache(maxsize=65536)
def fold_word(word: str) -> str:
    """Map a word to the form in which values are compared: digits, one spelling, singular."""
    word = NUMBER_WORDS.get(word, word)
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-3] + "y" if word.endswith("ies") else word[:-2] if word.endswith("sses") else word[:-1]
    return SPELLINGS.get(word, word)


@lru_cache(maxsize=65536)
def _squeezed(value: str) -> str:
    return squeeze([fold_word(piece) for piece in pieces_of(value) if is_word(piece)], keep_numbers_apart=True)[0]


@lru_cache(maxsize=1)
def _groups() -> dict[str, tuple[str, ...]]:
    return {_squeezed(name): group for group in SAME_THING for name in group}


def _group(value: str) -> tuple[str, ...]:
    """Return the names of the thing that a value names, where they are known."""
    return _groups().get(_squeezed(value), ())


@lru_cache(maxsize=65536)
def forms(value: str) -> frozenset[str]:
    """Return every squeezed form under which the value is found: its own, other names, other orders of positions."""
    own = _squeezed(value)
    forms = {own}
    # "No" answers a question; the other names of nothing do not.
    if own != "no":
        forms |= {_squeezed(name) for name in _group(value) if name not in _NOT_LOOKED_FOR}
    words = [fold_word(piece) for piece in pieces_of(value) if is_word(piece)]
    if 1 < len(words) <= 3 and _POSITIONS.issuperset(words):
        forms |= {"".join(order) for order in permutations(words)}
    return frozenset(forms)


def fact_key(value: str) -> str:
    """Return one key for all spellings of a fact: case, plural, number words, known other names aside."""
    return min(forms(value) | {_squeezed(name) for name in _group(value)})
