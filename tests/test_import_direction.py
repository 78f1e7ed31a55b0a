"""Imports flow one way, and the check can fail."""

from tests.import_direction import violations


def test_imports_flow_one_way():
    assert violations() == []


def test_an_import_against_the_direction_is_found(tmp_path):
    (tmp_path / "mllmu_med_metrics").mkdir()
    (tmp_path / "mllmu_med_metrics" / "bad.py").write_text("import torch\nfrom baselines import learn\n")
    assert violations(tmp_path) == [
        "mllmu_med_metrics/bad.py imports baselines",
        "mllmu_med_metrics/bad.py imports torch",
    ]
