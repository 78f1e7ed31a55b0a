"""Models that can't work and configurations that make no sense: exit 2, one paragraph, nothing written."""

import json
import shutil
from pathlib import Path

import pytest

from baselines import cli
from tests.families import make_family


def edit(**changes):
    """Return a damage that changes config.json; None removes a key."""

    def damage(folder):
        path = folder / "config.json"
        config = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))

    return damage


def whole(**config):
    return lambda folder: (folder / "config.json").write_text(json.dumps(config))


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


def remove(*names):
    def damage(folder):
        for name in names:
            (folder / name).unlink()

    return damage


def text_model(folder):
    config = json.loads((folder / "config.json").read_text())
    whole(**config["text_config"])(folder)


def small_vocabulary(folder):
    config = json.loads((folder / "config.json").read_text())
    edit(text_config=config["text_config"] | {"vocab_size": 60})(folder)


def more_layers(folder):
    config = json.loads((folder / "config.json").read_text())
    edit(text_config=config["text_config"] | {"num_hidden_layers": 3})(folder)


def pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def shards(*names):
    return write("model.safetensors.index.json", json.dumps({"weight_map": {name: name for name in names}}))


def truncated(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:3000])


def without_end(folder):
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in config.items() if key != "eos_token"}))


def adapter(described, *files):
    def damage(folder):
        for path in folder.iterdir():
            path.unlink()
        (folder / "adapter_config.json").write_text(described)
        for name in files:
            (folder / name).write_bytes(b"")

    return damage


def run_of(*files):
    def damage(folder):
        for path in folder.iterdir():
            path.unlink()
        for name in files:
            (folder / name).write_text("{}")

    return damage


TEMPLATE = "chat_template.jinja"
MODELS = {
    "no configuration": (remove("config.json"), "no config.json"),
    "an unfinished run": (run_of("config.canonical.json"), "has not finished"),
    "a failed run": (run_of("config.canonical.json", "record.json"), "a run that failed"),
    "a configuration that is no JSON": (write("config.json", "{"), "can't be read"),
    "a configuration that is a list": (write("config.json", "[]"), "can't be read"),
    "no model type": (edit(model_type=None), "names no model_type"),
    "a number for a model type": (edit(model_type=7), "names no model_type"),
    "LLaVA-Med as published": (
        whole(model_type="llava_mistral", mm_vision_tower="openai/clip-vit-large-patch14-336"),
        "mllmu-med convert llava-med",
    ),
    "LLaVA as published": (whole(model_type="llava", mm_vision_tower="openai/clip"), "llava-hf/llava-1.5-7b-hf"),
    "InternVL as published": (whole(model_type="internvl_chat", auto_map={}), "-hf"),
    "a misspelt model type": (edit(model_type="lava"), "Did you mean 'llava'?"),
    "a model with code of its own": (edit(model_type="medvlm", auto_map={"AutoModel": "m.M"}), "brings its own code"),
    "a text model": (text_model, "a 'llama' model"),
    "an image classifier": (whole(model_type="vit"), "a 'vit' model"),
    "an encoder-decoder": (whole(model_type="udop"), "in an encoder of its own"),
    "no image token": (whole(model_type="git"), "names no image token"),
    "quantized weights": (edit(quantization_config={"quant_method": "awq"}), "stored quantized (awq)"),
    "a word for a number": (edit(image_seq_length="many"), "can't be read"),
    "no weights": (remove("model.safetensors"), "none in safetensors"),
    "pickled weights": (pickled, "pytorch_model.bin, a pickle"),
    "a missing shard": (shards("model-00001-of-00002.safetensors"), "00001-of-00002.safetensors named in"),
    "a damaged index": (write("model.safetensors.index.json", "[1]"), "index.json can't be read"),
    "truncated weights": (truncated, "model.safetensors is damaged"),
    "weights of a smaller model": (more_layers, "not in the file"),
    "no image processor": (remove("processor_config.json", TEMPLATE), "image processor"),
    "a processor that is no JSON": (write("processor_config.json", "{"), "processor of"),
    "no tokenizer": (remove("tokenizer.json", "tokenizer_config.json"), "save_pretrained"),
    "no chat template": (remove(TEMPLATE), "no chat template"),
    "a template that does not parse": (write(TEMPLATE, "{% for %}"), "can't be applied"),
    "a template that refuses": (write(TEMPLATE, "{{ raise_exception('text only') }}"), "text only"),
    "a template for text": (write(TEMPLATE, "{{ messages[0]['content'] + '' }}"), "can't be applied"),
    "a template without the question": (write(TEMPLATE, "<image>"), "leaves out the question"),
    "a template without the image": (
        write(TEMPLATE, "{% for part in messages[0]['content'] %}{{ part.text }}{% endfor %}"),
        "image",
    ),
    "another image token": (edit(image_token_index=5), "leave no token 5"),
    "another tokenizer": (small_vocabulary, "but the model knows 60"),
    "no end of sequence": (without_end, "no end-of-sequence token"),
    "an adapter of a lost model": (
        adapter('{"base_model_name_or_path": "/lost"}', "adapter_model.safetensors"),
        "belongs to a model named '/lost'",
    ),
    "an adapter without a base": (adapter("{}", "adapter_model.safetensors"), "names no base model"),
    "a damaged adapter": (adapter("{"), "names no base model"),
    "a pickled adapter": (
        adapter('{"base_model_name_or_path": "o/m"}', "adapter_model.bin"),
        "adapter_model.bin, a pi",
    ),
}

LEARN = ["learn", "--scenario", "privacy", "--rows", "target"]
UNLEARN = ["unlearn", "--scenario", "privacy", "--model", "nano", "--method"]
SETTINGS = {
    "lerning_rate=1": "Did you mean 'learning_rate'",
    "learning_rate": "has no value",
    "=1": "has no value",
    "learning_rate=-1e-4": "greater than 0",
    "learning_rate=0": "greater than 0",
    "learning_rate=nan": "finite",
    "learning_rate=fast": "valid number",
    "batch=0": "greater than or equal to 1",
    "batch=many": "valid integer",
    "accumulation=1.5": "valid integer",
    "epochs=-1": "greater than 0",
    "max_steps=0": "greater than or equal to 1",
    "warmup_share=2": "less than or equal to 1",
    "beta2=1": "less than 1",
    "schedule=step": "'cosine', 'linear' or 'constant'",
    "dtype=float16": "'float32'",
    "lora.rank=0": "greater than or equal to 1",
    "lora.dropout=1": "less than 1",
    "lora.size=4": "Unknown setting 'lora.size'",
    "lora=8": "lora is 8",
}
CONFIGURATIONS = {
    **{f"learn {setting}": ([*LEARN, "--set", setting], said) for setting, said in SETTINGS.items()},
    "a preset": ([*LEARN, "--preset", "nanno"], "Did you mean 'nano'?"),
    "a scenario": (["learn", "--scenario", "privcy", "--rows", "target"], "Did you mean 'privacy'?"),
    "a percent": ([*LEARN, "--percent", "7"], "choose one of"),
    "a model that is nowhere": ([*LEARN, "--model", "nosuch"], "no model folder nosuch"),
    "a hub id without a network": ([*LEARN, "--model", "no/such-model"], "no/such-model can't be read"),
    "a method": ([*UNLEARN, "kl_mim"], "Did you mean 'kl_min'?"),
    "another method's option": ([*UNLEARN, "gd", "--set", "kl_weight=1"], "Unknown setting 'kl_weight'"),
    "an option below its range": ([*UNLEARN, "gd", "--set", "retain_weight=-1"], "takes a number from 0"),
    "half of a whole option": ([*UNLEARN, "llmu", "--set", "mismatched_answers=2.5"], "a whole number from 1 to 5"),
    "an unknown stop rule": ([*UNLEARN, "gd", "--set", "stop=oracle"], "'holdout'"),
}


def test_at_least_forty_are_refused():
    print(f"{len(MODELS)} models and {len(CONFIGURATIONS)} configurations")
    assert len(MODELS) + len(CONFIGURATIONS) >= 40


@pytest.fixture
def refused(capsys, tmp_path):
    """Call the command line; returns the one paragraph it ends with, once nothing was written."""

    def call(*arguments):
        before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
        with pytest.raises(SystemExit) as ended:
            cli.main([*map(str, arguments), "--out", str(tmp_path / "out")])
        out, err = capsys.readouterr()
        assert (ended.value.code, out) == (2, "")
        assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before
        assert "Traceback" not in err
        (paragraph,) = err.strip().splitlines()
        return paragraph

    return call


@pytest.fixture(scope="session")
def family_model(tmp_path_factory):
    return make_family("llava", tmp_path_factory.mktemp("whole") / "llava")


@pytest.mark.parametrize("case", MODELS)
def test_a_model_that_can_not_work_is_refused_with_the_reason(refused, family_model, tmp_path, case):
    damage, said = MODELS[case]
    shutil.copytree(family_model, tmp_path / "model")
    damage(tmp_path / "model")
    assert said in refused(*LEARN, "--model", tmp_path / "model")


@pytest.mark.parametrize(
    ("command", "case"), [("unlearn --method gd", "a template without the image"), ("evaluate", "pickled weights")]
)
def test_every_command_refuses_it(refused, family_model, tmp_path, command, case):
    damage, said = MODELS[case]
    shutil.copytree(family_model, tmp_path / "model")
    damage(tmp_path / "model")
    assert said in refused(*command.split(), "--scenario", "privacy", "--model", tmp_path / "model")


def test_a_hub_model_that_was_downloaded_as_a_pickle_is_refused(refused, family_model):
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE) / "models--someone--pickled"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text("0" * 40)
    shutil.copytree(family_model, cache / "snapshots" / ("0" * 40))
    pickled(cache / "snapshots" / ("0" * 40))
    try:
        for command in (LEARN, ["evaluate", "--scenario", "privacy"]):
            assert "pytorch_model.bin, a pickle" in refused(*command, "--model", "someone/pickled")
    finally:
        shutil.rmtree(cache)


def test_an_adapter_on_top_is_no_pickle_either(refused, family_model, tmp_path):
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text('{"r": 4, "base_model_name_or_path": "m"}')
    (tmp_path / "adapter" / "adapter_model.bin").write_bytes(b"")
    arguments = ["evaluate", "--scenario", "privacy", "--model", family_model, "--peft", tmp_path / "adapter"]
    assert "adapter_model.bin, a pickle" in refused(*arguments)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("\nVideoProcessor requires the Torchvision library but it was not found.\nMore.", "installed torch (2."),
        ("Package `num2words` is required to run SmolVLM processor.", "pip install num2words"),
    ],
)
def test_a_processor_that_needs_another_package_names_it(refused, family_model, monkeypatch, told, said):
    from transformers import AutoProcessor

    def missing(*_, **__):
        raise ImportError(told)

    monkeypatch.setattr(AutoProcessor, "from_pretrained", missing)
    assert said in refused(*LEARN, "--model", family_model)


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_a_configuration_that_makes_no_sense_is_refused_with_the_reason(refused, case):
    arguments, said = CONFIGURATIONS[case]
    assert said in refused(*arguments)
