"""What one row must be: the quick checks say the same as the slow ones they stand for."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mllmu_med_dataset.injection.injected_rows import row
from mllmu_med_dataset.injection.sentence_templates import find_value
from mllmu_med_dataset.record import COLUMNS, SCHEMA_PATH, features, json_form
from mllmu_med_dataset.verify.row_rules import Table, says, schema_failures
from mllmu_med_metrics.vocabulary import QUESTION_TYPES

from .conftest import record

SCHEMA = Draft202012Validator(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [*QUESTION_TYPES, "OPEN", "CLOSED", "privacy", "forget", "paraphrase", "minor", "", "p-0123456789ab"]
    ),
    st.from_regex(r"[0-9a-f]{15,17}", fullmatch=True),
)
TAGGED = st.lists(st.fixed_dictionaries({"kind": TEXTS | st.none(), "value": TEXTS | st.none()}), max_size=2)
# What a column of each Parquet type can hold.
VALUES = {
    "image": st.none() | st.fixed_dictionaries({"bytes": st.none() | st.binary(max_size=8), "path": st.none() | TEXTS}),
    "phi": TAGGED,
    "distractors": TAGGED,
    "forget_percent": st.none() | st.integers(-(2**31), 2**31 - 1) | st.integers(-1, 51),
    "redistributable": st.none() | st.booleans(),
} | dict.fromkeys(
    ("fact_values", "paraphrase_questions", "paraphrase_answers", "wrong_answers"),
    st.none() | st.lists(TEXTS | st.none(), max_size=3),
)


def good_row():
    made = row(record(), "privacy", "test", 0)
    return {**made, "image": {"bytes": b"any", "path": "x.png"}}


def test_every_column_has_values_of_its_parquet_type():
    assert set(VALUES) == {name for name, kind in features().items() if str(kind) != "Value('string')"}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_row_is_refused_exactly_where_the_json_schema_refuses_it(data):
    changed = data.draw(st.sets(st.sampled_from(COLUMNS), min_size=1, max_size=2))
    made = good_row() | {name: data.draw(VALUES.get(name, TEXTS | st.none()), label=name) for name in sorted(changed)}
    refused = [error.json_path for error in SCHEMA.iter_errors(json_form(made))]
    told = schema_failures(made)
    assert bool(told) == bool(refused)
    assert all(any(line.startswith(path) for line in told) for path in refused)


def test_a_good_row_fits_and_a_row_without_a_column_does_not():
    assert schema_failures(good_row()) == []
    for name in COLUMNS:
        assert schema_failures({key: value for key, value in good_row().items() if key != name})
    assert schema_failures(good_row() | {"more": 1})


def test_a_line_break_after_an_id_is_refused_though_the_pattern_of_the_schema_lets_it_pass():
    assert schema_failures(good_row() | {"id": "0123456789abcdef\n"})


@given(st.text("aB1_- .é", max_size=12), st.text("aB1_- .é", min_size=1, max_size=4))
def test_a_text_says_a_value_where_the_pattern_finds_it(text, value):
    assert says(text, value) == (find_value(text, value) is not None)


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [
        ("The left upper quadrant.", "left upper", True),
        ("The LEFT one", "left", True),
        ("A cleft lip", "left", False),
        ("left-sided", "left", True),
        ("lefts, then left", "left", True),
        ("", "left", False),
    ],
)
def test_whole_words_are_said_whatever_the_case(text, value, said):
    assert says(text, value) is said


@pytest.mark.parametrize(
    ("config", "split", "subset", "percent", "view"),
    [
        ("privacy_forget", "train", "forget", 10, None),
        ("privacy_forget_05", "direct", "forget", 5, "direct"),
        ("incorrectness_retain_85", "train", "retain", 15, None),
        ("privacy_holdout", "test", "holdout", 10, None),
    ],
)
def test_a_table_knows_what_its_name_says(config, split, subset, percent, view):
    table = Table(config, split)
    assert (table.subset, table.percent, table.view) == (subset, percent, view)
    assert table.scenario == config.split("_")[0]
