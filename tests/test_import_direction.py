"""Imports flow one way, by the contracts in pyproject.toml, and every contract can fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("baselines", "mllmu_med_tasks", "mllmu_med_dataset", "mllmu_med_metrics")
# Contract -> a file, and the import in it that the contract forbids.
PLANTED = {
    "Packages: baselines, tasks, data set, metrics": (
        "mllmu_med_dataset/draws.py",
        "from mllmu_med_tasks import names",
    ),
    "Wings of baselines": ("baselines/losses.py", "from baselines import config"),
    "A study runs by engines, which know its graph alone": (
        "baselines/study/engines/records.py",
        "from baselines.study import bench",
    ),
    "No engine knows another": ("baselines/study/engines/ray.py", "from baselines.study.engines import slurm"),
    "Wings of the data set": ("mllmu_med_dataset/errors.py", "from mllmu_med_dataset import load"),
    "Wings of the metrics, and a vocabulary that imports nothing of ours": (
        "mllmu_med_metrics/vocabulary.py",
        "from mllmu_med_metrics import normal_form",
    ),
    "No model library in the data set and the metrics": ("mllmu_med_dataset/record.py", "import torch"),
    "No data set library in the metrics": ("mllmu_med_metrics/overlap.py", "import datasets"),
}


def contracts(folder: Path) -> dict[str, bool]:
    """Return for every contract whether the packages in a folder keep it."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    env = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    words = [line.rpartition(" ") for line in done.stdout.splitlines()]
    kept = {name: word == "KEPT" for name, _, word in words if word in ("KEPT", "BROKEN")}
    assert kept, done.stdout + done.stderr
    assert (done.returncode == 0) == all(kept.values())
    return kept


@pytest.fixture
def copy(tmp_path):
    """A folder with the four packages' modules and the contracts."""
    passed_over = shutil.ignore_patterns("data", "results", "__pycache__")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=passed_over)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_imports_flow_one_way():
    assert contracts(ROOT) == dict.fromkeys(PLANTED, True)


def test_every_contract_is_broken_by_an_import_against_it(copy):
    for file, line in PLANTED.values():
        path = copy / file
        path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    assert contracts(copy) == dict.fromkeys(PLANTED, False)
