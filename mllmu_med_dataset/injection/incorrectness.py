"""Incorrectness injection: exactly one controlled factual error in an ordinary clinical answer.

Where a source tells which values are plausible errors of a question (``Record.error_values``), one of these is drawn.
Else the error follows from the question type and the closed set: a side or level flips, a count moves by one, a size or
yes/no is swapped, an organ or finding becomes another of its region, anything else another value of the set.

Severity says what believing the error would do to the patient's care, by a rule:

- critical: treatment of the wrong place or of the wrong disease. A flipped side, another abnormality, and yes/no
  flipped where the question is about a finding.
- major: the wrong course for the right disease. Another organ, another level, size, number or shape, other knowledge,
  and any other flipped yes/no.
- minor: the record is wrong and the care is not. Modality, plane, color, and other values.

What changed decides, not the question type: that of data whose types are guessed may be wrong or say nothing.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from mllmu_med_metrics.answers.facts import NUMBERS, SAME_THING, fact_key, fold_word
from mllmu_med_metrics.vocabulary import Severity

from ..draws import shuffled
from ..record import ErrorPool, Record
from .chinese import gloss, is_chinese
from .diagnoses import siblings
from .kinds import ORGANS, REGIONS, SPINE, SYSTEMS, are_opposites, imaging_in, kinds_of, opposite, words_of
from .questions import asks_for_knowledge
from .sentence_templates import article, find_value, value_pattern

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
# What changed, by what both values are.
_CHANGED = (
    ("number", "quantity"), ("sequence", "modality"), ("modality", "modality"), ("contrast", "modality"),
    ("plane", "plane"), ("projection", "plane"), ("color", "color"), ("shape", "shape"), ("region", "organ"),
    ("system", "organ"), ("organ", "organ"), ("position", "place"), ("finding", "abnormality"),
)  # fmt: skip
_FINDING = re.compile(
    r"abnormal|normal|healthy|disease|lesion|mass|tumou?r|cancer|fracture|pneum|effusion|edema|h(a)?emorrhage|bleed"
    r"|infarct|nodul|opaci|calcif|cyst|enlarg|cardiomegaly|infection|metasta|stenosis|patholog|evidence of|hernia"
    r"|free (intraperitoneal )?air|air under|subdiaphragmatic air|air[- ]fluid|fat stranding|ascites|obstru|occlu"
    r"|adenopathy|atroph|midline shift|shift of|(blood )?clot|thromb|embol|dilat|distend|distention|inflam|itis\b"
    r"|rupture|perforat|leak|consolidat|isch[ae]?em|restricted diffusion|thicken|collaps|hyperinflat|blunt|deviat"
    r"|aneurysm|dissect|abscess|necro|swelling|swollen|destruct|eroded|erosion|sclero|plaque|gliosis|granuloma|scarring"
    r"|hydroceph|infiltrat|compress|displaced",
    re.IGNORECASE,
)

# The one name of a thing whose names are several words, by its words.
_NAMED = {" ".join(words_of(name)): words_of(names[0]) for names in SAME_THING for name in names}
# Not one thing, but true of one patient at once.
_AT_ONCE = {
    word: group[0]
    for group in (
        ("infarct", "ischemia", "ischemic", "stroke", "cva", "infarction", "infarcted"),
        ("hemorrhage", "hematoma", "bleed", "bleeding"), ("fat", "adipose", "fatty"),
        ("treatment", "therapy"), ("medical", "medication", "pharmacotherapy"),
        ("gi", "gastrointestinal", "digestive"), ("cns", "nervous", "neurological"),
        ("ap", "anteroposterior"), ("pa", "posteroanterior"),
    )
    for word in group
}  # fmt: skip
_AXES = (
    (("left", "right"),),
    (("upper", "lower"), ("top", "bottom"), ("superior", "inferior"), ("above", "below")),
    (("anterior", "posterior"), ("front", "back"), ("ventral", "dorsal")),
    (("medial", "lateral"), ("proximal", "distal"), ("inner", "outer")),
)
# Ends of other scales, which no two things can be at once.
_ENDS = (
    ("hyperdense", "hypodense"), ("hyperintense", "hypointense"), ("hyperdensity", "hypodensity"),
    ("hyperintensity", "hypointensity"), ("hyperattenuating", "hypoattenuating"), ("hyperechoic", "hypoechoic"),
    ("supratentorial", "infratentorial"), ("homogeneous", "heterogeneous"), ("symmetric", "asymmetric"),
    ("benign", "malignant"), ("male", "female"), ("ap", "pa"), ("anteroposterior", "posteroanterior"),
    ("radiolucent", "radiopaque"), ("t1", "t2"), ("positive", "negative"), ("present", "absent"), ("true", "false"),
)  # fmt: skip
# Of these the ends that say how a thing is, not where.
_QUALITIES = {tuple(sorted(pair)) for pair in _ENDS} - {("infratentorial", "supratentorial")}
# The same by characters: sides and levels in Chinese.
_CHINESE_AXES = (("左", "右"), ("上", "下"), ("顶", "底"), ("前", "后"), ("高密度", "低密度"))
# 下颌 is the jaw, and no level.
_CHINESE_NAMES = re.compile(r"[上下][颌颚]|上皮|下垂体")
_SIZES = (
    ("small", "large"), ("smaller", "larger"), ("small", "big"), ("smaller", "bigger"), ("smallest", "largest"),
    ("smallest", "biggest"), ("enlarged", "normal"), ("increased", "decreased"), ("thick", "thin"), ("long", "short"),
    ("wide", "narrow"),
)  # fmt: skip
_OPPOSITE = {word: other for axis in _AXES for pair in axis for word, other in (pair, pair[::-1])}
_AXIS_WORDS = {*_OPPOSITE, "center"}
_SIZE_WORDS = {word for pair in _SIZES for word in pair}
_REGION_OF = {organ: region for region, organs in ORGANS.items() for organ in organs}
_GUT = {"bowel", "colon", "duodenum", "jejunum", "ileum", "cecum", "sigmoid", "rectum"}
# One word that holds, or is no less than, everything that has one of these words in its name.
_WIDER = {
    **{region: {word for organ in organs for word in organ.split()} for region, organs in ORGANS.items()},
    "mr": {"t1", "t2", "flair", "dwi", "adc", "weighted"},
    "intestine": _GUT,
    "bowel": _GUT,
}
_CANCERS = {"cancer", "carcinoma", "adenocarcinoma", "metastasis", "lymphoma", "sarcoma", "malignancy"}
_TUMORS = {*_CANCERS, "glioma", "glioblastoma", "meningioma", "adenoma"}
# What a finding looks like, and the diseases that look so: "lung cancer" and "pulmonary mass" may both be right.
_LOOKS = {
    "mass": _TUMORS,
    "nodule": {*_TUMORS, "granuloma"},
    "cancer": _CANCERS,
    "malignancy": _CANCERS,
    "infiltration": {"pneumonia", "consolidation", "tuberculosis"},
    "infiltrate": {"pneumonia", "consolidation", "tuberculosis", "infiltration"},
    "consolidation": {"pneumonia", "bronchopneumonia"},
    "opacity": {"pneumonia", "consolidation", "infiltration", "infiltrate", "atelectasis", "mass", "nodule", *_TUMORS},
    "lesion": {"mass", "nodule", "cyst", "abscess", "infarct", "plaque", *_TUMORS},
    "infection": {"pneumonia", "bronchopneumonia", "tuberculosis", "abscess", "appendicitis", "diverticulitis"},
    "inflammation": {"pneumonia", "appendicitis", "diverticulitis", "pancreatitis", "cholecystitis", "colitis"},
    "fluid": {"effusion", "ascites"},
}
_WIDER["chest"] |= {"trachea", "esophagus", *SPINE}
_WIDER["neck"] |= {*SPINE}
_WIDER["abdomen"] |= {"aorta", *_WIDER["pelvis"], *SPINE}
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
    error_pool: ErrorPool


def contradicts(wrong: str, truth: str) -> bool:
    """Return whether a value is another one: not an alias of the truth, and neither holds the other.

    A value holds another one that has some of its words ("left upper" and "left"); both sides hold each of them, a
    region its organs, an MR its sequences, and a mass may be any cancer: of the same organ, where both name one.
    """
    if are_opposites(wrong, truth) or _is_mirrored(wrong, truth):
        return True
    ours, theirs = _meaning(wrong), _meaning(truth)
    if not ours or ours <= theirs or theirs <= ours or fact_key(wrong) == fact_key(truth):
        return False
    if "system" in kinds_of(wrong) & kinds_of(truth) and _organs_of_system(wrong) & _organs_of_system(truth):
        return False
    if kinds_of(wrong) & kinds_of(truth) & {"modality"} and imaging_in(wrong) & imaging_in(truth):
        return False
    return not any(_may_be(whole, part) for whole, part in ((ours, theirs), (theirs, ours)))


def _may_be(whole: frozenset[str], part: frozenset[str]) -> bool:
    """Return whether the first thing holds the second ("chest", "lung"), or looks as it does ("mass", "cancer")."""
    if len(whole) == 1 and _WIDER.get(next(iter(whole)), set()) & part:
        return True
    elsewhere = any(kinds_of(word) & {"organ", "region", "position"} for word in part)
    return any(_LOOKS[look] & part and (whole - {look} <= part or not elsewhere) for look in whole & _LOOKS.keys())


@lru_cache(maxsize=1 << 16)
def _meaning(value: str) -> frozenset[str]:
    """Return the words of a value without its spelling; both sides are the left and the right one."""
    words = words_of(value)
    if len(words) > 1:
        words = [{"r": "right", "l": "left"}.get(word, word) for word in words]
    words = _NAMED.get(" ".join(words)) or [part for word in words for part in _NAMED.get(word, (word,))]
    named = {_AT_ONCE.get(word, word) for word in words if word not in ("the", "a", "an")}
    return frozenset(named - {"both", "bilateral"} | ({"left", "right"} if named & {"both", "bilateral"} else set()))


def _is_mirrored(one: str, other: str) -> bool:
    """Return whether two lists differ in the side of every item: "left lung, right" (of the image) and the reverse."""
    ours, theirs = ([set(words_of(part)) for part in re.split(r"[,，、;；]", value)] for value in (one, other))
    return len(ours) == len(theirs) > 1 and all(a ^ b == {"left", "right"} for a, b in zip(ours, theirs, strict=True))


def _organs_of_system(value: str) -> set[str]:
    """Return what a system of organs has in it; regions count as the systems that they hold."""
    held = {"head": "brain", "chest": "heart lung", "abdomen": "gut urinary", "pelvis": "gut urinary genital"}
    words = words_of(value)
    named = [SYSTEMS[word] for word in words if word in SYSTEMS]
    named += [held[region] for region, names in REGIONS.items() if region in held and set(names) & set(words)]
    return set(" ".join(named).split())


def wrong_facts(record: Record) -> list[list[str]]:
    """Return the wrong facts a record can take, in groups: the closest kind of error first, then the rest of the set.

    Within a group any one will do. Empty where the record marks no fact, or nothing is known to be a plausible error.
    A finding without a closed set takes one that stands beside it in ICD-10-CM.
    """
    return [group for _, group in _pools(record)]


def _pools(record: Record) -> list[tuple[ErrorPool, list[str]]]:
    """Return the groups of wrong facts, each with the pool it comes from."""
    if not record.fact or len(record.fact_values) == 1 or find_value(record.answer, record.fact) is None:
        return []
    if record.error_values is not None:
        kept = [value for value in record.error_values if _fits(record, value)]
        return [(record.error_pool or "closed_set", kept)] if kept else []
    fact, others = record.fact, list(record.fact_values)
    ruled = by_rule(record.question_type, fact, record.question)
    if others:
        listed = {fact_key(value): value for value in others}
        ruled = [listed[fact_key(value)] for value in ruled if fact_key(value) in listed]
    flip: ErrorPool = "yes_no" if _shape(fact) == "yes or no" else "rule"
    groups: list[tuple[ErrorPool, list[str]]] = [
        (flip, ruled), ("closed_set", _of_its_region(record)), ("closed_set", others)
    ]  # fmt: skip
    found = [(pool, kept) for pool, group in groups if (kept := [value for value in group if _fits(record, value)])]
    if not found and record.question_type == "abnormality" and not others:
        named = [_like(fact, name) for name in siblings(fact)]
        found = [("icd10", kept)] if (kept := [value for value in named if _fits(record, value)]) else []
    return found


def corrupt(record: Record, *, seed: int) -> Corrupted | None:
    """Return the record's answer with its one deciding fact made wrong, or ``None`` where that cannot be done.

    Drawn by the seed and the record alone, from the closest kind of error that the record can take.
    """
    groups = _pools(record)
    if not groups:
        return None
    fact = record.fact or ""
    pool, values = groups[0]
    wrong = shuffled(values, seed, record.image_key, record.question, fact, "wrong fact")[0]
    kind, severity = ERRORS[_error(record, wrong)]
    return Corrupted(
        answer=wrong_answer(record, wrong) or "",
        wrong_fact=wrong,
        error_kind=kind,
        error_severity=severity,
        error_pool=pool,
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
    explained = re.match(rf"{re.escape(fact)}\s*[,.;:，。；：]\s*(?=\w)", record.answer, re.IGNORECASE)
    if opposite(fact, record.question) is not None and explained:
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
        lowered = fact[0].isupper() and said["fact"].islower() and not re.search(r"[A-Z]{2}", wrong)
        value = wrong.lower() if lowered else wrong
        if said.start() == 0 and not lead and not verb and said["fact"][0].isupper():
            value = wrong[0].upper() + wrong[1:]
        return f"{verb}{lead}{value}{number}"

    lead = r"(?P<verb>(?<=there )(?:is|are|was|were) )?(?P<article>(?:an?) )?"
    pattern = value_pattern(fact, lead=lead, name="fact")
    return re.sub(pattern + r"(?P<noun> [a-z]+\b)?", put, answer, flags=re.IGNORECASE)


def _fits(record: Record, wrong: str) -> bool:
    """Return whether a value would be an error in the record's answer: another fact of the same kind, said alone."""
    fact = record.fact or ""
    if not contradicts(wrong, fact) or _shape(wrong) != _shape(fact) or find_value(record.answer, wrong):
        return False
    if record.question_type in ("organ", "abnormality") and record.error_pool != "rule":
        ours, theirs = (re.split(r", ?|; ?| and ", value) for value in (wrong, fact))
        if not all(contradicts(one, other) for one in ours for other in theirs if one and other):
            return False  # of several things one is named by both
    # What a question offers excludes each other.
    if record.error_pool != "choices" and not _is_alike(record.question_type, wrong, fact):
        return False
    if _shape(fact) == "number" and len(re.findall(rf"(?<!\w){re.escape(fact)}(?!\w)", record.answer, re.I)) > 1:
        return False  # the other mention may count something else
    if abs(len(wrong.split()) - len(fact.split())) > max(_MOST_LONGER_WORDS, len(fact.split())):
        return False
    answer = wrong_answer(record, wrong)
    return answer is not None and find_value(answer, fact) is None and find_value(answer, wrong) is not None


def _is_alike(question_type: str, wrong: str, fact: str) -> bool:
    """Return whether a place is answered with another place, and a size with a size."""
    if question_type == "position":
        return _elsewhere(wrong, fact)
    return question_type != "size" or _is_size(wrong) == _is_size(fact)


def _shape(value: str) -> str:
    """Return what kind of value it is: a number is not answered with a word, nor a choice with yes."""
    if opposite(value, "") is not None:
        return "yes or no"
    if _count(value) is not None:
        return "number"
    return "measure" if re.match(r"\d", value) else "words"


def _is_size(value: str) -> bool:
    return "organ" not in kinds_of(value) and any(word in _SIZE_WORDS for word in words_of(value))


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
    fact, kind = record.fact or "", record.question_type
    if record.error_pool == "yes_no" or _shape(fact) == "yes or no":
        texts = f"{gloss(record.question)} {record.answer}"
        return "finding" if kind == "abnormality" or _FINDING.search(texts) else "yes_no"
    ours, theirs = (set(words_of(value)) for value in (wrong, fact))
    if ours ^ theirs == {"left", "right"} or _is_mirrored(wrong, fact):
        return "side"
    flips = {tuple(sorted(pair)) for axis in _AXES for pair in axis}
    if tuple(sorted(ours ^ theirs)) in flips:
        return "position"
    if kind == "knowledge" or asks_for_knowledge(record.question):
        return "knowledge"
    ends = tuple(sorted(ours ^ theirs)) in _QUALITIES
    if (kind == "position" and not ends) or ours ^ theirs == {"supratentorial", "infratentorial"}:
        return "place"
    changed = next((error for known, error in _CHANGED if known in kinds_of(wrong) & kinds_of(fact)), None)
    if changed is None and _is_size(wrong) and _is_size(fact):
        changed = "size"
    if changed is None and "finding" in kinds_of(wrong) | kinds_of(fact):
        changed = "abnormality"
    # A source may file a question under sizes or places that asks for neither: "cystic or solid?".
    if changed is None and kind in ("size", "position"):
        return "other"
    return changed or (kind if kind in ERRORS else "other")


def _of_its_region(record: Record) -> list[str]:
    """Return the other organs, or findings, of the closed set that belong to the same region of the body."""
    if record.question_type == "organ":
        region = _region_of_organ(record.fact or "")
        return [value for value in record.fact_values if region and _region_of_organ(value) == region]
    if record.question_type == "abnormality":
        region = region_of_finding(record.fact or "") or record.body_region
        sick = [value for value in record.fact_values if fact_key(value) != fact_key("none")]
        near = [value for value in sick if region_of_finding(value) == region]
        return near or [value for value in sick if region_of_finding(value) is None]
    return []


def _region_of_organ(organ: str) -> str | None:
    words = words_of(organ)
    return _REGION_OF.get(" ".join(_NAMED.get(" ".join(words), words)))


def region_of_finding(finding: str) -> str | None:
    """Return the region of the body that a finding belongs to; ``None`` for one that may be anywhere."""
    return next((r for r, parts in _FOUND_IN.items() if re.search(parts, finding, re.IGNORECASE)), None)


def _negated(clause: str) -> str | None:
    """Return a clause that says the opposite, by its "no", "not" or first verb; ``None`` where none is found."""
    for pattern, put in _NEGATIONS:
        negated, count = re.subn(pattern, put, clause, count=1, flags=re.IGNORECASE)
        if count:
            return None if re.search(r"\b(no|not|without)\b.*\b(no|not|without)\b", negated, re.IGNORECASE) else negated
    return None


def by_rule(question_type: str, fact: str, question: str = "") -> list[str]:
    """Return the wrong facts that follow from the fact itself: a flipped axis, one more or less, the other size.

    A side that the question tells is not flipped.
    """
    if (other := opposite(fact, question)) is not None:
        return [other]
    if (count := _count(fact)) is not None:
        return _beside(fact, count) if question_type == "quantity" else []
    if is_chinese(fact):
        return _chinese_flips(fact, question)
    if _sides(fact) == {"left", "right"} and (mirrored := _mirrored(fact)) is not None:
        return [mirrored]
    axes = _AXES if question_type == "position" or "position" in kinds_of(fact) else _AXES[:1]
    flips = [flip for axis in axes if (flip := _swap(fact, axis, question)) is not None]
    # The small bowel has no big one beside it.
    if question_type == "size" and "organ" not in kinds_of(fact):
        flips += [swap for pair in _SIZES if (swap := _swap(fact, (pair,))) is not None]
    flips += [swap for pair in _ENDS if (swap := _swap(fact, (pair,), question)) is not None]
    return list(dict.fromkeys(flips))


def _sides(value: str) -> set[str]:
    return {"left", "right"} & set(words_of(value))


def _mirrored(fact: str) -> str | None:
    """Return a list with the side of every item exchanged; ``None`` where an item has none or both."""
    parts = [_swap(part, _AXES[0]) for part in fact.split(",")]
    return ",".join(part for part in parts if part) if len(parts) > 1 and all(parts) else None


def _beside(fact: str, count: int) -> list[str]:
    """Return one less and one more, written as the count is."""
    near = [n for n in (count - 1, count + 1) if n >= (0 if fact.isdigit() else 1)]
    if fact.isdigit():
        return [str(n) for n in near]
    return [_like(fact, NUMBERS[n]) for n in near if n < len(NUMBERS)]


def _chinese_flips(fact: str, question: str) -> list[str]:
    """Return the other sides and levels of a Chinese value, each of which it holds one end of."""
    if {"左", "右"} <= set(fact):
        mirrored = fact.translate(str.maketrans("左右", "右左"))
        return [mirrored] if _is_mirrored(fact, mirrored) else []
    bare = _CHINESE_NAMES.sub("", fact)
    flips = []
    for pair in _CHINESE_AXES:
        for one, other in (pair, pair[::-1]):
            excluded = one in question and other not in question
            if one in bare and other not in bare and bare == fact and not excluded:
                flips.append(fact.replace(one, other))
    return flips


def _like(model: str, word: str) -> str:
    """Return the word in the letter case of the model."""
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word.capitalize() if model[0].isupper() else word


def _swap(text: str, pairs: Sequence[tuple[str, str]], question: str = "") -> str | None:
    """Return the text with the words of the pairs exchanged, or ``None`` where it holds none or both of a pair.

    Nor is a word exchanged that the question says alone: what is asked of the left lung is not in the right one.
    """
    words = re.findall(r"\w+|\W+", text)
    partner = {a: b for pair in pairs for a, b in (pair, pair[::-1])}
    found = {word.lower() for word in words if word.lower() in partner}
    if not found or any(partner[word] in found for word in found):
        return None
    # A lateral ventricle is a name: there is no medial one.
    if found & {"medial", "lateral"} and "ventricle" in text.lower():
        return None
    named = set(re.findall(r"\w+", question.lower()))
    if any(word in named and partner[word] not in named for word in found):
        return None
    return "".join(_like(word, partner[word.lower()]) if word.lower() in partner else word for word in words)


def _count(fact: str) -> int | None:
    value = fold_word(fact.strip().casefold())
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
