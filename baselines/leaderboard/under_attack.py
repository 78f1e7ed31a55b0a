"""Harm under attack, judged again from what an entry carries: every answer under attack, or what likelihoods rank.

Only the attacks of the set are carried: what an own attack asks, nobody else can tell. An entry holds what each row is
due in the order of the rows, so that nothing of it can be left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isclose
from pathlib import Path
from typing import Any

from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics.scoring.attack_harms import GivenHarms
from mllmu_med_metrics.scoring.attacked import AttackedRows
from mllmu_med_metrics.vocabulary import ATTACK_SET, ATTACKS
from mllmu_med_tasks.attack_records import AttackRecord, read_records

from .. import attacks as registry
from ..attacks.attack import Attack
from ..attacks.held import Held, asked_rows, judged_again

# Of each attack and run, for each row that is asked, in their order: places of answers, or ranks.
Carried = Mapping[str, Mapping[str, Sequence[Sequence[Any]]]]
Rows = Sequence[Mapping[str, object]]
BY_LIKELIHOOD = tuple(name for name in ATTACKS if registry.get(name).by_likelihood)
_ROUNDING = 1e-9


def records_of_set(folders: Mapping[str, Path]) -> dict[str, dict[str, AttackRecord]]:
    """Return the records of the set's attacks by attack and run, of the runs whose folder holds any."""
    found: dict[str, dict[str, AttackRecord]] = {}
    for run, folder in folders.items():
        for attack, record in (read_records(folder) if any(folder.glob("*.json")) else {}).items():
            if record.attack_set == ATTACK_SET:
                found.setdefault(attack, {})[run] = record
    return found


def texts_of(records: Mapping[str, Mapping[str, AttackRecord]]) -> Iterator[str]:
    """Yield every answer under attack."""
    for of_runs in records.values():
        for record in of_runs.values():
            for texts in record.answers.values():
                yield from texts


def carried(
    records: Mapping[str, Mapping[str, AttackRecord]], rows: Rows, seed: int, places: Mapping[str, int]
) -> dict[str, dict[str, tuple[tuple[Any, ...], ...]]]:
    """Return what an entry carries of attacks; a :class:`UserError` for a record whose harm does not follow from it.

    places: of every text that was answered.
    """
    asked, found = asked_rows(rows), {}
    for name, of_runs in records.items():
        attack = registry.get(name)
        due = attack.due(asked, attack.defaults, seed)
        for run, record in of_runs.items():
            given = _given(attack, record)
            _check(attack, record, given, asked, seed)
            values = [given[row_id] for row_id in due]
            if not attack.by_likelihood:
                values = [tuple(places[text] for text in of_row) for of_row in values]
            found.setdefault(name, {})[run] = tuple(map(tuple, values))
    return found


def harms_of(found: Carried, rows: Rows, seed: int, texts: Sequence[str]) -> GivenHarms:
    """Return the harm by patient of every attack and run; ValueError where not all that is due is carried."""
    asked = asked_rows(rows)
    harms: dict[str, dict[str, Mapping[str, float]]] = {}
    for name, of_runs in found.items():
        attack = registry.get(name)
        due = attack.due(asked, attack.defaults, seed)
        for run, values in of_runs.items():
            if len(values) != len(due):
                raise ValueError(f"the attack {name} on {run} is due on {len(due)} rows and carried of {len(values)}")
            if not attack.by_likelihood:
                values = [[texts[place] for place in of_row] for of_row in values]
            held = Held(asked, dict(zip(due, values, strict=True)), attack.defaults, seed)
            harms.setdefault(name, {})[run] = judged_again(attack, held)
    return harms


def check_places(found: Carried, texts: int, runs: Iterable[str]) -> None:
    """Raise ValueError for what is of no attack of the set, of no run, or no place of a text and no rank."""
    known = set(runs)
    for attack, of_runs in found.items():
        if attack not in ATTACKS:
            raise ValueError(f"'{attack}' is no attack of the set {ATTACK_SET}")
        if strange := sorted(of_runs.keys() - known):
            raise ValueError(f"the attacks are on {strange[0]}, of which there are no answers")
        for run, values in of_runs.items():
            for value in (one for of_row in values for one in of_row):
                fits = _is_rank(value) if attack in BY_LIKELIHOOD else isinstance(value, int) and 0 <= value < texts
                if not fits:
                    due = "a rank from 0 to 1" if attack in BY_LIKELIHOOD else f"a place among {texts} texts"
                    raise ValueError(f"the attack {attack} on {run} holds {value!r}, which is not {due}")


def _is_rank(value: float | None) -> bool:
    return value is None or 0 <= value <= 1


def _given(attack: Attack, record: AttackRecord) -> Mapping[str, Sequence[Any]]:
    """Return what a record holds beside harm; a :class:`UserError` where it holds nothing."""
    given = record.ranks if attack.by_likelihood else record.answers
    if not given:
        what = "ranks of the secrets" if attack.by_likelihood else "answers"
        raise UserError(
            f"{record.path} holds no {what}, so that its harm can't be judged again. Remove it, and resume the study "
            "with the command that it was started with: the attack is then run anew."
        )
    return given


def _check(
    attack: Attack, record: AttackRecord, given: Mapping[str, Sequence[Any]], asked: AttackedRows, seed: int
) -> None:
    """Refuse a record whose harm is not what it holds gives."""
    if record.seed != seed:
        raise UserError(f"{record.path} is of the seed {record.seed}, and the study of {seed}. Run the attack again.")
    try:
        harms = judged_again(attack, Held(asked, given, attack.defaults, seed))
    except ValueError as error:
        raise UserError(f"{record.path} can't be judged again: {error}. Run the attack again.") from error
    for patient in sorted(harms.keys() | record.harm_by_patient.keys()):
        told, gives = record.harm_by_patient.get(patient), harms.get(patient)
        if told is None or gives is None or not isclose(told, gives, abs_tol=_ROUNDING):
            raise UserError(
                f"{record.path} tells the harm {told} of the patient {patient}, and what it holds gives {gives}. "
                "Remove it, and run the attack again."
            )
