import json
import re
import shutil

import pytest
import torch
from torch import nn

from baselines.config import Lora
from baselines.model import models
from baselines.model.adapter import with_adapter
from mllmu_med_dataset.errors import UserError

# Paths in the current layout of transformers; small layers, no weights.
FAMILIES = {
    "llava": ("model.language_model", "model.vision_tower"),
    "llava_next": ("model.language_model", "model.vision_tower"),
    "llava_onevision": ("model.language_model", "model.vision_tower"),
    "mistral3": ("model.language_model", "model.vision_tower"),
    "qwen2_vl": ("model.language_model", "model.visual"),
    "qwen2_5_vl": ("model.language_model", "model.visual"),
    "qwen3_vl": ("model.language_model", "model.visual"),
    "qwen3_5": ("model.language_model", "model.visual"),
    "glm4v": ("model.language_model", "model.visual"),
    "idefics3": ("model.text_model", "model.vision_model"),
    "smolvlm": ("model.text_model", "model.vision_model"),
    "gemma3": ("model.language_model", "model.vision_tower"),
    "paligemma": ("model.language_model", "model.vision_tower"),
    "internvl": ("model.language_model", "model.vision_tower"),
}


def skeleton(family):
    from transformers import AutoConfig, AutoModelForImageTextToText

    config = AutoConfig.for_model(family)
    for part in (config.text_config, config.vision_config):
        for key in ("num_hidden_layers", "depth"):
            if hasattr(part, key):
                setattr(part, key, 1)
        if getattr(part, "layer_types", None):
            part.layer_types = part.layer_types[:1]
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(config)


@pytest.mark.parametrize("family", FAMILIES)
def test_parts_of_every_family_are_found_from_the_model(family):
    model = skeleton(family)
    language, vision = FAMILIES[family]
    assert models.language_model(model)[0] == language
    assert models.vision_tower(model)[0] == vision
    pattern = re.compile(models.linear_pattern(model))
    matched = [name for name, part in model.named_modules() if pattern.fullmatch(name)]
    assert matched and all(name.startswith(f"{language}.") for name in matched)
    assert all(isinstance(model.get_submodule(name), nn.Linear) for name in matched)
    models.freeze_vision(model)
    frozen = [name for name, part in model.named_parameters() if not part.requires_grad]
    assert frozen and all(name.startswith(f"{vision}.") for name in frozen)
    projecting = [n for n, part in model.named_parameters() if re.search("merger|projector|connector", n)]
    assert projecting and not set(projecting) & set(frozen)
    # Rotary positions in three dimensions are the model's own business.
    assert models.family(model).plain_positions == (vision != "model.visual")


def test_an_adapter_touches_the_language_model_only(loaded):
    adapted = with_adapter(loaded.model, Lora(), seed=0)
    trained = [name for name, part in adapted.named_parameters() if part.requires_grad]
    assert trained and all(".language_model." in name and "lora_" in name for name in trained)


def test_a_models_name_and_digest_follow_its_content(tiny_model, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_model, copy)
    assert models.digest(copy) == models.digest(tiny_model)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"vision_feature_layer": -1}))
    assert models.digest(copy) != models.digest(tiny_model)
    assert models.short_name(copy) == "copy"
    assert models.short_name("llava-hf/llava-1.5-7b-hf") == "llava-hf/llava-1.5-7b-hf"


def test_a_runs_folder_stands_for_its_model(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "run" / "model")
    assert models.model_folder(tmp_path / "run") == tmp_path / "run" / "model"
    assert models.short_name(tmp_path / "run" / "model") == "run"


def damaged(folder, tiny_model, damage):
    shutil.copytree(tiny_model, folder)
    damage(folder)
    return folder


def without_template(folder):
    (folder / "chat_template.jinja").unlink()


def without_image_processor(folder):
    (folder / "processor_config.json").unlink()
    (folder / "chat_template.jinja").unlink()


def text_only(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config["text_config"] | {"architectures": ["LlamaForCausalLM"]}))


def without_weights(folder):
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (without_template, "no chat template"),
        (without_image_processor, "image processor|processor of .* can't be loaded"),
        (text_only, "a 'llama' model"),
        (without_weights, "weights of .* can't be loaded"),
    ],
)
def test_models_that_can_not_work_are_refused_with_the_reason(tiny_model, tmp_path, damage, said):
    with pytest.raises(UserError, match=said):
        models.load(damaged(tmp_path / "model", tiny_model, damage))


@pytest.mark.parametrize(
    ("name", "said"),
    [("no/such-model", "configuration of no/such-model can't be read"), ("nosuch", "no model folder nosuch")],
)
def test_unknown_models_are_refused(name, said):
    with pytest.raises(UserError, match=said):
        models.check_usable(name)
