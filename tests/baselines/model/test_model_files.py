"""A model is named by the content of what decides its answers: all of that, nothing else, wherever the folder is."""

import json
import os
import shutil

import pytest

from baselines import cli
from baselines.evaluation.likelihood import LIKELIHOOD
from baselines.model import model_files, models
from baselines.run.run_folder import CONFIG, RunFolder
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.record import canonical_json
from tests.asking import evaluate

DECIDES = (
    "model.safetensors", "model-00001-of-00002.safetensors", "model.safetensors.index.json", "config.json",
    "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "spiece.model", "sentencepiece.bpe.model",
    "qwen.tiktoken", "tekken.json", "processor_config.json", "preprocessor_config.json",
    "video_preprocessor_config.json", "chat_template.jinja", "chat_template.json",
    "additional_chat_templates/tools.jinja", "modeling_llava.py", "custom_generate/generate.py", "adapter_config.json",
    "adapter_model.safetensors", "quantization_config.json",
)  # fmt: skip
DOES_NOT = (
    "README.md", "LICENSE", "notes.txt", ".gitattributes", ".git/config.json", ".cache/huggingface/config.json",
    "optimizer.pt", "optimizer.safetensors", "scheduler.pt", "rng_state.pth", "trainer_state.json",
    "training_args.bin", "train_results.json", "eval_results.json", "accuracy.json", "training_config.json",
    "events.out.tfevents.1", "runs/config.json", "checkpoint-10/model.safetensors", "checkpoint-10/config.json",
    "wandb/config.json", "zero_to_fp32.py", "global_step10/optimizer.safetensors", "figure.png", "model.onnx",
    "config.json.bak", "tokenizer.json.bak", "ds_config.json", "training.log", ".DS_Store", "__pycache__/a.pyc",
    "pytorch_model.bin", "additional_chat_templates/.DS_Store",
)  # fmt: skip


@pytest.fixture
def folder(tiny_model, tmp_path):
    """A copy of the tiny model that a test may change."""
    return shutil.copytree(tiny_model, tmp_path / "model")


def change(path):
    """Change a file in a way that may change an answer."""
    text = path.read_text()
    path.write_text(json.dumps(json.loads(text) | {"changed": 1}) if path.name.endswith("config.json") else text + " ")


def put(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize("name", DECIDES)
def test_what_decides_an_answer_names_the_model(tmp_path, name):
    put(tmp_path, "config.json", b"{}")
    before = model_files.contents(tmp_path)
    put(tmp_path, name, b'{"a": 1}')
    added = model_files.contents(tmp_path)
    put(tmp_path, name, b'{"a": 2}')
    changed = model_files.contents(tmp_path)
    assert name in added and before != added != changed != before


@pytest.mark.parametrize("name", ["tokenizer_config.json", "config.json", "adapter_config.json"])
def test_what_a_configuration_says_of_its_place_does_not(tmp_path, name):
    """transformers writes into a tokenizer's configuration whether it was offline when it saved."""
    found = []
    for place in ('"local_files_only": true, "_name_or_path": "/here"', '"local_files_only": false'):
        put(tmp_path, name, f'{{"a": 1, {place}}}'.encode())
        found.append(model_files.contents(tmp_path))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", DOES_NOT)
def test_what_only_tells_of_a_model_or_trained_it_does_not(tmp_path, name):
    put(tmp_path, "config.json", b"{}")
    before = model_files.contents(tmp_path)
    put(tmp_path, name, b'{"a": 1}')
    assert model_files.contents(tmp_path) == before == {"config.json": before["config.json"]}


@pytest.mark.parametrize("name", ["chat_template.jinja", "tokenizer.json", "processor_config.json"])
def test_another_template_tokenizer_or_processor_is_another_model(folder, tiny_model, name):
    assert models.digest(folder) == models.digest(tiny_model)  # a copy is the same model
    change(folder / name)
    assert models.digest(folder) != models.digest(tiny_model)


def test_a_change_that_keeps_size_and_time_is_seen(folder):
    path = folder / "chat_template.jinja"
    before, state = models.digest(folder), path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert path.stat().st_size == state.st_size and models.digest(folder) != before


def test_a_large_file_is_read_once(folder, monkeypatch):
    before = models.digest(folder)
    monkeypatch.setattr(model_files.hashlib, "file_digest", lambda *_: 1 / 0)
    assert models.digest(folder) == before


def test_links_count_by_what_they_point_at(folder, tmp_path):
    before = models.digest(folder)
    stored = shutil.move(folder / "model.safetensors", tmp_path / "blob")
    (folder / "model.safetensors").symlink_to(stored)
    assert models.digest(folder) == before
    (tmp_path / "blob").unlink()
    with pytest.raises(UserError, match=r"model\.safetensors can't be read"):
        models.digest(folder)


@pytest.fixture
def adapter(folder, tmp_path):
    """An adapter folder that names the tiny model's copy as its base."""
    put(
        tmp_path,
        "run/adapter/adapter_config.json",
        json.dumps({"base_model_name_or_path": str(folder), "r": 4}).encode(),
    )
    put(tmp_path, "run/adapter/adapter_model.safetensors", b"weights")
    return tmp_path / "run" / "adapter"


def test_an_adapter_counts_with_its_base_wherever_that_is(adapter, folder, tmp_path):
    before = models.digest(adapter)
    assert before == models.digest(folder, peft=adapter) != models.digest(folder)
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    put(adapter, "adapter_config.json", json.dumps({"r": 4, "base_model_name_or_path": str(moved)}).encode())
    assert models.digest(adapter) == before
    (moved / "chat_template.jinja").write_text("another")
    assert models.digest(adapter) != before
    put(adapter, "adapter_config.json", json.dumps({"r": 8, "base_model_name_or_path": str(folder)}).encode())
    assert models.digest(adapter) != before


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ("{", "names no base model"),
        ("[]", "names no base model"),
        ('{"r": 4}', "names no base model"),
        ('{"base_model_name_or_path": null}', "names no base model"),
        ('{"base_model_name_or_path": "nowhere at all"}', "neither a hub id nor a run"),
        ('{"base_model_name_or_path": "ITSELF"}', "names itself as its base"),
    ],
)
def test_an_adapter_without_a_base_is_told_in_a_paragraph(adapter, data_dir, tmp_path, capsys, settings, part):
    put(adapter, "adapter_config.json", settings.replace("ITSELF", str(adapter)).encode())
    with pytest.raises(UserError, match=part):
        models.digest(adapter)
    with pytest.raises(SystemExit) as ended:
        arguments = ("--model", adapter, "--data", data_dir, "--scenario", "privacy", "--out", tmp_path / "e")
        cli.main(["evaluate", *map(str, arguments)])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and "Traceback" not in said and not (tmp_path / "e").exists()


def test_settings_of_an_adapter_left_beside_a_whole_model_are_no_fault(folder):
    put(folder, "adapter_config.json", b'{"base_model_name_or_path": "nowhere at all"}')
    assert models.digest(folder).startswith("2-")


@pytest.fixture
def hub(folder, tmp_path, monkeypatch):
    """A model downloaded from the Hub, with a commit more that changed its README and one that changed its template."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    place = tmp_path / "hub" / "models--owner--name"
    for commit in "abc":
        shutil.copytree(folder, place / "snapshots" / (commit * 40))
    put(place, f"snapshots/{'b' * 40}/README.md", b"another README")
    put(place, f"snapshots/{'c' * 40}/chat_template.jinja", b"another template")
    put(place, "refs/main", b"a" * 40)
    return place


def test_a_hub_id_counts_by_the_files_of_its_commit(hub, folder):
    here = models.digest(folder)
    assert models.digest("owner/name") == here and models.revision("owner/name") == "a" * 40
    put(hub, "refs/main", b"b" * 40)
    assert models.digest("owner/name") == here and models.revision("owner/name") == "b" * 40
    put(hub, "refs/main", b"c" * 40)
    assert models.digest("owner/name") != here
    assert models.revision(folder) is None


def test_a_hub_id_that_was_never_downloaded_is_told(hub):
    with pytest.raises(UserError, match=r"files of owner/other can't be had"):
        models.digest("owner/other")


def test_a_record_of_before_is_held_to_weights_and_configuration_alone(folder, tiny_model):
    old = models._digest_by_rule_1(tiny_model)
    assert len(old) == 16 and models.is_digest_of(old, folder)
    (folder / "chat_template.jinja").write_text("another")  # of which the old record says nothing
    assert models.is_digest_of(old, folder) and not models.is_digest_of(models.digest(tiny_model), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vision_feature_layer": -1}))
    assert not models.is_digest_of(old, folder)
    assert not any(models.is_digest_of(one, folder) for one in (None, 3, "", "2-", [], {}))


def opened(out, model, **more):
    config = {"recipe": {"rate": 1}, "model": models.digest(model), "data": "d", "rows": "target", **more}
    return RunFolder.open(out, "learn", "target", model, "privacy", 10, 0, config, True)


def test_a_run_begun_with_another_template_is_not_resumed(folder, tmp_path):
    first = opened(tmp_path / "run", folder)
    assert opened(tmp_path / "run", folder).run_id == first.run_id
    (folder / "chat_template.jinja").write_text("another")
    with pytest.raises(UserError, match=r"holds another run \(its model is 2-.*chat template.*are others\)"):
        opened(tmp_path / "run", folder)
    assert opened(tmp_path / "other", folder).run_id != first.run_id


def test_a_run_of_before_is_resumed_as_the_run_it_was(folder, tmp_path):
    run = opened(tmp_path / "run", folder)
    old = {**run.config, "model": models._digest_by_rule_1(folder)}
    (run.folder / CONFIG).write_text(canonical_json(old))
    assert opened(run.folder, folder).config == old
    with pytest.raises(UserError, match=r"its recipe\.rate is 1, not 2"):
        opened(run.folder, folder, recipe={"rate": 2})
    for broken in ("{", "[]", '{"model": 3}'):
        (run.folder / CONFIG).write_text(broken)
        with pytest.raises(UserError, match="holds another run"):
            opened(run.folder, folder)


def test_a_learned_model_is_saved_though_its_generation_settings_contradict_each_other(folder, tmp_path):
    loaded = models.load(folder)
    loaded.model.generation_config.num_return_sequences = 2  # with greedy decoding; transformers refuses to save it
    opened(tmp_path / "run", folder).save_model(loaded.model, loaded.processor)
    saved = json.loads((tmp_path / "run" / "model" / "generation_config.json").read_text())
    assert saved["eos_token_id"] == 2 and "num_return_sequences" not in saved


@pytest.fixture
def asked(monkeypatch):
    """What the harness is called with; it answers by an empty folder."""
    from baselines.evaluation import evaluate as module

    calls = []
    monkeypatch.setattr(module.harness, "run", lambda *_, out, **options: (out.mkdir(), calls.append(options)))
    return calls


@pytest.mark.parametrize("name", ["chat_template.jinja", "tokenizer.json", "generation_config.json"])
def test_an_evaluation_of_a_changed_model_is_neither_done_nor_replayed(asked, folder, data_dir, tmp_path, name):
    options = {"model": folder, "data_dir": data_dir, "scenario": "privacy", "cache": tmp_path / "cache"}
    evaluate(**options, out=tmp_path / "e")
    assert evaluate(**options, out=tmp_path / "e")["kept"]
    change(folder / name)
    with pytest.raises(UserError, match=rf"other settings \(model_digest\): since then {name} changed"):
        evaluate(**options, out=tmp_path / "e")
    evaluate(**options, out=tmp_path / "other")
    assert len({call["cache"].name for call in asked}) == 2 == len(asked)


@pytest.mark.parametrize("identity", [None, [], {"files": 3}, {"files": [3]}, {"files": [{}, {}, {}]}])
def test_a_record_that_does_not_tell_its_files_is_refused_all_the_same(asked, folder, data_dir, tmp_path, identity):
    options = {"model": folder, "data_dir": data_dir, "scenario": "privacy", "out": tmp_path / "e"}
    evaluate(**options)
    path = tmp_path / "e" / "evaluation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"identity": identity, "model_digest": "0" * 16}))
    with pytest.raises(UserError, match=r"other settings \(model_digest\)"):
        evaluate(**options)
    path.write_text("[]")
    with pytest.raises(UserError, match=r"evaluation\.json can't be read"):
        evaluate(**options)


def test_an_evaluation_by_an_older_version_of_the_tasks_is_not_done(asked, folder, data_dir, tmp_path):
    options = {"model": folder, "data_dir": data_dir, "scenario": "privacy", "out": tmp_path / "e"}
    evaluate(**options)
    path = tmp_path / "e" / "evaluation.json"
    recorded = json.loads(path.read_text())
    del recorded["task_version"]
    path.write_text(json.dumps(recorded))
    with pytest.raises(UserError, match=r"other settings \(task_version\)"):
        evaluate(**options)


def test_engines_with_other_options_have_caches_of_their_own(asked, folder, data_dir, tmp_path):
    for number, arguments in enumerate(({}, {"dtype": "half"}, {"dtype": "float"})):
        evaluate(
            model=folder, data_dir=data_dir, scenario="privacy", out=tmp_path / str(number), backend="vllm",
            model_args=arguments, cache=tmp_path / "cache",
        )  # fmt: skip
    assert len({call["cache"].name for call in asked}) == 3


def test_of_a_served_model_what_is_not_known_is_said(asked, data_dir, tmp_path):
    from baselines.evaluation.evaluate import notes

    record = evaluate(
        model="m", data_dir=data_dir, scenario="privacy", out=tmp_path / "e", backend="served", base_url="http://a/v1"
    )
    assert record["identity"] == {
        "served": "m",
        "at": "http://a/v1",
        "unknown": "the weights, tokenizer, chat template and generation settings behind the name",
    }
    assert any("are the server's to know" in line for line in notes(record))


def test_likelihoods_of_a_changed_model_are_not_the_kept_ones(folder, data_dir, tmp_path):
    from baselines.evaluation.likelihood import likelihood

    options = {"model": folder, "data_dir": data_dir, "scenario": "privacy", "out": tmp_path}
    settings = {
        "model_digest": models.digest(folder), "data_digest": "0" * 64, "scenario": "privacy", "percent": 10,
        "exposed_rows": 0, "seed": 0,
    }  # fmt: skip
    (tmp_path / LIKELIHOOD).write_text(json.dumps({"settings": settings, "rows": []}))
    assert likelihood(**options)["rows"] == []
    old = settings | {"model_digest": models._digest_by_rule_1(folder)}
    (tmp_path / LIKELIHOOD).write_text(json.dumps({"settings": old, "rows": []}))
    assert likelihood(**options)["rows"] == []
    (tmp_path / LIKELIHOOD).write_text(json.dumps({"settings": settings, "rows": []}))
    (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text() + " ")
    with pytest.raises(UserError, match=r"made otherwise \(model_digest\)"):
        likelihood(**options)
