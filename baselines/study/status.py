"""What is done, running and failed of a study, by the records that whoever runs its stages leaves in its folder."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mllmu_med_dataset.errors import UserError, cut

from .engines.records import DONE, DRIVER, FAILED, LOST, PLAN, RUNNING, STOPPED, Records

WAITING = "waiting"
STATES = (DONE, RUNNING, FAILED, LOST, STOPPED, WAITING)
# Of a note in the table; --json has it whole.
LONGEST_NOTE = 90


@dataclass(frozen=True)
class StageStatus:
    """How a stage goes: state (one of `STATES`), where it runs, which start this is, seconds, and its last word."""

    id: str
    state: str
    host: str
    attempt: int
    seconds: float | None
    note: str
    log: str | None


@dataclass(frozen=True)
class Status:
    """How a study goes. driver: the state of the process that gives stages to the engine, and where it is."""

    out: str
    engine: str
    driver: str
    counts: dict[str, int]
    stages: list[StageStatus]

    @property
    def is_over(self) -> bool:
        """Whether nothing runs, and nobody is there to start anything."""
        return not self.counts[RUNNING] and not self.driver.startswith(RUNNING)

    @property
    def has_failed(self) -> bool:
        """Whether a stage failed."""
        return self.counts[FAILED] > 0


def read_status(out: Path) -> list[Status]:
    """Return how the study of a folder goes, or each of its studies where several seeds have one."""
    folders = [out] if Records(out).document(PLAN) else sorted(path for path in out.glob("seed-*") if path.is_dir())
    found = [_status(folder) for folder in folders if Records(folder).document(PLAN)]
    if not found:
        raise UserError(
            f"'{out}' holds no record of stages. Give the --out folder of a study that was started; one that was "
            "finished by an older version has none."
        )
    return found


def _status(out: Path) -> Status:
    records = Records(out)
    plan = records.document(PLAN)
    stages = [_stage(records, str(stage["id"])) for stage in plan["stages"]]
    counts = Counter(stage.state for stage in stages)
    driver = records.state(DRIVER)
    where = f"{driver.state} (process {driver.pid} on {driver.host})" if driver else WAITING
    return Status(str(out), str(plan["engine"]), where, {state: counts[state] for state in STATES}, stages)


def _stage(records: Records, id: str) -> StageStatus:
    record, log = records.state(id), records.log(id)
    kept = str(log) if log.is_file() else None
    if record is None:
        return StageStatus(id, WAITING, "", 0, None, "", kept)
    seconds = time.time() - record.began if record.state == RUNNING else record.seconds
    return StageStatus(id, record.state, record.host, record.attempt, round(max(0, seconds), 1), record.note, kept)


def text(status: Status) -> str:
    """Return the table of a study: a line a stage, and how many are in which state."""
    rows = [("stage", "state", "where", "start", "seconds", "last word")]
    rows += [_row(stage) for stage in status.stages]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    right = (3, 4)
    lines = [
        "  ".join(
            [cell.rjust(width) if column in right else cell.ljust(width)
             for column, (cell, width) in enumerate(zip(row, widths, strict=False))] + [row[5]]
        ).rstrip()
        for row in rows
    ]  # fmt: skip
    counts = ", ".join(f"{count} {state}" for state, count in status.counts.items() if count)
    return "\n".join([*lines, f"{status.out}: {counts}; engine {status.engine}, driver {status.driver}"])


def _row(stage: StageStatus) -> tuple[str, ...]:
    seconds = "" if stage.seconds is None else f"{stage.seconds:.0f}"
    return stage.id, stage.state, stage.host, str(stage.attempt or ""), seconds, cut(stage.note, LONGEST_NOTE)


def watch(out: Path, every: float) -> Iterator[Sequence[Status]]:
    """Yield how a study goes, now and whenever it has changed, until it is over."""
    before = None
    while True:
        found = read_status(out)
        if found != before:
            yield found
        if all(one.is_over for one in found):
            return
        before = found
        time.sleep(every)
