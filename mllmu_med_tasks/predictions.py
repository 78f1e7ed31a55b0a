"""Answers from anywhere: JSON lines of row id and prediction, beside the data set whose rows were asked."""

import json
from pathlib import Path

from mllmu_med_dataset.errors import UserError, nearest
from mllmu_med_dataset.load import checksums
from mllmu_med_metrics.vocabulary import MAIN_PERCENT, SCENARIOS
from mllmu_med_tasks.evaluation import Answer, Evaluation
from mllmu_med_tasks.names import Task, tasks_of
from mllmu_med_tasks.task_documents import check_percent, check_scenario, stored_rows


def read_predictions(
    path: Path,
    *,
    data_dir: str | Path | None = None,
    scenario: str | None = None,
    percent: int = MAIN_PERCENT,
) -> Evaluation:
    """Return the evaluation that a file of ``{"id": ..., "prediction": ...}`` lines makes of the rows of a build.

    Every row of forget, test and holdout needs a prediction; retain may be a sample, and each view is there whole or
    not at all. The scenario may be left out where the ids are those of one. Raises :class:`UserError` for a line that
    can't be read, an id that is answered twice or is no row's, and a row without a prediction.
    """
    percent = check_percent(percent)
    if scenario is not None:
        check_scenario(scenario)
    predictions = _read(path)
    digest = str(checksums(data_dir)["dataset_sha256"])
    tasks = _tasks(percent, data_dir)
    answers: dict[str, Answer] = {}
    versions: dict[str, str] = {}
    met: dict[str, None] = {}
    rows_of = {task: stored_rows(task, percent, data_dir) for task in tasks}
    # Of another build some ids may be rows here too: what is strange is told before what is missing.
    _check_ids(path, predictions, {row["id"] for rows in rows_of.values() for row in rows}, data_dir, percent)
    for task, rows in rows_of.items():
        if scenario in (None, task.scenario) and (answered := _answered(path, task, rows, predictions, digest)):
            versions[task.name] = "predictions"
            met[task.scenario] = None
            answers |= answered
    if len(met) > 1:
        raise UserError(f"{path} holds predictions of {' and '.join(met)}. Name the scenario to score: --scenario.")
    if not met:
        what = f"the scenario {scenario}" if scenario else "any scenario"
        raise UserError(f"{path} holds no predictions of {what}. Write a line for every row of {_build(data_dir)}.")
    return Evaluation(
        folder=path,
        written_by="predictions",
        scenario=next(iter(met)),
        answers=answers,
        versions=versions,
        data_sha256=digest,
        percent=percent,
    )


def _tasks(percent: int, data_dir: str | Path | None) -> list[Task]:
    """Return the tasks whose rows the build holds at a forget share."""
    content = checksums(data_dir)["content"]
    return [
        task
        for scenario in SCENARIOS
        for task in tasks_of(scenario)
        if task.split in content.get(task.config(percent), {})
    ]


def _answered(
    path: Path, task: Task, rows: list[dict[str, object]], predictions: dict[str, str], digest: str
) -> dict[str, Answer]:
    """Return the answers to the rows of one task, none where none is predicted; some are too few but of retain."""
    predicted = [row for row in rows if row["id"] in predictions]
    if predicted and len(predicted) < len(rows) and task.subset != "retain":
        lacking = next(row["id"] for row in rows if row["id"] not in predictions)
        raise UserError(
            f"{path} holds {len(predicted)} of the {len(rows)} rows of {task.name}; '{lacking}' is missing. A score "
            "of some rows means nothing: predict them all (only retain may be a sample)."
        )
    return {
        row["id"]: Answer(
            row={**row, "image": f"image {row['image_id']}"},
            doc_hash=digest,
            prompt=row["question"],
            decoding="not told",
            text=predictions[row["id"]],
        )
        for row in predicted
    }


def _check_ids(
    path: Path, predictions: dict[str, str], known: set[str], data_dir: str | Path | None, percent: int
) -> None:
    """Refuse predictions of rows that the build does not have."""
    if strange := sorted(predictions.keys() - known):
        raise UserError(
            f"{path} predicts {len(strange)} ids that are no rows of {_build(data_dir)} at a forget share of "
            f"{percent} %, the first being '{strange[0]}'.{nearest(strange[0], known)} Name the build that was asked "
            "(--data) and its share (--percent)."
        )


def _build(data_dir: str | Path | None) -> str:
    return f"the build in '{data_dir}'" if data_dir else "the packaged build"


def _read(path: Path) -> dict[str, str]:
    """Return the predictions by row id."""
    found: dict[str, str] = {}
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                told = json.loads(line)
                if not isinstance(told, dict):
                    raise TypeError("the line is no object")
                row_id, text = told["id"], told["prediction"]
                if not isinstance(row_id, str) or not isinstance(text, str):
                    raise TypeError("id and prediction must be text")
                if row_id in found:
                    raise UserError(f"{path}:{number} predicts row '{row_id}' a second time. Keep one line a row.")
                found[row_id] = text
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(
            f"{path}:{max(number, 1)} is no line of predictions ({told}). Each line is an object such as "
            '{"id": "0123456789abcdef", "prediction": "The lesion is in the left lung."}.'
        ) from error
    if not found:
        raise UserError(f"{path} holds no predictions. Write one object with id and prediction a line.")
    return found
