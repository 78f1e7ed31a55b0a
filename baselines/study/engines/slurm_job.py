"""What runs in a SLURM job: one stage, which goes on in the same job after preemption, a lost process, or its time.

    python -m baselines.study.engines.slurm_job OUT TOKEN THREADS RETRIES STAGE

Before its time limit SLURM sends USR1: the stage saves a checkpoint, and the job is queued again. Where SLURM preempts
or requeues a job it sends TERM, and queues it by itself.
"""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType

from mllmu_med_dataset.errors import UserError

from .records import FAILED, Records, StageLost
from .work import work

# Seconds before the time limit at which a stage is to save and end.
WARNING = 60
TERMINATED = 128 + signal.SIGTERM


class OutOfTime(KeyboardInterrupt):
    """The time limit of the job is near."""


def main() -> None:
    """Run the stage; exit 0 where it is done, which alone lets go what waits for it."""
    out, token, threads, retries, id = sys.argv[1:]
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, _end)
    restarts = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    try:
        work(Path(out), token, id, restarts + 1, int(threads))
    except OutOfTime:
        _again(Records(Path(out)), id, restarts, int(retries), "its time was up; give a longer --slurm-time")
    except StageLost as error:
        _again(Records(Path(out)), id, restarts, int(retries), str(error))
    except KeyboardInterrupt:
        sys.exit(TERMINATED)
    except UserError as error:
        sys.exit(str(error))


def _again(records: Records, id: str, restarts: int, retries: int, why: str) -> None:
    """Have SLURM queue this job again; where that was done often enough, or is not allowed, the stage has failed."""
    said = f"started {restarts + 1} times, and in the end {why}"
    if restarts < retries:
        done = subprocess.run(
            ["scontrol", "requeue", os.environ["SLURM_JOB_ID"]], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            sys.exit(TERMINATED)
        said = f"{why}, and SLURM does not queue it again ({done.stderr.strip()})"
    record = records.read(id)
    if record is not None:
        records.write(id, replace(record, state=FAILED, note=said))
    sys.exit(f"{id}: {said}")


def _end(number: int, frame: FrameType | None) -> None:
    """Interrupt the stage, once: SLURM repeats itself, and what saves a checkpoint is not interrupted again."""
    for one in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(one, signal.SIG_IGN)
    raise OutOfTime if number == signal.SIGUSR1 else KeyboardInterrupt


if __name__ == "__main__":
    main()
