"""The task files are those of the list of tasks; ``python -m mllmu_med_tasks.task_files`` writes them anew."""

from mllmu_med_tasks.names import TASKS
from mllmu_med_tasks.task_files import FOLDER, SHARED, task_files


def test_the_files_are_those_of_the_list():
    files = dict(task_files())
    assert len(files) == 2 * (len(TASKS) + 1) + 1
    for path, text in files.items():
        assert path.read_text(encoding="utf-8") == text, path.name
    there = {path for harness in ("lm_eval", "lmms_eval") for path in (FOLDER / harness).glob("*.yaml")}
    assert there | {FOLDER / "lmms_eval" / SHARED} == files.keys()
