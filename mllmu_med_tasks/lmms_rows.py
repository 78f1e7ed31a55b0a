"""Rows as lmms-eval sees them: the same words, pictures and row values as in lm-eval, through that harness's hooks.

lmms-eval loads the data set by its name from the datasets cache, so `mllmu-med install` comes first.
"""

from collections.abc import Mapping
from functools import lru_cache

from PIL import Image

from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics import DirectIdentifiers, forget_identifiers
from mllmu_med_tasks.answer_texts import first_line, one_text
from mllmu_med_tasks.names import Task
from mllmu_med_tasks.row_metrics import row_metrics

NAME = "mllmu-med"


def doc_to_visual(doc: Mapping[str, object]) -> list[Image.Image]:
    """Return the one image of a row in RGB: lmms-eval's hook of the same name."""
    if doc["image"] is None:
        raise UserError(
            f"Row {doc['id']} holds no pixels: the licence of source '{doc['source']}' ({doc['license']}) does not let "
            "a build carry them. Build it again from your own copy of the source, and install that."
        )
    return [doc["image"].convert("RGB")]


def doc_to_text(doc: Mapping[str, object]) -> str:
    """Return the question alone: lmms-eval's hook of the same name; its models put the image before the text."""
    return str(doc["question"])


def doc_to_target(doc: Mapping[str, object]) -> str:
    """Return what training taught for this row: lmms-eval's hook of the same name (scores don't read it)."""
    return str(doc["answer"])


def process_results(doc: Mapping[str, object], results: list[str] | list[list[str]]) -> dict[str, object]:
    """Return the row values of one answer, and the row: lmms-eval logs values but no rows, and a score needs them."""
    row = {name: value for name, value in doc.items() if name != "image"}
    task = Task(str(row["scenario"]), str(row["subset"]), row["view"])
    told = row_metrics(first_line(one_text(results)), row, _forget_direct(task.scenario), _kinds(task))
    return {**told, "row": row}


@lru_cache(maxsize=4)
def _forget_direct(scenario: str) -> DirectIdentifiers:
    return forget_identifiers(_stored(Task(scenario, "forget")))


@lru_cache(maxsize=32)
def _kinds(task: Task) -> tuple[str, ...]:
    return tuple(sorted({item["kind"] for row in _stored(task) for item in row["phi"]}))


def _stored(task: Task) -> list[dict[str, object]]:
    import datasets

    return datasets.load_dataset(NAME, task.config(), split=task.split).remove_columns(["image"]).to_list()
