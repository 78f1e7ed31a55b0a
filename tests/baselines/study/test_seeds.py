"""The table over seeds: means and t intervals by hand, and no mean over what is not one study."""

import json

import pytest

from baselines.study import seeds, seeds_text


def report(seed: int, ues: float | None, verdict: str = "ok", **config) -> dict[str, object]:
    row = {field: None for field in seeds.FIELDS} | {"scenario": "privacy", "verdict": verdict}
    rows = [row | {"model": "target", "ues": 0.0, "verdict": None}, row | {"model": "ga", "ues": ues, "f": 0.5}]
    return {"seed": seed, "config": {"scenarios": ["privacy"], "seed": seed, **config}, "rows": rows}


def test_three_targets_have_a_t_interval():
    # mean 0.5, sd 0.1, t(2) = 4.303: half width 4.303 * 0.1 / sqrt(3) = 0.2484
    _, ga = seeds.summary([report(0, 0.4), report(2, 0.5), report(3, 0.6)])
    assert (ga["low"], ga["high"]) == pytest.approx((0.2516, 0.7484), abs=1e-4)


def recent(seed: int, **values: float) -> dict[str, object]:
    """Return a report with the control and methods, three runs of each."""
    found = report(seed, None)
    base = found["rows"][0]
    runs = {"by_run": [{"verdict": "ok"}] * 3, "errors": {"ues": 0.01}}
    found["rows"] = [base | {"model": "target", "ues": 0.0, "by_run": [{"verdict": None}]}]
    found["rows"] += [base | runs | {"model": model, "ues": ues} for model, ues in values.items()]
    return found


def test_models_are_told_apart_over_targets():
    documents = [
        recent(0, retain_ft=0.50, ga=0.51, gd=0.90),
        recent(2, retain_ft=0.40, ga=0.39, gd=0.81),
        recent(3, retain_ft=0.45, ga=0.46, gd=0.84),
    ]
    _, control, ga, gd = seeds.summary(documents)
    assert (control["letters"], ga["letters"], gd["letters"]) == ("b", "b", "a")
    assert (ga["beats_retain_ft"], gd["beats_retain_ft"]) == (False, True)
    assert gd["covers"] == "over targets, seeds and patients" and gd["verdicts"] == ["ok"] * 9
    text = seeds_text.table(documents)
    assert "(means of seeds 0, 2, 3; intervals over targets, seeds and patients)" in text and "ga*" in text


def attacked(document, **f: float):
    """Add what an attack that counts and one that doesn't bring out of models."""
    for row in document["rows"]:
        if row["model"] in f:
            value = f[row["model"]]
            row["attacks"] = {
                "prefix": {"f": value, "harm": 1 - value, "counts": True},
                "quantise": {"f": None, "harm": 0.5, "counts": False},
            }
            row["worst_attack"] = {"attack": "prefix", "f": value}
    return document


def test_what_attacks_bring_out_is_a_mean_over_the_targets_that_were_attacked():
    documents = [
        attacked(recent(0, retain_ft=0.5, gd=0.9), gd=0.2),
        attacked(recent(2, retain_ft=0.5, gd=0.8), gd=0.4),
        recent(3, retain_ft=0.5, gd=0.7),
    ]
    gd = seeds.summary(documents)[-1]
    # mean 0.3, sd 0.1414, t(1) = 12.706: half width 12.706 * 0.1414 / sqrt(2) = 1.27, cut to what F can be
    assert gd["attacks"]["prefix"]["f"] == pytest.approx(0.3) and gd["attacks"]["prefix"]["targets"] == 2
    assert (gd["attacks"]["prefix"]["f_low"], gd["attacks"]["prefix"]["f_high"]) == (0.0, 1.0)
    assert gd["attacks"]["prefix"]["harm"] == pytest.approx(0.7)
    assert gd["attacks"]["quantise"]["f"] is None and gd["worst_attack"] == {
        "attack": "prefix",
        "f": gd["attacks"]["prefix"]["f"],
    }
    text = seeds_text.table(documents)
    assert "F_a under attack (means of 2 targets, the first run of each, 95 % over targets)" in text
    assert "gd     0.30 0.00-1.00         -" in text and "0.70 0.00-1.00  0.50 0.50-0.50" in text


def test_models_may_have_unlike_targets_and_seeds():
    documents = [recent(seed, retain_ft=0.5, ga=0.7 + seed / 100, gd=0.9) for seed in (0, 2, 3)]
    documents[2]["rows"] = [row for row in documents[2]["rows"] if row["model"] != "ga"]
    documents[2]["config"]["methods"] = ["gd"]
    documents[1]["rows"][2]["by_run"] = [{"verdict": "ok"}] * 2
    rows, differences = seeds.rows_and_differences(documents)
    ga, gd = rows[2:]
    assert (ga["targets"], ga["runs"], ga["scored"]) == ([0, 2], [3, 2], 2) and gd["targets"] == [0, 2, 3]
    assert ga["ues"] == pytest.approx(0.71)
    assert [(one["model"], one["targets"]) for one in differences["privacy"]] == [("ga", 2), ("gd", 3), ("ga", 2)]
    lines = {line.split()[0].rstrip("*"): line.split() for line in seeds_text.table(documents).splitlines()}
    assert (lines["ga"][1], lines["gd"][1]) == ("1x3+1x2", "3x3")


def test_several_seeds_leave_files_of_their_own(tmp_path):
    documents = [recent(seed, retain_ft=0.5, ga=0.5 + seed / 50, gd=0.9) for seed in (0, 2, 3)]
    for row in (row for document in documents for row in document["rows"]):
        row |= {"f": 0.5, "u": 0.5}
    assert seeds.write(documents, tmp_path) == seeds_text.table(documents)
    whole = json.loads((tmp_path / "seeds.json").read_text())
    assert whole["seeds"] == [0, 2, 3] and [row["model"] for row in whole["rows"]][-1] == "gd"
    found = [(one["model"], one["against"]) for one in whole["comparisons"]["privacy"]]
    assert found == [("ga", "retain_ft"), ("gd", "retain_ft"), ("ga", "gd")]
    page = (tmp_path / "seeds.md").read_text()
    assert "| gd | retain_ft | +0.40 | +0.40 to +0.40 | < 0.001 |" in page  # the same on every target
    assert (tmp_path / "figures" / "tradeoff.png").stat().st_size > 10_000


def test_means_count_the_seeds_that_have_a_score():
    documents = [report(0, 0.4), report(2, 0.6), report(3, None, "diverged")]
    target, ga = seeds.summary(documents)
    assert (ga["ues"], ga["scored"], ga["f"], ga["verdicts"]) == (0.5, 2, 0.5, ["ok", "ok", "diverged"])
    assert (target["low"], target["high"]) == (None, None)
    assert "2 ok, 1 diverged" in seeds_text.table(documents)


def test_other_settings_or_the_same_seed_twice_are_no_study():
    for other in (report(0, 0.5), report(1, 0.5, percent=5)):
        with pytest.raises(ValueError, match="not of one study"):
            seeds.summary([report(0, 0.5), other])
