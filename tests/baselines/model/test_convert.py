"""LLaVA-Med's published layout on a tiny twin: its key names, its configuration fields, its tokenizer, in shards."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from baselines import cli
from baselines.model import models
from baselines.model.convert import convert_llava_med
from baselines.training.collate import Encoder, answer_logits
from mllmu_med_dataset.errors import UserError

# config.json of microsoft/llava-med-v1.5-mistral-7b, with smaller numbers.
DESCRIBED = {
    "architectures": ["LlavaMistralForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "freeze_mm_mlp_adapter": False,
    "hidden_act": "silu",
    "hidden_size": 32,
    "image_aspect_ratio": "pad",
    "initializer_range": 0.02,
    "intermediate_size": 64,
    "max_position_embeddings": 32768,
    "mm_hidden_size": 24,
    "mm_projector_type": "mlp2x_gelu",
    "mm_use_im_patch_token": False,
    "mm_use_im_start_end": False,
    "mm_vision_select_feature": "patch",
    "mm_vision_select_layer": -2,
    "mm_vision_tower": "clip",
    "model_type": "llava_mistral",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-05,
    "rope_theta": 1000000.0,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "tokenizer_model_max_length": 2048,
    "tokenizer_padding_side": "right",
    "torch_dtype": "float32",
    "tune_mm_mlp_adapter": False,
    "use_cache": True,
    "use_mm_proj": True,
}
VISION = {
    "model_type": "clip_vision_model",
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
    "projection_dim": 16,
}


def draw(shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) * 0.2 for name, shape in shapes.items()}


def published_weights(vocabulary):
    """Return random weights under the names of the published checkpoint."""
    wide, inner, heads, half = 32, 64, 32, 16
    shapes = {
        "model.embed_tokens.weight": (vocabulary, wide),
        "model.norm.weight": (wide,),
        "lm_head.weight": (vocabulary, wide),
    }
    for layer in range(2):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.{norm}.weight": (wide,) for norm in ("input_layernorm", "post_attention_layernorm")}
        shapes |= {f"{at}.self_attn.{name}_proj.weight": (heads, wide) for name in "qo"}
        shapes |= {f"{at}.self_attn.{name}_proj.weight": (half, wide) for name in "kv"}
        shapes |= {f"{at}.mlp.{name}_proj.weight": (inner, wide) for name in ("gate", "up")}
        shapes |= {f"{at}.mlp.down_proj.weight": (wide, inner)}
    shapes |= {"model.mm_projector.0.weight": (wide, 24), "model.mm_projector.0.bias": (wide,)}
    shapes |= {"model.mm_projector.2.weight": (wide, wide), "model.mm_projector.2.bias": (wide,)}
    tower = "model.vision_tower.vision_tower.vision_model"
    shapes |= {
        f"{tower}.embeddings.class_embedding": (24,),
        f"{tower}.embeddings.patch_embedding.weight": (24, 3, 8, 8),
        f"{tower}.embeddings.position_embedding.weight": (17, 24),
    }
    for norm in ("pre_layrnorm", "post_layernorm"):
        shapes |= {f"{tower}.{norm}.{part}": (24,) for part in ("weight", "bias")}
    for layer in range(3):
        at = f"{tower}.encoder.layers.{layer}"
        square = {f"self_attn.{name}": (24, 24) for name in ("q_proj", "k_proj", "v_proj", "out_proj")}
        for name, size in {**square, "mlp.fc1": (48, 24), "mlp.fc2": (24, 48)}.items():
            shapes |= {f"{at}.{name}.weight": size, f"{at}.{name}.bias": size[:1]}
        for norm in ("layer_norm1", "layer_norm2"):
            shapes |= {f"{at}.{norm}.{part}": (24,) for part in ("weight", "bias")}
    return draw(shapes)


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """Return the folder of a tiny twin of the published checkpoint, in two shards."""
    from tests.families import Vocabulary, tokenizer_of

    folder = tmp_path_factory.mktemp("published") / "llava-med"
    (folder / "clip").mkdir(parents=True)
    (folder / "clip" / "config.json").write_text(json.dumps(VISION))
    tokenizer = tokenizer_of(Vocabulary("<unk>", "<s>", "</s>", {}, begins_texts=True))
    tokenizer.save_pretrained(folder)
    weights = published_weights(len(tokenizer))
    names = sorted(weights)
    shards = {
        "model-00001-of-00002.safetensors": names[: len(names) // 2],
        "model-00002-of-00002.safetensors": names[len(names) // 2 :],
    }
    for shard, held in shards.items():
        save_file({name: weights[name] for name in held}, folder / shard, metadata={"format": "pt"})
    place = {name: shard for shard, held in shards.items() for name in held}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": place}))
    (folder / "config.json").write_text(json.dumps(DESCRIBED | {"vocab_size": len(tokenizer)}))
    return folder


@pytest.fixture(scope="session")
def converted(published, tmp_path_factory):
    return convert_llava_med(published, tmp_path_factory.mktemp("converted") / "model")


def weights_of(folder):
    return {name: part for shard in folder.glob("*.safetensors") for name, part in load_file(shard).items()}


def built_directly(published, converted):
    """Return the LLaVA of the published weights, filled by hand: names read off the modules, not off the converter."""
    from transformers import CLIPVisionConfig, LlavaConfig, LlavaForConditionalGeneration, MistralConfig

    described = json.loads((published / "config.json").read_text())
    vocabulary = described["vocab_size"]
    text = MistralConfig(
        vocab_size=vocabulary + 2, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, rms_norm_eps=1e-5, sliding_window=None, max_position_embeddings=32768,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**VISION),
        text_config=text,
        image_token_index=vocabulary,
        vision_feature_layer=-2,
        tie_word_embeddings=False,
    )
    model = LlavaForConditionalGeneration(config).eval()
    weights = weights_of(published)
    inner, used = model.model, set()

    def fill(parameter, name):
        used.add(name)
        with torch.no_grad():
            parameter[: len(weights[name])].copy_(weights[name])

    for name, parameter in inner.language_model.named_parameters():
        fill(parameter, f"model.{name}")
    for name, parameter in inner.vision_tower.named_parameters():
        fill(parameter, f"model.vision_tower.vision_tower.vision_model.{name.removeprefix('vision_model.')}")
    for number, layer in ((0, inner.multi_modal_projector.linear_1), (2, inner.multi_modal_projector.linear_2)):
        for name, parameter in layer.named_parameters():
            fill(parameter, f"model.mm_projector.{number}.{name}")
    fill(model.lm_head.weight, "lm_head.weight")
    assert used == weights.keys()
    return model


def test_its_logits_are_those_of_the_same_weights_in_an_ordinary_llava(published, converted, data):
    loaded = models.load(converted)
    direct = built_directly(published, converted)
    vocabulary = json.loads((published / "config.json").read_text())["vocab_size"]
    encoder = Encoder(loaded.model, loaded.processor)
    batch = encoder.batch([encoder.example(row, str(row["answer"])) for row in data.forget[:3]])
    with torch.no_grad():
        ours, theirs = answer_logits(loaded.model, batch), answer_logits(direct, batch)
    assert torch.equal(ours[..., :vocabulary], theirs[..., :vocabulary])
    # The added tokens have the mean of all logits, so no prompt makes one of them the likeliest.
    assert torch.allclose(ours[..., vocabulary:], ours[..., :vocabulary].mean(-1, keepdim=True), atol=1e-5)


def test_it_is_an_ordinary_folder_in_shards_of_safetensors(converted):
    names = {path.name for path in converted.iterdir()}
    assert {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "chat_template.jinja"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".py"))]
    config = json.loads((converted / "config.json").read_text())
    assert (config["model_type"], config["architectures"]) == ("llava", ["LlavaForConditionalGeneration"])
    assert (config["vision_feature_layer"], config["vision_feature_select_strategy"]) == (-2, "default")
    text = config["text_config"]
    assert (text["model_type"], text["rms_norm_eps"], text["num_key_value_heads"]) == ("mistral", 1e-5, 2)
    assert text["rope_parameters"]["rope_theta"] == 1000000.0
    index = json.loads((converted / "model.safetensors.index.json").read_text())["weight_map"]
    assert set(index) == set(weights_of(converted))


def test_it_is_asked_as_its_authors_ask_it(converted):
    from PIL import Image
    from transformers import AutoProcessor

    from baselines.training.collate import encode_prompt

    processor = AutoProcessor.from_pretrained(converted)
    text = processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Which organ is it?"}]}],
        add_generation_prompt=True,
    )
    assert text == "[INST] <image>\nWhich organ is it? [/INST]"
    ids, _, pictures = encode_prompt(processor, "Which organ is it?", Image.new("RGB", (64, 20)))
    assert (ids == processor.tokenizer.convert_tokens_to_ids("<image>")).sum() == 16
    assert ids[0] == processor.tokenizer.bos_token_id and (ids == processor.tokenizer.bos_token_id).sum() == 1
    assert pictures["pixel_values"].shape == (1, 3, 32, 32)
    assert processor.tokenizer.pad_token == "<pad>"


def test_an_image_is_padded_to_a_square_not_cropped(converted):
    """As the configuration says: the ends of a wide image are seen too."""
    from PIL import Image
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(converted)
    wide = Image.new("RGB", (96, 32))
    other = wide.copy()
    other.paste((255, 255, 255), (0, 0, 24, 32))
    one, two = (
        processor(images=[image], text=["<image>"], return_tensors="pt")["pixel_values"] for image in (wide, other)
    )
    assert not torch.equal(one, two)


def copied(published, folder):
    import shutil

    return shutil.copytree(published, folder)


def described_as(**changes):
    def damage(folder):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


def pickled(folder):
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    (folder / "pytorch_model-00001-of-00002.bin").write_bytes(b"")


def without(prefix):
    def damage(folder):
        for path in folder.glob("*.safetensors"):
            save_file({name: part for name, part in load_file(path).items() if not name.startswith(prefix)}, path)

    return damage


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no folder with a config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "can't be read"),
        (described_as(model_type="llava"), "a 'llava' model"),
        (described_as(mm_projector_type="linear"), "mm_projector_type 'linear'"),
        (described_as(mm_use_im_start_end=True), "mm_use_im_start_end True"),
        (described_as(mm_vision_tower="someone/else"), "vision tower 'someone/else'"),
        (described_as(vocab_size=60), "its model only 60"),
        (pickled, "a pickle, which can run code"),
        (lambda folder: (folder / "model-00002-of-00002.safetensors").unlink(), "lacks model-00002"),
        (lambda folder: (folder / "model-00002-of-00002.safetensors").write_bytes(b"x"), "can't be read"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer of"),
        (without("model.mm_projector."), "no weights named model.mm_projector.0."),
        (without("model.vision_tower."), "no weights named model.vision_tower.vision_tower."),
    ],
)
def test_what_can_not_be_converted_is_refused_and_nothing_is_written(published, tmp_path, damage, said):
    source = copied(published, tmp_path / "source")
    damage(source)
    with pytest.raises(UserError, match=said):
        convert_llava_med(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_conversion_that_breaks_off_leaves_no_model(published, tmp_path):
    def full(done, planned):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_llava_med(published, tmp_path / "out", full)
    assert not (tmp_path / "out").exists()
    convert_llava_med(published, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_in_use_is_left_alone(published, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="is in use"):
        convert_llava_med(published, tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_the_command_converts(published, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["convert", "llava-med", str(published), str(tmp_path / "model")])
    out, err = capsys.readouterr()
    assert not ended.value.code, err
    assert str(tmp_path / "model") in out
    models.check_usable(tmp_path / "model")
