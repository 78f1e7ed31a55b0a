"""What the metric's narrow parser and the generator's values rest on is what the data set makes."""

from mllmu_med_dataset import record
from mllmu_med_dataset.injection import patients
from mllmu_med_metrics.leakage import leaks as leakage
from mllmu_med_metrics.scoring import scored_row as rows


def test_every_column_that_the_score_reads_is_one_of_the_data_set():
    assert set(rows.Row._fields) <= set(record.COLUMNS)


def test_fictitious_values_are_found_by_their_own_rules():
    """Every kind of value that the data set makes is told by its value as it stands."""
    identity = next(iter(patients.identities(["a" * 64], seed=3).values()))
    for kind, value in identity.values.items():
        assert leakage.leaks(f"It is {value}.", value, kind), kind
