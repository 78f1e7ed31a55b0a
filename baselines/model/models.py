"""Any vision-language model with its processor: found, checked before anything heavy, loaded, and taken apart."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from baselines.model import published, usable
from baselines.model.model_files import ADAPTER, contents, hub_snapshot, sha256
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.record import canonical_json

if TYPE_CHECKING:  # naming a model must not cost the import of what runs it
    import torch
    from torch import nn
    from transformers import PreTrainedModel, ProcessorMixin

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
RULE = 2  # by which a digest names a model


@dataclass(frozen=True)
class Family:
    """What collating needs to know about an architecture beside what its processor gives."""

    plain_positions: bool  # position_ids are one number per token; false where the model computes its own
    answer_token_type: int  # token type of answer positions, for processors that give one


# What can't be found from the model: PaliGemma's prompt sees all of itself, its answer only what came before.
ANSWER_TOKEN_TYPES = {"paligemma": 1}
# Parts below a vision tower that project into the language model.
PROJECTS = re.compile("merger|projector|adapter")


@dataclass(frozen=True)
class Loaded:
    """A model in evaluation mode with its processor, and the type its weights are stored in."""

    model: PreTrainedModel
    processor: ProcessorMixin
    stored_dtype: torch.dtype


def model_folder(model: str | Path) -> Path:
    """Return the folder (or hub id) a name stands for: `nano`, a published model, a run's or model's folder, a hub id.

    Refuses what holds no model.
    """
    if str(model) == "nano":
        return Path(str(files("baselines") / "nano" / "model"))
    if str(model) in published.names():
        return published.get(str(model)).folder / "model"
    folder = Path(model)
    if (folder / "model" / "config.json").is_file():
        return folder / "model"
    if folder.is_dir():
        if not any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
            failed = (folder / "record.json").is_file()
            unfinished = not failed and (folder / "config.canonical.json").is_file()
            raise UserError(
                f"The folder {model} holds no model: it has no config.json."
                + (" It is a run that has not finished; start it again to resume." if unfinished else "")
                + (" It is a run that failed, see the verdict in its record.json." if failed else "")
                + " Give the folder of a finished learn run, a folder saved by save_pretrained, a hub id, or 'nano'."
            )
    elif folder.is_absolute() or not HUB_ID.fullmatch(str(model)):
        raise UserError(
            f"There is no model folder {model}, and it is not a hub id (owner/name) either. "
            "Give an existing folder, a hub id, 'nano' for the embedded model, or one that `mllmu-med models` lists."
        )
    return folder


def check_usable(model: str | Path) -> None:
    """Refuse a model that can't be shown an image and asked, before its weights or anything else is read."""
    usable.checked(model, _base(model_folder(model)))


def check_adapter(adapter: str | Path) -> None:
    """Refuse an adapter that would have to be read from a pickle."""
    place = model_folder(adapter)
    if (place / "adapter_model.bin").is_file() and not (place / "adapter_model.safetensors").is_file():
        said = usable.no_safetensors(path.name for path in place.iterdir())
        raise UserError(f"The weights of the adapter {adapter} can't be loaded: {said}")


def _base(place: Path) -> Path:
    """Return the model itself, or the one an adapter belongs to."""
    adapter = (place / "adapter_config.json").is_file() and not (place / "config.json").is_file()
    return _adapter_base(place) if adapter else place


def _adapter_base(adapter: Path) -> Path:
    """Return the model an adapter was trained on: by its name, or the run of that name beside its own run."""
    try:
        described = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
        named = Path(described["base_model_name_or_path"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"The adapter_config.json of {adapter} names no base model ({type(error).__name__}). Give the folder that "
            "PEFT's save_pretrained wrote, as `mllmu-med unlearn` leaves it in OUT/adapter."
        ) from error
    if not (adapter / "adapter_model.safetensors").is_file():
        said = usable.no_safetensors(path.name for path in adapter.iterdir())
        raise UserError(f"The weights of the adapter {adapter} can't be loaded: {said}")
    for place in (named, adapter.parent.parent / named):
        with suppress(UserError):
            return model_folder(place)
    raise UserError(
        f"The adapter {adapter} belongs to a model named '{named}', neither a hub id nor a run beside its own. "
        f"Give the merged model, {adapter.parent / 'model'}."
    )


def load(model: str | Path, dtype: Literal["float32", "bfloat16"] = "float32", load_in_4bit: bool = False) -> Loaded:
    """Return the model with its processor, or refuse it with the reason before its weights are read.

    An adapter folder is merged into its base first, so that the reference of a later run is what the adapter says.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForImageTextToText

    place = model_folder(model)
    base = _base(place)
    config, processor = usable.checked(model, base)
    try:
        loaded, found = AutoModelForImageTextToText.from_pretrained(
            base,
            dtype=getattr(torch, dtype),
            **(_in_4_bits(getattr(torch, dtype)) if load_in_4bit else {}),
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UserError(f"The weights of {model} can't be loaded: {usable.first_line(error)}") from error
    if absent := sorted(found["missing_keys"]):  # they would be drawn at random
        raise UserError(
            f"The weights of {model} can't be loaded: {absent[0]} and {len(absent) - 1} more that its configuration "
            "asks for are not in the file. Save or download the model again, or take the configuration that belongs to "
            "the weights."
        )
    if base != place:
        from peft import PeftModel

        loaded = PeftModel.from_pretrained(loaded, place).merge_and_unload()
    stored = getattr(config, "dtype", None) or torch.float32
    if not load_in_4bit:  # those are placed while they are read
        loaded = loaded.to("cuda" if torch.cuda.is_available() else "cpu")
    return Loaded(loaded.eval(), processor, stored)


def own_dtype(model: str | Path) -> Literal["float32", "bfloat16"]:
    """Return the type to load a model in as it is stored: bfloat16 where its weights are in half precision."""
    import torch

    stored = getattr(usable.configuration(model, _base(model_folder(model))), "dtype", None)
    return "bfloat16" if stored in (torch.bfloat16, torch.float16) else "float32"


def _in_4_bits(dtype: torch.dtype) -> dict[str, object]:
    """Return how to read weights in 4 bits (QLoRA, arXiv 2305.14314: NF4, its scales quantized too)."""
    import torch
    from transformers import BitsAndBytesConfig

    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {"quantization_config": quantization, "device_map": {"": torch.cuda.current_device()}}


def language_model(model: PreTrainedModel) -> tuple[str, nn.Module]:
    """Return the path and module of the language model (without the head)."""
    return _path(model, model.get_decoder(), "language model")


def vision_tower(model: PreTrainedModel) -> tuple[str, nn.Module]:
    """Return the path and module of the vision tower."""
    return _path(model, model.get_encoder(modality="image"), "vision tower")


def family(model: PreTrainedModel) -> Family:
    """Return what is special about the model's architecture."""
    own_positions = any(hasattr(part, "get_rope_index") for part in (model, model.base_model))
    return Family(not own_positions, ANSWER_TOKEN_TYPES.get(model.config.model_type, 0))


def freeze_vision(model: PreTrainedModel) -> None:
    """Make everything trainable but the vision tower; its projector stays trainable wherever it lives."""
    _, tower = vision_tower(model)
    model.requires_grad_(True)
    tower.requires_grad_(False)  # no input of it needs a gradient either, so its graph is never built
    for name, part in tower.named_children():
        if PROJECTS.search(name):
            part.requires_grad_(True)


def linear_pattern(model: PreTrainedModel) -> str:
    """Return a pattern that matches the linear layers of the language model and nothing else, by their full names.

    A list of last names would match by suffix and wrap the vision tower's layers as well.
    """
    from torch import nn

    path, decoder = language_model(model)
    last = sorted({name.rsplit(".", 1)[-1] for name, part in decoder.named_modules() if isinstance(part, nn.Linear)})
    return rf"{re.escape(path)}\..*\.({'|'.join(map(re.escape, last))})"


def decoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """Return the layers of the language model, first to last."""
    path, decoder = language_model(model)
    layers = getattr(decoder, "layers", None)
    if layers is None:
        raise UserError(
            f"The language model of a '{model.config.model_type}' model ({path}) has no list of layers, so a method "
            "that reads one layer can't be run on it. Use another method."
        )
    return layers


def mlp_pattern(model: PreTrainedModel, places: Sequence[int]) -> str:
    """Return a pattern that matches the linear layers of these decoder layers' MLPs, by their full names."""
    from torch import nn

    path, _ = language_model(model)
    names = [
        name
        for place in places
        for name, part in decoder_layers(model)[place].named_modules()
        if isinstance(part, nn.Linear) and re.search("mlp|feed_forward|ffn", name)
    ]
    if not names:
        raise UserError(f"No MLP was found in the layers of a '{model.config.model_type}' model. Use another method.")
    inner = "|".join(sorted({re.escape(name) for name in names}))
    return rf"{re.escape(path)}\.layers\.({'|'.join(map(str, places))})\.({inner})"


def digest(model: str | Path, peft: str | Path | None = None) -> str:
    """Return what names a model, `2-` and 16 hex digits: the content of every file that decides an answer.

    An adapter counts with its base, whether it is the model or lies on top of it (`peft`); a Hub id by its files at
    the commit it stands at. The 2 is the rule: digests of rule 1 (16 hex digits alone, of weights and configuration)
    are those of older records, see :func:`is_digest_of`.
    """
    return digest_of(file_layers(model, peft))


def digest_of(layers: Sequence[Mapping[str, str]]) -> str:
    """Return the digest of the files that :func:`file_layers` returns."""
    return f"{RULE}-{hashlib.sha256(canonical_json(list(layers)).encode()).hexdigest()[:16]}"


def file_layers(model: str | Path, peft: str | Path | None = None) -> list[dict[str, str]]:
    """Return the sha256 of every deciding file, by name: of the model, then of each adapter on top of it."""
    place = model_folder(model)
    layers = [contents(one) for one in _stacked(place)]
    return layers if peft is None else [*layers, contents(model_folder(peft))]


def revision(model: str | Path) -> str | None:
    """Return the commit a Hub id stands at; None for a folder."""
    place = model_folder(model)
    return None if place.is_dir() else hub_snapshot(str(place)).name


def is_digest_of(recorded: object, model: str | Path) -> bool:
    """Say whether a record's digest is the model's, by the rule that the record was made by.

    Rule 1 knew weights and configuration, so of what else decides an answer an old record says nothing.
    """
    return recorded == (digest(model) if names_by_this_rule(recorded) else _digest_by_rule_1(model))


def names_by_this_rule(recorded: object) -> bool:
    """Say whether a recorded digest is of today's rule, not of an older one."""
    return isinstance(recorded, str) and recorded.startswith(f"{RULE}-")


def _digest_by_rule_1(model: str | Path) -> str:
    place = model_folder(model)
    if not place.is_dir():
        return hashlib.sha256(str(place).encode()).hexdigest()[:16]
    summed = hashlib.sha256()
    for file in sorted((*place.glob("*.safetensors"), *place.glob("*config.json"))):
        summed.update(file.name.encode() + bytes.fromhex(sha256(file)))
    return summed.hexdigest()[:16]


def _stacked(place: Path) -> list[Path]:
    """Return the folders a model is loaded from: its own, and before it that of the base where it is an adapter."""
    stack: list[Path] = []
    while True:
        folder = place if place.is_dir() else hub_snapshot(str(place))
        if folder in stack:
            raise UserError(
                f"The adapter {place} names itself as its base model, in its {ADAPTER}. Name there the model that it "
                "was trained on."
            )
        stack.insert(0, folder)
        if not (folder / ADAPTER).is_file():
            return stack
        try:
            place = _adapter_base(folder)
        except UserError:
            if (folder / "config.json").is_file():  # a whole model beside whose files the adapter's settings were left
                return stack
            raise


def short_name(model: str | Path) -> str:
    """Return a model's name without machine paths: a hub id, that of a packaged model, or the last part of a folder."""
    folder = Path(model)
    if not folder.is_dir():
        return str(model)
    folder = folder.resolve()
    return folder.parent.name if folder.name in ("model", "adapter") else folder.name


def _path(model: PreTrainedModel, part: nn.Module, what: str) -> tuple[str, nn.Module]:
    for name, module in model.named_modules():
        if module is part and name:
            return name, part
    raise UserError(
        f"The {what} of a '{model.config.model_type}' model was not found, so it can't be trained apart from the rest. "
        "Use a model whose language model and vision tower are separate modules."
    )
