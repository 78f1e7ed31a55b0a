"""Rows of a few patients of the packaged data set, and models that are asked them."""

import pytest

from baselines.attacks.attacked import Attacked, AttackRows, read_attack_rows
from mllmu_med_dataset.load import PACKAGED

PATIENTS = 5


@pytest.fixture(scope="session")
def few_of():
    """Return a function that gives the rows of a scenario's first forget patients, and a few others."""
    known = {}

    def few(scenario, patients=PATIENTS):
        if scenario not in known:
            known[scenario] = read_attack_rows(PACKAGED, scenario, 10)
        rows = known[scenario]
        kept = set(rows.patients[:patients])
        forget, asked = (
            [row for row in part if row["patient_id"] in kept][: 6 * patients] for part in (rows.forget, rows.asked)
        )
        return AttackRows(forget, rows.retain[:20], rows.holdout[:20], asked)

    return few


@pytest.fixture(scope="session")
def few(few_of):
    """Return a few rows of the privacy scenario."""
    return few_of("privacy")


@pytest.fixture(scope="session")
def target(few):
    """Return nano's target under attack; tests leave it as it was."""
    return Attacked("nano-privacy-target", few, scenario="privacy")
