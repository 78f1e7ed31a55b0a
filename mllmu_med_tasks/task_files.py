"""The task files of both harnesses, written from the one list of tasks.

``python -m mllmu_med_tasks.task_files`` writes them anew after a view has been added to the vocabulary (a test
holds files and list equal). What all tasks share stands in ``_mllmu_med``, which is written by hand.
"""

from collections.abc import Iterator
from pathlib import Path

from mllmu_med_tasks.names import TASKS, Task

FOLDER = Path(__file__).parent
_GROUP = """\
# All tasks under one name. No aggregate: a mean over forget and retain rows means nothing.
group: mllmu_med
task:
"""


def task_files() -> Iterator[tuple[Path, str]]:
    """Yield path and text of every task file, and of the group of all tasks, for lm-eval and lmms-eval."""
    for harness, body in (("lm_eval", _lm_eval), ("lmms_eval", _lmms_eval)):
        for name, task in TASKS.items():
            yield FOLDER / harness / f"{name}.yaml", f"include: _mllmu_med\ntask: {name}\n{body(task)}"
        yield FOLDER / harness / "mllmu_med.yaml", _GROUP + "".join(f"  - {name}\n" for name in TASKS)


def _lm_eval(task: Task) -> str:
    view = f"  mllmu_med_view: {task.view}\n" if task.view else ""
    return f"dataset_kwargs:\n  mllmu_med_scenario: {task.scenario}\n  mllmu_med_subset: {task.subset}\n{view}"


def _lmms_eval(task: Task) -> str:
    return f"dataset_name: {task.config()}\ntest_split: {task.split}\n"


def write() -> None:
    """Write every task file, and remove those of tasks that are no more."""
    files = dict(task_files())
    for harness in ("lm_eval", "lmms_eval"):
        for stale in set((FOLDER / harness).glob("mllmu_med*.yaml")) - files.keys():
            stale.unlink()
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
