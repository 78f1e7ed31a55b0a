"""The choices that a question offers in its own words: "left or right?", "MRI, CT or X-ray?", "高密度还是低密度?"."""

import re
import unicodedata

from mllmu_med_metrics.answers.facts import fact_form, fact_key

from ..record import clean_text
from .chinese import is_chinese
from .kinds import ORGANS, kinds_of

MOST_WORDS = 5
_OR = re.compile(r"\s*,?\s*\b(?:or|vs\.?|versus)\s+", re.IGNORECASE)
# What a choice follows, where no comma or colon does.
_BEFORE = re.compile(
    r".*(?:^|[,:?;(]\s*|\b(?:an?|the|this|that|these|those|patient's|in|on|at|with|under|by|via|to|is|are|was|were|be"
    r"|as|appears?|seems?|looks?|suspect|favou?r|expect|used?|either|between|just|more likely|have|has|taken|located"
    r"|whether|it|there|shows?|demonstrates?|represents?|suggests?|indicates?|sees?)\b\s+)",
    re.IGNORECASE | re.DOTALL,
)
_LEAD = re.compile(r"(?:(?:in|on|at|with|by|via|just|an?|the|patient's)\s+)+", re.IGNORECASE)
# Where the last choice ends.
_AFTER = re.compile(
    r"[,?;.)!(]|\s(?:in|of|on|at|for|than|relative|compared|to|from|used|taken|seen|located|shown|present|highlighted|that"
    r"|based|when|if|under|above|below|visible|visualized|was|were|is|are|appearance|enlarged|abnormal|affected|involved|dilated)\b",
    re.IGNORECASE,
)
# "In this image, ...": no choice.
_OF_THE_IMAGE = re.compile(
    r"(?:in|on|from|of|for|based on|according to|looking at|judging by|given) (?:the|this|these) (?:[\w-]+ )?"
    r"(?:image|picture|scan|film|radiograph|x-?ray|study|slice|view|figure|photo|ct|mri|patient)s?"
    r"(?: (?:above|below|shown|provided))?$",
    re.IGNORECASE,
)
_QUESTION_WORD = re.compile(r"\s*(?:in |on |at |by |of )?(?:which|what|where|how|who|when|why)\b", re.IGNORECASE)
_NOT_CHOICES = frozenset({"not", "no", "other", "others", "something else", "neither", "without", "else", "more", ""})
# A last word that says nothing more than the choice before it.
_TAIL = frozenset(
    {"image", "images", "scan", "film", "view", "plane", "scanner", "study", "section", "picture", "slice"}
    | {"lesion", "lesions", "mass", "side", "type", "process"}
)
_CHINESE_OR = re.compile(r"还是|或者|或|抑或")
_CHINESE_BEFORE = re.compile(r".*(?:[,，:：?？;；]|是|在|为|属于|图像中|图片中|图中)", re.DOTALL)
_CHINESE_AFTER = re.compile(r"[?？。,，;；]|的|图像|成像|哪")
_CHINESE_WHICH = re.compile(r"哪一?(?:个|种|项|侧)")


_MODIFIERS = frozenset({"position", "color", "density", "sequence", "plane", "projection", "shape"})
_WHICH_OF_THEM = frozenset({"left", "right", "upper", "lower", "middle", "small", "large", "anterior", "posterior"})
_SCALES = ({"more", "less"}, {"with", "without"}, {"higher", "lower"}, {"one", "both"}, {"benign", "malignant"})
_ORGANS = frozenset(organ for organs in ORGANS.values() for organ in organs)


def offers_choice(question: str) -> bool:
    """Return whether a question seems to offer choices, even where they can't be told from its words.

    >>> offers_choice("Is it left or right?"), offers_choice("Where is it?")
    (True, False)
    """
    which = _CHINESE_WHICH.search(question)
    return bool(
        _OR.search(question)
        or _CHINESE_OR.search(question)
        or (which and re.search(r"[、和与及跟]", question[: which.start()]))
    )


def alternatives(question: str, answer: str) -> tuple[str, ...]:
    """Return the choices that a question offers, the answer one of them and first; else nothing.

    The answer keeps its own spelling, and the others take its letter case.

    >>> alternatives("What is this, CT, MRI or X-ray?", "MRI"), alternatives("Is it more or less dense?", "Less dense")
    (('MRI', 'CT', 'X-ray'), ('Less dense', 'More dense'))
    """
    own = clean_text(answer).rstrip(".。").strip()
    if not own:
        return ()
    text = clean_text(unicodedata.normalize("NFKC", question))
    if is_chinese(text):
        others = _chinese(text, own)
    else:
        others = _english(text, own) or _english(re.sub(r"\bnon (?=\w)", "non-", text), own)
    kept: dict[str, str] = {}
    for other in others:
        if fact_key(other) != fact_key(own) and other.casefold() not in _NOT_CHOICES:
            kept.setdefault(fact_key(other), _cased(other, own))
    return (own, *kept.values()) if kept else ()


def _cased(other: str, own: str) -> str:
    return other[0].upper() + other[1:] if own[0].isupper() and other[0].islower() else other


def _english(question: str, answer: str) -> list[str]:
    for match in _OR.finditer(question):
        before, after = question[: match.start()], question[match.end() :]
        if others := _beside(before, after, answer):
            return others
    return []


def _beside(before: str, after: str, answer: str) -> list[str]:
    """Return the choices beside the answer in the list that an "or" closes."""
    last = _LEAD.sub("", after, count=1) if _LEAD.match(after) else after
    end = _AFTER.search(last)
    right = (last[: end.start()] if end else last).split()
    (*listed, left), after_clause = _listed(before)
    left = _LEAD.sub("", left, count=1) if _LEAD.match(left) else left
    if not right or not left.split():
        return []
    after_comma = bool(re.search(r"[,:?;]", before))
    pairs = _aligned(left.split(), right, answer, whole=after_comma)
    if pairs is None and any(_same(one, answer) for one in listed):
        # The answer stands further to the front: the last two are whole.
        pairs = [left, " ".join(right)]
    if pairs is None:
        return []
    if listed and after_clause:
        listed[0] = _trimmed(listed[0], kinds_of(answer))
    others = [one for one in (*listed, *pairs) if not _same(one, answer)]
    return [one for one in others if len(one.split()) <= MOST_WORDS]


def _trimmed(item: str, kinds: frozenset[str]) -> str:
    """Return the last words of an item that are of a kind, the whole where none are: "image modality T1" offers T1.

    With what tells one from another: the small bowel, the left kidney.
    """
    words = item.split()
    starts = range(len(words) - 1, -1, -1)
    start = next((start for start in starts if kinds_of(" ".join(words[start:])) & kinds), 0)
    while start and words[start - 1].casefold() in _WHICH_OF_THEM:
        start -= 1
    return " ".join(words[start:])


def _listed(before: str) -> tuple[list[str], bool]:
    """Return the items of a list up to its "or", and whether words of the clause before may stand in the first one.

    The clause itself is none of them: after "which is smaller, small bowel" the small bowel is whole.
    """
    chunks = [chunk.strip() for chunk in re.split(r"[,:?;]", before)]
    if len(chunks) > 1 and _OF_THE_IMAGE.match(chunks[0]):
        del chunks[0]
    first, *rest = chunks
    rest = [chunk for chunk in rest if chunk]
    if _QUESTION_WORD.match(first) and rest:
        # "Which is more likely, A, B": of the clause nothing is offered.
        return rest, False
    bare = _BEFORE.sub("", first, count=1).strip() if _BEFORE.match(first) else first
    return [bare or first, *rest], True


def _aligned(left: list[str], right: list[str], answer: str, *, whole: bool) -> list[str] | None:
    """Return the choices left and right of the "or" as they are parallel to each other, ``None`` without the answer.

    ``whole`` says that all words on the left are the choice: a comma stands before them.
    """
    # "T1 weighted or T2 weighted MRI image": both end in the same word.
    shared = next((place for place, word in enumerate(right) if place and word.casefold() == left[-1].casefold()), 0)
    if shared and len(left) > shared and right[0].casefold() not in ("non", "not"):
        left, right = left[-shared - 1 :], right[: shared + 1]
        for one, other in ((left, right), (right, left)):
            for length in (len(one), len(one) - 1):
                if _same(" ".join(one[:length]), answer):
                    return [answer, " ".join(other[:length])]
    for length in range(1, len(left) + 1):
        own = left[-length:]
        if _same(" ".join(own), answer) or (length == len(left) and _same(" ".join(own[:-1]), answer)):
            return [answer, " ".join(_right_of(own, right))]
        # "left or right kidney", answered "left kidney": the last word belongs to both.
        for tail in range(1, len(right)):
            if _same(" ".join([*own, *right[tail:]]), answer):
                return [answer, " ".join(right)]
    for length in range(len(right), 0, -1):
        if _same(" ".join(right[:length]), answer):
            return [" ".join(left if whole else _left_of(left, right[:length])), answer]
    return None


def _right_of(own: list[str], right: list[str]) -> list[str]:
    """Return the choice right of the "or", where the left one is the answer: without a noun that both have."""
    if len(right) > len(own) and (_shares(own[-1], right[len(own) - 1 :]) or right[-1].casefold() in _TAIL):
        return right[: len(own)]
    return right


def _left_of(left: list[str], own: list[str]) -> list[str]:
    """Return the choice left of the "or", where the right one is the answer: as many words as fit it."""
    if len(own) > 1 and _shares(left[-1], own):
        # "on one or both sides"
        tail = [word.removesuffix("s") for word in own[1:]] if left[-1].casefold() == "one" else own[1:]
        return [left[-1], *tail]
    if len(own) > 1 and own[0].casefold() in ("non", "not"):
        return left[-1:]
    if len(own) > 1:
        return left if len(left) <= 2 else left[-len(own) :]
    organ = next((left[-length:] for length in (3, 2) if " ".join(left[-length:]).casefold() in _ORGANS), None)
    return organ or left[-1:]


def _shares(one: str, other: list[str]) -> bool:
    """Return whether a word stands for all of the other choice but its first: "gray" beside "white matter"."""
    pair = {one.casefold(), other[0].casefold()}
    kinds = kinds_of(one) & kinds_of(other[0]) & _MODIFIERS
    # "right" and "lower right" are two places.
    return pair in _SCALES or bool(kinds and not kinds & kinds_of(other[-1]))


def _same(offered: str, answer: str) -> bool:
    return bool(offered) and fact_key(fact_form(offered)) == fact_key(fact_form(answer))


def _chinese(question: str, answer: str) -> list[str]:
    match = _CHINESE_OR.search(question)
    which = _CHINESE_WHICH.search(question)
    if match and (which is None or match.start() > which.start() or "哪" in question[match.end() :]):
        end = _CHINESE_AFTER.search(question, match.end())
        after = question[match.end() : end.start() if end else len(question)]
        before = question[: match.start()]
        items = [*_chinese_items(before), after]
    elif which and re.search(r"[、和与及跟]", question[: which.start()]):
        items = _chinese_items(question[: which.start()])
    else:
        return []
    items = [re.sub(r"(?<=.)的$", "", item.strip()) for item in items if item.strip()]
    own = [item for item in items if _same(item, answer) or item.casefold().startswith(answer.casefold())]
    if not own:
        return []
    tail = own[0][len(answer) :] if not _same(own[0], answer) else ""
    return [item.removesuffix(tail) if tail else item for item in items if item not in own]


def _chinese_items(before: str) -> list[str]:
    """Return the items of a Chinese list: after the last clause, apart at enumeration commas and "and"."""
    clause = before.rstrip(",，")
    bare = _CHINESE_BEFORE.sub("", clause, count=1) or clause
    return [item for item in re.split(r"[、和与及跟]|或者?", bare) if item]
