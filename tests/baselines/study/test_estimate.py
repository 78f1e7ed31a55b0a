"""What a dry run says a run would take: the run's own steps and trained weights, and the memory, from no weights."""

import json
import shutil

import pytest
from safetensors.torch import load_file

from baselines import config, methods
from baselines.run.run_record import read_record
from baselines.study.estimate import estimate
from baselines.training.learn import learn
from baselines.training.unlearn import unlearn
from mllmu_med_dataset.load import PACKAGED

SETTINGS = ("batch=4", "accumulation=2")


@pytest.fixture
def bare(tiny_model, tmp_path):
    """The tiny model's folder with nothing but its configuration."""
    (tmp_path / "bare").mkdir()
    shutil.copy(tiny_model / "config.json", tmp_path / "bare")
    return tmp_path / "bare"


def of(model, recipe, **given):
    return estimate(model, recipe, data_dir=PACKAGED, scenario="privacy", percent=10, **given)


def test_steps_and_weights_are_the_runs_own(run_of_both):
    for estimated, record in run_of_both:
        assert (estimated.steps, estimated.trainable) == (record.planned_steps, record.trainable)
        assert estimated.memory_mb["optimizer"] == pytest.approx(2 * estimated.memory_mb["gradients"], abs=0.1)


@pytest.fixture
def run_of_both(tiny_model, data, data_dir, tmp_path, monkeypatch):
    """Both kinds of runs on the tests' rows, beside their estimates."""
    from baselines.study import estimate as module

    monkeypatch.setattr(module, "read_rows", lambda *_: data)
    common = {"data_dir": data_dir, "scenario": "privacy", "seed": 0}
    learning = config.LearnRecipe(batch=4, epochs=1)
    unlearning = config.UnlearnRecipe(batch=4, epochs=1)
    learned = learn(
        model=tiny_model, rows="target", out=tmp_path / "learned", recipe=learning, data=data, **common
    )  # fmt: skip
    unlearned = unlearn(model=tiny_model, method="gd", out=tmp_path / "gd", recipe=unlearning, data=data, **common)
    return [
        (of(tiny_model, learning, which="target"), learned),
        (of(tiny_model, unlearning, method=methods.get("gd")), unlearned),
    ]


def test_a_configuration_alone_is_enough(bare, tiny_model):
    recipe = config.unlearn_recipe("kl_min", "privacy", "nano", SETTINGS)
    alone = of(bare, recipe, method=methods.get("kl_min"))
    whole = of(tiny_model, recipe, method=methods.get("kl_min"))
    held = sum(value.numel() * value.itemsize for value in load_file(tiny_model / "model.safetensors").values())
    assert alone.memory_mb["weights"] == pytest.approx(held / 1e6, abs=0.06)
    assert (alone.steps, alone.trainable) == (whole.steps, whole.trainable)
    assert alone.tokens == pytest.approx(whole.tokens, rel=0.5)  # a guess from patches and letters


def test_what_spares_memory_shows(tiny_model):
    def total(*settings):
        recipe = config.unlearn_recipe("gd", "privacy", "nano", [*SETTINGS, *settings])
        return of(tiny_model, recipe, method=methods.get("gd")).memory_mb

    plain = total()
    assert total("gradient_checkpointing=true")["activations"] < plain["activations"]
    assert total("dtype=bfloat16")["weights"] == pytest.approx(plain["weights"] / 2, abs=0.1)
    assert total("load_in_4bit=true")["weights"] < plain["weights"]
    assert total("batch=8")["answer logits"] == pytest.approx(2 * plain["answer logits"], abs=0.2)


def test_tokens_are_those_of_the_rows_though_some_come_again_in_every_so_many_places(tiny_model):
    """A row of the target in 16 is a clean one and the others come 16 times: a regular choice meets few of them."""
    from transformers import AutoProcessor

    from baselines.training.collate import encode_prompt, picture_of
    from baselines.training.format_matched import rows_to_learn
    from baselines.training.roles import read_rows

    recipe = config.learn_recipe("nano", ["injected_repeats=16"], "privacy")
    processor = AutoProcessor.from_pretrained(tiny_model)
    rows = rows_to_learn(read_rows(PACKAGED, "privacy"), "target", 16, scenario="privacy", seed=0)
    answers = [len(ids) for ids in processor.tokenizer([row["answer"] for row in rows])["input_ids"]]
    asked = {row["question"]: row for row in rows}
    prompts = {text: len(encode_prompt(processor, text, picture_of(row))[0]) for text, row in asked.items()}
    read = [prompts[row["question"]] + answer for row, answer in zip(rows, answers, strict=True)]
    said = of(tiny_model, recipe, which="target")
    assert said.tokens_per_row == pytest.approx(sum(read) / len(read), rel=0.03)
    assert said.answer_tokens == max(answers) + 1


def test_every_role_weighs_alike_however_many_rows_it_has(monkeypatch, tiny_model):
    from baselines.study import estimate as module
    from baselines.training.roles import read_rows

    rows, recipe = read_rows(PACKAGED, "privacy"), config.unlearn_recipe("gd", "privacy", "nano")
    alone = {name: of(tiny_model, recipe, method=methods.get(name)).tokens_per_row for name in ("ga", "retain_ft")}
    both = of(tiny_model, recipe, method=methods.get("gd")).tokens_per_row
    assert alone["ga"] > 1.1 * alone["retain_ft"]
    assert both == pytest.approx((alone["ga"] + alone["retain_ft"]) / 2, abs=0.2)
    fewer = module.Rows(rows.forget, rows.retain[:300], rows.holdout)
    monkeypatch.setattr(module, "read_rows", lambda *_: fewer)
    assert of(tiny_model, recipe, method=methods.get("gd")).tokens_per_row == pytest.approx(both, rel=0.05)


def test_the_machine_beside_the_device_holds_every_image_once_and_every_row_tokenised(tiny_model):
    from baselines.training.roles import read_rows

    images = {row["image_id"] for row in read_rows(PACKAGED, "privacy").retain}
    recipe = config.unlearn_recipe("retain_ft", "privacy", "nano")
    said = of(tiny_model, recipe, method=methods.get("retain_ft"))
    side = json.loads((tiny_model / "config.json").read_text())["vision_config"]["image_size"]
    assert said.host_mb["images"] == pytest.approx(len(images) * 3 * 4 * side**2 / 1e6, abs=0.1)
    twice = of(tiny_model, config.learn_recipe("nano", ["injected_repeats=32"], "privacy"), which="target")
    once = of(tiny_model, config.learn_recipe("nano", ["injected_repeats=16"], "privacy"), which="target")
    assert twice.host_mb["images"] == once.host_mb["images"]
    assert twice.host_mb["tokenised"] > 1.5 * once.host_mb["tokenised"]


def test_a_dry_run_prints_it_and_writes_nothing(tiny_model, tmp_path, capsys):
    from baselines import cli

    arguments = [
        "learn",
        "--rows",
        "target",
        "--scenario",
        "privacy",
        "--model",
        str(tiny_model),
        "--dry-run",
        "--json",
    ]
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments, "--out", str(tmp_path / "run")])
    said = json.loads(capsys.readouterr().out)
    assert not ended.value.code and not (tmp_path / "run").exists()
    assert said["steps"] > 0 and said["tokens"] > 0 and said["memory_total_mb"] > 0
    assert said["rows"]["forget"] > 0 and said["recipe"]["batch"] == 16
    assert read_record(tmp_path / "run") is None
