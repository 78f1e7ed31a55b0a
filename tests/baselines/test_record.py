import pytest

from baselines.record import canonical_json, run_id, write_atomically


def test_the_canonical_text_does_not_depend_on_order():
    assert canonical_json({"b": 1, "a": [1.5, None]}) == canonical_json({"a": [1.5, None], "b": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": float("nan")})


def test_run_ids_differ_where_anything_that_decides_does():
    same = ("gd", "owner/model", "privacy", 5, 0)
    assert run_id(*same, {"rate": 1e-4}) == run_id(*same, {"rate": 1e-4}) != run_id(*same, {"rate": 2e-4})
    assert run_id(*same, {}).startswith("gd-owner--model-privacy-05-0-")


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "record.json"
    write_atomically(path, "one")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "two\ud800")
    assert path.read_text() == "one"
