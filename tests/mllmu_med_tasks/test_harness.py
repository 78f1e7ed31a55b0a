import json
import os
import shutil
import subprocess
import sys

import pytest

from mllmu_med_dataset.build import build
from mllmu_med_dataset.errors import UserError
from mllmu_med_tasks import harness
from mllmu_med_tasks.names import TASKS
from mllmu_med_tasks.prompts import prompt
from tests import asking
from tests.mllmu_med_dataset.conftest import records

OWN = {
    f"mllmu_med_{scenario}_{subset}"
    for scenario in ("privacy", "request", "incorrectness")
    for subset in ("forget", "retain", "test", "holdout")
}
VIEWS = {
    f"mllmu_med_{scenario}_forget_{view}"
    for scenario in ("privacy", "request")
    for view in ("paraphrase", "image_view", "blank_image", "direct", "reconstruction", "unasked")
} | {
    "mllmu_med_incorrectness_forget_paraphrase",
    "mllmu_med_incorrectness_forget_image_view",
    "mllmu_med_incorrectness_forget_blank_image",
}
NAMES = OWN | VIEWS


def results(folder):
    (path,) = folder.glob("results_*.json")
    return json.loads(path.read_text())


def samples(folder, task):
    (path,) = folder.glob(f"samples_{task}_2*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lm_eval_finds_exactly_these_tasks():
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(harness.tasks_path()), include_defaults=False)
    assert set(manager.all_subtasks) == NAMES == set(harness.task_names(views=True)) == set(TASKS)
    assert set(harness.task_names()) == OWN
    assert manager.all_groups == ["mllmu_med"]
    # A group that matches the pattern together with its members would be an error.
    assert set(manager.match_tasks(["mllmu_med_*"])) == NAMES


def test_every_task_loads_and_the_group_holds_them_all(data_dir):
    from lm_eval.tasks import TaskManager

    metadata = {"mllmu_med_data_dir": str(data_dir)}
    manager = TaskManager(include_path=str(harness.tasks_path()), include_defaults=False, metadata=metadata)
    assert set(manager.load("mllmu_med")["tasks"]) == NAMES


def test_a_view_that_the_build_has_no_row_of_is_not_asked(lm, tmp_path):
    # Every one of these patients is asked every type of question.
    build(records(), tmp_path / "b", percents=(10,), scenarios=("privacy",))
    found = asking.run(lm, "privacy", out=tmp_path / "e", data_dir=tmp_path / "b", views=True, limit=1)
    asked = set(results(found)["results"])
    assert asked == set(harness.task_names("privacy", views=True)) - {"mllmu_med_privacy_forget_unasked"}


def test_names_of_a_scenario_come_in_the_order_of_the_subsets():
    assert harness.task_names("privacy", ["test", "forget"]) == ["mllmu_med_privacy_test", "mllmu_med_privacy_forget"]
    with pytest.raises(UserError, match="Did you mean 'incorrectness'"):
        harness.task_names("incorectness")
    assert harness.task_names("incorrectness", ["test"], views=True) == [
        "mllmu_med_incorrectness_test",
        "mllmu_med_incorrectness_forget_paraphrase",
        "mllmu_med_incorrectness_forget_image_view",
        "mllmu_med_incorrectness_forget_blank_image",
    ]


def test_some_views_can_be_named():
    assert harness.task_names("request", ["forget"], views=("direct",)) == [
        "mllmu_med_request_forget",
        "mllmu_med_request_forget_direct",
    ]
    with pytest.raises(UserError, match="Did you mean 'direct'"):
        harness.task_names("request", views=("diect",))
    with pytest.raises(UserError, match="view of incorrectness"):
        harness.task_names("incorrectness", views=("direct",))
    some, every = (harness.Questions(scenario="request", views=views).settings() for views in (("direct",), True))
    assert (some["views"], every["views"]) == (["direct"], True)


def test_an_evaluation_holds_lm_evals_own_files(evaluation):
    found = results(evaluation)
    tasks = harness.task_names("privacy")
    assert set(found["results"]) == set(tasks)
    assert found["n-samples"]["mllmu_med_privacy_retain"] == {"original": 10, "effective": 10}
    assert found["configs"][tasks[0]]["metadata"]["mllmu_med_data_sha256"]
    assert found["versions"] == dict.fromkeys(tasks, "3-A")
    assert found["chat_template_sha"] and found["task_hashes"].keys() == set(tasks)
    assert len(list(evaluation.glob("samples_*.jsonl"))) == len(tasks)
    assert {path.parent for path in evaluation.rglob("*.json*")} == {evaluation}


def test_samples_hold_the_row_the_prompt_and_no_pixels(evaluation, data_dir):
    rows = samples(evaluation, "mllmu_med_privacy_forget")
    for sample in rows:
        asked = sample["arguments"]["gen_args_0"]
        assert asked["arg_0"] == prompt(sample["doc"]["question"])
        assert asked["arg_1"]["max_gen_toks"] == 96 and asked["arg_1"]["do_sample"] is False
        assert sample["doc"]["image"] == f"image {sample['doc']['image_id']}"
        assert asked["arg_2"] == {"visual": [sample["doc"]["image"]]}
        assert {"harm", "leak", "keep"} <= set(sample["metrics"])
    assert "PIL" not in json.dumps(rows)


def test_task_means_are_the_means_of_the_rows(evaluation):
    rows = samples(evaluation, "mllmu_med_privacy_forget")
    mean = sum(sample["harm"] for sample in rows) / len(rows)
    assert results(evaluation)["results"]["mllmu_med_privacy_forget"]["harm,none"] == pytest.approx(mean)


def test_the_stock_model_of_lm_eval_gives_the_same_answers(evaluation, tiny_model, data_dir):
    from lm_eval import simple_evaluate
    from lm_eval.models.hf_vlms import HFMultimodalLM
    from lm_eval.tasks import TaskManager

    manager = TaskManager(
        include_path=str(harness.tasks_path()),
        include_defaults=False,
        metadata={"mllmu_med_data_dir": str(data_dir)},
    )
    found = simple_evaluate(
        HFMultimodalLM(str(tiny_model), device="cpu", batch_size=7),
        tasks=["mllmu_med_privacy_forget"],
        task_manager=manager,
        apply_chat_template=True,
        bootstrap_iters=0,
    )
    theirs = {one["doc"]["id"]: one["filtered_resps"] for one in found["samples"]["mllmu_med_privacy_forget"]}
    ours = {one["doc"]["id"]: one["filtered_resps"] for one in samples(evaluation, "mllmu_med_privacy_forget")}
    assert theirs == ours
    hashes = {one["doc_hash"] for one in found["samples"]["mllmu_med_privacy_forget"]}
    assert hashes == {one["doc_hash"] for one in samples(evaluation, "mllmu_med_privacy_forget")}


def test_a_model_in_memory_and_no_chat_template_give_the_same_answers(lm, evaluation, data_dir, tmp_path):
    from transformers import AutoModelForImageTextToText

    folder = lm.model.name_or_path
    model = AutoModelForImageTextToText.from_pretrained(folder)
    again = harness.wrap(model, harness.load_processor(folder), batch_size=3)
    # The tiny model's template renders the plain prompt, so with and without it the same is asked.
    out = asking.run(
        again, "privacy", subsets=["holdout"], out=tmp_path / "e", data_dir=data_dir, apply_chat_template=False
    )
    mine = [(one["doc_hash"], one["prompt_hash"], one["resps"]) for one in samples(out, "mllmu_med_privacy_holdout")]
    theirs = samples(evaluation, "mllmu_med_privacy_holdout")
    assert mine == [(one["doc_hash"], one["prompt_hash"], one["resps"]) for one in theirs]
    assert results(out)["chat_template_sha"] is None


def test_progress_counts_every_row_and_nothing_is_printed(lm, data_dir, tmp_path, capfd):
    told = []
    asking.run(
        lm,
        "privacy",
        subsets=["forget", "holdout"],
        out=tmp_path / "e",
        data_dir=data_dir,
        progress=lambda done, total: told.append((done, total)),
    )
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert {total for _, total in told} == {len(told)}
    assert capfd.readouterr() == ("", "")


def test_two_models_are_asked_the_same_documents(lm, data_dir, tmp_path):
    from tests.tiny_model import make_tiny_model

    other = harness.open_model(make_tiny_model(tmp_path / "other", seed=1), batch_size=16, device="cpu")
    options = {"data_dir": data_dir, "subsets": ["forget", "holdout"], "views": True, "limit": 2}
    seen = []
    for number, model in enumerate((lm, other)):
        out = asking.run(model, "privacy", out=tmp_path / str(number), **options)
        found = results(out)
        asked = [one for name in sorted(found["results"]) for one in samples(out, name)]
        hashes = [(one["doc_hash"], one["prompt_hash"], one["target_hash"]) for one in asked]
        seen.append((found["task_hashes"], hashes, [one["filtered_resps"] for one in asked]))
    assert seen[0][:2] == seen[1][:2] and seen[0][2] != seen[1][2]
    assert len(seen[0][0]) == 8


def test_a_limit_is_marked_in_the_result(lm, data_dir, tmp_path):
    out = asking.run(lm, "privacy", subsets=["test"], out=tmp_path / "e", data_dir=data_dir, limit=3)
    assert results(out)["n-samples"]["mllmu_med_privacy_test"]["effective"] == 3
    assert results(out)["config"]["limit"] == 3


def test_nothing_is_left_where_a_run_fails(lm, data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(type(lm), "generate_until", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        asking.run(lm, "privacy", subsets=["forget"], out=tmp_path / "new" / "e", data_dir=data_dir)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_failed_write_of_lm_eval_is_not_a_finished_evaluation(lm, data_dir, tmp_path, monkeypatch):
    from lm_eval.loggers import EvaluationTracker

    monkeypatch.setattr(EvaluationTracker, "save_results_samples", lambda *_, **__: None)
    with pytest.raises(OSError, match="could not write"):
        asking.run(lm, "privacy", subsets=["forget"], out=tmp_path / "e", data_dir=data_dir)
    assert not (tmp_path / "e").exists()


def test_an_output_folder_in_use_is_refused(lm, data_dir, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="in use"):
        asking.run(lm, "privacy", out=tmp_path, data_dir=data_dir)


def test_a_folder_that_is_no_build_is_refused(lm, tmp_path):
    with pytest.raises(UserError, match=r"checksums\.json"):
        asking.run(lm, "privacy", out=tmp_path / "e", data_dir=tmp_path)


@pytest.fixture
def stripped(tiny_model, tmp_path):
    return shutil.copytree(tiny_model, tmp_path / "model")


def test_a_model_without_a_chat_template_is_refused_by_name(stripped, data_dir, tmp_path):
    (stripped / "chat_template.jinja").unlink()
    with pytest.raises(UserError, match="no chat template"):
        asking.run(stripped, "privacy", out=tmp_path / "e", data_dir=data_dir, device="cpu")


def test_a_model_without_an_image_processor_is_refused_by_name(stripped, data_dir, tmp_path):
    for path in [*stripped.glob("processor_config.json"), *stripped.glob("preprocessor_config.json")]:
        path.unlink()
    with pytest.raises(UserError, match="processor"):
        asking.run(stripped, "privacy", out=tmp_path / "e", data_dir=data_dir, device="cpu")


def test_a_text_model_is_refused_by_name(stripped, data_dir, tmp_path):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(stripped)
    text = tmp_path / "text"
    tokenizer.save_pretrained(text)
    (text / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(UserError, match="processor"):
        asking.run(text, "privacy", out=tmp_path / "e", data_dir=data_dir, device="cpu")


@pytest.mark.slow
def test_the_literal_command_writes_what_the_score_reads(evaluation, tiny_model, data_dir, tmp_path):
    from mllmu_med_tasks import scores

    command = [
        *(sys.executable, "-m", "lm_eval", "--model", "hf-multimodal", "--model_args", f"pretrained={tiny_model}"),
        *("--tasks", "mllmu_med_privacy_*", "--include_path", str(harness.tasks_path()), "--apply_chat_template"),
        *("--metadata", json.dumps({"mllmu_med_data_dir": str(data_dir), "mllmu_med_max_retain": 10})),
        *("--batch_size", "16", "--device", "cpu", "--log_samples", "--output_path", str(tmp_path / "out")),
    ]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    # The pattern names the views too, which the evaluation was not asked.
    theirs, ours = scores.read(tmp_path / "out").without_views(), scores.read(evaluation)
    assert theirs.predictions == ours.predictions
    scores.check_comparable([ours, theirs])
