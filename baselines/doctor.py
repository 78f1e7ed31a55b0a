"""What is installed here, and which part of the benchmark can run."""

import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

PARTS = {
    "data set (build, verify, load_dataset)": ("datasets", "pyarrow", "pillow", "jsonschema"),
    "metric (evaluate.load)": ("evaluate", "scipy"),
    "tasks (lm_eval)": ("lm_eval", "transformers", "torch"),
    "baselines (learn, unlearn)": ("torch", "transformers", "peft", "accelerate"),
    "report figures": ("matplotlib",),
}
EXTRAS = {"evaluate": "harness", "lm_eval": "harness", "matplotlib": "report"}


@dataclass(frozen=True)
class Finding:
    """One line of the examination."""

    name: str
    ok: bool
    says: str


def examine() -> list[Finding]:
    """Return a finding for each part, the packaged data, the installed names, and the cores or accelerator."""
    found = []
    for part, packages in PARTS.items():
        missing = [package for package in packages if _version(package) is None]
        if missing:
            extras = sorted({EXTRAS.get(package, "train") for package in missing})
            says = f"missing {', '.join(missing)}; install with: pip install 'mllmu-med[{','.join(extras)}]'"
        else:
            says = ", ".join(f"{package} {_version(package)}" for package in packages)
        found.append(Finding(part, not missing, says))
    from mllmu_med_dataset.load import PACKAGED

    has_data = (PACKAGED / "checksums.json").is_file()
    found.append(Finding("packaged data set", has_data, "240 phantom patients" if has_data else f"not at {PACKAGED}"))
    found += _names(Path.cwd()) if _version("datasets") else []
    if find_spec("torch"):
        import torch

        device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores"
        found.append(Finding("device", True, device))
    return found


def _names(folder: Path) -> list[Finding]:
    """Return whether the installed names give what is installed, and what in the working folder stands before them."""
    from mllmu_med_dataset import install
    from mllmu_med_dataset.publishing.shadows import shadows
    from mllmu_med_tasks.names import TASKS

    standing = shadows(folder, TASKS)
    return [
        Finding("installed data set", *install.examine()),
        Finding("names in this folder", not standing, " ".join(standing) or "nothing stands before them"),
    ]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
