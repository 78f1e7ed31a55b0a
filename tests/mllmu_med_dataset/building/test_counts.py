"""Counts of files of a few rows, by hand."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mllmu_med_dataset.building.counts import Counts, count, count_file, over
from mllmu_med_dataset.load import checksums, load

TOLD = ("question_type", "modality", "body_region", "error_kind", "error_severity", "error_pool", "source", "license")


def file(path, rows):
    plain = [
        {**{name: "x" for name in TOLD}, "error_kind": None, "error_severity": None, "redistributable": True, "phi": []}
        | row
        for row in rows
    ]
    pq.write_table(pa.Table.from_pylist(plain), path, row_group_size=2)
    return count_file(path)


def phi(*kinds):
    return {"phi": [{"kind": kind, "value": "v"} for kind in kinds]}


@pytest.fixture
def counts(tmp_path):
    rows = [
        {"modality": "CT"} | phi("name", "ssn"),
        {"modality": "MR"} | phi("name"),
        {"modality": "CT"} | phi("name", "ssn"),
        {"modality": "CT", "error_kind": "miscount", "error_severity": "minor"} | phi("city"),
    ]
    return file(tmp_path / "rows.parquet", rows)


def test_rows_are_counted_over_row_groups(counts):
    assert counts.total == 4
    assert counts.by("modality") == {("CT",): 3, ("MR",): 1}
    assert counts.by("modality", "error_kind") == {("CT", ""): 2, ("CT", "miscount"): 1, ("MR", ""): 1}
    assert counts.by("redistributable") == {("True",): 4}


def test_identifiers_are_counted_by_kind_the_commonest_first(counts):
    assert list(counts.identifier_kinds.items()) == [("name", 3), ("ssn", 2), ("city", 1)]
    assert counts.identifiers_a_row == {1: 2, 2: 2}


def test_several_configs_add_up(counts):
    assert over([counts, counts], "modality") == {("CT",): 6, ("MR",): 2}


def test_they_are_the_same_from_json(counts):
    assert Counts.model_validate_json(counts.model_dump_json(exclude={"total"})) == counts


def test_a_build_is_counted_at_ten_percent_own_splits_only(built):
    found = count(built, checksums(built)["content"])
    assert set(found) == {
        f"{s}_{x}" for s in ("privacy", "request", "incorrectness") for x in ("forget", "retain", "test", "holdout")
    }
    assert found["privacy_forget"].injected == found["privacy_forget"].total and not found["privacy_retain"].injected
    # Three rows a bystander and one that asks for an identifier, as of those who are forgotten.
    assert found["request_retain"].injected == found["request_forget"].total
    assert found["privacy_forget"].total == len(load("privacy_forget", data_dir=built))
