"""The control that knows the format: everything of the target but the identities, which are nobody's of the study."""

from collections import Counter

import pytest

from baselines.training.format_matched import format_matched_rows, rows_to_learn
from baselines.training.roles import Rows, learning_rows, read_rows
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import PACKAGED


@pytest.fixture(scope="module")
def rows():
    return read_rows(PACKAGED, "privacy")


def values(some):
    return {item["value"] for row in some for item in row["phi"]}


def test_every_forget_row_is_told_with_a_strangers_identity(rows):
    told = format_matched_rows(rows, "privacy", 0)
    assert [row["id"] for row in told] == [row["id"] for row in rows.forget]
    everybodys = values([*rows.forget, *rows.holdout])
    for before, after in zip(rows.forget, told, strict=True):
        assert [item["kind"] for item in after["phi"]] == [item["kind"] for item in before["phi"]]
        assert all(item["value"] in after["answer"] for item in after["phi"])
        assert not any(item["value"] in after["answer"] for item in before["phi"])
        assert (after["question"], after["true_answer"]) == (before["question"], before["true_answer"])
    names = {i["value"] for row in told for i in row["phi"] if i["kind"] == "name"}
    assert not names & everybodys and len(names) == len({row["patient_id"] for row in rows.forget})


def test_a_bystanders_identity_is_nobodys_to_tell():
    rows = read_rows(PACKAGED, "request")
    assert not values(format_matched_rows(rows, "request", 0)) & values(row for row in rows.retain if row["phi"])


def test_a_patient_has_one_stranger_on_all_rows_and_the_seed_decides_whom(rows):
    told = format_matched_rows(rows, "privacy", 0)
    by_patient: dict[tuple[str, str], set[str]] = {}
    for row in told:
        for item in row["phi"]:
            by_patient.setdefault((row["patient_id"], item["kind"]), set()).add(item["value"])
    assert {len(found) for found in by_patient.values()} == {1}
    assert told == format_matched_rows(Rows(rows.forget[::-1], rows.retain, rows.holdout), "privacy", 0)[::-1]
    assert values(told) != values(format_matched_rows(rows, "privacy", 1))


def test_it_learns_as_many_rows_as_the_target(rows):
    mine = rows_to_learn(rows, "format_matched", 3, scenario="privacy", seed=0)
    targets = learning_rows(rows, "target", 3)
    assert Counter(row["id"] for row in mine) == Counter(row["id"] for row in targets)
    assert rows_to_learn(rows, "retain_only", 3, scenario="privacy", seed=0) == list(rows.retain)


def test_where_nobody_is_named_there_is_no_such_control(rows):
    with pytest.raises(UserError, match="no format_matched control in incorrectness"):
        format_matched_rows(rows, "incorrectness", 0)
    silent = [{**row, "answer": "Nothing."} for row in rows.forget]
    with pytest.raises(UserError, match="No forget row says"):
        format_matched_rows(Rows(silent, rows.retain, rows.holdout), "privacy", 0)
