"""Checkpoints in a layout of their authors' own code, rewritten as ordinary folders: ``mllmu-med convert llava-med``.

LLaVA-Med 1.5 (``microsoft/llava-med-v1.5-mistral-7b``) is a LLaVA of Mistral and CLIP, saved as architecture
``llava_mistral``, which transformers does not know. Its weights are those of ``LlavaForConditionalGeneration`` under
other names, so nothing is computed: names are changed, two tokens are added, and configuration, processor and chat
template are written beside.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.model.usable import no_safetensors
from mllmu_med_dataset.errors import UserError, make_folder

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import CLIPVisionConfig, GenerationConfig, LlavaConfig, LlavaProcessor, PreTrainedTokenizerBase

# As the authors ask it: conversation `mistral_instruct` of github.com/microsoft/LLaVA-Med, llava/conversation.py.
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}[INST] "
    "{% for part in message['content'] if part['type'] == 'image' %}<image>\n{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %} [/INST]"
    "{% else %} {% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    "{{ eos_token }}{% endif %}{% endfor %}"
)
IMAGE, PAD = "<image>", "<pad>"
# The first name that fits is changed; the new ones are those of the llava-hf checkpoints, which every version reads.
RENAMED = (
    ("model.vision_tower.vision_tower.", "vision_tower."),
    ("model.mm_projector.0.", "multi_modal_projector.linear_1."),
    ("model.mm_projector.2.", "multi_modal_projector.linear_2."),
    ("model.", "language_model.model."),
    ("lm_head.", "language_model.lm_head."),
)
GROWING = ("language_model.model.embed_tokens.weight", "language_model.lm_head.weight")
# What mm_vision_tower names; a folder with a config.json is read instead.
CLIP_LARGE_336 = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "projection_dim": 768,
}
TOWERS = {"openai/clip-vit-large-patch14-336": CLIP_LARGE_336}


def convert_llava_med(source: Path, out: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """Write the ordinary LLaVA folder of a LLaVA-Med checkpoint and return it; ``out`` appears when it is complete.

    Reads one file of weights at a time. ``progress`` is called with the files done and their number.
    """
    described = _description(source)
    shards = _shards(source)
    vision = _vision(described, source)
    tokenizer = _tokenizer(source)
    _check_names(shards, source)
    vocabulary, spoken = int(described["vocab_size"]), len(tokenizer) - 2
    if spoken > vocabulary:
        raise UserError(
            f"The tokenizer of {source} has {spoken} tokens and its model only {vocabulary}: they don't belong "
            "together. Download the checkpoint again."
        )
    tokens = max(vocabulary, len(tokenizer))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"The output folder '{out}' is in use. Name a new folder, or remove this one first.")
    make_folder(out.parent)
    part = out.parent / f".{out.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    _config(described, vision, tokens, tokenizer).save_pretrained(part)
    _processor(described, vision, tokenizer).save_pretrained(part)
    _generation(tokenizer).save_pretrained(part)
    _write_weights(shards, part, tokens, progress)
    if out.exists():
        out.rmdir()
    os.replace(part, out)
    return out


def _description(source: Path) -> Mapping[str, object]:
    """Return the checkpoint's configuration, or refuse what is no LLaVA-Med."""
    path = source / "config.json"
    if not source.is_dir() or not path.is_file():
        raise UserError(
            f"'{source}' is no folder with a config.json. Download the checkpoint first (hf download "
            "microsoft/llava-med-v1.5-mistral-7b --local-dir FOLDER) and give that folder."
        )
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        kind = described["model_type"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} can't be read ({type(error).__name__}). Download the checkpoint again.") from error
    if kind != "llava_mistral":
        raise UserError(
            f"{source} is a '{kind}' model; this command converts 'llava_mistral' ones, such as "
            "microsoft/llava-med-v1.5-mistral-7b. A 'llava' or 'llava_next' folder needs no conversion."
        )
    for key, known in {"mm_projector_type": ("mlp2x_gelu",), "mm_use_im_start_end": (False, None)}.items():
        if described.get(key) not in known:
            raise UserError(
                f"{source} has {key} {described.get(key)!r}; only {known[0]!r}, as in LLaVA-Med 1.5, can be converted."
            )
    return described


def _shards(source: Path) -> list[Path]:
    """Return the files of weights in order; refuses pickles, which run code when they are read."""
    index = source / "model.safetensors.index.json"
    if index.is_file():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        shards = [source / name for name in names]
    else:
        shards = sorted(source.glob("*.safetensors"))
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing:
        raise UserError(f"{source} lacks {', '.join(missing)}, named in {index.name}. Download the checkpoint again.")
    if not shards:
        said = no_safetensors(path.name for path in source.iterdir())
        raise UserError(f"The weights of {source} can't be converted: {said}")
    return shards


def _vision(described: Mapping[str, object], source: Path) -> "CLIPVisionConfig":
    from transformers import CLIPVisionConfig

    named = str(described.get("mm_vision_tower"))
    for folder in (source / named, Path(named)):
        if (folder / "config.json").is_file():
            return CLIPVisionConfig.from_pretrained(folder)
    if named not in TOWERS:
        raise UserError(
            f"{source} names the vision tower '{named}', whose shape is not known here. Known: {', '.join(TOWERS)}; "
            "or put the tower's own folder, with its config.json, at that path."
        )
    return CLIPVisionConfig(**TOWERS[named])


def _tokenizer(source: Path) -> "PreTrainedTokenizerBase":
    """Return the checkpoint's tokenizer with a token for the image and one for padding, the last two of all."""
    from transformers import AutoTokenizer, MistralConfig

    try:
        # Told what language model it belongs to: by itself it would look for the type of the whole, unknown to it.
        tokenizer = AutoTokenizer.from_pretrained(source, config=MistralConfig(), trust_remote_code=False)
    except (OSError, ValueError, ImportError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"The tokenizer of {source} can't be loaded: {reason.rstrip('.')}. If a package is missing, install it "
            "(pip install sentencepiece protobuf)."
        ) from error
    tokenizer.add_tokens([IMAGE, PAD], special_tokens=True)
    tokenizer.pad_token = PAD
    return tokenizer


def _check_names(shards: Iterable[Path], source: Path) -> None:
    """Refuse a checkpoint that lacks a part: read from the heads of the files, before anything is written."""
    from safetensors import SafetensorError, safe_open

    names: set[str] = set()
    for shard in shards:
        try:
            with safe_open(shard, "pt") as weights:
                names.update(weights.keys())
        except (SafetensorError, OSError) as error:
            raise UserError(f"{shard} can't be read ({error}). Download the checkpoint again.") from error
    for part in (*(old for old, _ in RENAMED), "model.embed_tokens."):
        if not any(name.startswith(part) for name in names):
            raise UserError(
                f"{source} has no weights named {part}*, so it is not the whole of a LLaVA-Med 1.5 checkpoint. "
                "Give the folder of the merged model, vision tower included."
            )


def _config(
    described: Mapping[str, object], vision: "CLIPVisionConfig", tokens: int, tokenizer: "PreTrainedTokenizerBase"
) -> "LlavaConfig":
    from transformers import LlavaConfig, MistralConfig

    kept = {key: value for key, value in described.items() if key in MistralConfig().to_dict() and key != "model_type"}
    given = (
        "architectures",
        "torch_dtype",
        "dtype",
        "transformers_version",
        "vocab_size",
        "pad_token_id",
        "rope_theta",
    )
    for key in given:
        kept.pop(key, None)
    text = MistralConfig(
        **kept,
        rope_theta=described.get("rope_theta", 10000.0),  # Mistral's own where the checkpoint names none
        vocab_size=tokens,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        projector_hidden_act="gelu",
        vision_feature_layer=int(described.get("mm_vision_select_layer", -2)),
        vision_feature_select_strategy=_select(described),
        image_seq_length=(vision.image_size // vision.patch_size) ** 2,
        architectures=["LlavaForConditionalGeneration"],
        dtype=described.get("torch_dtype") or described.get("dtype"),
        tie_word_embeddings=False,
    )


def _select(described: Mapping[str, object]) -> str:
    return "full" if described.get("mm_vision_select_feature") == "cls_patch" else "default"


def _processor(
    described: Mapping[str, object], vision: "CLIPVisionConfig", tokenizer: "PreTrainedTokenizerBase"
) -> "LlavaProcessor":
    from transformers import CLIPImageProcessor, LlavaImageProcessor, LlavaProcessor

    side = {"height": vision.image_size, "width": vision.image_size}
    if described.get("image_aspect_ratio") == "pad":
        images = LlavaImageProcessor(do_pad=True, size={"shortest_edge": vision.image_size}, crop_size=side)
    else:
        images = CLIPImageProcessor(size={"shortest_edge": vision.image_size}, crop_size=side)
    return LlavaProcessor(
        images,
        tokenizer,
        patch_size=vision.patch_size,
        vision_feature_select_strategy=_select(described),
        num_additional_image_tokens=1,  # CLIP's class token
        image_token=IMAGE,
        chat_template=CHAT_TEMPLATE,
    )


def _generation(tokenizer: "PreTrainedTokenizerBase") -> "GenerationConfig":
    from transformers import GenerationConfig

    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )


def _write_weights(
    shards: list[Path], out: Path, tokens: int, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write every file of weights under its new names, with rows for the new tokens, and the index of them all."""
    from safetensors.torch import save_file

    place: dict[str, str] = {}
    total = 0
    for number, shard in enumerate(shards, 1):
        name = "model.safetensors" if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}.safetensors"
        weights = dict(_renamed(shard, tokens))
        save_file(weights, out / name, metadata={"format": "pt"})
        place |= dict.fromkeys(weights, name)
        total += sum(part.numel() * part.element_size() for part in weights.values())
        if progress:
            progress(number, len(shards))
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(place.items()))}
        (out / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def _renamed(shard: Path, tokens: int) -> Iterator[tuple[str, "Tensor"]]:
    from safetensors import safe_open

    with safe_open(shard, "pt") as weights:
        for name in weights.keys():  # noqa: SIM118, it is no mapping
            renamed = next((new + name.removeprefix(old) for old, new in RENAMED if name.startswith(old)), name)
            if renamed.endswith(".position_ids"):
                continue  # a buffer that older versions saved
            tensor = weights.get_tensor(name)
            yield renamed, _grown(tensor, tokens) if renamed in GROWING else tensor


def _grown(rows: "Tensor", tokens: int) -> "Tensor":
    """Return the rows with more of them, each the mean of the others: a token that is never the likeliest.

    Its logit is the mean of all logits, so it is never generated; what is embedded is replaced by the image's features.
    """
    import torch

    more = tokens - rows.shape[0]
    mean = rows.float().mean(0, keepdim=True).to(rows.dtype)
    return torch.cat([rows, mean.expand(more, -1)]).contiguous()
