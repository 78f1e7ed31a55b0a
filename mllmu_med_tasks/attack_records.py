"""Records of attacks in, harm by patient out: what `mllmu-med attack` wrote of one model, and of those beside it.

A record is one JSON file of one attack on one model. A folder holds those of a model, and with it may hold the folders
``target`` and ``retain_only``: the same attacks on these. Records are put together only where they are of the same
attack, options, data, scenario, percent and seed, and judged the same patients.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from mllmu_med_dataset.errors import UserError, cut, unknown
from mllmu_med_metrics.scoring.scored_row import unit_of
from mllmu_med_metrics.vocabulary import ATTACK_SET, ATTACKS, SHOWN, is_shown
from mllmu_med_tasks.evaluation import Evaluation

# Folders of the same attacks on other models, below those of a model.
BESIDE = ("target", "retain_only")
# Ends the name of an attack of the set that was run with other options than the set's.
OTHER_OPTIONS = "_other_options"
# What must be the same in all records that are put together, in words.
_SAME = {
    "attack_set": "set of attacks", "data_digest": "data", "scenario": "scenario", "percent": "percent", "seed": "seed",
    "options": "options",
}  # fmt: skip
# What all records of one model must share.
_OF_MODEL = {"model_digest": "model", **{name: _SAME[name] for name in ("data_digest", "scenario", "percent", "seed")}}

_Held = TypeVar("_Held")
# One folder, with those beside it; or the folder of each model.
Sources = str | Path | Mapping[str, str | Path | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackRecord:
    """What one attack brought out of one model."""

    path: Path
    attack: str
    attack_set: str | None  # None of attacks, and of options, that are not the set's
    options: Mapping[str, object]
    model: str
    model_digest: str | None
    data_digest: str
    scenario: str
    percent: int
    seed: int
    harm_by_patient: Mapping[str, float]  # 0 to 1; higher is worse
    scored: bool = True  # False of what is shown and counts in no score
    answers: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by row, in the order given
    ranks: Mapping[str, Sequence[float | None]] = field(default_factory=dict)  # by row, of each of its secrets
    seconds: float = 0.0

    @property
    def harm(self) -> float:
        """The mean harm over the patients that the attack judged, 0 to 1; higher is worse."""
        return sum(self.harm_by_patient.values()) / len(self.harm_by_patient)


def read_records(folder: str | Path) -> dict[str, AttackRecord]:
    """Return the records in a folder by attack; its subfolders are those of other models.

    Raises :class:`UserError` for a folder without records, a file that is none, an attack that stands there twice, and
    records of several models, data, scenarios, percents or seeds.
    """
    place = Path(folder)
    if not place.is_dir():
        raise UserError(
            f"The folder '{place}' of attack records does not exist. Make it with `mllmu-med attack --out`, or name "
            "the folder that holds a model's records."
        )
    found: dict[str, AttackRecord] = {}
    for path in sorted(place.glob("*.json")):
        record = read_record(path)
        if record.attack in found:
            raise UserError(
                f"'{place}' holds the attack {record.attack} twice ({found[record.attack].path.name} and {path.name}). "
                "Keep the record that counts."
            )
        found[record.attack] = record
    if not found:
        raise UserError(
            f"'{place}' holds no records of attacks (files such as {ATTACKS[0]}.json). Make them with `mllmu-med "
            f"attack --attack {ATTACK_SET} --out {place}`."
        )
    first, *others = found.values()
    for other in others:
        for name, word in _OF_MODEL.items():
            if getattr(first, name) != getattr(other, name):
                raise _differ(first, other, name, word, "A folder holds one model's records, all made alike.")
    return found


def read_attacks(
    sources: Sources,
    evaluations: Mapping[str, Evaluation],
    roles: Iterable[str] = ("unlearned", *BESIDE),
    *,
    other_options: bool = False,
) -> dict[str, dict[str, Mapping[str, float]]]:
    """Return {attack: {role: {patient_id: harm}}} as `mllmu_med_metrics.score` takes it, checked against evaluations.

    ``sources`` is the folder of the unlearned model's records with the folders ``target`` and ``retain_only`` in it, or
    {role: folder}; ``evaluations`` are those of the same roles. With ``other_options`` an attack of the set that was
    run with options which are not the set's is an attack of its own, ``sample_other_options``. Raises
    :class:`UserError` for records that are not of the evaluated models, data, scenario and percent, or that were not
    made alike for every role.
    """
    folders = _folders(sources, tuple(roles), evaluations)
    records = {role: read_records(folder) for role, folder in folders.items()}
    for role, of_role in records.items():
        for record in of_role.values():
            _check_set(record, other_options)
            # What is not evaluated is still of the same rows as what is.
            _check_evaluation(record, evaluations.get(role) or next(iter(evaluations.values())))
            if role in evaluations:
                _check_model(record, role, evaluations[role])
    found: dict[str, dict[str, Mapping[str, float]]] = {}
    firsts: dict[str, AttackRecord] = {}
    for role, of_role in records.items():
        for attack, record in of_role.items():
            _check_same(firsts.setdefault(attack, record), record)
            found.setdefault(_name(record), {})[role] = record.harm_by_patient
    return found


def _name(record: AttackRecord) -> str:
    """Return what a score knows an attack by: its name, and whether it is shown alone or of other options."""
    if record.attack in ATTACKS:
        return record.attack if record.attack_set is not None else record.attack + OTHER_OPTIONS
    return record.attack if record.scored or is_shown(record.attack) else record.attack + SHOWN


def _folders(sources: Sources, roles: tuple[str, ...], evaluations: Mapping[str, Evaluation]) -> dict[str, Path]:
    if isinstance(sources, Mapping):
        for role in sources:
            if role not in roles:
                raise unknown("model of attack records", str(role), roles)
        return {role: Path(folder) for role, folder in sources.items() if folder is not None}
    place = Path(sources)
    folders = {roles[0]: place} | {role: place / role for role in BESIDE}
    read_records(place)  # says first what is wrong with the folder itself
    for role in BESIDE:
        if not folders[role].is_dir():
            if role in evaluations:
                raise UserError(
                    f"'{place}' holds no records of {role}: the folder '{folders[role]}' is missing. What an attack "
                    "brings out counts beside the same attack on target and retain_only: run `mllmu-med attack` again "
                    f"with --{role.replace('_', '-')} and the same --out."
                )
            del folders[role]
    return folders


def read_record(path: Path) -> AttackRecord:
    """Return the record in a file; a :class:`UserError` for anything else."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
        if not isinstance(held, dict):
            raise TypeError("it is no object")
        harms = held["harm_by_patient"]
        if not isinstance(harms, dict) or not harms:
            raise TypeError("harm_by_patient holds no patients")
        for patient, harm in harms.items():
            if isinstance(harm, bool) or not isinstance(harm, int | float) or not 0 <= harm <= 1 or not isfinite(harm):
                raise ValueError(f"the harm of patient '{patient}' is {harm!r}, not a number from 0 to 1")
        return AttackRecord(
            path=path,
            attack=_of_type(held, "attack", str),
            attack_set=None if held["attack_set"] is None else _of_type(held, "attack_set", str),
            options=_of_type(held, "options", dict),
            model=_of_type(held, "model", str),
            model_digest=None if held.get("model_digest") is None else _of_type(held, "model_digest", str),
            data_digest=_of_type(held, "data_digest", str),
            scenario=_of_type(held, "scenario", str),
            percent=_of_type(held, "percent", int),
            seed=_of_type(held, "seed", int),
            harm_by_patient={str(patient): float(harm) for patient, harm in harms.items()},
            scored=held.get("scored", True) is not False,
            answers=_by_row(held, "answers", str),
            ranks=_by_row(held, "ranks", float | int | None),
            seconds=float(held.get("seconds") or 0.0),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise UserError(
            f"{path} is no record of an attack ({cut(why, 200)}). Remove it, and make it again with `mllmu-med attack`."
        ) from error


def _by_row(held: Mapping[str, object], name: str, kind: Any) -> dict[str, tuple[Any, ...]]:
    """Return the values of each row; one alone may stand without its list."""
    found = held.get(name) or {}
    if not isinstance(found, dict):
        raise TypeError(f"{name} is {found!r:.40}")
    by_row = {row: tuple(values) if isinstance(values, list) else (values,) for row, values in found.items()}
    for row, values in by_row.items():
        if not all(isinstance(one, kind) and not isinstance(one, bool) for one in values):
            raise TypeError(f"{name} of row '{row}' is {found[row]!r:.40}")
    return by_row


def _no_number(constant: str) -> float:
    raise ValueError(f"it holds {constant}, which is no number")


def _of_type(held: Mapping[str, object], name: str, kind: type[_Held]) -> _Held:
    value = held[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r:.40}")
    return value


def _check_set(record: AttackRecord, other_options: bool) -> None:
    """Refuse a record that bears the name of an attack of the set, and is of another set or of other options."""
    if record.attack not in ATTACKS or record.attack_set == ATTACK_SET or (other_options and not record.attack_set):
        return
    made = "other options than the set's" if record.attack_set is None else f"the set {cut(record.attack_set)}"
    raise UserError(
        f"{record.path} is of {made}, and robust UES is of the set {ATTACK_SET}: scores of two sets mean different "
        f"things. Run {record.attack} again with `mllmu-med attack --attack {ATTACK_SET}` and without --set, for every "
        "model."
    )


def _check_evaluation(record: AttackRecord, evaluation: Evaluation) -> None:
    """Refuse a record that is not of the rows that were evaluated."""
    pairs = [
        ("scenario", record.scenario, evaluation.scenario),
        ("percent", record.percent, evaluation.percent),
        ("data (checksum)", record.data_digest, evaluation.data_sha256),
    ]
    for word, attacked, asked in pairs:
        if asked is not None and attacked != asked:
            raise UserError(
                f"{record.path} is of another {word} than the evaluation '{evaluation.folder}': "
                f"{cut(str(attacked), 20)} and {cut(str(asked), 20)}. Attack and evaluate with the same."
            )
    known = {unit_of(row) for row in evaluation.rows if row["subset"] == "forget"}
    if strange := sorted(record.harm_by_patient.keys() - known):
        raise UserError(
            f"{record.path} holds harm of {len(strange)} patients that are no forget patients of the evaluation "
            f"'{evaluation.folder}', the first being '{cut(strange[0])}'. Attack with the data and percent that were "
            "evaluated."
        )


def _check_model(record: AttackRecord, role: str, evaluation: Evaluation) -> None:
    """Refuse a record of another model than the one that was evaluated."""
    digests = record.model_digest, evaluation.model_digest
    # Digests of another rule say nothing about each other.
    if None in digests or len({"-" in str(digest) for digest in digests}) > 1 or digests[0] == digests[1]:
        return
    raise UserError(
        f"{record.path} is of another model than the evaluation '{evaluation.folder}' of {role}: digests "
        f"{cut(str(digests[0]), 24)} and {cut(str(digests[1]), 24)}. Name the records of the evaluated model, or run "
        "`mllmu-med attack` on it."
    )


def _check_same(first: AttackRecord, other: AttackRecord) -> None:
    """Refuse records of one attack on two models that were not made alike."""
    for name, word in _SAME.items():
        if getattr(first, name) != getattr(other, name):
            raise _differ(first, other, name, word, "The same attack is due for every model.")
    if apart := sorted(first.harm_by_patient.keys() ^ other.harm_by_patient.keys()):
        raise UserError(
            f"{first.path} and {other.path} judged other patients ({len(first.harm_by_patient)} and "
            f"{len(other.harm_by_patient)}; '{cut(apart[0])}' is only in one). The same attack is due for every model: "
            "run both again with the same data, percent and seed."
        )


def _differ(first: AttackRecord, other: AttackRecord, name: str, word: str, rule: str) -> UserError:
    ours, theirs = (cut(str(getattr(one, name)), 80) for one in (first, other))
    return UserError(
        f"{first.path} and {other.path} are of another {word} each: {ours} and {theirs}. {rule} Run the one that is "
        "wrong again, or name another folder."
    )
