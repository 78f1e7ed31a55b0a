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
