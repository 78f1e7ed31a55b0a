"""A reported study run again: what differs is told, in scores and in what decided them."""

import copy
import json

import pytest

from baselines import cli
from baselines.model import models
from baselines.study import reproduce
from baselines.study.study import Study
from baselines.sweep import RECORDS
from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics import UES_VERSION


def row(model: str, ues: float | None, strict: float | None = 0.5, scenario: str = "privacy") -> dict[str, object]:
    return {"scenario": scenario, "model": model, "ues": ues, "ues_strict": strict}


@pytest.fixture
def document():
    return {
        "ues_version": UES_VERSION,
        "rows": [row("base", 0.9), row("target", 0.0), row("retain_only", 1.0), row("ga", 0.7), row("gd", None, None)],
        "runs": {"ga-1": {"name": "ga"}, "gd-1": {"name": "gd"}},
        "config": {"scenarios": ["privacy"], "methods": ["ga", "gd"], "source_path": None, "seed": 3, "fast": True},
        "versions": {"torch": "2", "mllmu-med": "0.1.0"},
        "dataset_checksum": "a" * 64,
    }


@pytest.fixture
def again(document, monkeypatch):
    """What the second run reports: the same, until a test changes it."""
    found = copy.deepcopy(document)
    monkeypatch.setattr(reproduce, "bench", lambda study, options=None: found)
    return found


def compare(document, tmp_path):
    return reproduce.reproduce(document, reproduce.study_of(document, tmp_path / "again"))


def test_the_same_study_has_no_difference_and_no_note(document, again, tmp_path):
    differences, notes = compare(document, tmp_path)
    assert [(one.model, one.field, one.apart) for one in differences] == [
        (model, field, 0.0) for model in ("base", "ga", "gd") for field in ("ues", "ues_strict")
    ]
    assert notes == []


def test_scores_apart_are_counted_on_either_side_and_undefined_is_no_number(document, again, tmp_path):
    again["rows"][3] |= {"ues": 0.67, "ues_strict": 0.515}
    again["rows"][4]["ues"] = 0.1
    differences, _ = compare(document, tmp_path)
    apart = {(one.model, one.field): one.within(0.02) for one in differences}
    assert [key for key, same in apart.items() if not same] == [("ga", "ues"), ("gd", "ues")]


def test_what_decided_the_runs_is_compared_too(document, again, tmp_path):
    again["versions"]["torch"] = "3"
    again["dataset_checksum"] = "b" * 64
    again["runs"] = {"ga-2": {"name": "ga"}, "gd-1": {"name": "gd"}}
    _, notes = compare(document, tmp_path)
    assert notes == [
        "torch was 2, is 3",
        f"the data set was {'a' * 16}, is {'b' * 16}: other rows",
        "decided by other settings, another model or other data than reported: ga",
    ]


def test_a_report_that_names_models_by_the_older_rule_is_compared_in_all_else(document, again, tmp_path):
    def learned(model, rate=1):
        return {"name": "target", "kind": "learn", "config": {"model": model, "rate": rate}}

    def unlearned(model):
        return {"name": "ga", "kind": "unlearn", "config": {"model": model}}

    old = models._digest_by_rule_1("nano")
    document["runs"] = {"target-1": learned(old), "ga-1": unlearned("0" * 16)}
    again["runs"] = {"target-2": learned(models.digest("nano")), "ga-2": unlearned("2-new")}
    older = "the report names models by an older rule, so its targets are not compared with the new ones"
    others = "decided by other settings, another model or other data than reported: "
    assert compare(document, tmp_path)[1] == [older]
    again["runs"]["target-2"] = learned(models.digest("nano"), rate=2)
    assert compare(document, tmp_path)[1] == [older, others + "target"]
    document["runs"] = {"target-1": learned("f" * 16), "ga-1": unlearned("2-old")}
    assert compare(document, tmp_path)[1] == [others + "target, ga"]


def test_a_part_is_the_same_study_with_fewer_methods(document, tmp_path):
    whole, part = (reproduce.study_of(document, tmp_path, (), methods) for methods in ((), ("gd",)))
    assert part.settings() == whole.settings() | {"methods": ["gd"]}
    assert whole.methods == ("ga", "gd") and whole.seed == 3 and whole.scenarios == ("privacy",)


def test_a_part_with_fewer_scenarios_builds_the_whole_data_set(document, tmp_path):
    document["config"]["scenarios"] = ["privacy", "incorrectness"]
    part = reproduce.study_of(document, tmp_path, ["incorrectness"], ["gd"])
    assert (part.scenarios, part.built) == (("incorrectness",), ("privacy", "incorrectness"))
    again = reproduce.study_of({**document, "config": part.settings()}, tmp_path, ["incorrectness"])
    assert again.built == part.built
    assert "built" not in reproduce.study_of(document, tmp_path).settings()


def test_an_older_report_is_run_again_as_it_was(document, tmp_path):
    older = reproduce.study_of(document, tmp_path)
    assert (older.unlearning_seeds, older.controls, older.views) == (1, (), False)
    now = Study(out=tmp_path).settings()
    again = reproduce.study_of({**document, "config": json.loads(json.dumps(now))}, tmp_path)
    assert again == Study(out=tmp_path)


def test_means_of_runs_may_differ_as_the_runs_do(document, again, tmp_path):
    # sd 0.1, t(2) = 4.3027: two means of three runs lie within 4.3027 * 0.1 * sqrt(2 / 3) = 0.3513 of each other
    by_run = [{"ues": value, "ues_strict": 0.5} for value in (0.6, 0.7, 0.8)]
    document["rows"][3]["by_run"] = by_run
    assert reproduce.run_to_run(document["rows"][3], "ues") == pytest.approx(0.3513, abs=1e-4)
    again["rows"][3]["ues"] = 0.36
    assert all(one.within(0.02) for one in compare(document, tmp_path)[0])
    again["rows"][3]["ues"] = 0.34
    different = [one for one in compare(document, tmp_path)[0] if not one.within(0.02)]
    assert [(one.model, one.field) for one in different] == [("ga", "ues")]
    assert "DIFFERS (within 0.351)" in different[0].line(0.02)
    again["rows"][3] |= {"ues": 0.7, "ues_strict": 0.53}  # its runs are all the same: the tolerance is left
    assert [one.field for one in compare(document, tmp_path)[0] if not one.within(0.02)] == ["ues_strict"]


def test_a_report_of_another_version_of_the_score_is_refused_before_anything_runs(document, monkeypatch, tmp_path):
    monkeypatch.setattr(reproduce, "bench", None)
    with pytest.raises(UserError, match="of UES version 1"):
        compare({**document, "ues_version": 1}, tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("rows"), "has no rows"),
        (lambda d: d["config"].update(colour="blue"), "does not know (colour)"),
    ],
)
def test_another_kind_of_report_is_refused(document, tmp_path, change, said):
    change(document)
    (tmp_path / "report.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match=said.replace("(", r"\(").replace(")", r"\)")):
        reproduce.study_of(reproduce.read_report(tmp_path), tmp_path)


def test_the_command_refuses_what_is_no_report(tmp_path, capsys):
    (tmp_path / "text.json").write_text("{")
    (tmp_path / RECORDS).write_text("[]")
    for name, said in (("text.json", "is not JSON"), (RECORDS, "is no report"), ("none.json", "There is no report")):
        with pytest.raises(SystemExit) as ended:
            cli.main(["reproduce", str(tmp_path / name), "--out", str(tmp_path / "out")])
        assert ended.value.code == 2 and said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_real_study_is_reproduced_and_a_false_report_is_not(tmp_path, capsys):
    def call(*arguments: object) -> int:
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        return int(ended.value.code or 0)

    assert call("bench", "--fast", "--methods", "ga,gd", "--out", tmp_path / "study") == 0
    again = ("--methods", "gd", "--scenarios", "privacy", "--out", tmp_path / "again")
    assert call("reproduce", tmp_path / "study", *again) == 0
    said = capsys.readouterr().out
    assert "\nreproduced within what runs differ by, or 0.02" in said and "note:" not in said
    report = tmp_path / "study" / "report.json"
    document = json.loads(report.read_text())
    (row,) = [row for row in document["rows"] if (row["scenario"], row["model"]) == ("privacy", "gd")]
    row["ues"] = 0.5 + (row["ues"] or 0) / 4
    report.write_text(json.dumps(document))
    assert call("reproduce", report, *again) == 1
    assert "DIFFERS" in capsys.readouterr().out


WRONG = {
    "rows": (3, "rows is wrong"),
    "runs": ([], "runs is wrong"),
    "versions": ({"torch": 2}, "versions.torch is wrong"),
    "dataset_checksum": (None, "dataset_checksum is wrong"),
    "ues_version": ("2", "ues_version is wrong"),
    "config": ({"scenarios": "privacy", "methods": ["ga"], "source_path": None}, "scenarios is wrong"),
}


@pytest.mark.parametrize("key", WRONG)
def test_a_report_of_other_kinds_is_refused_in_a_paragraph(document, key, tmp_path, capsys):
    value, says = WRONG[key]
    (tmp_path / "report.json").write_text(json.dumps({**document, key: value}))
    with pytest.raises(SystemExit) as ended:
        cli.main(["reproduce", str(tmp_path / "report.json"), "--out", str(tmp_path / "again")])
    assert ended.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and says in said[0] and "report.json" in said[0]
    assert not (tmp_path / "again").exists()


def test_a_score_that_is_a_text_is_named_by_its_row(document, tmp_path):
    document["rows"][3]["ues"] = "0.7"
    (tmp_path / "report.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match=r"rows\.3\.ues is wrong"):
        reproduce.read_report(tmp_path)
