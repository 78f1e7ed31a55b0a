"""Greedy decoding of every model alike: what a model ships of sampling, penalties and lengths is put aside, and told.

A ``generation_config.json`` (or, in old folders, the ``config.json``) may set a repetition penalty, beams, forbidden
words or a length that ``generate`` applies unasked. Answers made so are not the model's likeliest ones, and two models
that ship different settings can't be compared. The ids that begin, pad and end an answer stay.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mllmu_med_dataset.errors import UserError

if TYPE_CHECKING:
    from transformers import GenerationConfig

SETTINGS = "generation_config.json"
TOKENS = ("bos_token_id", "decoder_start_token_id", "eos_token_id", "pad_token_id")
# What a harness records as the way answers were made; score refuses to compare two ways.
GREEDY = "greedy, the model's own generation settings put aside"
SERVED = "greedy, every setting a server may have of its own overridden in the request"
SERVED_IN_PART = "greedy, but the server takes no setting that would keep a repetition penalty of its own out"
AS_GIVEN = "as the given model decodes"
# What chat completions take everywhere, and what vLLM, SGLang and LMDeploy take beside it. Temperature 0 is greedy.
STANDARD = {"temperature": 0.0, "top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
PENALTIES = {"repetition_penalty": 1.0, "min_tokens": 0}
# Of a task's settings, those of transformers' generate that other engines know as well.
COMMON = ("until", "max_gen_toks", "do_sample", "temperature")
# Values that leave a greedy answer as it is; not told where a model ships them.
_NEUTRAL = {
    "do_sample": False, "num_beams": 1, "num_beam_groups": 1, "num_return_sequences": 1, "early_stopping": False,
    "temperature": 1.0, "top_k": 50, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0, "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0, "repetition_penalty": 1.0, "encoder_repetition_penalty": 1.0, "length_penalty": 1.0,
    "diversity_penalty": 0.0, "no_repeat_ngram_size": 0, "encoder_no_repeat_ngram_size": 0, "min_length": 0,
    "max_length": 20, "guidance_scale": 1.0, "num_assistant_tokens": 20, "num_assistant_tokens_schedule": "constant",
    "assistant_confidence_threshold": 0.4, "assistant_lookbehind": 10, "target_lookbehind": 10, "use_cache": True,
}  # fmt: skip


@contextmanager
def greedy(model: object) -> Iterator[dict[str, object]]:
    """Let a model in memory decode greedily, and yield what was put aside; afterwards its own settings are back.

    A model that is no torch module (a served one, vLLM's engine) is left alone: its settings go with each request.
    """
    with ExitStack() as stack:
        aside: dict[str, object] = {}
        # An adapter's wrapper and the model inside may each hold settings of their own.
        for module in model.modules() if hasattr(model, "modules") else ():
            if (config := vars(module).get("generation_config")) is not None:
                aside |= told(config.to_dict())
                stack.callback(setattr, module, "generation_config", config)
                module.generation_config = plain(config)
        yield aside


def plain(config: "GenerationConfig") -> "GenerationConfig":
    """Return settings that hold the ids of tokens alone: greedy decoding."""
    from transformers import GenerationConfig

    return GenerationConfig(**{name: getattr(config, name, None) for name in TOKENS})


def told(settings: Mapping[str, object]) -> dict[str, object]:
    """Return the settings, by name, that may make an answer other than the greedy one."""
    return {
        name: value
        for name, value in sorted(settings.items())
        if name not in (*TOKENS, "transformers_version")
        and not name.startswith(("_", "output_"))
        and value not in (None, False, [], {}, _NEUTRAL.get(name))
    }


def shipped(model: str | Path) -> dict[str, object]:
    """Return what a model folder or Hub id ships that is put aside; :class:`UserError` for settings no model can have.

    transformers would pass over a file that is no JSON as if it were absent, and with it over the ids that end answers.
    """
    path = _settings_file(model)
    if path is None:
        return {}
    from transformers import GenerationConfig

    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(settings, dict):
            raise TypeError(f"it holds {type(settings).__name__}, not an object of settings")
        for name in TOKENS:
            _check_ids(name, settings.get(name))
        GenerationConfig.from_dict(settings)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise UserError(
            f"The {SETTINGS} of {model} can't be read: {first}. Save it again with "
            "model.generation_config.save_pretrained, or remove it where the model's config.json names the token that "
            "ends an answer."
        ) from error
    return told(settings)


def _settings_file(model: str | Path) -> Path | None:
    if Path(model).is_dir():
        path = Path(model) / SETTINGS
        return path if path.exists() else None
    from transformers.utils import cached_file

    try:
        found = cached_file(str(model), SETTINGS, _raise_exceptions_for_missing_entries=False)
    except (OSError, ValueError):  # what loads the model tells why
        return None
    return Path(found) if found else None


def _check_ids(name: str, value: object) -> None:
    ids = value if isinstance(value, list) else [value]
    if not all(one is None or (isinstance(one, int) and not isinstance(one, bool)) for one in ids):
        raise TypeError(f"{name} is {value!r}, which is no id of a token (a whole number, or a list of such)")
