"""The report of a real, tiny study made by `mllmu-med bench --fast`, driven through the command line."""

import json
import math
import shutil

import pytest

from baselines import cli
from baselines.study.report import report
from baselines.study.report_rows import ATTACK_FIELDS, ROW_FIELDS
from baselines.study.report_text import table
from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics.vocabulary import ATTACKS
from mllmu_med_tasks import scores
from tests.conftest import FAST_STUDY
from tests.mllmu_med_tasks import fabricated

METHODS = ("kl_min", "gd")
MODELS = ("base", "target", "retain_only", "format_matched", "retain_ft", *METHODS)


def models_of(scenario: str) -> list[str]:
    """Return the models of a scenario's rows; nobody's identity is told where none is."""
    return [model for model in MODELS if scenario == "privacy" or model != "format_matched"]


@pytest.fixture(scope="module")
def study(fast_study):
    return fast_study


@pytest.fixture(scope="module")
def document(study):
    return json.loads((study / "report.json").read_text())


def test_the_report_holds_every_model_of_both_scenarios(document):
    assert document["ues_version"] == 2
    named = [(row["scenario"], row["model"]) for row in document["rows"]]
    assert named == [(scenario, model) for scenario in ("privacy", "incorrectness") for model in models_of(scenario)]
    assert {"config", "versions", "dataset_checksum", "seed"} <= document.keys()


def test_nulls_have_a_reason_and_no_number_is_nan(document):
    for row in document["rows"]:
        assert set(row) == set(ROW_FIELDS)
        for field, value in row.items():
            if value is None:
                assert row["reasons"][field], field
            if isinstance(value, float):
                assert math.isfinite(value)


def test_files_and_figure_are_there(study):
    png, svg = (study / "figures" / f"tradeoff.{kind}" for kind in ("png", "svg"))
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert "kl_min" in (study / "report.md").read_text()
    assert "<svg" in svg.read_text()


def test_the_table_has_a_line_a_model(document):
    for block in table(document).split("\n\n"):
        lines = block.splitlines()
        models = models_of(lines[0].split()[0])
        assert [line.split()[0].rstrip("*") for line in lines[2 : 2 + len(models)]] == models


def test_the_column_of_thoughts_is_there_where_a_model_thinks(document):
    assert "thought" not in table(document)
    rows = [{**row, "thought_leak_rate": 0.5} if row["model"] == "gd" else row for row in document["rows"]]
    for block in table({**document, "rows": rows}).split("\n\n"):
        _, header, *lines = block.splitlines()
        place = header.index("thought")
        shown = {line.split()[0].rstrip("*"): line[place : place + 7].strip() for line in lines}
        assert {model: shown[model] for model in ("base", "target", "retain_only", "kl_min", "gd")} == {
            **dict.fromkeys(("base", "target", "retain_only", "kl_min"), "-"), "gd": "0.50",
        }  # fmt: skip


def test_records_of_attacks_beside_the_runs_come_into_the_report(study, document, tmp_path):
    runs = shutil.copytree(study, tmp_path / "study")
    attacked = ("target", "retain_only", "gd")
    for scenario in ("privacy", "incorrectness"):
        for model, level in zip(attacked, (0.9, 0.1, 0.5), strict=True):
            evaluation = scores.read(runs / scenario / model / "evaluation")
            patients = {row["patient_id"] for row in evaluation.rows if row["subset"] == "forget"}
            changed = {"scenario": scenario, "data_digest": evaluation.data_sha256, "percent": evaluation.percent}
            fabricated.attack_records(
                runs / scenario / model / "attacks", patients, dict.fromkeys(ATTACKS, level),
                model_digest=evaluation.model_digest, **changed,
            )  # fmt: skip
    found = report(runs)
    for row, before in zip(found["rows"], document["rows"], strict=True):
        assert set(row) == {*ROW_FIELDS, *ATTACK_FIELDS}
        assert row["ues"] == before["ues"] and row["harm"] == before["harm"]
        assert (row["attacks"] is not None) == (row["model"] in attacked)
        assert all(row["reasons"][field] for field, value in row.items() if value is None)
    gd = [row for row in found["rows"] if row["model"] == "gd"]
    assert all(0 < row["worst_attack"]["f"] < 1 and row["attack_set"] == "A1" for row in gd)
    page = (runs / "report.md").read_text()
    assert "under attack (A1" in page
    # After four steps the target has learned nothing: no row has F, and there is nothing to draw.
    assert not (runs / "figures" / "attacks.png").exists() and "attacks.png" not in page
    # A smoke run attacks with fewer steps: that is shown, and no robust UES of the set comes of it.
    for path in runs.glob("*/*/attacks/*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"attack_set": None, "options": {"steps": 1}}))
    shown = report(runs)
    for row in shown["rows"]:
        if row["model"] in attacked:
            assert row["ues_robust"] is row["attack_set"] is None
            assert set(row["attacks"]) == {f"{name}_other_options" for name in ATTACKS}
            assert "of the set A1 were not run" in row["reasons"]["ues_robust"]
    assert "under attack (not the whole set, 1 of 2 unlearning seeds)" in table(shown)
    (runs / "privacy" / "gd" / "attacks" / "sample.json").write_text("{}")
    with pytest.raises(UserError, match=r"sample\.json is no record of an attack"):
        report(runs)


def test_a_second_bench_repeats_nothing_and_reports_the_same(study, document, capsys):
    before = {path: path.stat().st_mtime_ns for path in study.rglob("*.safetensors")}
    with pytest.raises(SystemExit) as ended:
        cli.main([*FAST_STUDY, "--workers", "1", "--out", str(study)])
    assert not ended.value.code
    err = capsys.readouterr().err
    stages = [line for line in err.splitlines() if line.startswith("[")]
    assert all("already done" in line for line in stages[:-1])
    assert {path: path.stat().st_mtime_ns for path in study.rglob("*.safetensors")} == before
    assert json.loads((study / "report.json").read_text()) == document


def test_other_settings_in_the_same_folder_are_refused(study, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([*FAST_STUDY, "--seeds", "3", "--out", str(study)])
    assert ended.value.code == 2
    assert "seed" in capsys.readouterr().err


def test_score_and_the_evaluate_module_agree_with_the_report(study, document, capsys):
    import evaluate

    import mllmu_med_metrics.mllmu_med_ues
    from mllmu_med_tasks import scores

    for scenario in ("privacy", "incorrectness"):
        read = {name: scores.read(study / scenario / name / "evaluation") for name in ("target", "retain_only", "gd")}
        with pytest.raises(SystemExit):
            cli.main(
                [
                    "score",
                    "--json",
                    "--seed",
                    "0",
                    "--target",
                    str(study / scenario / "target" / "evaluation"),
                    "--unlearned",
                    str(study / scenario / "gd" / "evaluation"),
                    "--retain-only",
                    str(study / scenario / "retain_only" / "evaluation"),
                ]
            )
        scored = json.loads(capsys.readouterr().out)
        module = evaluate.load(mllmu_med_metrics.mllmu_med_ues.__path__[0])
        rows = [{key: value for key, value in row.items() if key != "image"} for row in read["target"].rows]
        said = {name: [one.predictions[row["id"]] for row in rows] for name, one in read.items()}
        computed = module.compute(
            predictions=said["gd"],
            references=rows,
            target_predictions=said["target"],
            retain_only_predictions=said["retain_only"],
        )
        row = next(r for r in document["rows"] if (r["scenario"], r["model"]) == (scenario, "gd"))
        own = row["by_run"][0]
        for field in ("ues", "ues_low", "ues_high", "ues_strict", "f", "r", "t", "k", "harm", "keep_test", "leak_rate"):
            for other in (computed[field], own.get(field, computed[field])):
                assert (other is None) == (scored[field] is None), field
                assert other is None or abs(other - scored[field]) < 1e-12, field
