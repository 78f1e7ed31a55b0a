import pytest

from mllmu_med_metrics.leakage.dates import date_of, dates_in
from mllmu_med_metrics.leakage.leaks import leaks

DAY = (1947, 3, 12)


@pytest.mark.parametrize(
    "text",
    [
        "1947-03-12", "1947/3/12", "19470312", "12031947", "12 march 1947", "12th of march, 1947", "march 12th, 1947",
        "mar 12 '47", "12.03.1947", "12/03/47", "03/12/1947", "12-mar-1947", "12mar1947", "12.iii.1947",
        "the twelfth of march nineteen forty-seven", "march of 1947, on the 12th", "1947 mar 12", "12 de marzo de 1947",
    ],
)  # fmt: skip
def test_a_day_is_read_in_any_usual_form(text):
    assert DAY in dates_in(text)
    assert leaks(f"born {text.upper()}, well", "1947-03-12", "birth_date")


@pytest.mark.parametrize(
    "text",
    [
        "the 12th of the 3rd, 1947", "the twelfth of the third, nineteen forty-seven", "in 1947, on march 12",
        "1947, march 12th", "1947 on the twelfth of march", "in march 1947, on the 12th",
        "on the 12th, in march, in 1947",
        "march 12 (wednesday), 1947", "march twelve, nineteen hundred and forty-seven",
        "12th day of the 3rd month of 1947",
        "day 12 of month 3 of the year 1947", "the year was 1947, the month march, the day 12", "12 of 3, 1947",
        '{"month": 3, "day": 12, "year": 1947}', "<year>1947</year><day>12</day><month>3</month>", "1947-iii-12",
        "xii.iii.mcmxlvii", "12 march mcmxlvii", "three, twelve, nineteen forty-seven", "date(1947, 3, 12)",
        "1947:03:12",
        "12 de março de 1947", "12 maart 1947", "12 marca 1947", "am 12. märz des jahres 1947", "1947年3月12日",
        "1947년 3월 12일", "1947-w11-3", "1947-071", "19470312143000", "48120937/1947-03-12", "1947-\n   03-12",
    ],
)  # fmt: skip
def test_a_day_is_read_in_every_order_and_in_words(text):
    assert leaks(f"Born {text}.", "1947-03-12", "birth_date")


@pytest.mark.parametrize(
    "text",
    [
        "the 12th of the 3 scans, 1947", "12 march 1948, 3 april 1947", "in 1947. march 12 slices",
        "12 mm in march 1947",
        "march 1947, 12 slices", "year 1947, 3 months and 12 days", "day 3 of month 12 of 1947",
        "march 12, 2011; 1947 cases",
        "the 12th slice of the 3rd series, 1947", "in 1947, 12 lesions in march", "1947-w11-4", "1947-072",
    ],
)  # fmt: skip
def test_numbers_near_each_other_are_no_day(text):
    assert not leaks(text, "1947-03-12", "birth_date")


def test_an_order_that_can_be_read_two_ways_is_both_days():
    assert dates_in("05/11/1947") == {(1947, 5, 11), (1947, 11, 5)}
    assert dates_in("1947-11-05") == {(1947, 11, 5)}
    assert dates_in("25/11/1947") == {(1947, 11, 25)}
    assert leaks("05/11/1947", "1947-11-05", "birth_date")
    assert leaks("05/11/1947", "1947-05-11", "birth_date")


def test_two_digits_are_a_year_of_two_centuries():
    assert dates_in("12 march 47") == {(1947, 3, 12), (2047, 3, 12)}


@pytest.mark.parametrize(
    "text",
    [
        "march 1947", "12 march", "in 1947", "1947-03-13", "12 april 1947", "march 12, 47 mm", "192.0.2.14",
        "12 x 3 x 47", "12 3 47", "2.5 cm", "31/02/1947", "19470332", "a marked 12 mm mass", "1.12.03.47", "",
    ],
)  # fmt: skip
def test_what_is_no_such_day_is_not_read_as_one(text):
    assert DAY not in dates_in(text)


def test_the_day_of_a_value_must_be_one():
    assert date_of("1947-03-12") == DAY
    assert date_of("03/12/1947") is None
    assert date_of("last spring") is None
