"""What a model is asked: one value from the command line to the rows."""

from dataclasses import dataclass
from pathlib import Path

from mllmu_med_dataset.load import checksums
from mllmu_med_metrics.vocabulary import MAIN_PERCENT, SUBSETS


@dataclass(frozen=True, kw_only=True)
class Questions:
    """The rows of a scenario that a model is asked.

    data_dir: the build, the packaged one without. percent: forget share. subsets, views: which rows, and whether the
    views of the forget rows too (all, or those that are named). max_retain: so many retain rows
    (`task_documents.sample`). image: each row's own, a blank one, or another patient's. limit: the first rows of each
    task only; the result can't be scored.
    """

    scenario: str
    data_dir: str | Path | None = None
    percent: int = MAIN_PERCENT
    subsets: tuple[str, ...] = SUBSETS
    views: bool | tuple[str, ...] = False
    max_retain: int | None = None
    image: str = "own"
    limit: int | None = None
    seed: int = 0

    @property
    def data_digest(self) -> str:
        """The digest of all rows of the build."""
        return str(checksums(self.data_dir)["dataset_sha256"])

    def settings(self) -> dict[str, object]:
        """Return what decides the rows and their order, in plain values."""
        return {
            "data_digest": self.data_digest,
            "scenario": self.scenario,
            "percent": self.percent,
            "subsets": list(self.subsets),
            "views": list(self.views) if isinstance(self.views, tuple) else self.views,
            "max_retain": self.max_retain,
            "image": self.image,
            "limit": self.limit,
            "seed": self.seed,
        }

    def metadata(self) -> dict[str, object]:
        """Return the same as the tasks take it from lm-eval (`mllmu_med_tasks.task_documents.load`)."""
        return {
            "mllmu_med_image": self.image,
            "mllmu_med_seed": self.seed,
            "mllmu_med_percent": self.percent,
            "mllmu_med_data_sha256": self.data_digest,
            **({"mllmu_med_data_dir": str(self.data_dir)} if self.data_dir is not None else {}),
            **({"mllmu_med_max_retain": self.max_retain} if self.max_retain is not None else {}),
        }
