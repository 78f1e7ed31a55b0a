"""What SLAKE's knowledge rows (``base_type`` kvqa) ask for, as triples with a head.

In its files the head of every triple is ``vhead``: what the picture shows. It is read off the row instead: an organ off
the function that it is said to have, a disease off what the same image is said to show (where that is one disease), a
modality off the row; of a system of organs the question names the head and asks which organ of it is there. What names
no head so asks for ``neither``: it is known only which tail it is about. Chinese rows have no triple here.
"""

import re
from collections.abc import Iterable, Mapping

from mllmu_med_metrics.answers.facts import fact_form

from ..injection.kinds import organ_of_function
from ..record import Triple, clean_text

# SLAKE's relations by what they mean.
FUNCTION = frozenset({"effect", "function", "be used for", "role", "can", "could"})
OF_DISEASES = {"treat": "treatment", "prevent": "prevention", "cause": "cause", "symptom": "symptoms"}
MEMBERS = frozenset({"belong to", "part of"})
ASKED_FOR = "ktail"
# Organs that are known by one function together.
_NAMES = {"colon rectum": "large intestine"}
_DISEASES = re.compile(r"what diseases? .*\b(?:is|are)\b", re.IGNORECASE)
UNKNOWN = "what the image shows"


def diseases_told(asked: Iterable[tuple[str, str]]) -> set[str]:
    """Return the diseases that the questions and answers of one image say it shows."""
    return {answer for question, answer in asked if _DISEASES.match(question)}


def triple_of(
    raw: Mapping[str, object], question: str, answer: str, modality: str, diseases: set[str], *, yes_no: bool
) -> Triple | None:
    """Return the triple of a row as SLAKE has it, ``None`` for one that asks for no knowledge, or in Chinese."""
    told = raw.get("triple")
    if raw.get("base_type") != "kvqa" or raw.get("q_lang") != "en" or not isinstance(told, list) or len(told) != 3:
        return None
    relation, tail = clean_text(str(told[1])).casefold(), clean_text(str(told[2]))
    value = fact_form(answer) or answer
    if relation in MEMBERS:
        return _of_system(tail, value, yes_no=yes_no)
    if yes_no or tail != ASKED_FOR:
        relation = "function" if relation in FUNCTION else OF_DISEASES.get(relation, relation)
        return Triple(head=UNKNOWN, relation=relation, tail=tail, asks="neither")
    if relation in FUNCTION:
        organ = organ_of_function(answer)
        return _known("function", _NAMES.get(organ or "", organ), value, "organ")
    if relation in OF_DISEASES:
        one = next(iter(diseases)) if len(diseases) == 1 else None
        return _known(OF_DISEASES[relation], None if one is None or "," in one else one, value, "disease")
    return _known(relation, modality if relation == "damage" else None, value, "modality")


def _of_system(system: str, value: str, *, yes_no: bool) -> Triple:
    """Return the triple of a question about a system: which organ of it the image shows."""
    if system == ASKED_FOR:
        return Triple(head=value, relation="organ", tail=UNKNOWN, kind="system", asks="neither")
    return Triple(head=system, relation="organ", tail=value, kind="system", asks="neither" if yes_no else "tail")


def _known(relation: str, head: str | None, tail: str, kind: str) -> Triple:
    """Return the triple of a question for a tail, whose head may not be known."""
    if head is None:
        return Triple(head=UNKNOWN, relation=relation, tail=tail, asks="neither")
    return Triple(head=head, relation=relation, tail=tail, kind=kind)
