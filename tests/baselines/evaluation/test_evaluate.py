"""One evaluation: its record, what it keeps, what it refuses; the harness itself is tested beside the tasks."""

import json

import pytest

from baselines.evaluation import evaluate as module
from baselines.run.folder_lock import alone
from mllmu_med_dataset.errors import UserError
from tests.asking import evaluate


@pytest.fixture
def asked(monkeypatch):
    """What the harness is called with; it answers by an empty folder."""
    calls = []

    def run(model, scenario, *, out, **options):
        calls.append({"model": model, "scenario": scenario, **options})
        out.mkdir()

    monkeypatch.setattr(module.harness, "run", run)
    return calls


def usual(data_dir, out, **options):
    return {"model": "nano", "data_dir": data_dir, "scenario": "privacy", "out": out, **options}


def test_a_finished_evaluation_is_kept_and_another_is_refused(asked, data_dir, tmp_path):
    options = usual(data_dir, tmp_path / "e", views=True, percent=5)
    first = evaluate(**options)
    assert evaluate(**options) == {**first, "kept": True} and len(asked) == 1
    assert (first["views"], first["percent"], first["limit"], first["backend"]) == (True, 5, None, "hf")
    for changed in ({"views": False}, {"percent": 10}, {"limit": 3}, {"max_retain": 2}, {"model_args": {"a": "1"}}):
        with pytest.raises(UserError, match=f"other settings \\({next(iter(changed))}\\)"):
            evaluate(**{**options, **changed})


def test_a_cache_is_named_by_the_digest_of_model_and_adapter(asked, data_dir, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"r": 4}))
    names = set()
    for number, peft in enumerate((None, adapter)):
        record = evaluate(**usual(data_dir, tmp_path / str(number), cache=tmp_path / "cache", peft=peft))
        names.add(asked[-1]["cache"].name)
        assert asked[-1]["cache"] == tmp_path / "cache" / f"{record['model_digest']}-hf.db"
    (adapter / "adapter_config.json").write_text(json.dumps({"r": 8}))
    evaluate(**usual(data_dir, tmp_path / "2", cache=tmp_path / "cache", peft=adapter))
    names.add(asked[-1]["cache"].name)
    assert len(names) == 3


def test_a_served_model_is_named_by_its_address_and_not_cached(asked, data_dir, tmp_path):
    served = {"model": "m", "backend": "served"}
    one = evaluate(**usual(data_dir, tmp_path / "1", **served, base_url="http://a/v1"))
    other = evaluate(**usual(data_dir, tmp_path / "2", **served, base_url="http://b/v1"))
    assert one["model_digest"] != other["model_digest"] and asked[0]["model"] == "m"
    with pytest.raises(UserError, match="not cached"):
        evaluate(**usual(data_dir, tmp_path / "3", **served, base_url="http://a/v1", cache=tmp_path))
    with pytest.raises(UserError, match="Did you mean 'served'"):
        evaluate(**usual(data_dir, tmp_path / "4", backend="serve"))
    assert not (tmp_path / "3").exists()


def test_a_second_process_is_refused_and_what_a_killed_one_left_is_cleared(asked, data_dir, tmp_path):
    left = tmp_path / ".e.partial" / "e"
    left.mkdir(parents=True)
    (left / "half.jsonl").touch()
    options = usual(data_dir, tmp_path / "e")
    with alone(left.parent), pytest.raises(UserError, match=r"Another process is at work in '.*/e'"):
        evaluate(**options)
    assert not asked and (left / "half.jsonl").exists()
    evaluate(**options)
    assert [path.name for path in tmp_path.iterdir()] == ["e"]
    assert [path.name for path in (tmp_path / "e").iterdir()] == ["evaluation.json"]
