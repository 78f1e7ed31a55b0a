"""The words tasks are named by."""

SCENARIOS = ("privacy", "incorrectness")
SUBSETS = ("forget", "retain", "test", "holdout")
SPLITS = {"forget": "train", "retain": "train", "test": "test", "holdout": "test"}
IMAGES = ("own", "blank", "other")
