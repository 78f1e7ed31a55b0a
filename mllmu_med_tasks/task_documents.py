"""Rows as a harness sees them: documents whose image is decoded only when the model reads it.

A document is a row of the data set without its pixels. Its ``image`` is a :class:`RowImage`, whose text is its name, so
logged samples hold no bytes and a document's hash is the same in every process.
"""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import datasets
from PIL import Image
from pyarrow.compute import struct_field

from mllmu_med_dataset.errors import UserError, unknown
from mllmu_med_dataset.load import checksums
from mllmu_med_dataset.load import load as load_config
from mllmu_med_metrics import DirectIdentifiers, forget_identifiers
from mllmu_med_metrics.vocabulary import MAIN_PERCENT, OPTIONAL_VIEWS, PERCENTS, SCENARIOS, SUBSETS, VIEWS_OF
from mllmu_med_tasks.answer_texts import first_line
from mllmu_med_tasks.names import IMAGES, Task, tasks_of
from mllmu_med_tasks.prompts import check_texts, prompt
from mllmu_med_tasks.row_metrics import row_metrics

# The builds before it have no optional views at all.
FIRST_WITH_OPTIONAL = 4
_BLANK_GREY = (128, 128, 128)


class RowImage(str):
    """A stored image by its place in an Arrow column: a text, its name, that decodes on :meth:`open`.

    As a text it goes into logged samples, document hashes and lm-eval's cache keys; the name tells the pixels.
    """

    __slots__ = ("_blank", "_column", "_index")

    def __new__(cls, column: datasets.Dataset, index: int, name: str, *, blank: bool = False) -> "RowImage":
        made = super().__new__(cls, f"blank of {name}" if blank else f"image {name}")
        made._column, made._index, made._blank = column, index, blank
        return made

    def open(self) -> Image.Image:
        """Return the image in RGB, or a uniform grey one of the same size for a blank."""
        with Image.open(io.BytesIO(self._column[self._index]["image"]["bytes"])) as stored:
            return Image.new("RGB", stored.size, _BLANK_GREY) if self._blank else stored.convert("RGB")

    def __deepcopy__(self, _: object) -> "RowImage":
        return self


class Visuals(list):
    """The images of one prompt: the list holds :class:`RowImage` and hands out decoded pictures when iterated."""

    def __iter__(self) -> Iterator[Image.Image]:
        return (self[index].open() for index in range(len(self)))

    def __getitem__(self, index):
        # lm-eval's served models cut a prompt's images to the most they may send.
        found = super().__getitem__(index)
        return Visuals(found) if isinstance(index, slice) else found

    def names(self) -> list[str]:
        """Return the names of the images; decodes nothing."""
        return [str(self[index]) for index in range(len(self))]


class Document(dict):
    """One row without pixels, with what scoring it needs beside the row.

    ``forget_direct`` are the direct identifiers of the build's forget patients at the task's percent, ``kinds`` the
    kinds of identifiers that rows of the task hold.
    """

    forget_direct: DirectIdentifiers
    kinds: tuple[str, ...]


class Documents(list):
    """The documents of one task; ``features`` are the column names, which is all lm-eval reads of a data set."""

    features: Mapping[str, None]


def load(
    mllmu_med_scenario: str,
    mllmu_med_subset: str,
    mllmu_med_view: str | None = None,
    mllmu_med_percent: int | str = MAIN_PERCENT,
    mllmu_med_data_dir: str | None = None,
    mllmu_med_max_retain: int | None = None,
    mllmu_med_image: str = "own",
    mllmu_med_seed: int = 0,
    mllmu_med_installed_dir: str | None = None,
    **_: object,
) -> dict[str, Documents]:
    """Return ``{"rows": documents}`` of one task: lm-eval's ``custom_dataset`` hook.

    Other model arguments and metadata arrive here as well and are left alone. ``mllmu_med_view`` asks one view of the
    forget rows, ``mllmu_med_percent`` (5, 10 or 15) picks the forget and retain rows of that forget share,
    ``mllmu_med_data_dir`` names a build folder (default: the one ``mllmu-med install DIR`` wrote into the task, else
    the packaged one), ``mllmu_med_max_retain`` asks a sample of the retain rows (:func:`sample`), ``mllmu_med_image``
    shows the row's own image, a blank one, or another patient's.
    """
    task = _task(mllmu_med_scenario, mllmu_med_subset, mllmu_med_view)
    percent = check_percent(mllmu_med_percent)
    if mllmu_med_image not in IMAGES:
        raise unknown("image for a control run (mllmu_med_image)", str(mllmu_med_image), IMAGES)
    data_dir = mllmu_med_data_dir or mllmu_med_installed_dir
    data_dir = str(data_dir) if data_dir else None
    # The digest keeps a config that is read again from being a stale one.
    digest = checksums(data_dir)["dataset_sha256"]
    rows, column = _stored(task, percent, data_dir, digest)
    forget_direct = _forget_direct(task.scenario, percent, data_dir, digest)
    kinds = tuple(sorted({item["kind"] for row in rows for item in row["phi"]}))
    chosen = range(len(rows))
    if task.subset == "retain" and mllmu_med_max_retain is not None:
        chosen = sample(rows, int(mllmu_med_max_retain), int(mllmu_med_seed), percent)
    shown = _other_patients(rows) if mllmu_med_image == "other" else range(len(rows))
    documents = Documents()
    documents.features = dict.fromkeys([*rows[0], "image"])
    for index in chosen:
        document = Document(rows[index])
        picture = shown[index]
        name = rows[picture]["image_id"]
        document["image"] = RowImage(column, picture, name, blank=mllmu_med_image == "blank")
        document.forget_direct = forget_direct
        document.kinds = kinds
        documents.append(document)
    return {"rows": documents}


def doc_to_text(doc: Mapping[str, object]) -> str:
    """Return the prompt of a document: lm-eval's hook of the same name."""
    return prompt(str(doc["question"]))


def doc_to_image(doc: Mapping[str, RowImage]) -> Visuals:
    """Return the one image of a document, not decoded yet: lm-eval's hook of the same name."""
    return Visuals([doc["image"]])


def doc_to_target(doc: Mapping[str, object]) -> str:
    """Return what training taught for this row: lm-eval's hook of the same name (scores don't read it)."""
    return str(doc["answer"])


def process_results(doc: Document, results: list[str]) -> dict[str, float | None]:
    """Return the row values of one answer: lm-eval's hook of the same name."""
    return row_metrics(first_line(results[0]), doc, doc.forget_direct, doc.kinds)


def sample(rows: Sequence[Mapping[str, object]], count: int, seed: int, percent: int = MAIN_PERCENT) -> list[int]:
    """Return the places of ``count`` retain rows in row order, of more where more must be asked.

    Always asked are the rows of the patients that are forgotten at ``percent`` (an identifier told there is harm as on
    any other row) and the rows that carry an identity which is to stay. Of the others come those whose id and seed
    hash lowest. Raises ``UserError`` for a count below 1.
    """
    if count < 1:
        raise UserError(f"mllmu_med_max_retain is {count}; give the number of retain rows to score, at least 1.")
    due = {place for place, row in enumerate(rows) if 0 < row["forget_percent"] <= percent or row["phi"]}
    ranked = sorted(
        (hashlib.sha256(f"{seed}|{row['id']}".encode()).digest(), place)
        for place, row in enumerate(rows)
        if place not in due
    )
    return sorted(due.union(place for _, place in ranked[: max(0, count - len(due))]))


def check_percent(percent: int | str) -> int:
    """Return the forget share as a number; a :class:`UserError` unless it is one that is built."""
    try:
        found = int(percent)
    except (TypeError, ValueError):
        found = None
    if found not in PERCENTS:
        raise UserError(
            f"The forget share mllmu_med_percent is '{percent}'; known are {', '.join(map(str, PERCENTS))}, in percent "
            "of the trained patients."
        )
    return found


def check_scenario(scenario: str) -> str:
    """Return the scenario; a :class:`UserError` with the nearest one unless it is known."""
    if scenario not in SCENARIOS:
        raise unknown("scenario", scenario, SCENARIOS)
    return scenario


def _task(scenario: str, subset: str, view: str | None) -> Task:
    check_scenario(scenario)
    if subset not in SUBSETS:
        raise unknown("subset", subset, SUBSETS)
    if view is not None and subset != "forget":
        raise UserError(f"The subset {subset} has no views; only forget rows have them. Leave mllmu_med_view out.")
    if view is not None and view not in VIEWS_OF[scenario]:
        raise unknown(f"view of {scenario}", view, VIEWS_OF[scenario])
    return Task(scenario, subset, view)


@lru_cache(maxsize=32)
def _stored(
    task: Task, percent: int, data_dir: str | None, digest: str
) -> tuple[list[dict[str, object]], datasets.Dataset]:
    """Return the rows of one task without images, and the column of their encoded images."""
    config = task.config(percent)
    content = checksums(data_dir)["content"]
    if lacks_rows(task, percent, data_dir):
        raise UserError(
            f"This build has no row in the view '{task.view}' of {config}: every forget patient's image is asked every "
            f"type of question that others are. Leave the task {task.name} out (`mllmu-med evaluate` does)."
        )
    if task.view and config in content and task.view not in content[config]:
        raise UserError(
            f"This build has no view '{task.view}' of {config} (it has: {', '.join(content[config])}), so the task "
            f"{task.name} has nothing to ask: it was built by an older version. Build it again, or leave the task out "
            "(`mllmu-med evaluate --no-views`)."
        )
    stored = load_config(config, split=task.split, data_dir=data_dir)
    column = stored.select_columns(["image"]).cast_column("image", datasets.Image(decode=False))
    rows = stored.remove_columns(["image"]).to_list()
    if not rows:
        raise UserError(
            f"{config} ({task.split}) of this build has no rows, so there is nothing to ask. Build with more patients."
        )
    for row, image_missing in zip(rows, _missing(column), strict=True):
        if image_missing:
            raise UserError(
                f"Row {row['id']} of {config} holds no pixels: the licence of source '{row['source']}' "
                f"({row['license']}) does not let a build carry them. Build it again from your own copy of the source."
            )
        check_texts(f"Row {row['id']} of {config}", row["question"])
    return rows, column


def stored_rows(task: Task, percent: int, data_dir: str | Path | None) -> list[dict[str, object]]:
    """Return the rows of a task as a build holds them, without pixels, checked for nothing."""
    stored = load_config(task.config(percent), split=task.split, data_dir=data_dir)
    return stored.remove_columns(["image"]).to_list()


def tasks_with_rows(scenario: str, percent: int, data_dir: str | Path | None) -> list[Task]:
    """Return the tasks of a scenario that a build has rows for: the four subsets and every view."""
    return [task for task in tasks_of(scenario) if not lacks_rows(task, percent, data_dir)]


def lacks_rows(task: Task, percent: int, data_dir: str | Path | None) -> bool:
    """Return whether the build has no row of the task and is right to have none: the view may be empty."""
    if task.view not in OPTIONAL_VIEWS:
        return False
    build = checksums(data_dir)
    content = build["content"].get(task.config(percent), {})
    knows_view = build.get("parameters", {}).get("build_version", 0) >= FIRST_WITH_OPTIONAL
    return knows_view and bool(content) and task.view not in content


def _missing(column: datasets.Dataset) -> list[bool]:
    """Return for each stored image whether it has no bytes, without copying any."""
    return struct_field(column.data.column("image"), "bytes").is_null().to_pylist()


@lru_cache(maxsize=8)
def _forget_direct(scenario: str, percent: int, data_dir: str | None, digest: str) -> DirectIdentifiers:
    return forget_identifiers(_stored(Task(scenario, "forget"), percent, data_dir, digest)[0])


def _other_patients(rows: list[dict[str, object]]) -> list[int]:
    """Return for each row the place of another patient's row: patients in hash order, each shown the next one's."""
    first: dict[object, int] = {}
    for place, row in enumerate(rows):
        first.setdefault(row["patient_id"], place)
    if len(first) < 2:
        raise UserError("mllmu_med_image=other needs at least two patients in the task; this one has fewer.")
    order = sorted(first)
    following = dict(zip(order, [*order[1:], order[0]], strict=True))
    return [first[following[row["patient_id"]]] for row in rows]
