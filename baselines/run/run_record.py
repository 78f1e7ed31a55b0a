"""The record of a run: what decided it, what it took, how it ended; written in one piece."""

import contextlib
import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from baselines.run.health import Verdict
from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.record import canonical_json

RECORD, METRICS = "record.json", "metrics.jsonl"


class RunRecord(BaseModel):
    """One learn or unlearn run: `config` decides the result, the rest says how it went."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    kind: Literal["learn", "unlearn"]
    name: str  # target, retain_only, or the method
    model: str  # what it started from, without machine paths
    scenario: str
    percent: int
    seed: int
    config: dict[str, object]  # canonical: the recipe, the model's and the data's digests
    rows: dict[str, int]  # how many of each role
    trainable: int  # parameters
    planned_steps: int
    steps: int  # that changed the weights
    stop: str | None  # which rule ended it early
    stop_step: int | None
    holdout_nll: float | None  # the target's, at which the stop rule fires
    forget_nll: float | None  # the last one the stop rule saw
    resumed_at: list[int]
    seconds: float
    rows_per_second: float
    peak_memory_mb: float
    versions: dict[str, str]
    dataset_checksum: str | None
    verdict: Verdict | None = None  # none until scored, unless the run itself failed


def run_id(name: str, model: str, scenario: str, percent: int, seed: int, config: Mapping[str, object]) -> str:
    """Return the id of a run: what it is, and 8 hex digits of everything that decides its result."""
    digest = hashlib.sha256(canonical_json(config).encode()).hexdigest()[:8]
    return f"{name}-{model.replace('/', '--')}-{scenario}-{percent:02d}-{seed}-{digest}"


def write_record(folder: Path, record: RunRecord) -> None:
    """Write the record of a run into its folder."""
    write_atomically(folder / RECORD, json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n")


def read_record(folder: Path) -> RunRecord | None:
    """Return the record of a finished run, or None where there is none; :class:`UserError` for one that is damaged."""
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        return RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(
            f"{path} is no record of a run ({str(error).splitlines()[0]}). Start the run over with --no-resume, or "
            "name another folder."
        ) from error


def with_verdict(folder: Path, verdict: Verdict) -> RunRecord:
    """Add the verdict to a finished run's record, once its model is scored, and return the record."""
    record = read_record(folder)
    if record is None:
        raise FileNotFoundError(folder / RECORD)
    record = record.model_copy(update={"verdict": verdict})
    write_record(folder, record)
    return record


def versions() -> dict[str, str]:
    """Return what of software and machine can change a result.

    Rounding differs between processors, between the kernels that a processor is given, and between numbers of threads.
    """
    import torch

    packages = ("mllmu-med", "torch", "transformers", "peft", "tokenizers")
    return {
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
        "processor": _processor_name(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
    }


def versions_of(records: Iterable[RunRecord | None]) -> dict[str, str]:
    """Return what the runs were made with, each value once: runs of one study may come from unlike machines."""
    had: dict[str, dict[str, None]] = {}
    for record in records:
        for name, value in (record.versions if record else {}).items():
            had.setdefault(name, {})[value] = None
    return {name: ", ".join(values) for name, values in had.items()}


def _processor_name() -> str:
    """Return the name of the processor, or, where the system does not tell, its architecture."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line for line in lines if line.startswith("model name")).partition(":")[2].strip()
    return platform.processor() or platform.machine()


def forget_peak_memory() -> None:
    """Begin a new measurement of the peak memory, so that a process may tell that of each of its runs."""
    # The kernel's own way (man proc_pid_clear_refs); elsewhere the peak stays that of the whole process.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak_memory_mb() -> float:
    """Return the most memory this process held since :func:`forget_peak_memory`, in MB (10^6 bytes)."""
    return _memory_mb("VmHWM:", "peak_wset")  # elsewhere than on Linux and Windows what is held now


def resident_memory_mb() -> float:
    """Return the memory that this process holds now, in MB (10^6 bytes)."""
    return _memory_mb("VmRSS:", "rss")


def _memory_mb(line: str, name: str) -> float:
    """Return what Linux says in a line of /proc/self/status, elsewhere what psutil says by a name."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(one for one in lines if one.startswith(line)).split()[1]) * 1024 / 1e6
    import psutil  # comes with accelerate

    memory = psutil.Process().memory_info()
    held: int = getattr(memory, name, memory.rss)
    return held / 1e6
