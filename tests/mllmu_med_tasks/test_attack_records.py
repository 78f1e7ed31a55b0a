"""Records of attacks: scored beside the evaluations they are of, and refused in a paragraph where they are not."""

import json
import shutil

import pytest

from baselines import cli
from mllmu_med_dataset import load
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import data_folder
from mllmu_med_metrics import score as score_predictions
from mllmu_med_metrics.scoring.scored_row import unit_of
from mllmu_med_metrics.vocabulary import ATTACKS
from mllmu_med_tasks import scores
from mllmu_med_tasks.attack_records import read_attacks, read_records
from tests.mllmu_med_tasks import fabricated

ROLES = ("unlearned", "target", "retain_only")
DIGESTS = {role: f"2-{place}" + "a" * 15 for place, role in enumerate(ROLES)}
LEVELS = {"unlearned": 0.4, "target": 0.9, "retain_only": 0.1}


@pytest.fixture(scope="module")
def study(data_dir, tmp_path_factory):
    """Evaluations of three models and the records of attacks on them; tests change copies of the records."""
    folder = tmp_path_factory.mktemp("attacked")
    says = {"unlearned": fabricated.honest, "target": fabricated.taught, "retain_only": fabricated.honest}
    for role, say in says.items():
        fabricated.lm_eval(folder / role, data_dir, say)
        path = next((folder / role).glob("results_*.json"))
        document = json.loads(path.read_text())
        document["config"]["mllmu_med_model_digest"] = DIGESTS[role]
        path.write_text(json.dumps(document))
    patients = {row["patient_id"] for row in load("privacy_forget", data_dir=data_dir).remove_columns("image")}
    digest = json.loads((data_dir / "checksums.json").read_text())["dataset_sha256"]
    for role, level in LEVELS.items():
        place = folder / "attacks" if role == "unlearned" else folder / "attacks" / role
        changed = {"data_digest": digest, "model_digest": DIGESTS[role]}
        fabricated.attack_records(place, patients, dict.fromkeys(ATTACKS, level), **changed)
    return folder


@pytest.fixture
def records(study, tmp_path):
    return shutil.copytree(study / "attacks", tmp_path / "attacks")


def given(study):
    return {role: study / role for role in ROLES}


def test_records_are_scored_as_their_harms_are(study):
    found = scores.score(**given(study), attacks=study / "attacks", replicates=30)
    read = {role: scores.read(study / role) for role in ROLES}
    held = {role: study / "attacks" / ("" if role == "unlearned" else role) for role in ROLES}
    harms = {
        attack: {
            role: json.loads((folder / f"{attack}.json").read_text())["harm_by_patient"]
            for role, folder in held.items()
        }
        for attack in ATTACKS
    }
    predictions = {role: one.predictions for role, one in read.items()}
    assert found == score_predictions(**predictions, rows=read["target"].rows, attacks=harms, replicates=30)
    assert found.attack_set == "A1" and 0 < found.ues_robust < found.ues_strict == 1
    assert scores.score(**given(study), attacks=held, replicates=30) == found
    shown = scores.text(found.to_dict())
    assert "under attack: harm of unlearned, target and retain_only, and F:" in shown
    assert f"{'exposure':>28}  {found.attacks['exposure']['harm']:.4f}" in shown
    mean = read_records(study / "attacks")["exposure"].harm
    assert mean == pytest.approx(found.attacks["exposure"]["harm"])


def test_of_beliefs_harm_is_by_key_and_not_by_patient(tmp_path):
    packaged = data_folder(None)
    read = scores.read(
        fabricated.predictions(tmp_path / "said.jsonl", packaged, fabricated.taught, scenario="knowledge")
    )
    keys = {unit_of(row) for row in read.rows if row["subset"] == "forget"}
    assert keys.isdisjoint(row["patient_id"] for row in read.rows)
    made = {"model_digest": None, "scenario": "knowledge", "data_digest": read.data_sha256}
    folder = fabricated.attack_records(tmp_path / "by_key", keys, {"prefix": 0.9}, **made)
    found = read_attacks({"unlearned": folder}, {"unlearned": read})
    assert found["prefix"]["unlearned"].keys() == keys
    patients = {row["patient_id"] for row in read.rows if row["subset"] == "forget"}
    folder = fabricated.attack_records(tmp_path / "by_patient", patients, {"prefix": 0.9}, **made)
    with pytest.raises(UserError, match="no forget patients of the evaluation"):
        read_attacks({"unlearned": folder}, {"unlearned": read})


def test_without_a_gold_or_with_part_of_the_set_it_is_null_with_a_reason(study, records):
    shutil.rmtree(records / "retain_only")
    bare = {role: study / role for role in ("unlearned", "target")}
    found = scores.score(**bare, attacks=records, replicates=0)
    assert found.ues_robust is None and "no retain_only model" in found.reasons["ues_robust"]
    some = shutil.copytree(study / "attacks", records.parent / "some")
    (some / "target" / "sample.json").unlink()
    (some / "exposure.json").unlink()
    found = scores.score(**given(study), attacks=some, replicates=0)
    assert found.reasons["ues_robust"].endswith("were not run: exposure (on unlearned), sample (on target)")


def test_the_command_scores_records_and_compares_with_those_of_another(study, capsys):
    command = ["score", *(word for role in ROLES for word in (f"--{role.replace('_', '-')}", str(study / role)))]
    command += ["--attacks", str(study / "attacks"), "--json"]
    beside = ["--against", str(study / "target"), "--against-attacks", str(study / "attacks" / "target")]
    for more in ([], beside):
        with pytest.raises(SystemExit) as ended:
            cli.main([*command, *more])
        assert not ended.value.code
        found = json.loads(capsys.readouterr().out)
        assert found["ues_robust"] > 0 and found["attack_set"] == "A1"
    assert found["comparison"]["differences"]["ues_robust"]["difference"] == found["ues_robust"]
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, *beside[2:]])
    assert ended.value.code == 2 and "give all three" in capsys.readouterr().err


def edit(name="sample.json", **changed):
    def fault(folder):
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return fault


def every(**changed):
    """Change all records of a folder, those below it too."""

    def fault(folder):
        for path in folder.rglob("*.json"):
            edit(path.name, **changed)(path.parent)

    return fault


def harm(value, patient=None):
    def fault(folder):
        path = folder / "sample.json"
        held = json.loads(path.read_text())
        first = next(iter(held["harm_by_patient"]))
        held["harm_by_patient"][patient or first] = value
        path.write_text(json.dumps(held))

    return fault


def fewer(folder):
    path = folder / "target" / "sample.json"
    held = json.loads(path.read_text())
    held["harm_by_patient"].popitem()
    path.write_text(json.dumps(held))


def drop(*keys):
    def fault(folder):
        path = folder / "sample.json"
        path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k not in keys}))

    return fault


def write(text):
    return lambda folder: (folder / "sample.json").write_bytes(text.encode() if isinstance(text, str) else text)


def empty(folder):
    for path in folder.glob("*.json"):
        path.unlink()


FAULTS = {
    "no folder": (shutil.rmtree, "does not exist"),
    "an empty folder": (empty, "holds no records of attacks"),
    "no folder of the gold": (lambda folder: shutil.rmtree(folder / "retain_only"), "holds no records of retain_only"),
    "no folder of the target": (lambda folder: shutil.rmtree(folder / "target"), "again with --target"),
    "an empty folder of the gold": (lambda folder: empty(folder / "retain_only"), "holds no records of attacks"),
    "a record cut short": (lambda folder: write((folder / "sample.json").read_bytes()[:80])(folder), "no record of an"),
    "an empty record": (write(""), "no record of an attack"),
    "a record that is a list": (write("[]"), "it is no object"),
    "a record in another encoding": (write('{"attack": "é"}'.encode("latin-1")), "no record of an attack"),
    "a record nested without end": (write("[" * 100_000), "no record of an attack"),
    "no attack named": (drop("attack"), "'attack' is missing"),
    "no harm": (drop("harm_by_patient"), "'harm_by_patient' is missing"),
    "harm of nobody": (edit(harm_by_patient={}), "holds no patients"),
    "harm that is a list": (edit(harm_by_patient=[0.5]), "holds no patients"),
    "a harm that is nan": (harm(float("nan")), "it holds NaN"),
    "a harm that is endless": (harm(float("inf")), "it holds Infinity"),
    "a harm above 1": (harm(1.25), "is 1.25, not a number from 0 to 1"),
    "a harm below 0": (harm(-0.1), "is -0.1, not a number"),
    "a harm that is text": (harm("0.5"), "is '0.5', not a number"),
    "a harm that is true": (harm(True), "is True, not a number"),
    "harm of a stranger": (harm(0.5, "p-nobody"), "'p-nobody'"),
    "a percent that is text": (edit(percent="10"), "percent is '10'"),
    "a scenario that is a number": (edit(scenario=7), "scenario is 7"),
    "another set": (edit(attack_set="A2"), "is of the set A2"),
    "other options than the set's": (edit(attack_set=None), "other options than the set's"),
    "options that differ between models": (edit("target/sample.json", options={"k": 4}), "another options each"),
    "other data in one record": (edit(data_digest="1" * 64), "another data each"),
    "other data in all": (every(data_digest="1" * 64), "another data (checksum) than the evaluation"),
    "another scenario in one record": (edit(scenario="request"), "another scenario each"),
    "another scenario in all": (every(scenario="request"), "another scenario than the evaluation"),
    "another percent in all": (every(percent=5), "another percent than the evaluation"),
    "another seed in one record": (edit(seed=3), "another seed each"),
    "another seed of one model": (
        lambda folder: [edit(f"target/{one}.json", seed=3)(folder) for one in ATTACKS],
        "another seed each",
    ),
    "two models in one folder": (edit(model_digest="2-" + "b" * 16), "another model each"),
    "another model than was evaluated": (every(model_digest="2-" + "b" * 16), "digests 2-bbbbbbbbbbbbbbbb and 2-0aaa"),
    "an attack twice": (lambda f: shutil.copy(f / "sample.json", f / "sample (1).json"), "the attack sample twice"),
    "other patients of one model": (fewer, "judged other patients"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_malformed_records_are_refused_in_a_paragraph(name, study, records, capsys):
    fault, words = FAULTS[name]
    fault(records)
    command = ["score", *(word for role in ROLES for word in (f"--{role.replace('_', '-')}", str(study / role)))]
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--attacks", str(records)])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert words in err and "\n" not in err.strip() and "Traceback" not in err and len(err) > 60, err


def test_other_options_than_the_sets_make_an_attack_of_its_own_where_that_is_wanted(study, records):
    read = {role: scores.read(study / role) for role in ROLES}
    for folder in (records, records / "target", records / "retain_only"):
        edit(attack_set=None, options={"answers": 2})(folder)
    found = read_attacks(records, read, other_options=True)
    assert "sample" not in found and found["sample_other_options"].keys() == set(ROLES)
    predictions = {role: one.predictions for role, one in read.items()}
    scored = score_predictions(**predictions, rows=read["target"].rows, attacks=found, replicates=0)
    assert scored.ues_robust is None and scored.reasons["ues_robust"].endswith("A1 were not run: sample")
    edit(attack_set="A2")(records)
    with pytest.raises(UserError, match="is of the set A2"):
        read_attacks(records, read, other_options=True)


def test_faults_of_a_call_name_what_is_known(study):
    read = {role: scores.read(study / role) for role in ROLES}
    with pytest.raises(UserError, match=r"Unknown model of attack records 'gold'.*Known: retain_only"):
        read_attacks({"gold": study / "attacks"}, read)
    # Digests of another rule than the evaluation's say nothing.
    assert read_attacks({"target": study / "attacks" / "target"}, read)["sample"].keys() == {"target"}


def test_an_own_attack_that_is_shown_counts_in_no_score(records, study):
    """The worst attack of all, declared `scored=False`: robust UES is as without it."""
    without = scores.score(**given(study), attacks=records, replicates=30)
    levels = {"": 0.9, "target": 0.9, "retain_only": 0.1}
    for place, level in levels.items():
        own = json.loads((records / place / "prefix.json").read_text()) | {"attack": "mine", "attack_set": None}
        own["harm_by_patient"] = dict.fromkeys(own["harm_by_patient"], level)
        for scored in (True, False):
            name = "mine" if scored else "seen"
            (records / place / f"{name}.json").write_text(json.dumps({**own, "attack": name, "scored": scored}))
    counted = scores.score(**given(study), attacks=records, replicates=30)
    assert counted.attacks["mine"]["counts"] and counted.ues_robust == 0 < without.ues_robust
    assert not counted.attacks["seen_shown"]["counts"] and counted.attacks["seen_shown"]["harm"] == pytest.approx(0.9)
    for place in levels:
        (records / place / "mine.json").unlink()
    shown = scores.score(**given(study), attacks=records, replicates=30)
    assert (shown.ues_robust, shown.attack_set) == (without.ues_robust, "A1")
    assert shown.reasons["attacks.seen_shown"] == "it is shown, and counts in no score"
