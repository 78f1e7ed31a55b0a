"""Sources from the Hub by id and revision, with the real client against a Hub on loopback."""

import json
import threading
from http.server import ThreadingHTTPServer

import huggingface_hub
import huggingface_hub.constants
import pytest

from baselines import cli
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.sources import SOURCES, open_source
from mllmu_med_dataset.sources.hub import HubPlace, hub_place, snapshot
from tests.hub_server import Handler, Hub
from tests.slake_fixture import make_slake
from tests.source_fixtures.omnimedvqa import make_omnimedvqa
from tests.source_fixtures.pmc_vqa import make_pmc_vqa
from tests.source_fixtures.vqa_rad import make_hub

PATIENTS = 48


class Repositories:
    """A Hub to put folders on."""

    def __init__(self, folder):
        self.hub = Hub(folder)

    def put(self, repo, folder, tag=None):
        """Make the folder's files the newest commit of a data set; return the commit."""
        if not self.hub.place("datasets", repo).is_dir():
            self.hub.create("datasets", repo, False, None)
        tree = {
            path.relative_to(folder).as_posix(): self.hub.file(path.read_bytes())
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        refs = self.hub.refs("datasets", repo)
        commit = self.hub.write_commit("datasets", repo, refs["branches"]["main"], "files", tree)
        refs["branches"]["main"] = commit
        if tag:
            refs["tags"][tag] = commit
        self.hub.write_refs("datasets", repo, refs)
        return commit

    def downloads(self):
        """Return the files that were fetched so far."""
        log = (self.hub.folder / "requests.log").read_text().splitlines()
        return sorted({line.split()[1].rpartition("/resolve/")[2].partition("/")[2] for line in log
                       if line.startswith("GET ") and "/resolve/" in line})  # fmt: skip


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A Hub that this process's client is turned to, with a cache of its own."""
    repositories = Repositories(tmp_path / "hub")
    handler = type("Here", (Handler,), {"hub": repositories.hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    constants = huggingface_hub.constants
    address = f"http://127.0.0.1:{server.server_address[1]}"
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    # The client keeps its session, and with it what it thought of being offline.
    huggingface_hub.close_session()
    yield repositories
    huggingface_hub.close_session()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_place_on_the_hub_is_told_from_a_path():
    assert hub_place("hf://datasets/ORG/NAME") == HubPlace("ORG/NAME", "main")
    assert hub_place("hf://datasets/ORG/NAME@v1.0") == HubPlace("ORG/NAME", "v1.0")
    # A Path makes one slash of two; a revision with slashes may be quoted as the Hub's own file system wants it.
    assert hub_place("hf:/datasets/ORG/NAME@refs%2Fpr%2F3/") == HubPlace("ORG/NAME", "refs/pr/3")
    assert hub_place("hf://datasets/ORG/NAME@refs/pr/3") == HubPlace("ORG/NAME", "refs/pr/3")
    assert hub_place("data/hf") is None and hub_place("/hf/datasets/ORG/NAME") is None


@pytest.mark.parametrize(
    "wrong", ["hf://ORG/NAME", "hf://datasets/NAME", "hf://datasets/ORG/NAME/data", "hf://", "hf:x"]
)
def test_another_address_is_refused_with_the_form_to_write(wrong):
    if wrong == "hf:x":
        assert hub_place(wrong) is None
    else:
        with pytest.raises(UserError, match="hf://datasets/ORG/NAME@REVISION"):
            hub_place(wrong)


def test_a_tag_a_commit_and_the_newest_state_are_read_each_as_it_was(hub, tmp_path):
    first = hub.put("ORG/vqa-rad", make_hub(tmp_path / "first", patients=8), tag="v1")
    second = hub.put("ORG/vqa-rad", make_hub(tmp_path / "second", patients=12, seed=5))

    def read(address):
        opened = open_source("vqa_rad", path=address)
        return opened.parameters, list(opened)

    assert first != second
    newest = list(open_source("vqa_rad", path=tmp_path / "second"))
    assert read("hf://datasets/ORG/vqa-rad") == ({"source_revision": f"ORG/vqa-rad@{second}"}, newest)
    older = list(open_source("vqa_rad", path=tmp_path / "first"))
    for revision in ("v1", first):
        told, rows = read(f"hf://datasets/ORG/vqa-rad@{revision}")
        assert told == {"source_revision": f"ORG/vqa-rad@{first}"} and rows == older


def test_revision_alone_reads_the_sources_own_repository(hub, tmp_path):
    commit = hub.put(SOURCES["vqa_rad"].hub, make_hub(tmp_path / "files", patients=8), tag="v2")
    opened = open_source("vqa_rad", options={"revision": "v2"})
    assert opened.parameters == {"source_revision": f"flaviagiammarino/vqa-rad@{commit}"}
    assert len({one.image_key for one in opened}) == 8
    again = open_source("vqa_rad", path="hf://datasets/flaviagiammarino/vqa-rad", options={"revision": commit})
    assert again.parameters == opened.parameters
    with pytest.raises(UserError, match="revision=v2 goes with data on the Hub"):
        open_source("vqa_rad", path=tmp_path / "files", options={"revision": "v2"})


def test_each_source_fetches_the_files_it_needs_and_no_others(hub, tmp_path):
    slake = make_slake(tmp_path / "slake", patients=8, zipped="imgs")
    (slake / "mask.txt").write_text("not needed")
    hub.put("ORG/SLAKE", slake)
    assert list(open_source("slake", path="hf://datasets/ORG/SLAKE")) == list(open_source("slake", path=slake))
    assert hub.downloads() == ["imgs.zip", "test.json", "train.json", "validation.json"]
    both = make_pmc_vqa(tmp_path / "pmc", patients=8)
    first = make_pmc_vqa(tmp_path / "pmc1", patients=8, version="1")
    for path in first.iterdir():
        path.rename(both / path.name)
    hub.put("ORG/PMC-VQA", both)
    for version, files in (("2", {"train_2.csv", "test_2.csv", "images_2.zip"}), ("1", {"train.csv", "test.csv"})):
        before = set(hub.downloads())
        found = list(open_source("pmc_vqa", path="hf://datasets/ORG/PMC-VQA", options={"version": version}))
        assert found == list(open_source("pmc_vqa", path=both, options={"version": version}))
        assert files <= set(hub.downloads()) - before
    omni = make_omnimedvqa(tmp_path / "omni", patients=12, packed=True)
    hub.put("ORG/OmniMedVQA", omni)
    assert list(open_source("omnimedvqa", path="hf://datasets/ORG/OmniMedVQA")) == list(
        open_source("omnimedvqa", path=omni)
    )


def test_once_downloaded_it_is_read_without_a_connection(hub, tmp_path, monkeypatch):
    hub.put("ORG/vqa-rad", make_hub(tmp_path / "files", patients=8), tag="v1")
    online = list(open_source("vqa_rad", path="hf://datasets/ORG/vqa-rad@v1"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()
    assert list(open_source("vqa_rad", path="hf://datasets/ORG/vqa-rad@v1")) == online
    with pytest.raises(UserError, match="Hub can't be reached"):
        open_source("vqa_rad", path="hf://datasets/ORG/vqa-rad@v2")
    with pytest.raises(UserError, match="Hub can't be reached"):
        open_source("vqa_rad", path="hf://datasets/ORG/other")


def test_what_is_not_there_is_told(hub, tmp_path):
    hub.put("ORG/vqa-rad", make_hub(tmp_path / "files", patients=8))
    with pytest.raises(UserError, match=r"has no revision 'v9'.*hf://datasets/ORG/vqa-rad@main"):
        open_source("vqa_rad", path="hf://datasets/ORG/vqa-rad@v9")
    with pytest.raises(UserError, match="is not on the Hub, or not for you to see"):
        open_source("vqa_rad", path="hf://datasets/ORG/none")
    with pytest.raises(UserError, match=r"has none of the files OmniMedVQA\.zip"):
        open_source("omnimedvqa", path="hf://datasets/ORG/vqa-rad")
    with pytest.raises(UserError, match="can't be the name of a data set"):
        snapshot(HubPlace("ORG/--a..b"))


def test_a_hub_that_fails_is_told(hub, tmp_path):
    hub.put("ORG/vqa-rad", make_hub(tmp_path / "files", patients=8))
    fault = {"match": "GET /datasets/", "status": 403, "times": 99}
    (hub.hub.folder / "faults.json").write_text(json.dumps([fault]))
    with pytest.raises(UserError, match=r"ORG/vqa-rad@main can't be downloaded .*403"):
        open_source("vqa_rad", path="hf://datasets/ORG/vqa-rad")


def test_a_build_from_the_hub_records_the_commit_it_read(hub, tmp_path):
    commit = hub.put("ORG/vqa-rad", make_hub(tmp_path / "files", patients=PATIENTS), tag="v1")
    out = tmp_path / "mllmu-med"
    address = "hf://datasets/ORG/vqa-rad@v1"
    arguments = ["build", "--source", "vqa_rad", "--source-path", address, "--percents", "10", "--out", str(out)]
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert not ended.value.code
    parameters = json.loads((out / "checksums.json").read_text())["parameters"]
    assert parameters["source_revision"] == f"ORG/vqa-rad@{commit}"
