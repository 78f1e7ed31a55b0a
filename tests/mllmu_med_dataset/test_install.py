import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import mllmu_med_metrics
import mllmu_med_tasks
from mllmu_med_dataset import install as installer
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import checksums
from mllmu_med_dataset.verify import Report
from mllmu_med_dataset.verify import verify as verify_really
from mllmu_med_tasks.names import TASKS as TASK_OF
from tests.conftest import LIGHT_EVALUATE

TASKS = Path(mllmu_med_tasks.__file__).parent / "lm_eval"
METRIC = Path(mllmu_med_metrics.__file__).parent / "mllmu_med_ues"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A cache of one's own, and a stand-in for the installed lm_eval, so that no test writes into the real one."""
    lm_eval = tmp_path / "site" / "lm_eval"
    (lm_eval / "tasks").mkdir(parents=True)
    cache = tmp_path / "hf"
    monkeypatch.setattr(installer, "_home", lambda: cache)
    monkeypatch.setattr(installer, "_datasets_cache", lambda: cache / "datasets")
    monkeypatch.setattr(
        installer,
        "_metric_folder",
        lambda: cache / "modules" / "evaluate_modules" / "metrics" / "evaluate-metric--mllmu_med_ues",
    )
    monkeypatch.setattr(installer, "_stub_folder", lambda: lm_eval / "tasks" / "mllmu_med")
    return cache


@pytest.fixture(autouse=True)
def verified_once(built, small, monkeypatch):
    """Trust the builds that the tests share; every other folder is verified as it is."""
    good = {folder.resolve(): Report(folder=folder, gates=(), rows=0) for folder in (built, small)}
    trusting = lambda folder: good.get(folder) or verify_really(folder)  # noqa: E731
    monkeypatch.setattr(sys.modules["mllmu_med_dataset.verify"], "verify", trusting)


def install(data_dir):
    return installer.install(data_dir, tasks=TASKS, metric=METRIC)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def outside(code, cwd, home):
    """Run code as any other project would: another process, an empty folder, offline."""
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1"}
    cwd.mkdir(exist_ok=True)
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


LOAD_DATA = """
from datasets import load_dataset
rows = load_dataset("mllmu-med", "privacy_forget")["train"]
print(len(rows), rows[0]["id"], rows[0]["image"].size, rows[0]["phi"][0]["kind"])
"""
LOAD_METRIC = f"""{LIGHT_EVALUATE}
import evaluate
print(type(evaluate.load("mllmu_med_ues")).__name__)
"""


def test_both_literal_loads_work_from_an_empty_folder_and_undo_leaves_no_file(small, home, tmp_path):
    install(small)
    assert outside(LOAD_DATA, tmp_path / "empty", home).split()[-3:] == ["(64,", "64)", "name"]
    assert outside(LOAD_METRIC, tmp_path / "empty", home).strip()
    installer.undo()
    assert files(home) == [] and files(tmp_path / "site") == []


def test_every_config_of_the_build_is_installed_with_all_its_rows(built, home, tmp_path):
    install(built)
    for config, splits in checksums(built)["content"].items():
        for split, content in splits.items():
            for info in (home / "datasets" / "mllmu-med" / config).rglob("dataset_info.json"):
                assert json.loads(info.read_text())["splits"][split]["num_examples"] == content["rows"]
    assert not [path for path in (home / "datasets").iterdir() if path.name != "mllmu-med"]


def test_installing_twice_changes_nothing_and_the_newest_build_wins(built, home, tmp_path):
    from mllmu_med_dataset.build import build

    from .conftest import records

    first = install(built)
    listed = {path for path in files(home) if "datasets" not in path}
    assert install(built) == first
    assert {path for path in files(home) if "datasets" not in path} == listed
    shown = outside(LOAD_DATA, tmp_path / "empty", home)
    other = tmp_path / "other" / "mllmu-med"
    build(records(), other, percents=(10,), seed=1)
    install(other)
    assert outside(LOAD_DATA, tmp_path / "empty", home) != shown
    # What only the older build had is gone with it: every version there is of the newer one.
    key = checksums(other)["dataset_sha256"][:16]
    assert all(version.name.startswith(key) for version in (home / "datasets" / "mllmu-med").glob("*/*/*"))
    assert not list((home / "datasets" / "mllmu-med" / "privacy_forget_05").rglob("*.arrow"))


@pytest.fixture(scope="module")
def another(tmp_path_factory):
    """Another build, with rows of its own, in a folder of the same name."""
    from mllmu_med_dataset.build import build

    from .conftest import records

    folder = tmp_path_factory.mktemp("elsewhere") / "mllmu-med"
    build(records(), folder, percents=(10,), seed=1)
    return folder


def first_row(name, more=""):
    """A program that loads a build by a name or a path, and prints the first of its ids."""
    return f"""
from datasets import load_dataset
rows = load_dataset({str(name)!r}, "privacy_forget", split="train"){more}
print(min(rows["id"]))
"""


WRITES = '.map(lambda row: {"seen": True}).filter(lambda row: row["seen"]).sort("id")'


@pytest.mark.parametrize("more", ["", WRITES])
def test_a_build_that_is_loaded_by_its_path_never_takes_the_place_of_the_installed_one(
    small, another, home, tmp_path, more
):
    install(small)
    cwd = tmp_path / "empty"
    ours = outside(first_row("mllmu-med", more), cwd, home)
    theirs = outside(first_row(another, more), cwd, home)
    assert ours != theirs
    assert outside(first_row("mllmu-med", more), cwd, home) == ours
    assert outside(first_row(another, more), cwd, home) == theirs
    assert outside(first_row("mllmu-med"), cwd, home) == ours
    assert installer.examine()[0]


def test_a_config_that_the_installed_build_lacks_fails_by_name_where_another_build_has_it(
    built, another, home, tmp_path
):
    install(another)
    code = """
from datasets import load_dataset
for split in (None, "train"):
    try:
        load_dataset({name!r}, "privacy_forget_05", split=split)
    except (OSError, ValueError) as error:
        print("no_such_config_in_the_installed_build" in str(error))
    else:
        print("rows")
"""
    cwd = tmp_path / "empty"
    assert outside(code.format(name="mllmu-med"), cwd, home).split() == ["True", "True"]
    assert outside(code.format(name=str(built)), cwd, home).split() == ["rows", "rows"]
    assert outside(code.format(name="mllmu-med"), cwd, home).split() == ["True", "True"]


def test_copies_share_the_rows_and_are_whole_where_the_file_system_has_no_links(small, home, monkeypatch):
    install(small)
    place = home / "datasets" / "mllmu-med" / "privacy_test"
    rows = list(place.rglob("*.arrow"))
    assert len(rows) == installer._COPIES and len({path.stat().st_ino for path in rows}) == 1

    def refuse(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    install(small)
    rows = list(place.rglob("*.arrow"))
    assert len({path.stat().st_ino for path in rows}) == len({path.read_bytes() for path in rows}) * 4 == 4


def test_the_examination_says_what_the_name_gives(small, home, monkeypatch):
    assert installer.examine() == (True, "nothing is installed by name (mllmu-med install)")
    install(small)
    key = checksums(small)["dataset_sha256"][:16]
    assert installer.examine() == (True, f"{key} is what the name mllmu-med gives")
    other = home / "datasets" / "mllmu-med" / "privacy_test" / "0.0.0" / "cafe"
    other.mkdir()
    os.utime(other, (installer._DATED + 1,) * 2)
    ok, says = installer.examine()
    assert not ok and "gives other rows" in says and str(other) in says
    install(small)
    assert installer.examine()[0]
    # One that an older version left: it noted no checksum.
    manifest = home / "mllmu-med" / "install.json"
    document = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({name: document[name] for name in ("installed", "made")}))
    assert "of an older version" in installer.examine()[1]
    # The packaged rows of a version since upgraded.
    document["data"] = {"sha256": "0" * 64, "packaged": True}
    manifest.write_text(json.dumps(document))
    assert "another version of mllmu-med than this one" in installer.examine()[1]
    installer.undo()
    assert installer.examine()[0]


@pytest.mark.parametrize("data", ["x", [], {"sha256": 1}, {"packaged": True}])
def test_a_manifest_that_says_nothing_of_use_is_as_none(small, home, data):
    install(small)
    manifest = home / "mllmu-med" / "install.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "data": data}))
    assert not installer.examine()[0]
    assert set(installer.undo()) == {"data", "metric", "tasks"}


def test_an_older_metric_is_gone_and_the_installed_one_is_that_of_the_package(small, home, tmp_path):
    place = home / "modules" / "evaluate_modules" / "metrics" / "evaluate-metric--mllmu_med_ues"
    older = place / ("0" * 64) / "mllmu_med_ues.py"
    older.parent.mkdir(parents=True)
    older.write_text("raise RuntimeError\n")
    # A copy that was loaded by its path is cached under another name, and stays.
    copied = place.with_name("mllmu_med_ues") / ("1" * 64) / "mllmu_med_ues.py"
    copied.parent.mkdir(parents=True)
    copied.write_text("raise RuntimeError\n")
    install(small)
    os.utime(copied, (installer._DATED,) * 2)
    assert not older.exists()
    code = f"{LIGHT_EVALUATE}import evaluate; print(type(evaluate.load('mllmu_med_ues')).__module__)"
    said = outside(code, tmp_path / "empty", home).strip()
    assert said == "mllmu_med_metrics.mllmu_med_ues.mllmu_med_ues"
    installer.undo()
    assert copied.exists()


def test_stubs_include_the_packaged_tasks_and_name_the_build(small, home, tmp_path):
    from lm_eval.tasks import TaskManager

    done = install(small)
    manager = TaskManager(include_path=done["tasks"], include_defaults=False)
    packaged = TaskManager(include_path=str(TASKS), include_defaults=False)
    content = checksums(small)["content"]
    lacking = {
        name for name in packaged.all_tasks if name.startswith("mllmu_med_") and not task_has_rows(name, content)
    }
    assert {"mllmu_med_knowledge_forget"} <= lacking  # a build without that scenario: the literal call asks the others
    assert manager.all_tasks == sorted(set(packaged.all_tasks) - lacking)
    rows = manager.load("mllmu_med_privacy_forget")["tasks"]["mllmu_med_privacy_forget"].eval_docs
    assert len(rows) == content["privacy_forget"]["train"]["rows"]


def task_has_rows(name, content):
    task = TASK_OF[name]
    return task.split in content.get(task.config(), {})


def test_a_group_lists_no_task_that_is_left_out(small, home, monkeypatch):
    document = checksums(small)
    document["content"]["request_forget"].pop("direct", None)
    monkeypatch.setattr(installer, "checksums", lambda _: document)
    place = Path(install(small)["tasks"])
    listed = yaml.safe_load((place / "mllmu_med.yaml").read_text())["task"]
    assert "mllmu_med_request_forget_direct" not in listed and "mllmu_med_request_forget" in listed
    assert not (place / "mllmu_med_request_forget_direct.yaml").exists()
    assert all((place / f"{name}.yaml").is_file() for name in listed)


def test_stubs_of_the_packaged_build_name_no_folder(home, small, monkeypatch):
    monkeypatch.setattr(installer, "data_folder", lambda _: small)
    done = install(None)
    assert "installed_dir" not in (Path(done["tasks"]) / "mllmu_med_privacy_forget.yaml").read_text()


def test_undo_keeps_what_others_have_in_the_caches(small, home):
    kept = [
        home / "datasets" / "squad" / "x.arrow",
        home / "modules" / "evaluate_modules" / "metrics" / "evaluate-metric--rouge" / "__init__.py",
    ]
    for path in kept:
        path.parent.mkdir(parents=True)
        path.write_text("")
    install(small)
    installer.undo()
    assert files(home)[0].startswith("datasets/squad") and all(path.exists() for path in kept)


def test_undo_without_an_install_removes_nothing(home):
    assert installer.undo() == {}
    assert not home.exists()


def test_undo_finds_the_usual_places_without_its_manifest(small, home):
    install(small)
    (home / "mllmu-med" / "install.json").unlink()
    assert set(installer.undo()) == {"data", "metric", "tasks"}


def test_without_lm_eval_the_tasks_are_left_out_and_that_is_said(small, home, monkeypatch):
    monkeypatch.setattr(installer, "_stub_folder", lambda: None)
    assert "lm_eval is not installed" in install(small)["tasks"]


def test_where_lm_eval_cannot_be_written_the_rest_is_installed_and_that_is_said(small, home, monkeypatch):
    make = Path.mkdir

    def mkdir(self, *args, **options):
        if self.name == "mllmu_med":
            raise PermissionError(13, "Permission denied", str(self))
        make(self, *args, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    assert "--include_path" in install(small)["tasks"]
    assert (home / "datasets" / "mllmu-med" / "privacy_test").is_dir()


def test_tasks_of_somebody_else_in_that_folder_are_not_overwritten(small, home, tmp_path):
    theirs = tmp_path / "site" / "lm_eval" / "tasks" / "mllmu_med" / "their.yaml"
    theirs.parent.mkdir()
    theirs.write_text("task: their\n")
    with pytest.raises(UserError, match="did not put there"):
        install(small)
    assert theirs.read_text() == "task: their\n"
    assert files(home) == []


def test_a_build_that_was_changed_is_not_installed(small, home, tmp_path):
    damaged = shutil.copytree(small, tmp_path / "damaged" / "mllmu-med")
    (damaged / "README.md").write_text("other")
    with pytest.raises(UserError, match="does not verify"):
        install(damaged)
    assert not home.exists()


def test_a_folder_that_is_no_build_is_refused(home, tmp_path):
    with pytest.raises(UserError, match=r"checksums\.json"):
        install(tmp_path)


def test_a_failure_on_the_way_leaves_nothing(small, home, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "/somewhere")

    monkeypatch.setattr(installer, "_install_metric", full)
    with pytest.raises(UserError, match="No space left on device"):
        install(small)
    assert files(home) == []


def test_the_caches_named_by_the_environment_are_used(small, tmp_path):
    code = """
import os
from mllmu_med_dataset import install
print(install._home(), install._datasets_cache(), install._metric_folder().parents[2], install._stub_folder())
"""
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path / "h"),
        "HF_DATASETS_CACHE": str(tmp_path / "d"),
        "HF_MODULES_CACHE": str(tmp_path / "m"),
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    *caches, stubs = done.stdout.split()
    assert caches == [str(tmp_path / name) for name in "hdm"]
    assert stubs.endswith(os.path.join("lm_eval", "tasks", "mllmu_med"))
