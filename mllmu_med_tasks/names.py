"""The words tasks are named by, and the one list of tasks."""

from typing import NamedTuple

from mllmu_med_metrics.vocabulary import MAIN_PERCENT, SCENARIOS, SUBSETS, VIEWS_OF, config_name, main_split

IMAGES = ("own", "blank", "other")


class Task(NamedTuple):
    """What one task asks: a subset of a scenario, or one view of its forget rows."""

    scenario: str
    subset: str
    view: str | None = None

    @property
    def name(self) -> str:
        """The name lm-eval knows the task by."""
        return task_name(*self)

    def config(self, percent: int = MAIN_PERCENT) -> str:
        """Return the config that holds the task's rows at a forget share in percent."""
        return config_name(self.scenario, self.subset, percent)

    @property
    def split(self) -> str:
        """The split of that config."""
        return self.view or main_split(self.config())


def task_name(scenario: str, subset: str, view: str | None = None) -> str:
    """Return the task that asks one subset of one scenario, or one view of its forget rows."""
    return f"mllmu_med_{scenario}_{subset}" + (f"_{view}" if view else "")


def tasks_of(scenario: str) -> tuple[Task, ...]:
    """Return the tasks of a scenario: the four subsets, then the views of forget."""
    own = tuple(Task(scenario, subset) for subset in SUBSETS)
    return own + tuple(Task(scenario, "forget", view) for view in VIEWS_OF[scenario])


TASKS = {task.name: task for scenario in SCENARIOS for task in tasks_of(scenario)}
