"""A leaderboard goes to the Hub as a static Space and comes back as it was, against a Hub on loopback."""

import json

from tests.mllmu_med_dataset.test_publish import hub, outside, server  # noqa: F401 (fixtures)

SPACE = "ORG/mllmu-med-leaderboard"
READ = """
import sys
from huggingface_hub import snapshot_download
snapshot_download(sys.argv[1], repo_type="space", revision="v1", local_dir=sys.argv[2])
"""


def test_submit_build_publish_and_read_back(finished, hub, tmp_path, run):  # noqa: F811
    entry, space = tmp_path / "ours.json", tmp_path / "space"
    assert run("submit", finished, "--by", "Ada", "--out", entry)[0] == 0
    assert run("leaderboard", entry, "--out", space)[0] == 0
    code, out, _ = run("publish", SPACE, "--leaderboard", space, "--dry-run", "--json")
    assert code == 0 and json.loads(out)[0]["exists"] is False
    code, out, _ = run("publish", SPACE, "--leaderboard", space, "--json")
    (upload,) = json.loads(out)
    assert code == 0 and (upload["kind"], upload["sdk"], upload["tag"]) == ("space", "static", "v1")
    assert hub.tree(SPACE, kind="spaces") >= {"README.md", "index.html", "entries/ours.json"}
    assert json.loads((hub.folder / "spaces" / SPACE / "repo.json").read_text())["sdk"] == "static"

    back = tmp_path / "back"
    outside(hub, tmp_path / "home", READ, SPACE, back)
    for name in upload["files"]:
        assert (back / name).read_bytes() == (space / name).read_bytes()
    assert run("leaderboard", back / "entries", "--out", tmp_path / "again")[0] == 0
    assert (tmp_path / "again" / "index.html").read_bytes() == (space / "index.html").read_bytes()

    # The same again changes nothing; another one replaces the entries that it lacks, under the next tag.
    assert json.loads(run("publish", SPACE, "--leaderboard", space, "--json")[1])[0]["unchanged"] is True
    entry.rename(tmp_path / "renamed.json")
    assert run("leaderboard", tmp_path / "renamed.json", "--out", space)[0] == 0
    code, _, err = run("publish", SPACE, "--leaderboard", space)
    assert code == 2 and "--revision-tag v2" in err
    assert run("publish", SPACE, "--leaderboard", space, "--revision-tag", "v2")[0] == 0
    assert {name for name in hub.tree(SPACE, kind="spaces") if "/" in name} == {"entries/renamed.json"}


def test_a_folder_that_was_forged_is_not_published(entry_file, hub, tmp_path, run):  # noqa: F811
    space = tmp_path / "space"
    assert run("leaderboard", entry_file, "--out", space)[0] == 0
    held = space / "entries" / "ours.json"
    document = json.loads(held.read_text())
    document["scenarios"][0]["scores"]["gd"]["ues"] = 0.99
    held.write_text(json.dumps(document))
    code, _, err = run("publish", SPACE, "--leaderboard", space)
    assert code == 2 and "claims ues 0.99 for gd" in err
    code, _, err = run("publish", SPACE, "--leaderboard", space, "--metric", "ORG/mllmu_med_ues")
    assert code == 2 and "two Spaces" in err
    assert not (hub.folder / "spaces" / SPACE).exists()
