"""The shipped defaults are the winners of the committed sweep, which never saw the reported build."""

import json
from importlib.resources import files

import pytest

from baselines import config, sweep
from baselines.methods import METHODS
from baselines.study.study import METHODS as BENCH
from mllmu_med_metrics.vocabulary import STUDIED

EVERY = [(scenario, method) for scenario in STUDIED for method in METHODS]
STOPPED = [one for one, grid in sweep.GRIDS.items() if grid.swept == "stop_at"]
INSIDE = [(scenario, method) for scenario, method in sweep.GRIDS if scenario not in STUDIED]
CHOSEN = [one for one in dict.fromkeys((*EVERY, *sweep.GRIDS)) if one not in sweep.UNSWEPT]
SWEPT = pytest.mark.parametrize(("scenario", "method"), CHOSEN)


@SWEPT
def test_a_default_is_its_sweeps_winner(scenario, method):
    won = sweep.winner(sweep.records(), scenario, method)
    recipe = config.unlearn_recipe(method, scenario)
    shipped = recipe.canonical()
    assert {name: (shipped | shipped["options"])[name] for name in won.settings} == won.settings
    assert shipped == won.recipe


def test_the_sweep_ran_on_another_build_than_the_reported_one():
    reported = json.loads((files("baselines") / "results" / "bench-nano.json").read_text(encoding="utf-8"))
    for run in sweep.records():
        assert run["seed"] != reported["seed"]
        assert run["dataset_checksum"] != reported["dataset_checksum"]


@SWEPT
def test_every_point_of_the_grid_was_run_from_every_target_and_seed(scenario, method):
    mine = [r for r in sweep.records() if (r["scenario"], r["method"]) == (scenario, method)]
    grids = {}
    for run in mine:
        grids.setdefault((run["seed"], run["unlearning_seed"]), []).append(run["settings"])
    assert all(tried == sweep.settings_of(scenario, method) for tried in grids.values())
    assert len({seed for seed, _ in grids}) >= (2 if method in BENCH else 1)
    assert len({seed for _, seed in grids}) >= (2 if (scenario, method) in STOPPED else 1)


def test_a_recipe_that_no_sweep_chose_stands_in_the_grid_that_a_sweep_would_try():
    assert (
        set(EVERY) >= sweep.UNSWEPT
        and not {(run["scenario"], run["method"]) for run in sweep.records()} & sweep.UNSWEPT
    )
    for scenario, method in sweep.UNSWEPT:
        shipped = config.unlearn_recipe(method, scenario).canonical()
        grid = sweep.settings_of(scenario, method)
        assert any(one.items() <= (shipped | shipped["options"]).items() for one in grid)


@pytest.mark.parametrize(("scenario", "method"), INSIDE)
def test_outside_the_default_bench_no_winner_is_an_edge_of_its_grid(scenario, method):
    assert not sweep.at_edge(sweep.records(), scenario, method)


def test_where_a_stop_is_swept_the_rule_and_not_the_plan_ended_the_winners_runs():
    for scenario, method in STOPPED:
        won = sweep.winner(sweep.records(), scenario, method)
        runs = [r for r in sweep.records() if (r["scenario"], r["method"]) == (scenario, method)]
        assert all(run["stop_step"] == run["steps"] for run in runs if run["settings"] == won.settings)


def test_the_sweep_is_a_graph_whose_records_keep_the_order_of_the_grid(tmp_path, monkeypatch):
    chosen = sweep.Sweep(tmp_path, methods=("gd", "mmunlearner"))
    graph = sweep.plan(chosen)
    tries = [one.id for one in chosen.tries()]
    assert set(tries) <= graph.keys() and graph["records"].needs == tuple(tries)
    first = chosen.tries()[0]
    assert (first.study.seed, first.unlearning_seed) == (1, 0)
    assert graph[first.id].needs == ("1-privacy-evaluate-target", "1-privacy-evaluate-retain_only")
    assert graph["4-privacy-target"].needs == ("4-build",)
    monkeypatch.setattr(sweep, "_record", lambda one: {"id": one.id})
    tmp_path.joinpath("sweep.jsonl").write_text("of an older score")
    assert graph["records"].run(lambda done, total: None)
    assert [json.loads(line)["id"] for line in (tmp_path / "sweep.jsonl").read_text().splitlines()] == tries


def test_what_was_asked_and_has_dropped_its_model_is_not_run_again(tmp_path):
    one = sweep.Sweep(tmp_path).tries()[0]
    (one.folder / "evaluation").mkdir(parents=True)
    assert one.is_done and not sweep.plan(sweep.Sweep(tmp_path))[one.id].run(lambda done, total: None)
    (one.folder / "model").mkdir()  # killed before it was dropped
    assert not one.is_done


def _run(rate: float, strict: float | None, ues: float | None = None, verdict: str = "ok") -> dict[str, object]:
    scores = {"ues_strict": strict, "ues": strict if ues is None else ues}
    return {"scenario": "privacy", "method": "ga", "settings": {"learning_rate": rate}, "verdict": verdict, **scores}


def rate_that_wins(*runs: dict[str, object]) -> float:
    return sweep.winner(runs, "privacy", "ga").settings["learning_rate"]


def test_the_highest_mean_of_the_strict_score_wins_and_not_the_highest_run():
    # Means .6 and .55: one lucky run of .9 does not make up for .2.
    assert rate_that_wins(_run(1e-4, 0.6), _run(1e-4, 0.6), _run(2e-4, 0.9), _run(2e-4, 0.2)) == 1e-4


def test_of_equal_strict_scores_the_higher_ues_wins_and_of_those_the_gentler():
    assert rate_that_wins(_run(1e-4, 0.0, 0.5), _run(2e-4, 0.0, 0.8), _run(4e-4, 0.0, 0.805)) == 2e-4


def test_of_equal_settings_the_earlier_stop_wins():
    early, late = ({**_run(1e-4, 0.8), "settings": {"learning_rate": 1e-4, "stop_at": at}} for at in (0.1, 0.3))
    assert sweep.winner([late, early], "privacy", "ga").settings["stop_at"] == 0.1


def test_settings_with_a_run_that_collapsed_win_only_where_all_have_one():
    steady, mixed = [_run(1e-4, 0.5)] * 2, [_run(2e-4, 0.9), _run(2e-4, 0.8, verdict="collapsed")]
    assert rate_that_wins(*steady, *mixed) == 1e-4
    assert rate_that_wins(*mixed, _run(1e-4, 0.1, verdict="no-effect")) == 2e-4
    assert sweep.winner(mixed, "privacy", "ga").verdicts == ("ok", "collapsed")


def test_a_run_without_a_score_counts_as_nothing():
    won = sweep.winner([_run(1e-4, 0.8), _run(1e-4, None, verdict="diverged")], "privacy", "ga")
    assert (won.ues_strict, won.runs) == (0.4, 2)


@pytest.mark.parametrize(("best", "edge"), [(1e-4, True), (2e-4, False), (4e-4, True)])
def test_a_winner_at_an_end_of_its_grid_is_at_the_edge(best, edge):
    runs = [_run(rate, 0.9 if rate == best else 0.1) for rate in (2e-4, 1e-4, 4e-4)]
    assert sweep.at_edge(runs, "privacy", "ga") == edge


def test_no_run_with_a_score_is_an_error():
    with pytest.raises(ValueError, match="no run of ga in privacy"):
        sweep.winner([_run(1e-4, None, verdict="diverged")], "privacy", "ga")
