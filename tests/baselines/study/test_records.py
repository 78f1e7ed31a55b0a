"""The records of a study: its scores are made again from what is committed, and from nothing else."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baselines import cli
from baselines.study import records, report
from baselines.study.gathered import gathered
from baselines.study.report_text import table
from baselines.study.study import STUDY, Study
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import data_folder
from mllmu_med_metrics.vocabulary import ATTACKS, SCENARIOS
from tests import generated
from tests.mllmu_med_tasks import fabricated

# Of each run: how many in eight of the forget patients it has forgotten; of the attacked ones, how much is brought out.
RUNS = {"base": 8, "target": 0, "retain_only": 8, "retain_ft": 1, "retain_ft-s1": 2, "ga": 3, "gd": 6, "gd-s1": 7}
ATTACKED = {"target": 0.9, "retain_only": 0.1, "retain_ft": 0.8, "ga": 0.6, "gd": 0.4}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The folder of a study of wrong facts whose answers are made up: `ga` has one unlearning seed, the others two."""
    out, packaged = tmp_path_factory.mktemp("made") / "study", data_folder(None)
    settings = Study(
        out=out, scenarios=("incorrectness",), built=SCENARIOS, methods=("ga", "gd"), unlearning_seeds=2,
        fewer_seeds={"ga": 1}, attacks=True, views=False,
    ).settings()  # fmt: skip
    (out / "mllmu-med").mkdir(parents=True)
    shutil.copy(packaged / "checksums.json", out / "mllmu-med")
    (out / STUDY).write_text(json.dumps(settings))
    for name, forgotten in RUNS.items():
        folder = out / "incorrectness" / name
        evaluation = fabricated.lm_eval(
            folder / "evaluation", packaged, lambda row, share=forgotten: says(row, share), scenario="incorrectness"
        )
        (evaluation / "evaluation.json").write_text(json.dumps({"seconds": 1.5}))
    patients = {
        row["patient_id"] for row in gathered(out, "incorrectness", ["target"]).rows if row["subset"] == "forget"
    }
    digest = json.loads((packaged / "checksums.json").read_text())["dataset_sha256"]
    for name, level in ATTACKED.items():
        fabricated.attack_records(
            out / "incorrectness" / name / "attacks", patients, dict.fromkeys(ATTACKS, level),
            model_digest=None, scenario="incorrectness", data_digest=digest, percent=10,
        )  # fmt: skip
    report.report(out)
    return out


def says(row, forgotten: int) -> str:
    """Answer as a model that has forgotten so many in eight of the forget patients."""
    return row["true_answer"] if int(row["patient_id"][-1], 16) % 8 < forgotten else row["answer"]


@pytest.fixture(scope="module")
def kept(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    records.write_records(study, folder)
    return folder


def test_scores_are_made_again_to_the_bit_from_the_records_alone(study, kept):
    assert {path.name for path in kept.iterdir()} == {"seed-0.json", "seed-0-answers.parquet", "seed-0-harms.parquet"}
    found = records.rescore(kept, 0)
    assert found.largest == 0 and found.same and found.runs == len(RUNS)
    (document,) = records.read_reports(kept)
    (gd,) = [row for row in document["rows"] if row["model"] == "gd"]
    assert 0 < gd["ues_strict_low"] < gd["ues_strict"] < 1 and gd["ues_robust"] is not None
    assert found.values > 100 * len(document["rows"])
    assert f"{found.answers:,} answers of 8 runs; largest difference 0.0e+00" in found.line()


def test_methods_with_fewer_seeds_are_named(kept):
    (document,) = records.read_reports(kept)
    assert "(32 forget rows of 16 patients" in table(document)
    assert "means of 2 unlearning seeds, of 1 for ga, intervals" in table(document)
    counts = {row["model"]: len(row["by_run"]) for row in document["rows"]}
    assert (counts["ga"], counts["gd"], counts["retain_ft"]) == (1, 2, 2)


def test_another_answer_or_another_harm_makes_another_score(kept, tmp_path, capsys):
    for kind, change in (("answers", "The liver is shown."), ("harms", 0.77)):
        folder = shutil.copytree(kept, tmp_path / kind)
        path = folder / f"seed-0-{kind}.parquet"
        stored = pq.read_table(path)
        place = stored["run"].to_pylist().index("gd")
        values = stored[stored.column_names[-1]].to_pylist()
        values[place] = change
        column = pa.array(values, stored.schema.field(stored.column_names[-1]).type)
        pq.write_table(stored.set_column(stored.num_columns - 1, stored.column_names[-1], column), path)
        found = records.rescore(folder, 0, data_dir=data_folder(None))
        assert not found.same and found.first.startswith("rows[5]"), kind
    with pytest.raises(SystemExit) as ended:
        cli.main(["rescore", str(folder), "--data", str(data_folder(None))])
    assert ended.value.code == 1 and "largest difference" in capsys.readouterr().out


def test_what_is_no_record_or_of_other_data_is_refused(study, kept, tmp_path):
    with pytest.raises(UserError, match="holds no records of a study"):
        records.seeds_in(tmp_path)
    folder = shutil.copytree(kept, tmp_path / "cut")
    (folder / "seed-0-harms.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="can't be read as the harms"):
        records.rescore(folder, 0, data_dir=data_folder(None))
    folder = shutil.copytree(kept, tmp_path / "other")
    document = json.loads((folder / "seed-0.json").read_text())
    (folder / "seed-0.json").write_text(json.dumps(document | {"dataset_checksum": "0" * 64}))
    with pytest.raises(UserError, match="other rows"):
        records.rescore(folder, 0, data_dir=data_folder(None))
    grown = shutil.copytree(study, tmp_path / "grown")
    settings = json.loads((grown / STUDY).read_text())
    (grown / STUDY).write_text(json.dumps(settings | {"methods": ["ga", "gd", "npo"]}))
    with pytest.raises(UserError, match="a sitting has not ended"):
        records.write_records(grown, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def committed() -> list[int]:
    """Return the seeds of the committed study whose answers are committed with it."""
    return [
        seed
        for seed in records.seeds_in(generated.STUDY)
        if (generated.STUDY / f"seed-{seed}-answers.parquet").is_file()
    ]


def test_the_committed_study_is_scored_again_in_part():
    assert records.rescore(generated.STUDY, committed()[0], ["privacy"]).same


@pytest.mark.slow
def test_the_whole_committed_study_is_scored_again():
    assert [seed for seed in committed() if not records.rescore(generated.STUDY, seed).same] == []
    assert committed() == records.seeds_in(generated.STUDY)


def test_the_committed_records_are_small():
    assert sum(path.stat().st_size for path in generated.STUDY.glob("*")) < 10_000_000
