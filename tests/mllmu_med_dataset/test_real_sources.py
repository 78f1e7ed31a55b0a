"""The published VQA-RAD and SLAKE, where they are: which rows can take a wrong fact, and what it is."""

import json
from collections import Counter
from pathlib import Path

import pytest

from mllmu_med_dataset.kinds import kinds_of
from mllmu_med_dataset.sources import slake
from mllmu_med_dataset.sources.answers import Answers

SHARED = Path(__file__).parents[3] / "shared" / "data"
needs_slake = pytest.mark.skipif(not (SHARED / "slake").is_dir(), reason="../shared/data has no SLAKE")


def told(language):
    """Return question, relation and what a record would say of its fact, for every row of a language."""
    raws = [
        (raw, f"{name}.json, row {place}")
        for name in ("train", "validate", "test")
        for place, raw in enumerate(json.loads((SHARED / "slake" / f"{name}.json").read_text(encoding="utf-8")))
    ]
    rows = [slake._row(raw, where) for raw, where in raws if raw["q_lang"] == language and str(raw["answer"]).strip()]
    answers = Answers()
    for row in rows:
        answers.add(slake._item(row))
    return [(row, answers.fields(slake._item(row))) for row in rows]


@needs_slake
@pytest.mark.parametrize("language", ["en", "zh"])
def test_slake_takes_errors_of_the_facts_kind_from_its_pools(language):
    found = told(language)
    pools = Counter(fields["error_pool"] for _, fields in found)
    assert pools["yes_no"] > 2_300 and pools["choices"] > 350 and pools["same_question"] > 1_800
    assert pools[None] < 0.17 * len(found)
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
