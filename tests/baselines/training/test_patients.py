"""Runs in which some forget patients ask, some are gone and some wait: which rows each reads, what names it."""

import json

import pytest

from baselines.config import UnlearnRecipe
from baselines.training.patients import Patients
from baselines.training.roles import Rows, learning_rows
from baselines.training.unlearn import unlearn
from mllmu_med_dataset.errors import UserError


@pytest.fixture(scope="module")
def rows(data):
    """The rows of `data`, each with its patient's id."""

    def named(some):
        return [{**row, "patient_id": row["image_id"]} for row in some]

    return Rows(named(data.forget), named(data.retain), named(data.holdout))


def patients(rows):
    return {row["patient_id"] for row in rows}


def test_who_asks_is_forgotten_who_waits_is_retained_and_who_is_gone_is_not_read(rows):
    chosen = Patients(forget=("trained-1",), gone=("trained-0",)).rows(rows)
    assert patients(chosen.forget) == {"trained-1"}
    waiting = [row for row in chosen.retain if row not in rows.retain]
    assert waiting == [row for row in rows.forget if row["patient_id"] in ("trained-2", "trained-3")]
    assert [row for row in chosen.retain if row in rows.retain] == list(rows.retain)
    assert chosen.holdout == rows.holdout


def test_a_gold_never_saw_who_asks_or_is_gone_and_knows_who_waits(rows):
    chosen = Patients(forget=("trained-0", "trained-3")).rows(rows)
    injected = [row for row in learning_rows(chosen, "retain_only", 3) if row["answer"] != row["true_answer"]]
    assert patients(injected) == {"trained-1", "trained-2"}
    assert len(injected) == 3 * 2 * 2  # two rows each, three times


def test_all_patients_at_once_are_the_rows_as_they_are(rows):
    assert Patients(tuple(sorted(patients(rows.forget)))).rows(rows) == rows


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        (Patients(("trained-9",)), "Did you mean 'trained-"),
        (Patients(("trained-0",), ("holdout-0",)), "Unknown forget patient 'holdout-0'"),
        (Patients(()), "names no patient"),
        (Patients(("trained-0",), ("trained-0",)), "asks now and is gone already"),
    ],
)
def test_patients_that_cannot_be_are_refused(rows, chosen, says):
    with pytest.raises(UserError, match=says):
        chosen.rows(rows)


def test_a_run_is_named_by_who_asked_and_who_was_gone(rows, tiny_model, data_dir, tmp_path):
    def run(*asked, out=tmp_path / "run"):
        common = {"model": tiny_model, "data_dir": data_dir, "scenario": "request", "seed": 0, "data": rows}
        recipe = UnlearnRecipe(batch=2, max_steps=1)
        return unlearn(**common, method="gd", out=out, recipe=recipe, patients=Patients(*asked))

    record = run(("trained-1", "trained-0"), ("trained-2",))
    assert record.config["patients"] == {"forget": ["trained-0", "trained-1"], "gone": ["trained-2"]}
    assert record.rows == {"forget": 4, "retain": 10}
    assert run(("trained-0", "trained-1"), ("trained-2",)) == record  # the order in which they are named is none
    with pytest.raises(UserError, match=r"patients\.gone"):
        run(("trained-0", "trained-1"))
    refused = tmp_path / "refused"
    with pytest.raises(UserError, match="Unknown forget patient"):
        run(("nobody",), out=refused)
    assert not refused.exists()
    assert json.loads((tmp_path / "run" / "config.canonical.json").read_text())["patients"]["gone"] == ["trained-2"]
