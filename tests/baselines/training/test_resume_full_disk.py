"""A full disk, or one that refuses to be written, costs a paragraph: what was saved stays, and the run goes on."""

import contextlib
import resource

import pytest

from baselines.config import LearnRecipe, UnlearnRecipe
from baselines.run.disk import writing
from baselines.run.run_record import read_record
from baselines.training.learn import learn
from baselines.training.unlearn import unlearn
from mllmu_med_dataset.errors import UserError

LEARN = LearnRecipe(batch=4, max_steps=6, learning_rate=1e-3, checkpoint_seconds=1e-9)
UNLEARN = UnlearnRecipe(batch=4, max_steps=6, learning_rate=1e-3, checkpoint_seconds=1e-9)


@contextlib.contextmanager
def room_for(size: int):
    """Give a progress callback from whose first call on no file of this process grows beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield lambda *_: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def run(tiny_model, data, data_dir, tmp_path):
    def start(name, recipe, **changes):
        common = {"model": tiny_model, "data_dir": data_dir, "scenario": "privacy", "seed": 0, "data": data}
        given = {**common, "out": tmp_path / name, "recipe": recipe, **changes}
        if isinstance(recipe, LearnRecipe):
            learn(**{"rows": "target", **given})
        else:
            unlearn(**{"method": "gd", **given})
        return tmp_path / name

    return start


def stopped_after(steps):
    def progress(done, planned):
        if done == steps:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("recipe", [LEARN, UNLEARN])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_full_disk_is_reported_and_loses_nothing(run, tmp_path, recipe, share):
    whole = run("whole", recipe)
    with pytest.raises(KeyboardInterrupt):
        run("full", recipe, progress=stopped_after(3))
    folder = tmp_path / "full"
    before = (folder / "checkpoint.safetensors").read_bytes()
    refused = pytest.raises(UserError, match=r"can't write into .*whole.*same command")
    with room_for(int(share * len(before))) as filled, refused:
        run("full", recipe, progress=filled)
    assert (folder / "checkpoint.safetensors").read_bytes() == before
    assert not list(folder.glob(".*.part"))  # what could not be finished takes no room
    assert read_record(folder) is None
    resumed = run("full", recipe)
    assert (whole / "metrics.jsonl").read_bytes() == (resumed / "metrics.jsonl").read_bytes()
    weights = "model/model.safetensors"
    assert (whole / weights).read_bytes() == (resumed / weights).read_bytes()


def test_no_room_for_the_model_keeps_the_checkpoint(run, tmp_path):
    whole = run("whole", UNLEARN)
    model = (whole / "model" / "model.safetensors").stat().st_size
    with pytest.raises(KeyboardInterrupt):
        run("full", UNLEARN, progress=stopped_after(5))
    checkpoint = (tmp_path / "full" / "checkpoint.safetensors").stat().st_size
    assert checkpoint < model
    with room_for((checkpoint + model) // 2) as filled, pytest.raises(UserError, match="can't write into"):
        run("full", UNLEARN, progress=filled)
    assert (tmp_path / "full" / "checkpoint.safetensors").is_file() and not (tmp_path / "full" / "model").exists()
    assert (run("full", UNLEARN) / "model" / "model.safetensors").stat().st_size == model


def test_a_place_that_cant_be_written_is_refused(run, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="can't be made"):
        run("file/run", UNLEARN)


def test_errors_that_are_not_the_disks_pass(tmp_path):
    with pytest.raises(ValueError, match="no disk"), writing(tmp_path):
        raise ValueError("no disk")
    with pytest.raises(UserError, match="No space left"), writing(tmp_path):
        raise Exception("I/O error: No space left on device (os error 28)")  # as libraries in Rust say it
