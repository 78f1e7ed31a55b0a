"""Presets: each value with its source beside it, and each runs on a tiny model of its own family."""

import json
import re
from importlib.resources import files

import pytest
import yaml

from baselines import cli
from baselines.config import learn_recipe, presets, unlearn_recipe
from baselines.training.learn import learn
from baselines.training.unlearn import unlearn
from mllmu_med_dataset.errors import UserError
from tests.families import make_family

# The family whose tiny model stands for the one a preset is for.
TWINS = {
    "llava-1.5-7b": "llava",
    "llava-med": "llava",
    "qwen2.5-vl-3b": "qwen2_5_vl",
    "qwen2.5-vl-7b": "qwen2_5_vl",
    "lingshu-7b": "qwen2_5_vl",
    "smolvlm": "smolvlm",
    "medgemma-4b": "gemma3",
}
EACH = pytest.mark.parametrize("preset", TWINS)
# Every preset is parsed by every test; what runs a model does so for one of them, and for all in `make slow`.
RUN = pytest.mark.parametrize(
    "preset", [name if name == "medgemma-4b" else pytest.param(name, marks=pytest.mark.slow) for name in TWINS]
)


def text_of(preset):
    return (files("baselines") / "configs" / f"{preset}.yaml").read_text(encoding="utf-8")


def test_every_packaged_preset_is_for_a_model_here():
    assert set(presets()) == {"nano", "default", *TWINS}


@EACH
def test_each_value_has_its_source_beside_it_and_the_head_says_how_to_run_it(preset):
    text = text_of(preset)
    body = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    values = [line for line in body if not line.rstrip().endswith(":")]
    assert values and all("#" in line for line in values), preset
    assert re.search(rf"^#   mllmu-med learn --model \S+ --preset {re.escape(preset)} ", text, re.M)


@EACH
@pytest.mark.parametrize("scenario", ["privacy", "incorrectness"])
def test_a_preset_holds_what_its_file_says_and_adapts_in_bfloat16(preset, scenario):
    recipe = learn_recipe(preset, scenario=scenario)
    stated = yaml.safe_load(text_of(preset)).get("learn") or {}
    assert json.loads(recipe.model_dump_json(include=set(stated))) == stated
    assert (recipe.dtype, recipe.lora is not None, recipe.lora.dropout) == ("bfloat16", True, 0.0)
    assert 8 <= recipe.rows_per_step <= 32 and 1e-5 <= recipe.learning_rate <= 5e-4
    gentle = unlearn_recipe("gd", scenario, preset)
    assert (gentle.dtype, gentle.stop, gentle.lora.rank) == ("bfloat16", "holdout", 16)


def test_what_a_preset_is_like_fills_in_what_it_does_not_say():
    seven, three = learn_recipe("qwen2.5-vl-7b"), learn_recipe("qwen2.5-vl-3b")
    assert seven.model_copy(update={"batch": three.batch, "accumulation": three.accumulation}) == three
    assert seven.rows_per_step == three.rows_per_step
    assert learn_recipe("llava-med") == learn_recipe("llava-1.5-7b")


@EACH
def test_a_small_gpu_takes_the_same_steps_in_less_memory(preset):
    for usual, small in (
        (learn_recipe(preset), learn_recipe(f"{preset}+small_gpu")),
        *(
            (unlearn_recipe(m, "privacy", preset), unlearn_recipe(m, "privacy", f"{preset}+small_gpu"))
            for m in ("ga", "dpo")
        ),
    ):
        changed = {"batch": 1, "load_in_4bit": True, "gradient_checkpointing": True}
        assert small == usual.model_copy(update={**changed, "accumulation": usual.rows_per_step})


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ("llava-1.5-7", "Did you mean 'llava-1.5-7b'"),
        ("medgemma", "Did you mean 'medgemma-4b'"),
        ("smolvlm+small", "Did you mean 'small_gpu'"),
    ],
)
def test_an_unknown_preset_is_refused(preset, said):
    with pytest.raises(UserError, match=re.escape(said)):
        learn_recipe(preset)


@RUN
def test_a_preset_runs_dry(preset, tiny_model, tmp_path, capsys):
    for command in (["learn", "--rows", "target"], ["unlearn", "--method", "kl_min"]):
        arguments = [*command, "--scenario", "privacy", "--model", str(tiny_model), "--preset", preset, "--dry-run"]
        with pytest.raises(SystemExit) as ended:
            cli.main([*arguments, "--out", str(tmp_path / "out")])
        out, err = capsys.readouterr()
        assert not ended.value.code, err
        assert "learning_rate = " in out and not (tmp_path / "out").exists()


@RUN
def test_a_preset_runs_on_its_tiny_twin(preset, data, data_dir, tmp_path):
    model = make_family(TWINS[preset], tmp_path / "twin")
    common = {"data_dir": data_dir, "scenario": "privacy", "seed": 0, "data": data}
    few = ["max_steps=2", "lora.rank=4"]
    recipe = learn_recipe(preset, few, "privacy")
    record = learn(model=model, rows="target", out=tmp_path / "target", recipe=recipe, **common)
    assert (record.steps, record.verdict) == (2, None)
    recipe = unlearn_recipe("gd", "privacy", preset, [*few, "stop=null"])
    record = unlearn(model=tmp_path / "target", method="gd", out=tmp_path / "gone", recipe=recipe, **common)
    assert (record.steps, record.verdict) == (2, None)
