"""Siblings of a finding in ICD-10-CM: beside it, and no kind of it."""

import pytest

from mllmu_med_dataset.injection.diagnoses import siblings
from mllmu_med_dataset.injection.incorrectness import corrupt, wrong_facts
from mllmu_med_dataset.injection.sentence_templates import find_value

from ..conftest import record

pytestmark = pytest.mark.slow  # loading the classification takes some seconds


@pytest.mark.parametrize(
    ("finding", "beside", "never"),
    [
        ("Emphysema", "bronchiectasis", "compensatory emphysema"),
        # Both are kinds of the finding, or the finding by another name.
        ("Pneumonia", "asthma", "viral pneumonia"),
        ("Atelectasis", "bronchiectasis", "pulmonary collapse"),
        ("Cardiomegaly", "myocarditis", "cardiac hypertrophy"),
        ("cholelithiasis", "ulcerative colitis", "cholecystitis"),
    ],
)
def test_what_stands_beside_a_finding_is_another_finding(finding, beside, never):
    assert beside in siblings(finding) and never not in siblings(finding)
    assert finding.lower() not in siblings(finding)


@pytest.mark.parametrize("finding", ["", "no such finding", "Sequelae", "fracture"])
def test_a_finding_without_siblings_has_none(finding):
    assert siblings(finding) == ()


def test_a_finding_without_a_closed_set_becomes_a_sibling():
    clean = record(question_type="abnormality", answer="The image shows Emphysema.", fact="Emphysema", fact_values=())
    done = corrupt(clean, seed=0)
    assert done.wrong_fact.lower() in siblings("Emphysema") and done.wrong_fact[0].isupper()
    assert find_value(done.answer, done.wrong_fact) and not find_value(done.answer, "Emphysema")
    assert (done.error_kind, done.error_severity) == ("other abnormality", "critical")
    assert done == corrupt(clean, seed=0)


def test_only_findings_are_looked_up():
    assert wrong_facts(record(question_type="other", answer="Emphysema", fact="Emphysema", fact_values=())) == []
