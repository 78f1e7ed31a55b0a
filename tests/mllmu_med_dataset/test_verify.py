"""A good build passes every gate, whatever its source and licence; the report says what failed, where and how often.

What each gate catches is in ``test_verify_mutations``.
"""

import json
import shutil

import pytest

from mllmu_med_dataset.build import build
from mllmu_med_dataset.verify import GATES, verify
from mllmu_med_dataset.verify.relations import Relations
from mllmu_med_dataset.verify.report import KEPT_FAILURES, SHOWN_FAILURES, Failures, Report

from .broken_build import Copy
from .conftest import record, records


def test_a_good_build_passes_every_gate(built):
    told = []
    report = verify(built, progress=lambda *said: told.append(said))
    assert report.ok and report.lines() == [] and [gate.name for gate in report.gates] == list(GATES)
    assert report.rows > 800 and "FAIL" not in report.text() and "skip" not in report.text()
    # every file is told once, in order
    assert [done for _, done, _ in told] == list(range(told[0][2])) and told[0][0].startswith("data/")


@pytest.mark.parametrize("local", [False, True])
def test_a_build_whose_pixels_may_not_be_passed_on_passes_with_and_without_them(tmp_path, local):
    held = (one.model_copy(update={"redistributable": False}) for one in records(30))
    build(held, tmp_path / "b", percents=(10,), local=local)
    report = verify(tmp_path / "b")
    assert report.lines() == []
    assert json.loads((tmp_path / "b" / "checksums.json").read_text())["parameters"].get("local", False) is local
    assert (tmp_path / "b" / "withheld_images.jsonl").exists() is not local
    if local:
        card = (tmp_path / "b" / "README.md").read_text()
        (tmp_path / "b" / "README.md").write_text(card.replace("must not be published", "is for everyone"))
        assert any("must not be published" in line for line in verify(tmp_path / "b").lines())


def test_a_build_of_mixed_licences_withholds_what_it_must(tmp_path):
    def mixed():
        for number in range(40):
            for kind in ("modality", "organ", "position", "quantity"):
                yield record(number, kind, redistributable=number % 3 > 0, license=("CC0-1.0", "mine")[number % 2])

    build(mixed(), tmp_path / "b", percents=(10,))
    assert verify(tmp_path / "b").lines() == []
    listed = (tmp_path / "b" / "withheld_images.jsonl").read_text().splitlines()
    (tmp_path / "b" / "withheld_images.jsonl").write_text("\n".join(listed[1:]) + "\n")
    lines = [line for line in verify(tmp_path / "b").lines() if line.startswith("licences")]
    assert len(lines) == 1 and json.loads(listed[0])["image_id"] in lines[0] and ".parquet, row " in lines[0]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"parameters": {"scenarios": 3}}'])
def test_unreadable_checksums_fail_and_nothing_else_is_said_to_hold(built, tmp_path, text):
    shutil.copytree(built, tmp_path / "copy")
    (tmp_path / "copy" / "checksums.json").write_text(text)
    report = verify(tmp_path / "copy")
    assert not report.ok and "checksums.json" in report.lines()[0]
    assert all(gate.skipped for gate in report.gates if gate.name != "files") and "ok  " not in report.text()


@pytest.mark.parametrize(
    "card", ["nothing", "---\n- a\n---\n", "---\nconfigs: 3\ndataset_info: []\n---\n", "---\n: [\n---\n"]
)
def test_an_unreadable_card_fails_configs(built, tmp_path, card):
    copy = Copy(built, tmp_path / "copy")
    copy.write("README.md", card)
    copy.seal()
    failed = {gate.name for gate in verify(copy.folder).gates if not gate.ok}
    assert "configs" in failed and failed <= {"configs", "licences"}


def test_a_withheld_list_that_is_no_json_is_told(built, tmp_path):
    copy = Copy(built, tmp_path / "copy")
    copy.write("withheld_images.jsonl", "{")
    copy.seal()
    assert [line.split(":")[0] for line in verify(copy.folder).lines()] == ["licences"]


def test_a_long_gate_is_cut_and_its_rest_counted():
    failures = Failures()
    for number in range(KEPT_FAILURES + 500):
        failures.add("clean", f"row {number}")
    gate = failures.gate("clean", "all is well")
    report = Report(folder="x", gates=(gate,), rows=1)
    assert len(gate.failures) == KEPT_FAILURES and gate.failed == KEPT_FAILURES + 500 and not report.ok
    assert len(report.lines()) == SHOWN_FAILURES + 1
    assert report.lines()[-1] == f"clean: and {KEPT_FAILURES + 500 - SHOWN_FAILURES} more"


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
