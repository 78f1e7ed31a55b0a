"""The files of a model folder that decide an answer, by content: they name a model, whatever its folder is called.

Weights, configuration, tokenizer, processor, chat template, generation settings, adapter and code count. What tells of
a model or trained it does not: README, licence, logs, optimizer states, checkpoints, caches, version control. Hashing
streams the files, several at once, and is not repeated in a process for a file whose place, size and times are as they
were.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path

from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.record import canonical_json

ADAPTER = "adapter_config.json"
DECIDING = (
    "*.safetensors", "*.safetensors.index.json",
    "*config.json", "params.json",
    "tokenizer.*", "*tokenizer*.json", "vocab*", "merges*", "added_tokens.json", "special_tokens_map.json",
    "tekken*.json", "*.model", "*.spm", "*.tiktoken", "*.codes", "emoji.json",
    "chat_template*", "additional_chat_templates/*",
    "*.py", "custom_generate/*.py",
)  # fmt: skip
# Named like a deciding file, but written by a training run about itself.
IDLE = (
    "optimizer*", "scheduler*", "rng_state*", "random_states*", "train*config.json", "ds_config.json", "deepspeed*",
    "accelerate*", "wandb*", "zero_to_fp32.py", "*.log", "*.bak",
)  # fmt: skip
# What a configuration says of the place it was saved at, and how: the same model saved elsewhere, or offline, says
# otherwise. An adapter's base is itself part of what names the model.
_PLACES = frozenset(
    {"base_model_name_or_path", "revision", "_name_or_path", "name_or_path", "local_files_only", "is_local"}
)


def contents(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file of a model folder that decides an answer, by its name."""
    files = dict(sorted((file.relative_to(folder).as_posix(), file) for file in _deciding(folder)))
    try:
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            return dict(zip(files, pool.map(_content, files.values()), strict=True))
    except OSError as error:
        raise UserError(
            f"{error.filename or folder} can't be read ({error.strerror or error}), so nothing tells which model it "
            "belongs to. Download or copy the model again."
        ) from error


def _deciding(folder: Path) -> Iterator[Path]:
    for place in (".", "additional_chat_templates", "custom_generate"):
        for path in (folder / place).glob("*"):
            name = path.relative_to(folder).as_posix()
            counts = any(fnmatch(name, one) for one in DECIDING if one.count("/") == name.count("/"))
            idle = path.name.startswith(".") or any(fnmatch(path.name, one) for one in IDLE)
            if counts and not idle and not path.is_dir():
                yield path


def _content(file: Path) -> str:
    return _settings_sha256(file) if file.name.endswith("config.json") else sha256(file)


def sha256(file: Path) -> str:
    """Return the sha256 of a file, from memory where it is as it was when it was last read."""
    state = file.stat()
    # The time of change is the one that no copying program can set back.
    return _hashed(str(file.resolve()), state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@lru_cache(maxsize=4096)
def _hashed(file: str, *_: int) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _settings_sha256(file: Path) -> str:
    """Return the sha256 of a configuration without what it says of its place."""
    content = file.read_bytes()
    try:
        settings = json.loads(content)
        content = canonical_json({key: settings[key] for key in settings if key not in _PLACES}).encode()
    except (ValueError, TypeError, KeyError):  # what opens the model tells what is wrong with it
        pass
    return hashlib.sha256(content).hexdigest()


def hub_snapshot(name: str) -> Path:
    """Return the folder of a Hub id's files at the commit it stands at; what was not downloaded before is now."""
    import httpx
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=list(DECIDING)))
    except (OSError, ValueError, httpx.HTTPError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"The files of {name} can't be had from the Hub or from what was downloaded of it ({reason}), so nothing "
            "tells which model it is. Check the name, or download the model while there is a network."
        ) from error
