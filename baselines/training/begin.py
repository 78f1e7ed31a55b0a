"""How every run begins and ends: its folder taken, its rows and its model read, its record written."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from baselines.config import Recipe
from baselines.model import models
from baselines.model.large_models import check_quantized
from baselines.model.processes import Processes, joined
from baselines.run import tracker
from baselines.run.folder_lock import alone
from baselines.run.run_folder import RunFolder
from baselines.run.run_record import RunRecord, forget_peak_memory, peak_memory_mb, versions
from baselines.training.loop import Ended
from baselines.training.patients import Patients
from baselines.training.roles import Rows, read_rows
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import checksums


@dataclass(frozen=True)
class Request:
    """What learning and unlearning are both given: model, rows, place and seed.

    data: rows already read (those of `data_dir`), so that several runs need not read and check them again. report_to:
    a tracker that is sent the metrics too. patients: of the forget patients those who ask now, where not all do.
    """

    model: str | Path
    data_dir: Path
    scenario: str
    percent: int
    out: Path
    seed: int
    resume: bool
    data: Rows | None = None
    report_to: str | None = None
    patients: Patients | None = None


@dataclass(frozen=True)
class Begun:
    """A run at work: its folder, its rows, its model as loaded, and the processes that share it."""

    folder: RunFolder
    data: Rows
    loaded: models.Loaded
    processes: Processes
    checksum: str
    recipe: Recipe

    def record(self, counts: Mapping[str, int], trained: torch.nn.Module, planned: int, ended: Ended) -> RunRecord:
        """Return the record of the run, its loop having ended."""
        folder, per_step = self.folder, self.recipe.rows_per_step
        return RunRecord(
            run_id=folder.run_id,
            kind=folder.kind,
            name=folder.name,
            model=folder.model,
            scenario=folder.scenario,
            percent=folder.percent,
            seed=folder.seed,
            config=folder.config,
            rows=dict(counts),
            trainable=sum(part.numel() for part in trained.parameters() if part.requires_grad),
            planned_steps=planned,
            steps=ended.steps,
            stop="holdout" if ended.stop_step else None,
            stop_step=ended.stop_step,
            holdout_nll=ended.holdout_nll,
            forget_nll=ended.forget_nll,
            resumed_at=list(ended.resumed_at),
            seconds=round(ended.seconds, 3),
            rows_per_second=round(ended.steps * per_step / max(ended.seconds, 1e-9), 1),
            peak_memory_mb=round(peak_memory_mb(), 1),
            versions=versions(),
            dataset_checksum=self.checksum,
            verdict="diverged" if ended.diverged else None,
        )


@contextmanager
def begun(
    request: Request, kind: Literal["learn", "unlearn"], name: str, recipe: Recipe, decides: Mapping[str, object]
) -> Iterator[RunRecord | Begun]:
    """Take the run's folder and give the run at work in it, alone, or the record of the same run where it has ended.

    `decides` is what decides the result beside recipe, model and data. A refusal leaves the folder as it was.
    """
    models.check_usable(request.model)
    check_quantized(recipe)
    tracker.check(request.report_to)
    processes = joined()
    processes.check(recipe.rows_per_step)
    checksum = checksums(request.data_dir)["dataset_sha256"]
    config = {"recipe": recipe.canonical(), "model": models.digest(request.model), "data": checksum, **decides}
    if request.patients:
        config["patients"] = request.patients.settings()
    place = (request.model, request.scenario, request.percent, request.seed, config)
    afresh = not request.resume and processes.writes  # the others find the folder taken
    folder = processes.first(lambda: RunFolder.open(request.out, kind, name, *place, not afresh))
    if folder.finished:
        yield folder.finished
        return
    with _at_work(folder, request.report_to, processes) as folder:
        forget_peak_memory()
        try:
            data = request.data or read_rows(request.data_dir, request.scenario, request.percent)
            data = request.patients.rows(data) if request.patients else data
            loaded = models.load(request.model, recipe.dtype, recipe.load_in_4bit)
        except UserError:
            if processes.writes:
                folder.abandon()
            raise
        yield Begun(folder, data, loaded, processes, checksum, recipe)


@contextmanager
def _at_work(run: RunFolder, report_to: str | None, processes: Processes) -> Iterator[RunFolder]:
    """Keep other processes out of the run's folder, and follow the run at a tracker where that is wished."""
    with ExitStack() as held:

        def begin() -> tracker.Tracker | None:
            held.enter_context(alone(run.folder))
            return held.enter_context(tracker.following(report_to, run.run_id, run.config)) if report_to else None

        yield replace(run, tracker=processes.alone(begin))
