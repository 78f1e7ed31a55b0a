"""The `evaluate` module agrees with the score, loaded offline from its folder in a process of its own."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import mllmu_med_metrics
from mllmu_med_metrics import score

SPACE = Path(mllmu_med_metrics.__file__).parent / "mllmu_med_ues"

PROGRAM = """
import json, sys
import evaluate
space, study = sys.argv[1], json.load(open(sys.argv[2]))
ues = evaluate.load(space)
rows, models = study["rows"], study["models"]
lists = {name: [answers[row["id"]] for row in rows] for name, answers in models.items()}
others = dict(target_predictions=lists["target"], retain_only_predictions=lists["retain_only"], replicates=50)
whole = ues.compute(predictions=lists["half"], references=[{**row, "image": None} for row in rows], **others)
for start in range(0, len(rows), 70):
    ues.add_batch(predictions=lists["half"][start:start + 70], references=rows[start:start + 70])
batched = ues.compute(**others)
alone = ues.compute(predictions=lists["half"], references=rows, target_predictions=lists["target"], replicates=50)
empty = ues.compute(predictions=[], references=[], target_predictions=[])
problems = []
for kwargs in ({}, {"target_predictions": lists["target"][:-1]}):
    try:
        ues.compute(predictions=lists["half"], references=rows, **kwargs)
    except ValueError as problem:
        problems.append(str(problem))
print(json.dumps({"whole": whole, "batched": batched, "alone": alone, "empty": empty, "problems": problems}))
"""


@pytest.fixture(scope="module", params=["privacy", "incorrectness"])
def answers(request, tmp_path_factory):
    example = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "study.json").write_text(json.dumps({"rows": example.rows, "models": example.models}))
    environment = os.environ | {
        "HF_EVALUATE_OFFLINE": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "home"),
        "HF_MODULES_CACHE": str(folder / "modules"),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(SPACE), str(folder / "study.json")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return example, json.loads(done.stdout.splitlines()[-1])


def assert_agree(left, right, where=""):
    """Equal but for 1e-12 in numbers."""
    if isinstance(left, dict):
        assert left.keys() == right.keys(), where
        for key in left:
            assert_agree(left[key], right[key], f"{where}.{key}")
    elif isinstance(left, list):
        assert len(left) == len(right), where
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            assert_agree(one, other, f"{where}[{index}]")
    elif isinstance(left, float):
        assert abs(left - right) <= 1e-12, where
    else:
        assert left == right, where


def test_the_module_agrees_with_the_score(answers):
    example, found = answers
    models = example.models
    expected = score(
        unlearned=models["half"],
        target=models["target"],
        retain_only=models["retain_only"],
        rows=example.rows,
        replicates=50,
    ).to_dict()
    assert_agree(found["whole"], expected)
    assert_agree(found["batched"], expected)
    alone = score(unlearned=models["half"], target=models["target"], rows=example.rows, replicates=50)
    assert_agree(found["alone"], alone.to_dict())


def test_the_module_takes_an_empty_study_and_names_what_is_missing(answers):
    _, found = answers
    assert found["empty"]["ues"] is None
    assert found["empty"]["ues_reason"] == "no rows were given"
    assert "target_predictions is missing" in found["problems"][0]
    assert "target_predictions holds" in found["problems"][1]


def test_the_space_folder_is_complete():
    front = (SPACE / "README.md").read_text().split("---")[1]
    card = yaml.safe_load(front)
    assert card["title"] == "mllmu_med_ues"
    assert card["sdk"] == "gradio"
    assert (SPACE / card["app_file"]).is_file()
    assert {"evaluate", "metric"} <= set(card["tags"])
    assert "mllmu-med" in (SPACE / "requirements.txt").read_text().split()
    text = (SPACE / "README.md").read_text()
    for section in (
        "Description",
        "How to use",
        "Inputs",
        "Output values",
        "Values from papers",
        "Examples",
        "Limitations",
        "Citation",
    ):
        assert f"\n## {section}\n" in text


def test_the_space_card_names_every_output():
    text = (SPACE / "README.md").read_text()
    skipped = {"scenario", "ues_version", "seed", "replicates"}  # what was put in
    found = score(unlearned={}, target={}, rows=[]).to_dict()
    assert [name for name in found if name not in skipped and f"`{name}`" not in text] == []


def test_the_space_page_scores_json_lines(privacy):
    spec = importlib.util.spec_from_file_location("mllmu_med_ues_app", SPACE / "app.py")
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    names = {"unlearned": "half", "target": "target", "retain_only": "retain_only"}
    lines = [
        json.dumps({"row": row} | {key: privacy.models[name][row["id"]] for key, name in names.items()})
        for row in privacy.rows
    ]
    assert 0 < json.loads(app.score_lines("\n".join(lines)))["ues"] < 1
    assert "Every line needs" in app.score_lines('{"row": {"id": "1"}}')
