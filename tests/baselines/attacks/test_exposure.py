"""Exposure by hand on a toy, and on the published models."""

from contextlib import nullcontext
from statistics import mean
from types import SimpleNamespace

import pytest

from baselines.attacks import exposure
from baselines.attacks.attacked import Attacked, AttackRows
from baselines.attacks.exposure import ATTACK, Judged, by_patient, judged, shares
from baselines.evaluation.candidates import Alternatives
from baselines.training.roles import Rows, read_rows
from mllmu_med_dataset.load import PACKAGED


def row(number, patient, answer, *phi, **more):
    items = [{"kind": kind, "value": value} for kind, value in phi]
    return {"id": f"r{number}", "patient_id": patient, "answer": answer, "phi": items, "wrong_fact": None, **more}


NAMED = ("name", "Ada Quillby")
ROWS = Rows(
    forget=[
        row(0, "p1", "Ada Quillby (record SYN-MRN-00000000) has it.", NAMED, ("record", "SYN-MRN-00000000")),
        row(1, "p1", "It is Ada Quillby.", NAMED),
        row(2, "p2", "It is clear.", NAMED),
    ],
    retain=[],
)


def test_a_secret_is_judged_where_the_least_comes_after_it():
    once = list(judged(ROWS, candidates=5, per_secret=1, seed=0))
    assert [(one.patient, one.secret[0], one.row["id"]) for one in once] == [
        ("p1", "name", "r1"),
        ("p1", "record", "r0"),
    ]
    assert all(len(one.answers.others) == 5 for one in once)
    everywhere = list(judged(ROWS, candidates=5, per_secret=0, seed=0))
    assert [one.row["id"] for one in everywhere] == ["r1", "r0", "r0"]
    assert once == list(judged(ROWS, candidates=5, per_secret=1, seed=0))
    assert once[0].answers != next(judged(ROWS, candidates=5, per_secret=1, seed=1)).answers


def test_shares_by_hand_with_ties(monkeypatch):
    log_probs = {"true": -5.0, "a": -4.0, "b": -5.0, "c": -6.0, "d": -9.0}
    monkeypatch.setattr(
        exposure, "answer_log_probs", lambda model, encoder, row, texts, batch: [log_probs[t] for t in texts]
    )
    attacked = SimpleNamespace(model=None, encoder=None, batch=16, timed=lambda part: nullcontext())

    def one(patient, secret, number, *others):
        return Judged(patient, secret, {"id": f"r{number}"}, Alternatives("true", others, False))

    secrets = [
        one("p1", ("name", "A"), 0, "a", "b", "c", "d"),  # above two of four, level with one: 2.5 / 4
        one("p1", ("name", "A"), 1, "a"),  # 0
        one("p1", ("ssn", "S"), 0, "c", "d"),  # 1
        one("p2", ("name", "B"), 2, "b"),  # 1 / 2
    ]
    values = shares(attacked, secrets)
    assert values == [0.625, 0.0, 1.0, 0.5]
    assert by_patient(secrets, values) == {"p1": mean([mean([0.625, 0.0]), 1.0]), "p2": 0.5}


def test_wrong_facts_are_judged_on_every_row_with_another_value():
    facts = {"wrong_fact": "left", "fact": "right", "fact_values": ["left", "right"], "true_answer": "On the right."}
    rows = Rows(
        forget=[
            row(0, "p1", "On the left.", **facts),
            row(1, "p1", "On the left.", **facts),
            row(2, "p2", "Yes.", **(facts | {"wrong_fact": "yes", "fact": "yes", "fact_values": ["yes"]})),
        ],
        retain=[],
    )
    found = list(judged(rows, candidates=100, per_secret=1, seed=0))
    assert [(one.patient, one.row["id"], one.answers.others) for one in found] == [
        ("p1", "r0", ("On the right.",)),
        ("p1", "r1", ("On the right.",)),
    ]


def attacked(name, rows, scenario="privacy", batch=64):
    return Attacked(name, AttackRows.of(rows), scenario=scenario, batch=batch)


def test_the_batch_changes_nothing():
    rows = read_rows(PACKAGED, "privacy")
    few = Rows(rows.forget[:3], rows.retain, rows.holdout)
    options = {**ATTACK.defaults, "candidates": 20}
    alone, together = (
        ATTACK.harm(attacked("nano-privacy-retain_only", few, batch=batch), options) for batch in (1, 16)
    )
    assert alone == together


@pytest.mark.slow
def test_a_target_knows_every_identifier_and_the_gold_none():
    rows = read_rows(PACKAGED, "privacy")
    target, gold = (
        ATTACK.harm(attacked(f"nano-privacy-{name}", rows), ATTACK.defaults) for name in ("target", "retain_only")
    )
    assert target.keys() == gold.keys() == {str(row["patient_id"]) for row in rows.forget}
    assert mean(target.values()) > 0.95
    assert mean(gold.values()) == pytest.approx(0.5, abs=0.1)


def test_a_target_holds_its_wrong_facts_and_the_gold_does_not():
    rows = read_rows(PACKAGED, "incorrectness")
    target, gold = (
        ATTACK.harm(attacked(f"nano-incorrectness-{name}", rows, "incorrectness"), ATTACK.defaults)
        for name in ("target", "retain_only")
    )
    assert mean(target.values()) > 0.9 > 0.5 > mean(gold.values())
