"""Answers under attack are the harness's own, sampled ones are drawn as the model weighs them, whatever the batch."""

from collections import Counter

import pytest
import torch

from baselines.attacks.answering import MAX_NEW_TOKENS, _continued, _ends, after, answers, draws_of
from baselines.attacks.attacked import Attacked
from baselines.model import models
from baselines.training.collate import Encoder, answer_logits, picture_of
from mllmu_med_tasks import harness
from mllmu_med_tasks.answer_texts import first_line
from mllmu_med_tasks.backends import wrap
from mllmu_med_tasks.prompts import messages
from tests.baselines.training.test_families import EACH, folder_of, uneven  # noqa: F401 (fixtures)


def generated(loaded, row):
    """Return what transformers' own generate makes of a row alone, greedily."""
    processor = loaded.processor
    text = processor.apply_chat_template(messages(str(row["question"])), add_generation_prompt=True, tokenize=False)
    inputs = processor(images=[picture_of(row)], text=[text], return_tensors="pt")
    inputs.pop("labels", None)
    ids = loaded.model.generate(**inputs, do_sample=False, max_new_tokens=MAX_NEW_TOKENS)
    return first_line(processor.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))


@EACH
def test_every_family_answers_as_generate_does_and_goes_on_from_its_own_words(family, folder_of, uneven):  # noqa: F811
    loaded = models.load(folder_of(family))
    encoder = Encoder(loaded.model, loaded.processor)
    examples = [after(encoder.example(row, ""), ()) for row in uneven.forget]
    given = answers(loaded.model, loaded.processor, encoder, examples, 4)
    assert [first_line(one) for [one] in given] == [generated(loaded, row) for row in uneven.forget]
    alone = [answers(loaded.model, loaded.processor, encoder, [example], 1)[0] for example in examples]
    assert alone == given
    # The first tokens of an answer being given, the rest follows.
    ends = _ends(loaded.model, loaded.processor)
    whole = [one for [one] in _continued(loaded.model, encoder, examples, ends, None)]
    begun = [after(example, ids[:3]) for example, ids in zip(examples, whole, strict=True)]
    rest = [one for [one] in _continued(loaded.model, encoder, begun, ends, None)]
    assert [(*ids[:3], *more)[: len(ids)] for ids, more in zip(whole, rest, strict=True)] == whole
    drawn = [draws_of(0, example.row_id, 3) for example in examples]
    together, apart = (answers(loaded.model, loaded.processor, encoder, examples, size, drawn) for size in (64, 1))
    assert together == apart


def test_greedy_answers_are_the_harnesss(few, target, tmp_path):
    rows = list(few.forget[:12])
    lm = wrap(target.model, target.processor, batch_size=5)
    from lm_eval.api.instance import Instance

    options = {"until": [], "max_gen_toks": MAX_NEW_TOKENS, "do_sample": False, "temperature": 0.0}
    requests = []
    for row in rows:
        asked = lm.apply_chat_template([{"role": "user", "content": f"<image>{row['question']}"}])
        arguments = (asked, options, {"visual": [picture_of(row)]})
        requests.append(Instance("generate_until", {}, arguments, 0, task_name="forget", doc_id=0, repeats=1))
    theirs = [first_line(answer) for answer in lm.generate_until(requests, disable_tqdm=True)]
    assert list(target.ask(rows).values()) == theirs
    shared = (harness.tasks_path() / "_mllmu_med").read_text()
    assert f"max_gen_toks: {MAX_NEW_TOKENS}\n" in shared


def test_samples_are_drawn_from_the_whole_distribution(loaded, few):
    encoder = Encoder(loaded.model, loaded.processor)
    row = few.forget[0]
    example = after(encoder.example(row, ""), ())
    with torch.no_grad():
        wanted = answer_logits(loaded.model, encoder.batch([example]))[0, -1].double().softmax(-1)
    from baselines.attacks.answering import _Beginning, _next_tokens

    draws = torch.tensor([[i / 4000] for i in range(4000)], dtype=torch.float64).numpy()[None]
    chosen = _next_tokens(wanted.log()[None], [_Beginning(0, list(range(4000)), [])], draws, 0)[0]
    shares = torch.tensor([len(chosen.get(token, ())) / 4000 for token in range(len(wanted))])
    assert (shares - wanted).abs().max() < 1 / 2000


def test_draws_hang_on_seed_and_row_alone():
    first = draws_of(0, "row", 2)
    assert (first[0] == draws_of(0, "row", 5)[0]).all() and (first[1] != first[0]).any()
    assert (first[0] != draws_of(1, "row", 2)[0]).any() and (first[0] != draws_of(0, "another", 2)[0]).any()
    assert all(((one >= 0) & (one < 1)).all() for one in first)


def test_samples_of_a_sure_model_are_its_greedy_answer_and_of_another_vary(few, target):
    rows = few.forget[:4]
    greedy, drawn = target.ask(rows), target.sample(8, rows)
    for row_id, texts in drawn.items():
        assert Counter(texts).most_common(1)[0][0] == greedy[row_id]
    other = Attacked("nano", few, scenario="privacy")
    assert any(len(set(texts)) > 1 for texts in other.sample(8, rows).values())
    assert other.sample(8, rows) == other.sample(8, list(reversed(rows)))


@pytest.mark.parametrize("batch", [1, 16])
def test_a_batch_changes_no_answer(batch, few, target):
    rows = few.forget[:6]
    other = Attacked("nano-privacy-target", few, scenario="privacy", batch=batch)
    assert other.ask(rows) == target.ask(rows)
    assert other.sample(4, rows) == target.sample(4, rows)
