"""What a step of a model of true size computes, counted without weights: obvious against ours, and the vision's share.

    python -m tests.benchmarks.step_flops

Floating-point operations of vision tower, language model with adapter (forward, backward) and head, counted by torch on
the meta device at the models' own sizes, then added up as each implementation calls them. Time on a device follows them
only roughly; memory is not theirs to say.
"""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForImageTextToText, CLIPVisionConfig, LlamaConfig, LlavaConfig

BATCH, QUESTION, ANSWER = 4, 30, 24
# Language model: width, layers, MLP, heads, key heads, vocabulary. Vision: width, layers, MLP, heads. Image tokens.
SIZES = {
    "LLaVA-1.5-7B": ((4096, 32, 11008, 32, 32, 32_064), (1024, 24, 4096, 16), 576),
    # Its tower stood in for by one of CLIP's kind with as many parameters (0.67 billion), four patches to a token.
    "Qwen2.5-VL-3B": ((2048, 36, 11008, 16, 2, 151_936), (1280, 32, 3420, 16), 256),
    "wide": ((512, 6, 1376, 8, 8, 150_000), (256, 4, 1024, 4), 256),
}


def counted(call, *given: object) -> tuple[int, torch.Tensor]:
    """Return the operations of a call, and its result."""
    with FlopCounterMode(display=False) as counter:
        result = call(*given)
    return counter.get_total_flops(), result


def parts(name: str) -> dict[str, int]:
    """Return the operations of each part of a batch: vision, body forward and backward, a head position's both ways."""
    (width, layers, mlp, heads, key_heads, vocabulary), (seen, deep, wide, eyes), image = SIZES[name]
    patches = image if name != "Qwen2.5-VL-3B" else 4 * image
    vision = CLIPVisionConfig(
        image_size=14 * round(patches**0.5), patch_size=14, hidden_size=seen, num_hidden_layers=deep,
        intermediate_size=wide, num_attention_heads=eyes, projection_dim=seen,
    )  # fmt: skip
    text = LlamaConfig(
        hidden_size=width, num_hidden_layers=layers, intermediate_size=mlp, num_attention_heads=heads,
        num_key_value_heads=key_heads, vocab_size=vocabulary,
    )  # fmt: skip
    from baselines.config import Lora
    from baselines.model import models
    from baselines.model.adapter import with_adapter

    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(LlavaConfig(vision_config=vision, text_config=text))
        side = vision.image_size
        pixels = torch.empty(BATCH, 3, side, side)
        _, tower = models.vision_tower(model)
        with torch.no_grad():
            looked, _ = counted(tower, pixels)
        _, body = models.language_model(with_adapter(model, Lora(), 0).get_base_model())
        read = image + QUESTION + ANSWER - 1
        given = {"inputs_embeds": torch.empty(BATCH, read, width), "use_cache": False}
        given["attention_mask"] = torch.empty(BATCH, 1, read, read)  # made from values otherwise, which meta has not
        forward, hidden = counted(lambda: body(**given).last_hidden_state)
        backward, _ = counted(lambda: hidden.backward(torch.empty_like(hidden)))
        head, one = nn.Linear(width, vocabulary, bias=False).requires_grad_(False), torch.empty(1, width)
        position, _ = counted(head, one)
    # A frozen head goes backward to its input alone, which is as much as forward.
    return {"vision": looked, "forward": forward, "backward": backward, "position": position}


def main() -> None:
    """Print a table."""
    print("| model | method | obvious / ours | head in obvious | vision in obvious | vision in ours |")
    print("|---|---|---|---|---|---|")
    for name in SIZES:
        part = parts(name)
        image = SIZES[name][2]
        everywhere, answers = BATCH * (image + QUESTION + ANSWER), BATCH * ANSWER
        for method, forwards in (("kl_min", 3), ("gd", 2)):
            common = forwards * part["forward"] + 2 * part["backward"]
            head = (forwards + 2) * part["position"]
            # The reference of ours takes what the tower gave for the model: two batches, two looks.
            ours = common + 2 * part["vision"] + head * answers
            obvious = common + forwards * part["vision"] + head * everywhere
            shares = (head * everywhere / obvious, forwards * part["vision"] / obvious, 2 * part["vision"] / ours)
            cells = " | ".join(f"{share:.1%}" for share in shares)
            print(f"| {name} | {method} | {obvious / ours:.2f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
