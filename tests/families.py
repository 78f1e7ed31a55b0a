"""A tiny random model of every family we support, in its own configuration, processor and chat format.

Images of different shapes come out as different numbers of image tokens wherever the family's real processor cuts
them into tiles or patches, so that batches of them are as uneven as real ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.tiny_model import trained_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, ProcessorMixin

WIDTH = 32
SPREAD = 0.2  # of fresh weights: at the usual 0.02 what a random model sees hardly moves what it says
PLAIN = "{{ part['text'] }}"


@dataclass(frozen=True)
class Vocabulary:
    """What a family's tokenizer has beside its words, and whether it puts `bos` before every text."""

    pad: str
    bos: str | None
    eos: str
    named: Mapping[str, str]
    others: Sequence[str] = ()
    begins_texts: bool = False


def _template(user: str, image: str, between: str, assistant: str, *, head: str = "", image_first: bool = True) -> str:
    """Return a chat template: every message between its marks, images as the family's mark."""
    order = "|sort(attribute='type')" if image_first else ""  # "image" comes before "text"
    return (
        head + "{% for message in messages %}" + user + "{% for part in message['content']" + order + " %}"
        "{% if part['type'] == 'image' %}" + image + "{% else %}" + PLAIN + "{% endif %}{% endfor %}" + between
        + "{% endfor %}{% if add_generation_prompt %}" + assistant + "{% endif %}"
    )  # fmt: skip


QWEN_WORDS = Vocabulary(
    pad="<|endoftext|>",
    bos=None,
    eos="<|im_end|>",
    named={
        "image_token": "<|image_pad|>",
        "video_token": "<|video_pad|>",
        "vision_start_token": "<|vision_start|>",
        "vision_end_token": "<|vision_end|>",
    },
    others=("<|im_start|>",),
)
QWEN_TURNS = _template(
    "<|im_start|>{{ message['role'] }}\n",
    "<|vision_start|><|image_pad|><|vision_end|>",
    "<|im_end|>\n",
    "<|im_start|>assistant\n",
    image_first=False,
)
IDEFICS_WORDS = Vocabulary(
    pad="<|im_end|>",
    bos="<|im_start|>",
    eos="<end_of_utterance>",
    named={
        "image_token": "<image>",
        "fake_image_token": "<fake_token_around_image>",
        "global_image_token": "<global-img>",
        "end_of_utterance_token": "<end_of_utterance>",
    },
    others=tuple(f"<row_{row}_col_{column}>" for row in range(1, 4) for column in range(1, 4)),
)
IDEFICS_TURNS = _template(
    "{{ message['role'] | capitalize }}:", "<image>", "<end_of_utterance>\n", "Assistant:", head="<|im_start|>"
)


def tokenizer_of(words: Vocabulary) -> "PreTrainedTokenizerFast":
    """Return a byte-level tokenizer trained on a few sentences, with a family's special tokens."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    special = list(dict.fromkeys(filter(None, (words.pad, words.bos, words.eos, *words.named.values(), *words.others))))
    tokenizer = trained_tokenizer(special)
    if words.begins_texts:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{words.bos} $A", special_tokens=[(words.bos, tokenizer.token_to_id(words.bos))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=words.pad,
        bos_token=words.bos,
        eos_token=words.eos,
        additional_special_tokens=list(words.others),
        extra_special_tokens=dict(words.named),
    )


def _text(tokenizer: "PreTrainedTokenizerFast", **more: object) -> dict[str, object]:
    """Return the settings every language model shares."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "initializer_range": SPREAD,
        **more,
    }


def _vision(image: int, patch: int, **more: object) -> dict[str, object]:
    """Return the settings of a vision tower."""
    return {
        "image_size": image,
        "patch_size": patch,
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "initializer_range": SPREAD,
        **more,
    }


Made = tuple[object, "ProcessorMixin"]


def _llava() -> Made:
    from transformers import CLIPImageProcessor, CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaProcessor

    words = Vocabulary("<pad>", "<s>", "</s>", {"image_token": "<image>"}, begins_texts=True)
    tokenizer = tokenizer_of(words)
    size = {"height": 32, "width": 32}
    processor = LlavaProcessor(
        CLIPImageProcessor(size=size, crop_size=size),
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_template("{{ message['role'].upper() }}: ", "<image>\n", " ", "ASSISTANT:"),
    )
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**_vision(32, 8, projection_dim=WIDTH)),
        text_config=LlamaConfig(**_text(tokenizer)),
        image_token_index=tokenizer.image_token_id,
    )
    return config, processor


def _llava_next() -> Made:
    from transformers import (
        CLIPVisionConfig,
        LlavaNextConfig,
        LlavaNextImageProcessor,
        LlavaNextProcessor,
        MistralConfig,
    )

    words = Vocabulary("<pad>", "<s>", "</s>", {"image_token": "<image>"}, begins_texts=True)
    tokenizer = tokenizer_of(words)
    grids = [[32, 64], [64, 32], [64, 64], [96, 32]]
    processor = LlavaNextProcessor(
        LlavaNextImageProcessor(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, image_grid_pinpoints=grids
        ),
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_template("[INST] ", "<image>\n", " [/INST]", ""),
    )
    config = LlavaNextConfig(
        vision_config=CLIPVisionConfig(**_vision(32, 8, projection_dim=WIDTH)),
        text_config=MistralConfig(**_text(tokenizer)),
        image_token_index=tokenizer.image_token_id,
        image_grid_pinpoints=grids,
    )
    return config, processor


def _qwen2_5_vl() -> Made:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLProcessor, Qwen2VLImageProcessor

    tokenizer = tokenizer_of(QWEN_WORDS)
    edges = {"shortest_edge": 28 * 28, "longest_edge": 6 * 28 * 28}
    system = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(size=edges),
        tokenizer,
        _videos("Qwen2VLVideoProcessor"),
        chat_template=system + QWEN_TURNS,
    )
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": 2,
            "hidden_size": WIDTH,
            "intermediate_size": 2 * WIDTH,
            "num_heads": 2,
            "out_hidden_size": WIDTH,
            "initializer_range": SPREAD,
            "fullatt_block_indexes": [1],
            "window_size": 56,
        },
        text_config=_text(tokenizer, rope_parameters={"rope_type": "default", "mrope_section": [2, 3, 3]}),
        **_qwen_ids(tokenizer),
    )
    return config, processor


def _qwen3_vl() -> Made:
    from transformers import Qwen2VLImageProcessor, Qwen3VLConfig, Qwen3VLProcessor

    tokenizer = tokenizer_of(QWEN_WORDS)
    edges = {"shortest_edge": 32 * 32, "longest_edge": 6 * 32 * 32}
    processor = Qwen3VLProcessor(
        Qwen2VLImageProcessor(size=edges, patch_size=16),
        tokenizer,
        _videos("Qwen3VLVideoProcessor"),
        chat_template=QWEN_TURNS,
    )
    config = Qwen3VLConfig(
        vision_config={
            "depth": 2,
            "hidden_size": WIDTH,
            "intermediate_size": 2 * WIDTH,
            "num_heads": 2,
            "out_hidden_size": WIDTH,
            "initializer_range": SPREAD,
            "deepstack_visual_indexes": [0],
            "num_position_embeddings": 16,
        },
        text_config=_text(
            tokenizer,
            head_dim=16,
            rope_parameters={"rope_type": "default", "mrope_section": [4, 2, 2], "mrope_interleaved": True},
        ),
        **_qwen_ids(tokenizer),
    )
    return config, processor


def _qwen_ids(tokenizer: "PreTrainedTokenizerFast") -> dict[str, int]:
    return {f"{name}_id": getattr(tokenizer, f"{name}_id") for name in QWEN_WORDS.named}


def _idefics3() -> Made:
    from transformers import Idefics3Config, Idefics3ImageProcessor, Idefics3Processor, LlamaConfig

    tokenizer = tokenizer_of(IDEFICS_WORDS)
    images = Idefics3ImageProcessor(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    processor = Idefics3Processor(images, tokenizer, image_seq_len=4, chat_template=IDEFICS_TURNS)
    config = Idefics3Config(
        vision_config=_vision(32, 8),
        text_config=LlamaConfig(**_text(tokenizer)),
        scale_factor=2,
        image_token_id=tokenizer.image_token_id,
    )
    return config, processor


def _smolvlm() -> Made:
    from transformers import LlamaConfig, SmolVLMConfig, SmolVLMImageProcessor, SmolVLMProcessor

    tokenizer = tokenizer_of(IDEFICS_WORDS)
    images = SmolVLMImageProcessor(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    processor = SmolVLMProcessor(
        images, tokenizer, _videos("SmolVLMVideoProcessor"), image_seq_len=4, chat_template=IDEFICS_TURNS
    )
    config = SmolVLMConfig(
        vision_config=_vision(32, 8),
        text_config=LlamaConfig(**_text(tokenizer)),
        scale_factor=2,
        image_token_id=tokenizer.image_token_id,
    )
    return config, processor


def _gemma3() -> Made:
    from transformers import Gemma3Config, Gemma3ImageProcessor, Gemma3Processor

    named = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
    words = Vocabulary("<pad>", "<bos>", "<eos>", named, ("<start_of_turn>", "<end_of_turn>"), begins_texts=True)
    tokenizer = tokenizer_of(words)
    processor = Gemma3Processor(
        Gemma3ImageProcessor(size={"height": 32, "width": 32}),
        tokenizer,
        image_seq_length=4,
        chat_template=_template(
            "<start_of_turn>{{ message['role'] }}\n",
            "<start_of_image>",
            "<end_of_turn>\n",
            "<start_of_turn>model\n",
            head="<bos>",
        ),
    )
    config = Gemma3Config(
        vision_config=_vision(32, 8),
        text_config=_text(
            tokenizer, head_dim=16, layer_types=["sliding_attention", "full_attention"], sliding_window=8
        ),
        mm_tokens_per_image=4,
        boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id,
        image_token_index=tokenizer.image_token_id,
    )
    return config, processor


def _paligemma() -> Made:
    from transformers import GemmaConfig, PaliGemmaConfig, PaliGemmaProcessor, SiglipImageProcessor, SiglipVisionConfig

    words = Vocabulary("<pad>", "<bos>", "<eos>", {"image_token": "<image>"})
    tokenizer = tokenizer_of(words)
    images = SiglipImageProcessor(size={"height": 32, "width": 32})
    images.image_seq_length = 16
    # The published models have no chat template; this is the prompt they were tuned with.
    processor = PaliGemmaProcessor(images, tokenizer, chat_template=_template("", "<image>answer en ", "", ""))
    config = PaliGemmaConfig(
        vision_config=SiglipVisionConfig(**_vision(32, 8, vision_use_head=False)),
        text_config=GemmaConfig(**_text(tokenizer, head_dim=16)),
        image_token_index=tokenizer.image_token_id,
        projection_dim=WIDTH,
        hidden_size=WIDTH,
    )
    return config, processor


def _internvl() -> Made:
    from transformers import GotOcr2ImageProcessor, InternVLConfig, InternVLProcessor, Qwen2Config

    named = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    words = Vocabulary("<|endoftext|>", None, "<|im_end|>", named, ("<|im_start|>",))
    tokenizer = tokenizer_of(words)
    processor = InternVLProcessor(
        GotOcr2ImageProcessor(size={"height": 32, "width": 32}, crop_to_patches=True, max_patches=4),
        tokenizer,
        _videos("InternVLVideoProcessor"),
        image_seq_length=4,
        chat_template=_template(
            "<|im_start|>{{ message['role'] }}\n",
            "<IMG_CONTEXT>\n",
            "<|im_end|>\n",
            "<|im_start|>assistant\n",
            image_first=False,
        ),
    )
    config = InternVLConfig(
        vision_config=_vision(32, 8),
        text_config=Qwen2Config(**_text(tokenizer)),
        image_token_id=tokenizer.context_image_token_id,
        image_seq_length=4,
    )
    return config, processor


# The model type, and what makes its configuration and its processor.
FAMILIES: dict[str, Callable[[], Made]] = {
    "llava": _llava,
    "llava_next": _llava_next,
    "qwen2_5_vl": _qwen2_5_vl,
    "qwen3_vl": _qwen3_vl,
    "idefics3": _idefics3,
    "smolvlm": _smolvlm,
    "gemma3": _gemma3,
    "paligemma": _paligemma,
    "internvl": _internvl,
}


def videos_are_never_shown() -> type:
    """Return what stands in for a family's video processor where torchvision is not installed, and let it be loaded.

    The image processors have a form without torchvision, the video processors have none, and some processors can't be
    made without one. No video is ever shown here.
    """
    import transformers
    from transformers.models.auto.video_processing_auto import AutoVideoProcessor
    from transformers.video_processing_utils import VideoProcessorMixin

    class NoVideos(VideoProcessorMixin):
        merge_size = temporal_patch_size = 2
        num_frames = fps = 1

    transformers.VideoProcessorMixin = VideoProcessorMixin  # named only where torchvision is
    AutoVideoProcessor.from_pretrained = classmethod(lambda cls, *_, **__: NoVideos())
    return NoVideos


def _videos(name: str) -> object:
    """Return a family's video processor, or its stand-in."""
    import transformers
    from transformers.utils import is_torchvision_available

    return getattr(transformers, name)() if is_torchvision_available() else videos_are_never_shown()()


def make_family(name: str, folder: Path, *, seed: int = 0) -> Path:
    """Write a tiny random model of a family with its processor into the folder and return it."""
    import torch
    from transformers import AutoModelForImageTextToText

    config, processor = FAMILIES[name]()
    torch.manual_seed(seed)
    model = AutoModelForImageTextToText.from_config(config)
    for part in model.parameters():
        if part.ndim > 1 and not part.any():  # Gemma 3's projector begins as zeros: such a model is blind
            torch.nn.init.normal_(part, std=SPREAD)
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
