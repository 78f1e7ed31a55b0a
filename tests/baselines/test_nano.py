"""The embedded model: an ordinary folder, as good as its card says, trained on the ids that lm-eval sends."""

import json

import pytest

from baselines.nano import MODEL

ACCURACY = json.loads((MODEL / "accuracy.json").read_text(encoding="utf-8"))["held_out"]


def test_held_out_accuracy_is_what_the_study_needs():
    assert set(ACCURACY) == {"modality", "organ", "position", "abnormality", "size", "quantity"}
    for kind, found in ACCURACY.items():
        assert found["accuracy"] >= (0.90 if kind in ("modality", "organ") else 0.80), kind
        assert found["accuracy"] > found["blind"] + 0.2, kind


def test_the_card_shows_what_was_measured():
    card = (MODEL / "README.md").read_text(encoding="utf-8")
    for kind, found in ACCURACY.items():
        assert f"| {kind} | {found['accuracy']:.3f} | {found['blind']:.3f} |" in card


def test_it_is_small_and_safetensors_only():
    size = sum(path.stat().st_size for path in MODEL.iterdir())
    assert size < 8_000_000
    assert {path.suffix for path in MODEL.iterdir()} <= {".json", ".jinja", ".md", ".safetensors"}


def test_it_loads_by_the_auto_classes_and_reads_a_phantom_it_never_saw():
    import torch
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from mllmu_med_dataset.sources import phantom

    model, processor = AutoModelForImageTextToText.from_pretrained(MODEL).eval(), AutoProcessor.from_pretrained(MODEL)
    assert type(model).__name__ == "LlavaForConditionalGeneration"
    assert model.dtype == torch.float32
    drawn = [phantom.draw(phantom.generator("a test's own", number)) for number in range(40)]
    right = 0
    for kind, questions in phantom.QUESTIONS.items():
        inputs = processor(
            images=[Image.fromarray(p.pixels).convert("RGB") for p in drawn],
            text=["<image>" + questions[0]] * len(drawn),
            padding="longest",
            return_tensors="pt",
        )
        with torch.no_grad():
            out = model.generate(**inputs, max_new_tokens=24)[:, inputs["input_ids"].shape[1] :]
        said = processor.tokenizer.batch_decode(out, skip_special_tokens=True)
        right += sum(s == phantom.answer(kind, p.facts[kind]) for s, p in zip(said, drawn, strict=True))
    assert right / (len(drawn) * len(phantom.QUESTIONS)) > 0.85


def test_the_chat_template_changes_nothing():
    from transformers import AutoProcessor

    from mllmu_med_tasks.prompts import messages, prompt

    processor = AutoProcessor.from_pretrained(MODEL)
    question = "Where is the lesion?"
    rendered = processor.apply_chat_template(messages(question), add_generation_prompt=True, tokenize=False)
    assert rendered == prompt(question)


@pytest.mark.parametrize("text", ["SYN-MRN-48120937", "Ünö Ælfward", "13×7 mm, 50 %", "左肺"])
def test_the_tokenizer_loses_nothing_and_splits_every_digit(text):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    ids = tokenizer(text).input_ids
    assert tokenizer.decode(ids) == text
    assert all(sum(c.isdigit() for c in token) <= 1 for token in tokenizer.convert_ids_to_tokens(ids))


@pytest.mark.slow
def test_it_understands_the_held_out_phrasings_that_paraphrase_views_ask():
    import torch
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from mllmu_med_dataset.sources import phantom

    model, processor = AutoModelForImageTextToText.from_pretrained(MODEL).eval(), AutoProcessor.from_pretrained(MODEL)
    processor.tokenizer.padding_side = "left"
    drawn = [phantom.draw(phantom.generator("held-out", number)) for number in range(40)]
    images = [Image.fromarray(each.pixels).convert("RGB") for each in drawn]

    def right(kind: str, question: str) -> float:
        asked = [f"<image>{question}"] * len(images)
        inputs = processor(images=images, text=asked, padding="longest", return_tensors="pt")
        with torch.no_grad():
            made = model.generate(**inputs, max_new_tokens=24)[:, inputs["input_ids"].shape[1] :]
        said = processor.tokenizer.batch_decode(made, skip_special_tokens=True)
        return sum(s == phantom.answer(kind, d.facts[kind]) for s, d in zip(said, drawn, strict=True)) / len(drawn)

    for kind, trained in phantom.QUESTIONS.items():
        usual = right(kind, trained[0])
        for question in phantom.HELD_OUT_QUESTIONS[kind]:
            assert right(kind, question) >= usual - 0.1, question
