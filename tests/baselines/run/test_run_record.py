import pytest

from baselines.run.run_record import RunRecord, run_id, versions, versions_of
from mllmu_med_dataset.record import canonical_json


def test_the_canonical_text_does_not_depend_on_order():
    assert canonical_json({"b": 1, "a": [1.5, None]}) == canonical_json({"a": [1.5, None], "b": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": float("nan")})


def test_run_ids_differ_where_anything_that_decides_does():
    same = ("gd", "owner/model", "privacy", 5, 0)
    assert run_id(*same, {"rate": 1e-4}) == run_id(*same, {"rate": 1e-4}) != run_id(*same, {"rate": 2e-4})
    assert run_id(*same, {}).startswith("gd-owner--model-privacy-05-0-")


def test_the_processor_is_named_with_its_instructions_and_threads():
    known = versions()
    assert all(known[name] for name in ("torch", "processor", "cpu_capability")) and int(known["threads"]) >= 1


def test_what_runs_were_made_with_is_named_once_and_each_other_value_beside_it():
    made = [RunRecord.model_construct(versions=each) for each in ({"a": "1", "b": "2"}, {"a": "1", "b": "3"})]
    assert versions_of([*made, None, made[0]]) == {"a": "1", "b": "2, 3"}
