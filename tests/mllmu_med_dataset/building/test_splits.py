"""Splits: disjoint, nested, stratified within one patient, independent of order."""

from collections import Counter
from typing import NamedTuple, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllmu_med_dataset.building.splits import (
    Role,
    choose_bystanders,
    choose_forgotten,
    fewest_patients,
    quotas,
    share_out,
)
from mllmu_med_dataset.errors import UserError


class Parts(NamedTuple):
    test: frozenset[str]
    holdout: frozenset[str]
    trained: frozenset[str]
    forget: dict[int, frozenset[str]]


def strata(patients: int, kinds: int = 3) -> dict[str, str]:
    return {f"{number:064x}": f"stratum {number % kinds}" for number in range(patients)}


def made(strata, percents=(5, 10, 15), seed=0, scenario="privacy", eligible=None) -> Parts:
    roles = share_out(strata, seed=seed)
    able = [key for key in strata if eligible is None or key in eligible]
    chosen = choose_forgotten(strata, roles, able, percents=percents, seed=seed, scenario=scenario)
    of_role = {role: frozenset(key for key, own in roles.items() if own == role) for role in get_args(Role)}
    forget = {p: frozenset(key for key, smallest in chosen.items() if smallest <= p) for p in percents}
    return Parts(**of_role, forget=forget)


@settings(max_examples=40, deadline=None)
@given(st.integers(45, 400), st.integers(1, 40), st.integers(0, 3))
def test_roles_are_disjoint_shares_are_exact_and_forget_sets_nested(patients, kinds, seed):
    parts = made(strata(patients, kinds), seed=seed)
    assert len(parts.test) + len(parts.holdout) + len(parts.trained) == patients
    assert not parts.test & parts.holdout and not parts.trained & (parts.test | parts.holdout)
    assert parts.forget[5] <= parts.forget[10] <= parts.forget[15] <= parts.trained
    for percent, keys in parts.forget.items():
        assert len(keys) == int(percent / 100 * len(parts.trained) + 0.5)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=12), st.integers(0, 3))
def test_each_stratum_gives_its_share_within_one_patient(sizes, seed):
    groups = {f"s{s}": size for s, size in enumerate(sizes)}
    everyone = sum(sizes)
    totals = [int(everyone * share + 0.5) for share in (0.05, 0.10, 0.15)]
    smaller = dict.fromkeys(groups, 0)
    for total, shares in zip(totals, quotas(groups, totals, seed), strict=True):
        assert sum(shares.values()) == total
        for stratum, size in groups.items():
            assert abs(shares[stratum] - total * size / everyone) <= 1
            assert smaller[stratum] <= shares[stratum] <= size
        smaller = shares


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(3, 60), min_size=1, max_size=8), st.integers(0, 3))
def test_every_role_and_percent_is_stratified_within_one_patient(sizes, seed):
    groups = {f"{s}-{n:03d}": f"s{s}" for s, size in enumerate((45, *sizes)) for n in range(size)}
    parts = made(groups, seed=seed)
    rest = groups.keys() - parts.test
    for keys, among in (
        (parts.test, groups.keys()),
        (parts.holdout, rest),
        *((keys, parts.trained) for keys in parts.forget.values()),
    ):
        given_, there = Counter(groups[key] for key in keys), Counter(groups[key] for key in among)
        for stratum, size in there.items():
            assert abs(given_[stratum] - len(keys) * size / len(among)) <= 1


def test_the_default_build_has_sixteen_forget_patients():
    parts = made(strata(240, 12))
    assert (len(parts.test), len(parts.holdout), len(parts.trained)) == (60, 18, 162)
    assert {percent: len(keys) for percent, keys in parts.forget.items()} == {5: 8, 10: 16, 15: 24}


@settings(max_examples=30, deadline=None)
@given(st.integers(60, 400), st.integers(1, 40), st.integers(0, 3))
def test_bystanders_are_as_many_as_are_forgotten_nested_and_others(patients, kinds, seed):
    groups = strata(patients, kinds)
    roles = share_out(groups, seed=seed)
    names = {"seed": seed, "scenario": "request"}
    forgotten = choose_forgotten(groups, roles, groups, percents=(5, 10, 15), **names)
    kept = choose_bystanders(groups, roles, groups, forgotten, **names)
    assert kept == choose_bystanders(dict(reversed(groups.items())), roles, list(groups)[::-1], forgotten, **names)
    assert not kept.keys() & forgotten.keys() and {roles[key] for key in kept} == {"trained"}
    assert Counter(kept.values()) == Counter(forgotten.values())


def test_too_few_bystanders_are_told():
    groups = strata(60)
    roles = share_out(groups, seed=0)
    forgotten = choose_forgotten(groups, roles, groups, percents=(10,), seed=0, scenario="request")
    able = [*forgotten, next(key for key in groups if roles[key] == "trained" and key not in forgotten)]
    with pytest.raises(UserError, match=r"request: 4 are forgotten at 10 % .* only 1 are left"):
        choose_bystanders(groups, roles, able, forgotten, seed=0, scenario="request")


def test_order_does_not_matter_and_the_seed_does():
    groups = strata(100)
    assert made(groups) == made(dict(reversed(groups.items())))
    assert made(groups) != made(groups, seed=1)


def test_test_and_holdout_are_the_same_in_both_scenarios():
    groups = strata(100)
    private, wrong = made(groups), made(groups, scenario="incorrectness")
    assert (private.test, private.holdout) == (wrong.test, wrong.holdout)
    assert private.forget != wrong.forget


def test_only_patients_that_can_be_injected_are_forgotten():
    groups = strata(240)
    able = frozenset(sorted(groups)[::2])
    parts = made(groups, eligible=able)
    assert parts.forget[15] <= able and len(parts.forget[15]) == 24


@pytest.mark.parametrize("percent", [5, 10, 15])
def test_the_fewest_patients_named_in_the_error_are_enough_and_one_less_is_not(percent):
    enough = fewest_patients(percent)
    made(strata(enough), percents=(percent,))
    with pytest.raises(UserError, match=f"at least {enough} patients"):
        made(strata(enough - 1), percents=(percent,))


def test_too_few_patients_that_can_be_injected_is_told():
    groups = strata(240)
    with pytest.raises(UserError, match=r"incorrectness.*only 10 have a question"):
        able = sorted(made(groups).trained)[:10]
        made(groups, scenario="incorrectness", eligible=able)
