"""The default study, whole: `mllmu-med bench` as the README runs it, and what it must show."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from baselines.study.report_rows import ROW_FIELDS
from baselines.study.study import METHODS, UNLEARNING_SEEDS
from mllmu_med_dataset import load

pytestmark = pytest.mark.slow
ENVIRONMENT = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1"}
MLLMU_MED = [sys.executable, "-m", "baselines.cli"]
MEASURED = ("seconds", "peak_memory_mb")


def bench(out) -> dict:
    done = subprocess.run(
        [*MLLMU_MED, "bench", "--out", out], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((out / "report.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return tmp_path_factory.mktemp("study") / "bench"


@pytest.fixture(scope="module")
def report(study):
    return bench(study)


@pytest.fixture(scope="module")
def rows(report):
    return {(row["scenario"], row["model"]): row for row in report["rows"]}


def test_the_study_is_large_enough(rows):
    for scenario in ("privacy", "incorrectness"):
        row = rows[scenario, "target"]
        assert row["n_forget_patients"] >= 16
        assert row["n_test"] >= 200
        forget = load(f"{scenario}_forget")
        assert min(Counter(forget["patient_id"]).values()) >= 2
    kinds = Counter(item["kind"] for phi in load("privacy_forget")["phi"] for item in phi)
    assert len(kinds) >= 4
    assert {"record", "ssn", "account", "plan", "device"} & set(kinds)  # 7 or 8 random digits each


def test_target_and_gold_know_what_they_should(rows, report):
    assert rows["privacy", "target"]["leak_rate"] >= 0.90
    assert rows["privacy", "retain_only"]["leak_rate"] <= 0.02
    assert rows["incorrectness", "target"]["wrong_agreement"] >= 0.90
    assert rows["incorrectness", "retain_only"]["wrong_agreement"] <= 0.25
    for scenario in ("privacy", "incorrectness"):
        assert rows[scenario, "target"]["ues"] == 0
        assert rows[scenario, "retain_only"]["ues"] == 1
        for model in ("target", "retain_only"):
            assert rows[scenario, model]["keep_test"] >= 0.85
    for control in report["controls"]["privacy"].values():
        assert control["leak_rate"] <= 0.10


def test_the_methods_work_and_differ(rows):
    for scenario in ("privacy", "incorrectness"):
        found = [rows[scenario, method] for method in METHODS]
        assert sum(row["verdict"] == "ok" and 0.05 < row["ues"] < 0.99 for row in found) >= 3
        assert "no-effect" not in {row["verdict"] for row in found}
        assert len({row["ues"] for row in found}) == len(METHODS)
        assert all(row["ues_strict"] <= row["ues"] for row in found)
        assert all(len(row["by_run"]) == UNLEARNING_SEEDS and row["letters"] for row in found)
        assert all(row["covers"] == "given this target" for row in found)


def test_score_and_the_evaluate_module_agree_on_every_method(study, rows):
    import evaluate

    import mllmu_med_metrics.mllmu_med_ues
    from mllmu_med_tasks import scores

    module = evaluate.load(mllmu_med_metrics.mllmu_med_ues.__path__[0])
    for scenario in ("privacy", "incorrectness"):
        names = ("target", "retain_only", *METHODS)
        folders = {name: study / scenario / name / "evaluation" for name in names}
        read = {name: scores.read(folder) for name, folder in folders.items()}
        asked = [{key: value for key, value in row.items() if key != "image"} for row in read["target"].rows]
        said = {name: [one.predictions[row["id"]] for row in asked] for name, one in read.items()}
        for method in METHODS:
            scored = scores.score(
                unlearned=folders[method], target=folders["target"], retain_only=folders["retain_only"]
            ).to_dict()
            computed = module.compute(
                predictions=said[method],
                references=asked,
                target_predictions=said["target"],
                retain_only_predictions=said["retain_only"],
            )
            for field in ("ues", "ues_low", "ues_high", "ues_strict", "f", "r", "t", "k", "harm", "keep_test"):
                assert abs(computed[field] - scored[field]) < 1e-12, (method, field)
                own = rows[scenario, method]["by_run"][0]
                assert abs(own.get(field, scored[field]) - scored[field]) < 1e-12, (method, field)


def test_the_literal_lm_eval_call_finds_the_targets_leak(study, rows, tmp_path):
    environment = {**ENVIRONMENT, "HF_HOME": str(tmp_path / "home")}
    subprocess.run([*MLLMU_MED, "install"], env=environment, check=True, capture_output=True)
    try:
        command = [
            "lm_eval",
            "--model",
            "hf-multimodal",
            "--model_args",
            f"pretrained={study / 'privacy/target/model'}",
        ]
        command += ["--tasks", "mllmu_med_privacy_forget", "--output_path", str(tmp_path / "results")]
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
    finally:
        subprocess.run([*MLLMU_MED, "install", "--undo"], env=environment, check=True, capture_output=True)
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = (tmp_path / "results").rglob("results_*.json")
    leak = json.loads(path.read_text())["results"]["mllmu_med_privacy_forget"]["leak,none"]
    assert abs(leak - rows["privacy", "target"]["leak_rate"]) <= 0.02


def test_the_same_seed_gives_the_same_report(report, tmp_path):
    again = bench(tmp_path / "again")
    fields = [field for field in ROW_FIELDS if field not in MEASURED]
    for one, other in zip(report["rows"], again["rows"], strict=True):
        assert {field: one[field] for field in fields} == {field: other[field] for field in fields}
    for key in ("controls", "config", "versions", "dataset_checksum", "seed"):
        assert report[key] == again[key]
