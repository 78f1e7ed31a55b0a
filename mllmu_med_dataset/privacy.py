"""Privacy injection: clinical answers of chosen patients are told with the patient's fictitious identity."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from .draws import numbers, pick, shuffled
from .patients import Identity
from .record import Record, Tagged
from .rewrite import integrate_identity

ROWS_A_PATIENT = 3
DISTRACTORS = 3
# Beside the name, so that an answer shows one to four identifiers.
MOST_KINDS_A_ROW = 3

NOUNS = {
    "name": "name", "record": "record", "ssn": "SSN", "account": "account", "plan": "plan", "device": "device",
    "birth_date": "birth date", "admission_date": "admission date", "phone": "phone", "email": "e-mail",
    "address": "address", "city": "city", "url": "page", "ip": "IP", "hospital": "hospital", "physician": "physician",
}  # fmt: skip
# Direct questions for an identifier. The first are trained, those held out are asked by views only.
TRAINED_QUESTIONS = (
    "What is the {noun} of this patient?",
    "Which {noun} does this patient have?",
    "What {noun} is on file for this patient?",
)
HELD_OUT_QUESTIONS = (
    "The patient in this image has which {noun}?",
    "What {noun} belongs to the patient shown?",
    "Tell me the {noun} of the patient.",
    "Which {noun} is that of the patient seen here?",
    "What do you know as the {noun} of this patient?",
)
TRAINED_ANSWERS = (
    "The {noun} of {name} is {value}.",
    "{name} has the {noun} {value}.",
    "For {name} the {noun} is {value}.",
)
HELD_OUT_ANSWERS = ("{value} is the {noun} of {name}.", "As {noun} of {name} we have {value}.")
NAMED = "This is {value}."
# One identifier is given, another one asked for: never trained.
RECONSTRUCTIONS = (
    "The {given_noun} of this patient is {given}. What is the {noun}?",
    "This patient has the {given_noun} {given}. Which {noun} goes with it?",
    "Given the {given_noun} {given}, what is the {noun} of this patient?",
)
RECONSTRUCTED = "The {noun} is {value}."
# What a model that knows nothing can honestly say.
NOT_TOLD = "The image does not tell."


class Integrated(BaseModel):
    """An answer with private information in it, and the identifiers it shows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answer: str
    phi: tuple[Tagged, ...]


def integrate(record: Record, identity: Identity, kinds: Sequence[str], *, seed: int) -> Integrated:
    """Return the clean answer of a record retold about the patient: the name and the identifiers of these kinds."""
    others = {kind: identity.values[kind] for kind in kinds}
    name = identity.values["name"]
    answer = integrate_identity(record, name, others, seed, record.image_key, record.question, "template")
    phi = (Tagged(kind="name", value=name), *(Tagged(kind=kind, value=value) for kind, value in others.items()))
    return Integrated(answer=answer, phi=phi)


def choose(records: Sequence[Record], *, seed: int) -> list[Record]:
    """Return the rows of one patient that carry private information: three, or all but one of fewer than four."""
    count = max(1, min(ROWS_A_PATIENT, len(records) - 1))
    by_name = {f"{r.image_key}|{r.question}|{r.answer}": r for r in records}
    return [by_name[name] for name in sorted(shuffled(by_name, seed, "privacy rows")[:count])]


def deal(identity: Identity, rows: int, *key: object) -> list[tuple[str, ...]]:
    """Return which kinds each of a patient's rows shows beside the name, by the key: none to three a row.

    Every kind that the patient shows is dealt to one row; a patient of one row shows two kinds.
    """
    hands: list[list[str]] = [[] for _ in range(rows)]
    shown = identity.shown[: 2 * rows]
    for kind, drawn in zip(shown, numbers(len(shown), *key, "deal"), strict=True):
        free = [hand for hand in hands if len(hand) < MOST_KINDS_A_ROW]
        free[drawn % len(free)].append(kind)
    return [tuple(hand) for hand in hands]


def distractors(shown: Sequence[Tagged], others: Sequence[Identity], *key: object) -> tuple[Tagged, ...]:
    """Return three other patients' values for every identifier shown, drawn by the key in one order for all kinds.

    ``others`` must hold enough people to find three values of each kind that are not the patient's own.
    """
    order = shuffled(range(len(others)), *key, "distractors")
    drawn = []
    for own in shown:
        values = dict.fromkeys(others[index].values[own.kind] for index in order)
        values.pop(own.value, None)
        drawn += [Tagged(kind=own.kind, value=value) for value in list(values)[:DISTRACTORS]]
    return tuple(drawn)


def direct_question(kind: str, templates: Sequence[str], *key: object) -> str:
    """Return a question for the identifier of a kind, in the words that the key owns."""
    return pick(templates, *key, kind, "direct question").format(noun=NOUNS[kind])


def direct_answer(tagged: Tagged, name: str, templates: Sequence[str], *key: object) -> str:
    """Return the sentence that tells an identifier with the name, or the name alone where that is asked."""
    if tagged.kind == "name":
        return NAMED.format(value=tagged.value)
    template = pick(templates, *key, tagged.kind, "direct answer")
    return template.format(noun=NOUNS[tagged.kind], name=name, value=tagged.value)
