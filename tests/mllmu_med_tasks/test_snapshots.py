import pytest

from mllmu_med_tasks.names import TASKS
from tests.mllmu_med_tasks import snapshots


def test_every_task_has_a_snapshot_and_nothing_else_has():
    assert {path.stem for path in snapshots.FOLDER.glob("*.json")} == set(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_prompts_are_what_they_were(name):
    # After a change that is meant: python -m tests.generated, and a new task version.
    assert (snapshots.FOLDER / f"{name}.json").read_text(encoding="utf-8") == snapshots.snapshot(TASKS[name])
