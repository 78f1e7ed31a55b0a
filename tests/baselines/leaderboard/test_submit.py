"""An entry holds what a study's answers give; a study that asked less, or that nothing verifies, makes none."""

import json
import shutil

import pytest

from baselines import cli
from baselines.leaderboard import entry as entries
from baselines.leaderboard.submit import About, submit
from baselines.study.gathered import gathered
from baselines.study.measured import measured
from baselines.study.report_rows import rows_of
from baselines.study.scenarios import names_of, runs_in
from mllmu_med_dataset.errors import UserError

from .conftest import RUNS, SCENARIO, STUDY, write_run


@pytest.fixture
def study(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "study", symlinks=True)


def change(path, **changed):
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def test_an_entry_gives_every_answer_back_and_the_scores_of_the_report(finished, entry_file):
    entry = entries.read(entry_file)
    (answers,) = entry.scenarios
    assert (entry.model, entry.family, entry.title) == ("nano", "llava", "nano: gd")
    assert [run.name for run in answers.runs] == list(RUNS)
    runs = {model: of_model for model, of_model in runs_in(STUDY, SCENARIO).items() if model != "base"}
    names = [name for name in names_of(STUDY, SCENARIO) if name != "base"]
    scenario = measured(SCENARIO, gathered(finished, SCENARIO, names), runs, 0)
    reported = {row["model"]: row for row in rows_of(scenario)[0]}
    for model, values in answers.scores.items():
        assert values == {name: reported[model].get(name) for name in entries.SCORES}
    # The target says every wrong fact, the gold none, and gd those of one half of the patients and then of the other.
    assert answers.scores["target"]["ues_strict"] == 0 and answers.scores["retain_only"]["ues_strict"] == 1
    assert answers.scores["retain_ft"]["harm"] == 1
    assert answers.scores["gd"]["harm"] == pytest.approx(0.5)
    assert 0 < answers.scores["gd"]["ues_robust"] < answers.scores["gd"]["ues_strict"] < 1


def test_an_entry_names_no_place_of_the_machine(study, entry_file):
    change(study / "study.json", model=str(study))
    entry = submit(study, About())
    assert entry.model == study.name
    assert str(study.parent) not in entry.model_dump_json() and "/tmp" not in entry_file.read_text()


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"fast": True}, "--fast"), ({"views": False}, "--no-views"), ({"max_retain": 50}, "--max-retain 50")],
    ids=str,
)
def test_a_study_that_asked_less_is_refused(study, changed, said):
    change(study / "study.json", **changed)
    with pytest.raises(UserError, match=said):
        submit(study, About())


def test_a_limited_run_is_refused(study):
    (results,) = (study / SCENARIO / "gd" / "evaluation").glob("results_*.json")
    document = json.loads(results.read_text())
    change(results, config=document["config"] | {"limit": 64})
    with pytest.raises(UserError, match="made with a limit"):
        submit(study, About())


@pytest.mark.parametrize("options", [{"views": False}, {"max_retain": 100}], ids=str)
def test_runs_that_answered_other_rows_are_refused_whatever_the_study_says(study, options):
    for name, say in RUNS.items():
        shutil.rmtree(study / SCENARIO / name)
        write_run(study, name, say, **options)
    with pytest.raises(UserError, match="of the 668 rows that the leaderboard asks"):
        submit(study, About())


def test_runs_that_nothing_verifies_are_refused(study):
    gd = study / SCENARIO / "gd"
    record = json.loads((gd / "record.json").read_text())
    for changed, said in (
        ({"config": record["config"] | {"model": "2-another"}}, "from another model than the target"),
        ({"config": {"model": "2-target"}, "dataset_checksum": "0" * 64}, "on other data"),
    ):
        (gd / "record.json").write_text(json.dumps(record | changed))
        with pytest.raises(UserError, match=said):
            submit(study, About())
    (gd / "record.json").unlink()
    with pytest.raises(UserError, match="no record"):
        submit(study, About())
    (gd / "record.json").write_text(json.dumps(record))
    change(gd / "evaluation" / "evaluation.json", identity={"served": "gd", "at": "http://localhost"})
    with pytest.raises(UserError, match="which weights"):
        submit(study, About())


def test_a_row_with_other_content_is_refused(study):
    for name in RUNS:
        (samples,) = (study / SCENARIO / name / "evaluation").glob("samples_*_test_*.jsonl")
        lines = [json.loads(line) for line in samples.read_text().splitlines()]
        lines[0]["doc"]["question"] += " Please."
        samples.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UserError, match="with other content"):
        submit(study, About())


def test_what_its_maker_says_is_checked_before_anything_is_written(finished, tmp_path, capsys):
    for arguments, said in (
        (["--link", "javascript:alert(1)"], "https://"),
        (["--title", "x" * 81], "title"),
    ):
        with pytest.raises(SystemExit) as ended:
            cli.main(["submit", str(finished), "--out", str(tmp_path / "mine.json"), *arguments])
        err = capsys.readouterr().err
        assert ended.value.code == 2 and said in err and len(err.splitlines()[-1]) < 400
    assert list(tmp_path.iterdir()) == []


def test_harm_under_attack_that_its_answers_do_not_give_is_refused(study):
    record = study / SCENARIO / "gd" / "attacks" / "prefix.json"
    harms = json.loads(record.read_text())["harm_by_patient"]
    forged = next(patient for patient, harm in harms.items() if harm == 1)
    change(record, harm_by_patient={**harms, forged: 0.0})
    with pytest.raises(UserError, match=f"tells the harm 0.0 of the patient {forged}, and what it holds gives 1.0"):
        submit(study, About())


@pytest.mark.parametrize(("attack", "held"), [("prefix", "answers"), ("exposure", "ranks")])
def test_a_record_that_tells_harm_alone_is_refused(study, attack, held):
    change(study / SCENARIO / "gd" / "attacks" / f"{attack}.json", **{held: None})
    with pytest.raises(UserError, match=f"holds no {held}"):
        submit(study, About())


def test_an_own_attack_is_not_carried(study, entry_file):
    for name in ("target", "retain_only", "gd"):
        folder = study / SCENARIO / name / "attacks"
        own = json.loads((folder / "prefix.json").read_text()) | {"attack": "mine", "attack_set": None}
        (folder / "mine.json").write_text(json.dumps(own))
    assert submit(study, About()).scenarios[0].attacks == entries.read(entry_file).scenarios[0].attacks
