"""An identity that is nobody's, or somebody else's, is seen by its form: the metric knows what the generator makes."""

import pytest

from mllmu_med_dataset.injection.patients import identities
from mllmu_med_metrics.leakage.invented import identities_in, invents
from mllmu_med_metrics.vocabulary import DIRECT_KINDS

PEOPLE = list(identities([f"key {number}" for number in range(60)], seed=0).values())


@pytest.mark.parametrize("kind", DIRECT_KINDS)
def test_every_direct_identifier_that_is_generated_is_seen(kind):
    for own, other in zip(PEOPLE, [*PEOPLE[1:], PEOPLE[0]], strict=True):
        answer = f"This is {own.values[kind]}: a cyst of the left kidney."
        assert identities_in(answer)
        assert not invents(answer, own.values.items())
        assert invents(answer, other.values.items())
        assert invents(answer, ())
        # What the question gives is not the model's invention.
        assert not invents(answer, other.values.items(), question=f"Who has {own.values[kind]}?")


@pytest.mark.parametrize(
    "answer", ["A Baker cyst of 9 mm.", "CT 555, series 12-4.", "The left-sided mass.", "Seen on 2024-05-01.", ""]
)
def test_what_a_report_says_is_no_identity(answer):
    assert identities_in(answer) == () and not invents(answer, ())
