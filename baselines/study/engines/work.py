"""One stage on whatever machine an engine chose: its command in a process of its own, followed in record and log."""

import os
import platform
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mllmu_med_dataset.errors import UserError

from ...run.termination import INTERRUPTED
from . import tied as tied_to_parent
from .records import BEAT, LONGEST_NOTE, Records, StageLost

# Seconds in which an interrupted stage saves a checkpoint and ends; SLURM's own patience (KillWait) is 30.
PATIENCE = 20.0


def work(out: Path, token: str, id: str, attempt: int, threads: int) -> None:
    """Run the command of a stage to its end.

    Raises :class:`UserError` with the stage's own last word where it failed, :class:`StageLost` where it was killed,
    and KeyboardInterrupt where it was interrupted; an interrupt of this process ends all that the command started.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # As in all that a shell began in its background, a cluster's node too; Ray interrupts a task by this signal.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    records = Records(out)
    records.check_shared(token)
    stage = records.stage(id)
    if records.is_at_work(id):
        other = records.read(id)
        raise UserError(
            f"Stage {id} runs already: process {other.pid} on {other.host}. Wait until it ends (mllmu-med status), or "
            "end it there, and run the same command again."
        )
    log = records.log(id)
    with records.keeping(id, attempt) as sign, log.open("ab") as file:
        began = log.stat().st_size
        process = _started(stage, threads, file)
        try:
            while (code := _code(process)) is None:
                sign.note = last_line(log, began)
        except BaseException:
            end(process)
            raise
        finally:
            sign.note = last_line(log, began)
        _judge(code, sign.note)


def _started(stage: Mapping[str, object], threads: int, log: BinaryIO) -> "subprocess.Popen[bytes]":
    """Start a stage's command in the folder of the study's own command, tied to this process."""
    if not Path(stage["folder"]).is_dir():
        raise UserError(
            f"The working folder is not shared: '{stage['folder']}' is not there on {platform.node()}. Start from a "
            "folder that every node mounts at the same path."
        )
    tied = [sys.executable, "-m", tied_to_parent.__name__, str(os.getpid())]
    return subprocess.Popen(
        [*tied, *command(stage["argv"])], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=stage["folder"],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)}, process_group=0,
    )  # fmt: skip


def _code(process: "subprocess.Popen[bytes]") -> int | None:
    """Return how a command ended; None if it has not, a sign of life later."""
    with suppress(subprocess.TimeoutExpired):
        return process.wait(BEAT / 2)
    return None


def _judge(code: int, said: str) -> None:
    """Raise what the end of a stage's command means; its own last word says more than a code."""
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code < 0:
        name = signal.Signals(-code).name
        raise StageLost(f"killed by {name}{', perhaps for want of memory' if -code == signal.SIGKILL else ''}")
    if code:
        raise UserError(said or f"it ended with code {code}")


def command(argv: Sequence[str]) -> list[str]:
    """Return a stage's command for this machine: with this Python, whatever the PATH holds."""
    program, *words = argv
    known = {"mllmu-med": [sys.executable, "-m", "baselines.cli"], "python": [sys.executable]}
    return [*known.get(program, [program]), *words]


def last_line(log: Path, began: int = 0) -> str:
    """Return the last line with something in it that a log holds after so many bytes."""
    with suppress(OSError), log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(began, size - 4 * LONGEST_NOTE))
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines()]
        return next((line for line in reversed(lines) if line), "")[-LONGEST_NOTE:]
    return ""


def end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt a stage with all that it started, and kill what is left of it after its time to save."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
