"""Rows, comparisons and table of a scenario whose answers are made up, so that what they must say is known."""

import json

import pytest

from baselines.study.figure import tradeoff, under_attack
from baselines.study.gathered import Gathered
from baselines.study.measured import measured
from baselines.study.report_rows import ATTACK_FIELDS, ROW_FIELDS, averaged, counted, rows_of
from baselines.study.report_text import markdown, table
from baselines.study.study import IMAGES
from mllmu_med_dataset import load
from mllmu_med_metrics import References, score
from mllmu_med_metrics.scoring.attack_harms import Roles, of_one
from mllmu_med_metrics.scoring.hierarchy import mean_of_runs
from mllmu_med_metrics.vocabulary import ATTACKS
from tests.mllmu_med_tasks import fabricated


@pytest.fixture(scope="module")
def rows():
    found = []
    for subset, most in (("forget", 64), ("retain", 40), ("test", 40), ("holdout", 40)):
        config = load(f"privacy_{subset}").remove_columns("image")
        found += [dict(row) for row in config.select(range(min(most, len(config))))]
    return found


def answers(rows, forgotten: int, wrong: int = 0) -> dict[str, str]:
    """Return the answers of a model that tells the identities of all forget patients but the first so many, and of each
    subset answers the first so many rows with nothing."""
    patients = list(dict.fromkeys(row["patient_id"] for row in rows if row["subset"] == "forget"))
    silent = {row["id"] for subset in ("retain", "test") for row in [r for r in rows if r["subset"] == subset][:wrong]}
    told = set(patients[forgotten:])
    return {
        row["id"]: "" if row["id"] in silent else row["answer"] if row["patient_id"] in told else row["true_answer"]
        for row in rows
    }


# Of each model: how many of the 16 patients every run forgets, and how many answers it loses.
RUNS = {
    "base": [(16, 0)], "target": [(0, 0)], "retain_only": [(16, 0)],
    "retain_ft": [(3, 0), (4, 0), (3, 0)], "ga": [(4, 0), (3, 1), (4, 0)], "gd": [(15, 0), (16, 1), (16, 0)],
}  # fmt: skip


# What the attacks bring out of each first run, at a level each; the other runs were not attacked.
LEVELS = {"target": 0.9, "retain_only": 0.1, "retain_ft": 0.8, "ga": 0.7, "gd": 0.3}
EXPOSURE = LEVELS | {"retain_only": 0.5, "gd": 0.85}


def harms_of(rows):
    """Draw the harms of an attack on each model, those of `exposure` at levels of its own."""
    patients = {row["patient_id"] for row in rows if row["subset"] == "forget"}
    levels = {attack: EXPOSURE if attack == "exposure" else LEVELS for attack in ATTACKS}
    return {
        attack: {
            model: fabricated.attack_record(attack, patients, level)["harm_by_patient"]
            for model, level in of_models.items()
        }
        for attack, of_models in levels.items()
    }


@pytest.fixture(scope="module")
def scenario(rows):
    return made(rows, {})


@pytest.fixture(scope="module")
def attacked(rows):
    return made(rows, harms_of(rows))


def made(rows, attacks):
    several = {model: len(of_model) > 1 for model, of_model in RUNS.items()}
    runs = {
        model: [(f"{model}-s{n}" if n else model, n if several[model] else None) for n in range(len(of_model))]
        for model, of_model in RUNS.items()
    }
    given = {
        name: answers(rows, *run)
        for model, of_model in RUNS.items()
        for (name, _), run in zip(runs[model], of_model, strict=True)
    }
    left = Gathered(rows, given, attacks, dict.fromkeys(given), dict.fromkeys(given, 1.0))
    return measured("privacy", left, runs, 0)


@pytest.fixture(scope="module")
def document(scenario):
    return reported(scenario)


@pytest.fixture(scope="module")
def attacked_document(attacked):
    return reported(attacked)


def reported(scenario):
    found, differences = rows_of(scenario)
    config = {
        "scenarios": ["privacy"], "views": False, "fast": False, "source": "phantom", "model": "nano", "preset": "nano",
        "seed": 0,
    }  # fmt: skip
    return {
        "ues_version": found[0].get("ues_version", 1), "rows": found, "comparisons": {"privacy": differences},
        "controls": {"privacy": dict.fromkeys(IMAGES)}, "config": config, "versions": {}, "dataset_checksum": "0" * 64,
    }  # fmt: skip


def row_of(document, model):
    return next(row for row in document["rows"] if row["model"] == model)


def test_a_row_is_the_mean_of_its_runs_with_the_interval_of_all_of_them(document, scenario):
    gd, runs = row_of(document, "gd"), scenario.runs["gd"]
    assert gd["ues"] == pytest.approx(sum(one.score.ues for one in runs) / 3)
    assert gd["harm"] == pytest.approx(sum(one.score.harm for one in runs) / 3)
    assert gd["leak_by_kind"]["name"] == pytest.approx(sum(one.score.leak_by_kind["name"] for one in runs) / 3)
    expected = mean_of_runs([one.run("ues") for one in runs])
    assert (gd["ues_low"], gd["ues_high"], gd["covers"]) == (expected.low, expected.high, "given this target")
    assert [one["seed"] for one in gd["by_run"]] == [0, 1, 2] and gd["by_run"][1]["run"] == "gd-s1"
    assert gd["n_forget"] == 64 and isinstance(gd["n_forget"], int)
    assert gd["spread"] > 0


def first_score(rows, model, attacks=None):
    """Return the score of a model's first run with the intervals of its own bootstrap, which has the same draws."""
    first = {name: answers(rows, *of_model[0]) for name, of_model in RUNS.items()}
    beside = {role: first[role] for role in ("target", "retain_only", "base")}
    mine = attacks and of_one(attacks, Roles(model))
    return score(unlearned=first[model], rows=References(rows), attacks=mine, **beside)


def test_one_run_has_the_interval_of_its_score(document, rows):
    base, value = row_of(document, "base"), first_score(rows, "base")
    assert (base["ues_low"], base["ues_high"], base["covers"]) == (value.ues_low, value.ues_high, "patients only")
    target, gold = row_of(document, "target"), row_of(document, "retain_only")
    assert (target["ues"], gold["ues"], gold["ues_low"]) == (0, 1, 1)


def test_what_does_not_beat_the_control_is_marked_and_shares_its_letter(document):
    gd, ga, control = (row_of(document, model) for model in ("gd", "ga", "retain_ft"))
    assert (gd["beats_retain_ft"], ga["beats_retain_ft"], control["beats_retain_ft"]) == (True, False, None)
    assert gd["letters"] == "a" and ga["letters"] == control["letters"] == "b"
    found = document["comparisons"]["privacy"]
    assert [(one["model"], one["against"]) for one in found["differences"]] == [
        ("ga", "retain_ft"), ("gd", "retain_ft"), ("ga", "gd"),
    ]  # fmt: skip
    assert all(one["p_holm"] >= one["p"] for one in found["differences"])


def test_every_null_has_its_reason(document):
    for row in document["rows"]:
        assert set(row) == set(ROW_FIELDS)
        assert all(row["reasons"][field] for field, value in row.items() if value is None), row["model"]
    json.dumps(document, allow_nan=False)


def test_the_table_says_what_intervals_cover_and_what_marks_mean(document):
    lines = table(document).splitlines()
    assert "means of 3 unlearning seeds, intervals given this target" in lines[0]
    assert "alike" in lines[1] and "run SD" in lines[1]
    assert [line.split()[0] for line in lines[2:8]] == ["base", "target", "retain_only", "retain_ft", "ga*", "gd"]
    assert lines[8].startswith("alike:") and lines[9].startswith("* not above retain_ft")
    page = markdown(document)
    assert "| ga\\* |" in page and "| ga | retain_ft |" in page and "given this target" in page


def test_the_figure_has_the_runs_and_the_mark(document, tmp_path):
    _, svg = tradeoff(document["rows"], tmp_path)
    text = svg.read_text()
    assert "<!-- ga* -->" in text and "<!-- * not above retain_ft -->" in text
    assert "<!-- small dots: single runs -->" in text


def test_without_attacks_nothing_of_them_stands_in_the_report(document):
    assert not any(set(row) & set(ATTACK_FIELDS) for row in document["rows"])
    assert not any("ues_robust" in run for row in document["rows"] for run in row["by_run"])
    for text in (table(document), markdown(document)):
        assert "robust" not in text and "attack" not in text
    assert under_attack(document["rows"], None) == []


def test_robust_ues_of_a_row_is_that_of_its_attacked_run(attacked_document, attacked, rows):
    gd, first = row_of(attacked_document, "gd"), attacked.runs["gd"][0]
    harms = {model: [one.score.attacks for one in runs] for model, runs in attacked.runs.items()}
    assert harms["gd"][1:] == [None, None] and harms["base"] == [None]
    assert gd["ues_robust"] == first.score.ues_robust < gd["ues_strict"]
    # In the score the interval is of the same draws; the row says that it covers patients alone.
    whole = first_score(rows, "gd", harms_of(rows))
    assert (gd["ues_robust_low"], gd["ues_robust_high"]) == (whole.ues_robust_low, whole.ues_robust_high)
    assert (gd["robust_covers"], gd["covers"]) == ("patients only", "given this target")
    assert gd["attack_set"] == "A1" and gd["attacks"] == first.score.attacks
    exposure = gd["attacks"]["exposure"]
    assert gd["worst_attack"] == {"attack": "exposure", "f": exposure["f"]} and exposure["f"] < 0.2
    assert min(one["f"] for one in gd["attacks"].values()) == exposure["f"]
    target, gold = row_of(attacked_document, "target"), row_of(attacked_document, "retain_only")
    assert (target["ues_robust"], gold["ues_robust"], gold["ues_robust_low"]) == (0, 1, 1)
    base = row_of(attacked_document, "base")
    assert base["ues_robust"] is None and base["reasons"]["worst_attack"] == "no attacks were given"


def test_attacks_change_no_other_value_of_a_row(attacked_document, document):
    for one, other in zip(attacked_document["rows"], document["rows"], strict=True):
        left_out = {*ATTACK_FIELDS, "reasons", "errors", "by_run"}
        assert {k: v for k, v in one.items() if k not in left_out} == {
            k: v for k, v in other.items() if k not in left_out
        }
        assert set(one) == {*ROW_FIELDS, *ATTACK_FIELDS}
        assert all(one["reasons"][field] for field, value in one.items() if value is None), one["model"]
        assert one["errors"]["ues"] == other["errors"]["ues"]
    assert attacked_document["comparisons"] == document["comparisons"]
    json.dumps(attacked_document, allow_nan=False)


def test_the_tables_show_what_attacks_bring_out(attacked_document):
    lines = table(attacked_document).splitlines()
    assert "robust" in lines[1] and "worst F_a" in lines[1]
    gd = row_of(attacked_document, "gd")
    shown = next(line for line in lines if line.startswith("gd "))
    assert f"{gd['worst_attack']['f']:.2f} exposure" in shown and f"{gd['ues_robust']:.2f}" in shown
    place = next(
        number for number, line in enumerate(lines) if line.startswith("under attack (A1, 1 of 3 unlearning seeds")
    )
    header, *under = lines[place + 1 :]
    attacks = ["few", "holdout", "retain", "prefix", "exposure", "sample", "quantise"]
    assert header.split() == ["model", *attacks, "robust", "95", "%"]
    assert [line.split()[0] for line in under] == ["target", "retain_only", "retain_ft", "ga", "gd"]
    exposure = gd["attacks"]["exposure"]
    assert f"{exposure['f']:.2f} ({exposure['harm']:.2f})" in under[-1]
    assert under[-1].endswith(f"{gd['ues_robust_low']:.2f}-{gd['ues_robust_high']:.2f}")
    page = markdown(attacked_document)
    assert "figures/attacks.png" in page and "| model | few | holdout |" in page and "F_a = clip" in page


def test_the_figure_of_attacks_names_the_worst(attacked_document, tmp_path):
    png, svg = under_attack(attacked_document["rows"], tmp_path)
    assert png.stat().st_size > 10_000
    text = svg.read_text()
    assert "<!-- gd: exposure -->" in text and "<!-- target -->" in text and "base" not in text


def test_means_of_what_runs_say():
    assert averaged([1, 2, None]) == 1.5 and averaged([3, 3]) == 3 and averaged([None]) is None
    assert averaged([{"a": 1.0, "b": None}, {"a": 0.0, "b": None}]) == {"a": 0.5, "b": None}
    assert averaged(["x", "x"]) == "x" and averaged(["x", "y"]) is None and averaged([True, False]) is None
    assert counted(["ok", "ok"]) == "ok" and counted(["ok", "collapsed", "ok"]) == "2 ok, 1 collapsed"
