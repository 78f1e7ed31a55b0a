"""The task files of both harnesses, written from the one list of tasks.

``python -m mllmu_med_tasks.task_files`` writes them anew after a view has been added to the vocabulary, or a metric to
``lm_eval/_mllmu_med`` (a test holds them equal). That file is written by hand: it holds what all tasks share. What they
share in lmms-eval is made from it.
"""

from collections.abc import Iterator
from pathlib import Path

from mllmu_med_metrics.vocabulary import BUILT
from mllmu_med_tasks.names import TASKS, Task

FOLDER = Path(__file__).parent
SHARED = "_mllmu_med"
# What is another in lmms-eval: where rows come from, who shows the image, and what the tokens of an answer are called.
_IN_LMMS_EVAL = {
    "share. No .yaml suffix: lm-eval would list a template as a task.": (
        "share, made from lm-eval's by task_files.py. No .yaml suffix: lmms-eval would list it as a task."
    ),
    "custom_dataset: !function utils.load\n": "dataset_path: mllmu-med\n",
    "test_split: rows\n": "",
    "doc_to_image": "doc_to_visual",
    "  max_new_tokens: null\n": "",
    "max_gen_toks": "max_new_tokens",
}
_GROUP = """\
# The tasks of all scenarios that a build has unless told otherwise. No aggregate: a mean over forget and retain rows
# means nothing.
group: mllmu_med
task:
"""


def task_files() -> Iterator[tuple[Path, str]]:
    """Yield path and text of every task file, of the group of all tasks, and of what they share in lmms-eval."""
    shared = (FOLDER / "lm_eval" / SHARED).read_text(encoding="utf-8")
    for ours, theirs in _IN_LMMS_EVAL.items():
        shared = shared.replace(ours, theirs)
    yield FOLDER / "lmms_eval" / SHARED, shared
    for harness, body in (("lm_eval", _lm_eval), ("lmms_eval", _lmms_eval)):
        for name, task in TASKS.items():
            yield FOLDER / harness / f"{name}.yaml", f"include: {SHARED}\ntask: {name}\n{body(task)}"
        grouped = (f"  - {name}\n" for name, task in TASKS.items() if task.scenario in BUILT)
        yield FOLDER / harness / "mllmu_med.yaml", _GROUP + "".join(grouped)


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
