"""A finished study whose answers are known, on the packaged rows of one scenario: nothing is trained or asked."""

import json
from pathlib import Path

import pytest

from baselines import attacks as registry
from baselines.attacks.held import Held, asked_rows, judged_again
from mllmu_med_dataset.load import PACKAGED, checksums
from mllmu_med_metrics.vocabulary import ATTACKS
from tests.mllmu_med_tasks import fabricated

SCENARIO = "incorrectness"
FORGET_PATIENTS = 16
STUDY = {
    "model": "nano", "source": "phantom", "patients": 240, "scenarios": [SCENARIO], "methods": ["gd"],
    "preset": "nano", "percent": 10, "views": True, "seed": 0, "unlearning_seeds": 2, "controls": ["retain_ft"],
    "attacks": True, "learn": False, "max_retain": 200, "fast": False,
}  # fmt: skip


def half(first: bool):
    """Answer as a model that still says every wrong fact of one half of the patients."""
    return lambda row: row["answer" if (row["patient_id"][2] < "8") == first else "true_answer"]


# The control says all that was taught; gd forgets one half of the patients, then the other.
RUNS = {
    "target": fabricated.taught,
    "retain_only": fabricated.honest,
    "retain_ft": fabricated.taught,
    "retain_ft-s1": fabricated.taught,
    "gd": half(True),
    "gd-s1": half(False),
}


# What three runs say under every attack, and the rank of their secrets: gd gives more away than when asked plainly.
UNDER_ATTACK = {
    "target": (fabricated.taught, 0.9),
    "retain_only": (fabricated.honest, 0.1),
    "gd": (lambda row: row["answer" if row["patient_id"][2] < "c" else "true_answer"], 0.5),
}


def record(name: str, digest: str) -> dict[str, object]:
    """Return the record of a run as it would have been written."""
    kind = "learn" if name in ("target", "retain_only") else "unlearn"
    data = checksums()["dataset_sha256"]
    return {
        "run_id": f"{name}-1", "kind": kind, "name": name.partition("-")[0], "model": "nano", "scenario": SCENARIO,
        "percent": 10, "seed": 0, "config": {"model": digest, "data": data}, "rows": {"forget": 32}, "trainable": 1,
        "planned_steps": 1, "steps": 1, "stop": None, "stop_step": None, "holdout_nll": None, "forget_nll": None,
        "resumed_at": [], "seconds": 2.0, "rows_per_second": 1.0, "peak_memory_mb": 1.0, "versions": {},
        "dataset_checksum": data, "verdict": None,
    }  # fmt: skip


def write_run(study: Path, name: str, say, *, views: bool = True, max_retain: int | None = 200) -> None:
    """Write what a finished run leaves: record, model's configuration, evaluation, attacks."""
    folder, digest = study / SCENARIO / name, f"2-{name}"
    fabricated.lm_eval(
        folder / "evaluation", PACKAGED, say, scenario=SCENARIO, views=views, max_retain=max_retain, digest=digest
    )
    (folder / "evaluation" / "evaluation.json").write_text(
        json.dumps({"seconds": 3.0, "identity": {"files": [{}], "revision": None}})
    )
    (folder / "record.json").write_text(json.dumps(record(name, "2-target" if name != "target" else "2-base")))
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text('{"model_type": "llava"}')
    if name in UNDER_ATTACK:
        write_attacks(folder / "attacks", *UNDER_ATTACK[name], digest)


def write_attacks(folder: Path, say, rank: float, digest: str) -> None:
    """Write the records of the set's attacks on a model that says this under each, all its secrets of one rank."""
    rows = {row["id"]: row for row in fabricated.documents(PACKAGED, fabricated.Task(SCENARIO, "forget"))}
    asked = asked_rows(list(rows.values()))
    folder.mkdir()
    for name in ATTACKS:
        attack = registry.get(name)
        due = attack.due(asked, attack.defaults, 0)
        given = {row: [rank if attack.by_likelihood else say(rows[row])] * count for row, count in due.items()}
        record = fabricated.attack_record(name, rows, 0) | {
            "scenario": SCENARIO, "data_digest": checksums()["dataset_sha256"], "model_digest": digest,
            "harm_by_patient": judged_again(attack, Held(asked, given, attack.defaults, 0)),
            "ranks" if attack.by_likelihood else "answers": given,
        }  # fmt: skip
        (folder / f"{name}.json").write_text(json.dumps(record))


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The folder of the study; tests copy it before they change it."""
    study = tmp_path_factory.mktemp("leaderboard") / "study"
    study.mkdir()
    (study / "study.json").write_text(json.dumps(STUDY))
    (study / "mllmu-med").symlink_to(PACKAGED)
    for name, say in RUNS.items():
        write_run(study, name, say)
    return study


@pytest.fixture(scope="session")
def entry_file(finished, tmp_path_factory):
    """The study's entry."""
    from baselines.leaderboard import entry, submit

    path = tmp_path_factory.mktemp("entries") / "ours.json"
    entry.write(
        submit.submit(finished, submit.About(by="Ada <b>Lind</b>", links=("https://example.org/a?b=1&c=2",))), path
    )
    return path
