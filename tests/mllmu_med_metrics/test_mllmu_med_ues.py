"""The `evaluate` module agrees with the score, loaded offline from its folder in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import mllmu_med_metrics
from mllmu_med_metrics import score
from mllmu_med_metrics.scoring.attacked import harm_by_patient
from mllmu_med_metrics.vocabulary import ATTACKS
from tests.conftest import LIGHT_EVALUATE

SPACE = Path(mllmu_med_metrics.__file__).parent / "mllmu_med_ues"

PROGRAM = (
    LIGHT_EVALUATE
    + """
import copy, doctest, json, sys
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
def changed(**columns):
    return {"references": [{**rows[0], **columns}, *rows[1:]]}
def forget(**columns):
    place = next(i for i, row in enumerate(rows) if row["subset"] == "forget")
    return {"references": [{**row, **columns} if i == place else row for i, row in enumerate(rows)]}
half, target = lists["half"], lists["target"]
# Under attack: answers by id, in order with None for what is not asked, several to a row; harms where there are none.
forget_ids = [row["id"] for row in rows if row["subset"] == "forget"]
roles = {"unlearned": "half", "target": "target", "retain_only": "retain_only"}
by_id = {role: {one: models[name][one] for one in forget_ids} for role, name in roles.items()}
in_order = {role: [models[name][row["id"]] if row["id"] in forget_ids else None for row in rows]
            for role, name in roles.items()}
sampled = {role: {one: [text, "", ""] for one, text in answers.items()} for role, answers in by_id.items()}
attack_predictions = {"relearn_few": by_id, "relearn_holdout": in_order, "relearn_retain": by_id, "prefix": by_id,
                      "quantise": by_id, "sample": sampled}
patients = sorted({row["patient_id"] for row in rows if row["subset"] == "forget"})
attack_harms = {"exposure": {role: dict.fromkeys(patients, harm) for role, harm in
                             (("unlearned", 0.75), ("target", 1.0), ("retain_only", 0.5))}}
attacks = dict(attack_predictions=attack_predictions, attack_harms=attack_harms)
attacked = ues.compute(predictions=lists["half"], references=rows, **others, **attacks)
faults = {
    "no target": {"target_predictions": None},
    "a short target": {"target_predictions": target[:-1]},
    "a long target": {"target_predictions": [*target, "x"]},
    "a target of ids": {"target_predictions": models["target"]},
    "a target of text": {"target_predictions": "It is the liver."},
    "a target of null": {"target_predictions": [None, *target[1:]]},
    "a target of numbers": {"target_predictions": [7, *target[1:]]},
    "a short gold": {"retain_only_predictions": target[1:]},
    "a gold of lists": {"retain_only_predictions": [["x"]] * len(target)},
    "a short base": {"base_predictions": []},
    "too few predictions": {"predictions": half[:-1]},
    "too many predictions": {"predictions": [*half, "x"]},
    "predictions of null": {"predictions": [None, *half[1:]]},
    "predictions of numbers": {"predictions": [*half[:-1], 3.5]},
    "predictions of lists": {"predictions": [[answer] for answer in half]},
    "predictions of bytes": {"predictions": [b"x", *half[1:]]},
    "predictions by id": {"predictions": models["half"]},
    "predictions of one text": {"predictions": "It is the liver."},
    "no predictions": {"predictions": None},
    "no references": {"references": None},
    "references of texts": {"references": [row["true_answer"] for row in rows]},
    "references by id": {"references": {row["id"]: row for row in rows}},
    "references by column": {"references": {name: [row[name] for row in rows] for name in rows[0]}},
    "a row twice": {"references": [rows[1], *rows[1:]]},
    "a row without id": changed(id=None),
    "a row with a number as id": changed(id=7),
    "a row without question": {"references": [{k: v for k, v in rows[0].items() if k != "question"}, *rows[1:]]},
    "a row without true answer": changed(true_answer=None),
    "another subset": changed(subset="train"),
    "another scenario": {"references": [{**row, "scenario": "safety"} for row in rows]},
    "both scenarios": {"references": [{**row, "scenario": ("privacy", "incorrectness")[i % 2], "phi": [{"kind": "name",
        "value": "Ada Lee"}], "wrong_fact": "x", "fact": "y"} for i, row in enumerate(rows)]},
    "another view": forget(view="mirror"),
    "a fact that is a number": changed(fact=7),
    "a fact that is a list": changed(fact=["liver"]),
    "values that are one text": changed(fact_values="liver, lung"),
    "values that are numbers": changed(fact_values=[1, 2]),
    "identifiers that are one text": forget(phi="Ada Lee"),
    "an identifier that is text": forget(phi=["Ada Lee"]),
    "an identifier without kind": forget(phi=[{"value": "Ada Lee"}]),
    "an identifier without value": forget(phi=[{"kind": "name"}]),
    "an identifier that is null": forget(phi=[{"kind": "name", "value": None}]),
    "distractors of a mapping": forget(distractors={"kind": "name", "value": "Ada Lee"}),
    "nothing to forget": forget(phi=[], fact=None, wrong_fact=None),
    "fewer than no replicates": {"replicates": -1},
    "half a replicate": {"replicates": 0.5},
    "a seed that is text": {"bootstrap_seed": "0"},
    "a seed below 0": {"bootstrap_seed": -3},
    "attacks of a list": {"attack_predictions": [by_id]},
    "an attack of a list": {"attack_predictions": {"prefix": [half]}},
    "attack harms of a list": {"attack_harms": [1]},
    "an attack twice": {"attack_harms": {"prefix": attack_harms["exposure"]}, "attack_predictions": {"prefix": by_id}},
    "an attack of another row": {"attack_predictions": {"prefix": {"target": {"nowhere": ""}}}},
    "an attack of other rows": {"attack_predictions": {
        "prefix": by_id | {"target": dict([*by_id["target"].items()][1:])}}},
    "a short attack": {"attack_predictions": {"prefix": {"target": in_order["target"][1:]}}},
    "an attack of clean rows": {"attack_predictions": {"prefix": {"target": {next(
        row["id"] for row in rows if row["subset"] == "test"): ""}}}},
    "an attack of numbers": {"attack_predictions": {"prefix": {"target": by_id["target"] | {forget_ids[0]: 3}}}},
    "an attack without answers": {"attack_predictions": {"prefix": {}}},
    "attack harms above 1": {"attack_harms": {"exposure": {"target": dict.fromkeys(patients, 1.5)}}},
    "attack harms of strangers": {"attack_harms": {"exposure": {"target": {"nobody": 0.5}}}},
    "attacks in version 1": {"attack_harms": attack_harms, "ues_version": 1},
}
usual = dict(predictions=half, references=rows, target_predictions=target, replicates=5)
problems = {}
for name, fault in faults.items():
    try:
        ues.compute(**{**usual, **copy.deepcopy(fault)})
        problems[name] = ""
    except ValueError as problem:
        problems[name] = str(problem)
after = ues.compute(**usual | {"replicates": 50})
told = doctest.DocTestRunner(verbose=False)
told.run(doctest.DocTestParser().get_doctest(ues.inputs_description, {}, "module", None, 0), out=sys.stderr.write)
print(json.dumps({"whole": whole, "batched": batched, "alone": alone, "empty": empty, "problems": problems,
                  "attacked": attacked, "after": after, "doctests": [told.failures, told.tries]}))
"""
)


@pytest.fixture(scope="module", params=["privacy", "incorrectness"])
def answers(request, tmp_path_factory):
    example = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "mllmu_med_ues").symlink_to(SPACE)  # the literal load of the module's example
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


def test_answers_under_attack_are_judged_and_harms_taken(answers):
    example, found = answers
    forget = [row for row in example.rows if row["subset"] == "forget"]
    roles = {"unlearned": "half", "target": "target", "retain_only": "retain_only"}
    said = {role: {row["id"]: example.models[name][row["id"]] for row in forget} for role, name in roles.items()}
    told = {role: harm_by_patient(forget, one) for role, one in said.items()}
    # One of three samples tells it, all three are drawn: as the single answer.
    attacks = dict.fromkeys(ATTACKS, told)
    patients = sorted({row["patient_id"] for row in forget})
    levels = {"unlearned": 0.75, "target": 1.0, "retain_only": 0.5}
    attacks["exposure"] = {role: dict.fromkeys(patients, harm) for role, harm in levels.items()}
    models = {role: example.models[name] for role, name in roles.items()}
    expected = score(**models, rows=example.rows, attacks=attacks, replicates=50)
    assert_agree(found["attacked"], expected.to_dict())
    assert expected.attacks["exposure"]["f"] == 0.5 and expected.attack_set == "A1"
    assert expected.ues_robust <= expected.ues_strict


def test_the_module_takes_an_empty_study_and_names_what_is_missing(answers):
    _, found = answers
    assert found["empty"]["ues"] is None
    assert found["empty"]["ues_reason"] == "no rows were given"
    problems = found["problems"]
    assert "target_predictions is missing" in problems["no target"]
    assert "target_predictions holds" in problems["a short target"]


def test_malformed_inputs_of_the_module_are_refused_in_a_paragraph(answers):
    _, found = answers
    problems = found["problems"]
    assert len(problems) >= 40
    print(f"\n{len(problems)} malformed inputs of compute()")
    for name, told in problems.items():
        assert len(told) > 40 and "\n" not in told.strip(), (name, told)
    assert "twice" not in problems["a row twice"] and "Two references have the id" in problems["a row twice"]
    assert "predictions[0] is NoneType (None), not text" in problems["predictions of null"]
    assert "references is dict, not a list" in problems["references by column"]
    # A module that refused is no worse for it.
    assert_agree(found["after"], found["alone"])


def test_the_example_of_the_module_comes_out_as_it_says(answers):
    _, found = answers
    failures, tries = found["doctests"]
    assert failures == 0 and tries >= 10


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
