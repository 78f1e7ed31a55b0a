"""Run by test_resume.py: builds that are killed in the midst, each in a process of its own, and gone on with.

    python -m tests.mllmu_med_dataset.killed_builds FOLDER MOMENTS

A build is killed (SIGKILL) right before the n-th time that it touches the disk, for so many n spread over the whole
build. After every kill ``out`` must be absent or complete, and the next call must end with the same files. Prints one
line of JSON a kill.
"""

import json
import os
import pathlib
import shutil
import signal
import sys
from collections.abc import Callable

from mllmu_med_dataset import build as build_module
from mllmu_med_dataset.build import build
from mllmu_med_dataset.building.content import file_sha256
from mllmu_med_dataset.building.spool import Spool
from mllmu_med_dataset.building.written_tables import SplitFile
from mllmu_med_dataset.verify import verify

from .conftest import records

PATIENTS = 28
# Every way in which a build changes what is on disk.
TOUCHES = (
    (Spool, "add"),
    (Spool, "commit"),
    (Spool, "add_injections"),
    (SplitFile, "_write"),
    (pathlib.Path, "rename"),
    (pathlib.Path, "replace"),
    (pathlib.Path, "mkdir"),
    (pathlib.Path, "write_text"),
    (shutil, "rmtree"),
    (build_module, "verify"),
)


def in_a_process(run: Callable[[], object]) -> bool:
    """Run a call in a forked process; return whether it lived to its end."""
    child = os.fork()
    if child == 0:
        try:
            run()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return not os.WIFSIGNALED(status)


def counting(moment: int | None, count_file: pathlib.Path | None = None) -> Callable[[], None]:
    """Let every touch of the disk count, and kill this process right before the one of that number."""
    touched = 0

    def counted(touch: Callable[..., object]) -> Callable[..., object]:
        def touching(*args: object, **named: object) -> object:
            nonlocal touched
            touched += 1
            if touched == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return touch(*args, **named)

        return touching

    for owner, name in TOUCHES:
        setattr(owner, name, counted(getattr(owner, name)))

    def finish() -> None:
        if count_file is not None:
            with open(count_file, "w") as stream:
                stream.write(str(touched))

    return finish


def run_build(out: pathlib.Path, moment: int | None, count_file: pathlib.Path | None = None) -> None:
    """Build, or die trying."""
    finish = counting(moment, count_file)
    build(records(PATIENTS), out, percents=(10,), scenarios=("privacy",))
    finish()


def files(folder: pathlib.Path) -> dict[str, str]:
    """Return the checksums of all files of a build."""
    return {str(path.relative_to(folder)): file_sha256(path) for path in folder.rglob("*") if path.is_file()}


def main(folder: pathlib.Path, moments: int) -> None:
    """Build once undisturbed, then kill and go on at so many moments."""
    whole = folder / "whole" / "mllmu-med"
    assert in_a_process(lambda: run_build(whole, None, folder / "count"))
    expected, last = files(whole), int((folder / "count").read_text())
    for moment in sorted({1 + round(n * (last - 1) / (moments - 1)) for n in range(moments)}):
        out = folder / f"killed-{moment}" / "mllmu-med"
        lived = in_a_process(lambda at=moment, to=out: run_build(to, at))
        there = out.exists()
        told = {"moment": moment, "of": last, "lived": lived, "there": there}
        if there:
            told["verifies"], told["complete"] = verify(out).ok, files(out) == expected
        if moment % 2:
            # Killed once more, somewhere else, before it is left to finish.
            in_a_process(lambda at=1 + moment // 2, to=out: run_build(to, at))
        told["resumed"] = in_a_process(lambda to=out: run_build(to, None))
        told["same"] = files(out) == expected
        told["left"] = sorted(path.name for path in out.parent.iterdir())
        print(json.dumps(told), flush=True)
        shutil.rmtree(out.parent)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
