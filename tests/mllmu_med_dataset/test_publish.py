"""Publishing, against a Hub on loopback with the real clients: what is promised on the Hub is there, whole or not."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mllmu_med_dataset import publish as publisher
from mllmu_med_dataset.build import build
from mllmu_med_dataset.building.content import file_sha256
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import checksums

from .conftest import records

ROOT = Path(__file__).parents[2]
METRIC = ROOT / "mllmu_med_metrics" / "mllmu_med_ues"
DATA, SPACE = "ORG/mllmu-med", "ORG/mllmu_med_ues"


class Server:
    """A Hub in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.hub_server", str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        self.url = self.process.stdout.readline().strip()

    def fail(self, match: str, status: int, *, after: int = 0, times: int = 99) -> None:
        """Make requests fail from now on; ``times=0`` ends it."""
        fault = {"match": match, "status": status, "after": after, "times": times}
        (self.folder / "faults.json").write_text(json.dumps([fault]))

    def tree(self, repo: str = DATA, revision: str = "main", kind: str = "datasets") -> set[str]:
        """Return the names of the files of a revision."""
        place = self.folder / kind / repo
        refs = json.loads((place / "refs.json").read_text())
        commit = (refs["branches"] | refs["tags"]).get(revision, revision)
        return set(json.loads((place / "commits" / f"{commit}.json").read_text())["tree"])

    def requests(self) -> list[str]:
        """Return what was asked so far."""
        return (self.folder / "requests.log").read_text().splitlines()


@pytest.fixture
def server(tmp_path):
    hub = Server(tmp_path / "hub")
    yield hub
    hub.process.terminate()
    hub.process.wait()
    hub.process.stdout.close()


@pytest.fixture
def hub(server, monkeypatch):
    """The server, with this process's client turned to it and a token that may write to ORG."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.url)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", "hf_writer")
    # The client keeps its session, and with it what it thought of being offline.
    huggingface_hub.close_session()
    yield server
    huggingface_hub.close_session()


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another build, which lacks a scenario of the first one."""
    out = tmp_path_factory.mktemp("other") / "mllmu-med"
    build(records(), out, percents=(10,), scenarios=("privacy",), seed=1)
    return out


@pytest.fixture
def verified(monkeypatch):
    """Take the build as verified: test_verify holds what verifying finds, and one test here that it is asked."""
    real = publisher.checked_build
    monkeypatch.setattr(publisher, "checked_build", lambda data_dir: publisher.data_folder(data_dir))
    return real


def publish(data_dir, repo=DATA, **options):
    return publisher.publish(repo, data_dir=data_dir, **options)


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def outside(server, home, code, *arguments, **environment):
    """Run Python as another project would: another process, a cache of its own, this server as the Hub."""
    environment = {
        **os.environ, "HF_ENDPOINT": server.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(home), "HF_HUB_OFFLINE": "0",
        "HF_DATASETS_OFFLINE": "0", "HF_EVALUATE_OFFLINE": "0", "PYTHONPATH": str(ROOT), **environment,
    }  # fmt: skip
    command = [sys.executable, *(["-c", code] if code else []), *map(str, arguments)]
    cwd = home.parent
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


LOAD = """
import json, sys
from datasets import load_dataset
found = []
for config, split, revision, streaming in json.loads(sys.argv[2]):
    rows = load_dataset(sys.argv[1], config, split=split, revision=revision, streaming=streaming)
    found.append([row | {"image": row["image"] and row["image"].size} for row in rows])
print(json.dumps(found))
"""


def load(server, home, *asked):
    """Return the rows of each (config, split, revision, streaming), all loaded by one process."""
    return json.loads(outside(server, home, LOAD, DATA, json.dumps(asked)))


def local(folder, config, split="train"):
    from mllmu_med_dataset.load import load as load_build

    rows = [row | {"image": row["image"] and row["image"].size} for row in load_build(config, split, folder)]
    return json.loads(json.dumps(rows))


def test_what_is_published_is_what_load_dataset_gives(server, small, tmp_path):
    """The command in one process, ``load_dataset`` with the real clients in another, nothing between but HTTP."""
    command = ["-m", "baselines.cli", "publish", DATA, "--data", small, "--json"]
    (done,) = json.loads(outside(server, tmp_path / "ours", "", *command, HF_TOKEN="hf_writer"))
    assert set(done["files"]) == files(small) and len(done["commit"]) == 40
    assert server.tree() == files(small) | {".gitattributes"}
    asked = ("privacy_forget", "train", None, False)
    assert load(server, tmp_path / "theirs", asked) == [local(small, "privacy_forget")]


def test_a_dry_run_writes_nothing_and_needs_no_token(hub, small, verified, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    data, space = publish(small, metric=SPACE, metric_folder=METRIC, dry_run=True)
    assert set(data.files) == files(small) and data.exists is False and data.commit is None
    assert data.files["README.md"] == (small / "README.md").stat().st_size
    assert set(space.files) == {"README.md", "app.py", "mllmu_med_ues.py", "requirements.txt"}
    assert all(line.startswith("GET") for line in hub.requests())
    assert "is new" in data.lines()[0] and not (hub.folder / "datasets").exists()


def test_a_dry_run_works_without_a_hub(hub, small, verified):
    hub.process.terminate()
    hub.process.wait()
    (data,) = publish(small, dry_run=True)
    assert data.exists is None and "was not looked at" in data.lines()[0]


def test_a_second_build_replaces_the_first_and_the_tag_keeps_it(hub, small, other, verified):
    (first,) = publish(small)
    (second,) = publish(other, tag="v2")
    *data, figure = second.removed
    assert data and all(name.startswith(("data/incorrectness_", "data/request_")) for name in data)
    assert figure == "figures/errors.svg"
    assert hub.tree() == files(other) | {".gitattributes"}
    assert hub.tree(revision="v1") == files(small) | {".gitattributes"}
    assert first.commit != second.commit
    # One commit each, after the one that the Hub makes itself.
    assert len(list((hub.folder / "datasets" / DATA / "commits").iterdir())) == 3


def test_the_same_again_changes_nothing(hub, small, verified):
    first = publish(small, metric=SPACE, metric_folder=METRIC)
    asked = len(hub.requests())
    again = publish(small, metric=SPACE, metric_folder=METRIC)
    assert [one.commit for one in again] == [one.commit for one in first] and all(one.unchanged for one in again)
    assert not [line for line in hub.requests()[asked:] if "commit/" in line or line.startswith("PUT")]
    # A new tag on the same files is a name more, not a commit more.
    (named,) = publish(small, tag="v1.1")
    assert named.commit == first[0].commit


def test_files_of_others_in_the_repository_stay(hub, small, other, verified):
    publish(small)
    from huggingface_hub import HfApi

    HfApi(endpoint=hub.url).upload_file(
        path_or_fileobj=b"terms", path_in_repo="LICENSE", repo_id=DATA, repo_type="dataset"
    )
    publish(other, tag="v2")
    assert "LICENSE" in hub.tree()


def test_a_tag_that_names_other_files_is_refused_before_anything_is_sent(hub, small, other, verified):
    publish(small)
    before, asked = hub.tree(), len(hub.requests())
    with pytest.raises(UserError, match=r"tag 'v1'.*is taken.*--revision-tag v2"):
        publish(other)
    assert hub.tree() == before
    assert all(line.startswith("GET") for line in hub.requests()[asked:])


@pytest.mark.parametrize("match", ["PUT /_lfs/", "POST .*/commit/"])
def test_an_upload_that_breaks_off_shows_nothing_and_can_be_repeated(hub, small, other, verified, match):
    (first,) = publish(small)
    hub.fail(match, 403, after=2 if "PUT" in match else 0)
    with pytest.raises(UserError, match="may not write"):
        publish(other, tag="v2")
    assert hub.tree() == files(small) | {".gitattributes"}
    hub.fail(match, 403, times=0)
    (second,) = publish(other, tag="v2")
    assert hub.tree() == files(other) | {".gitattributes"} and second.commit != first.commit


def test_a_tag_that_could_not_be_made_is_made_by_the_same_command(hub, small, verified):
    hub.fail("POST .*/tag/", 500, times=1)
    with pytest.raises(UserError, match="answered 500"):
        publish(small)
    (done,) = publish(small)
    assert done.unchanged and hub.tree(revision="v1") == hub.tree()


def test_a_change_by_somebody_else_meanwhile_stops_the_commit(hub, small, other, verified):
    publish(small)
    hub.fail("POST .*/commit/", 412)
    with pytest.raises(UserError, match="Somebody else changed"):
        publish(other, tag="v2")


def test_private_is_private_and_never_silently_public(hub, small, verified, monkeypatch):
    publish(small, private=True)
    assert json.loads((hub.folder / "datasets" / DATA / "repo.json").read_text())["private"] is True
    publish(small, "ada/mllmu-med")
    with pytest.raises(UserError, match="is there and public"):
        publish(small, "ada/mllmu-med", private=True)


def test_without_a_token_it_is_said_where_to_get_one(hub, small, verified, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(UserError, match="hf auth login"):
        publish(small)
    assert not (hub.folder / "requests.log").exists()


def test_a_token_the_hub_does_not_know(hub, small, verified, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(UserError, match="does not accept the token"):
        publish(small)


@pytest.mark.parametrize(("token", "repo"), [("hf_reader", DATA), ("hf_writer", "elsewhere/mllmu-med")])
def test_a_token_that_may_not_write_there(hub, small, verified, monkeypatch, token, repo):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(UserError, match="may not write there"):
        publish(small, repo)
    assert not (hub.folder / "datasets").exists()


def test_a_paid_plan_that_a_space_needs_is_named(hub, small, verified):
    hub.fail("POST /api/repos/create", 402, after=1)
    with pytest.raises(UserError, match="without --metric"):
        publish(small, metric=SPACE, metric_folder=METRIC)


def test_a_hub_that_is_not_there(hub, small, verified):
    hub.process.terminate()
    hub.process.wait()
    with pytest.raises(UserError, match="can't be reached"):
        publish(small)


def test_offline_mode_is_named(hub, small, verified, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()
    with pytest.raises(UserError, match="HF_HUB_OFFLINE"):
        publish(small)


@pytest.mark.parametrize("repo", ["mllmu-med", "/mllmu-med", "ORG/", "a/b/c", "ORG/has space", "ORG/-x"])
def test_a_name_that_the_hub_does_not_take(small, verified, repo):
    with pytest.raises(UserError, match="is no name on the Hub"):
        publish(small, repo)


@pytest.mark.parametrize("tag", ["", "main", "v 1", "-v", "a..b", "v/1"])
def test_a_tag_that_git_does_not_take(small, verified, tag):
    with pytest.raises(UserError, match=r"--revision-tag v1|such as v1"):
        publish(small, tag=tag)


def test_a_build_that_was_changed_is_not_published(small, tmp_path):
    damaged = shutil.copytree(small, tmp_path / "mllmu-med")
    (damaged / "README.md").write_text("other")
    with pytest.raises(UserError, match=r"does not verify(.|\n)*files: README\.md"):
        publish(damaged)


def test_a_local_build_is_not_published(small, tmp_path):
    """Refused by what it says of itself, before anything else is looked at."""
    folder = shutil.copytree(small, tmp_path / "mllmu-med")
    document = checksums(folder)
    document["parameters"]["local"] = True
    (folder / "checksums.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match="is a local build"):
        publish(folder)


def test_what_is_on_the_hub_is_compared_with_what_was_sent(hub, small, verified, monkeypatch):
    monkeypatch.setattr(publisher, "remote_files", lambda *_: {})
    with pytest.raises(UserError, match="does not hold what was sent"):
        publish(small)
    refs = json.loads((hub.folder / "datasets" / DATA / "refs.json").read_text())
    assert refs["tags"] == {}


STUDY = """
import json, sys
from datasets import load_dataset
import evaluate
import mllmu_med_metrics
rows = [
    dict(row, image=None)
    for subset, split in (("forget", "train"), ("retain", "train"), ("test", "test"), ("holdout", "test"))
    for row in load_dataset(sys.argv[1], f"privacy_{subset}", split=split)
]
answers = {
    "target": [row["answer"] for row in rows],
    "retain_only": [row["true_answer"] for row in rows],
    "unlearned": [row["true_answer"] if n % 3 else row["answer"] for n, row in enumerate(rows)],
}
said = evaluate.load(sys.argv[2]).compute(
    predictions=answers["unlearned"], references=rows, target_predictions=answers["target"],
    retain_only_predictions=answers["retain_only"], replicates=50,
)
by_id = {model: {row["id"]: a for row, a in zip(rows, given)} for model, given in answers.items()}
here = mllmu_med_metrics.score(rows=rows, replicates=50, **by_id).to_dict()
print(json.dumps({"said": said, "here": here}))
"""


@pytest.mark.slow
def test_the_round_trip_of_data_set_and_space(server, small, other, tmp_path):
    """Publish, load, stream, load a view, score through the Space; a second build replaces the first."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    command = ["-m", "baselines.cli", "publish", DATA, "--metric", SPACE, "--json"]
    outside(server, ours, "", *command, "--data", small, HF_TOKEN="hf_writer")
    asked = [
        (config, split, None, streaming)
        for config, splits in checksums(small)["content"].items()
        for split in splits
        for streaming in (False, True)[: 2 if config.endswith("forget") else 1]
    ]
    expected = [local(small, config, split) for config, split, _, _ in asked]
    assert load(server, theirs, *asked) == expected and all(expected)
    study = json.loads(outside(server, theirs, STUDY, DATA, SPACE))
    assert study["said"] == study["here"] and 0 < study["here"]["ues"] < 1
    # Again with other rows of the same names: what was in their cache is not served.
    outside(server, ours, "", *command, "--data", other, "--revision-tag", "v2", HF_TOKEN="hf_writer")
    assert local(other, "privacy_forget") != local(small, "privacy_forget")
    again = [("privacy_forget", "train", revision, False) for revision in (None, "v1")]
    assert load(server, theirs, *again) == [local(folder, "privacy_forget") for folder in (other, small)]
    assert server.tree() == files(other) | {".gitattributes"}
    assert server.tree(SPACE, "v2", "spaces") >= set(publisher.METRIC_FILES)


def test_every_file_of_the_space_is_sent():
    tracked = {path.name for path in METRIC.iterdir() if path.is_file()}
    assert tracked == set(publisher.METRIC_FILES)


def test_published_bytes_are_the_built_ones(hub, small, verified):
    publish(small)
    blobs = {path.name for path in (hub.folder / "blobs").iterdir()}
    assert {file_sha256(small / name) for name in files(small)} <= blobs
