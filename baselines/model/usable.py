"""Can a model be shown an image and asked? Decided from its small files, before its weights are read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mllmu_med_dataset.errors import UserError, nearest
from mllmu_med_tasks import decoding, prompts

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, ProcessorMixin

# Layouts of their authors' own code: what to take instead.
ORIGINALS = {
    "llava_mistral": "Make an ordinary folder of a LLaVA-Med 1.5 one with: mllmu-med convert llava-med FOLDER OUT.",
    "llava_llama": "Take the same model from llava-hf, such as llava-hf/llava-1.5-7b-hf.",
    "llava_qwen": "Take the same model from llava-hf, such as llava-hf/llava-onevision-qwen2-7b-ov-hf.",
    "internvl_chat": "Take the same model under the name that ends in -hf, such as OpenGVLab/InternVL3-1B-hf.",
}
QUESTION = "Which organ is it?"
PICKLES = (".bin", ".pt", ".pth", ".ckpt")


def checked(model: str | Path, place: Path) -> tuple[PreTrainedConfig, ProcessorMixin]:
    """Return configuration and processor of a model that can be shown an image and asked, or refuse it."""
    config = configuration(model, place)
    decoding.shipped(place)
    _check_weights(model, place)
    processor = _processor(model, place)
    _try_a_prompt(model, config, processor)
    return config, processor


def first_line(error: Exception) -> str:
    """Return the first line of an error as a sentence."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".") + "."


def configuration(model: str | Path, place: Path) -> PreTrainedConfig:
    """Return the configuration of a model that can be shown an image and asked, or refuse it."""
    from huggingface_hub.errors import StrictDataclassError
    from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, AutoConfig, PretrainedConfig

    fix = "Check the name; without a network, only folders and models downloaded before can be used."
    try:
        described, _ = PretrainedConfig.get_config_dict(place)
        _check_type(model, described)
        config = AutoConfig.from_pretrained(place, trust_remote_code=False)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, StrictDataclassError) as error:
        raise UserError(f"The configuration of {model} can't be read: {first_line(error)} {fix}") from error
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise UserError(
            f"{model} is a '{config.model_type}' model, which does not turn an image and a text into text. "
            "Give a vision-language model that AutoModelForImageTextToText loads, such as one of the LLaVA family."
        )
    if config.is_encoder_decoder or config.get_text_config().is_encoder_decoder:
        raise UserError(
            f"{model} is a '{config.model_type}' model that reads the question in an encoder of its own; the methods "
            "here need a language model that reads image, question and answer in one sequence. Give such a model."
        )
    if _image_token(config) is None:
        raise UserError(
            f"The configuration of {model} ('{config.model_type}') names no image token (image_token_id), so nothing "
            "says where in a prompt the image stands. Give a model whose prompts hold the image."
        )
    if stored := described.get("quantization_config"):
        method = stored.get("quant_method", "quantized") if isinstance(stored, Mapping) else "quantized"
        raise UserError(
            f"The weights of {model} are stored quantized ({method}), and an adapter trained on them can't be merged "
            "exactly. Give the full-precision release of the model."
        )
    return config


def _check_type(model: str | Path, described: Mapping[str, object]) -> None:
    """Refuse a model type that transformers does not know, with what to take instead."""
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    kind = described.get("model_type")
    if not isinstance(kind, str):
        raise UserError(
            f"The config.json of {model} names no model_type, so nothing says what the model is. Save the model again "
            "with save_pretrained, or take the config.json of its release."
        )
    if kind in ORIGINALS:
        raise UserError(f"{model} is a '{kind}' model, a layout of its authors' own code. {ORIGINALS[kind]}")
    if "mm_vision_tower" in described:
        raise UserError(
            f"{model} is a LLaVA in the layout of its authors' own code (mm_vision_tower in its config.json). "
            f"{ORIGINALS['llava_llama']}"
        )
    if kind in CONFIG_MAPPING:
        return
    if described.get("auto_map"):
        raise UserError(
            f"{model} is a '{kind}' model that brings its own code (auto_map in its config.json), and code that comes "
            "with a model is not run here. Give a release of it that transformers knows by itself."
        )
    raise UserError(
        f"{model} is a '{kind}' model, which the installed transformers does not know."
        f"{nearest(kind, list(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES))} A newer transformers may know it."
    )


def _check_weights(model: str | Path, place: Path) -> None:
    """Refuse weights that are absent or pickles, and, in a folder, those that are incomplete or damaged."""
    if not place.is_dir():
        names = _hub_files(str(place))
        if names is not None and not any(name.endswith(".safetensors") for name in names):
            raise UserError(f"The weights of {model} can't be loaded: {no_safetensors(names)}")
        return
    from safetensors import SafetensorError, safe_open

    index = place / "model.safetensors.index.json"
    try:
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()) if index.is_file() else ()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"The weights of {model} can't be loaded: {index.name} can't be read.") from error
    shards = [place / name for name in sorted(named)] or sorted(place.glob("model*.safetensors"))
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing:
        raise UserError(
            f"The weights of {model} can't be loaded: {', '.join(missing[:3])} named in {index.name} "
            f"{'is' if len(missing) == 1 else 'are'} missing. Download or save the model again."
        )
    if not shards:
        raise UserError(
            f"The weights of {model} can't be loaded: {no_safetensors([path.name for path in place.iterdir()])}"
        )
    for shard in shards:
        try:
            with safe_open(shard, "pt") as weights:
                weights.keys()
        except (SafetensorError, OSError) as error:
            raise UserError(
                f"The weights of {model} can't be loaded: {shard.name} is damaged ({first_line(error).rstrip('.')}). "
                "Download or save the model again."
            ) from error


def no_safetensors(names: Iterable[str]) -> str:
    """Return why files of which none is in safetensors can't be used, and what to do."""
    pickles = sorted(name for name in names if name.endswith(PICKLES))
    if not pickles:
        return "there are none in safetensors. Save or download the whole model."
    return (
        f"there is only {pickles[0]}, a pickle, which can run code when it is read. Save the model with "
        "safe_serialization=True where you trust the file, or take a release in safetensors."
    )


def _hub_files(name: str) -> list[str] | None:
    """Return the files of a Hub id, or of what was downloaded of it; none where neither can be told."""
    import httpx
    from huggingface_hub import HfApi, constants, snapshot_download

    try:
        if constants.HF_HUB_OFFLINE:
            return [path.name for path in Path(snapshot_download(name, local_files_only=True)).iterdir()]
        return HfApi().list_repo_files(name)
    except (OSError, ValueError, httpx.HTTPError):  # loading them will tell
        return None


def _processor(model: str | Path, place: Path) -> ProcessorMixin:
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(place, trust_remote_code=False)
    except ImportError as error:
        import torch

        fix = ""
        if "torchvision" in str(error).lower():  # one of another build of torch breaks both
            fix = f" Install the torchvision that belongs to the installed torch ({torch.__version__})."
        elif "num2words" in str(error):
            fix = " Install it: pip install num2words."
        raise UserError(f"The processor of {model} can't be loaded: {first_line(error)}{fix}") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"The processor of {model} can't be loaded: {first_line(error)} Save the model's full processor "
            "(AutoProcessor.save_pretrained) into its folder."
        ) from error
    if getattr(processor, "image_processor", None) is None or getattr(processor, "tokenizer", None) is None:
        lacks = "image processor, so it can't be shown an image"
        if hasattr(processor, "image_processor"):
            lacks = "tokenizer, so it can't be asked"
        raise UserError(
            f"{model} has no {lacks}. Save the model's full processor (AutoProcessor.save_pretrained), not one half "
            "of it, into the same folder."
        )
    if not getattr(processor, "chat_template", None):
        raise UserError(
            f"{model} has no chat template, so there is no agreed way to ask it. Set processor.chat_template and save "
            "the processor into the model's folder; the instruction-tuned release of a model usually has one."
        )
    if processor.tokenizer.eos_token_id is None:
        raise UserError(
            f"The tokenizer of {model} has no end-of-sequence token, so no answer would ever end. Set "
            "processor.tokenizer.eos_token and save the processor into the model's folder."
        )
    return processor


def _try_a_prompt(model: str | Path, config: PreTrainedConfig, processor: ProcessorMixin) -> None:
    """Ask one question about a blank image, and refuse a model whose prompt lacks question or image."""
    from jinja2 import TemplateError
    from PIL import Image

    fix = "Take the chat template and the processor of the model's own release."
    try:
        text = processor.apply_chat_template(prompts.messages(QUESTION), add_generation_prompt=True, tokenize=False)
    except (TemplateError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"The chat template of {model} can't be applied: {first_line(error)} {fix}") from error
    if QUESTION not in text:
        raise UserError(f"The chat template of {model} leaves out the question it is given. {fix}")
    try:
        encoded = processor(images=[Image.new("RGB", (64, 64))], text=[text], return_tensors="pt")
        ids = encoded["input_ids"][0].tolist()
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError) as error:
        raise UserError(
            f"The processor of {model} can't be shown an image in the chat template's prompt: {first_line(error)} {fix}"
        ) from error
    token, known = _image_token(config), config.get_text_config().vocab_size
    if token not in ids:
        raise UserError(
            f"A prompt of {model} holds no image: its chat template and processor leave no token {token}, the one its "
            f"configuration puts images at. {fix}"
        )
    if max(ids) >= known:
        raise UserError(
            f"The tokenizer of {model} gives token {max(ids)}, but the model knows {known}: they don't belong "
            f"together. {fix}"
        )


def _image_token(config: PreTrainedConfig) -> int | None:
    return getattr(config, "image_token_id", None) or getattr(config, "image_token_index", None)
