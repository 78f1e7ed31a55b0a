"""The tasks of the second harness: the same words and pictures as in lm-eval, and keys that it accepts."""

import importlib.util
import re
import sys

import datasets
import pytest
import yaml

from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import load
from mllmu_med_metrics.vocabulary import BUILT
from mllmu_med_tasks import harness, lmms_rows
from mllmu_med_tasks import task_documents as rows
from mllmu_med_tasks.names import TASKS
from mllmu_med_tasks.prompts import PLACEHOLDER, messages

FOLDER = harness.tasks_path(lmms=True)
# The fields of a task in lmms-eval 0.7.3 (`TaskConfig`), which refuses any other.
ACCEPTED = {
    "task", "task_alias", "tag", "group", "group_alias", "dataset_path", "dataset_name", "dataset_kwargs",
    "training_split", "validation_split", "test_split", "fewshot_split", "full_docs", "process_results_use_image",
    "process_docs", "doc_to_visual", "doc_to_text", "doc_to_target", "doc_to_choice", "doc_to_messages",
    "process_results", "use_prompt", "description", "target_delimiter", "fewshot_delimiter", "fewshot_config",
    "num_fewshot", "metric_list", "output_type", "generation_kwargs", "repeats", "filter_list",
    "should_decontaminate", "doc_to_decontamination_query", "cluster_key", "score_key", "metadata",
    "lmms_eval_specific_kwargs", "model_specific_generation_kwargs", "model_specific_target_kwargs",
    "reasoning_tags", "auto_strip_thinking",
}  # fmt: skip


class Loader(yaml.SafeLoader):
    """Reads ``!function`` as the function's name."""


Loader.add_constructor("!function", lambda loader, node: node.value)


def read(path):
    config = yaml.load(path.read_text(), Loader)
    included = config.pop("include", None)
    return {**(read(FOLDER / included) if included else {}), **config}


@pytest.fixture
def installed(data_dir, monkeypatch):
    """Loading by name gives the small build, as after an install of it."""
    by_name = datasets.load_dataset
    monkeypatch.setattr(
        datasets,
        "load_dataset",
        lambda name, config, split: (
            load(config, split=split, data_dir=data_dir) if name == "mllmu-med" else by_name(name)
        ),
    )
    lmms_rows._forget_direct.cache_clear()
    lmms_rows._kinds.cache_clear()
    yield
    lmms_rows._forget_direct.cache_clear()
    lmms_rows._kinds.cache_clear()


def test_there_is_a_file_for_exactly_every_task():
    found = {read(path).get("task") for path in FOLDER.glob("mllmu_med_*.yaml")}
    assert found == set(TASKS)
    grouped = [name for name, task in TASKS.items() if task.scenario in BUILT]
    assert read(FOLDER / "mllmu_med.yaml") == {"group": "mllmu_med", "task": grouped}


def test_every_file_holds_keys_that_the_harness_accepts_and_functions_that_there_are():
    spec = importlib.util.spec_from_file_location("lmms_utils", FOLDER / "utils.py")
    functions = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(functions)
    for name, task in TASKS.items():
        config = read(FOLDER / f"{name}.yaml")
        assert set(config) <= ACCEPTED, name
        assert (config["dataset_path"], config["dataset_name"]) == ("mllmu-med", task.config())
        assert config["test_split"] == task.split
        named = [value for value in config.values() if isinstance(value, str) and value.startswith("utils.")]
        named += [metric["aggregation"] for metric in config["metric_list"] if metric["aggregation"] != "mean"]
        assert len(named) > 4
        assert all(callable(getattr(functions, one.removeprefix("utils."))) for one in named)


def test_both_harnesses_have_the_same_metrics_version_and_decoding():
    ours = yaml.load((harness.tasks_path() / "_mllmu_med").read_text(), Loader)
    theirs = read(FOLDER / "_mllmu_med")
    for key in ("metric_list", "metadata", "num_fewshot", "target_delimiter", "output_type"):
        assert ours[key] == theirs[key], key
    decoding = dict(theirs["generation_kwargs"])
    # The one setting that goes by another name there.
    decoding["max_gen_toks"] = decoding.pop("max_new_tokens")
    decoding["max_new_tokens"] = None  # in lm-eval the setting of generate itself, which would win over max_gen_toks
    assert decoding == ours["generation_kwargs"]


def test_both_harnesses_see_the_same_words_and_pictures(data_dir):
    for task in TASKS.values():
        ours = rows.load(*task, mllmu_med_data_dir=str(data_dir))["rows"]
        theirs = load(task.config(), split=task.split, data_dir=data_dir)
        assert len(ours) == len(theirs)
        for place, (mine, doc) in enumerate(zip(ours, theirs, strict=True)):
            text = lmms_rows.doc_to_text(doc)
            assert rows.doc_to_text(mine) == PLACEHOLDER + text and PLACEHOLDER not in text
            assert rows.doc_to_target(mine) == lmms_rows.doc_to_target(doc)
            if place < 5:
                (shown,), (picture,) = rows.doc_to_image(mine), lmms_rows.doc_to_visual(doc)
                assert (shown.mode, shown.size) == (picture.mode, picture.size)
                assert shown.tobytes() == picture.tobytes()


def test_the_other_harness_makes_the_same_chat_form():
    # `_auto_doc_to_messages` there: the visuals in order, then the text, in one turn of the user.
    (turn,) = messages("Which organ?")
    assert [part["type"] for part in turn["content"]] == ["image", "text"]


def test_both_harnesses_give_an_answer_the_same_values(installed, data_dir):
    for task in TASKS.values():
        ours = rows.load(*task, mllmu_med_data_dir=str(data_dir))["rows"][:3]
        theirs = load(task.config(), split=task.split, data_dir=data_dir).remove_columns(["image"]).to_list()[:3]
        for mine, doc in zip(ours, theirs, strict=True):
            for answer in (doc["answer"], doc["true_answer"], "I can't tell."):
                values = rows.process_results(mine, [answer])
                # One rule for what counts: the first line that is shown, whatever stands around it.
                for said in (answer + "\nand more", f"<think>\n{doc['answer']}\n</think>\n\n{answer}\nand more"):
                    for results in ([said], [[said]]):
                        told = lmms_rows.process_results(doc, results)
                        assert told.pop("row") == doc
                        assert told == rows.process_results(mine, [said]) == values


def test_a_row_without_pixels_is_refused(data_dir):
    doc = {**load("privacy_forget", data_dir=data_dir)[0], "image": None, "license": "all rights reserved"}
    with pytest.raises(UserError, match="all rights reserved"):
        lmms_rows.doc_to_visual(doc)


def test_the_command_prints_either_folder(capsys):
    from baselines import cli

    for more, folder in (([], harness.tasks_path()), (["--lmms"], FOLDER)):
        with pytest.raises(SystemExit):
            cli.main(["tasks", "path", *more])
        assert capsys.readouterr().out.strip() == str(folder)
    assert re.search(r"lmms_eval$", str(FOLDER)) and "lmms_eval" not in sys.modules
