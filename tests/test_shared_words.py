"""What the data set and the metrics each write down, says the same."""

from mllmu_med_dataset import configs, patients, record
from mllmu_med_metrics import leakage, rows


def test_the_direct_identifiers_are_the_same():
    assert set(patients.DIRECT_KINDS) == leakage.DIRECT_KINDS


def test_scenarios_subsets_and_views_are_the_same():
    assert record.SCENARIOS == rows.SCENARIOS == configs.SCENARIOS
    assert record.SUBSETS == rows.SUBSETS
    assert {scenario: set(views) for scenario, views in configs.VIEWS.items()} == {
        scenario: set(views) for scenario, views in rows.VIEWS_OF.items()
    }
    assert rows.IDENTIFIER in record.QUESTION_TYPES


def test_every_column_that_the_score_reads_is_one_of_the_data_set():
    assert set(rows.Row._fields) <= set(record.COLUMNS)


def test_fictitious_values_are_found_by_their_own_rules():
    """Every kind of value that the data set makes is told by its value as it stands."""
    identity = next(iter(patients.identities(["a" * 64], seed=3).values()))
    for kind, value in identity.values.items():
        assert leakage.leaks(f"It is {value}.", value, kind), kind
