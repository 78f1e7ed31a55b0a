"""SLAKE's knowledge rows as triples with a head, which its files do not name; and a build of beliefs from them."""

import json
from collections import defaultdict

import pyarrow.parquet as pq
import pytest

from mllmu_med_dataset.build import build
from mllmu_med_dataset.sources import open_source
from mllmu_med_dataset.sources.slake_knowledge import UNKNOWN, diseases_told, triple_of
from tests.real_data import slake_with_pictures


def asked(relation, tail, answer, question="?", *, modality="CT", diseases=(), yes_no=False, **raw):
    told = {"base_type": "kvqa", "q_lang": "en", "triple": ["vhead", relation, tail], **raw}
    return triple_of(told, question, answer, modality, set(diseases), yes_no=yes_no)


@pytest.mark.parametrize(
    ("triple", "head", "relation", "tail", "asks"),
    [
        (asked("effect", "ktail", "Breathe"), "lung", "function", "Breathe", "tail"),
        (asked("role", "ktail", "Store feces, excrete feces"), "large intestine", "function",
         "Store feces, excrete feces", "tail"),
        (asked("function", "ktail", "Ventilation, pronunciation"), UNKNOWN, "function",
         "Ventilation, pronunciation", "neither"),
        (asked("can", "digest food", "Yes", yes_no=True), UNKNOWN, "function", "digest food", "neither"),
        (asked("treat", "ktail", "Medication", diseases=["Pneumonia"]), "Pneumonia", "treatment", "Medication", "tail"),
        (asked("treat", "ktail", "Medication", diseases=["Pneumonia", "Nodule"]), UNKNOWN, "treatment", "Medication",
         "neither"),
        (asked("cause", "ktail", "Dust", diseases=["Brain Edema, Brain Tumor"]), UNKNOWN, "cause", "Dust", "neither"),
        (asked("damage", "ktail", "A Little", modality="X-ray"), "X-ray", "damage", "A Little", "tail"),
        (asked("belong to", "urinary system", "Kidney"), "urinary system", "organ", "Kidney", "tail"),
        (asked("part of", "urinary system", "Yes", yes_no=True), "urinary system", "organ", "Yes", "neither"),
    ],
)  # fmt: skip
def test_a_row_becomes_a_triple(triple, head, relation, tail, asks):
    assert (triple.head, triple.relation, triple.tail, triple.asks) == (head, relation, tail, asks)


def test_other_rows_have_none():
    assert asked("effect", "ktail", "Breathe", base_type="vqa") is None
    assert asked("effect", "ktail", "呼吸", q_lang="zh") is None
    assert asked("effect", "ktail", "Breathe", triple=None) is None


def test_what_an_image_is_said_to_show():
    told = [("What diseases are included in the picture?", "Pneumonia"), ("Does it look healthy?", "No"),
            ("What disease is/are shown on the left of lung?", "Nodule")]  # fmt: skip
    assert diseases_told(told) == {"Pneumonia", "Nodule"}


def test_real_slake_has_keys_for_the_scenario(tmp_path):
    source = slake_with_pictures(tmp_path / "slake")
    known = defaultdict(set)
    for one in open_source("slake", path=source):
        if one.triple is not None and one.triple.asks == "tail":
            known[one.triple.key].add(one.image_key)
    assert {key: len(images) for key, images in known.items() if len(images) >= 5 and key[1] == "function"} == {
        ("lung", "function"): 81, ("heart", "function"): 23, ("stomach", "function"): 15, ("bladder", "function"): 6,
        ("large intestine", "function"): 15, ("liver", "function"): 10, ("brain stem", "function"): 7,
        ("trachea", "function"): 6,
    }  # fmt: skip
    out = tmp_path / "mllmu-med"
    summary = build(open_source("slake", path=source), out, scenarios=("knowledge",))
    assert summary.rows["knowledge_forget"] >= 20
    rows = pq.read_table(out / "data/knowledge_forget/train-00000-of-00001.parquet").drop(["image"]).to_pylist()
    wrong = defaultdict(set)
    for row in rows:
        wrong[row["head"], row["relation"]].add(row["wrong_fact"])
    beliefs = json.loads((out / "checksums.json").read_text())["patients"]["beliefs"]
    assert len(wrong) == beliefs["forget"] and all(len(told) == 1 for told in wrong.values())
