"""Phantoms: the picture shows what the facts say, and the seed decides everything."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from mllmu_med_dataset.sources import phantom


@pytest.fixture(scope="module")
def drawn() -> list[phantom.Phantom]:
    return [phantom.draw(phantom.generator("test", number)) for number in range(400)]


def test_the_seed_decides_every_pixel_and_every_record():
    first, again = (list(phantom.records(patients=3, seed=5)) for _ in range(2))
    assert first == again
    assert {r.image_key for r in first}.isdisjoint(r.image_key for r in phantom.records(patients=3, seed=6))


def test_the_number_of_workers_changes_nothing():
    assert list(phantom.records(patients=5, seed=0, workers=2)) == list(phantom.records(patients=5, seed=0))


def test_a_patient_keeps_its_records_whatever_the_number_of_patients():
    assert list(phantom.records(patients=2, seed=0)) == list(phantom.records(patients=5, seed=0))[:8]


def test_every_fact_occurs_and_none_dominates(drawn):
    for kind, facts in phantom.FACTS.items():
        counts = Counter(p.facts[kind] for p in drawn)
        assert set(counts) == set(facts)
        assert max(counts.values()) < 0.62 * len(drawn)


def test_no_two_patients_look_alike(drawn):
    assert len({p.pixels.tobytes() for p in drawn}) == len(drawn)


@pytest.mark.parametrize("position", phantom.FACTS["position"])
def test_lesions_lie_in_the_quadrant_they_are_said_to_lie_in(position, monkeypatch):
    seen: list[tuple[float, float]] = []
    painted = phantom._lesion

    def remember(image, kind, cx, cy, r):
        seen.append((cx, cy))
        return painted(image, kind, cx, cy, r)

    monkeypatch.setattr(phantom, "_lesion", remember)
    side, level = position.split()
    found = 0
    for number in range(200):
        seen.clear()
        p = phantom.draw(phantom.generator("quadrant", number))
        assert len(seen) == {"one": 1, "two": 2, "three": 3}[p.facts["quantity"]]
        if p.facts["position"] == position:
            found += 1
            assert all((cx < 31.5) == (side == "left") and (cy < 31.5) == (level == "upper") for cx, cy in seen)
    assert found > 20


def test_a_lesion_changes_the_picture_where_it_is_drawn_only():
    grey = np.full((64, 64), 0.4, np.float32)
    for kind in phantom.FACTS["abnormality"]:
        changed = np.argwhere(np.abs(phantom._lesion(grey, kind, 20, 40, 3.5) - grey) > 0.01)
        assert len(changed) > 20
        assert np.hypot(changed[:, 1] - 20, changed[:, 0] - 40).max() <= 3.5 + 1.6 + 0.5


def test_records_state_their_fact_in_the_answer():
    for record in phantom.records(patients=30, seed=1):
        assert record.fact in record.answer
        assert record.fact in record.fact_values
        assert record.question in phantom.QUESTIONS[record.question_type]


def test_records_say_what_the_shipped_model_learned_from():
    told = hashlib.sha256()
    for record in phantom.records(patients=200, seed=0):
        told.update(f"{record.source_id}|{record.question}|{record.answer}\n".encode())
    # Moves only with a new model: see baselines/nano/pretrain.py.
    assert told.hexdigest() == "3204845672ab42a5ec36d127df2a87a78edf4c24cc9b32b6391f5e80a0bef199"
