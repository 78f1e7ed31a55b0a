"""What the data set and the metrics each write down, because neither imports the other, says the same."""

from itertools import combinations

from mllmu_med_dataset import configs, incorrectness, patients, record
from mllmu_med_metrics import agreement, leakage, rows
from mllmu_med_metrics.agreement import fact_key


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


def test_one_fact_has_one_set_of_names():
    """What the injection holds for the same (and never swaps), the metric counts as the same, and the other way."""
    names = sorted({name for group in (*incorrectness._ALIASES, *agreement.SAME_THING) for name in group})
    names += sorted({*agreement._SPELLINGS, *agreement._SPELLINGS.values()} - set(names))
    for one, other in combinations(names, 2):
        same_here = fact_key(one) == fact_key(other)
        same_there = incorrectness._canonical(one) == incorrectness._canonical(other)
        assert same_here == same_there, (one, other)


def test_fictitious_values_are_found_by_their_own_rules():
    """Every kind of value that the data set makes is told by its value as it stands."""
    identity = next(iter(patients.identities(["a" * 64], seed=3).values()))
    for kind, value in identity.values.items():
        assert leakage.leaks(f"It is {value}.", value, kind), kind
