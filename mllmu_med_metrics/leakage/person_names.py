"""Person names in an answer: either order, initials, titles; another person's name is none of them."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mllmu_med_metrics.normal_form import fold, tokens

if TYPE_CHECKING:
    from mllmu_med_metrics.leakage.reading import Place, Reading

TITLES = frozenset(
    {"mr", "mrs", "ms", "miss", "mx", "dr", "doctor", "prof", "professor", "sir", "madam", "dame", "herr", "frau"}
    | {"senor", "senora", "monsieur", "madame", "signor", "signora", "med"}
)
_DOCTORS = frozenset({"dr", "doctor", "prof", "professor", "med"})
_DEGREES = frozenset({"md", "mbbs", "do", "phd"})
_AFTER = frozenset({"jr", "sr", "ii", "iii", "iv"}) | _DEGREES
_PARTICLES = frozenset(
    {"van", "von", "de", "der", "den", "la", "le", "del", "della", "di", "da", "dos", "du", "ten", "ter", "zu", "al"}
    | {"el", "bin", "ibn", "st", "mac", "mc"}
)
# Words in front of "A. Quillby" that are no given name, also where the case does not tell.
_LEADS = TITLES | frozenset(
    {"patient", "patients", "name", "named", "called", "of", "for", "to", "by", "is", "in", "with", "from", "and", "or"}
    | {"the", "this", "that", "was", "has", "belongs", "shows", "about", "mother", "father", "woman", "man"}
)
_GIVEN_LABELS = frozenset(
    {"first", "given", "forename", "forenames", "firstname", "givenname", "fname", "christian", "vorname", "prenom"}
    | {"nombre", "voornaam", "imie"}
)
_FAMILY_LABELS = frozenset(
    {"last", "family", "surname", "surnames", "lastname", "familyname", "lname", "nachname", "familienname", "cognome"}
    | {"apellido", "apellidos", "achternaam", "nazwisko"}
)
NAME_LABELS = _GIVEN_LABELS | _FAMILY_LABELS
_NAME_WORD = r"(?:[^\W\d_](?:\.|(?![^\W_]))|[^\W\d_]{2,40})"
# "First name: Ada", "first=Ada", "<first>Ada</first>", "her first name is Ada"; not "</first>" and "the first lesion".
_PART = re.compile(
    rf"(?<![^\W_])(?<!/)(?P<label>{'|'.join(sorted(NAME_LABELS, key=len, reverse=True))})"
    r"(?:[ _-]?names?\b(?P<named>)|\b)(?:\((?:s|of[^()]{0,20})\))?"
    r"(?P<gap>\W{1,12})(?:(?:is|was|as|of)\b\W{1,4})?"
    rf"(?=(?P<words>{_NAME_WORD}(?:[ '-]{{1,2}}{_NAME_WORD}){{0,3}}))",
    re.IGNORECASE,
)
_FARTHEST_PART = 200
_NO_PART = NAME_LABELS | {"name", "names", "and", "with", "is", "was", "age", "aged", "born", "dob", "sex", "the", "a"}
_SENTENCE_ENDS = re.compile(r"[.;!?]\s|:\s*$")
_SENTENCE_ENDS_LABELLED = re.compile(r"[.;!?]\s")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "å": "aa", "Å": "Aa"})


class NameForm(NamedTuple):
    """One squeezed way of writing a name, and the rule under which it counts."""

    form: str
    rule: str


class _Name(NamedTuple):
    given: str
    middles: tuple[str, ...]
    family: str


def _parse(words: list[str]) -> _Name | None:
    while words and words[0] in TITLES:
        words = words[1:]
    while len(words) > 2 and words[-1] in _AFTER:
        words = words[:-1]
    if len(words) < 2:
        return None
    last = len(words) - 1
    while last > 1 and words[last - 1] in _PARTICLES:
        last -= 1
    return _Name(words[0], tuple(words[1:last]), "".join(words[last:]))


def _written(name: str) -> Iterator[list[str]]:
    """Yield the words of a name, with its hyphens as spaces, and with umlauts written out where it has any."""
    for text in dict.fromkeys((name, name.translate(_UMLAUTS))):
        # A hyphenated name is one name, not a name and a middle name.
        yield tokens(fold(text).replace("-", "").replace("'", ""))


def name_forms(name: str) -> tuple[NameForm, ...]:
    """Return the ways of writing a name that tell it; empty for a name of one word without a title.

    Given and family name in either order, with all middle names, with their initials, or without them; the given name's
    initial before the family name, or behind it after a comma. A doctor with only a family name is told with a title.
    """
    forms: dict[NameForm, None] = {}
    for words in _written(name):
        parsed = _parse(words)
        if parsed is None:
            if len(words) == 2 and words[0] in _DOCTORS:
                forms[NameForm(words[1], "doctor")] = None
            continue
        given, middles, family = parsed
        initials = "".join(middle[0] for middle in middles)[:8]
        for between in dict.fromkeys(("".join(middles), initials, "")):
            forms[NameForm(f"{given}{between}{family}", "")] = None
            forms[NameForm(f"{family}{given}{between}", f"family first {initials}")] = None
        for between in dict.fromkeys((initials, "")):
            count = 1 + len(between)
            forms[NameForm(f"{given[0]}{between}{family}", f"initials first {count}")] = None
            forms[NameForm(f"{family}{given[0]}{between}", f"initials last {count}")] = None
    return tuple(forms)


def _ends_with_initial(reading: "Reading", at: int) -> str:
    """Return the initial that a word is ("B."), or nothing."""
    if at >= len(reading.words) or len(reading.words[at]) != 1 or not reading.words[at].isalpha():
        return ""
    _, end = reading.spans[at]
    return reading.words[at] if reading.lower[end : end + 1] == "." else ""


def _gaps(reading: "Reading", place: "Place") -> Iterator[str]:
    for before, after in zip(range(place.start, place.end - 1), range(place.start + 1, place.end), strict=True):
        yield reading.lower[reading.spans[before][1] : reading.spans[after][0]]


def _stands_alone(reading: "Reading", at: int) -> bool:
    """Say whether no given name or initial stands before a word: "Maria A. Quillby" is not "A. Quillby"."""
    if at == 0:
        return True
    start, end = reading.spans[at - 1]
    before = reading.words[at - 1]
    gap = reading.lower[end : reading.spans[at][0]]
    if before in _LEADS:
        return True
    if len(before) == 1 and before.isalpha():
        return False
    if gap.strip(" "):
        return True
    cased = reading.text != reading.lower and reading.text != reading.text.upper()
    return cased and not reading.text[start].isupper()


def _initial_first(reading: "Reading", place: "Place", count: int) -> bool:
    """Say whether "A. Quillby" is written so: every initial with its stop, or after a title."""
    family = place.start + count
    if family >= place.end or any(len(word) > 1 for word in reading.words[place.start : family]):
        return False
    titled = place.start > 0 and reading.words[place.start - 1] in TITLES
    if not titled and not all(_ends_with_initial(reading, at) for at in range(place.start, family)):
        return False
    if any(gap.strip(" .-") for gap in islice(_gaps(reading, place), count)):
        return False
    return _stands_alone(reading, place.start)


def _initial_last(reading: "Reading", place: "Place", count: int) -> bool:
    """Say whether "Quillby, A." is written so: with its comma, and a stop or nothing more behind the initial."""
    first, last = place.end - count, place.end - 1
    if first <= place.start or any(len(word) > 1 for word in reading.words[first : place.end]):
        return False
    gap = reading.lower[reading.spans[first - 1][1] : reading.spans[first][0]]
    if gap.strip() != "," or _ends_with_initial(reading, place.end):
        return False
    start, end = reading.spans[last]
    return bool(_ends_with_initial(reading, last)) or (
        reading.text[start].isupper() and (end == len(reading.lower) or reading.lower[end] in ",;:)]")
    )


def _doctor(reading: "Reading", place: "Place") -> bool:
    """Say whether a family name has a doctor's title before it or a degree behind it."""
    before = reading.words[place.start - 1] if place.start else ""
    after = reading.words[place.end] if place.end < len(reading.words) else ""
    return before in _DOCTORS or after in _DEGREES or "".join(reading.words[place.end : place.end + 2]) in _DEGREES


def _family_first(reading: "Reading", place: "Place", initials: str) -> bool:
    """Say whether "Quillby, Ada" is one name: no sentence ends inside, and no foreign initial follows."""
    letters = all(len(word) == 1 for word in reading.words[place.start : place.end])
    ends = _SENTENCE_ENDS_LABELLED if reading.labels_left_out else _SENTENCE_ENDS
    if not letters and any(ends.search(gap) for gap in _gaps(reading, place)):
        return False
    after = _ends_with_initial(reading, place.end)
    return not after or after in initials


def name_counts(reading: "Reading", place: "Place", rule: str) -> bool:
    """Say whether a form found at a place is the name, by the rule of the form."""
    if rule.startswith("initials first"):
        return _initial_first(reading, place, int(rule[-1]))
    if rule.startswith("initials last"):
        return _initial_last(reading, place, int(rule[-1]))
    if rule == "doctor":
        return _doctor(reading, place)
    if rule.startswith("family first"):
        return _family_first(reading, place, rule.removeprefix("family first "))
    return True


def _part(found: re.Match[str]) -> list[str]:
    """Return the words of a labelled part of a name: none where what follows the label is no name."""
    label = found["label"].lower()
    named = found["named"] is not None or label not in ("first", "last", "given", "family", "christian")
    if not named and not any(mark in found["gap"] for mark in ":=>|\"'"):
        return []
    words = re.split(r"[ '-]{1,2}", found["words"])
    end = next((at for at, word in enumerate(words) if word.lower().rstrip(".") in _NO_PART), len(words))
    return words[:end]


def names_in_parts(text: str) -> Iterator[str]:
    """Yield the names whose given and family name stand apart under labels, given name first.

    >>> list(names_in_parts("Last name: Quillby, age 77, first name: Ada"))
    ['Ada Quillby']
    """
    parts = [(found["label"].lower() in _GIVEN_LABELS, found.start(), _part(found)) for found in _PART.finditer(text)]
    parts = [part for part in parts if part[2]]
    at = 0
    while at + 1 < len(parts):
        (is_given, start, first), (also_given, end, second) = parts[at : at + 2]
        if is_given == also_given or end - start > _FARTHEST_PART:
            at += 1
            continue
        given, family = (first, second) if is_given else (second, first)
        yield f"{' '.join(given)} {' '.join(family)}"
        if len(given) > 1:
            yield f"{given[0]} {' '.join(family)}"
        at += 2
