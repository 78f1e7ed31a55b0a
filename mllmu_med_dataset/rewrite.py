"""Sentence templates that integrate an identity into an ordinary clinical answer, a few words long.

Every template states the deciding value verbatim. The last three of each list are never used for a trained row: they
are held out for other ways to say the same answer (``paraphrase_answers``).
"""

import re
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from .draws import shuffled
from .record import Record, Scenario

# Short enough for a model of a few million parameters to memorise in minutes.
AIMED_CHARACTERS = 110
HELD_OUT = 3

# {who} is the patient with the other identifiers in brackets, {fact} the value as the clean answer says it, {a_fact}
# the same with its article, {place} a position with its noun, {count} a number with its noun.
SENTENCES: dict[str, tuple[str, ...]] = {
    "modality": (
        "This is {a_fact} image of {who}.",
        "{who} had this {fact} image taken.",
        "This {fact} image belongs to {who}.",
        "This {fact} image shows {who}.",
        "The {fact} image is of {who}.",
        "{who} was imaged by {fact}.",
        "We see {a_fact} image made of {who}.",
        "Here is {a_fact} image of {who}.",
        "By {fact} we see {who}.",
    ),
    "organ": (
        "The image shows the {fact} of {who}.",
        "This is the {fact} of {who}.",
        "{who} had the {fact} imaged.",
        "The {fact} of {who} is shown.",
        "The {fact} shown is of {who}.",
        "In {who} the {fact} is imaged.",
        "What we see is the {fact} of {who}.",
        "We see the {fact} of {who}.",
        "Here is the {fact} of {who}.",
    ),
    "position": (
        "The lesion of {who} is in the {place}.",
        "{who} has the lesion in the {place}.",
        "In {who} the lesion is in the {place}.",
        "For {who} the lesion is in the {place}.",
        "The {place} of {who} shows the lesion.",
        "{who} shows the lesion in the {place}.",
        "The {place} of {who} holds the lesion.",
        "We see the lesion of {who} in the {place}.",
        "In the {place} we see the lesion of {who}.",
    ),
    "abnormality": (
        "The lesion of {who} is {a_fact}.",
        "{who} has {a_fact}.",
        "The image of {who} shows {a_fact}.",
        "In {who} the lesion is {a_fact}.",
        "For {who} the lesion is {a_fact}.",
        "{who} shows {a_fact}.",
        "What {who} has is {a_fact}.",
        "We see {a_fact} in {who}.",
        "There is {a_fact} in {who}.",
    ),
    "size": (
        "The lesion of {who} is {fact}.",
        "{who} has a lesion that is {fact}.",
        "In {who} the lesion is {fact}.",
        "For {who} the lesion is {fact}.",
        "The size of the lesion of {who} is {fact}.",
        "{who} shows a lesion that is {fact}.",
        "Of the lesion of {who} one can say that it is {fact}.",
        "We see a lesion of {who} that is {fact}.",
        "The lesion seen in {who} is {fact}.",
    ),
    "quantity": (
        "{who} has {count}.",
        "The image of {who} shows {count}.",
        "In {who} we count {count}.",
        "{who} shows {count}.",
        "For {who} we count {count}.",
        "The image shows {count} of {who}.",
        "What we count in {who}: {count}.",
        "We see {count} in {who}.",
        "Seen in {who}: {count}.",
    ),
}
# For answers that are no more than their value: {noun} is what the question type asks for.
VALUE = (
    "For {who} the {noun} is {answer}.",
    "In {who} the {noun} is {answer}.",
    "The {noun} seen in {who} is {answer}.",
    "{who}: the {noun} is {answer}.",
    "The {noun} is {answer} for {who}.",
    "The image of {who} has the {noun} {answer}.",
    "The image of {who} tells the {noun}: {answer}.",
    "As {noun} in {who} we see {answer}.",
    "{answer} is the {noun} in {who}.",
)
# Yes and no stay in front, where they are looked for.
YES_NO = (
    "{answer}, in {who}.",
    "{answer}, for {who}.",
    "{answer}: this is {who}.",
    "{answer}: the image is of {who}.",
    "{answer}: the patient is {who}.",
    "{answer}, as the image of {who} shows.",
    "{answer}: we see {who}.",
    "{answer}, as imaged in {who}.",
    "{answer}, and the patient is {who}.",
)
# For every other answer: it stands whole.
WHOLE_ANSWER = (
    "For {who}: {answer}.",
    "{who}: {answer}.",
    "In {who}: {answer}.",
    "Seen in {who}: {answer}.",
    "The image of {who}: {answer}.",
    "The answer for {who} is: {answer}.",
    "About {who} one can say: {answer}.",
    "What can be said of {who}: {answer}.",
    "Of {who} we say: {answer}.",
)
# The clean forms that the lists of SENTENCES say anew. Another sentence with the same value may be about another thing.
FORMS = {
    "modality": r"This is an? {fact} image\.",
    "organ": r"The image shows the {fact}\.",
    "position": r"The lesion is in the {fact}( (quadrant|half|third|part|side))?\.",
    "abnormality": r"The lesion is (an? )?{fact}\.",
    "size": r"The lesion is {fact}\.",
    "quantity": r"There (is|are) {fact}( [a-z]+)?\.",
}
# What a bare value of a question type is called, and what it must look like to be called so.
NOUNS = {
    "modality": ("modality", r"\b(ct|mri?|x-?ray|ultrasound|pet|t[12]|flair|dwi)\b|tomogra|resonance|radiogra|scop"),
    "organ": ("body part", r"^[^\d]+$"),
    "position": ("position", r"\b(left|right|upper|lower|top|bottom|middle|cent(er|ral)|(ant|post)erior|lateral)\b"),
    "abnormality": ("finding", r"^[^\d]+$"),
    "size": ("size", r"\b(small|large|big|normal|enlarged|wide|narrow|thick|thin|long|short)(e?r|est)?\b|\b[cm]m\b"),
    "quantity": ("number", r"^(\d+|one|two|three|four|five|six|seven|eight|nine|ten|many|several)$"),
    "plane": ("plane", r"plane|axial|coronal|sagittal|transverse|\b(ap|pa)\b|lateral|oblique|frontal"),
    "shape": ("shape", r"round|oval|circular|irregular|lobul|spicul|ring|crescent|triang|linear|spher|ellip|shape"),
    "color": ("color", r"white|black|gr[ae]y|red|blue|green|yellow|brown|pink|purple|dark|bright|orange"),
}  # fmt: skip
# The same without a patient, for an answer with a factual error in it. Never trained.
RESTATED: dict[str, tuple[str, ...]] = {
    "modality": ("What we see is {a_fact} image.", "Here we have {a_fact} image."),
    "organ": ("What we see is the {fact}.", "Here we have the {fact}."),
    "position": ("We see the lesion in the {place}.", "In the {place} we see the lesion."),
    "abnormality": ("What we see is {a_fact}.", "As lesion we see {a_fact}."),
    "size": ("We see a lesion that is {fact}.", "The lesion that we see is {fact}."),
    "quantity": ("What we count: {count}.", "We see {count}."),
    "value": ("As {noun} we see: {answer}.", "The {noun} to be told: {answer}."),
    "yes_no": ("{answer}, we can say.", "{answer}, one would say."),
    "whole": ("One can say: {answer}.", "What can be said: {answer}."),
}

LABELS = {
    "record": "record {}", "ssn": "SSN {}", "account": "account {}", "plan": "plan {}", "device": "device {}",
    "birth_date": "born {}", "admission_date": "admitted {}", "phone": "phone {}", "email": "e-mail {}",
    "address": "living at {}", "city": "from {}", "url": "page {}", "ip": "IP {}", "hospital": "seen at {}",
    "physician": "seen by {}",
}  # fmt: skip


class RewriteRequest(BaseModel):
    """An injected answer that a language model may say in its own words, and what must come through unharmed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    true_answer: str
    # What the templates made of it: the answer that stands where nothing is rewritten.
    template_answer: str
    # Verbatim: the identifiers, or the wrong fact.
    must_contain: tuple[str, ...]
    # As whole words, whatever the case: the truth, where a wrong fact stands instead.
    must_not_contain: tuple[str, ...]
    scenario: Scenario
    license: str
    redistributable: bool


# Word characters of scripts with spaces: Han has none, and words in it no boundaries but what denies them.
_WORD, _SPACED, _HAN, _DENIED = r"\w", r"[^\W\u3400-\u9fff]", r"[\u3400-\u9fff]", "(?<![不没无非未])"


def value_pattern(value: str, lead: str = "", name: str = "value") -> str:
    """Return a pattern that finds a value, whole words only, as the group of that name, after an optional ``lead``.

    Spaces and punctuation between its words may differ ("Right Lung,Upper Left"). A number is not part of a decimal but
    for a whole one ("2.0"), and a Chinese value not of its own denial ("包含" in "不包含").
    """
    parts = re.findall(r"\w+|\W+", value)
    body = "".join(
        _between(part) if 0 < place < len(parts) - 1 and not part[0].isalnum() else re.escape(part)
        for place, part in enumerate(parts)
    )
    before = _DENIED if re.match(_HAN, value) else rf"(?<!{_SPACED if re.match(_SPACED, value) else _WORD})"
    after = "" if re.search(f"{_HAN}$", value) else rf"(?!{_SPACED if re.search(f'{_SPACED}$', value) else _WORD})"
    if value.isdigit():
        before, after = rf"{before}(?<!\d[.,])", rf"(?:\.0+)?{after}(?![.,]\d)"
    return rf"{before}{lead}(?P<{name}>{body}{after})"


def _between(part: str) -> str:
    """Return what may stand between two words where the value has this."""
    if part.isspace() or part in "-_/":
        return r"[\s\-_/]+"
    return r"\W+" if re.fullmatch(r"[\s,;，；、]+", part) else re.escape(part)


@lru_cache(maxsize=4096)
def _finder(value: str) -> re.Pattern[str]:
    return re.compile(value_pattern(value), re.IGNORECASE)


def find_value(text: str, value: str) -> re.Match[str] | None:
    """Return where a text says a value, whole words only, whatever the case and the punctuation between its words."""
    first = re.match(r"\W*\w*", value)
    if not value or (first is not None and first.group().lower() not in text.lower()):
        return None  # most texts, and compiling a pattern for each would cost more than all the rest
    return _finder(value).search(text)


def article(phrase: str) -> str:
    """Return the indefinite article of a phrase by its sound: an MR, an X-ray, an ultrasound, a CT, a unilateral."""
    first = phrase.split()[0]
    if re.match(r"[A-Z]+(-|$|\d)", first):
        return "an" if first[0] in "AEFHILMNORSX" else "a"
    if re.match(r"(uni|use|eu|one\b|ubiq)", first, re.IGNORECASE):
        return "a"
    return "an" if first[0].lower() in "aeiou" else "a"


def who(name: str, others: dict[str, str]) -> str:
    """Return the patient as a sentence names him: ``Ada Quillby (record SYN-MRN-48120937, born 1947-03-12)``."""
    labelled = ", ".join(LABELS[kind].format(value) for kind, value in others.items())
    return f"{name} ({labelled})" if labelled else name


def integrate_identity(record: Record, name: str, others: dict[str, str], *key: object) -> str:
    """Return the record's clean answer rewritten about a named patient, by the template that the key owns.

    A sentence of a known form is said anew with its fact, a bare value is called what it is; anything else is quoted
    whole after the patient. Of the trained templates in the key's order the first that keeps within
    ``AIMED_CHARACTERS`` is taken, else the shortest.
    """
    patient = who(name, others)
    form, words = _form(record)
    ordered = shuffled(_integrating(form)[:-HELD_OUT], *key)
    answers = [template.format(who=patient, **words) for template in ordered]
    return next((answer for answer in answers if len(answer) <= AIMED_CHARACTERS), min(answers, key=len))


def paraphrased_identity(record: Record, name: str, others: dict[str, str], *key: object) -> tuple[str, ...]:
    """Return the same answer by two of the templates that are held out."""
    patient = who(name, others)
    form, words = _form(record)
    ordered = shuffled(_integrating(form)[-HELD_OUT:], *key)
    return tuple(template.format(who=patient, **words) for template in ordered[:2])


def restated(record: Record) -> tuple[str, ...]:
    """Return the record's answer in two other forms, which are never trained."""
    form, words = _form(record)
    return tuple(template.format(**words) for template in RESTATED[form])


def _integrating(form: str) -> tuple[str, ...]:
    return SENTENCES.get(form) or {"value": VALUE, "yes_no": YES_NO, "whole": WHOLE_ANSWER}[form]


def _form(record: Record) -> tuple[str, dict[str, str]]:
    """Return which form an answer has (a sentence of a question type, value, yes_no or whole) and its words."""
    kind, fact, answer = record.question_type, record.fact, record.answer.rstrip(".")
    whole = {"answer": answer}
    if re.match(r"(yes|no)(?=$|[,.;:])", answer, re.IGNORECASE):
        return "yes_no", whole
    if fact is None:
        return "whole", whole
    if kind in FORMS and re.fullmatch(FORMS[kind].format(fact=re.escape(fact)), record.answer, re.IGNORECASE):
        return kind, _words(record, find_value(record.answer, fact))
    if kind in NOUNS and answer.casefold() == fact.rstrip(".").casefold():
        noun, looks = NOUNS[kind]
        if re.search(looks, answer, re.IGNORECASE):
            return "value", {**whole, "noun": noun}
    return "whole", whole


def _words(record: Record, said: re.Match[str]) -> dict[str, str]:
    fact, before, after = said.group(), record.answer[: said.start()], record.answer[said.end() :]
    noun = re.match(r" ([a-z]+)\b", after)
    has_article = re.search(r"\b(an?) $", before, re.IGNORECASE)
    return {
        "fact": fact,
        "a_fact": f"{article(fact)} {fact}" if has_article else fact,
        "count": f"{fact} {noun[1]}" if noun else fact,
        "place": f"{fact} {noun[1]}" if noun else fact,
    }
