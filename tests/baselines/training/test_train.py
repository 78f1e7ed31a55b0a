"""Runs on the tiny model: what they change, what they leave alone, and that nothing but the seed decides them."""

import json
import math
from functools import partial

import pytest
import torch
from safetensors.torch import load_file

from baselines.config import LearnRecipe, UnlearnRecipe
from baselines.methods import METHODS
from baselines.model import models
from baselines.model.processes import Processes
from baselines.run.folder_lock import alone
from baselines.run.run_folder import RunFolder
from baselines.run.run_record import read_record
from baselines.training.learn import learn
from baselines.training.loop import rate_share
from baselines.training.roles import Rows
from baselines.training.unlearn import unlearn
from mllmu_med_dataset.errors import UserError

LEARN = LearnRecipe(batch=4, epochs=1.5, learning_rate=1e-3, length_window=2)
UNLEARN = UnlearnRecipe(batch=4, max_steps=5, learning_rate=1e-3)


@pytest.fixture
def run(tiny_model, data, data_dir, tmp_path):
    """Return a function that learns or unlearns into a folder of that name and returns the folder."""

    def start(name, recipe=UNLEARN, **changes):
        common = {"model": tiny_model, "data_dir": data_dir, "scenario": "privacy", "seed": 0, "data": data}
        if isinstance(recipe, LearnRecipe):
            learn(**{**common, "rows": "target", "out": tmp_path / name, "recipe": recipe, **changes})
        else:
            unlearn(**{**common, "method": "gd", "out": tmp_path / name, "recipe": recipe, **changes})
        return tmp_path / name

    return start


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def same_weights(one, other, part="model/model.safetensors"):
    return (one / part).read_bytes() == (other / part).read_bytes()


def changed(before, after):
    first, second = load_file(before), load_file(after)
    assert first.keys() == second.keys()
    return {name for name in first if not torch.equal(first[name], second[name])}


def test_learning_leaves_the_vision_tower_alone_and_lowers_the_loss(run, tiny_model):
    folder = run("learned", LEARN)
    names = changed(tiny_model / "model.safetensors", folder / "model" / "model.safetensors")
    assert any("language_model" in name for name in names) and any("projector" in name for name in names)
    assert not any("vision_tower" in name for name in names)
    lines = metrics(folder)
    assert [line["step"] for line in lines] == list(range(1, 7))  # 1.5 epochs of 16 rows, 4 a step
    assert lines[-1]["learn_nll"] < lines[0]["learn_nll"]


def test_a_learned_model_is_an_ordinary_folder(run):
    from transformers import AutoModelForImageTextToText, AutoProcessor

    folder = run("learned", LEARN)
    model = AutoModelForImageTextToText.from_pretrained(folder / "model")
    assert model.dtype == torch.float32
    assert AutoProcessor.from_pretrained(folder / "model").chat_template


@pytest.mark.parametrize("method", METHODS)
def test_every_method_changes_the_language_model_only(run, tiny_model, method):
    folder = run(method, method=method)
    names = changed(tiny_model / "model.safetensors", folder / "model" / "model.safetensors")
    assert names and all("language_model" in name for name in names)
    assert all("language_model" in name for name in load_file(folder / "adapter" / "adapter_model.safetensors"))
    assert all(set(METHODS[method].terms) < line.keys() for line in metrics(folder))


def test_the_control_reads_retain_rows_only_and_takes_the_steps_of_a_method(run, data):
    recipe = UNLEARN.model_copy(update={"max_steps": None, "epochs": 1.5})
    control, method = (run(name, recipe, method=name) for name in ("retain_ft", "gd"))
    assert read_record(control).planned_steps == read_record(method).planned_steps == 3  # 1.5 of 8 forget rows by 4
    assert read_record(control).rows == {"retain": len(data.retain)}
    assert all(line["retain_nll"] == line["loss"] for line in metrics(control))


def test_the_saved_adapter_on_the_target_is_the_saved_model(run, tiny_model):
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    folder = run("gd")
    merged = PeftModel.from_pretrained(AutoModelForImageTextToText.from_pretrained(tiny_model), folder / "adapter")
    expected = load_file(folder / "model" / "model.safetensors")
    found = merged.merge_and_unload().state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items() if name in found)


def test_an_adapter_has_a_model_card_that_the_hub_reads(run):
    from huggingface_hub import ModelCard

    folder = run("gd")
    card = ModelCard.load(folder / "adapter" / "README.md")
    assert card.data.library_name == "peft" and card.data.base_model is None  # not a model of the Hub
    assert METHODS["gd"].objective in card.text and str(folder) not in card.content
    assert json.loads(card.text.split("```json")[1].split("```")[0]) == UNLEARN.for_method(METHODS["gd"]).canonical()


@pytest.fixture
def in_float64(monkeypatch):
    """Run in float64, where equal means equal: Adam's first steps turn float32 rounding into whole steps."""
    load = models.load

    def doubled(*given):
        loaded = load(*given)
        return models.Loaded(loaded.model.double(), loaded.processor, torch.float64)

    monkeypatch.setattr(models, "load", doubled)


@pytest.mark.parametrize("recipe", [LEARN, LEARN.model_copy(update={"mean_over": "tokens"}), UNLEARN])
def test_how_a_step_is_split_into_passes_changes_nothing(run, in_float64, recipe):
    whole = run("whole", recipe.model_copy(update={"batch": 8, "accumulation": 1}))
    split = run("split", recipe.model_copy(update={"batch": 2, "accumulation": 4}))
    for one, other in zip(metrics(whole), metrics(split), strict=True):
        assert one == pytest.approx(other, abs=1e-6)
    first, second = (load_file(folder / "model" / "model.safetensors") for folder in (whole, split))
    assert max((first[name] - second[name]).abs().max().item() for name in first) < 1e-6


@pytest.mark.parametrize("method", METHODS)
def test_every_methods_first_step_is_the_same_however_split(run, method):
    one = UNLEARN.model_copy(update={"batch": 8, "max_steps": 1})
    whole = run("whole", one, method=method)
    split = run("split", one.model_copy(update={"batch": 2, "accumulation": 4}), method=method)
    assert metrics(whole)[0] == pytest.approx(metrics(split)[0], rel=1e-6, abs=1e-6)


def interrupt_after(steps):
    def progress(done, planned):
        if done == steps:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize(("recipe", "method"), [(LEARN, "gd"), (UNLEARN, "gd"), (UNLEARN, "npo_sam")])
def test_an_interrupted_run_ends_bit_identical(run, tmp_path, recipe, method):
    run = partial(run, **({} if recipe is LEARN else {"method": method}))
    whole = run("whole", recipe)
    often = recipe.model_copy(update={"checkpoint_seconds": 1e-9})
    with pytest.raises(KeyboardInterrupt):
        run("resumed", often, progress=interrupt_after(2))
    assert read_record(tmp_path / "resumed") is None
    with pytest.raises(KeyboardInterrupt):  # killed again, this time with steps done since the checkpoint
        run("resumed", recipe, progress=interrupt_after(4))
    resumed = run("resumed", recipe)
    assert same_weights(whole, resumed)
    assert metrics(whole) == metrics(resumed)
    record = read_record(resumed)
    assert record.resumed_at == [1]  # both times from the one checkpoint there was
    apart = {"resumed_at", "seconds", "rows_per_second", "peak_memory_mb"}
    assert record.model_dump(exclude=apart) == read_record(whole).model_dump(exclude=apart)
    assert not list(resumed.glob("*checkpoint*"))


def test_seeds_decide_runs(run):
    assert same_weights(run("one"), run("two"))
    assert not same_weights(run("one"), run("three", seed=1))


def test_a_finished_run_is_reported_not_repeated(run):
    folder = run("gd")
    before = read_record(folder)
    run("gd", progress=interrupt_after(1))
    assert read_record(folder) == before
    with pytest.raises(KeyboardInterrupt):  # without resume it is run again
        run("gd", resume=False, progress=interrupt_after(1))


def test_a_folder_in_use_is_refused_and_left_alone(run, tmp_path):
    folder = run("gd")
    before = (folder / "record.json").read_bytes()
    with pytest.raises(UserError, match="its seed is 0, not 1"):
        run("gd", seed=1)
    assert (folder / "record.json").read_bytes() == before
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "thesis.txt").write_text("mine")
    for resume in (True, False):
        with pytest.raises(UserError, match="holds no run"):
            run("papers", resume=resume)
    assert (tmp_path / "papers" / "thesis.txt").read_text() == "mine"


def test_the_stop_rule_fires_at_the_targets_own_holdout_nll(run):
    recipe = UNLEARN.model_copy(update={"stop": "holdout", "max_steps": 200, "stop_every": 2, "learning_rate": 3e-3})
    folder = run("ga", recipe, method="ga")
    record, looked = read_record(folder), [line for line in metrics(folder) if "forget_nll" in line]
    assert record.stop == "holdout" and record.stop_step == record.steps == looked[-1]["step"] < 200
    assert all(line["forget_nll"] < record.holdout_nll for line in looked[:-1])
    assert record.forget_nll == looked[-1]["forget_nll"] >= record.holdout_nll
    assert all(line["step"] % 2 == 0 for line in looked)


def test_a_level_that_the_recipe_names_stands_in_for_the_measured_one(run):
    recipe = UNLEARN.model_copy(update={"stop": "holdout", "max_steps": 200, "learning_rate": 3e-3})
    assert "stop_nll" not in recipe.canonical()
    measured = read_record(run("measured", recipe, method="ga"))
    level = 0.5 + measured.holdout_nll
    record = read_record(run("named", recipe.model_copy(update={"stop_nll": level}), method="ga"))
    assert record.config["recipe"]["stop_nll"] == level and record.holdout_nll == measured.holdout_nll
    assert record.steps > measured.steps and record.forget_nll >= level


def test_without_a_stop_rule_the_plan_is_carried_out(run):
    record = read_record(run("ga", UNLEARN, method="ga"))
    assert (record.stop, record.stop_step, record.holdout_nll, record.steps) == (None, None, None, 5)


def test_a_stop_rule_needs_holdout_rows(run, data):
    recipe = UNLEARN.model_copy(update={"stop": "holdout"})
    with pytest.raises(UserError, match="needs holdout rows"):
        run("ga", recipe, data=Rows(data.forget, data.retain))


def test_a_run_that_is_not_finite_stops_with_its_last_good_adapter(run):
    recipe = UNLEARN.model_copy(update={"learning_rate": 1e30, "max_steps": 20})
    folder = run("diverged", recipe)
    record = read_record(folder)
    assert record.verdict == "diverged" and record.steps < 20
    adapter = load_file(folder / "adapter" / "adapter_model.safetensors")
    assert all(torch.isfinite(value).all() for value in adapter.values())
    assert metrics(folder)[-1]["diverged"]


def test_a_method_that_needs_whole_weights_is_refused_where_they_are_dealt_out(run, tmp_path, monkeypatch):
    from baselines.training import unlearn as module

    monkeypatch.setattr(module, "joined", lambda: Processes(0, 2, sharded=True))
    for method, measured in (("mmunlearner", "every weight's gradient"), ("npo_lat", "the gradient of hidden states")):
        with pytest.raises(UserError, match=f"{method} measures {measured}.*FSDP"):
            run("sharded", method=method)
    assert not (tmp_path / "sharded").exists()


def adapter(folder):
    return load_file(folder / "adapter" / "adapter_model.safetensors")


def test_a_run_resumed_anywhere_before_it_diverges_ends_with_the_same_last_good_adapter(run):
    recipe = UNLEARN.model_copy(update={"learning_rate": 1e18, "warmup_share": 1.0, "max_steps": 30})
    whole = run("whole", recipe)
    steps, expected = read_record(whole).steps, adapter(whole)
    assert 2 <= steps < 30
    # The last two are killed around the step that broke the model; there are checkpoints before every step.
    for stopped in (2, steps, steps + 1):
        with pytest.raises(KeyboardInterrupt):
            often = recipe.model_copy(update={"checkpoint_seconds": 1e-9})
            run(f"resumed-{stopped}", often, progress=interrupt_after(stopped))
        resumed = run(f"resumed-{stopped}", recipe)
        assert read_record(resumed).resumed_at == [stopped - 1]
        assert read_record(resumed).steps == steps
        assert metrics(whole) == metrics(resumed)
        found = adapter(resumed)
        assert all(torch.equal(expected[name], found[name]) and torch.isfinite(found[name]).all() for name in found)


def test_a_first_step_after_a_resume_that_is_not_finite_keeps_the_checkpoint(run, tmp_path, monkeypatch):
    """As on a device whose sums differ a little each time: what was finite before the kill is not after it."""
    from baselines.training import unlearn as module

    often = UNLEARN.model_copy(update={"checkpoint_seconds": 1e-9})
    with pytest.raises(KeyboardInterrupt):
        run("gd", often, progress=interrupt_after(3))
    saved = load_file(tmp_path / "gd" / "checkpoint.safetensors")
    broken = {"forget_ascent": torch.tensor(math.nan, requires_grad=True)}
    monkeypatch.setattr(module, "method_terms", lambda *_: broken)
    folder = run("gd", UNLEARN)
    record = read_record(folder)
    assert (record.steps, record.resumed_at, record.verdict) == (2, [2], "diverged")
    kept = {f"weight|{name.replace('.weight', '.default.weight')}": value for name, value in adapter(folder).items()}
    assert kept.keys() == {name for name in saved if name.startswith("weight|")}
    assert all(torch.equal(saved[name], value) for name, value in kept.items())


@pytest.mark.parametrize("method", ["gd", "kl_min", "rmu", "npo_sam", "npo_lat"])
def test_layers_computed_again_give_the_same_run(run, monkeypatch, method):
    from torch.utils import checkpoint as of_torch

    from baselines.model import large_models

    calls = []
    kept = of_torch.checkpoint
    counted = lambda *given, **options: calls.append(1) or kept(*given, **options)  # noqa: E731
    monkeypatch.setattr(large_models, "checkpoint", counted)
    plain = run("plain", method=method)
    assert not calls
    spared = run("spared", UNLEARN.model_copy(update={"gradient_checkpointing": True}), method=method)
    assert calls
    for one, other in zip(metrics(plain), metrics(spared), strict=True):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-6)
    first, second = adapter(plain), adapter(spared)
    assert max((first[name] - second[name]).abs().max().item() for name in first) < 1e-6


def test_weights_of_4_bits_are_refused_where_they_cant_be_had(run, tmp_path):
    for recipe in (LEARN, UNLEARN):
        with pytest.raises(UserError, match=r"an adapter|which is not here"):
            run("four", recipe.model_copy(update={"load_in_4bit": True}))
    assert not (tmp_path / "four").exists()


def test_how_memory_is_spared_names_no_other_run():
    plain = UNLEARN.canonical()
    assert UNLEARN.model_copy(update={"gradient_checkpointing": True, "checkpoint_seconds": 1.0}).canonical() == plain
    assert "load_in_4bit" not in plain
    assert UNLEARN.model_copy(update={"load_in_4bit": True}).canonical() != plain


def test_learning_that_is_not_finite_leaves_no_model(run):
    folder = run("diverged", LEARN.model_copy(update={"learning_rate": 1e30}))
    assert read_record(folder).verdict == "diverged"
    assert not (folder / "model").exists()


def test_records_hold_no_machine_paths(run, tmp_path):
    folder = run("gd")
    for file in ("record.json", "metrics.jsonl", "config.canonical.json", "adapter/adapter_config.json"):
        assert str(tmp_path) not in (folder / file).read_text()
    assert "/" not in read_record(folder).model


def test_the_run_id_names_the_run(run, tiny_model):
    record = read_record(run("gd"))
    head, _, digest = record.run_id.rpartition("-")
    assert head == f"gd-{record.model}-privacy-10-0"
    assert len(digest) == 8 and int(digest, 16) >= 0


def test_schedules_warm_up_and_come_down():
    recipe = LearnRecipe(warmup_share=0.2, schedule="linear", final_share=0.1)
    assert [rate_share(step, 10, recipe) for step in (0, 1, 2)] == [0.5, 1.0, 1.0]
    assert rate_share(6, 10, recipe) == pytest.approx(0.1 + 0.9 * 0.5)
    cosine = recipe.model_copy(update={"schedule": "cosine"})
    assert rate_share(4, 10, cosine) == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2)
    assert rate_share(9, 10, recipe.model_copy(update={"schedule": "constant"})) == 1.0


def test_a_run_that_another_process_is_at_is_refused_and_left_as_it_is(run, tmp_path):
    folder = run("run")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    with alone(folder), pytest.raises(UserError, match=r"Another process is at work in .*run"):
        run("run", resume=False)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    (folder / "record.json").unlink()  # as if it were not finished yet
    with alone(folder), pytest.raises(UserError, match=r"Another process is at work in .*run"):
        run("run")
    assert same_weights(run("run"), run("other"))


@pytest.mark.parametrize(("place", "name"), [(models, "load"), (RunFolder, "save_model"), (RunFolder, "finish")])
def test_a_run_is_alone_from_loading_to_its_record(run, tmp_path, monkeypatch, place, name):
    act, refused = getattr(place, name), []

    def watched(*given, **named):
        with pytest.raises(UserError, match="Another process"), alone(tmp_path / "run"):
            pass
        refused.append(name)
        return act(*given, **named)

    monkeypatch.setattr(place, name, watched)
    run("run")
    assert refused
    with alone(tmp_path / "run"):
        pass
