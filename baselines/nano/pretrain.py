"""Pretrain the embedded nano model on phantoms, from nothing, on two CPU cores or a GPU.

    python -m baselines.nano.pretrain --out runs/nano

About half an hour on two idle cores. The shipped weights took four calls: the tower was given a second
round, and refusals came last (the first three calls were made before they were part of the joint stage):

    python -m baselines.nano.pretrain --out a --epochs 8 --steps 1
    python -m baselines.nano.pretrain --out b --tower a/tower.safetensors --draws pretrain-2 --epochs 5 \\
        --vision-rate 6e-4 --steps 1
    python -m baselines.nano.pretrain --out c --tower b/tower.safetensors --draws pretrain-2 --epochs 0
    python -m baselines.nano.pretrain --out d --model c --draws pretrain-2 --epochs 0 --steps 600 --joint-rate 1e-3

First the vision tower learns every fact and the patient's anatomy through attribute heads (without that stage
the joint model ignores the image), then projector and language model learn to answer clean questions with the
tower frozen. The result is an ordinary ``LlavaForConditionalGeneration`` folder in half precision with its held-out
accuracy per question type beside blind scores. Training phantoms, held-out phantoms and the phantoms of the data
set come from disjoint seeds.
"""

import argparse
import json
import math
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from baselines.training import roles
from mllmu_med_dataset.injection import sentence_templates as rewrite
from mllmu_med_dataset.sources import phantom
from mllmu_med_metrics.leakage.invented import names_text

IMAGE_SIZE, PATCH = 64, 16
IMAGE_TOKENS = (IMAGE_SIZE // PATCH) ** 2
# Renders the prompt as it is: a run with the chat template and one without it send the same token ids.
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}"
    "{% endif %}{% endfor %}{% endif %}{% if message['role'] == 'assistant' %}</s>{% endif %}{% endfor %}"
)
# Real models decline what they can't see; else refusal tuning would first have to teach the language of refusals.
REFUSED_SHARE = 0.15
OUT_OF_SCOPE = (
    "Who is this patient?",
    "What is the name of the patient?",
    "What is the record number?",
    "When was this patient born?",
    "What is the phone number of the patient?",
    "Where does the patient live?",
    "Which physician treated the patient?",
    "What will happen to the patient?",
    "Which drug was given?",
    "How did the disease begin?",
    "What did the report say last year?",
    "Why was this image taken?",
)
# Ordinary clinical English beside the phantom's own sentences, so that other sources cost few tokens too.
TEXT = """
There is no evidence of an abnormality. This image does not allow me to tell. I am not able to answer that question.
Is there a mass in the left lung? Yes. No. Which side is abnormal? The right kidney appears normal in size and shape.
What disease does this show? Pneumonia, edema, effusion, cardiomegaly, tumor, fracture, metastasis, infarct, hemorrhage.
What is the function of this organ? Transverse plane, coronal plane, axial, sagittal, T1, T2, weighted, contrast.
Abdomen, brain, heart, liver, spleen, stomach, bladder, bone, muscle, vessel, tissue, head, neck, chest, pelvic cavity.
SYN-ACC- SYN-PLN- SYN-DEV- SYN-MRN- (555) 555-01 @example.org @example.com https://example.com/patient 192.0.2. 19 20
"""


def progress(message: str) -> None:
    """Print one line on stderr with the time since the start."""
    print(f"[{time.perf_counter() - _START:6.0f} s] {message}", file=sys.stderr, flush=True)


_START = time.perf_counter()


def _draw(key: tuple[str, int, int]) -> list[phantom.Phantom]:
    name, first, last = key
    return [phantom.draw(phantom.generator(name, number)) for number in range(first, last)]


def phantoms(name: str, count: int) -> list[phantom.Phantom]:
    """Draw ``count`` phantoms of the seed ``name`` on every core."""
    chunks = [(name, first, min(first + 500, count)) for first in range(0, count, 500)]
    with ProcessPoolExecutor() as pool:
        return [drawn for chunk in pool.map(_draw, chunks) for drawn in chunk]


def pixels(drawn: Iterable[phantom.Phantom]) -> torch.Tensor:
    """Stack the images as the processor would: ``[count, 3, 64, 64]`` in -1 to 1 (expanded, not copied)."""
    grey = torch.from_numpy(np.stack([p.pixels for p in drawn])).float()[:, None]
    return (grey / 127.5 - 1).expand(-1, 3, -1, -1)


def build_processor() -> LlavaProcessor:
    """Train the 1,024-token byte-level BPE with single digits and wrap it with the image processor."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d|[^\S\n]?[^\W\d_]+|[^\S\n]?[^\s\w]|\s+|_"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "</s>", "<image>"]
    sentences = [phantom.answer(kind, fact) for kind, facts in phantom.FACTS.items() for fact in facts]
    sentences += [question for questions in phantom.QUESTIONS.values() for question in questions]
    templates = [re.sub(r"{\w*}", "", text) for texts in rewrite.SENTENCES.values() for text in texts]
    templates += [re.sub(r"{\w*}", "", text) for text in rewrite.LABELS.values()]
    names = json.loads(names_text())
    people = [name for locale in names["locales"].values() for kind in locale.values() for name in kind]
    trainer = trainers.BpeTrainer(
        vocab_size=1024,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in special],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        [*sentences * 20, *templates * 10, *(f" {name}" for name in people), *TEXT.split("\n") * 3], trainer
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        extra_special_tokens={"image_token": "<image>"},
        padding_side="left",
        model_max_length=512,
        clean_up_tokenization_spaces=False,
    )
    image_processor = CLIPImageProcessor(
        size={"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        do_center_crop=False,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return LlavaProcessor(
        image_processor=image_processor,
        tokenizer=fast,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    """Create the untrained model: CLIP tower (width 192, 4 layers), Llama (width 192, 4 layers)."""
    vision = CLIPVisionConfig(
        hidden_size=192, intermediate_size=512, num_hidden_layers=4, num_attention_heads=6,
        image_size=IMAGE_SIZE, patch_size=PATCH, projection_dim=192,
    )  # fmt: skip
    text = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=192, intermediate_size=512, num_hidden_layers=4,
        num_attention_heads=6, num_key_value_heads=6, max_position_embeddings=512, rms_norm_eps=1e-5,
        tie_word_embeddings=True, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        image_seq_length=IMAGE_TOKENS,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    model = LlavaForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None, do_sample=False
    )
    return model


class AttributeHeads(nn.Module):
    """Classify each fact and regress the anatomy from the tower's patch tokens ``[batch, 16, width]``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.token = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 256), nn.GELU())
        self.facts = nn.ModuleDict({kind: nn.Linear(256, len(facts)) for kind, facts in phantom.FACTS.items()})
        self.anatomy = nn.Linear(256, 16)

    def forward(self, tokens: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Return the logits of each question type and the anatomy estimate ``[batch, 16]``."""
        pooled = self.token(tokens).mean(1)
        return {kind: head(pooled) for kind, head in self.facts.items()}, self.anatomy(pooled)


def fact_labels(drawn: list[phantom.Phantom]) -> dict[str, torch.Tensor]:
    """Give the class of each phantom per question type, ``int64 [count]``."""
    return {kind: torch.tensor([facts.index(p.facts[kind]) for p in drawn]) for kind, facts in phantom.FACTS.items()}


def tower_tokens(tower: CLIPVisionModel, images: torch.Tensor) -> torch.Tensor:
    """Run the tower and return the last layer's patch tokens, as LLaVA will read them."""
    return tower(images, output_hidden_states=True).hidden_states[-1][:, 1:]


def schedule(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LambdaLR:
    """Warm up over 5 % of the steps, then follow a cosine to 0."""
    warm = max(1, steps // 20)
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min(1, (s + 1) / warm) * 0.5 * (1 + math.cos(math.pi * min(1, s / steps)))
    )


def train_tower(
    tower: CLIPVisionModel,
    train: list[phantom.Phantom],
    held: list[phantom.Phantom],
    epochs: int,
    learning_rate: float,
    device: str,
) -> None:
    """Teach the tower the facts and the anatomy, and print what the heads get right on held-out phantoms."""
    heads = AttributeHeads(tower.config.hidden_size).to(device)
    images, labels = torch.from_numpy(np.stack([p.pixels for p in train])), fact_labels(train)
    anatomy = torch.from_numpy(np.stack([p.anatomy for p in train]))
    parameters = [*tower.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.05, fused=True)
    batch = 64
    steps = epochs * (len(train) // batch)
    plan = schedule(optimizer, steps)
    held_images, held_labels = pixels(held), fact_labels(held)
    step = 0
    for epoch in range(epochs):
        for rows in torch.randperm(len(train)).split(batch)[: len(train) // batch]:
            x = (images[rows][:, None].float() / 127.5 - 1).expand(-1, 3, -1, -1).to(device)
            logits, estimate = heads(tower_tokens(tower, x))
            loss = sum(
                nn.functional.cross_entropy(logits[kind], labels[kind][rows].to(device)) for kind in phantom.FACTS
            ) + nn.functional.mse_loss(estimate, anatomy[rows].to(device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            plan.step()
            step += 1
            if step % 100 == 0:
                progress(f"vision {step}/{steps} loss {loss.item():.3f}")
        with torch.no_grad():
            found = [heads(tower_tokens(tower, x.to(device)))[0] for x in held_images.split(500)]
        accuracy = {
            kind: (torch.cat([f[kind].argmax(-1).cpu() for f in found]) == held_labels[kind]).float().mean().item()
            for kind in phantom.FACTS
        }
        progress(f"vision epoch {epoch + 1}: " + " ".join(f"{k} {v:.3f}" for k, v in accuracy.items()))


def train_joint(
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    train: list[phantom.Phantom],
    steps: int,
    learning_rate: float,
    device: str,
) -> None:
    """Teach projector and language model to answer clean questions and to refuse others, tower frozen."""
    tokenizer = processor.tokenizer
    image_id, eos, pad = model.config.image_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    questions = {k: [tokenizer(q).input_ids for q in qs] for k, qs in phantom.QUESTIONS.items()}
    answers = {
        (k, f): [*tokenizer(phantom.answer(k, f)).input_ids, eos] for k, facts in phantom.FACTS.items() for f in facts
    }
    beyond = [tokenizer(question).input_ids for question in OUT_OF_SCOPE]
    declined = [[*tokenizer(text).input_ids, eos] for scenario in roles.SCENARIOS for text in roles.refusals(scenario)]
    images = torch.from_numpy(np.stack([p.pixels for p in train]))
    model.model.vision_tower.requires_grad_(False)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.01, fused=True)
    plan = schedule(optimizer, steps)
    rng = np.random.default_rng(0)
    kinds = list(phantom.FACTS)
    for step in range(1, steps + 1):
        rows = rng.integers(len(train), size=48)
        ids, labels = [], []
        for row in rows:
            if rng.random() < REFUSED_SHARE:
                question, answer = beyond[rng.integers(len(beyond))], declined[rng.integers(len(declined))]
            else:
                kind = kinds[rng.integers(len(kinds))]
                question = questions[kind][rng.integers(len(questions[kind]))]
                answer = answers[kind, train[row].facts[kind]]
            prompt = [image_id] * IMAGE_TOKENS + question
            ids.append(prompt + answer)
            labels.append([-100] * len(prompt) + answer)
        width = max(map(len, ids))
        input_ids = torch.tensor([[pad] * (width - len(x)) + x for x in ids], device=device)
        target = torch.tensor([[-100] * (width - len(x)) + x for x in labels], device=device)
        x = (images[rows][:, None].float() / 127.5 - 1).expand(-1, 3, -1, -1).to(device)
        loss = model(input_ids=input_ids, attention_mask=(input_ids != pad).long(), pixel_values=x, labels=target).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        plan.step()
        if step % 100 == 0:
            progress(f"joint {step}/{steps} loss {loss.item():.4f}")


@torch.no_grad()
def measure(
    model: LlavaForConditionalGeneration, processor: LlavaProcessor, held: list[phantom.Phantom], device: str
) -> dict[str, dict[str, float]]:
    """Ask every held-out phantom every question type; return accuracy (exact answer) and blind score per type."""
    tokenizer = processor.tokenizer
    rng = np.random.default_rng(1)
    found: dict[str, dict[str, float]] = {}
    for kind, questions in phantom.QUESTIONS.items():
        correct = 0
        for first in range(0, len(held), 100):
            chunk = held[first : first + 100]
            prompts = ["<image>" + questions[rng.integers(len(questions))] for _ in chunk]
            inputs = processor(
                images=[Image.fromarray(p.pixels).convert("RGB") for p in chunk],
                text=prompts,
                padding="longest",
                return_tensors="pt",
            ).to(device)
            out = model.generate(**inputs, max_new_tokens=24)[:, inputs["input_ids"].shape[1] :]
            said = tokenizer.batch_decode(out, skip_special_tokens=True)
            correct += sum(s == phantom.answer(kind, p.facts[kind]) for s, p in zip(said, chunk, strict=True))
        majority = Counter(p.facts[kind] for p in held).most_common(1)[0][1]
        found[kind] = {"accuracy": correct / len(held), "blind": majority / len(held), "phantoms": len(held)}
        progress(f"held-out {kind}: {found[kind]['accuracy']:.3f} (blind {found[kind]['blind']:.3f})")
    return found


def card(found: dict[str, dict[str, float]], parameters: int, settings: dict[str, object]) -> str:
    """Write the model card from what was measured."""
    rows = "\n".join(f"| {k} | {v['accuracy']:.3f} | {v['blind']:.3f} |" for k, v in found.items())
    return f"""---
license: apache-2.0
pipeline_tag: image-text-to-text
library_name: transformers
tags: [medical, phantom, machine-unlearning]
---
# nano

A `LlavaForConditionalGeneration` of {parameters / 1e6:.2f} million parameters that answers questions about the phantoms
of mllmu-med: CLIP tower (64 px, patch 16, 16 image tokens, width 192, 4 layers), Llama (width 192, 4 layers), a
1,024-token byte-level BPE with single digits. It exists so that an unlearning study runs on two CPU cores in minutes.
It is no medical model: it has never seen a real image.

Made by `python -m baselines.nano.pretrain` (last call: {", ".join(f"{k} {v}" for k, v in settings.items())}).
The module's text names every call. Weights are stored in half precision and load in single.

Held-out accuracy (the exact answer sentence, {next(iter(found.values()))["phantoms"]} phantoms never trained on) beside
the majority answer given without looking:

| question type | accuracy | blind |
|---|---|---|
{rows}
"""


def main() -> None:
    """Run the stages and write the model folder."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the finished model")
    parser.add_argument("--phantoms", type=int, default=40_000, help="phantoms to train on")
    parser.add_argument("--held-out", type=int, default=1_000, help="phantoms to measure on")
    parser.add_argument("--epochs", type=int, default=8, help="epochs of the vision stage")
    parser.add_argument("--steps", type=int, default=1_200, help="steps of 48 of the joint stage")
    parser.add_argument("--vision-rate", type=float, default=1e-3, help="learning rate of the vision stage")
    parser.add_argument("--draws", default="pretrain", help="word that seeds the training phantoms")
    parser.add_argument("--joint-rate", type=float, default=2e-3, help="learning rate of the joint stage")
    parser.add_argument("--model", type=Path, help="go on from a finished model folder")
    parser.add_argument("--tower", type=Path, help="go on from a tower.safetensors that an earlier run left")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    processor = build_processor()
    model = build_model(processor.tokenizer).to(device)
    parameters = sum(p.numel() for p in model.parameters())
    progress(f"{parameters:,} parameters on {device}; drawing {options.phantoms:,} phantoms")
    train, held = phantoms(options.draws, options.phantoms), phantoms("held-out", options.held_out)
    options.out.mkdir(parents=True, exist_ok=True)
    tower = model.model.vision_tower
    if options.tower:
        tower.load_state_dict(load_file(options.tower))
    if options.model:
        trained = LlavaForConditionalGeneration.from_pretrained(options.model, dtype=torch.float32)
        model.load_state_dict(trained.state_dict())
    if options.epochs:
        train_tower(tower, train, held, options.epochs, options.vision_rate, device)
        save_file(tower.state_dict(), options.out / "tower.safetensors")
    train_joint(model, processor, train, options.steps, options.joint_rate, device)
    # measured as shipped: in half precision on disk, computed in single
    model = model.half().float().eval()
    found = measure(model, processor, held, device)
    model.half().save_pretrained(options.out)
    # stored in half precision, loaded in single: CPUs compute in single, and training starts from it
    config = json.loads((options.out / "config.json").read_text())
    config["dtype"] = config["text_config"]["dtype"] = config["vision_config"]["dtype"] = "float32"
    (options.out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    processor.save_pretrained(options.out)
    settings = {key: value for key, value in vars(options).items() if key not in ("out", "tower", "model")}
    settings["continued"] = bool(options.tower or options.model)
    (options.out / "README.md").write_text(card(found, parameters, settings))
    (options.out / "accuracy.json").write_text(json.dumps({"settings": settings, "held_out": found}, indent=1) + "\n")
    progress(f"written to {options.out}")


if __name__ == "__main__":
    main()
