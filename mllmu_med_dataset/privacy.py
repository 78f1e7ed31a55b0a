"""Privacy injection: clinical answers of chosen patients are told with the patient's fictitious identity."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from .draws import number, shuffled
from .patients import Identity, identities
from .record import Record, Tagged
from .rewrite import integrate_identity

ROWS_A_PATIENT = 3
DISTRACTORS = 3


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


def deal(identity: Identity, rows: int) -> list[tuple[str, ...]]:
    """Return which kinds each of a patient's rows shows beside the name: the shown kinds in turn, at most two a row."""
    hands: list[list[str]] = [[] for _ in range(rows)]
    for index, kind in enumerate(identity.shown[: 2 * rows]):
        hands[index % rows].append(kind)
    return [tuple(hand) for hand in hands]


class DistractorPool:
    """Other patients' values of each kind, drawn in an order that does not depend on who asks first."""

    def __init__(self, people: Mapping[str, Identity], *, seed: int) -> None:
        # Made-up patients stand in where the data set has too few of its own. Their keys sort after every image key,
        # so that they take no value from the real ones.
        self._seed = seed
        spare = [f"nobody {n}" for n in range(max(0, 4 * DISTRACTORS - len(people)))]
        self._people = dict(people)
        if spare:
            everyone = identities([*people, *spare], seed=seed)
            self._people |= {key: everyone[key] for key in spare}
        self._keys = sorted(self._people)

    def of(self, key: str, phi: Sequence[Tagged]) -> tuple[Tagged, ...]:
        """Return at least three other patients' values for every identifier of a row of patient ``key``."""
        drawn = []
        for shown in phi:
            start, values = number(self._seed, key, "distractors", shown.kind), []
            for step in range(len(self._keys)):
                other = self._keys[(start + step) % len(self._keys)]
                value = self._people[other].values[shown.kind]
                if other != key and value != shown.value and value not in values:
                    values.append(value)
                if len(values) == DISTRACTORS:
                    break
            drawn += [Tagged(kind=shown.kind, value=value) for value in values]
        return tuple(drawn)
