"""Identities: fictitious by construction, unique, the same whoever asks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllmu_med_dataset.injection.patients import KINDS, NUMBERED_KINDS, check_digit, identities, in_range
from mllmu_med_metrics.vocabulary import DIRECT_KINDS


def people(count):
    return identities((f"{n:064x}" for n in range(count)), seed=0)


@pytest.fixture(scope="module")
def many():
    return people(3_000)


def unique_and_in_range(found):
    for kind in DIRECT_KINDS:
        assert len({identity.values[kind].casefold() for identity in found.values()}) == len(found), kind
    outside = [(k, v) for identity in found.values() for k, v in identity.values.items() if not in_range(k, v)]
    assert outside == []


def test_patients_share_no_direct_identifier_and_all_lie_in_their_fictitious_ranges(many):
    unique_and_in_range(many)


@pytest.mark.slow
def test_so_do_those_of_twenty_thousand():
    unique_and_in_range(people(20_000))


def test_there_are_sixteen_kinds_and_every_patient_shows_three_or_four(many):
    assert len(KINDS) == len(set(KINDS)) == 16
    assert {len(identity.shown) for identity in many.values()} == {3, 4}
    assert all(len(set(identity.shown) & set(NUMBERED_KINDS)) == 2 for identity in many.values())
    assert {kind for identity in many.values() for kind in identity.shown} == set(KINDS) - {"name"}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 10**6), unique=True, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_patients_does_not_matter(numbers, random):
    keys = [f"{n:064x}" for n in numbers]
    shuffled = random.sample(keys, len(keys))
    assert identities(keys, seed=1) == identities(shuffled, seed=1)


def test_a_collision_is_resolved_for_the_later_key(many):
    # Thousands of draws from some ten thousand combinations collide; whoever comes first in key order keeps the name.
    keys = sorted(many)
    alone = {key: identities([key], seed=0)[key].values["name"] for key in keys[:2_000]}
    changed = [key for key in alone if alone[key] != many[key].values["name"]]
    assert changed
    for key in changed:
        assert alone[key] in {many[earlier].values["name"] for earlier in alone if earlier < key}


def test_seeds_give_other_people():
    key = "0" * 64
    assert identities([key], seed=0)[key].values != identities([key], seed=1)[key].values


def test_luhn_check_digit_of_a_known_number():
    # 7992739871 is the textbook example; its check digit is 3
    assert check_digit("7992739871") == "3"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ssn", "123-45-6789"),  # an area that is issued
        ("ssn", "912-50-1234"),  # a group that the tax office issues
        ("ssn", "912-00-1234"),
        ("phone", "(212) 555-0200"),
        ("phone", "(211) 555-0100"),  # no area code ends in 11
        ("phone", "(112) 555-0100"),
        ("email", "ada@gmail.com"),
        ("url", "https://example.net/ada"),
        ("ip", "8.8.8.8"),
        ("ip", "192.0.2.300"),
        ("record", "MRN-12345678"),
        ("record", "SYN-MRN-12345678"),  # wrong check digit: 1234567 has 4
        ("birth_date", "1980-02-30"),
        ("birth_date", "2030-01-01"),
        ("mother", "Eve"),
    ],
)
def test_a_value_outside_its_range_is_told(kind, value):
    assert not in_range(kind, value)
