#!/usr/bin/env bash
# Build the wheel, install it alone in a clean environment with its light dependencies, and use it from elsewhere.
set -euo pipefail
python=$1
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
git -C "$root" archive HEAD | tar -x -C "$scratch" --one-top-level=source
"$python" -m build --wheel --outdir "$scratch/dist" "$scratch/source" >"$scratch/build.log" 2>&1 || { cat "$scratch/build.log"; exit 1; }
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install -q -c "$root/constraints.txt" "$scratch"/dist/*.whl
cd "$scratch"
export HF_HUB_OFFLINE=1 HF_HOME="$scratch/home"
venv/bin/mllmu-med --help >/dev/null
venv/bin/mllmu-med build --patients 60 --out data/mllmu-med
venv/bin/mllmu-med verify data/mllmu-med >/dev/null
venv/bin/python - <<'PY'
import sys
import mllmu_med_dataset, mllmu_med_metrics, mllmu_med_tasks
from mllmu_med_dataset import load
from datasets import load_dataset
from importlib.util import find_spec
from pathlib import Path

assert find_spec("torch") is None, "the core install must be light"
assert load("privacy_forget").num_rows == 64
assert load_dataset("data/mllmu-med", "privacy_test", split="test").num_rows > 0
import baselines.nano
assert (baselines.nano.MODEL / "model.safetensors").is_file()
from baselines.model import published
assert len(published.names()) == 4
assert all((one.folder / "model" / "model.safetensors").is_file() for one in map(published.get, published.names()))
assert (Path(mllmu_med_tasks.__file__).parent / "lm_eval" / "utils.py").is_file()
assert not find_spec("tests"), "tests stay out of the wheel"
print("wheel smoke: ok")
PY
