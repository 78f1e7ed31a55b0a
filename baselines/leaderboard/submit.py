"""A study's folder in, an entry of the leaderboard out; what can't be verified or compared is refused."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from mllmu_med_dataset.errors import UserError, cut
from mllmu_med_dataset.load import checksums
from mllmu_med_dataset.record import canonical_json
from mllmu_med_tasks.evaluation import Evaluation

from ..model.models import model_folder
from ..run.run_record import read_record
from ..study.gathered import read_evaluated, read_evaluations, read_harms
from ..study.scenarios import runs_in
from ..study.study import ATTACKED, DATA, read_study, run_folder
from .entry import Answers, Entry, Run
from .recomputed import claims, recomputed
from .rows_due import MAX_RETAIN, check_ids, rows_due, rows_sha256
from .under_attack import carried, records_of_set, texts_of


@dataclass(frozen=True)
class About:
    """What only its maker can tell of an entry."""

    title: str | None = None  # the model and the methods if absent
    by: str = ""
    note: str = ""
    links: Sequence[str] = ()


def submit(runs_dir: Path, about: About) -> Entry:
    """Return the entry that the finished runs of a study make.

    Raises :class:`UserError` for a study that is not whole (``--limit``, a smoke run, views left out, another sample of
    retain rows), and for runs that nothing ties to their data, model or target.
    """
    settings = read_study(runs_dir)
    _check_settings(runs_dir, settings)
    build, percent, seed = runs_dir / DATA, int(settings["percent"]), int(settings["seed"])
    if checksums(build)["parameters"]["seed"] != seed:
        raise UserError(f"'{build}' was not built with the seed of the study ({seed}). Run the study anew.")
    target = model_folder(run_folder(runs_dir, settings["scenarios"][0], "target"))
    model = str(settings["model"])
    name = Path(model).name if Path(model).exists() else model  # no path of this machine
    scenarios = tuple(_answers(runs_dir, settings, one) for one in settings["scenarios"])
    try:
        return Entry(
            title=about.title or f"{name}: {', '.join(settings['methods'])}"[:80],
            by=about.by,
            note=about.note,
            links=tuple(about.links),
            model=name,
            family=json.loads((target / "config.json").read_text(encoding="utf-8"))["model_type"],
            source=str(settings["source"]),
            percent=percent,
            seed=seed,
            scenarios=scenarios,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UserError(
            f"The {first['loc'][0]} '{cut(str(first['input']))}' can't stand in an entry: {first['msg']}."
        ) from error


def _check_settings(runs_dir: Path, settings: Mapping[str, object]) -> None:
    """Refuse a study that asked less than the leaderboard does."""
    less = None
    if settings.get("fast"):
        less = "is a smoke run (--fast), whose numbers mean nothing"
    elif not settings.get("views"):
        less = "did not ask the views of the forget rows (--no-views)"
    elif settings.get("max_retain") != MAX_RETAIN:
        less = f"asked another sample of the retain rows (--max-retain {settings.get('max_retain') or 0})"
    if less:
        raise UserError(
            f"The study in '{runs_dir}' {less}, so that it can't stand beside others. Run `mllmu-med bench` with views "
            f"and with --max-retain {MAX_RETAIN}, which it does unless told otherwise."
        )


def _answers(runs_dir: Path, settings: Mapping[str, object], scenario: str) -> Answers:
    """Return what one scenario of a study says, with the scores that this gives."""
    build, percent, seed = runs_dir / DATA, int(settings["percent"]), int(settings["seed"])
    runs = {model: of_model for model, of_model in runs_in(settings, scenario).items() if model != "base"}
    folders = {name: run_folder(runs_dir, scenario, name) for of_model in runs.values() for name, _ in of_model}
    evaluations = read_evaluations(runs_dir, scenario, list(folders))
    due = rows_due(scenario, percent, build)
    where = f"The study in '{runs_dir}' ({scenario})"
    first = evaluations["target"]
    check_ids(list(first.answers), due, where)
    _check_rows(first, due, where)
    for name, evaluation in evaluations.items():
        _check_verifiable(folders[name], evaluation, first, str(checksums(build)["dataset_sha256"]))
    ids = [str(row["id"]) for row in due]
    read_harms(folders, evaluations)  # refuses what was not made alike
    attacked = records_of_set({name: folder / ATTACKED for name, folder in folders.items()})
    answered = {text for one in evaluations.values() for text in one.predictions.values()}
    texts = sorted(answered | {*texts_of(attacked)})
    places = {text: place for place, text in enumerate(texts)}
    answers = Answers(
        scenario=scenario,
        rows_sha256=rows_sha256(scenario, percent, build),
        task_versions=dict(first.versions),
        prompts_sha256=_prompts_sha256(first),
        decoded=first.decoded,
        ids=tuple(ids),
        texts=tuple(texts),
        runs=_runs(runs, folders, evaluations, ids, places),
        attacks=carried(attacked, due, seed, places),
        scores={},
    )
    rows = recomputed(answers, percent=percent, seed=seed, build=build, where=where)
    return answers.model_copy(update={"scores": claims(rows)})


def _runs(
    runs: Mapping[str, Sequence[tuple[str, int | None]]],
    folders: Mapping[str, Path],
    evaluations: Mapping[str, Evaluation],
    ids: Sequence[str],
    places: Mapping[str, int],
) -> tuple[Run, ...]:
    """Return every run with its answers as places in the texts, in the order of the ids."""
    return tuple(
        Run(
            model=model,
            name=name,
            seed=seed,
            model_digest=str(evaluations[name].model_digest),
            record=read_record(folders[name]),
            seconds=read_evaluated(folders[name])["seconds"],
            answers=tuple(places[evaluations[name].answers[one].text] for one in ids),
        )
        for model, of_model in runs.items()
        for name, seed in of_model
    )


def _prompts_sha256(evaluation: Evaluation) -> str:
    """Return the digest of what was asked and how, which all runs of a scenario share."""
    prompts = {row: [one.prompt, one.decoding] for row, one in evaluation.answers.items()}
    return hashlib.sha256(canonical_json(prompts).encode()).hexdigest()


def _check_rows(evaluation: Evaluation, due: Sequence[Mapping[str, object]], where: str) -> None:
    """Refuse answers to rows that say something else than the data set's."""
    for row in due:
        logged = {key: value for key, value in evaluation.answers[str(row["id"])].row.items() if key != "image"}
        if canonical_json(logged) != canonical_json(row):
            raise UserError(
                f"{where} asked the row '{row['id']}' with other content than its data set holds. Evaluate again."
            )


def _check_verifiable(folder: Path, evaluation: Evaluation, target: Evaluation, data: str) -> None:
    """Refuse a run of which nothing says on what data, by which weights or from which target it was made."""
    record, identity = read_record(folder), read_evaluated(folder).get("identity") or {}
    why = None
    if evaluation.data_sha256 != data:
        why = "its evaluation does not say that it is of the study's data"
    elif evaluation.model_digest is None or "files" not in identity:
        why = "its evaluation does not say which weights answered"
    elif record is None:
        why = "it has no record of how it was trained"
    elif record.dataset_checksum != data and record.config.get("data") != data:
        why = "it was trained on other data than the study's"
    elif record.kind == "unlearn" and record.config.get("model") != target.model_digest:
        why = "it was unlearned from another model than the target that was evaluated"
    if why:
        raise UserError(
            f"The run in '{folder}' can't be verified: {why}. Run it again with `mllmu-med bench`, or leave it out of "
            "the study."
        )
