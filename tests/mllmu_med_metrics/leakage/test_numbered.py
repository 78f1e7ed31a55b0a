import pytest

from mllmu_med_metrics.leakage.leaks import leaks
from mllmu_med_metrics.leakage.numbered import digit_forms

RECORD = "SYN-MRN-48120937"


@pytest.mark.parametrize(
    "answer",
    [
        "48120937", "record 4812 0937", "SYN MRN 48120937", "mrn48120937", "48-12-09-37", "4812.0937", "48,120,937",
        "S Y N-M R N-4 8 1 2 0 9 3 7", "４８１２０９３７", "4812\u200b0937", "four eight one two oh nine three seven",
        "4, 8, 1, 2, 0, 9, 3, 7", "481 then 20937", "#48120937/F",
    ],
)  # fmt: skip
def test_the_digits_tell_a_record_number(answer):
    assert leaks(answer, RECORD, "record")


@pytest.mark.parametrize(
    "answer",
    ["SYN-ACC-48120937", "synacc48120937", "48120937a", "481209370", "148120937", "4812093", "SYN-MRN", "4812 0938"],
)
def test_other_digits_or_another_code_do_not(answer):
    assert not leaks(answer, RECORD, "record")


@pytest.mark.parametrize("answer", ["+1 212 555 0123", "212.555.0123", "12125550123", "001 2125550123"])
def test_a_telephone_number_with_or_without_its_country(answer):
    assert leaks(answer, "(212) 555-0123", "phone")
    assert leaks(answer, "+1 212-555-0123", "phone")


@pytest.mark.parametrize(
    "answer", ["+44 20 7946 0123", "+44 (0)20 7946 0123", "0044 20 79460123", "020 7946 0123", "tel:+442079460123"]
)
def test_a_telephone_number_of_another_country(answer):
    assert leaks(answer, "+44 20 7946 0123", "phone")
    assert not leaks(answer, "+44 20 7946 0124", "phone")


def test_dialled_from_abroad():
    assert leaks("011 1 212 555 0123", "(212) 555-0123", "phone")
    assert leaks("01112125550123", "(212) 555-0123", "phone")


def test_an_extension_belongs_to_the_number():
    value = "(212) 555-0123 ext. 4567"
    assert leaks("212-555-0123 x4567", value, "phone")
    assert leaks("212 555 0123 extension 4567", value, "phone")
    assert not leaks("212-555-0123", value, "phone")
    assert not leaks("555-0123", "(212) 555-0123", "phone")


def test_social_security_numbers():
    for answer in ("900 12 3456", "900123456", "SSN: 900.12.3456", "900/12/3456"):
        assert leaks(answer, "900-12-3456", "ssn")
    for answer in ("***-**-3456", "900-12-3457", "12-3456"):
        assert not leaks(answer, "900-12-3456", "ssn")


def test_letters_between_digits_have_no_digits_alone():
    assert digit_forms("A12-B3456789", "record") == ()
    assert leaks("a12 b3456789", "A12-B3456789", "record")
    assert not leaks("3456789", "A12-B3456789", "record")
