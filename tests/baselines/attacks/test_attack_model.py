"""Records of attacks: whole, kept where nothing changed, refused where something did; bad requests in one paragraph."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from baselines import attacks, cli
from baselines.attacks.attack import Attack
from baselines.attacks.attack_model import AttackRequest, attack_beside, attack_model
from baselines.attacks.table import compared, text
from baselines.run.folder_lock import alone
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import PACKAGED

PAGE = (Path(attacks.__file__).parent.parent / "README.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```python\n(from baselines.attacks.*?)```", PAGE, re.DOTALL)[1]


@pytest.fixture(autouse=True)
def _registry():
    """Leave the attacks as they were."""
    known, read = dict(attacks._BY_NAME), dict(attacks._READ)
    yield
    for mapping, before in ((attacks._BY_NAME, known), (attacks._READ, read)):
        mapping.clear()
        mapping.update(before)


@pytest.fixture(scope="session")
def request_of(few):
    """Return a function that gives the request of an attack on a model with the few rows."""
    return lambda model="nano-privacy-target", **changed: replace(
        AttackRequest(model, PACKAGED, "privacy", rows=few), **changed
    )


@pytest.fixture(scope="session")
def done(request_of, tmp_path_factory):
    """Return the folder of the records of two attacks on the target; tests copy it."""
    out = tmp_path_factory.mktemp("attacks") / "out"
    attack_model(request_of(), attacks.chosen(["prefix", "quantise"]), out)
    return out


@pytest.fixture
def mine(done, tmp_path):
    return shutil.copytree(done, tmp_path / "mine")


def test_a_record_says_what_was_done_and_what_came_of_it(done, few):
    record = json.loads((done / "prefix.json").read_text())
    assert (record["attack"], record["attack_set"], record["options"]) == ("prefix", "A1", {})
    assert (record["model"], record["scenario"], record["percent"], record["seed"]) == (
        "nano-privacy-target", "privacy", 10, 0,
    )  # fmt: skip
    assert record["model_digest"].startswith("2-") and len(record["data_digest"]) == 64
    assert list(record["harm_by_patient"]) == list(few.patients)
    assert set(record["parts"]) == {"load", "train", "ask", "judge"}
    assert sum(record["parts"].values()) <= record["seconds"] + 0.01
    assert set(record["answers"]) == {row["id"] for row in few.forget}
    four = json.loads((done / "quantise.json").read_text())["answers"]
    assert set(four) == {row["id"] for row in few.asked} and all(len(texts) == 4 for texts in four.values())


def test_what_is_done_is_kept_and_what_was_left_out_is_made(mine, request_of, monkeypatch):
    chosen = attacks.chosen(["prefix", "quantise"])
    whole = (mine / "prefix.json").read_bytes()
    (mine / "quantise.json").unlink()
    again = attack_model(request_of(batch=3), chosen, mine)
    assert (mine / "prefix.json").read_bytes() == whole
    assert again["prefix"] == json.loads(whole) and again["quantise"]["seconds"] > 0
    monkeypatch.setattr("baselines.attacks.attacked.models.load", None)  # nothing is left to do: no model is loaded
    assert attack_model(request_of(rows=None), chosen, mine) == again


@pytest.mark.parametrize("batch", [1, 16])
def test_the_same_numbers_whatever_the_batch_and_after_a_resume(batch, done, mine, request_of):
    for name in ("prefix", "quantise"):
        (mine / f"{name}.json").unlink()
        attack_model(request_of(batch=batch), attacks.chosen([name]), mine)
        one, other = (json.loads((folder / f"{name}.json").read_text()) for folder in (done, mine))
        assert one["harm_by_patient"] == other["harm_by_patient"] and one["answers"] == other["answers"]


def test_another_order_of_attacks_gives_the_same(request_of, tmp_path):
    names = ["relearn_retain", "prefix", "sample"]
    options = {"relearn_retain": {"steps": 2, "learning_rate": 1e-2, "rows_per_step": 4, "pass_rows": 4},
               "sample": {"answers": 4, "draws": 2}}  # fmt: skip
    one = attack_model(request_of(), attacks.chosen(names), tmp_path / "1", options=options)
    other = attack_model(request_of(), attacks.chosen(names[::-1]), tmp_path / "2", options=options)
    for name in names:
        assert one[name]["harm_by_patient"] == other[name]["harm_by_patient"], name
    assert [one[name]["attack_set"] for name in names] == [None, "A1", None]  # other options are another attack


def test_the_page_names_every_attack_and_its_example_takes_ten_lines():
    assert [name for name in attacks.NAMES if f"| `{name}` " not in PAGE] == []
    assert len([line for line in EXAMPLE.splitlines() if line.strip()]) <= 10
    assert all(attacks.get(name).name == name for name in attacks.NAMES)
    assert [name for name in attacks.NAMES if not attacks.get(name).scored] == ["scale"]


def test_own_attack_from_a_file(request_of, tmp_path):
    file = tmp_path / "loud.py"
    file.write_text(EXAMPLE)
    chosen = attacks.chosen([str(file), "prefix"])
    assert [attack.name for attack in chosen] == ["loud", "prefix"]
    record = attack_model(request_of(), chosen[:1], tmp_path / "out")["loud"]
    assert record["attack_set"] is None and record["attack_file"] == attacks.file_digest("loud")
    attacks._BY_NAME.pop("loud"), attacks._READ.pop("loud")
    file.write_text(EXAMPLE + "# another text\n")
    with pytest.raises(UserError, match="with another attack_file"):
        attack_model(request_of(), attacks.chosen([str(file)]), tmp_path / "out")


def test_target_and_gold_beside_make_the_folder_complete(done, request_of, tmp_path):
    chosen = attacks.chosen(["prefix", "quantise"])
    out, request = tmp_path / "out", request_of("nano")
    records = attack_model(request, chosen, out)
    target = attack_beside("target", done, request, chosen, out)
    gold = attack_beside("retain_only", "nano-privacy-retain_only", request, chosen, out)
    assert sorted(path.name for path in (out / "target").iterdir()) == ["prefix.json", "quantise.json"]
    assert (out / "retain_only" / "prefix.json").is_file()
    assert attack_beside("target", out / "target", request, chosen, out) == target
    lines = compared(records, target, gold)
    assert [line["attack"] for line in lines] == ["prefix", "quantise"]
    for line in lines:
        span = line["harm_target"] - line["harm_retain_only"]
        wanted = min(1.0, max(0.0, (line["harm_target"] - line["harm"]) / span))
        assert line["f"] == pytest.approx(wanted) and line["counts"] and line["f"] > 0.8
    shown = text(lines).splitlines()
    assert shown[0].split()[:6] == ["attack", "harm", "target", "gold", "F", "s"] and len(shown) == 3
    same = compared(target, target, target)
    assert same[0]["f"] is None and not same[0]["counts"]


def test_records_of_other_studies_are_not_taken_for_the_target(done, request_of, tmp_path):
    chosen, out = attacks.chosen(["prefix"]), tmp_path / "out"
    for changed, says in (({"seed": 1}, "another seed"), ({"percent": 5}, "another percent")):
        with pytest.raises(UserError, match=says):
            attack_beside("target", done, request_of("nano", **changed), chosen, out)
    with pytest.raises(UserError, match="lack the attack sample"):
        attack_beside("target", done, request_of("nano"), attacks.chosen(["prefix", "sample"]), out)
    assert not out.exists()


REFUSED = {
    "another seed": ({"seed": 1}, "with another seed. Name another --out"),
    "another model": ({"model": "nano"}, "with another model_digest"),
    "a model that is none": ({"model": "nowhere"}, "no model folder nowhere"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_folder_is_not_mixed(name, mine, request_of):
    changed, says = REFUSED[name]
    before = {path: path.read_bytes() for path in mine.iterdir()}
    with pytest.raises(UserError, match=says):
        attack_model(request_of(**changed), attacks.chosen(["prefix"]), mine)
    assert {path: path.read_bytes() for path in mine.iterdir()} == before


DAMAGED = {
    "truncated": lambda text: text[:200],
    "empty": lambda text: "",
    "a list": lambda text: "[]",
    "without harm": lambda text: text.replace("harm_by_patient", "harm"),
    "harm of 7": lambda text: json.dumps({**json.loads(text), "harm_by_patient": {"p": 7}}),
    "another attack's": lambda text: text.replace('"attack": "prefix"', '"attack": "sample"'),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_record_is_named(name, mine, request_of):
    path = mine / "prefix.json"
    path.write_text(DAMAGED[name](path.read_text()))
    with pytest.raises(UserError, match=r"prefix\.json is (no|a) record of (an|the) attack .*Remove it"):
        attack_model(request_of(), attacks.chosen(["prefix"]), mine)


def test_other_data_are_other_attacks(mine, request_of, tmp_path):
    (tmp_path / "data").mkdir()
    document = json.loads((PACKAGED / "checksums.json").read_text())
    (tmp_path / "data" / "checksums.json").write_text(json.dumps({**document, "dataset_sha256": "0" * 64}))
    with pytest.raises(UserError, match="with another data_digest"):
        attack_model(request_of(data_dir=tmp_path / "data"), attacks.chosen(["prefix"]), mine)


def test_a_folder_at_work_is_left_alone(mine, request_of):
    with alone(mine), pytest.raises(UserError, match="Another process is at work"):
        attack_model(request_of(), attacks.chosen(["prefix"]), mine)


@pytest.mark.parametrize("harm", [{}, {"p": 0.5}, {"own": float("nan")}, {"own": 2.0}])
def test_an_attack_whose_harm_is_none_leaves_no_record(harm, request_of, few, tmp_path):
    given = {few.patients[0] if patient == "own" else patient: value for patient, value in harm.items()}
    attack = Attack("odd", "Odd", "ours", lambda attacked, options: given)
    with pytest.raises(UserError, match="gave no harm from 0 to 1 by forget patient"):
        attack_model(request_of(), [attack], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def refused(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        cli.main(["attack", "--scenario", "privacy", *map(str, words)])
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and out == "" and len(err.strip().splitlines()) == 1, err
    return err


FILES = {
    "runs not": ("import nothing_of_that_name", "can't be run: ModuleNotFoundError"),
    "is no Python": ("def harm(:", "can't be run: SyntaxError"),
    "ends the program": ("raise SystemExit(3)", "can't be run: SystemExit"),
    "defines none": ("ATTACK = 'prefix'", "defines no ATTACK"),
    "takes a name": (EXAMPLE.replace('"loud"', '"prefix"'), "as another is named"),
    "takes the set's name": (EXAMPLE.replace('"loud"', '"A1"'), "as another is named"),
    "has a name that is a path": (EXAMPLE.replace('"loud"', '"../x"'), "becomes that of a file"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that(name, capsys, tmp_path):
    data, says = FILES[name]
    (tmp_path / "a.py").write_text(data)
    assert says in refused(capsys, "--model", "nano", "--attack", tmp_path / "a.py", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


WORDS = {
    "an unknown attack": (("--attack", "relearn_fw"), "Unknown attack 'relearn_fw'. Did you mean 'relearn_few'?"),
    "an unknown set": (("--attack", "A2"), "Did you mean 'A1'?"),
    "a file that is not there": (("--attack", "mine.py"), "There is no attack file 'mine.py'"),
    "no attack": (("--attack", ","), "--attack takes a comma-separated list"),
    "an unknown option": (("--attack", "sample", "--set", "answer=3"), "Did you mean 'answers'?"),
    "an option out of range": (("--attack", "sample", "--set", "draws=0"), "from 1 to 4096"),
    "an option that is no number": (("--attack", "sample", "--set", "draws=many"), "takes a number, not 'many'"),
    "half an answer": (("--attack", "sample", "--set", "draws=1.5"), "a whole number"),
    "no target": (("--attack", "scale"), "no target was given"),
    "no percent of a build": (("--attack", "prefix", "--percent", "7"), "forget set of 7 %"),
}


@pytest.mark.parametrize("name", WORDS)
def test_words_that_make_no_sense(name, capsys, tmp_path):
    words, says = WORDS[name]
    assert says in refused(capsys, "--model", "nano", *words, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_without_weights(capsys, tmp_path):
    from baselines.model import models

    shutil.copytree(models.model_folder("nano"), tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    said = refused(capsys, "--model", tmp_path / "model", "--attack", "prefix", "--out", tmp_path / "out")
    assert "weights" in said and not (tmp_path / "out").exists()


def test_the_command_says_what_it_would_take_and_does_nothing(capsys, tmp_path):
    names = "relearn_few,prefix,sample,quantise"
    with pytest.raises(SystemExit) as ended:
        cli.main(["attack", "--model", "nano", "--scenario", "privacy", "--attack", names, "--dry-run", "--json",
                  "--out", str(tmp_path / "out")])  # fmt: skip
    assert not ended.value.code and not (tmp_path / "out").exists()
    found = json.loads(capsys.readouterr().out)
    assert found["rows"]["forget"] == 64 and found["rows"]["asked"] == 131
    by_name = {one["attack"]: one for one in found["attacks"]}
    assert by_name["relearn_few"]["trained_rows"] == 320 and by_name["sample"]["answers"] == 32 * 131
    assert by_name["quantise"]["answers"] == 4 * 131 and by_name["prefix"]["answers"] > 64
    assert all(one["seconds"] > 0 and one["memory_mb"] > 10 for one in found["attacks"])


def test_the_command_attacks_target_and_gold_too_and_prints_what_stays_gone(capsys, tmp_path):
    def call(*more):
        with pytest.raises(SystemExit) as ended:
            cli.main(["attack", "--model", "nano", "--scenario", "incorrectness", "--attack", "prefix", "--out",
                      str(tmp_path / "out"), *more])  # fmt: skip
        assert not ended.value.code
        return capsys.readouterr().out

    beside = ("--target", "nano-incorrectness-target", "--retain-only", "nano-incorrectness-retain_only")
    line = json.loads(call("--json", *beside))[0]
    assert line["harm_target"] > 0.8 > 0.4 > line["harm_retain_only"] and line["f"] > 0.7 and line["counts"]
    for place in (".", "target", "retain_only"):
        assert (tmp_path / "out" / place / "prefix.json").is_file()
    shown = call(*beside)  # the same again: nothing is asked anew
    assert shown.splitlines()[0].split()[:5] == ["attack", "harm", "target", "gold", "F"]
    assert shown.splitlines()[1].split()[0] == "prefix"


@pytest.mark.parametrize("scored", [True, False])
def test_a_record_says_whether_its_attack_counts(scored, request_of, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from baselines.attacks import Attack\n"
        "harm = lambda attacked, options: dict.fromkeys(attacked.rows.patients, 0.5)\n"
        f"ATTACK = Attack('mine', 'Half', 'ours', harm, scored={scored})\n"
    )
    attack_model(request_of(), attacks.chosen([str(file)]), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "mine.json").read_text())["scored"] is scored
