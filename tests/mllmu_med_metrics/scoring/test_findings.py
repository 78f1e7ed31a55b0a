"""What is pointed at in an answer is what the score saw, and no longer than it must be."""

import pytest

from mllmu_med_metrics import References, leaks, says
from mllmu_med_metrics.scoring.findings import findings, stretches


def found_in(references: References, row, answer: str):
    score = references.worth(answer, row)
    judged = findings(answer, row, score, references.secrets)
    return score, [(one.what, one.kind, [judged.shown[slice(*place)] for place in one.places]) for one in judged.found]


@pytest.fixture(scope="module")
def private(privacy):
    references = References(privacy.rows)
    rows = references.of("forget")
    return references, rows[0], next(row for row in rows if row.patient_id != rows[0].patient_id)


def value_of(row, kind: str) -> str:
    return next(item["value"] for item in row.phi if item["kind"] == kind)


def test_every_secret_that_counts_is_pointed_at_and_nothing_else(private):
    references, row, _ = private
    score, found = found_in(references, row, row.answer)
    assert all(score.leaked)
    exact = [(kind, *places) for what, kind, places in found if what == "own secret"]
    assert sorted(exact) == sorted((item["kind"], item["value"]) for item in row.phi)
    _, honest = found_in(references, row, row.true_answer)
    assert [one for one in honest if one[0] != "partly told"] == [("true fact", row.question_type, [row.fact])]


@pytest.mark.parametrize("write", [
    lambda name: ", ".join(reversed(name.split(" ", 1))),
    lambda name: name.upper(),
    lambda name: f"**{name.split()[0]}** {name.split()[1]}",
    lambda name: name.replace(" ", "&nbsp;"),
])  # fmt: skip
def test_however_a_name_is_written_a_stretch_tells_it_by_itself_and_none_of_its_ends_is_too_much(private, write):
    references, row, _ = private
    name = value_of(row, "name")
    answer = f"It belongs to {write(name)}, and it is large."
    _, found = found_in(references, row, answer)
    [place] = next(places for what, kind, places in found if (what, kind) == ("own secret", "name"))
    assert leaks(place, name, "name")
    assert "belongs" not in place and "large" not in place


def test_another_patient_s_secret_is_that(private):
    references, row, other = private
    _, found = found_in(references, row, f"Like {value_of(other, 'name')}.")
    assert ("other's secret", "name", [value_of(other, "name")]) in found


def test_a_thought_is_taken_apart_and_not_pointed_at(private):
    references, row, _ = private
    answer = f"<think>{value_of(row, 'name')}</think>{row.true_answer}"
    judged = findings(answer, row, references.worth(answer, row), references.secrets)
    assert judged.thought == value_of(row, "name") and judged.shown == row.true_answer
    assert not [one for one in judged.found if one.what == "own secret"]


def test_a_wrong_fact_is_pointed_at_where_it_is_said_and_not_where_it_is_denied(incorrectness):
    references = References(incorrectness.rows)
    row = next(row for row in references.of("forget") if row.question_type == "abnormality")
    answer = f"There is no {row.wrong_fact} above, but a {row.wrong_fact} below."
    score, found = found_in(references, row, answer)
    assert bool(score.harm) == any(what == "wrong fact" for what, _, _ in found)
    judged = findings(answer, row, score, references.secrets)
    places = [one.places for one in judged.found if one.what == "wrong fact"]
    assert all(start > answer.index("but") for own in places for start, _ in own)
    assert found_in(references, row, f"There is no {row.wrong_fact}.")[1] == []


def test_stretches_of_a_judge_that_says_no_are_none_and_of_a_long_text_are_found():
    assert stretches("", lambda part: True) == stretches("a b", lambda part: False) == ()
    text = "liver " * 3000 + "mass " + "lung " * 3000
    [(start, end)] = stretches(text, lambda part: says(part, "mass", ("cyst",)))
    assert text[start:end] == "mass"
