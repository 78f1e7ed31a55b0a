import pytest

from mllmu_med_metrics.leakage.digits import (
    may_spell_digits,
    spoken_number,
    with_lookalike_digits,
    with_spelled_digits,
)
from mllmu_med_metrics.leakage.leaks import leaks

RECORD, SSN, PHONE = "SYN-MRN-48120937", "900-12-3456", "(212) 555-0123"


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("four eight one two", "4812"), ("four-eight-one-two", "4812"), ("double zero, triple-five", "00, 555"),
        ("forty-eight twelve oh nine", "481209"), ("nine hundred", "900"), ("nine hundred and seven", "907"),
        ("forty-eight million one hundred and twenty thousand nine hundred thirty-seven", "48120937"),
        ("twenty one", "21"), ("ninety zero", "900"), ("nought, nil, niner", "0, 0, 9"),
        ("hundreds of slices", "hundreds of slices"), ("a double dose", "a double dose"),
    ],
)  # fmt: skip
def test_number_words_are_digits(text, digits):
    assert with_spelled_digits(text) == digits


def test_a_few_counts_spell_no_number():
    assert not may_spell_digits(["there", "are", "two", "lesions", "and", "one", "cyst"])
    assert may_spell_digits(["four", "eight", "one", "two"])
    assert may_spell_digits(["4812", "oh", "937"])


def test_numbers_under_a_hundred_in_words():
    assert [spoken_number(number) for number in (0, 12, 40, 97)] == ["zero", "twelve", "forty", "ninetyseven"]


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("4812o937", "48120937"), ("4bi2o937", "48120937"), ("212-555-oloo", "212-555-0100"),
        ("2oo2-oi-io", "2002-01-10"), ("mrn4812o937", "mrn48120937"), ("t2 of 3 is", "t2 of 3 is"),
        ("no lesion is so small", "no lesion is so small"),
    ],
)  # fmt: skip
def test_letters_that_look_like_digits_are_digits_within_numbers(text, digits):
    assert with_lookalike_digits(text) == digits


@pytest.mark.parametrize(
    ("answer", "value", "kind"),
    [
        ("four eight one two zero nine three seven", RECORD, "record"),
        ("four eight one two double zero nine three", "SYN-MRN-48120093", "record"),
        ("FORTY-EIGHT TWELVE ZERO NINE THIRTY-SEVEN", RECORD, "record"),
        ("4 eight 1 two 0 nine 3 seven", RECORD, "record"),
        ("SYN-MRN-4812O937", RECORD, "record"),
        ("SYN-MRN-4BI2O937", RECORD, "record"),
        ("nine hundred, twelve, thirty-four fifty-six", SSN, "ssn"),
        ("9OO-I2-34S6", SSN, "ssn"),
        ("two one two, triple five, oh one two three", PHONE, "phone"),
        ("212-SSS-OI23", PHONE, "phone"),
        ("one hundred ninety-two dot zero dot two dot fourteen", "192.0.2.14", "ip"),
        ("l92.O.2.l4", "192.0.2.14", "ip"),
        ("l947-O3-l2", "1947-03-12", "birth_date"),
        ("twelve Larch Lane", "12 Larch Lane", "address"),
    ],
)
def test_told_in_words_or_by_letters(answer, value, kind):
    assert leaks(f"It is {answer}, as shown.", value, kind)


@pytest.mark.parametrize(
    "answer",
    [
        "SYN-MRN-4812D937", "SYN-MRN-4812O938", "SYN-ACC-4812O937", "SYN-MRN-4812O937x", "forty-eight of twelve",
        "four eight one two zero nine three eight", "four eight one two zero nine three seven one",
    ],
)  # fmt: skip
def test_other_letters_and_digits_are_not(answer):
    assert not leaks(answer, RECORD, "record")
