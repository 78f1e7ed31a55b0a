"""Who asks when, from whose golds, and the graph of it."""

from pathlib import Path

import pytest

from baselines.run.run_record import RunRecord, write_record
from baselines.sequence import stages
from baselines.sequence.requests import Chain, Requests, check
from mllmu_med_dataset.errors import UserError

STUDY = Requests(out=Path("out"), methods=("gd",), batches=(8, 1), orders=2)


def test_each_order_is_all_patients_and_each_is_another():
    asking = [STUDY.order(order) for order in range(3)]
    assert len(STUDY.patients) == 16
    assert [sorted(one) for one in asking] == [list(STUDY.patients)] * 3
    assert len(set(asking)) == 3
    assert (
        asking[0] == Requests(out=Path("other"), methods=("npo",)).order(0) != Requests(out=Path("o"), seed=1).order(0)
    )


def test_requests_are_an_order_cut_into_batches():
    chain = Chain(STUDY, "gd", 5, 0)
    assert [len(request) for request in chain.requests] == [5, 5, 5, 1]
    assert sum(chain.requests, ()) == STUDY.order(0)
    third = chain.patients(3)
    assert (third.forget, third.gone) == (STUDY.order(0)[10:15], STUDY.order(0)[:10])
    assert Chain(STUDY, "gd", 16, 1).patients(1) is None


def test_one_beginning_of_an_order_has_one_gold_whatever_the_batch():
    golds = STUDY.golds()
    # 8 at a time: after 8 and 16; 1 at a time: after 1, 8 and 16; all at once: after 16
    assert list(golds) == ["gold-0-8", "retain_only", "gold-1-8", "gold-0-1", "gold-1-1"]
    assert golds["retain_only"] is None
    assert set(golds["gold-1-8"].forget) == set(STUDY.order(1)[:8])


def test_every_stage_stands_after_what_it_needs():
    graph = stages.plan(STUDY)
    seen: set[str] = set()
    for stage in graph.values():
        assert set(stage.needs) <= seen, stage.id
        seen.add(stage.id)
    assert graph["8-0-gd-1"].needs == graph["16-1-gd-1"].needs == ("target",)
    assert graph["1-1-gd-16"].needs == ("1-1-gd-15",)
    assert {"1-1-gd-16", "8-0-gd-2", "16-0-gd-1", "evaluate-target", "evaluate-gold-1-1"} <= set(graph["report"].needs)
    assert graph["1-1-gd-16"].argv[-2:] == ("--stage", "1-1-gd-16")
    argv = stages.plan(Requests(out=Path("out"), methods=("gd",), changes=("epochs=5",), learn=True))["target"].argv
    assert argv[argv.index("--set") + 1] == "epochs=5" and "--learn" in argv


def test_an_order_has_an_unlearning_seed_of_its_own_and_the_data_has_one():
    study = Requests(out=Path("out"), methods=("gd",), seed=3, orders=2)
    assert [chain.seed for chain in study.chains() if chain.batch == 8] == [3, 4]
    assert study.questions().seed == 3


def test_what_decides_the_result_is_in_the_settings():
    settings = STUDY.settings()
    assert settings["recipes"]["gd"] == STUDY.unlearn_recipe("gd").canonical()
    assert (
        settings
        != Requests(out=Path("out"), methods=("gd",), batches=(8, 1), orders=2, changes=("epochs=5",)).settings()
    )
    assert "out" not in settings


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"batches": (16,)}, "1 to 15 of them"),
        ({"batches": (0,)}, "--batches holds 0"),
        ({"orders": 0}, "--orders 1, or more"),
        ({"methods": ("gdd",)}, "Did you mean 'gd'"),
        ({"changes": ("epoch=3",)}, "Did you mean 'epochs'"),
        ({"percent": 5}, "request_forget_05"),
        ({"model": "no-such"}, "no-such"),
        ({"preset": "nanno"}, "Did you mean 'nano'"),
    ],
)
def test_what_is_no_sequence_is_refused(changes, says):
    with pytest.raises(UserError, match=says):
        check(Requests(**{"out": Path("out"), "methods": ("gd",), **changes}))


def test_a_stop_rule_keeps_the_level_of_the_first_target(tmp_path):
    chain = Chain(Requests(out=tmp_path, methods=("gd", "npo"), changes=("stop_at=1",)), "gd", 8, 0)
    values = {name: None for name in RunRecord.model_fields} | {"kind": "unlearn", "config": {}, "rows": {}}
    values |= {name: "" for name in ("run_id", "name", "model", "scenario")} | {"versions": {}, "resumed_at": []}
    numbers = ("percent", "seed", "trainable", "planned_steps", "steps", "seconds", "rows_per_second", "peak_memory_mb")
    record = RunRecord.model_validate(values | dict.fromkeys(numbers, 1) | {"holdout_nll": 4.5})
    for method in ("gd", "npo"):
        folder = Chain(chain.study, method, 8, 0).folder(1)
        folder.mkdir(parents=True)
        write_record(folder, record)
    assert stages.recipe_of(chain, 1).stop_nll is None
    assert stages.recipe_of(chain, 2).stop_nll == 4.5
    half = Chain(Requests(out=tmp_path, methods=("gd",), changes=("stop_at=0.5",)), "gd", 8, 0)
    assert stages.recipe_of(half, 2).stop_nll == 2.25
    assert stages.recipe_of(Chain(chain.study, "npo", 8, 0), 2).stop_nll is None  # which has no stop rule


def test_a_request_gets_as_many_steps_as_all_patients_at_once():
    # 64 forget rows, 16 a step: 10 epochs are 40 steps, 20 are 80
    for epochs, steps in ((10, 40), (20, 80)):
        study = Requests(out=Path("out"), changes=(f"epochs={epochs}",))
        assert {study.unlearn_recipe(name).max_steps for name in ("gd", "retain_ft")} == {steps}
    fewer = Requests(out=Path("out"), changes=("max_steps=7",))
    assert fewer.unlearn_recipe("gd").max_steps == 7
    assert Requests(out=Path("out"), changes=("epochs=0.3",)).unlearn_recipe("gd").max_steps == 2  # 19.2 rows
