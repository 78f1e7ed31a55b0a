"""The three ways to ask a model: in this process (``hf``), behind a server (``served``), through vLLM (``vllm``).

Every one is lm-eval's own model of that kind (``hf-multimodal``, ``local-chat-completions``, ``vllm-vlm``) and is asked
the same rows in the same words; prompts are compared when results are, so those of different backends don't mix.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mllmu_med_dataset.errors import UserError, nearest, unknown
from mllmu_med_tasks import decoding
from mllmu_med_tasks.quiet import Count, quiet

if TYPE_CHECKING:
    from lm_eval.api.model import LM
    from lm_eval.models.hf_vlms import HFMultimodalLM
    from transformers import PreTrainedModel, ProcessorMixin

BACKENDS = ("hf", "served", "vllm")
# What lm-eval calls them, which is what its results files say.
SOURCES = {"hf": "hf-multimodal", "served": "local-chat-completions", "vllm": "vllm-vlm"}
BATCH_SIZE = 64
CHAT = "/chat/completions"


@dataclass(frozen=True, kw_only=True)
class Backend:
    """How a model is asked: in this process, behind a server, or through vLLM.

    peft: an adapter on top of the model. base_url, concurrent: where a served model is, and how many requests are in
    flight at once. batch_size: rows answered at once. device: a torch device name; an accelerator if there is one.
    model_args: further arguments of vllm-vlm. A :class:`UserError` refuses options that another backend takes.
    """

    kind: str = "hf"
    peft: str | Path | None = None
    base_url: str | None = None
    concurrent: int = 1
    batch_size: int = BATCH_SIZE
    device: str | None = None
    model_args: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown kind."""
        if self.kind not in BACKENDS:
            raise unknown("backend", self.kind, BACKENDS)

    def check(self) -> None:
        """Refuse options that another kind takes."""
        served = self.kind == "served"
        if (self.base_url is None) == served:
            raise UserError(
                "The backend served needs the address of the server: --base-url http://localhost:8000/v1."
                if self.base_url is None
                else f"A base URL is for the backend served, not for {self.kind}. Leave it out, or say --backend "
                "served."
            )
        if served and self.peft is not None:
            raise UserError(
                "A served model has its adapter loaded where it is served, so peft is not for it. Serve the adapter "
                "under a name of its own (vLLM: --lora-modules NAME=FOLDER) and give that name as the model."
            )
        if self.model_args and self.kind != "vllm":
            raise UserError(f"Model arguments are for the backend vllm, not for {self.kind}. Leave them out.")

    def open(self, model: str | Path, *, seed: int = 0) -> "LM":
        """Return lm-eval's model of this kind."""
        self.check()
        if self.kind == "served":
            return open_served(str(model), base_url=str(self.base_url), concurrent=self.concurrent)
        if self.kind == "vllm":
            return open_vllm(model, peft=self.peft, batch_size=self.batch_size, seed=seed, model_args=self.model_args)
        return open_model(model, peft=self.peft, batch_size=self.batch_size, device=self.device)


def load_processor(folder: str | Path) -> "ProcessorMixin":
    """Return the processor of a model folder (or Hub id); a :class:`UserError` if it can't take an image."""
    from transformers import AutoProcessor

    fix = "Give the folder of a vision-language model saved together with its processor."
    try:
        processor = AutoProcessor.from_pretrained(str(folder))
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"The model '{folder}' has no processor that can be loaded ({reason}). {fix}") from error
    if getattr(processor, "image_processor", None) is None:
        raise UserError(f"The model '{folder}' has no image processor: it reads text only. {fix}")
    return processor


def check_chat_template(processor: "ProcessorMixin", name: str | Path) -> None:
    """Raise a :class:`UserError` if the processor has no chat template."""
    if not (getattr(processor, "chat_template", None) or getattr(processor.tokenizer, "chat_template", None)):
        raise UserError(
            f"The model '{name}' has no chat template (chat_template.jinja beside its processor). Save one with it, as "
            "the model's own chat format needs: training and evaluation must ask the same prompt."
        )


def wrap(
    model: "PreTrainedModel",
    processor: "ProcessorMixin",
    *,
    batch_size: int = BATCH_SIZE,
) -> "HFMultimodalLM":
    """Return lm-eval's model around one already in memory (adapters included); weights are used as they are."""
    from mllmu_med_tasks.harness_model import HarnessModel

    with quiet(Count(None)):
        return HarnessModel(model, processor=processor, batch_size=batch_size)


def open_model(
    folder: str | Path, *, peft: str | Path | None = None, batch_size: int = BATCH_SIZE, device: str | None = None
) -> "HFMultimodalLM":
    """Return lm-eval's own model of a folder or Hub id, with an adapter if one is named.

    ``device`` is a torch device name; by default an accelerator if there is one.
    """
    load_processor(folder)
    decoding.shipped(folder)
    _check_adapter(peft)
    import torch

    from mllmu_med_tasks.harness_model import HarnessModel

    with quiet(Count(None)):
        try:
            return HarnessModel(
                str(folder),
                batch_size=batch_size,
                device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
                peft=str(peft) if peft else None,
            )
        except (RuntimeError, ValueError, KeyError) as error:
            if peft is None:
                raise
            raise UserError(
                f"The adapter '{peft}' does not fit the model '{folder}' ({str(error).splitlines()[0]}). Give the "
                "model that it was trained on."
            ) from error


def open_served(model: str, *, base_url: str, concurrent: int = 1) -> "LM":
    """Return lm-eval's model of one that an OpenAI-compatible server offers under this name.

    The address may end in ``/v1`` or ``/v1/chat/completions``. ``concurrent`` requests are in flight at once. A server
    that does not answer, or does not offer the model, is a :class:`UserError`.
    """
    if find_spec("tenacity") is None or find_spec("aiohttp") is None:
        raise UserError(
            "The backend served needs the packages tenacity and aiohttp, of which one is not installed here. Install "
            "them with: pip install 'lm_eval[api]'."
        )
    url = base_url.rstrip("/").removesuffix(CHAT)
    _check_served(url, model)
    from mllmu_med_tasks.served_model import ServedModel

    with quiet(Count(None)):
        served = ServedModel(model, base_url=url + CHAT, concurrent=concurrent)
        served.find_out_what_it_takes()
        return served


def _check_served(url: str, model: str) -> None:
    """Ask the server which models it offers; one without such a list is taken at its word."""
    import requests

    try:
        reply = requests.get(f"{url}/models", timeout=30)
    except (requests.RequestException, ValueError) as error:
        raise UserError(
            f"No server answers at {url} ({type(error).__name__}). Start it (`vllm serve MODEL`, for example) and give "
            "its address: --base-url http://localhost:8000/v1."
        ) from error
    try:
        offered = [str(one["id"]) for one in reply.json()["data"]] if reply.ok else []
    except (ValueError, KeyError, TypeError):
        offered = []
    if offered and model not in offered:
        raise UserError(
            f"The server at {url} does not offer the model '{model}'.{nearest(model, offered)} It offers: "
            f"{', '.join(sorted(offered))}."
        )


def open_vllm(
    folder: str | Path,
    *,
    peft: str | Path | None = None,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
    model_args: Mapping[str, str] | None = None,
) -> "LM":
    """Return lm-eval's ``vllm-vlm`` of a folder or Hub id; needs vLLM and an accelerator."""
    arguments = vllm_arguments(folder, peft=peft, batch_size=batch_size, seed=seed, model_args=model_args)
    missing = [package for package in ("vllm", "ray") if find_spec(package) is None]
    if missing:
        raise UserError(
            f"The backend vllm needs the package {' and '.join(missing)}, not installed here. Install lm-eval with it "
            "on a machine with a GPU (pip install 'lm_eval[vllm]' ray), or use --backend hf."
        )
    load_processor(folder)
    decoding.shipped(folder)
    with quiet(Count(None)):
        from lm_eval.models.vllm_vlms import VLLM_VLM

        class GreedyVLLM(VLLM_VLM):
            """``vllm-vlm`` with a task's settings in vLLM's words, and its own penalties named."""

            @staticmethod
            def modify_gen_kwargs(gen_kwargs: dict, *more: object, **options: object) -> object:
                known = {name: value for name, value in gen_kwargs.items() if name in decoding.COMMON}
                return VLLM_VLM.modify_gen_kwargs(known | decoding.PENALTIES, *more, **options)

        return GreedyVLLM(**arguments)


def vllm_arguments(
    folder: str | Path,
    *,
    peft: str | Path | None = None,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
    model_args: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """Return the arguments of lm-eval's ``vllm-vlm``; ``model_args`` are added to them and win.

    One image a prompt, greedy like every backend; an adapter (``lora_local_path``) with room for its own rank. Further
    arguments that matter: ``tensor_parallel_size``, ``gpu_memory_utilization``, ``max_model_len`` (at least the image
    tokens of a prompt and 96), ``dtype``.
    """
    arguments: dict[str, object] = {
        "pretrained": str(folder),
        "dtype": "auto",
        "max_images": 1,
        "batch_size": batch_size,
        "seed": seed,
        # vLLM's own defaults in place of what the model ships; the ids that end an answer are still read.
        "generation_config": "vllm",
    }
    if peft is not None:
        arguments |= {"lora_local_path": str(peft), "max_lora_rank": _check_adapter(peft)}
    import yaml

    # "2" and "true" are meant as a number and a truth value, as on lm-eval's own command line.
    return arguments | {name: yaml.safe_load(value) for name, value in (model_args or {}).items()}


def _check_adapter(peft: str | Path | None) -> int:
    """Return the rank of an adapter (0 without one); a :class:`UserError` for a folder that holds none."""
    if peft is None:
        return 0
    path = Path(peft) / "adapter_config.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return max([int(document["r"]), *map(int, (document.get("rank_pattern") or {}).values())])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"'{peft}' holds no adapter: {path.name} can't be read there ({type(error).__name__}). Give the folder "
            "that PEFT's save_pretrained wrote, as `mllmu-med unlearn` leaves it in OUT/adapter."
        ) from error
