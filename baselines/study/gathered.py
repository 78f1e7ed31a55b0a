"""What a scenario's runs left in a study's folder: every answer and every harm that its scores are made of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics.scoring.attack_harms import GivenHarms
from mllmu_med_tasks import scores
from mllmu_med_tasks.attack_records import read_attacks

from ..evaluation.evaluate import RECORD
from ..run.run_record import RunRecord, read_record
from .kinds import Evaluated, check_kinds
from .study import ATTACKED, EVALUATION, IMAGES, run_folder

Answers = Mapping[str, str]  # by row id


@dataclass(frozen=True)
class Gathered:
    """One scenario of one target, before anything is scored; all by the names of the runs.

    rows: those that all were asked, in order, without pixels. attacks: {attack: {run: {patient_id: harm}}}.
    seconds: of the evaluation. shown: the target's answers to the forget rows beside another image, by which.
    digests: of the models that were asked, where their evaluations say it.
    """

    rows: Sequence[Mapping[str, object]]
    answers: Mapping[str, Answers]
    attacks: GivenHarms
    records: Mapping[str, RunRecord | None]
    seconds: Mapping[str, float]
    shown: Mapping[str, Answers] = field(default_factory=dict)
    digests: Mapping[str, str | None] = field(default_factory=dict)


def gathered(runs_dir: Path, scenario: str, names: Sequence[str]) -> Gathered:
    """Read what these runs left; a :class:`UserError` where one is not finished, or they were not asked the same."""
    folders = {name: run_folder(runs_dir, scenario, name) for name in names}
    evaluations = read_evaluations(runs_dir, scenario, names)
    beside = {image: run_folder(runs_dir, scenario, "target") / image for image in IMAGES}
    return Gathered(
        rows=evaluations["target"].rows,
        answers={name: one.predictions for name, one in evaluations.items()},
        attacks=read_harms(folders, evaluations),
        records={name: read_record(folder) for name, folder in folders.items()},
        seconds={name: read_evaluated(folder)["seconds"] for name, folder in folders.items()},
        shown={
            image: scores.read(folder).predictions for image, folder in beside.items() if (folder / RECORD).is_file()
        },
        digests={name: one.model_digest for name, one in evaluations.items()},
    )


def read_evaluations(runs_dir: Path, scenario: str, names: Sequence[str]) -> dict[str, scores.Evaluation]:
    """Return the evaluation of each run, all of the same rows; a :class:`UserError` where one is not finished."""
    folders = {name: run_folder(runs_dir, scenario, name) for name in names}
    missing = [name for name, folder in folders.items() if not (folder / EVALUATION / RECORD).is_file()]
    if missing:
        raise UserError(
            f"'{runs_dir}' has no finished evaluation of {', '.join(missing)} in {scenario}. Resume the study with "
            "the command that it was started with."
        )
    evaluations = {name: scores.read(folder / EVALUATION) for name, folder in folders.items()}
    scores.check_comparable(list(evaluations.values()))
    return evaluations


def read_evaluated(folder: Path) -> dict[str, Any]:
    """Return the record of a run's evaluation; a :class:`UserError` for one that is damaged."""
    path, fix = folder / EVALUATION / RECORD, "Remove its folder, and resume the study: the model is asked again."
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"'{path}' can't be read as the record of an evaluation ({error}). {fix}") from error
    check_kinds(Evaluated, document, path, "record of an evaluation", fix)
    return document


def read_harms(folders: Mapping[str, Path], evaluations: Mapping[str, scores.Evaluation]) -> GivenHarms:
    """Return the harm by patient of every attack and run whose folder holds records; nothing where none does.

    What a smoke run attacks with fewer steps stands as attacks of its own, so that no robust UES comes of it.
    """
    held = {name: folder / ATTACKED for name, folder in folders.items()}
    attacked = {name: folder for name, folder in held.items() if any(folder.glob("*.json"))}
    return read_attacks(attacked, evaluations, folders, other_options=True) if attacked else {}
