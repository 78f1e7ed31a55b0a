"""Diagnoses in the words of ICD-10-CM, and their siblings there: for findings whose closed set is not known.

The classification comes from the package ``simple-icd-10-cm`` (98,505 codes, offline). Loading it takes a few seconds
and some 190 MB, so that it is loaded for the first diagnosis that is looked up, and never for sources with closed sets.
"""

import re
import unicodedata
import warnings
from functools import cache
from importlib import import_module
from types import ModuleType

# An entry with one of these words names a leftover class or a circumstance, not a finding that an image could show.
_VAGUE = re.compile(
    r"\b(other|unspecified|classified|due to|complicat\w*|history|following|during|sequela|encounter|and|or|with"
    r"|without|specified|drug|ill-defined|noninfective|postprocedural|intraoperative|neonatal|newborn|pregnancy"
    r"|disorders?|diseases?|symptoms?|pain|effects?)\b|(of|around)$"
)
MOST_WORDS = 4
FEWEST_SIBLINGS = 3


@cache
def siblings(finding: str) -> tuple[str, ...]:
    """Return the names of the findings that stand beside this one in ICD-10-CM, in lower case; empty if it is unknown.

    Where too few stand right beside it, those beside the class it belongs to are taken, at last the categories of its
    chapter. None has a word in common with the finding or its classes: what shares one might be a kind of it.
    """
    code = _codes().get(_plain(finding))
    if code is None:
        return ()
    icd = _icd()
    above = [above for above in icd.get_ancestors(code) if above != code]
    classes = [code, *(other for other in above if not icd.is_chapter_or_block(other))]
    own = _stems(" ".join([finding, *(_plain(icd.get_description(other)) for other in classes)]))
    for parent in above:
        beside = icd.get_children(parent)
        if icd.is_chapter(parent):
            # Injuries of a chapter have no place in common, as the diseases of an organ system have.
            if code[0] in "ST":
                break
            beside = [category for block in beside for category in icd.get_children(block)]
        names = {_plain(icd.get_description(other)) for other in beside if other not in classes}
        found = sorted(name for name in names if _names_a_finding(name) and not own & _stems(name))
        if len(found) >= FEWEST_SIBLINGS:
            return tuple(found)
    return ()


def _names_a_finding(name: str) -> bool:
    return bool(re.fullmatch(r"[a-z' -]+", name)) and len(name.split()) <= MOST_WORDS and not _VAGUE.search(name)


def _plain(text: str) -> str:
    """Return a description without what the classification adds to the name of a finding."""
    text = unicodedata.normalize("NFKC", text).casefold().strip(" .")
    text = re.sub(r"\([^)]*\)", "", text)
    text = re.sub(r",? (unspecified|not elsewhere classified|not specified|nos)\b.*", "", text)
    return " ".join(text.split())


def _stems(text: str) -> set[str]:
    """Return the beginnings of the words: "cardiac" and "cardiomegaly" have one in common."""
    return {word[:5] for word in re.findall(r"[a-z]{4,}", text.casefold())}


@cache
def _icd() -> ModuleType:
    # It reads its files by a function that Python 3.11 calls deprecated and later ones do not.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return import_module("simple_icd_10_cm")


@cache
def _codes() -> dict[str, str]:
    """Return the code of every finding by its plain name, the most general where several have it."""
    icd = _icd()
    codes: dict[str, str] = {}
    included: dict[str, str] = {}
    for code in icd.get_all_codes():
        if icd.is_chapter_or_block(code) or icd.is_extended_subcategory(code) or code[0] in "VWXYZ":
            continue
        codes.setdefault(_plain(icd.get_description(code)), code)
        for term in icd.get_inclusion_term(code):
            included.setdefault(_plain(term), code)
    return {**included, **codes}
