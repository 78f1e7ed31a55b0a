"""A study grows in its folder: what is added, what stays, and what is another study."""

import json
from dataclasses import replace

import pytest

from baselines.study import bench, stages
from baselines.study.engines.records import DONE, Record, Records
from baselines.study.growth import beside, differing_settings, grown
from baselines.study.measured import runs_of
from baselines.study.study import STUDY, Study, of_seeds, read_study, seeds_of
from mllmu_med_dataset.errors import UserError


@pytest.fixture
def first(tmp_path):
    """A study of two methods with two unlearning seeds each, as it was first called."""
    return Study(out=tmp_path / "study", scenarios=("privacy",), methods=("ga", "gd"), unlearning_seeds=2)


def held(study):
    return json.loads(json.dumps(study.settings()))


def begin(study):
    """Leave a folder in which the study has begun."""
    (study.out / "mllmu-med").mkdir(parents=True)
    return bench.claim(study, resume=True)


def test_methods_are_added_with_seeds_of_their_own(first):
    more = replace(first, methods=("ga", "npo"), unlearning_seeds=3)
    whole = grown(held(first), more)
    assert whole.methods == ("ga", "gd", "npo")
    assert {name: len(whole.seeds(name)) for name in whole.unlearned} == {"retain_ft": 3, "ga": 3, "gd": 2, "npo": 3}
    assert (whole.unlearning_seeds, whole.fewer_seeds) == (3, {"gd": 2})
    names = {id.removeprefix("privacy-") for id in stages.plan(whole)}
    assert {"gd-s1", "ga-s2", "npo-s2", "evaluate-npo-s2"} <= names and "gd-s2" not in names
    runs = runs_of(held(whole), ["target"], list(whole.unlearned))
    assert [name for name, _ in runs["gd"]] == ["gd", "gd-s1"] and len(runs["npo"]) == 3
    # A third call that asks for less takes nothing away.
    assert grown(held(whole), replace(first, methods=("gd",), unlearning_seeds=1, controls=())) == whole
    assert grown(held(whole), replace(first, methods=("gd",), unlearning_seeds=3)).fewer_seeds is None


def test_a_bench_adds_to_its_folder_and_keeps_every_other_setting(first):
    begin(first)
    whole = bench.claim(replace(first, methods=("npo",), attacks=True), resume=True)
    assert read_study(first.out) == held(first) | {"methods": ["ga", "gd", "npo"], "attacks": True}
    assert whole.settings() == held(first) | {"methods": ["ga", "gd", "npo"], "attacks": True}
    with pytest.raises(UserError, match=r"other settings \(max_retain\)"):
        bench.claim(replace(first, max_retain=20), resume=True)
    with pytest.raises(UserError, match="already holds this study"):
        bench.claim(first, resume=False)
    assert read_study(first.out)["max_retain"] == 200


def test_scenarios_are_added_where_the_data_set_has_them(first):
    with pytest.raises(UserError, match="built for privacy, without knowledge"):
        grown(held(first), replace(first, scenarios=("knowledge",)))
    whole = grown(held(replace(first, built=("privacy", "knowledge"))), replace(first, scenarios=("knowledge",)))
    assert (whole.scenarios, whole.built) == (("privacy", "knowledge"), ("privacy", "knowledge"))
    argv = stages.plan(whole)["build"].argv
    assert argv[argv.index("--build-scenarios") + 1] == "privacy,knowledge"
    with pytest.raises(UserError, match="leaves out privacy"):
        stages.check(replace(first, built=("knowledge",)))


def test_attacks_are_added_and_stay_where_they_are(first):
    both = replace(first, scenarios=("privacy", "request"), attacks=True, attack_scenarios=("privacy",))
    assert both.attacked("privacy") and both.attacked("request") == ()
    argv = stages.plan(both)["build"].argv
    assert argv[argv.index("--attack-scenarios") + 1] == "privacy"
    more = grown(held(both), replace(both, methods=("npo",)))
    assert more.attack_scenarios == ("privacy",) and "npo" in more.attacked("privacy")
    assert grown(held(both), replace(both, attacks=False, attack_scenarios=None)) == both
    whole = grown(held(both), replace(both, attack_scenarios=None))
    assert whole.attack_scenarios is None and whole.attacked("request")
    none = replace(both, attacks=False, attack_scenarios=None)
    assert grown(held(none), both) == both


def test_a_seed_is_added_beside_others_and_not_beside_a_study_of_one(first):
    (one,) = seeds_of(first, [0])
    assert one.out == first.out
    begin(one)
    with pytest.raises(UserError, match=r"seed 0 itself.*move all that it holds into"):
        seeds_of(first, [0, 2])
    (first.out / STUDY).unlink()
    for study in seeds_of(first, [10, 2]):
        begin(study)
    (more,) = seeds_of(first, [3])
    assert more.out == first.out / "seed-3" and list(of_seeds(first.out)) == [2, 10]
    added = replace(more, methods=("npo",), unlearning_seeds=1)
    assert beside(added, first.out) == added
    with pytest.raises(UserError, match=r"seed-2.*other settings \(patients\)"):
        beside(replace(more, patients=60), first.out)
    with pytest.raises(UserError, match=r"seed-2.*other settings \(built\)"):
        beside(replace(more, scenarios=("privacy", "request")), first.out)


def test_a_call_for_a_part_of_the_scenarios_is_of_the_same_data_set(first):
    both = replace(first, scenarios=("privacy", "request"))
    (study, _) = seeds_of(both, [0, 2])
    begin(study)
    part = replace(first, scenarios=("request",), methods=("npo",))
    again, new = (beside(one, first.out) for one in seeds_of(part, [0, 2]))
    assert new.built == again.built == ("privacy", "request") and new.scenarios == ("request",)
    whole = bench.claim(again, resume=True)
    assert (whole.scenarios, whole.methods, whole.built) == (("privacy", "request"), ("ga", "gd", "npo"), None)


def test_studies_of_other_data_are_not_one_study(first):
    ours = held(first)
    assert differing_settings(ours, held(replace(first, seed=2, methods=("npo",), attacks=True))) == []
    assert differing_settings(ours, held(replace(first, scenarios=("privacy", "request")))) == ["built"]
    assert differing_settings(ours, held(replace(first, built=("request", "privacy")))) == ["built"]


def test_what_is_done_stays_done_when_a_study_grows(first):
    """On a cluster a stage whose record is forgotten is queued again, with all that needs it."""
    begin(first)
    grown_one = grown(held(first), replace(first, methods=("npo",), attacks=True, unlearning_seeds=3))
    before = stages.plan(first)
    with Records(first.out).driving(before, "slurm") as records:
        for id in before:
            records.write(id, Record(DONE, "node", 1, 1, 0.0, 1.0))
    with Records(first.out).driving(stages.plan(grown_one), "slurm") as records:
        assert [id for id in before if records.read(id) is None] == []
    with Records(first.out).driving(stages.plan(replace(first, patients=60)), "slurm") as records:
        assert records.read("build") is None
