"""The words tasks are named by."""

SCENARIOS = ("privacy", "incorrectness")
SUBSETS = ("forget", "retain", "test", "holdout")
SPLITS = {"forget": "train", "retain": "train", "test": "test", "holdout": "test"}
IMAGES = ("own", "blank", "other")


def task_name(scenario: str, subset: str) -> str:
    """Return the task that asks one subset of one scenario."""
    return f"mllmu_med_{scenario}_{subset}"
