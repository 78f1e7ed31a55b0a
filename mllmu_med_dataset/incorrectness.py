"""Incorrectness injection: exactly one controlled factual error in an ordinary clinical answer."""

import re
import unicodedata
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from .draws import shuffled
from .record import Record
from .rewrite import article, find_value

ROWS_A_PATIENT = 2

ERROR_KINDS = {
    "modality": "other modality",
    "organ": "other organ",
    "position": "flipped position",
    "abnormality": "other abnormality",
    "size": "swapped size",
    "quantity": "miscount",
    "plane": "other plane",
    "shape": "other shape",
    "color": "other color",
    "knowledge": "other knowledge",
    "yes_no": "flipped answer",
    "other": "other value",
}

# Values of one line mean the same: swapping one for another would be no error.
_ALIASES = (
    ("ct", "computed tomography", "cat scan", "ct scan"),
    ("mr", "mri", "magnetic resonance", "magnetic resonance imaging", "nmr"),
    ("x ray", "xray", "radiograph", "radiography", "plain film", "roentgenogram"),
    ("ultrasound", "us", "sonography", "ultrasonography", "sonogram"),
    ("axial", "transverse", "transversal", "horizontal", "transverse plane", "axial plane"),
    ("coronal", "frontal", "coronal plane", "frontal plane"),
    ("mass", "tumor", "tumour", "neoplasm"),
    ("kidney", "kidneys", "renal"), ("lung", "lungs", "pulmonary"), ("liver", "hepatic"), ("heart", "cardiac"),
    ("bladder", "urinary bladder"), ("none", "no", "nothing", "healthy", "normal"),
    ("large", "big", "enlarged"), ("small", "little"),
    ("both", "both sides", "bilateral", "left and right"),
)  # fmt: skip
_CANONICAL = {alias: aliases[0] for aliases in _ALIASES for alias in aliases}
_AXES = (
    (("left", "right"),),
    (("upper", "lower"), ("top", "bottom"), ("superior", "inferior"), ("above", "below")),
    (("anterior", "posterior"), ("front", "back"), ("ventral", "dorsal")),
    (("medial", "lateral"), ("proximal", "distal"), ("inner", "outer")),
)
_SIZES = (
    ("small", "large"), ("smaller", "larger"), ("small", "big"), ("smaller", "bigger"), ("smallest", "largest"),
    ("smallest", "biggest"), ("enlarged", "normal"), ("increased", "decreased"), ("thick", "thin"), ("long", "short"),
    ("wide", "narrow"),
)  # fmt: skip
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_REGIONS = {
    "head": ("brain", "cerebrum", "cerebellum", "eye", "skull", "brain stem", "ventricle", "pituitary"),
    "neck": ("thyroid", "larynx", "esophagus", "trachea", "spinal cord", "parotid"),
    "chest": ("lung", "heart", "mediastinum", "rib", "aorta", "breast", "bronchus", "diaphragm"),
    "abdomen": (
        "liver", "kidney", "spleen", "stomach", "pancreas", "gallbladder", "colon", "intestine", "small bowel",
        "duodenum",
    ),
    "pelvis": ("bladder", "rectum", "prostate", "uterus", "ovary", "femoral head"),
    "limb": ("knee", "shoulder", "hip", "femur", "tibia", "wrist", "ankle", "elbow", "foot", "hand"),
}  # fmt: skip
_REGION_OF = {organ: region for region, organs in _REGIONS.items() for organ in organs}


class Corrupted(BaseModel):
    """A clean answer with one error in it: the wrong fact instead of the true one, and what kind of error it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answer: str
    wrong_fact: str
    error_kind: str


def normalise(text: str) -> str:
    """Return a value as it is compared: compatibility form, lower case, words only, no leading article."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(words[1:] if len(words) > 1 and words[0] in ("a", "an", "the") else words)


def _canonical(text: str) -> str:
    value = normalise(text)
    value = _CANONICAL.get(value, value)
    return str(_NUMBERS.index(value)) if value in _NUMBERS else value


def contradicts(wrong: str, truth: str) -> bool:
    """Return whether a value is another one: not an alias of the truth, and neither holds all words of the other."""
    if not normalise(wrong) or _canonical(wrong) == _canonical(truth):
        return False
    ours, theirs = set(_canonical(wrong).split()), set(_canonical(truth).split())
    return not (ours <= theirs or theirs <= ours)


def wrong_facts(record: Record) -> list[list[str]]:
    """Return the wrong facts a record can take, in groups: the closest kind of error first, then the rest of the set.

    Within a group any one will do. Empty where the record marks no fact, or its closed set holds nothing else.
    """
    if not record.fact or len(record.fact_values) == 1 or find_value(record.answer, record.fact) is None:
        return []
    fact, others = record.fact, list(record.fact_values)
    by_rule = _by_rule(record.question_type, fact)
    if others:
        listed = {normalise(value): value for value in others}
        by_rule = [listed[normalise(value)] for value in by_rule if normalise(value) in listed]
    region = _REGION_OF.get(_canonical(fact))
    near = [value for value in others if region and _REGION_OF.get(_canonical(value)) == region]
    groups = [by_rule, near if record.question_type == "organ" else [], others]
    return [kept for group in groups if (kept := [value for value in group if _fits(record, value)])]


def corrupt(record: Record, *, seed: int) -> Corrupted | None:
    """Return the record's answer with its one deciding fact made wrong, or ``None`` where that cannot be done.

    Position flips one axis, quantity moves by one, size and yes/no swap, an organ becomes another of its region;
    everything else becomes another member of the closed set. Drawn by the seed and the record alone.
    """
    groups = wrong_facts(record)
    if not groups:
        return None
    wrong = shuffled(groups[0], seed, record.image_key, record.question, record.fact, "wrong fact")[0]
    flipped = normalise(record.fact or "") in ("yes", "no")
    kind = ERROR_KINDS["yes_no" if flipped else record.question_type]
    return Corrupted(answer=replace_fact(record.answer, record.fact or "", wrong), wrong_fact=wrong, error_kind=kind)


def choose(records: Sequence[Record], *, seed: int) -> list[Record]:
    """Return the rows of one patient that carry an error: two of those that can take one."""
    able = {f"{r.image_key}|{r.question}|{r.answer}": r for r in records if wrong_facts(r)}
    return [able[name] for name in sorted(shuffled(able, seed, "incorrectness rows")[:ROWS_A_PATIENT])]


def states_same_fact(clean: Record, attacked: Record) -> bool:
    """Return whether a clean row tells the fact that an injected row of the same patient tells wrongly."""
    if clean.question_type != attacked.question_type or attacked.fact is None:
        return False
    told = clean.fact if clean.fact is not None else clean.answer
    return not contradicts(told, attacked.fact)


def replace_fact(answer: str, fact: str, wrong: str) -> str:
    """Return the answer with every mention of the fact replaced, article and number agreeing with the new value."""
    plural, was_plural = _count(wrong), _count(fact)

    def put(said: re.Match[str]) -> str:
        lead, verb, number = said["article"] or "", said["verb"] or "", said["noun"] or ""
        if lead.strip().lower() in ("a", "an"):
            lead = ("A" if lead[0] == "A" else "a") + article(wrong)[1:] + " "
        if plural is not None and was_plural is not None and (plural == 1) != (was_plural == 1):
            verb = _agree(verb, plural == 1)
            number = _number_of(number, plural == 1)
        value = wrong
        if said.start() == 0 and not lead and not verb and said["fact"][0].isupper():
            value = wrong[0].upper() + wrong[1:]
        return f"{verb}{lead}{value}{number}"

    pattern = rf"(?<!\w)(?P<verb>(?:is|are|was|were) )?(?P<article>(?:an?) )?(?P<fact>{re.escape(fact)})(?!\w)"
    return re.sub(pattern + r"(?P<noun> [a-z]+\b)?", put, answer, flags=re.IGNORECASE)


def _fits(record: Record, wrong: str) -> bool:
    if not contradicts(wrong, record.fact or "") or find_value(record.answer, wrong):
        return False
    answer = replace_fact(record.answer, record.fact or "", wrong)
    return find_value(answer, record.fact or "") is None and find_value(answer, wrong) is not None


def _by_rule(question_type: str, fact: str) -> list[str]:
    """Return the wrong facts that follow from the fact itself: a flipped axis, one more or less, the other size."""
    if normalise(fact) in ("yes", "no"):
        return [_like(fact, "no" if normalise(fact) == "yes" else "yes")]
    if question_type == "position":
        return [flip for axis in _AXES if (flip := _swap(fact, axis)) is not None]
    if question_type == "size":
        return list(dict.fromkeys(swap for pair in _SIZES if (swap := _swap(fact, (pair,))) is not None))
    count = _count(fact)
    if question_type == "quantity" and count is not None:
        near = [n for n in (count - 1, count + 1) if n >= 1]
        if fact.isdigit():
            return [str(n) for n in near]
        return [_like(fact, _NUMBERS[n]) for n in near if n < len(_NUMBERS)]
    return []


def _like(model: str, word: str) -> str:
    """Return the word in the letter case of the model."""
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word.capitalize() if model[0].isupper() else word


def _swap(text: str, pairs: Sequence[tuple[str, str]]) -> str | None:
    """Return the text with the words of the pairs exchanged, or ``None`` where it holds none or both of a pair."""
    words = re.findall(r"\w+|\W+", text)
    partner = {a: b for pair in pairs for a, b in (pair, pair[::-1])}
    found = {word.lower() for word in words if word.lower() in partner}
    if not found or any(partner[word] in found for word in found):
        return None
    return "".join(_like(word, partner[word.lower()]) if word.lower() in partner else word for word in words)


def _count(fact: str) -> int | None:
    value = _canonical(fact)
    return int(value) if value.isascii() and value.isdigit() else None


def _agree(verb: str, singular: bool) -> str:
    pairs = {"are": "is", "were": "was"} if singular else {"is": "are", "was": "were"}
    word = verb.strip()
    return verb.replace(word, _like(word, pairs[word.lower()])) if word.lower() in pairs else verb


def _number_of(noun: str, singular: bool) -> str:
    if not noun or noun.strip() in ("of", "in", "and", "or", "at", "on", "are", "is", "were", "was"):
        return noun
    if singular:
        if noun.endswith("ies"):
            return noun[:-3] + "y"
        if re.search(r"(s|x|z|ch|sh)es$", noun):
            return noun[:-2]
        return noun[:-1] if noun.endswith("s") and not noun.endswith("ss") else noun
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search(r"(s|x|z|ch|sh)$", noun) else "s")
