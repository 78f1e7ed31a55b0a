"""The labelled sentences of `fact_cases`: what the rules read in them, on the half they were tuned on and on the other.

`python -m tests.mllmu_med_metrics.answers.test_fact_cases` prints the share of each kind and the tuned rows that are
read wrongly; it never prints a row of an untouched half.
"""

from collections import Counter

import pytest

from mllmu_med_metrics.answers.agreement import abstains, values_said
from tests.mllmu_med_metrics.answers import fact_cases, second_writer, sibling_cases, third_writer


def misread(*, untouched: bool) -> list[tuple[str, str, object, object]]:
    """Return (kind, answer, right, read) of the rows of one half that the rules read wrongly."""
    wrong = [
        (kind, answer, right, set(values_said(answer, values)))
        for kind, answer, values, right in fact_cases.rows(untouched=untouched)
        if set(values_said(answer, values)) != right
    ]
    wrong += [
        ("abstention", answer, right, abstains(answer))
        for answer, right in fact_cases.abstentions(untouched=untouched)
        if abstains(answer) != right
    ]
    return wrong


def size(*, untouched: bool) -> int:
    """Return the number of rows of one half."""
    return len(fact_cases.rows(untouched=untouched)) + len(fact_cases.abstentions(untouched=untouched))


def right_by_second_writer(*, untouched: bool) -> int:
    """Return how many of the second writer's 170 rows of one half are read rightly: a number, and never a row."""
    rows = second_writer.rows(untouched=untouched)
    return sum(set(values_said(answer, values)) == right for answer, values, right in rows)


def right_by_third_writer(part: str) -> int:
    """Return how many of the third writer's rows of a part are read rightly: a number, and never a row."""
    return sum(
        abstains(row["answer"]) == row["abstains"]
        if row["kind"] == "abstention"
        else set(values_said(row["answer"], row["values"])) == set(row["said"])
        for row in third_writer.rows(part)
    )


def test_each_half_is_large_and_no_sentence_stands_in_both():
    for untouched in (True, False):
        assert size(untouched=untouched) >= 200
    answers = [{row[1] for row in fact_cases.rows(untouched=half) if row[0] != "more"} for half in (True, False)]
    assert not answers[0] & answers[1]


def test_every_expected_value_is_in_its_closed_set():
    for half in (True, False):
        for _, answer, values, right in fact_cases.rows(untouched=half):
            assert right <= set(values), answer


def test_the_tuned_half_is_read_as_a_person_reads_it():
    assert misread(untouched=False) == []


def test_the_untouched_half_is_read_nearly_as_well():
    assert len(misread(untouched=True)) <= 0.03 * size(untouched=True)


@pytest.mark.parametrize("kind", sibling_cases.KINDS)
def test_siblings_of_what_was_misread_are_read_as_a_person_reads_them(kind):
    rows = sibling_cases.KINDS[kind]
    assert [row for row in rows if set(values_said(row[0], row[1])) != row[2]] == []


def test_the_second_writers_tuned_half_is_read_as_a_person_reads_it():
    assert right_by_second_writer(untouched=False) == 170


def test_the_second_writers_untouched_half_is_read_no_worse_than_the_readme_says():
    assert right_by_second_writer(untouched=True) >= 159


def test_a_part_of_the_third_writer_belongs_to_the_hash_of_its_answers():
    for part in ("tuned", "untouched"):
        rows = third_writer.rows(part)
        assert len(rows) == third_writer.SIZE[part]
        for row in rows:
            assert third_writer.part_of(row["answer"]) == part
            assert set(row.get("said", ())) <= set(row.get("values", ()))


def test_the_third_writers_tuned_half_is_read_but_for_one():
    assert right_by_third_writer("tuned") >= third_writer.SIZE["tuned"] - 1


def test_the_third_writers_other_parts_are_read_no_worse_than_the_readme_says():
    assert right_by_third_writer("untouched") >= 207
    assert right_by_third_writer("later") >= 123


if __name__ == "__main__":
    for half in (False, True):
        wrong = misread(untouched=half)
        total = size(untouched=half)
        counts = Counter(kind for kind, *_ in wrong)
        name = "untouched" if half else "tuned"
        print(f"{name}: {total - len(wrong)} of {total} right ({1 - len(wrong) / total:.3f}); wrong: {dict(counts)}")
        for row in () if half else wrong:
            print("  ", *row, sep=" | ")
    for half in (False, True):
        right, total = right_by_second_writer(untouched=half), len(second_writer.rows(untouched=half))
        name = "untouched" if half else "tuned"
        print(f"second writer, {name}: {right} of {total} right ({right / total:.3f})")
    for name, total in third_writer.SIZE.items():
        right = right_by_third_writer(name)
        print(f"third writer, {name}: {right} of {total} right ({right / total:.3f})")
