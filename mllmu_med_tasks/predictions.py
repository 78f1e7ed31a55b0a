"""Answers from anywhere: JSON lines of row id and prediction, beside the data set whose rows were asked."""

import json
from collections.abc import Iterator
from pathlib import Path

from mllmu_med_dataset.errors import UserError, nearest
from mllmu_med_dataset.load import checksums, load
from mllmu_med_metrics.vocabulary import MAIN_PERCENT, SCENARIOS
from mllmu_med_tasks.asked_rows import check_percent, check_scenario
from mllmu_med_tasks.evaluation import Answer, Evaluation
from mllmu_med_tasks.names import Task, tasks_of


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
    answers: dict[str, Answer] = {}
    versions: dict[str, str] = {}
    digest = str(checksums(data_dir)["dataset_sha256"])
    met: list[str] = []
    asked = list(_tasks(data_dir, percent))
    where = f"the build in '{data_dir}'" if data_dir else "the packaged build"
    # Of another build some ids may be rows here too: what is strange is told before what is missing.
    known = {row["id"] for _, _, rows in asked for row in rows}
    if strange := sorted(predictions.keys() - known):
        raise UserError(
            f"{path} predicts {len(strange)} ids that are no rows of {where} at a forget share of {percent} %, the "
            f"first being '{strange[0]}'.{nearest(strange[0], known)} Name the build that was asked (--data) and its "
            "share (--percent)."
        )
    for one, task, rows in asked:
        answered = [row for row in rows if row["id"] in predictions]
        if not answered or (scenario not in (None, one)):
            continue
        if len(answered) < len(rows) and task.subset != "retain":
            lacking = next(row["id"] for row in rows if row["id"] not in predictions)
            raise UserError(
                f"{path} holds {len(answered)} of the {len(rows)} rows of {task.name}; '{lacking}' is missing. A score "
                "of some rows means nothing: predict them all (only retain may be a sample)."
            )
        versions[task.name] = "predictions"
        if one not in met:
            met.append(one)
        for row in answered:
            answers[row["id"]] = Answer(
                row={**row, "image": f"image {row['image_id']}"},
                doc_hash=digest,
                prompt=row["question"],
                decoding="not told",
                text=predictions[row["id"]],
            )
    if len(met) > 1:
        raise UserError(f"{path} holds predictions of {' and '.join(met)}. Name the scenario to score: --scenario.")
    if not met:
        what = f"the scenario {scenario}" if scenario else "any scenario"
        raise UserError(f"{path} holds no predictions of {what}. Write a line for every row of {where}.")
    return Evaluation(
        folder=path,
        written_by="predictions",
        scenario=met[0],
        answers=answers,
        versions=versions,
        data_sha256=digest,
        percent=percent,
    )


def _tasks(data_dir: str | Path | None, percent: int) -> Iterator[tuple[str, Task, list[dict]]]:
    """Yield scenario, task and rows of everything that a build has to ask."""
    content = checksums(data_dir)["content"]
    for scenario in SCENARIOS:
        for task in tasks_of(scenario):
            config = task.config(percent)
            if task.split in content.get(config, {}):
                yield (
                    scenario,
                    task,
                    load(config, split=task.split, data_dir=data_dir).remove_columns(["image"]).to_list(),
                )


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
