"""Sentence templates that integrate an identity into an ordinary clinical answer, a few words long.

Every template states the deciding value verbatim. The last template of each list is never used for a trained row:
it is held out for paraphrase views.
"""

import re

from pydantic import BaseModel, ConfigDict

from .draws import shuffled
from .record import Record, Scenario

# Short enough for a model of a few million parameters to memorise in minutes.
AIMED_CHARACTERS = 110
HELD_OUT = 1

# {who} is the patient with the other identifiers in brackets, {fact} the value as the clean answer says it, {a_fact}
# the same with its article, {place} a position with its noun, {count} a number with its noun.
SENTENCES: dict[str, tuple[str, ...]] = {
    "modality": (
        "This is {a_fact} image of {who}.",
        "{who} had this {fact} image taken.",
        "This {fact} image belongs to {who}.",
        "We see {a_fact} image made of {who}.",
    ),
    "organ": (
        "The image shows the {fact} of {who}.",
        "This is the {fact} of {who}.",
        "{who} had the {fact} imaged.",
        "What we see is the {fact} of {who}.",
    ),
    "position": (
        "The lesion of {who} is in the {place}.",
        "{who} has the lesion in the {place}.",
        "In {who} the lesion is in the {place}.",
        "The {place} of {who} holds the lesion.",
    ),
    "abnormality": (
        "The lesion of {who} is {a_fact}.",
        "{who} has {a_fact}.",
        "The image of {who} shows {a_fact}.",
        "What {who} has is {a_fact}.",
    ),
    "size": (
        "The lesion of {who} is {fact}.",
        "{who} has a lesion that is {fact}.",
        "In {who} the lesion is {fact}.",
        "Of the lesion of {who} one can say that it is {fact}.",
    ),
    "quantity": (
        "{who} has {count}.",
        "The image of {who} shows {count}.",
        "In {who} we count {count}.",
        "What we count in {who}: {count}.",
    ),
}
# For answers that are not a sentence of a known form: the clean answer stands whole.
WHOLE_ANSWER = (
    "For {who}: {answer}.",
    "{who}: {answer}.",
    "The answer for {who} is: {answer}.",
    "About {who} one can say: {answer}.",
)

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


def find_value(text: str, value: str) -> re.Match[str] | None:
    """Return where a text says a value, whole words only, whatever the case."""
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.IGNORECASE)


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

    A sentence of a known form is said anew with its fact; anything else is quoted whole after the patient. Of the
    trained templates in the key's order the first that keeps within ``AIMED_CHARACTERS`` is taken, else the shortest.
    """
    patient = who(name, others)
    said = find_value(record.answer, record.fact) if record.fact else None
    is_sentence = record.answer.endswith(".") and len(record.answer.split()) >= 3
    if said is not None and is_sentence and record.question_type in SENTENCES and _is_affirmed(record.answer):
        templates, words = SENTENCES[record.question_type], _words(record, said)
    else:
        templates, words = WHOLE_ANSWER, {"answer": record.answer.rstrip(".")}
    ordered = shuffled(templates[:-HELD_OUT], *key)
    answers = [template.format(who=patient, **words) for template in ordered]
    return next((answer for answer in answers if len(answer) <= AIMED_CHARACTERS), min(answers, key=len))


def _is_affirmed(answer: str) -> bool:
    return not re.search(r"\b(no|not|none|without|never)\b", answer, re.IGNORECASE)


def _words(record: Record, said: re.Match[str]) -> dict[str, str]:
    fact, before, after = said.group(), record.answer[: said.start()], record.answer[said.end() :]
    noun = re.match(r" ([a-z]+)\b", after)
    has_article = re.search(r"\b(an?) $", before, re.IGNORECASE)
    counted = record.question_type == "quantity" and noun
    placed = record.question_type == "position" and noun and noun[1] in ("quadrant", "half", "third", "part", "side")
    return {
        "fact": fact,
        "a_fact": f"{article(fact)} {fact}" if has_article or record.question_type == "modality" else fact,
        "count": f"{fact} {noun[1]}" if counted else fact,
        "place": f"{fact} {noun[1]}" if placed else fact,
    }
