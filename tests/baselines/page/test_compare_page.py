"""Two studies side by side: the differences are those of their reports, and what changed is what other answers are."""

import json

import pytest

from baselines import cli
from baselines.page.compare_page import compare, text
from baselines.study.report import report
from mllmu_med_dataset.errors import UserError

from .conftest import Read
from .made_study import half, made_study, refuse


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A study of the same rows in which ga refuses, and the control says what it says."""
    folder = made_study(
        tmp_path_factory.mktemp("other") / "other", {"ga": refuse, "npo": half}, scenarios=("incorrectness",)
    )
    report(folder)
    return folder


@pytest.fixture(scope="module")
def compared(page, other, tmp_path_factory):
    out = tmp_path_factory.mktemp("compared") / "new" / "compare.html"
    return compare(page.folder, other, out), Read(out.read_text(encoding="utf-8"))


def test_differences_are_those_of_the_two_reports(page, other, compared):
    theirs = {row["model"]: row for row in json.loads((other / "report.json").read_text())["rows"]}
    ours = {row["model"]: row for row in page.document["rows"] if row["scenario"] == "incorrectness"}
    assert list(compared[0]["scenarios"]) == ["incorrectness"]
    found = compared[0]["scenarios"]["incorrectness"]
    assert {one["model"] for one in found["differences"]} == {"retain_ft", "ga"}
    for one in found["differences"]:
        field, model = one["field"], one["model"]
        assert one["first"] == pytest.approx(ours[model][field])
        assert one["second"] == pytest.approx(theirs[model][field])
        assert one["difference"] == pytest.approx(theirs[model][field] - ours[model][field])
        assert one["low"] <= one["difference"] <= one["high"]
        assert (one["p_holm"] is None) == (field != found["score"])
        if model == "retain_ft":
            assert one["difference"] == one["low"] == one["high"] == 0
    strict = next(one for one in found["differences"] if (one["model"], one["field"]) == ("ga", "ues_strict"))
    assert strict["high"] < 0 and strict["p_holm"] < 0.05


def test_the_other_way_round_every_difference_has_the_other_sign(page, other, compared, tmp_path):
    back = compare(other, page.folder, tmp_path / "back.html")["scenarios"]["incorrectness"]
    for one, turned in zip(compared[0]["scenarios"]["incorrectness"]["differences"], back["differences"], strict=True):
        assert turned["difference"] == -one["difference"]
        assert (turned["low"], turned["high"]) == (pytest.approx(-one["high"]), pytest.approx(-one["low"]))


def test_what_changed_is_counted_and_shown(compared):
    document, read = compared
    changed = document["scenarios"]["incorrectness"]["answers"]
    data = json.loads(read.inside["script"][0])
    [one] = data["scenarios"]
    assert changed["retain_ft"] == {"rows": len(one["rows"]), "changed": 0, "outcomes": {}}
    before, after = next(pair for pair in one["pairs"] if one["models"][one["voices"][pair[0]]["m"]] == "ga")
    outcomes = [tuple(row["d"][row["b"][place]]["o"] for place in (before, after)) for row in one["rows"]]
    assert changed["ga"]["changed"] == len(one["rows"])  # it refuses everywhere, and did nowhere before
    assert changed["ga"]["outcomes"] == {
        f"{was} → refuses": sum(one == (was, "refuses") for one in outcomes) for was in ("wrong", "true")
    }
    assert "ga" in text(document) and "other ones" in text(document)
    _, *lines = read.tables["compared-incorrectness"]
    assert [line[0][0] for line in lines] == ["retain_ft", "ga"]


def test_what_can_not_be_compared_is_refused_and_nothing_is_written(page, other, tmp_path, capsys):
    out = tmp_path / "compare.html"
    alone = made_study(tmp_path / "alone", {"gd": half}, seeds=1, scenarios=("knowledge",))
    with pytest.raises(UserError, match="share no scenario"):
        compare(alone, other, out)
    with pytest.raises(UserError, match="is a folder"):
        compare(page.folder, other, tmp_path)
    with pytest.raises(UserError, match="holds no study"):
        compare(page.folder, tmp_path, out)
    for words in ([str(page.folder), str(other)], [str(page.folder), "--out", str(out)]):
        with pytest.raises(SystemExit) as ended:
            cli.main(["report", *words])
        assert ended.value.code == 2 and "--out is the page of two studies" in capsys.readouterr().err
    assert not out.exists()
