"""The three literal calls in an environment of their own for each supported version, from an empty folder, offline.

    python -m tests.version_matrix [FOLDER] [--only lm_eval==0.4.10 ...]

Not part of CI: it makes eight environments (with `uv` where it is installed, else with venv and pip) and takes a while.
Every version of lm_eval meets both of datasets, and each of those both of evaluate. Prints the versions that were
really imported and what each call came to; exit code 1 if one failed. FOLDER keeps the environments for another run.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mllmu_med_metrics.vocabulary import SCENARIOS
from mllmu_med_tasks.names import TASKS

ROOT = Path(__file__).parent.parent
TORCH = "torch==2.13.0"
DATASETS = ("4.8.5", "5.2.0")
EVALUATE = ("0.4.3", "0.4.6")
LM_EVAL = ("0.4.10", "0.4.11", "0.4.12", "0.4.13")
COMBINATIONS = [
    (datasets, EVALUATE[(place + number // 2) % 2], lm_eval)
    for number, lm_eval in enumerate(LM_EVAL)
    for place, datasets in enumerate(DATASETS)
]

IMPORTED = """
import importlib.metadata as m, datasets, evaluate, lm_eval
print(datasets.__version__, evaluate.__version__, m.version("lm_eval"), m.version("huggingface_hub"))
"""
LOAD = """
from datasets import load_dataset
rows = load_dataset("mllmu-med", "privacy_forget", split="train")
assert rows.num_rows and rows[0]["image"].size == (64, 64)
assert load_dataset("mllmu-med", "privacy_forget", split="paraphrase").num_rows > rows.num_rows
print(rows.num_rows, "rows")
"""
METRIC = """
import evaluate
from datasets import load_dataset
splits = {"forget": "train", "retain": "train", "test": "test", "holdout": "test"}
rows = [row for subset, split in splits.items()
        for row in load_dataset("mllmu-med", f"privacy_{subset}", split=split).remove_columns("image")]
taught, truth = [row["answer"] for row in rows], [row["true_answer"] for row in rows]
found = evaluate.load("mllmu_med_ues").compute(
    predictions=truth, references=rows, target_predictions=taught, retain_only_predictions=truth)
assert found["ues"] == 1.0, found
print("ues", found["ues"])
"""


def environments(folder: Path, only: list[str]) -> list[tuple[str, tuple[str, str, str]]]:
    """Return the name of each environment and its versions of datasets, evaluate and lm_eval."""
    found = []
    for versions in COMBINATIONS:
        pins = [f"{name}=={v}" for name, v in zip(("datasets", "evaluate", "lm_eval"), versions, strict=True)]
        if all(pin in pins for pin in only):
            found.append(("-".join(versions), versions))
    return found


def make(folder: Path, source: Path, versions: tuple[str, str, str]) -> Path:
    """Install the project with these versions and return the environment's folder of commands."""
    pins = [f"{name}=={v}" for name, v in zip(("datasets", "evaluate", "lm_eval"), versions, strict=True)]
    wanted = [TORCH, f"{source}[harness,train]", *pins]
    uv, python = shutil.which("uv"), folder / "bin" / "python"
    if not python.exists():
        venv = [uv, "venv", "-q", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
        call([*venv, str(folder)])
    if uv:
        call([uv, "pip", "install", "-q", "--reinstall-package", "mllmu-med", "--python", str(python), *wanted])
    else:
        call([str(python), "-m", "pip", "install", "-q", *wanted])
        call([str(python), "-m", "pip", "install", "-q", "--no-deps", "--force-reinstall", str(source)])
    return folder / "bin"


def call(command: list[str], **options: object) -> str:
    """Run a command and return what it printed; raise with the end of what it said if it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or done.stdout.strip() or str(done.returncode))[-1500:])
    return done.stdout.strip()


def try_calls(commands: Path, data: Path, scratch: Path) -> dict[str, str]:
    """Return what each step came to in one environment; a failure ends in the words of its error."""
    scratch.mkdir(parents=True)
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")},
        "HF_HOME": str(scratch / "home"),
        "HF_HUB_OFFLINE": "1",
        "HF_EVALUATE_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "PATH": f"{commands}:{os.environ['PATH']}",
    }
    for name in ("HF_DATASETS_CACHE", "HF_MODULES_CACHE", "HF_HUB_CACHE"):
        environment.pop(name, None)
    here = scratch / "empty"
    here.mkdir()
    python = str(commands / "python")
    nano = "import baselines.nano; print(baselines.nano.MODEL)"
    steps = {
        "imported": [python, "-c", IMPORTED],
        "install": [str(commands / "mllmu-med"), "install", str(data), "--json"],
        "load_dataset": [python, "-c", LOAD],
        "evaluate.load": [python, "-c", METRIC],
        "lm_eval": [
            str(commands / "lm_eval"), "--model", "hf-multimodal", "--tasks", "mllmu_med_*", "--apply_chat_template",
            "--log_samples", "--limit", "2", "--batch_size", "4", "--device", "cpu",
            "--output_path", str(scratch / "out"), "--model_args", "pretrained=",
        ],
        "undo": [str(commands / "mllmu-med"), "install", "--undo", "--json"],
    }  # fmt: skip
    told = {}
    for name, command in steps.items():
        try:
            if name == "lm_eval":
                command[-1] += call([python, "-c", nano], cwd=here, env=environment)
            said = call(command, cwd=here, env=environment)
            told[name] = said if name == "imported" else "ok " + answered(name, said, scratch)
        except (RuntimeError, AssertionError) as error:
            told[name] = "FAILED " + str(error)
    if left := [path.name for path in here.iterdir()]:
        told["undo"] += f" (left in the folder: {', '.join(left)})"
    return told


def answered(name: str, said: str, scratch: Path) -> str:
    """Return the words of a success; an error where lm_eval left fewer tasks than it found."""
    if name != "lm_eval":
        return said.splitlines()[-1] if name in ("load_dataset", "evaluate.load") else ""
    (path,) = (scratch / "out").rglob("results_*.json")
    document = json.loads(path.read_text())
    if missing := TASKS.keys() - document["results"].keys():
        raise AssertionError(f"tasks without an answer: {', '.join(sorted(missing))}")
    return f"{len(TASKS)} tasks"


def main() -> None:
    """Make the environments, try the calls, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="mllmu-med-matrix-"))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "source"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", "HEAD"], capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(source)], input=archive, check=True)
    data, failed = folder / "data" / "mllmu-med", False
    lines = ["| datasets | evaluate | lm_eval | hub | install | load_dataset | evaluate.load | lm_eval | undo |"]
    lines.append("|---|" + "---|" * 8)
    for name, versions in environments(folder, options.only):
        print(f"{name}: installing", file=sys.stderr, flush=True)
        try:
            commands = make(folder / f"env-{name}", source, versions)
            if not data.exists():
                build = ("build", "--patients", "60", "--scenarios", ",".join(SCENARIOS), "--out", str(data))
                call([str(commands / "mllmu-med"), *build], cwd=folder)
            scratch = folder / f"run-{name}"
            shutil.rmtree(scratch, ignore_errors=True)
            told = try_calls(commands, data, scratch)
        except RuntimeError as error:
            told = {"imported": " ".join(versions) + " ?", "install": f"FAILED {error}"}
        failed |= any(said.startswith("FAILED") for said in told.values())
        cells = [*told["imported"].split(), *[told.get(step, "-") for step in list(told)[1:]]]
        for step, said in told.items():
            print(f"{name} {step}: {said}", file=sys.stderr, flush=True)
        lines.append("| " + " | ".join(cell.splitlines()[-1][:60] for cell in cells) + " |")
    print("\n".join(lines))
    sys.exit(failed)


if __name__ == "__main__":
    main()
