"""What a page says first names all that is on it, and claims no more of the patients than is so."""

import re

import pytest

from baselines import methods
from baselines.page.about import FORGOTTEN, MODELS, UNTOLD, glossary, introduction
from baselines.study.study import CLEAN, CONTROLS
from mllmu_med_metrics.vocabulary import SCENARIOS


def groups(document):
    return {group.heading: dict(group.names) for group in glossary(document)}


def test_every_scenario_and_model_that_is_no_method_has_its_words():
    assert set(FORGOTTEN) == set(SCENARIOS)
    assert set(MODELS) == {"base", "target", "retain_only", CLEAN, *CONTROLS}


@pytest.mark.parametrize("source", ["phantom", "slake"])
def test_images_are_drawn_where_they_are(page, source):
    [people, learned, _] = introduction({**page.document, "config": {**page.document["config"], "source": source}})
    assert ("drawn" in people) == (source == "phantom") and "made up" in people
    assert "(privacy)" in learned and "(incorrectness)" in learned and "(request)" not in learned


def test_every_row_s_model_is_in_the_glossary(page):
    found = groups(page.document)
    assert {row["model"] for row in page.document["rows"]} <= found["Models"].keys() | found["Methods"].keys()
    assert list(found["Methods"]) == ["ga", "idk", "gd"] and "Attacks" not in found
    assert found["Methods"]["ga"].startswith(methods.get("ga").title)
    shown = re.findall(r"<dt>(\w+)</dt>", page.text.split('id="verdict"')[0])
    assert shown == [*found["Models"], *found["Methods"]]


def test_nano_is_said_to_be_small_and_another_model_is_not(page):
    other = {**page.document, "config": {**page.document["config"], "model": "org/large"}}
    assert "very small" in groups(page.document)["Models"]["nano"]
    assert "small" not in groups(other)["Models"]["org/large"]


def test_attacks_are_titled_once_with_the_name_that_tables_hold(page):
    row = {**page.document["rows"][0], "attacks": dict.fromkeys(["relearn_few_other_options", "prefix", "mine"])}
    found = groups({**page.document, "rows": [row, row]})["Attacks"]
    assert list(found) == ["relearn_few (few)", "prefix", "mine"] and found["mine"] == UNTOLD
