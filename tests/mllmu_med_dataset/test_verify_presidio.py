"""Presidio, which knows nothing of our tags, finds the same identifiers in the same places."""

import sys

import pytest

from mllmu_med_dataset.build import build
from mllmu_med_dataset.verify import presidio, verify

from .broken_build import Copy
from .conftest import records

HOLDOUT = "privacy_holdout"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A build of privacy alone: Presidio takes its time."""
    out = tmp_path_factory.mktemp("small") / "mllmu-med"
    build(records(28), out, percents=(10,), scenarios=("privacy",))
    return out


def gate(folder):
    return next(found for found in verify(folder, presidio=True).gates if found.name == "presidio")


def test_the_gate_is_skipped_with_a_reason_where_presidio_is_not_installed(built, monkeypatch):
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    monkeypatch.setattr(presidio, "find_spec", lambda name: None)
    report = verify(built, presidio=True)
    assert report.ok and "skip presidio: not tested, Presidio is not installed: pip install" in report.text()


def test_the_gate_is_there_only_when_asked_for(built):
    assert "presidio" not in [found.name for found in verify(built).gates]


def test_presidio_agrees_with_a_good_build(small):
    pytest.importorskip("presidio_analyzer")
    found = gate(small)
    assert found.ok and found.skipped is None, found.failures


@pytest.fixture(scope="module")
def analyzer():
    pytest.importorskip("presidio_analyzer")
    return presidio.Presidio()


def row(answer, *phi, question="What is it?", view=None, subset="holdout"):
    tags = [{"kind": kind, "value": value} for kind, value in phi]
    texts = {"question": question, "answer": answer, "true_answer": "It is a cyst."}
    return {**texts, "phi": tags, "scenario": "privacy", "subset": subset, "view": view}


@pytest.mark.parametrize(
    ("kind", "value", "entity"),
    [
        ("ssn", "923-12-3456", "US_SSN"),
        ("phone", "(212) 555-0134", "PHONE_NUMBER"),
        ("email", "ada.quillby@example.org", "EMAIL_ADDRESS"),
        ("url", "https://example.com/adaquillby", "URL"),
        ("ip", "192.0.2.14", "IP_ADDRESS"),
        ("birth_date", "1947-03-12", "DATE_TIME"),
    ],
)
def test_every_kind_that_it_knows_is_found_where_it_is_tagged_and_nowhere_else(analyzer, kind, value, entity):
    said = f"The lesion of Ada Quillby ({kind} {value}) is a cyst."
    assert list(analyzer.broken(row(said, (kind, value)))) == []
    assert list(analyzer.broken(row("The lesion is a cyst.", (kind, value)))) == [
        f"finds no {entity} in the answer, which is to tell {kind} '{value}'"
    ]
    # untagged, in a clean row, and in a question: each is told
    assert any(f"finds {entity} '{value}'" in told for told in analyzer.broken(row(said)))
    assert any(f"finds {entity}" in told for told in analyzer.broken(row(said, subset="retain")))
    assert any("in the question" in told for told in analyzer.broken(row("It is.", question=said)))


def test_a_reconstruction_question_may_give_an_identifier(analyzer):
    asked = "Given the birth date 1947-03-12, what is the record number?"
    assert list(analyzer.broken(row("SYN-MRN-12345674", ("record", "SYN-MRN-12345674"), question=asked))) != []
    given = row("SYN-MRN-12345674", ("record", "SYN-MRN-12345674"), question=asked, view="reconstruction")
    assert list(analyzer.broken(given)) == []


@pytest.mark.parametrize(
    "text",
    [
        "The lung.No abnormality.",
        "It is 3.5 cm large, at C5-C6.",
        "There are 12 lesions, T2-weighted.",
        "MR, e.g.brain",
    ],
)
def test_clinical_texts_are_clean(analyzer, text):
    assert list(analyzer.broken(row(text, subset="retain"))) == []


def test_an_identifier_of_a_row_that_is_not_tagged_fails_the_gate(small, tmp_path):
    pytest.importorskip("presidio_analyzer")
    copy = Copy(small, tmp_path / "copy")
    # in range and told, but nobody's: only an independent look finds it
    name, told = copy.change(HOLDOUT, answer=lambda row: f"{row['answer']} Call (212) 555-0134.")
    report = verify(copy.folder, presidio=True)
    assert [found.name for found in report.gates if not found.ok] == ["presidio"]
    assert any(name in line and told in line and "PHONE_NUMBER" in line for line in report.lines())
