"""Likelihoods against slow, obvious references: one row at a time, full logits, and real greedy decoding."""

import numpy as np
import pytest
import torch

from baselines.evaluation import likelihood as of
from baselines.evaluation.likelihood_summary import summary
from baselines.model import models
from baselines.training.collate import Encoder
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import load
from mllmu_med_metrics.likelihood.memorisation import extraction_strength


@pytest.fixture(scope="module")
def nano():
    return models.load("nano")


@pytest.fixture(scope="module")
def rows():
    """Return clean rows that nano answers, and rows whose injected answers it does not know."""
    import datasets

    def some(config, count):
        stored = load(config).cast_column("image", datasets.Image(decode=False))
        return [stored[place] for place in range(count)]

    return some("privacy_test", 4) + some("privacy_forget", 3) + some("incorrectness_forget", 2)


def obvious(model, encoder, row):
    """Return log-probabilities, hits, means and deviations by one forward over the row alone with all logits."""
    example = encoder.example(row, row["answer"])
    inputs = encoder.batch([example]).inputs
    with torch.no_grad():
        logits = model(**inputs).logits[0].double()
    found = []
    for place, token in enumerate(example.answer[:-1]):
        p = torch.softmax(logits[len(example.prompt) - 1 + place], -1).numpy()
        mean = float((p * np.log(p)).sum())
        deviation = float(np.sqrt((p * (np.log(p) - mean) ** 2).sum()))
        found.append((float(np.log(p[token])), bool(p.argmax() == token), mean, deviation))
    return found


def test_batched_scores_agree_with_one_row_at_a_time(nano, rows):
    encoder = Encoder(nano.model, nano.processor)
    found = of.token_scores(nano.model, encoder, [encoder.example(row, row["answer"]) for row in rows], batch=4)
    for row, one in zip(rows, found, strict=True):
        expected = obvious(nano.model, encoder, row)
        for mine, theirs in zip(
            zip(one.log_probs, one.hits, one.means, one.deviations, strict=True), expected, strict=True
        ):
            assert mine == pytest.approx(theirs, abs=1e-4)


def test_extraction_strength_agrees_with_greedy_decoding(nano, rows):
    encoder = Encoder(nano.model, nano.processor)
    strengths = []
    for row in rows:
        example = encoder.example(row, row["answer"])
        (scores,) = of.token_scores(nano.model, encoder, [example])
        answer = example.answer[:-1]
        pixels = {name: value for name, value in encoder.batch([example]).inputs.items() if name.startswith("pixel")}
        strengths.append(extraction_strength(scores.hits))
        shortest = round(len(answer) * (1 - strengths[-1]))
        # The rest is decoded as it stands from there, and not from a token earlier.
        for given in {shortest, max(shortest - 1, 0)}:
            ids = torch.cat([example.prompt, answer[:given]]).unsqueeze(0)
            made = nano.model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), **pixels, do_sample=False,
                max_new_tokens=max(len(answer) - given, 1), min_new_tokens=len(answer) - given,
            )  # fmt: skip
            assert torch.equal(made[0, ids.shape[1] :][: len(answer) - given], answer[given:]) == (given == shortest)
    assert max(strengths) == 1.0 and min(strengths) < 0.5  # the rows hold both


def test_a_models_likelihoods_are_written_once(tmp_path):
    made = of.likelihood(model="nano", data_dir=_packaged(), scenario="privacy", out=tmp_path / "l", exposed_rows=0)
    assert of.read(tmp_path / "l") == made
    subsets = {row["subset"] for row in made["rows"]}
    assert subsets == {"forget", "holdout"}
    for row in made["rows"]:
        assert 0 < row["probability"] < 1
        assert row["extraction_strength"] <= row["exact_memorisation"]
    again = of.likelihood(model="nano", data_dir=_packaged(), scenario="privacy", out=tmp_path / "l", exposed_rows=0)
    assert again == made
    with pytest.raises(UserError, match="made otherwise \\(seed\\)"):
        of.likelihood(model="nano", data_dir=_packaged(), scenario="privacy", out=tmp_path / "l", seed=1)
    of_itself = summary(made, {"retain_only": made})
    gold = of_itself["against"]["retain_only"]
    assert all(attack["excess"] == 0 for attack in gold["membership"].values())
    assert gold["forget_quality"]["d"] == 0
    # The base model never saw either set: whatever tells them apart is chance.
    assert all(0.2 < auc < 0.8 for auc in of_itself["membership"].values())


def test_a_folder_without_likelihoods_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no likelihoods"):
        of.read(tmp_path)


def _packaged():
    from mllmu_med_dataset.load import PACKAGED

    return PACKAGED
