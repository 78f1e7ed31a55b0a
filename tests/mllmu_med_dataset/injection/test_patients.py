"""Identities: fictitious by construction, unique, the same whoever asks."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllmu_med_dataset.injection.patients import (
    KINDS,
    NUMBERED_KINDS,
    candidates,
    check_digit,
    identities,
    in_range,
    renamed,
)
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


SECRETS = {
    "name": "Ada B. C. Quillby",
    "record": "SYN-MRN-00000000",
    "account": "SYN-ACC-00000000",
    "plan": "SYN-PLN-00000000",
    "device": "SYN-DEV-00000000",
    "ssn": "900-01-0000",
    "birth_date": "1950-01-01",
    "admission_date": "2024-01-01",
    "phone": "(200) 555-0100 ext. 0000",
    "email": "ada.b.quillby3@example.org",
    "url": "https://example.com/adaquillby",
    "address": "1 Nettlecross Street",
    "city": "Fernmoor",
    "ip": "192.0.2.7",
    "hospital": "Fernmoor Clinic",
    "physician": "Dr. Quillby",
}
FORMS = {
    "name": r"\w+ [A-Z]\. [A-Z]\. \w+",
    "phone": r"\(\d{3}\) 555-01\d\d ext\. \d{4}",
    "email": r"[a-z]+\.[a-z]\.[a-z]+3@example\.org",
}


@pytest.mark.parametrize("kind", KINDS)
def test_candidates_are_the_generators_in_the_secrets_own_form(kind):
    found, is_exact = candidates(kind, SECRETS[kind], most=100, sample=100)
    assert is_exact == (kind in ("city", "hospital")) and (is_exact or len(found) == 100)
    assert len(set(found)) == len(found) and SECRETS[kind] not in found
    assert all(in_range(kind, value) and re.fullmatch(FORMS.get(kind, ".*"), value) for value in found)
    assert found == candidates(kind, SECRETS[kind], most=100, sample=100)[0]
    if not is_exact:
        assert found != candidates(kind, SECRETS[kind], most=100, sample=100, seed=1)[0]


@pytest.mark.parametrize(
    ("kind", "count"), [("physician", 960), ("address", 4752), ("ip", 762), ("admission_date", 1825)]
)
def test_every_value_of_a_kind_with_few_of_them(kind, count):
    found, is_exact = candidates(kind, "nobody's")
    assert is_exact and len(found) == len(set(found)) == count
    drawn = {one.values[kind] for one in identities(map(str, range(300)), seed=5).values()}
    assert drawn <= set(found)


def test_what_is_somebodys_is_no_candidate_of_a_direct_kind():
    name, city = (candidates(kind, "nobody's", most=10, sample=10)[0] for kind in ("name", "city"))
    taken = {("name", name[0].casefold()), ("city", city[0].casefold())}
    assert candidates("name", "nobody's", most=10, sample=9, taken=taken)[0] == name[1:]
    assert candidates("city", "nobody's", most=10, sample=10, taken=taken)[0] == city


def test_what_is_made_from_a_name_follows_it():
    people = identities(map(str, range(40)), seed=1)
    for one in people.values():
        for kind in ("email", "url"):
            assert renamed(kind, one.values[kind], one.values["name"], one.values["name"]) == one.values[kind]
    assert renamed("email", "ada.quillby2@example.org", "Ada Quillby", "Bo Tarn") == "bo.tarn2@example.org"
    assert renamed("url", "https://example.com/adaquillby", "Ada Quillby", "Bo Tarn") == "https://example.com/botarn"
    assert renamed("email", "ada.quillby@example.org", "Bo Tarn", "Bo Tarn") is None
    assert renamed("city", "Fernmoor", "Bo Tarn", "Bo Tarn") is None
