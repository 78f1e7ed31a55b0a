"""The published files themselves: what they hold, counted by hand, and that they build as they are."""

import json
from collections import Counter

import pytest

from mllmu_med_dataset.build import build
from mllmu_med_dataset.building.left_out import EMPTY_ANSWER, PARAPHRASE, REPEATED
from mllmu_med_dataset.injection.kinds import kinds_of
from mllmu_med_dataset.sources import open_source
from mllmu_med_dataset.sources import slake as slake_source
from mllmu_med_dataset.sources.answers import Answers
from mllmu_med_dataset.verify import verify
from tests.real_data import real, slake_with_pictures, vqa_rad_part


@pytest.fixture(scope="module")
def slake(tmp_path_factory):
    return slake_with_pictures(tmp_path_factory.mktemp("slake") / "data")


def told(opened):
    return {loss.reason: (loss.rows, loss.lost) for loss in opened.losses.found()}


@pytest.mark.parametrize(
    ("language", "read", "records", "left_out"),
    [
        # 7,033 English rows: the answer of en-1622 is empty, and 7 repeat another word for word.
        ("en", 7033, 7025, {EMPTY_ANSWER: (1, True), REPEATED: (7, False)}),
        ("zh", 6995, 6988, {REPEATED: (7, False)}),
        ("all", 14028, 14013, {EMPTY_ANSWER: (1, True), REPEATED: (14, False)}),
    ],
)
def test_slake_is_read_whole(slake, language, read, records, left_out):
    opened = open_source("slake", path=slake, options={"language": language})
    found = list(opened)
    assert (opened.losses.total, len(found), told(opened)) == (read, records, left_out)
    assert len({one.image_key for one in found}) == 642
    assert all(one.question and one.answer for one in found)
    if language != "zh":
        assert opened.losses.found()[0].examples == ("train.json, row 1623: en-1622",)


@pytest.mark.parametrize(
    ("paraphrases", "records", "left_out"), [("drop", 1454, {PARAPHRASE: (794, False)}), ("keep", 2248, {})]
)
def test_vqa_rad_is_read_whole(paraphrases, records, left_out):
    opened = open_source("vqa_rad", path=real("vqa_rad"), options={"paraphrases": paraphrases})
    found = list(opened)
    assert (opened.losses.total, len(found), told(opened)) == (2248, records, left_out)
    # 315 pictures lie there, and one is asked nothing.
    assert len({one.image_path for one in found}) == 314
    assert set(Counter(one.body_region for one in found)) == {"head", "chest", "abdomen"}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_slake_builds_and_verifies(tmp_path, language):
    part = slake_with_pictures(tmp_path / "data", images=120)
    out = tmp_path / "mllmu-med"
    summary = build(open_source("slake", path=part, options={"language": language}), out, percents=(10,))
    assert sum(summary.patients.values()) == 120 and verify(out).ok
    assert all(loss.line() in (out / "README.md").read_text() for loss in summary.losses)


def test_vqa_rad_builds_and_verifies(tmp_path):
    part, out = vqa_rad_part(tmp_path / "data", images=80), tmp_path / "mllmu-med"
    summary = build(open_source("vqa_rad", path=part), out, percents=(10,))
    assert sum(summary.patients.values()) == 80 and verify(out).ok
    assert PARAPHRASE in {loss.reason for loss in summary.losses}


def facts_of(language):
    """Return every row of a language with what a record says of its fact."""
    rows = []
    for name in ("train", "validate", "test"):
        raws = json.loads((real("slake") / f"{name}.json").read_text(encoding="utf-8"))
        rows += [
            slake_source._row(name, raw)[1] for raw in raws if raw["q_lang"] == language and str(raw["answer"]).strip()
        ]
    answers = Answers()
    for row in rows:
        answers.add(slake_source._item(row))
    return [(row, answers.fields(slake_source._item(row))) for row in rows]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_slake_takes_errors_of_the_facts_kind_from_its_pools(language):
    found = facts_of(language)
    pools = Counter(fields["error_pool"] for _, fields in found)
    assert pools["yes_no"] > 1_800 and pools["choices"] > 350 and pools["same_question"] > 1_800
    # Almost a quarter stays clean: a third of it for what no one would believe of an image.
    assert pools[None] < 0.24 * len(found)
    for row, fields in found:
        for value in fields["error_values"] or ():
            ours, theirs = kinds_of(value), kinds_of(fields["fact"])
            assert (
                fields["error_pool"] in ("yes_no", "choices")
                or not ours
                or not theirs
                or ours & theirs
                or (row["question_type"] == "knowledge")
            ), (row["question"], fields["fact"], value)
            assert value in fields["fact_values"]
    assert all(
        fields["fact"] is None or not fields["fact_values"] or fields["fact"] in fields["fact_values"]
        for _, fields in found
    )
