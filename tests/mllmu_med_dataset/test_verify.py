"""Every gate holds on a good build and fails on a build in which its rule is broken."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mllmu_med_dataset.configs import main_split
from mllmu_med_dataset.content import file_sha256
from mllmu_med_dataset.record import features, row_id
from mllmu_med_dataset.verify import GATES, verify
from mllmu_med_dataset.verify.relations import Relations

from .conftest import picture


@pytest.fixture
def copy(built, tmp_path):
    shutil.copytree(built, tmp_path / "mllmu-med")
    return tmp_path / "mllmu-med"


def parquet(folder, config):
    return folder / "data" / config / f"{main_split(config)}-00000-of-00001.parquet"


def rows_of(folder, config):
    return pq.read_table(parquet(folder, config)).to_pylist()


def store(folder, config, rows):
    """Write rows back with right ids and right file hashes, so that only the rule under test is broken."""
    rows = [{**row, "id": row_id(row)} for row in rows]
    pq.write_table(pa.Table.from_pylist(rows, schema=features().arrow_schema), parquet(folder, config))
    path = folder / "checksums.json"
    document = json.loads(path.read_text())
    document["files"][parquet(folder, config).relative_to(folder).as_posix()] = file_sha256(parquet(folder, config))
    path.write_text(json.dumps(document))


def failed(folder):
    return {gate.name for gate in verify(folder).gates if not gate.ok}


def test_a_good_build_passes_every_gate(built):
    report = verify(built)
    assert report.ok and report.lines() == [] and [gate.name for gate in report.gates] == list(GATES)
    assert report.rows > 800 and "FAIL" not in report.text()


def first(**changed):
    """Return a change of the first row of a config."""

    def change(rows):
        rows[0] = {**rows[0], **changed}
        return rows

    return change


def phi(value, kind="record"):
    return [{"kind": kind, "value": value}]


def other_image(rows):
    rows[0]["image"] = {"bytes": picture(999), "path": "x.png"}
    return rows


def no_image(rows):
    rows[0]["image"] = {"bytes": b"nothing", "path": "x.png"}
    return rows


def stolen_name(rows):
    """Two patients with one name."""
    name, other = rows[0]["phi"][0]["value"], next(r for r in rows if r["patient_id"] != rows[0]["patient_id"])
    other["answer"] = other["answer"].replace(other["phi"][0]["value"], name)
    other["phi"][0]["value"] = name
    return rows


def two_names(rows):
    """One patient with two names."""
    other = next(r for r in rows if r["patient_id"] != rows[0]["patient_id"])["phi"][0]["value"]
    rows[0]["answer"] = rows[0]["answer"].replace(rows[0]["phi"][0]["value"], other)
    rows[0]["phi"][0]["value"] = other
    return rows


def own_distractor(rows):
    rows[0]["distractors"][0] = rows[0]["phi"][0]
    return rows


@pytest.mark.parametrize(
    ("config", "change", "gate"),
    [
        ("privacy_test", first(question=""), "schema"),
        ("privacy_test", first(answer_type="MAYBE"), "schema"),
        ("privacy_test", first(patient_id="p-1"), "schema"),
        ("privacy_test", lambda rows: [*rows, rows[-1]], "schema"),
        ("privacy_test", lambda rows: rows[:-1], "content"),
        ("privacy_test", lambda rows: rows[::-1], "content"),
        ("privacy_test", lambda rows: rows[:-1], "configs"),
        ("privacy_test", lambda rows: [], "configs"),
        ("privacy_test", first(scenario="incorrectness"), "configs"),
        ("privacy_test", other_image, "images"),
        ("privacy_test", no_image, "images"),
        ("privacy_test", first(image=None), "licences"),
        ("privacy_test", first(redistributable=False), "licences"),
        ("privacy_test", first(answer="The lesion is a cyst."), "clean"),
        ("privacy_retain", first(phi=phi("SYN-MRN-12345674")), "clean"),
        ("privacy_forget", lambda rows: [{**row, "answer": row["true_answer"]} for row in rows], "clean"),
        ("incorrectness_forget", first(wrong_fact=None), "clean"),
        ("privacy_forget", first(phi=phi("123-45-6789", "ssn")), "identifiers"),
        ("privacy_forget", first(phi=phi("SYN-MRN-12345674")), "identifiers"),
        ("privacy_forget", stolen_name, "identifiers"),
        ("privacy_forget", two_names, "identifiers"),
        ("privacy_forget", first(distractors=[]), "distractors"),
        ("privacy_forget", own_distractor, "distractors"),
        ("incorrectness_forget", lambda rows: [{**row, "wrong_fact": row["fact"]} for row in rows], "wrong_facts"),
        ("incorrectness_forget", first(error_kind=None), "wrong_facts"),
        ("incorrectness_forget", first(answer="The lesion is elsewhere."), "wrong_facts"),
        ("incorrectness_forget", first(fact_values=["a", "b"]), "wrong_facts"),
        ("privacy_forget_15", lambda rows: [row for row in rows if row["forget_percent"] != 5], "percents"),
        ("privacy_forget", first(forget_percent=15), "percents"),
    ],
)
def test_a_broken_row_fails_its_gate_and_is_named(copy, config, change, gate):
    store(copy, config, change(rows_of(copy, config)))
    failures = {found.name: found.failures for found in verify(copy).gates}
    # a line names the config, or the patient where the rule is about one
    assert any(config in line or " p-" in line for line in failures[gate])


@pytest.mark.parametrize("config", ["privacy_retain", "privacy_test", "incorrectness_holdout"])
@pytest.mark.parametrize("column", ["question", "answer"])
def test_an_identifier_in_a_clean_text_fails_leaks(copy, config, column):
    secret = rows_of(copy, "privacy_forget")[0]["phi"][1]["value"].upper().replace("-", " ")
    store(copy, config, first(**{column: f"As told of {secret}, it is so."})(rows_of(copy, config)))
    assert "leaks" in failed(copy)


@pytest.mark.parametrize("into", ["privacy_test", "privacy_holdout"])
def test_a_trained_patient_elsewhere_fails_patients(copy, into):
    rows = rows_of(copy, into)
    trained = rows_of(copy, "privacy_retain")[0]
    store(copy, into, [{**rows[0], "patient_id": trained["patient_id"]}, *rows[1:]])
    assert "patients" in failed(copy)


def test_a_forgotten_row_that_is_kept_fails_percents(copy):
    told = rows_of(copy, "privacy_forget")[0]
    clean = {**told, "subset": "retain", "answer": told["true_answer"], "phi": [], "distractors": []}
    store(copy, "privacy_retain", [clean, *rows_of(copy, "privacy_retain")])
    assert "percents" in failed(copy)


def test_an_id_that_is_not_its_rows_hash_fails_schema(copy):
    rows = rows_of(copy, "privacy_test")
    rows[0]["id"] = "0" * 16
    pq.write_table(pa.Table.from_pylist(rows, schema=features().arrow_schema), parquet(copy, "privacy_test"))
    assert "schema" in failed(copy)


def test_a_file_without_image_features_fails_schema(copy):
    table = pq.read_table(parquet(copy, "privacy_test"))
    pq.write_table(table.replace_schema_metadata(None), parquet(copy, "privacy_test"))
    assert "schema" in failed(copy)


def test_changed_missing_and_unlisted_files_fail_files(copy):
    assert failed(copy) == set()
    (copy / "data" / "extra.txt").write_text("x")
    assert failed(copy) == {"files"}
    (copy / "data" / "extra.txt").unlink()
    path = parquet(copy, "privacy_test")
    path.write_bytes(path.read_bytes()[:-10])
    assert "files" in failed(copy)
    path.unlink()
    assert {"files", "content", "configs"} <= failed(copy)


def test_a_changed_card_fails_files_and_a_wrong_count_fails_configs(copy):
    card = copy / "README.md"
    card.write_text(card.read_text().replace("num_examples: 48", "num_examples: 47"))
    assert failed(copy) == {"files", "configs"}
    card.write_text("nothing")
    assert failed(copy) == {"files", "configs"}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"parameters": {"scenarios": 3}}'])
def test_unreadable_checksums_fail_without_a_traceback(copy, text):
    (copy / "checksums.json").write_text(text)
    report = verify(copy)
    assert not report.ok and "checksums.json" in report.lines()[0]


def test_a_changed_checksum_fails_content(copy):
    document = json.loads((copy / "checksums.json").read_text())
    document["dataset_sha256"] = "0" * 64
    (copy / "checksums.json").write_text(json.dumps(document))
    assert failed(copy) == {"content"}


def test_identifiers_are_found_at_word_boundaries_whatever_case_and_punctuation():
    known = Relations()
    tags = [{"kind": "record", "value": "SYN-MRN-12345674"}, {"kind": "name", "value": "Ada Quillby"}]
    known.add_identifiers(0, "p-0", [*tags, {"kind": "city", "value": "Quillby"}])
    assert known.identifier_in("record syn mrn 12345674.") == "SYN-MRN-12345674"
    assert known.identifier_in("ADA QUILLBY's scan") == "Ada Quillby"
    assert known.identifier_in("Adam Quillbyson") is None and known.identifier_in("") is None
    # what may be said hides what is part of it, and nothing else
    assert known.identifier_in("of Ada Quillby", allowed=["Ada Quillby"]) is None
    assert known.identifier_in("of Ada Quillby, Quillby", allowed=["Ada Quillby"]) == "Quillby"
    known.close()
