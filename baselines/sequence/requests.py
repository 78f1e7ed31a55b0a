"""What a study of requests in sequence is, who asks when, and where everything of it lies.

OUT/settings.json                                  what decides the result
OUT/target/  OUT/retain_only/                      learned: everything; everything but what anybody withdraws
OUT/gold-<order>-<patients>/                       learned without the first so many patients of an order
OUT/batch-<size>/order-<k>/<method>/request-<t>/   an unlearn run: record.json, metrics.jsonl; of the last the model too
each of them with evaluation/                      lm-eval's results and samples
OUT/sequence.json  sequence.md  figures/           the report

A batch of all patients is their removal at once, which every sequence is compared with.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from mllmu_med_dataset.draws import shuffled
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import PACKAGED, checksums, split_file
from mllmu_med_metrics.scoring.sequence import gold_points
from mllmu_med_metrics.vocabulary import MAIN_PERCENT, config_name
from mllmu_med_tasks.questions import Questions

from .. import config, methods
from ..training.patients import Patients
from . import BATCHES, METHODS, ORDERS

SETTINGS = "settings.json"
SCENARIO = "request"
# What is asked after each request: a part of the places, so that many requests can be looked at.
ASKED_SUBSETS, ASKED_VIEWS = ("forget", "retain", "test"), ("direct",)
FAST_LEARN, FAST_UNLEARN = ("max_steps=4",), ("max_steps=2",)


@dataclass(frozen=True)
class Requests:
    """What `sequence` runs: the same value gives the same report (but for seconds and memory)."""

    out: Path
    data_dir: Path = PACKAGED
    model: str = "nano"
    methods: tuple[str, ...] = METHODS
    method_files: tuple[Path, ...] = ()  # of the methods that are not the package's
    batches: tuple[int, ...] = BATCHES  # patients of one request
    orders: int = ORDERS  # in which patients ask; each has an unlearning seed of its own
    preset: str = "nano"
    changes: tuple[str, ...] = ()  # of every method's recipe, key=value
    percent: int = MAIN_PERCENT
    seed: int = 0  # of what is learned, of the orders, and the first of the unlearning seeds
    max_retain: int | None = 200
    learn: bool = False  # whether the target is learned anew where it comes with the package
    fast: bool = False

    @property
    def patients(self) -> tuple[str, ...]:
        """The forget patients of the data set, by id."""
        return tuple(sorted(set(_patient_of_rows(self.data_dir, self.percent))))

    def order(self, order: int) -> tuple[str, ...]:
        """Return the patients in the order in which they ask."""
        return _asking(self.data_dir, self.percent, self.seed, order)

    def learn_recipe(self) -> config.LearnRecipe:
        """Return how target and golds learn."""
        return config.learn_recipe(self.preset, FAST_LEARN if self.fast else (), SCENARIO)

    def unlearn_recipe(self, method: str) -> config.UnlearnRecipe:
        """Return how a method forgets each request: in as many steps, however few rows it has, as all patients at once.

        Rates were chosen for that many. The same visits of two patients' rows would be a few steps, which change
        nothing.
        """
        changes = (*self.changes, *(FAST_UNLEARN if self.fast else ()))
        recipe = config.unlearn_recipe(method, SCENARIO, self.preset, changes)
        rows = len(_patient_of_rows(self.data_dir, self.percent))
        steps = recipe.max_steps or math.ceil(recipe.epochs * rows / recipe.rows_per_step)
        return recipe.model_copy(update={"max_steps": steps})

    def questions(self) -> Questions:
        """Return what every model is asked."""
        return Questions(
            scenario=SCENARIO, data_dir=self.data_dir, percent=self.percent, subsets=ASKED_SUBSETS, views=ASKED_VIEWS,
            max_retain=self.max_retain, seed=self.seed,
        )  # fmt: skip

    def settings(self) -> dict[str, object]:
        """Return what decides the result, in plain values."""
        from ..model import models

        values = {
            "data": checksums(self.data_dir)["dataset_sha256"], "model": models.short_name(self.model),
            "model_digest": models.digest(self.model),
            "batches": self.batches, "orders": self.orders, "methods": self.methods, "preset": self.preset,
            "percent": self.percent, "seed": self.seed, "max_retain": self.max_retain, "learn": self.learn,
            "asked": [*ASKED_SUBSETS, *ASKED_VIEWS], "fast": self.fast,
            "method_files": {name: digest for name in self.methods if (digest := methods.file_digest(name))},
            "recipes": {
                "learn": self.learn_recipe().canonical(),
                **{name: self.unlearn_recipe(name).canonical() for name in self.methods},
            },
        }  # fmt: skip
        return json.loads(json.dumps(values))

    def chains(self) -> list["Chain"]:
        """Return every sequence: each method by each batch in each order, and all patients at once beside."""
        sizes = (*self.batches, len(self.patients))
        return [
            Chain(self, method, size, order)
            for size in sizes
            for order in range(self.orders)
            for method in self.methods
        ]

    def golds(self) -> dict[str, Patients | None]:
        """Return what is learned as a gold, by name, and without whom; None: without anybody who withdraws."""
        found: dict[str, Patients | None] = {}
        for chain in self.chains():
            for point in gold_points(len(chain.requests)):
                gone = tuple(name for request in chain.requests[:point] for name in request)
                found[chain.gold(point)] = None if len(gone) == len(self.patients) else Patients(gone)
        return found


@dataclass(frozen=True)
class Chain:
    """One sequence: a method applied to one request after the other, patients in one order."""

    study: Requests
    method: str
    batch: int
    order: int

    @property
    def seed(self) -> int:
        """The unlearning seed, which goes with the order."""
        return self.study.seed + self.order

    @property
    def requests(self) -> tuple[tuple[str, ...], ...]:
        """The patients of each request; the last may have fewer."""
        asking = self.study.order(self.order)
        return tuple(asking[first : first + self.batch] for first in range(0, len(asking), self.batch))

    @property
    def is_all_at_once(self) -> bool:
        """Whether all patients ask in one request."""
        return self.batch == len(self.study.patients)

    def patients(self, request: int) -> Patients | None:
        """Return who asks at a request (from 1) and who is gone; None where all ask at once, as in every other run."""
        gone = tuple(name for earlier in self.requests[: request - 1] for name in earlier)
        return None if self.is_all_at_once else Patients(self.requests[request - 1], gone)

    def folder(self, request: int) -> Path:
        """Return where the run of a request stands; of request 0 the target's."""
        if request == 0:
            return self.study.out / "target"
        return self.study.out / f"batch-{self.batch}" / f"order-{self.order}" / self.method / f"request-{request}"

    def id(self, request: int) -> str:
        """Return the id of a request's stage."""
        return f"{self.batch}-{self.order}-{self.method}-{request}"

    def gold(self, request: int) -> str:
        """Return the name of the gold that never saw who has asked by a request; one prefix of an order has one."""
        gone = min(self.batch * request, len(self.study.patients))
        return "retain_only" if gone == len(self.study.patients) else f"gold-{self.order}-{gone}"


def check(study: Requests) -> None:
    """Refuse what can be refused before anything is written: methods, batches, orders, recipes, model, data."""
    for file in study.method_files:
        methods.read(file)
    for method in study.methods:
        study.unlearn_recipe(method)
    if study.orders < 1:
        raise UserError(f"--orders is {study.orders}; patients ask in one order at least. Write --orders 1, or more.")
    count = len(study.patients)
    if count < 2:
        raise UserError(f"'{study.data_dir}' has {count} forget patient; requests in sequence take two at least.")
    for batch in study.batches:
        if not 1 <= batch < count:
            raise UserError(
                f"--batches holds {batch}, and {count} patients withdraw: a request is of 1 to {count - 1} of them. "
                "All at once is run in any case, to compare with."
            )
    from ..model import models

    models.check_usable(study.model)


def fast(study: Requests) -> Requests:
    """Return the smallest study that passes every stage: a smoke test, its numbers mean nothing."""
    return replace(
        study, batches=(max(study.batches),), orders=min(study.orders, 2), max_retain=8, fast=True
    )  # fmt: skip


def read_settings(out: Path) -> Mapping[str, object]:
    """Return the settings of the sequence that a folder holds; a :class:`UserError` where they can't be read."""
    path = out / SETTINGS
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(settings, dict) or "batches" not in settings:
            raise ValueError("it names no batches")
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"'{path}' can't be read as the settings of a sequence ({error}). Put back the file that `mllmu-med "
            "sequence` wrote, or name another folder."
        ) from error
    return settings


@lru_cache
def _asking(data_dir: Path, percent: int, seed: int, order: int) -> tuple[str, ...]:
    return tuple(shuffled(set(_patient_of_rows(data_dir, percent)), seed, "order", order))


@lru_cache
def _patient_of_rows(data_dir: Path, percent: int) -> tuple[str, ...]:
    """Return the patient of every forget row."""
    import pyarrow.parquet as parquet

    path, _ = split_file(config_name(SCENARIO, "forget", percent), None, data_dir)
    return tuple(map(str, parquet.read_table(path, columns=["patient_id"]).column(0).to_pylist()))
