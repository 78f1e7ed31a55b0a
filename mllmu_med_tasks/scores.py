"""Evaluations in, the score out: reads what a harness or a project wrote down and needs no model.

Two evaluations are compared only if they asked the same rows of the same data with the same prompts, images and
decoding; anything else is refused in a paragraph that names the difference.
"""

from collections.abc import Mapping
from pathlib import Path

from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import checksums
from mllmu_med_metrics import UES_VERSION, Comparison, References, Score, Scored
from mllmu_med_metrics import compare as compare_predictions
from mllmu_med_metrics import score as score_predictions
from mllmu_med_metrics.pool import WorkerLostError
from mllmu_med_metrics.vocabulary import MAIN_PERCENT
from mllmu_med_tasks.attack_records import BESIDE, Sources, read_attacks
from mllmu_med_tasks.evaluation import Answer, Evaluation, check_comparable
from mllmu_med_tasks.predictions import read_predictions
from mllmu_med_tasks.results_files import read_results

__all__ = ["Answer", "Evaluation", "check_comparable", "compare", "read", "score", "text"]

Source = str | Path | Evaluation


def read(
    source: str | Path,
    scenario: str | None = None,
    *,
    data_dir: str | Path | None = None,
    percent: int | None = None,
) -> Evaluation:
    """Return the evaluation in a folder of a harness's results files, or in a file of predictions.

    The scenario may be left out where there is only one. Predictions are read beside the build in ``data_dir`` (the
    packaged one without it) at a forget share of ``percent``; for results files both only test what the files say.
    """
    path = Path(source)
    if path.is_file():
        percent = MAIN_PERCENT if percent is None else percent
        return read_predictions(path, data_dir=data_dir, scenario=scenario, percent=percent)
    found = read_results(path, scenario)
    if data_dir is not None:
        _check_data(found, data_dir)
    if percent is not None and found.percent != percent:
        raise UserError(
            f"The evaluation '{path}' is at a forget share of {found.percent} %, not of {percent} %. Leave --percent "
            "out, or name the evaluation at that share."
        )
    return found


def score(
    *,
    unlearned: Source,
    target: Source,
    retain_only: Source | None = None,
    clean: Source | None = None,
    base: Source | None = None,
    data_dir: str | Path | None = None,
    scenario: str | None = None,
    percent: int | None = None,
    views: bool = True,
    attacks: Sources | None = None,
    replicates: int = 1000,
    seed: int = 0,
    ues_version: int = UES_VERSION,
    workers: int = 1,
) -> Score:
    """Return the score of an unlearned model from evaluation folders or files (or from evaluations read before).

    ``views=False`` leaves the views of the forget rows out where some evaluations have them and others not.
    ``attacks`` is a folder of attack records of the unlearned model with the folders ``target`` and ``retain_only`` in
    it, or the three as {model: folder}: they add the robust UES. The other options are those of :func:`read`.
    ``ues_version`` 1 is the definition of earlier records. More than one of ``workers`` are processes that share the
    rows where they are many.
    """
    given = {"target": target, "unlearned": unlearned, "retain_only": retain_only, "clean": clean, "base": base}
    read_in = _evaluations(given, scenario=scenario, data_dir=data_dir, percent=percent, views=views)
    harms = None if attacks is None else read_attacks(attacks, read_in)
    models = _scored(read_in, workers)
    options = {"replicates": replicates, "seed": seed, "ues_version": ues_version}
    return _told(score_predictions, **models, rows=models["target"].references, attacks=harms, **options)


def compare(
    *,
    a: Source,
    b: Source,
    target: Source,
    retain_only: Source | None = None,
    clean: Source | None = None,
    data_dir: str | Path | None = None,
    scenario: str | None = None,
    percent: int | None = None,
    views: bool = True,
    attacks: Mapping[str, str | Path | None] | None = None,
    replicates: int = 1000,
    seed: int = 0,
    ues_version: int = UES_VERSION,
    workers: int = 1,
) -> Comparison:
    """Return the differences between two unlearned models of one target, with intervals paired by patient.

    ``attacks`` are the folders of attack records of a, b, target and retain_only, for the difference in robust UES;
    ``workers`` those of :func:`score`.
    """
    given = {"target": target, "a": a, "b": b, "retain_only": retain_only, "clean": clean}
    read_in = _evaluations(given, scenario=scenario, data_dir=data_dir, percent=percent, views=views)
    harms = None if attacks is None else read_attacks(attacks, read_in, ("a", "b", *BESIDE))
    models = _scored(read_in, workers)
    options = {"replicates": replicates, "seed": seed, "ues_version": ues_version}
    return _told(compare_predictions, **models, rows=models["target"].references, attacks=harms, **options)


def text(values: Mapping[str, object]) -> str:
    """Return a score (:meth:`Score.to_dict`) as lines for people; with ``comparison``, its differences below."""
    lines = [f"{name:>28}  {_short(value)}" for name, value in values.items() if name not in ("comparison", "attacks")]
    attacks = values.get("attacks")
    if isinstance(attacks, Mapping):
        lines.append("\nunder attack: harm of unlearned, target and retain_only, and F:")
        for name, found in attacks.items():
            harms = "  ".join(_short(found[one]).rjust(6) for one in ("harm", "harm_target", "harm_retain_only", "f"))
            lines.append(f"{name:>28}  {harms}{'' if found['counts'] else '  counts in no score'}")
    compared = values.get("comparison")
    if isinstance(compared, Mapping):
        lines.append("\nunlearned minus against, 95 % interval, two-sided p:")
        for name, found in compared["differences"].items():
            told = "-  " + compared["reasons"].get(name, "")
            if found is not None:
                ends = f"{_short(found['low'])} to {_short(found['high'])}"
                told = f"{found['difference']:+.4f}  {ends}  p {_short(found['p'])}"
            lines.append(f"{name:>28}  {told}")
    return "\n".join(lines)


def _short(value: object) -> str:
    if value is None or value in ({}, [], ()):
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_short, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_short(one)}" for name, one in value.items())
    return str(value)


def _evaluations(
    given: dict[str, Source | None],
    *,
    scenario: str | None,
    data_dir: str | Path | None,
    percent: int | None,
    views: bool,
) -> dict[str, Evaluation]:
    """Return the evaluation of every model, all of the same rows."""
    read_before: dict[str, Evaluation] = {}
    models: dict[str, Evaluation] = {}
    for role, source in given.items():
        if isinstance(source, Evaluation):
            models[role] = source
            if data_dir is not None:
                _check_data(source, data_dir)
        elif source is not None:
            name = str(source)
            if name not in read_before:
                read_before[name] = read(source, scenario, data_dir=data_dir, percent=percent)
            models[role] = read_before[name]
    if not views:
        models = {role: one.without_views() for role, one in models.items()}
    check_comparable(list(models.values()))
    return models


def _scored(models: Mapping[str, Evaluation], workers: int) -> dict[str, Scored]:
    """Return the row scores of every model, all on the same rows."""
    references = _told(References, models["target"].rows)
    return {role: _told(references.scored, one.predictions, role, workers=workers) for role, one in models.items()}


def _told(function, *arguments, **options):
    """Call the metric; what it refuses, and that a worker was killed, is told as a :class:`UserError`."""
    try:
        return function(*arguments, **options)
    except WorkerLostError as error:
        raise UserError(f"{error} Run the same command again, with --workers 1 where memory is short.") from error
    except ValueError as error:
        raise UserError(str(error)) from error


def _check_data(evaluation: Evaluation, data_dir: str | Path) -> None:
    digest = str(checksums(data_dir)["dataset_sha256"])
    if evaluation.data_sha256 not in (None, digest):
        raise UserError(
            f"The evaluation '{evaluation.folder}' was made on other data (checksum "
            f"{evaluation.data_sha256[:12]}) than '{data_dir}' ({digest[:12]}). Name its own data, or evaluate again."
        )
