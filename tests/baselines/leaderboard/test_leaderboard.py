"""A leaderboard shows what answers give: a forged score is refused, and what entries say is shown as text."""

import json
import re

import pytest

from baselines.leaderboard import entry as entries
from baselines.leaderboard import space
from mllmu_med_dataset.errors import UserError


def forged(entry_file, folder, change):
    """Write the entry with what `change` does to its document."""
    document = json.loads(entry_file.read_text())
    change(document)
    folder.mkdir(exist_ok=True)
    (folder / "forged.json").write_text(json.dumps(document))
    return folder / "forged.json"


def forge(document, attack, run, value):
    """Put a value in place of the first one of every row under an attack."""
    for of_row in document["scenarios"][0]["attacks"][attack][run]:
        of_row[0] = value


def swap(document, attack, run, other):
    """Say what another run said under an attack."""
    of_runs = document["scenarios"][0]["attacks"][attack]
    of_runs[run] = of_runs[other]


def test_a_folder_is_made_and_made_again_the_same(run, entry_file, tmp_path):
    out = tmp_path / "space"
    code, stdout, _ = run("leaderboard", entry_file, "--out", out, "--json")
    assert code == 0
    (table,) = json.loads(stdout)
    assert table["scenario"] == "incorrectness" and table["score"] == "ues_strict"
    assert [line["method"] for line in table["lines"]] == ["gd", "retain_ft"]
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == [
        "README.md", "entries/ours.json", "index.html",
    ]  # fmt: skip
    assert re.search(r"^sdk: static$", (out / "README.md").read_text(), re.MULTILINE)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert (out / "entries" / "ours.json").read_bytes() == entry_file.read_bytes()
    assert run("leaderboard", out / "entries", "--out", out)[0] == 0
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["space"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["scenarios"][0]["scores"]["gd"].update(ues=0.99), "claims ues 0.99 for gd, and its answers give"),
        (lambda d: d["scenarios"][0]["scores"]["gd"].update(verdict="no-effect"), "claims verdict 'no-effect'"),
        (lambda d: d["scenarios"][0]["scores"]["gd"].pop("ues"), "claims ues None"),
        (lambda d: d["scenarios"][0]["scores"].pop("gd"), "claims scores of other models"),
        (lambda d: d["scenarios"][0]["runs"][4].update(answers=[0] * 668), "its answers give"),
        (lambda d: d["scenarios"][0]["attacks"].pop("prefix"), "claims ues_robust"),
        (lambda d: forge(d, "exposure", "gd", 0.9), "claims ues_robust"),
        (lambda d: forge(d, "exposure", "gd", 1.5), "1.5, which is not a rank from 0 to 1"),
        (lambda d: swap(d, "relearn_retain", "gd", "target"), "claims ues_robust"),
        (lambda d: forge(d, "prefix", "gd", 10**6), "1000000, which is not a place among"),
        (lambda d: d["scenarios"][0]["attacks"]["sample"]["gd"].pop(), "due on 32 rows and carried of 31"),
        (lambda d: d["scenarios"][0]["attacks"]["sample"]["gd"][0].pop(), "holds 31 values of row"),
        (lambda d: d["scenarios"][0]["attacks"].update(mine={}), "'mine' is no attack of the set A1"),
        (lambda d: d["scenarios"][0]["task_versions"].update(mllmu_med_incorrectness_test="2-Z"), "version 2-Z"),
        (lambda d: d["scenarios"][0]["rows_sha256"].popitem(), "in none of the builds"),
        (lambda d: d.update(ues_version=1), "version 1 of the score"),
        (lambda d: d.update(seed="x"), r"no entry of a leaderboard \(seed"),
        (lambda d: d.update(more=1), "more: Extra inputs"),
        (lambda d: d.update(links=["http://example.org"]), "https://"),
        (lambda d: d["scenarios"][0]["runs"][0]["answers"].pop(), "not one for each"),
        (lambda d: d["scenarios"][0]["runs"].pop(1), "the answers of retain_only are missing"),
    ],
)  # fmt: skip
def test_what_the_answers_do_not_give_is_refused(run, entry_file, tmp_path, change, said):
    path = forged(entry_file, tmp_path / "entries", change)
    code, stdout, err = run("leaderboard", path, "--out", tmp_path / "space")
    assert code == 2 and stdout == ""
    paragraph = err.strip().splitlines()[-1]
    assert re.search(said, paragraph) and "forged" in paragraph
    assert not (tmp_path / "space").exists()


def test_answers_of_fewer_rows_are_refused(run, entry_file, tmp_path):
    def cut(document):
        answers = document["scenarios"][0]
        answers["ids"] = answers["ids"][:-5]
        for one in answers["runs"]:
            one["answers"] = one["answers"][:-5]

    code, _, err = run("leaderboard", forged(entry_file, tmp_path / "entries", cut), "--out", tmp_path / "space")
    assert code == 2 and "answers 663 of the 668 rows" in err and "--no-views" in err


def test_what_an_entry_says_is_shown_and_never_runs(entry_file, tmp_path):
    script = "<script>alert(1)</script>"

    def hostile(document):
        document.update(title=script, by='"><img src=x onerror=alert(1)>', note="{{ 7*7 }} \u202e</section>")

    out = tmp_path / "space"
    space.leaderboard([forged(entry_file, tmp_path / "entries", hostile)], out, [None])
    page = (out / "index.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and script not in page
    assert "<img" not in page and "{{ 7*7 }}" in page
    assert page.count("</section>") == page.count("<section>")
    assert "default-src 'none'" in page
    # Nothing is asked of the network: no address stands in the page but where a reader may click.
    assert not re.search(r"(src|@import|url\()\s*=?\s*[\"']?https?:", page)


def test_entries_of_one_name_and_folders_of_others_are_refused(run, entry_file, tmp_path):
    code, _, err = run("leaderboard", entry_file, entry_file, "--out", tmp_path / "space")
    assert code == 2 and "has the name of another one" in err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    code, _, err = run("leaderboard", entry_file, "--out", tmp_path / "mine")
    assert code == 2 and "in use" in err
    (tmp_path / "none").mkdir()
    code, _, err = run("leaderboard", tmp_path / "none", "--out", tmp_path / "space")
    assert code == 2 and "no entries" in err
    code, _, err = run("leaderboard", tmp_path / "gone.json", "--out", tmp_path / "space")
    assert code == 2 and "gone.json" in err


def test_an_edited_folder_is_not_published(entry_file, tmp_path):
    out = tmp_path / "space"
    space.leaderboard([entry_file], out, [None])
    assert set(space.checked_space(out, [None])) == {"README.md", "index.html", "entries/ours.json"}
    page = out / "index.html"
    page.write_text(page.read_text().replace("0.5", "0.9", 1))
    with pytest.raises(UserError, match="is not what the entries beside it give"):
        space.checked_space(out, [None])
    with pytest.raises(UserError, match="no folder of a leaderboard"):
        space.checked_space(tmp_path, [None])


def test_the_file_of_an_entry_reads_back_as_it_was(entry_file, tmp_path):
    entry = entries.read(entry_file)
    entries.write(entry, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == entry_file.read_bytes()


@pytest.mark.parametrize(("worst", "rests"), [("exposure", True), ("prefix", False), (None, False)])
def test_a_line_whose_worst_attack_ranks_likelihoods_is_marked(worst, rests):
    values = {"ues_robust": 0.2, "worst_attack": worst and {"attack": worst, "f": 0.1}}
    line = space.Line("ours", "nano", "llava", "gd", False, 1, values)
    assert line.rests_on_likelihoods is rests
    assert not space.Line("ours", "nano", "llava", "gd", False, 1, {**values, "ues_robust": None}).rests_on_likelihoods
