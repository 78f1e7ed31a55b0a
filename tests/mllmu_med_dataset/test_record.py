"""The one definition of a field."""

import json

import pytest
from pydantic import ValidationError

from mllmu_med_dataset import record as definition

from .conftest import record


def test_the_schema_file_is_the_schema_of_a_row():
    assert json.loads(definition.SCHEMA_PATH.read_text(encoding="utf-8")) == definition.json_schema()


def test_features_have_the_columns_of_a_row_in_order():
    assert tuple(definition.features()) == definition.COLUMNS
    assert tuple(definition.features("knowledge")) == tuple(definition.Row.model_fields)
    assert set(definition.Row.model_fields) - set(definition.COLUMNS) == {"head", "relation", "tail"}


def test_text_is_normalised_on_the_way_in():
    messy = record(answer="Transverse \n Plane", fact=" Plane ", fact_values=("Plane", " Plane", "", "A  B"))
    assert (messy.answer, messy.fact, messy.fact_values) == ("Transverse Plane", "Plane", ("Plane", "A B"))
    assert definition.clean_text("e\u0301") == "\u00e9"


def test_a_record_refuses_unknown_fields_and_question_types():
    with pytest.raises(ValidationError):
        record(colour="red")
    with pytest.raises(ValidationError):
        record(question_type="position", answer_type="open")


def test_an_image_key_tells_shapes_of_the_same_bytes_apart():
    from PIL import Image

    wide, high = Image.new("RGB", (4, 2)), Image.new("RGB", (2, 4))
    assert wide.tobytes() == high.tobytes()
    assert definition.image_key(wide) != definition.image_key(high)


@pytest.mark.parametrize(
    "column", ["question", "answer", "true_answer", "source_id", "image_id", "forget_percent", "view"]
)
def test_every_distinguishing_field_changes_the_id(column):
    fields = dict.fromkeys(definition.COLUMNS, "x")
    assert definition.row_id(fields) != definition.row_id({**fields, column: "y"})
    assert definition.row_id(fields) == definition.row_id({**fields, "paraphrase_questions": ["y"]})
