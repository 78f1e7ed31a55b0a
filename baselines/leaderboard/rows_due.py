"""The rows that an entry must have answered: every one of a build's but the retain rows outside the bench's sample."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import checksums, data_folder
from mllmu_med_tasks.task_documents import sample, stored_rows, tasks_with_rows

from ..study.study import Study

MAX_RETAIN = Study.max_retain
Digests = Mapping[str, Mapping[str, str]]


def rows_sha256(scenario: str, percent: int, build: Path) -> dict[str, dict[str, str]]:
    """Return the checksum of what the rows of every task say, by config and split; empty where the build lacks one."""
    content = checksums(build)["content"]
    digests: dict[str, dict[str, str]] = {}
    for task in tasks_with_rows(scenario, percent, build):
        config = task.config(percent)
        if task.split not in content.get(config, {}):
            return {}
        digests.setdefault(config, {})[task.split] = content[config][task.split]["sha256"]
    return digests


@cache
def rows_due(scenario: str, percent: int, build: Path) -> tuple[dict[str, object], ...]:
    """Return the rows to answer, without images, in the order in which a bench asks them.

    Of the retain rows they are the sample of 200 that a bench takes with the build's own seed
    (:func:`mllmu_med_tasks.task_documents.sample`).
    """
    seed = int(checksums(build)["parameters"]["seed"])
    rows: list[dict[str, object]] = []
    for task in tasks_with_rows(scenario, percent, build):
        of_task = stored_rows(task, percent, build)
        places = sample(of_task, MAX_RETAIN, seed, percent) if task.subset == "retain" else range(len(of_task))
        rows += [of_task[place] for place in places]
    return tuple(rows)


def build_of(wanted: Digests, scenario: str, percent: int, builds: Sequence[Path | None], where: str) -> Path:
    """Return the build whose rows have these checksums; a :class:`UserError` where none of those given has."""
    folders = [data_folder(build) for build in builds]
    for folder in folders:
        if rows_sha256(scenario, percent, folder) == wanted:
            return folder
    named = ", ".join(f"'{folder}'" for folder in folders)
    raise UserError(
        f"{where} is of rows that are in none of the builds at hand ({named}): "
        f"their checksums of {scenario} at {percent} % are others, so that no score can be computed. Give the build "
        "that was asked: --data FOLDER."
    )


def check_ids(ids: Sequence[str], due: Sequence[Mapping[str, object]], where: str) -> None:
    """Refuse answers that are not of exactly the rows due: some, or another sample, can't stand beside others."""
    given, wanted = set(ids), {str(row["id"]) for row in due}
    if given == wanted:
        return
    part_of = {str(row["id"]): str(row["view"] or row["subset"]) for row in due}
    lacking = sorted({part_of[one] for one in wanted - given})
    raise UserError(
        f"{where} answers {len(given & wanted):,} of the {len(wanted):,} rows that the leaderboard asks and "
        f"{len(given - wanted):,} others; it lacks rows of {', '.join(lacking) or 'none'}. Every row of forget "
        f"with all its views, of test and holdout is due, and of retain the sample of {MAX_RETAIN} that a bench takes: "
        f"run it without --limit, without --no-views and with --max-retain {MAX_RETAIN}."
    )
