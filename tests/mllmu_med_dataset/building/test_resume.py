"""A build that is killed, interrupted, run twice at once or out of disk loses nothing and leaves nothing half-made."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mllmu_med_dataset import build as build_module
from mllmu_med_dataset.build import build
from mllmu_med_dataset.building import collect
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.verify import Report, verify

from ..conftest import record, records

ROOT = Path(__file__).parents[3]
OPTIONS = {"percents": (10,), "scenarios": ("privacy",)}


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir())


def interrupt_at(stage):
    def progress(at, done, total):
        if at.startswith(stage):
            raise KeyboardInterrupt

    return progress


def interrupted(out, stage, **options):
    with pytest.raises(KeyboardInterrupt):
        build(records(), out, progress=interrupt_at(stage), **{**OPTIONS, **options})
    assert not out.exists() and leftovers(out.parent) == [f".{out.name}.building"]


@pytest.fixture(autouse=True)
def unverified(monkeypatch):
    """Leave the gates out of the builds made here, which are about other things; tests call them themselves."""
    report = Report(folder=Path(), gates=(), rows=0)
    monkeypatch.setattr(build_module, "verify", lambda folder: report)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return build(records(), tmp_path_factory.mktemp("whole") / "b", **OPTIONS).dataset_sha256


def killed(folder, moments):
    command = [sys.executable, "-m", "tests.mllmu_med_dataset.killed_builds", str(folder), str(moments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for told in found:
        assert told["lived"] == (told["moment"] > told["of"]), told
        assert not told["there"] or (told["verifies"] and told["complete"]), told
        assert told["resumed"] and told["same"] and told["left"] == ["mllmu-med"], told
    return found


def test_a_build_killed_in_the_midst_goes_on_to_the_same_files(tmp_path):
    found = killed(tmp_path, 3)
    assert len(found) == 3
    # The moments reach from before anything is on disk to after everything is.
    assert not found[0]["there"] and found[-1]["there"]


@pytest.mark.slow
def test_a_build_killed_at_any_moment_goes_on_to_the_same_files(tmp_path):
    assert len(killed(tmp_path, 1_000)) > 40


_KILLED_WITH_WORKERS = """
import os, signal, sys
from mllmu_med_dataset.build import build
from tests.mllmu_med_dataset.conftest import records

def progress(stage, done, total):
    if stage.startswith("write privacy_test"):
        os.kill(os.getpid(), signal.SIGKILL)

build(records(), sys.argv[1], percents=(10,), scenarios=("privacy",), workers=2, progress=progress)
"""


def dies_with_its_processes(code, *arguments):
    """Run code that kills itself, and see that no process it started is left."""
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, start_new_session=True)
    assert process.wait() == -signal.SIGKILL
    for _ in range(100):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("a worker outlives the build by ten seconds")


@pytest.mark.slow
def test_the_processes_of_a_killed_build_end_with_it_and_spoil_nothing(tmp_path, expected):
    dies_with_its_processes(_KILLED_WITH_WORKERS, str(tmp_path / "b"))
    assert not (tmp_path / "b").exists()
    assert build(records(), tmp_path / "b", workers=2, **OPTIONS).dataset_sha256 == expected


@pytest.mark.parametrize("stage", ["collect", "identities", "write privacy_retain", "verify"])
def test_an_interrupted_build_goes_on_to_the_same_data_set(tmp_path, expected, stage):
    interrupted(tmp_path / "b", stage)
    assert build(records(), tmp_path / "b", **OPTIONS).dataset_sha256 == expected
    assert verify(tmp_path / "b").ok and leftovers(tmp_path) == ["b"]


def test_what_was_done_is_not_done_again(tmp_path, expected, monkeypatch):
    interrupted(tmp_path / "b", "write privacy_test")
    written, decoded = [], []
    monkeypatch.setattr(collect, "open_image", lambda data: decoded.append(data))
    write = build_module.write_table
    monkeypatch.setattr(build_module, "write_table", lambda table: written.append(table.config) or write(table))
    monkeypatch.setattr(build_module, "inject", None)
    assert build(records(), tmp_path / "b", **OPTIONS).dataset_sha256 == expected
    # retain comes first, the interrupt after test
    assert written == ["privacy_forget", "privacy_holdout"] and not decoded


def test_a_finished_config_that_was_changed_is_written_again(tmp_path, expected):
    interrupted(tmp_path / "b", "card")
    path = tmp_path / ".b.building" / "folder" / "data" / "privacy_test" / "test-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    assert build(records(), tmp_path / "b", **OPTIONS).dataset_sha256 == expected


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"seed": 1}, "other parameters"), ({"resume": False}, "resuming is off")],
)
def test_the_left_over_of_another_build_is_discarded_and_told(tmp_path, expected, changed, why):
    interrupted(tmp_path / "b", "card")
    with pytest.warns(UserWarning, match=f"unfinished build.*{why}"):
        summary = build(records(), tmp_path / "b", **OPTIONS, **changed)
    assert (summary.dataset_sha256 == expected) == ("seed" not in changed) and leftovers(tmp_path) == ["b"]


def test_the_left_over_of_another_source_is_discarded_and_told(tmp_path):
    interrupted(tmp_path / "b", "card")
    asked = [*records(), *(record(number, "organ") for number in range(100, 110))]
    with pytest.warns(UserWarning, match="source has changed"):
        summary = build(asked, tmp_path / "b", **OPTIONS)
    assert summary.dataset_sha256 == build(asked, tmp_path / "c", **OPTIONS).dataset_sha256
    assert sum(summary.patients.values()) == 58


@pytest.mark.parametrize("name", ["spool.db", "images.bin"])
def test_a_left_over_that_is_damaged_is_not_gone_on_with(tmp_path, expected, name):
    interrupted(tmp_path / "b", "inject")
    (tmp_path / ".b.building" / name).write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="unfinished build"):
        assert build(records(), tmp_path / "b", **OPTIONS).dataset_sha256 == expected


def test_a_source_that_fails_half_way_leaves_nothing_at_out(tmp_path, expected):
    def failing():
        yield from records(3)
        raise OSError("the disk of the source is gone")

    # It is the source's own error that is told, not one of this build's disk.
    with pytest.raises(OSError, match="of the source"):
        build(failing(), tmp_path / "b", **OPTIONS)
    assert not (tmp_path / "b").exists()
    assert build(records(), tmp_path / "b", **OPTIONS).dataset_sha256 == expected


def test_two_builds_at_once_into_one_folder_are_refused(tmp_path, expected):
    def asking():
        yield from records(3)
        with pytest.raises(UserError, match=r"Another build into .*b is running"):
            build(records(), tmp_path / "b", **OPTIONS)
        # Beside it there is room for another one.
        assert build(records(), tmp_path / "c", **OPTIONS).dataset_sha256 == expected
        yield from (one for one in records() if one.source_id >= "00003")

    assert build(asking(), tmp_path / "b", **OPTIONS).dataset_sha256 == expected
    assert leftovers(tmp_path) == ["b", "c"]


def test_a_build_that_is_replaced_is_put_back_after_a_kill_between_two_renames(tmp_path, expected, monkeypatch):
    build(records(), tmp_path / "b", seed=1, **OPTIONS)
    publish = build_module.WorkingFolder.publish

    def killed_between(work):
        work.out.rename(work.path / "replaced")
        raise KeyboardInterrupt

    monkeypatch.setattr(build_module.WorkingFolder, "publish", killed_between)
    with pytest.raises(KeyboardInterrupt):
        build(records(), tmp_path / "b", overwrite=True, **OPTIONS)
    assert not (tmp_path / "b").exists()
    monkeypatch.setattr(build_module.WorkingFolder, "publish", publish)
    # Other parameters discard the left-over, never the build that stood there before.
    with pytest.warns(UserWarning, match="other parameters"):
        assert build(records(), tmp_path / "b", seed=1, **OPTIONS).already_there
    assert leftovers(tmp_path) == ["b"]


_FULL_DISK = """
import resource, sys
from pathlib import Path
from mllmu_med_dataset.build import build
from mllmu_med_dataset.errors import UserError
from tests.mllmu_med_dataset.conftest import records

out = Path(sys.argv[1])
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
for kib in (20, 250):
    resource.setrlimit(resource.RLIMIT_FSIZE, (kib * 1024, limits[1]))
    try:
        build(records(), out, percents=(10,), scenarios=("privacy",))
    except UserError as error:
        assert not out.exists()
        print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
print(build(records(), out, percents=(10,), scenarios=("privacy",)).dataset_sha256)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on the size of files here")
def test_a_full_disk_is_told_in_a_paragraph_and_loses_nothing(tmp_path, expected):
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(tmp_path / "b")], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *told, last = done.stdout.splitlines()
    assert told and all("can't write below" in line and "same command again" in line for line in told)
    assert last == expected and leftovers(tmp_path) == ["b"]


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"can't be made.*Name a place"):
        build(records(), tmp_path / "file" / "b")
    # Beside ``out`` there is a file where the working folder would be.
    (tmp_path / ".b.building").write_text("")
    with pytest.raises(UserError, match=r"can't write below .*\.b\.building"):
        build(records(), tmp_path / "b")
    assert leftovers(tmp_path) == [".b.building", "file"]
