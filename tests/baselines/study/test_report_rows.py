"""Rows, comparisons and table of a scenario whose answers are made up, so that what they must say is known."""

import json

import pytest

from baselines.study.figure import tradeoff
from baselines.study.measured import Measured, Scenario, drawn_parts, harm_of_rows
from baselines.study.report_rows import ROW_FIELDS, averaged, counted, rows_of
from baselines.study.report_text import markdown, table
from baselines.study.study import IMAGES
from mllmu_med_dataset import load
from mllmu_med_metrics import References, score
from mllmu_med_metrics.scoring.hierarchy import mean_of_runs


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


@pytest.fixture(scope="module")
def scenario(rows):
    references = References(rows)
    names = {model: [f"{model}-s{n}" if n else model for n in range(len(runs))] for model, runs in RUNS.items()}
    scored = {
        name: references.scored(answers(rows, *run), name)
        for model, runs in RUNS.items()
        for name, run in zip(names[model], runs, strict=True)
    }
    parts = drawn_parts(references, scored, 0)
    found: dict[str, list[Measured]] = {}
    for model, of_model in names.items():
        for number, name in enumerate(of_model):
            value = score(
                unlearned=scored[name], target=scored["target"], retain_only=scored["retain_only"],
                base=scored["base"], rows=references,
            )  # fmt: skip
            seed = number if len(of_model) > 1 else None
            harms = harm_of_rows(scored[name])
            one = Measured(model, name, seed, value, parts[name], references.fewest_patients, None, 1.0, harms)
            found.setdefault(model, []).append(one)
    return Scenario("privacy", found, scored["target"])


@pytest.fixture(scope="module")
def document(scenario):
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


def test_one_run_has_the_interval_of_its_score(document, scenario):
    base, value = row_of(document, "base"), scenario.runs["base"][0].score
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


def test_means_of_what_runs_say():
    assert averaged([1, 2, None]) == 1.5 and averaged([3, 3]) == 3 and averaged([None]) is None
    assert averaged([{"a": 1.0, "b": None}, {"a": 0.0, "b": None}]) == {"a": 0.5, "b": None}
    assert averaged(["x", "x"]) == "x" and averaged(["x", "y"]) is None and averaged([True, False]) is None
    assert counted(["ok", "ok"]) == "ok" and counted(["ok", "collapsed", "ok"]) == "2 ok, 1 collapsed"
