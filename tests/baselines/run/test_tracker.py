"""A run is followed by trackers as they are called, and is the same run with and without one."""

import json
import sys

import pytest

from baselines.config import UnlearnRecipe
from baselines.training.unlearn import unlearn
from mllmu_med_dataset.errors import UserError

RECIPE = UnlearnRecipe(batch=4, max_steps=3, learning_rate=1e-3)

# Takes the arguments that both packages take, and writes down what it is sent.
PACKAGE = """
import json, os

def init(*, project, name, config, resume, **identity):
    if os.environ.get("REFUSES"):
        raise RuntimeError("no key\\nsecond line")
    return Run([{"project": project, "name": name, "resume": resume, "scenario": config["scenario"], **identity}])

class Run:
    def __init__(self, told):
        self.told = told
    def log(self, values, step):
        if os.environ.get("FAILS") == "log":
            raise OSError("no network")
        self.told.append([step, values])
    def finish(self):
        if os.environ.get("FAILS"):
            raise OSError("no network")
        with open(os.environ["TOLD"], "w") as file:
            json.dump(self.told, file)
"""


@pytest.fixture(params=["trackio", "wandb"])
def package(request, tmp_path, monkeypatch):
    """Return the name of a tracker that is on the path."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / f"{request.param}.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, request.param, raising=False)
    monkeypatch.setenv("TOLD", str(tmp_path / "told.json"))
    yield request.param
    sys.modules.pop(request.param, None)


@pytest.fixture
def run(tiny_model, data, data_dir, tmp_path):
    """Return a function that unlearns into a folder of that name and returns the folder."""

    def start(name, report_to):
        unlearn(
            model=tiny_model, data_dir=data_dir, scenario="privacy", method="gd", out=tmp_path / name, recipe=RECIPE,
            seed=0, data=data, report_to=report_to,
        )  # fmt: skip
        return tmp_path / name

    return start


def test_a_tracker_is_sent_every_line_of_the_metrics_and_changes_nothing(run, package, tmp_path):
    followed, alone = run("followed", package), run("alone", None)
    first, *lines = json.loads((tmp_path / "told.json").read_text())
    written = [json.loads(line) for line in (followed / "metrics.jsonl").read_text().splitlines()]
    assert [{"step": step, **values} for step, values in lines] == written and len(written) == 3
    run_id = json.loads((followed / "record.json").read_text())["run_id"]
    expected = {"project": "mllmu-med", "name": run_id, "resume": "allow", "scenario": "privacy"}
    assert first == expected | ({"id": run_id} if package == "wandb" else {})
    for name in ("metrics.jsonl", "config.canonical.json", "model/model.safetensors"):
        assert (followed / name).read_bytes() == (alone / name).read_bytes()


def test_a_tracker_that_refuses_says_so_and_the_run_can_go_on_without_it(run, package, monkeypatch):
    monkeypatch.setenv("REFUSES", "1")
    with pytest.raises(UserError, match=f"{package} can't follow this run: no key. Start the same command again"):
        run("refused", package)
    assert (run("refused", None) / "record.json").is_file()


@pytest.mark.parametrize("where", ["log", "finish"])
def test_a_tracker_that_fails_later_is_given_up_and_the_run_goes_on(run, package, monkeypatch, where):
    monkeypatch.setenv("FAILS", where)
    with pytest.warns(UserWarning, match="goes on without its tracker: no network") as warned:
        folder = run("failed", package)
    assert len([one for one in warned if "tracker" in str(one.message)]) == 1
    assert (folder / "record.json").is_file() and (folder / "model" / "model.safetensors").is_file()
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 3


def test_an_unknown_or_absent_tracker_is_refused_before_anything_is_written(run, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="trackio"):
        run("unknown", "trakio")
    monkeypatch.setattr("baselines.run.tracker.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install wandb"):
        run("absent", "wandb")
    assert not (tmp_path / "unknown").exists() and not (tmp_path / "absent").exists()
