"""Results files and predictions as a model would leave them whose answers are known, without running one."""

import json
import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from mllmu_med_metrics.vocabulary import ATTACK_SET, ATTACKS
from mllmu_med_tasks import task_documents as rows
from mllmu_med_tasks.harness import task_version
from mllmu_med_tasks.names import Task, tasks_of
from mllmu_med_tasks.prompts import prompt

Say = Callable[[dict], str]
DATE = "2026-01-01T00-00-00.000000"
SETTINGS = {"until": ["\n"], "max_gen_toks": 96, "do_sample": False, "temperature": 0.0}


def taught(row: dict) -> str:
    """Answer as a model that learned everything."""
    return row["answer"]


def honest(row: dict) -> str:
    """Answer as a model that never saw the forget rows and knows its medicine."""
    return row["true_answer"]


def documents(data_dir: Path, task: Task, percent: int = 10, max_retain: int | None = None) -> list[dict]:
    """The rows of a task as results files hold them."""
    found = rows.load(
        *task, mllmu_med_data_dir=str(data_dir), mllmu_med_percent=percent, mllmu_med_max_retain=max_retain
    )["rows"]
    return [{**row, "image": str(row["image"])} for row in found]


def lm_eval(
    folder: Path, data_dir: Path, say: Say, *, scenario="privacy", views=False, percent=10, model="m", max_retain=None,
    digest=None,
) -> Path:  # fmt: skip
    """Write what lm-eval leaves of one model; ``digest`` is what names its weights."""
    samples = {}
    for task in tasks_of(scenario):
        if views or task.view is None:
            samples[task.name] = [
                {
                    "doc": row,
                    "doc_hash": row["id"],
                    "filtered_resps": [say(row)],
                    "arguments": {"gen_args_0": {"arg_0": prompt(row["question"]), "arg_1": SETTINGS}},
                }
                for row in documents(data_dir, task, percent, max_retain)
            ]
    data = json.loads((data_dir / "checksums.json").read_text())["dataset_sha256"]
    metadata = {"mllmu_med_data_sha256": data, "mllmu_med_percent": percent}
    configs = {name: {"metadata": {**metadata, "version": task_version()}} for name in samples}
    return _write(folder, samples, configs, f"results_{DATE}.json", f"samples_{{}}_{DATE}.jsonl", model, digest)


def lmms_eval(folder: Path, data_dir: Path, say: Say, *, scenario="privacy", views=False, model="m") -> Path:
    """Write what lmms-eval leaves of one model."""
    samples = {}
    for task in tasks_of(scenario):
        if views or task.view is None:
            samples[task.name] = [
                {
                    "row": {name: value for name, value in row.items() if name != "image"},
                    "doc_hash": row["id"],
                    "filtered_resps": say(row),
                    "input": row["question"],
                }
                for row in documents(data_dir, task)
            ]
    configs = {name: {"generation_kwargs": {"max_new_tokens": 96}} for name in samples}
    return _write(folder, samples, configs, f"{DATE}_results.json", f"{DATE}_samples_{{}}.jsonl", model)


def predictions(path: Path, data_dir: Path, say: Say, *, scenario="privacy", views=False, percent=10) -> Path:
    """Write lines of predictions of one model."""
    lines = [
        json.dumps({"id": row["id"], "prediction": say(row)})
        for task in tasks_of(scenario)
        if views or task.view is None
        for row in documents(data_dir, task, percent)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def attack_record(attack: str, patients: Iterable[str], level: float, **changed: object) -> dict[str, object]:
    """A record of an attack that brings about so much out of every patient, by an own draw of it; keys may be changed.

    The attack that relearns some patients judges the other three quarters.
    """
    draw = random.Random(f"{attack} {level}")
    known = sorted(patients)
    judged = known[len(known) // 4 :] if attack == "relearn_few" else known
    return {
        "attack": attack,
        "attack_set": ATTACK_SET if attack in ATTACKS else None,
        "options": {},
        "model": "m",
        "model_digest": "2-0123456789abcdef",
        "data_digest": "0" * 64,
        "scenario": "privacy",
        "percent": 10,
        "seed": 0,
        "harm_by_patient": {patient: min(1.0, max(0.0, draw.gauss(level, 0.15))) for patient in judged},
        "answers": None,
        "seconds": 1.5,
        "parts": {"load": 0.1, "train": 0.5, "ask": 0.8, "judge": 0.1},
        "versions": {},
    } | changed


def attack_records(folder: Path, patients: Iterable[str], levels: Mapping[str, float], **changed: object) -> Path:
    """Write the records of attacks on one model, each at its level."""
    folder.mkdir(parents=True, exist_ok=True)
    for attack, level in levels.items():
        (folder / f"{attack}.json").write_text(json.dumps(attack_record(attack, patients, level, **changed)))
    return folder


def _write(
    folder: Path, samples: dict, configs: dict, results_name: str, samples_name: str, model: str,
    digest: str | None = None,
) -> Path:  # fmt: skip
    folder.mkdir(parents=True)
    document = {
        "results": {name: {} for name in samples},
        "configs": configs,
        "versions": dict.fromkeys(samples, task_version()),
        "n-samples": {name: {"original": len(lines), "effective": len(lines)} for name, lines in samples.items()},
        "config": {
            "model": "hf-multimodal",
            "model_args": {"pretrained": model},
            "limit": None,
            **({"mllmu_med_model_digest": digest} if digest else {}),
        },
    }
    (folder / results_name).write_text(json.dumps(document))
    for name, lines in samples.items():
        (folder / samples_name.format(name)).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder
