"""A folder of an installed name in the working folder is told by `doctor` and by `install`."""

import json
import os
import subprocess
import sys

import pytest

from baselines import cli, doctor
from mllmu_med_dataset import install as installer
from mllmu_med_dataset.publishing.shadows import shadows
from tests.conftest import LIGHT_EVALUATE


def test_an_ordinary_folder_shadows_nothing(tmp_path):
    (tmp_path / "mllmu_med_ues").mkdir()  # without the module in it, the library passes it over
    (tmp_path / "mllmu-med").write_text("a file")
    (tmp_path / "mllmu_med_dataset").mkdir()
    assert shadows(tmp_path, ["mllmu_med_privacy_forget"]) == []


def test_each_folder_that_stands_before_a_name_is_told_with_what_it_does(tmp_path):
    (tmp_path / "mllmu-med" / "eval").mkdir(parents=True)
    (tmp_path / "mllmu_med_ues").mkdir()
    (tmp_path / "mllmu_med_ues" / "mllmu_med_ues.py").touch()
    (tmp_path / "mllmu_med").mkdir()
    (tmp_path / "mllmu_med_privacy_forget").mkdir()
    data, metric, group, task = shadows(tmp_path, ["mllmu_med_privacy_forget", "mllmu_med_privacy_test"])
    assert "finds no data set in it and fails" in data and f"rename '{tmp_path / 'mllmu-med'}'" in data
    assert "reads the module in it" in metric
    assert "--tasks mllmu_med looks" in group and "--tasks mllmu_med_privacy_forget looks" in task
    (tmp_path / "mllmu-med" / "checksums.json").touch()
    assert "reads the build in it" in shadows(tmp_path)[0]


def test_doctor_says_it_and_ends_with_1(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(installer, "_home", lambda: tmp_path / "hf")
    monkeypatch.setattr(installer, "_datasets_cache", lambda: tmp_path / "hf" / "datasets")
    monkeypatch.setattr(installer, "_stub_folder", lambda: None)
    monkeypatch.setattr(installer, "_metric_folder", lambda: tmp_path / "hf" / "metric")
    monkeypatch.setattr(doctor, "PARTS", {})
    monkeypatch.chdir(tmp_path)

    def examined():
        with pytest.raises(SystemExit) as ended:
            cli.main(["doctor", "--json"])
        return ended.value.code or 0, {item["name"]: item for item in json.loads(capsys.readouterr().out)}

    code, items = examined()
    assert code == 0 and items["names in this folder"]["ok"]
    (tmp_path / "mllmu-med").mkdir()
    code, items = examined()
    assert code == 1 and not items["names in this folder"]["ok"]
    assert "rename" in items["names in this folder"]["says"]


def test_what_is_said_of_a_folder_is_what_the_libraries_do(tmp_path):
    (tmp_path / "mllmu-med").mkdir()
    (tmp_path / "mllmu_med_ues").mkdir()
    (tmp_path / "mllmu_med_ues" / "mllmu_med_ues.py").write_text("raise RuntimeError('read')\n")
    code = f"""{LIGHT_EVALUATE}
import datasets, evaluate
for load in (lambda: datasets.load_dataset("mllmu-med", "privacy_forget"), lambda: evaluate.load("mllmu_med_ues")):
    try:
        load()
    except Exception as error:
        print(type(error).__name__)
"""
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["EmptyDatasetError", "RuntimeError"]
