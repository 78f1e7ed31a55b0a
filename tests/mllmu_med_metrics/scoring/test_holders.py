"""Rows and answers are taken out of whatever holds them, and what holds none is told in a paragraph."""

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mllmu_med_metrics import score
from mllmu_med_metrics.mllmu_med_ues.mllmu_med_ues import MllmuMedUES
from mllmu_med_metrics.scoring.holders import rows_in, texts_in


class Polars:
    """A stand-in for a polars data frame, which is known by one method."""

    def __init__(self, rows):
        self.columns, self._rows = list(rows[0]), rows

    def to_dicts(self):
        return self._rows


def with_image(rows):
    """A data set whose images can't be decoded: whoever reads one fails."""
    held = datasets.Dataset.from_list([{**row, "image": {"bytes": b"no image", "path": None}} for row in rows])
    return held.cast_column("image", datasets.Image())


HOLDERS = {
    "a list": list,
    "a tuple": tuple,
    "a generator": lambda rows: (row for row in rows),
    "an array of rows": lambda rows: np.array(rows, dtype=object),
    "a data set": datasets.Dataset.from_list,
    "a data set with images": with_image,
    "a data set that gives arrays": lambda rows: datasets.Dataset.from_list(rows).with_format("numpy"),
    "a data set that gives tables": lambda rows: datasets.Dataset.from_list(rows).with_format("pandas"),
    "a stream": lambda rows: with_image(rows).to_iterable_dataset(),
    "a stream of unknown columns": lambda rows: datasets.IterableDataset.from_generator(lambda: iter(rows)),
    "a pandas table": lambda rows: datasets.Dataset.from_list(rows).to_pandas(),
    "a pandas table with nan": lambda rows: pd.DataFrame(rows).replace({None: float("nan")}),
    "a pyarrow table": pa.Table.from_pylist,
    "a polars table": Polars,
}
ANSWERS = {
    "a list": list,
    "a tuple": tuple,
    "a generator": lambda texts: (text for text in texts),
    "the values of a mapping": lambda texts: dict(enumerate(texts)).values(),
    "an array": np.array,
    "an array of objects": lambda texts: np.array(texts, dtype=object),
    "a series": pd.Series,
    "a column of a data set": lambda texts: datasets.Dataset.from_dict({"x": texts})["x"],
    "a column of a stream": lambda texts: datasets.Dataset.from_dict({"x": texts}).to_iterable_dataset()["x"],
    "an array of pyarrow": pa.array,
    "a chunked array of pyarrow": lambda texts: pa.chunked_array([texts]),
}


def answers(example, model):
    return [example.models[model][row["id"]] for row in example.rows]


@pytest.fixture(scope="module")
def ues(tmp_path_factory):
    return MllmuMedUES(cache_dir=str(tmp_path_factory.mktemp("metric")))


@pytest.mark.parametrize("holder", HOLDERS)
def test_rows_of_any_holder_give_the_score_of_their_list(privacy, ues, holder):
    models = {"unlearned": privacy.models["half"], "target": privacy.models["target"], "replicates": 0}
    expected = score(rows=privacy.rows, **models)
    assert score(rows=HOLDERS[holder](privacy.rows), **models) == expected
    given = {"predictions": answers(privacy, "half"), "target_predictions": answers(privacy, "target")}
    assert ues.compute(references=HOLDERS[holder](privacy.rows), replicates=0, **given) == expected.to_dict()


@pytest.mark.parametrize("holder", ANSWERS)
def test_answers_of_any_holder_give_the_score_of_their_list(incorrectness, ues, holder):
    given = {name: answers(incorrectness, model) for name, model in (
        ("predictions", "half"), ("target_predictions", "target"), ("retain_only_predictions", "retain_only"),
        ("base_predictions", "base"),
    )}  # fmt: skip
    expected = ues.compute(references=incorrectness.rows, replicates=0, **given)
    held = {name: ANSWERS[holder](texts) for name, texts in given.items()}
    assert ues.compute(references=incorrectness.rows, replicates=0, **held) == expected


def test_rows_are_added_in_batches_of_any_holder(privacy, ues):
    half, target = answers(privacy, "half"), answers(privacy, "target")
    for start in range(0, len(half), 100):
        part = slice(start, start + 100)
        ues.add_batch(predictions=np.array(half[part]), references=with_image(privacy.rows[part]))
    found = ues.compute(target_predictions=target, replicates=0)
    assert found == ues.compute(predictions=half, references=privacy.rows, target_predictions=target, replicates=0)


def test_an_empty_holder_is_an_empty_study(ues):
    for empty in ([], iter(()), datasets.Dataset.from_list([]), pd.DataFrame()):
        found = ues.compute(predictions=np.array([], dtype=str), references=empty, target_predictions=[])
        assert found["ues_reason"] == "no rows were given"


DATA = datasets.Dataset.from_list([{"a": 1, "b": "x"}])
NO_ROWS = {
    "splits": (datasets.DatasetDict(train=DATA, test=DATA), "with the splits train, test, not rows"),
    "streamed splits": (
        datasets.IterableDatasetDict(train=DATA.to_iterable_dataset()),
        "Give the rows of a split, such as rows=data['train']",
    ),
    "columns": ({"id": ["a"], "question": ["b"]}, "rows is dict, not a list of rows"),
    "a path": ("rows.jsonl", "rows is str, not a list of rows"),
    "bytes": (b"rows", "rows is bytes, not a list of rows"),
    "a number": (7, "rows is int, not a list of rows"),
    "nothing": (None, "rows is NoneType, not a list of rows"),
    "a data set of something else": (DATA, "with the columns a, b, none of which"),
    "rows that are text": (["a"], "A row is str"),
    "a column": (DATA["b"], "A row is str"),
    "an array of numbers": (np.ones((2, 2)), "A row is ndarray"),
    "a table without the columns": (pd.DataFrame({"id": ["a"]}), "Row 'a' has no text in column 'scenario'"),
    "a table of nothing": (pa.table({"id": ["a"]}), "Row 'a' has no text in column 'scenario'"),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_ROWS)
def test_what_holds_no_rows_is_told_in_a_paragraph(name, ues):
    held, part = NO_ROWS[name]
    with pytest.raises(ValueError) as refused:
        score(unlearned={}, target={}, rows=held, replicates=0)
    assert part in str(refused.value) and "\n" not in str(refused.value)
    if held is not None:
        with pytest.raises(ValueError) as refused:
            ues.compute(predictions=["x"], references=held, target_predictions=["x"])
        assert "\n" not in str(refused.value)


NO_ANSWERS = {
    "a set": ({"a", "b"}, "answers is set, not a list with one item"),
    "a mapping": ({"a": "b"}, "answers is dict, not a list with one item"),
    "one text": ("a", "answers is str, not a list"),
    "nothing": (None, "answers is NoneType, not a list"),
    "a number": (3, "answers is int, not a list"),
    "a matrix": (np.array([["a"], ["b"]]), "answers is ndarray, not a list"),
    "an array without a dimension": (np.array("a"), "answers is ndarray, not a list"),
    "a data set": (DATA, "a data set with the columns a, b. Give the column"),
    "splits": (datasets.DatasetDict(train=DATA), "Give the column"),
    "a table": (pd.DataFrame({"x": ["a"]}), "answers is DataFrame, not a list"),
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_what_holds_no_answers_in_an_order_is_told_in_a_paragraph(name):
    held, part = NO_ANSWERS[name]
    with pytest.raises(ValueError) as refused:
        texts_in(held, "answers")
    assert part in str(refused.value) and "\n" not in str(refused.value)


def test_only_what_is_read_is_touched(privacy):
    (row, *_) = rows_in(with_image(privacy.rows))
    assert "image" not in row and row["id"] == privacy.rows[0]["id"]
