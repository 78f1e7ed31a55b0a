"""How stages go, written in the study's folder by whoever runs them, so that any machine that shares it can tell.

OUT/stages/_plan.json     the stages, in order; what they need; their commands; a token of this folder
OUT/stages/_driver.json   the process that gives stages to an engine
OUT/stages/<id>.json      a stage: its state, where it runs, since when, and its last word
OUT/stages/<id>.log       what its command printed, where it ran as a command

A record of what runs is written anew every few seconds: one that is not is of a process that is gone.
"""

import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import quote

from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_dataset.errors import UserError, make_folder

from ..graph import Graph

FOLDER = "stages"
PLAN, DRIVER = "_plan", "_driver"
RUNNING, DONE, FAILED, STOPPED, LOST = "running", "done", "failed", "stopped", "lost"
# Seconds between two signs of life, and after how many without one a process counts as gone.
BEAT, SILENCE = 5.0, 30.0
LONGEST_NOTE = 2000


class StageLost(Exception):
    """A stage's process was killed, or its machine went: it can be started again, and resumes."""


@dataclass(frozen=True)
class Record:
    """How a stage goes. began: seconds since 1970; seconds: how long it ran; note: its last word."""

    state: str
    host: str
    pid: int
    attempt: int
    began: float
    seconds: float
    note: str = ""


class Records:
    """The records of a study's folder."""

    def __init__(self, out: Path) -> None:
        """Name the folder; nothing is written yet."""
        self.folder = out / FOLDER

    def log(self, id: str) -> Path:
        """Where what a stage prints goes."""
        return self.folder / f"{quote(id, safe='')}.log"

    def path(self, id: str) -> Path:
        """Where the record of a stage is."""
        return self.folder / f"{quote(id, safe='')}.json"

    def read(self, id: str) -> Record | None:
        """Return the record of a stage; None where it has none, or none that can be read."""
        value = self.document(id)
        with suppress(TypeError):
            return None if value is None else Record(**value)
        return None

    def document(self, id: str) -> Mapping[str, object] | None:
        """Return a file of the folder as it stands; None where it is absent or damaged."""
        try:
            value = json.loads(self.path(id).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def write(self, id: str, value: Record | Mapping[str, object]) -> None:
        """Replace the record of a stage, or another file of the folder."""
        document = asdict(value) if isinstance(value, Record) else value
        write_atomically(self.path(id), json.dumps(document, indent=1) + "\n")

    def forget(self, id: str) -> None:
        """Remove the record of a stage that is to run again; its log stays."""
        self.path(id).unlink(missing_ok=True)

    def state(self, id: str) -> Record | None:
        """Return the record of a stage with the state that is true now: what runs and gives no sign of life is lost."""
        record = self.read(id)
        if record is None or record.state != RUNNING:
            return record
        with suppress(OSError):
            silent = time.time() - self.path(id).stat().st_mtime
            if _is_gone(record) or silent > SILENCE:
                gone = "is gone" if _is_gone(record) else f"has given no sign of life for {silent:.0f} s"
                return replace(record, state=LOST, note=f"process {record.pid} on {record.host} {gone}")
        return record

    def is_at_work(self, id: str) -> bool:
        """Say whether another process runs a stage; one whose signs of life alone can tell is watched for a while."""
        record = self.read(id)
        if record is None or record.state != RUNNING or (record.host, record.pid) == (platform.node(), os.getpid()):
            return False
        # By change and not by age: clocks of machines differ.
        before, until = self._changed(id), time.monotonic() + SILENCE
        while record is not None and record.state == RUNNING and not _is_gone(record):
            if time.monotonic() > until:
                return self._changed(id) != before
            time.sleep(BEAT / 10)
            record = self.read(id)
        return False

    def _changed(self, id: str) -> int:
        with suppress(OSError):
            return self.path(id).stat().st_mtime_ns
        return 0

    @contextmanager
    def keeping(self, id: str, attempt: int = 1) -> Iterator["Sign"]:
        """Keep the record of a stage while this process runs it, and say in it how it ended."""
        sign = Sign(self, id, attempt)
        sign.begin()
        state, note = FAILED, None
        try:
            yield sign
            state = DONE
        except StageLost as error:
            state, note = LOST, str(error)
            raise
        except UserError as error:
            note = str(error)
            raise
        except Exception as error:
            note = f"{type(error).__name__}: {error}"
            raise
        except BaseException:  # an interrupt
            state = STOPPED
            raise
        finally:
            sign.end(state, note)

    @contextmanager
    def driving(self, graph: Graph, engine: str) -> Iterator["Records"]:
        """Write down what is to be run, and that this process sees to it; refuse where one on another machine does."""
        if self.is_at_work(DRIVER):
            other = self.read(DRIVER)
            raise UserError(
                f"Another process is at work in '{self.folder.parent}': {other.pid} on {other.host}. Wait until it "
                "ends (mllmu-med status), or name another --out folder."
            )
        make_folder(self.folder)
        before = self.document(PLAN) or {}
        stages = [
            {
                "id": id, "title": stage.title, "needs": list(stage.needs), "argv": list(stage.argv),
                **({"decides": list(stage.decides)} if stage.decides else {}),
            }
            for id, stage in graph.items()
        ]  # fmt: skip
        token = before.get("token") or secrets.token_hex(4)
        self.write(PLAN, {"token": token, "engine": engine, "folder": str(Path.cwd()), "stages": stages})
        decided = {one["id"]: one.get("decides") or one["argv"] for one in before.get("stages", ())}
        for id, stage in graph.items():  # how an earlier run failed, or another command ended, says nothing of this one
            decides = list(stage.decides or stage.argv)
            record, is_other = self.read(id), decided.get(id, decides) != decides
            if record is not None and (_is_gone(record) or record.state not in (DONE, RUNNING) or is_other):
                self.forget(id)
        with self.keeping(DRIVER):
            try:
                yield self
            finally:
                self._close(graph)

    @property
    def token(self) -> str:
        """What stands in this folder, and in no other."""
        return str(self.document(PLAN)["token"])

    def check_shared(self, token: str) -> None:
        """Refuse a machine that sees another folder here, or none, or may not write into it."""
        node, out, plan = platform.node(), self.folder.parent, self.document(PLAN)
        if plan is None or plan.get("token") != token:
            seen = "holds other files there" if plan else "is not there"
            raise UserError(
                f"The output folder is not shared: '{out}' on {node} {seen}. Give an --out on a file system that every "
                "node mounts at the same path, and run the same command again."
            )
        probe = self.folder / f".{node}-{os.getpid()}"
        try:
            probe.write_text(token, encoding="utf-8")
            probe.unlink()
        except OSError as error:
            raise UserError(
                f"The output folder can't be written on {node}: '{error.filename or out}' ({error.strerror}). Make "
                "room or allow it there, and run the same command again: what is done stays."
            ) from error

    def stage(self, id: str) -> Mapping[str, object]:
        """Return a stage of the plan, with the folder that the study was started in."""
        plan = self.document(PLAN) or {}
        (stage,) = (one for one in plan["stages"] if one["id"] == id)
        return {**stage, "folder": plan["folder"]}

    def _close(self, ids: Iterator[str]) -> None:
        """Say of what this machine ran, and ended without a word, that it was stopped."""
        for id in ids:
            record = self.read(id)
            if record is not None and _is_gone(record):
                with suppress(OSError):
                    self.write(id, replace(record, state=STOPPED))


class Sign:
    """The sign of life of a stage at work."""

    def __init__(self, records: Records, id: str, attempt: int) -> None:
        """Begin nothing yet."""
        self._records, self._id, self.note = records, id, ""
        self._record = Record(RUNNING, platform.node(), os.getpid(), attempt, time.time(), 0.0)
        self._began, self._over = time.monotonic(), threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def begin(self) -> None:
        """Write that the stage runs, and go on saying so."""
        self._write(RUNNING)
        self._thread.start()

    def part(self, done: int, total: int) -> None:
        """Note how far the stage is; it is written with the next sign."""
        self.note = f"{done:,} of {total:,}"

    def end(self, state: str, note: str | None = None) -> None:
        """Write how the stage ended."""
        self._over.set()
        self._thread.join()
        self.note = self.note if note is None else note
        try:
            self._write(state)
        except OSError:
            if state == DONE:  # else what went wrong is not covered up by a disk that is full here too
                raise

    def _beat(self) -> None:
        while not self._over.wait(BEAT):
            with suppress(OSError):
                self._write(RUNNING)

    def _write(self, state: str) -> None:
        seconds, note = time.monotonic() - self._began, self.note[-LONGEST_NOTE:]
        self._records.write(self._id, replace(self._record, state=state, seconds=round(seconds, 1), note=note))


def _is_gone(record: Record) -> bool:
    """Say whether the process of a running stage is known to be gone: only its own machine knows."""
    if record.state != RUNNING or record.host != platform.node():
        return False
    try:
        os.kill(record.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False
