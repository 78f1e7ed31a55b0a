"""Incorrectness injection: exactly one controlled factual error in an ordinary clinical answer.

The error follows from the question type: a side or level flips, a count moves by one, a size or yes/no is swapped, an
organ or finding becomes another of its region, anything else another value of its closed set.

Severity says what believing the error would do to the patient's care, by a rule:

- critical: treatment of the wrong place or of the wrong disease. A flipped side, another abnormality, and yes/no
  flipped where the question is about a finding.
- major: the wrong course for the right disease. Another organ, another level, size, number or shape, other knowledge,
  and any other flipped yes/no.
- minor: the record is wrong and the care is not. Modality, plane, color, and other values.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from mllmu_med_metrics.facts import NUMBER_WORDS, NUMBERS, SAME_THING, SPELLINGS

from .diagnoses import siblings
from .draws import shuffled
from .record import Record, Severity
from .rewrite import article, find_value

ROWS_A_PATIENT = 2

# What happened to the fact of a question type, and how much it matters.
ERRORS: dict[str, tuple[str, Severity]] = {
    "modality": ("other modality", "minor"),
    "organ": ("other organ", "major"),
    "side": ("flipped side", "critical"),
    "position": ("flipped position", "major"),
    "place": ("other position", "major"),
    "abnormality": ("other abnormality", "critical"),
    "size": ("swapped size", "major"),
    "quantity": ("miscount", "major"),
    "plane": ("other plane", "minor"),
    "shape": ("other shape", "major"),
    "color": ("other color", "minor"),
    "knowledge": ("other knowledge", "major"),
    "finding": ("flipped finding", "critical"),
    "yes_no": ("flipped answer", "major"),
    "other": ("other value", "minor"),
}
_FINDING = re.compile(
    r"abnormal|normal|healthy|disease|lesion|mass|tumou?r|cancer|fracture|pneum|effusion|edema|h(a)?emorrhage|bleed"
    r"|infarct|nodul|opaci|calcif|cyst|enlarg|cardiomegaly|infection|metasta|stenosis|patholog|evidence of|hernia",
    re.IGNORECASE,
)

# Every name of a thing, and every spelling, by the one name under which values are compared.
_CANONICAL = {**SPELLINGS, **{name: names[0] for names in SAME_THING for name in names}}
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
_OPPOSITE = {word: other for axis in _AXES for pair in axis for word, other in (pair, pair[::-1])}
_AXIS_WORDS = {*_OPPOSITE, "center"}
_SIZE_WORDS = {word for pair in _SIZES for word in pair}
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
_SPINE = ("spine", "spinal", "vertebra")
# One word that holds, or is no less than, everything that has one of these words in its name.
_WIDER = {
    **{region: {word for organ in organs for word in organ.split()} for region, organs in _REGIONS.items()},
    "mr": {"t1", "t2", "flair", "dwi", "adc", "weighted"},
    "mass": {"cancer", "carcinoma", "metastasis", "metastases", "glioma", "meningioma", "lymphoma", "malignancy"},
}
_WIDER["chest"] |= {"trachea", "esophagus", *_SPINE}
_WIDER["neck"] |= {*_SPINE}
_WIDER["abdomen"] |= {"aorta", *_WIDER["pelvis"], *_SPINE}
# Parts of the names of findings that belong to one region; a finding with none of them may be anywhere.
_FOUND_IN = {
    "head": r"brain|cerebr|intracranial|ventric|enhancing|edema of brain|hydroceph|stroke|glio|mening|ischemi|subdural",
    "chest": r"lung|pulmo|pneum|pleur|cardi|bronch|atelect|thora|chest|mediast|heart|infiltrat|emphysema|effusion|rib",
    "abdomen": r"liver|hepat|kidney|renal|spleen|gall|chole|pancrea|stomach|gastr|bowel|intestin|colon|ascites|append",
    "pelvis": r"bladder|prostat|uter|ovar|rect|pelvi",
    "neck": r"thyroid|laryn|neck|parotid|trachea|nasoph",
    "limb": r"knee|shoulder|femur|tibia|wrist|ankle|elbow|foot|hand|rotator|menisc|hip",
}
_MOST_LONGER_WORDS = 3
# The first that is found turns a clause into its opposite.
_NEGATIONS = (
    (r"\b(is|was) no (?:sign of |evidence of )?(?=[aeiou])", r"\1 an "),
    (r"\b(is|was) no (?:sign of |evidence of )?", r"\1 a "),
    (r"\b(are|were) no ", r"\1 "),
    (r"\b(is|are|was|were|can|could|has|have|does|do|did)( not|n't|not)\b", r"\1"),
    (r"\b(shows|contains|has) no ", r"\1 "),
    (r"\bthere (is|was) (?:an?|some) ", r"there \1 no "),
    (r"\bthere (are|were) (?:some |any |several )?", r"there \1 no "),
    (r"\b(is|are|was|were|can|could)\b", r"\1 not"),
    (r"\b(shows|contains|has) (?:an? )?", r"\1 no "),
)


class Corrupted(BaseModel):
    """A clean answer with one error in it: the wrong fact instead of the true one, and what kind of error it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answer: str
    wrong_fact: str
    error_kind: str
    error_severity: Severity


def normalise(text: str) -> str:
    """Return a value as it is compared: compatibility form, lower case, words only, no leading article."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(words[1:] if len(words) > 1 and words[0] in ("a", "an", "the") else words)


@lru_cache(maxsize=1 << 16)
def _canonical(text: str) -> str:
    value = normalise(text)
    # A plural names what its singular names, and an alias does in a longer value too: "both kidneys", "renal mass".
    words = (
        [value]
        if value in _CANONICAL
        else [w if re.search(r"(ss|us|is)$", w) else _number_of(w, True) for w in value.split()]
    )
    words = [_CANONICAL.get(word, word) for word in words]
    return " ".join(NUMBER_WORDS.get(word, word) for word in words)


def contradicts(wrong: str, truth: str) -> bool:
    """Return whether a value is another one: not an alias of the truth, and neither holds the other.

    A value holds another one that has some of its words ("left upper" and "left"); both sides hold each of them, a
    region its organs, an MR its sequences, and a mass may be any cancer.
    """
    ours, theirs = _meaning(wrong), _meaning(truth)
    if not ours or ours <= theirs or theirs <= ours:
        return False
    return not any(
        whole in _WIDER and _WIDER[whole] & part
        for (whole, *more), part in ((sorted(ours), theirs), (sorted(theirs), ours))
        if not more
    )


def _meaning(value: str) -> frozenset[str]:
    """Return the words of a value without its spelling; both sides are the left and the right one."""
    words = set(_canonical(value).split())
    return frozenset(words - {"both"} | ({"left", "right"} if "both" in words else set()))


def wrong_facts(record: Record) -> list[list[str]]:
    """Return the wrong facts a record can take, in groups: the closest kind of error first, then the rest of the set.

    Within a group any one will do. Empty where the record marks no fact, or nothing else is known to be of its kind. A
    finding without a closed set takes one that stands beside it in ICD-10-CM.
    """
    if not record.fact or len(record.fact_values) == 1 or find_value(record.answer, record.fact) is None:
        return []
    fact, others = record.fact, list(record.fact_values)
    by_rule = _by_rule(record.question_type, fact)
    if others:
        listed = {normalise(value): value for value in others}
        by_rule = [listed[normalise(value)] for value in by_rule if normalise(value) in listed]
    groups = [by_rule, _of_its_region(record), others]
    found = [kept for group in groups if (kept := [value for value in group if _fits(record, value)])]
    if not found and record.question_type == "abnormality" and not others:
        named = [_like(fact, name) for name in siblings(fact)]
        found = [kept] if (kept := [value for value in named if _fits(record, value)]) else []
    return found


def corrupt(record: Record, *, seed: int) -> Corrupted | None:
    """Return the record's answer with its one deciding fact made wrong, or ``None`` where that cannot be done.

    Drawn by the seed and the record alone, from the closest kind of error that the record can take.
    """
    groups = wrong_facts(record)
    if not groups:
        return None
    fact = record.fact or ""
    wrong = shuffled(groups[0], seed, record.image_key, record.question, fact, "wrong fact")[0]
    kind, severity = ERRORS[_error(record, wrong)]
    return Corrupted(
        answer=wrong_answer(record, wrong) or "", wrong_fact=wrong, error_kind=kind, error_severity=severity
    )


def other_wrong_facts(record: Record, wrong: str, *, seed: int) -> list[str]:
    """Return the values that are neither the record's fact nor the wrong one, in a drawn order."""
    others = dict.fromkeys(value for group in wrong_facts(record) for value in group)
    kept = [value for value in others if contradicts(value, wrong)]
    return shuffled(kept, seed, record.image_key, record.question, record.fact, "other wrong facts")


def wrong_answer(record: Record, wrong: str) -> str | None:
    """Return the record's answer with another fact; ``None`` where a sentence would contradict itself.

    A flipped yes or no takes its explanation with it: "Yes, there is a mass." becomes "No, there is no mass."
    """
    fact = record.fact or ""
    explained = re.match(rf"{re.escape(fact)}\s*[,.;:]\s*(?=\w)", record.answer, re.IGNORECASE)
    if normalise(fact) in ("yes", "no") and explained:
        negated = _negated(record.answer[explained.end() :])
        lead = record.answer[: explained.end()]
        return None if negated is None else replace_fact(lead, fact, wrong) + negated
    return replace_fact(record.answer, fact, wrong)


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
        value = wrong.lower() if fact[0].isupper() and said["fact"].islower() else wrong
        if said.start() == 0 and not lead and not verb and said["fact"][0].isupper():
            value = wrong[0].upper() + wrong[1:]
        return f"{verb}{lead}{value}{number}"

    pattern = (
        rf"(?<!\w)(?P<verb>(?<=there )(?:is|are|was|were) )?(?P<article>(?:an?) )?(?P<fact>{re.escape(fact)})(?!\w)"
    )
    return re.sub(pattern + r"(?P<noun> [a-z]+\b)?", put, answer, flags=re.IGNORECASE)


def _fits(record: Record, wrong: str) -> bool:
    """Return whether a value would be an error in the record's answer: another fact of the same kind, said alone."""
    fact = record.fact or ""
    if not contradicts(wrong, fact) or _shape(wrong) != _shape(fact) or find_value(record.answer, wrong):
        return False
    if record.question_type in ("organ", "abnormality"):
        ours, theirs = (re.split(r", ?|; ?| and ", value) for value in (wrong, fact))
        if not all(contradicts(one, other) for one in ours for other in theirs if one and other):
            return False  # of several things one is named by both
    if record.question_type == "position" and not _elsewhere(wrong, fact):
        return False
    if record.question_type == "size" and _is_size(wrong) != _is_size(fact):
        return False
    if _shape(fact) == "number" and len(re.findall(rf"(?<!\w){re.escape(fact)}(?!\w)", record.answer, re.I)) > 1:
        return False  # the other mention may count something else
    if abs(len(wrong.split()) - len(fact.split())) > max(_MOST_LONGER_WORDS, len(fact.split())):
        return False
    answer = wrong_answer(record, wrong)
    return answer is not None and find_value(answer, fact) is None and find_value(answer, wrong) is not None


def _shape(value: str) -> str:
    """Return what kind of value it is: a number is not answered with a word, nor a choice with yes."""
    if normalise(value) in ("yes", "no"):
        return "yes or no"
    if _count(value) is not None:
        return "number"
    return "measure" if re.match(r"\d", value) else "words"


def _is_size(value: str) -> bool:
    return any(word in _SIZE_WORDS for word in normalise(value).split())


def _elsewhere(wrong: str, truth: str) -> bool:
    """Return whether a thing cannot be in both places: opposite ends of an axis, or two places with names.

    What is on the left may well be in the upper part.
    """
    ours, theirs = _meaning(wrong), _meaning(truth)
    one, other = ours & _AXIS_WORDS, theirs & _AXIS_WORDS
    if one and other:
        return bool({_OPPOSITE.get(word) for word in one} & other) or ("center" in one) != ("center" in other)
    return bool(ours - one) and bool(theirs - other)


def _error(record: Record, wrong: str) -> str:
    """Return the key in ``ERRORS`` of what happened when the fact became the wrong one."""
    fact = record.fact or ""
    if _shape(fact) == "yes or no":
        asked = f"{record.question} {record.answer}"
        return "finding" if record.question_type == "abnormality" or _FINDING.search(asked) else "yes_no"
    ours, theirs = (set(normalise(value).split()) for value in (wrong, fact))
    if ours ^ theirs == {"left", "right"}:
        return "side"
    if record.question_type == "position":
        flips = {pair for axis in _AXES for pair in axis}
        return "position" if tuple(sorted(ours ^ theirs)) in {tuple(sorted(pair)) for pair in flips} else "place"
    return record.question_type if record.question_type in ERRORS else "other"


def _of_its_region(record: Record) -> list[str]:
    """Return the other organs, or findings, of the closed set that belong to the same region of the body."""
    if record.question_type == "organ":
        region = _REGION_OF.get(_canonical(record.fact or ""))
        return [value for value in record.fact_values if region and _REGION_OF.get(_canonical(value)) == region]
    if record.question_type == "abnormality":
        region = _region_of_finding(record.fact or "") or record.body_region
        sick = [value for value in record.fact_values if _canonical(value) != "none"]
        near = [value for value in sick if _region_of_finding(value) == region]
        return near or [value for value in sick if _region_of_finding(value) is None]
    return []


def _region_of_finding(finding: str) -> str | None:
    return next((r for r, parts in _FOUND_IN.items() if re.search(parts, finding, re.IGNORECASE)), None)


def _negated(clause: str) -> str | None:
    """Return a clause that says the opposite, by its "no", "not" or first verb; ``None`` where none is found."""
    for pattern, put in _NEGATIONS:
        negated, count = re.subn(pattern, put, clause, count=1, flags=re.IGNORECASE)
        if count:
            return None if re.search(r"\b(no|not|without)\b.*\b(no|not|without)\b", negated, re.IGNORECASE) else negated
    return None


def _by_rule(question_type: str, fact: str) -> list[str]:
    """Return the wrong facts that follow from the fact itself: a flipped axis, one more or less, the other size."""
    if normalise(fact) in ("yes", "no"):
        return [_like(fact, "no" if normalise(fact) == "yes" else "yes")]
    sided = _swap(fact, _AXES[0])
    if question_type in ("organ", "abnormality") and sided is not None:
        return [sided]
    if question_type == "position":
        return [flip for axis in _AXES if (flip := _swap(fact, axis)) is not None]
    if question_type == "size":
        return list(dict.fromkeys(swap for pair in _SIZES if (swap := _swap(fact, (pair,))) is not None))
    count = _count(fact)
    if question_type == "quantity" and count is not None:
        near = [n for n in (count - 1, count + 1) if n >= 1]
        if fact.isdigit():
            return [str(n) for n in near]
        return [_like(fact, NUMBERS[n]) for n in near if n < len(NUMBERS)]
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
