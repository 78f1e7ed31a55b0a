"""The shipped defaults are the winners of the committed sweep, which never saw the reported build."""

import json
from importlib.resources import files

import pytest

from baselines import config, sweep
from baselines.methods import METHODS
from mllmu_med_dataset.load import checksums
from mllmu_med_metrics.vocabulary import STUDIED


@pytest.mark.parametrize("scenario", STUDIED)
@pytest.mark.parametrize("method", METHODS)
def test_a_default_is_its_sweeps_winner(scenario, method):
    won = sweep.winner(sweep.records(), scenario, method)
    recipe = config.unlearn_recipe(method, scenario)
    shipped = recipe.canonical()
    assert {name: (shipped | shipped["options"])[name] for name in won["settings"]} == won["settings"]
    assert shipped == won["recipe"]


def test_the_sweep_ran_on_another_build_than_the_reported_one():
    reported = json.loads((files("baselines") / "results" / "bench-nano.json").read_text(encoding="utf-8"))
    assert reported["dataset_checksum"] == checksums()["dataset_sha256"]
    for run in sweep.records():
        assert run["seed"] != reported["seed"]
        assert run["dataset_checksum"] != reported["dataset_checksum"]


def test_every_point_of_the_grid_was_run():
    runs = sweep.records()
    for scenario in STUDIED:
        for method in METHODS:
            tried = [r["settings"] for r in runs if (r["scenario"], r["method"]) == (scenario, method)]
            assert tried == sweep.settings_of(scenario, method)


def test_the_sweep_is_a_graph_whose_records_keep_the_order_of_the_grid(tmp_path):
    chosen = sweep.Sweep(tmp_path, methods=("gd", "mmunlearner"))
    graph = sweep.plan(chosen)
    tries = [one.id for one in chosen.tries()]
    assert set(tries) <= graph.keys() and graph["records"].needs == tuple(tries)
    assert graph[tries[0]].needs == ("privacy-evaluate-target", "privacy-evaluate-retain_only")
    for one in reversed(chosen.tries()):
        one.record.parent.mkdir(exist_ok=True)
        one.record.write_text(json.dumps({"id": one.id}) + "\n")
    assert graph["records"].run(lambda done, total: None)
    assert [json.loads(line)["id"] for line in (tmp_path / "sweep.jsonl").read_text().splitlines()] == tries
    assert not graph[tries[0]].run(lambda done, total: None)  # what has a record is not run again


def _run(rate: float, ues: float | None, verdict: str = "ok") -> dict[str, object]:
    return {"scenario": "privacy", "method": "ga", "settings": {"learning_rate": rate}, "ues": ues, "verdict": verdict}


def test_of_equal_runs_the_gentler_wins_and_a_collapsed_one_never():
    runs = [_run(1e-4, 0.5), _run(2e-4, 0.895), _run(4e-4, 0.9), _run(8e-4, 0.99, "collapsed"), _run(1e-3, None)]
    assert sweep.winner(runs, "privacy", "ga")["settings"]["learning_rate"] == 2e-4


def test_where_every_run_collapsed_the_highest_score_wins_and_keeps_its_verdict():
    runs = [_run(1e-4, 0.0, "no-effect"), _run(2e-4, 0.4, "collapsed"), _run(4e-4, 0.3, "collapsed")]
    won = sweep.winner(runs, "privacy", "ga")
    assert (won["settings"]["learning_rate"], won["verdict"]) == (2e-4, "collapsed")


def test_no_run_with_a_score_is_an_error():
    with pytest.raises(ValueError, match="no run of ga in privacy"):
        sweep.winner([_run(1e-4, None, "diverged")], "privacy", "ga")
