"""Rows shared among processes: the same values, the same complaints, and no process for a few rows."""

import os

import pytest

from mllmu_med_metrics import References, score_stream
from mllmu_med_metrics.pool import Pool, WorkerLostError, cores
from mllmu_med_metrics.scoring import judge, references
from tests.mllmu_med_metrics.conftest import make

MODELS = {"unlearned": "half", "target": "target", "retain_only": "retain_only"}


@pytest.fixture(scope="module")
def answered():
    """Some chunks of rows, each answer a text of its own."""
    study = make("privacy", forget=30, retain=60, test=60, holdout=20)
    models = {name: study.models[said] for name, said in MODELS.items()}
    return [
        (row, {name: f"{said[row['id']]} Slice {number}." for name, said in models.items()})
        for number, row in enumerate(study.rows)
    ]


@pytest.fixture
def shared(monkeypatch):
    """Any row is worth sharing, a few at a time."""
    monkeypatch.setattr(references, "FEWEST_SHARED", 1)
    monkeypatch.setattr(judge, "_CHUNK", 70)


def test_two_processes_find_what_one_finds(answered, shared):
    alone, both = (score_stream(answered, replicates=50, workers=workers) for workers in (1, 2))
    assert both.to_dict() == alone.to_dict()
    assert alone.leak_rate and alone.ues is not None
    study = References(row for row, _ in answered)
    predictions = {row["id"]: answers["unlearned"] for row, answers in answered}
    alone, both = (study.scored(predictions, workers=workers) for workers in (1, 2))
    assert both.row_scores == alone.row_scores and len(alone.row_scores) == len(answered)
    assert (both.secret_harm == alone.secret_harm).all() and alone.secret_harm.any()


def test_processes_complain_of_the_same_row(answered, shared):
    (row, answers), place = answered[-3], len(answered) - 3
    broken = [*answered[:place], (row, {**answers, "target": None}), *answered[place + 1 :]]
    complaints = []
    for workers in (1, 2):
        with pytest.raises(ValueError) as raised:
            score_stream(broken, workers=workers)
        complaints.append(str(raised.value))
    assert complaints[0] == complaints[1] == f"The prediction of target for row '{row['id']}' is NoneType, not text."


def test_few_rows_start_no_process(answered, monkeypatch):
    monkeypatch.setattr(judge, "Pool", None)
    assert len(answered) * len(MODELS) < references.FEWEST_SHARED
    assert score_stream(answered, replicates=0, workers=8).ues is not None


def test_a_killed_worker_is_told():
    with pytest.raises(WorkerLostError, match="A worker process was killed"), Pool(2) as pool:
        list(pool.map(os._exit, [(1, None)]))


def test_a_process_may_use_some_cores():
    assert 1 <= cores() <= (os.cpu_count() or 1)
