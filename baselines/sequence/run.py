"""A sequence as one command, or one stage of it: its graph run in its folder; what is done stays."""

import json
from functools import partial

from mllmu_med_dataset.errors import unknown

from ..run.progress import Progress
from ..study import bench
from ..study.engines import engine
from ..study.engines.options import EngineOptions
from .requests import SETTINGS, Requests, check, read_settings
from .stages import plan


def sequence(study: Requests, *, resume: bool = True, options: EngineOptions = bench.HERE) -> dict[str, object]:
    """Run the sequences, or what is left of them, and return the report.

    A folder that holds something else is a :class:`~mllmu_med_dataset.errors.UserError`.
    """
    check(study)
    with bench.locked(study.out, SETTINGS):
        _claim(study, resume=resume)
        bench.run(partial(plan, study), study.out, options, SETTINGS)
        return json.loads((study.out / "sequence.json").read_text(encoding="utf-8"))


def run_stage(study: Requests, id: str) -> None:
    """Run one stage, those it needs being done; others may run beside it in the same folder."""
    check(study)
    graph = plan(study)
    if id not in graph:
        raise unknown("stage", id, graph)
    if (study.out / SETTINGS).is_file():
        _claim(study, resume=True)
    else:
        with bench.locked(study.out, SETTINGS):
            _claim(study, resume=True)
    engine.run_stage(graph[id], Progress({graph[id].title: 1}))


def _claim(study: Requests, *, resume: bool) -> None:
    bench.claim_as(study.out / SETTINGS, study.settings(), lambda: read_settings(study.out), resume=resume)
