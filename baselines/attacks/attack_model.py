"""Run attacks on one model and leave a record of each; a finished record is kept, not repeated."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from baselines import attacks as registry
from baselines.attacks.attack import Attack
from baselines.attacks.attacked import BATCH, PARTS, Attacked, AttackRows, read_attack_rows
from baselines.model import models
from baselines.run.disk import writing
from baselines.run.folder_lock import taken
from baselines.run.run_record import versions
from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import checksums
from mllmu_med_metrics.vocabulary import ATTACK_SET, ATTACKS
from mllmu_med_tasks import attack_records

Record = dict[str, Any]
# What decides the result of an attack; the model is named by its digest.
DECIDES = (
    "attack", "attack_file", "options", "model_digest", "target_digest", "data_digest", "scenario", "percent", "seed",
)  # fmt: skip
# Called with the attack at work, how many are done, and how many there are.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class AttackRequest:
    """Which model is attacked, and on which study's rows.

    target: the model that was to forget, read by attacks that compare with it. batch: most answers at work at once; it
    changes no result. rows: those of `data_dir`, already read.
    """

    model: str | Path
    data_dir: Path
    scenario: str
    percent: int = 10
    seed: int = 0
    batch: int = BATCH
    target: str | Path | None = None
    rows: AttackRows | None = None


def attack_model(
    request: AttackRequest,
    attacks: Sequence[Attack],
    out: Path,
    *,
    options: Mapping[str, Mapping[str, float]] | None = None,
    resume: bool = True,
    progress: Progress | None = None,
) -> dict[str, Record]:
    """Run attacks on a model, each with its own options, write OUT/<attack>.json of each, and return the records.

    A record that is there with the same settings and digests is kept (all are made anew without `resume`); another one
    is a :class:`UserError`, before anything is run. The model is loaded only if there is something to do.
    """
    models.check_usable(request.model)
    for attack in attacks:
        if attack.needs_target and request.target is None:
            raise UserError(
                f"The attack {attack.name} compares with the target, and no target was given. Name it with --target, "
                "or leave the attack out."
            )
    planned = {one.name: _settings(request, one, (options or {}).get(one.name) or one.defaults) for one in attacks}
    with taken(out):
        kept = {name: one for name, settings in planned.items() if resume and (one := _kept(out, settings))}
        rows = request.rows
        if rows is None and len(kept) < len(planned):
            rows = read_attack_rows(request.data_dir, request.scenario, request.percent)
        attacked = None
        records: dict[str, Record] = {}
        for place, attack in enumerate(attacks):
            if progress is not None:
                progress(attack.name, place, len(attacks))
            if attack.name not in kept:
                attacked = attacked or Attacked(
                    request.model, rows, scenario=request.scenario, seed=request.seed, batch=request.batch,
                    target=request.target,
                )  # fmt: skip
                kept[attack.name] = _attacked(attacked, attack, planned[attack.name], request, out)
            records[attack.name] = kept[attack.name]
    return records


def _settings(request: AttackRequest, attack: Attack, options: Mapping[str, float]) -> Record:
    """Return what decides an attack's result."""
    return {
        "attack": attack.name,
        "attack_file": registry.file_digest(attack.name),
        "options": dict(sorted(options.items())),
        "model_digest": models.digest(request.model),
        "target_digest": models.digest(request.target) if attack.needs_target else None,
        "data_digest": checksums(request.data_dir)["dataset_sha256"],
        "scenario": request.scenario,
        "percent": request.percent,
        "seed": request.seed,
    }


def _attacked(attacked: Attacked, attack: Attack, settings: Record, request: AttackRequest, out: Path) -> Record:
    """Run one attack and write its record."""
    began = time.perf_counter()
    attacked.begin()
    harm = dict(attack.harm(attacked, settings["options"]))
    known = set(attacked.rows.patients)
    if not harm or not all(
        patient in known and isinstance(value, float | int) and isfinite(value) and 0 <= value <= 1
        for patient, value in harm.items()
    ):
        raise UserError(
            f"The attack {attack.name} gave no harm from 0 to 1 by forget patient, but {str(harm)[:120]}. An attack "
            "returns {patient_id: harm}, as Attacked.harm does."
        )
    in_set = attack.name in ATTACKS and settings["options"] == attack.defaults
    record = {
        "attack": attack.name,
        "attack_set": ATTACK_SET if in_set else None,
        "scored": attack.scored,
        **settings,
        "model": models.short_name(request.model),
        "harm_by_patient": {patient: float(harm[patient]) for patient in sorted(harm)},
        "answers": {row: texts[0] if len(texts) == 1 else texts for row, texts in attacked.answers.items()} or None,
        "ranks": attacked.ranks or None,
        "seconds": round(time.perf_counter() - began, 3),
        "parts": {part: round(attacked.seconds[part], 3) for part in PARTS},
        "versions": versions(),
    }
    with writing(out):
        write_atomically(_path(out, attack.name), json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
    return record


def _path(folder: Path, attack: str) -> Path:
    return folder / f"{attack}.json"


def read_record(folder: Path, attack: str) -> Record | None:
    """Return an attack's record from a folder, None where there is none; a :class:`UserError` for a damaged one."""
    path = _path(folder, attack)
    if not path.is_file():
        return None
    if (other := attack_records.read_record(path).attack) != attack:
        raise UserError(f"{path} is a record of the attack {other}, not {attack}. Remove it, or name it {other}.json.")
    record: Record = json.loads(path.read_text(encoding="utf-8"))
    return record


def _kept(out: Path, settings: Mapping[str, object]) -> Record | None:
    """Return the record in the folder where it is this very attack's; a :class:`UserError` where it is another's."""
    record = read_record(out, str(settings["attack"]))
    if record is None:
        return None
    differing = [key for key in DECIDES if record.get(key) != settings[key]]
    if differing:
        raise UserError(
            f"{_path(out, str(settings['attack']))} holds this attack with another {' and '.join(differing)}. Name "
            "another --out folder, or remove the file to run it again."
        )
    return record


def attack_beside(
    place: str,
    named: str | Path,
    request: AttackRequest,
    attacks: Sequence[Attack],
    out: Path,
    **more: Any,
) -> dict[str, Record]:
    """Return the same attacks on a model beside, its records in OUT/<place>; of a folder of records those are taken.

    A folder whose records are of other rows or settings, or lack an attack, is a :class:`UserError`.
    """
    folder = Path(named)
    if not any(_path(folder, attack.name).is_file() for attack in attacks):
        return attack_model(replace(request, model=named), attacks, out / place, **more)
    options, records = more.get("options") or {}, {}
    for attack in attacks:
        record = read_record(folder, attack.name)
        if record is None:
            raise UserError(
                f"The records of {place} in '{folder}' lack the attack {attack.name}. Run it there with: mllmu-med "
                f"attack --model MODEL --attack {attack.name} --out {folder}"
            )
        wanted = _settings(request, attack, options.get(attack.name) or attack.defaults)
        # Of `scale` the target is another's where this one is itself the target.
        same = [key for key in DECIDES if key not in ("model_digest", "target_digest")]
        if differing := [key for key in same if record.get(key) != wanted[key]]:
            raise UserError(
                f"The attack {attack.name} on {place} in '{folder}' was run with another {' and '.join(differing)}, so "
                "the two can't be compared. Run both with the same settings, seed and data set."
            )
        records[attack.name] = record
    if folder.resolve() != (out / place).resolve():
        with taken(out / place), writing(out):
            for name, record in records.items():
                text = json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
                write_atomically(_path(out / place, name), text)
    return records
