import pytest
import torch
from PIL import Image

from baselines.losses import IGNORED, nll_per_row
from baselines.training.collate import Encoder, answer_logits, picture_of
from mllmu_med_dataset.errors import UserError
from mllmu_med_tasks.prompts import prompt


@pytest.fixture
def encoder(loaded):
    loaded.model.double()  # so that equal means equal
    return Encoder(loaded.model, loaded.processor)


@pytest.fixture
def examples(encoder, data):
    return [encoder.example(row, str(row["answer"])) for row in [*data.forget, *data.retain]]


def test_prompt_ids_and_pixels_are_those_the_harness_sends(tiny_model, loaded, data):
    from lm_eval.models.hf_vlms import HFMultimodalLM

    lm = HFMultimodalLM(pretrained=str(tiny_model), device="cpu", dtype="float32", batch_size=2)
    rows = [*data.forget, *data.retain]
    encoder = Encoder(loaded.model, loaded.processor)
    for row in rows:
        # The plain prompt of the task, in the chat form of --apply_chat_template.
        text = lm.apply_chat_template([{"role": "user", "content": prompt(row["question"])}])
        sent = lm.tok_batch_multimodal_encode([text], [[picture_of(row)]])
        trained = encoder.example(row, str(row["answer"]))
        assert trained.prompt.tolist() == sent["input_ids"][0].tolist()
        assert torch.equal(encoder.batch([trained]).inputs["pixel_values"], sent["pixel_values"])


def test_the_answer_follows_the_prompt_and_ends(examples, loaded):
    tokenizer = loaded.processor.tokenizer
    for example in examples:
        assert example.answer[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(example.answer[:-1]).startswith(("The ", "It is", "Ada", "Bo", "Cyra", "Dov"))


@pytest.mark.parametrize("text", ["<image>\nWhich organ?", "Which <|image_1|> organ?", "[IMG] It is the liver."])
def test_a_placeholder_of_an_image_in_a_text_is_refused_before_the_processor_counts_it(encoder, data, text):
    row = data.forget[0]
    with pytest.raises(UserError, match=rf"Row {row['id']} holds .*takes for an image"):
        encoder.example({**row, "question": text}, "The liver.")
    with pytest.raises(UserError, match="Build the data set again"):
        encoder.example(row, text)


def test_labels_stand_at_the_end_and_inputs_are_padded_on_the_left(encoder, examples):
    batch = encoder.batch(examples)
    ids, mask = batch.inputs["input_ids"], batch.inputs["attention_mask"]
    for row, example in enumerate(examples):
        assert ids[row][mask[row] == 1].tolist() == [*example.prompt.tolist(), *example.answer[:-1].tolist()]
        assert mask[row, -example.length :].all() and not mask[row, : -example.length].any()
        assert batch.labels[row][batch.labels[row] != IGNORED].tolist() == example.answer.tolist()
        assert batch.labels[row, -len(example.answer) :].tolist() == example.answer.tolist()


def test_logits_exist_at_answer_positions_only(encoder, examples, loaded):
    batch = encoder.batch(examples)
    logits = answer_logits(loaded.model, batch)
    assert logits.shape[:2] == batch.labels.shape
    whole = loaded.model(**batch.inputs).logits[:, -batch.labels.shape[1] :]
    assert torch.allclose(logits, whole, atol=1e-12)


def test_a_row_costs_the_same_alone_and_padded(encoder, examples, loaded):
    with torch.no_grad():
        batch = encoder.batch(examples)
        together = nll_per_row(answer_logits(loaded.model, batch), batch.labels)
        for example, expected in zip(examples, together, strict=True):
            alone = encoder.batch([example])
            assert nll_per_row(answer_logits(loaded.model, alone), alone.labels).item() == pytest.approx(
                expected.item(), abs=1e-9
            )


def test_images_matter(encoder, examples, loaded):
    batch = encoder.batch(examples[:4])
    with torch.no_grad():
        own = nll_per_row(answer_logits(loaded.model, batch), batch.labels)
        batch.inputs["pixel_values"] = batch.inputs["pixel_values"].roll(1, 0)
        other = nll_per_row(answer_logits(loaded.model, batch), batch.labels)
    assert (own - other).abs().min() > 1e-9


def test_each_image_is_processed_once(loaded, data, monkeypatch):
    encoder = Encoder(loaded.model, loaded.processor)
    row = data.retain[0]
    pictures = []
    monkeypatch.setattr("baselines.training.collate.picture_of", lambda row: pictures.append(row) or picture_of(row))
    for answer in ("one", "two", "three"):
        encoder.example(row, answer)
    assert len(pictures) == 1


def test_images_of_every_mode_are_shown_in_colour():
    assert picture_of({"id": "r", "image": Image.new("L", (8, 8))}).mode == "RGB"
    with pytest.raises(UserError, match="holds no pixels"):
        picture_of({"id": "r", "image": {"bytes": None, "path": None}, "license": "CC-BY-NC"})
