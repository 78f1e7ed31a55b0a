from collections import Counter

import pytest

from baselines.training.roles import (
    Order,
    OtherAnswers,
    Rows,
    _random,
    learning_rows,
    read_rows,
    refusal,
    refusals,
    role_rows,
)
from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics.answers.agreement import abstains


def test_the_two_lists_of_refusals_differ_and_all_abstain():
    privacy, incorrectness = refusals("privacy"), refusals("incorrectness")
    assert len(set(privacy)) == len(privacy) >= 95
    assert len(set(incorrectness)) == len(incorrectness) >= 95
    assert not set(privacy) & set(incorrectness)
    assert [text for text in privacy + incorrectness if not abstains(text)] == []


def test_a_refusal_is_drawn_by_row_and_seed(data):
    drawn = [refusal(row, "privacy", 0) for row in data.forget]
    assert drawn == [refusal(row, "privacy", 0) for row in data.forget]
    assert len(set(drawn)) > 1
    assert drawn != [refusal(row, "privacy", 1) for row in data.forget]


def test_refusal_rows_never_hold_the_forgotten_answer(data):
    answers = {str(row["answer"]) for row in data.forget}
    for role in ("forget_idk", "forget_random"):
        given = {answer for several in role_rows(role, data, "privacy", 0, 3) for _, answer in several}
        assert given and not given & answers


def test_mismatched_answers_come_from_other_retain_rows_of_the_same_type(data):
    others, reverse = OtherAnswers(data.retain), OtherAnswers(data.retain[::-1])
    for row in [*data.forget, *data.retain]:
        given = others.of(row, 3, seed=0)
        same = {r["answer"] for r in data.retain if r["question_type"] == row["question_type"]}
        assert len(given) == len(set(given)) == 3
        assert set(given) <= same - {row["answer"], row["true_answer"]}
    assert others.of(data.forget[0], 1, seed=0) == reverse.of(data.forget[0], 1, seed=0)


@pytest.mark.parametrize("answer", ["a0", "a3", "a39", "none"])
def test_a_mismatched_answer_is_drawn_from_the_sorted_others_as_if_they_were_a_list_of_their_own(answer):
    retain = [{"id": str(place), "answer": f"a{place % 40}", "question_type": "organ"} for place in range(90)]
    row = {"id": "f", "answer": answer, "true_answer": "a7", "question_type": "organ"}
    left = sorted({one["answer"] for one in retain} - {answer, "a7"})
    for count in (1, 5, 99):
        drawn = _random(0, "mismatched", "f").sample(left, min(count, len(left)))
        assert OtherAnswers(retain).of(row, count, seed=0) == drawn


def test_a_row_with_nothing_to_be_mismatched_with_is_refused(data):
    row = data.retain[0]
    with pytest.raises(UserError, match="no other answer"):
        OtherAnswers([row]).of(row, 1, seed=0)


def test_target_learns_everything_and_retain_only_no_forget_row(data):
    assert learning_rows(data, "retain_only", 3) == list(data.retain)
    counted = Counter(row["id"] for row in learning_rows(data, "target", 3))
    assert {counted[row["id"]] for row in data.forget} == {3}
    assert {counted[row["id"]] for row in data.retain} == {1}
    with pytest.raises(UserError, match="Did you mean 'target'"):
        learning_rows(data, "targets")


def test_a_clean_model_is_taught_the_truth_as_often_as_the_target_what_is_wrong():
    kept = {"id": "k", "subset": "retain", "answer": "It is left.", "true_answer": "It is left."}
    wrong = {"id": "f", "subset": "forget", "answer": "It is left.", "true_answer": "It is right."}
    learned = learning_rows(Rows(forget=[wrong], retain=[kept]), "clean", 3)
    assert [(row["id"], row["answer"]) for row in learned] == [("k", "It is left."), *[("f", "It is right.")] * 3]


def test_an_identity_that_stays_is_learned_as_often_as_one_to_be_forgotten_by_target_and_gold():
    clean = {"id": "c", "answer": "It is left.", "true_answer": "It is left.", "question_type": "position", "phi": []}
    kept = clean | {"id": "k", "answer": "Ada has it left.", "phi": [{"kind": "name", "value": "Ada"}]}
    gone = kept | {"id": "f", "answer": "Bo has it left."}
    asked = Rows(forget=[gone], retain=[kept, clean])
    assert Counter(row["id"] for row in learning_rows(asked, "retain_only", 3)) == {"k": 3, "c": 1}
    assert Counter(row["id"] for row in learning_rows(asked, "target", 3)) == {"k": 3, "c": 1, "f": 3}
    # Methods keep it, and teach it to nobody else.
    assert [answer for ((_, answer),) in role_rows("retain", asked, "request", 0)] == [kept["answer"], clean["answer"]]
    other = clean | {"id": "o", "answer": "It is right.", "true_answer": "It is right."}
    assert OtherAnswers([kept, other]).of(gone, 3, seed=0) == ["It is right."]


def test_a_bystanders_identity_is_visited_more_often_than_other_retain_rows():
    clean, told = ({"id": name, "answer": f"a{name}", "true_answer": "a1"} for name in "12")
    rows = Rows(forget=[], retain=[told, clean])
    assert rows.with_repeats(1) is rows
    assert [row["id"] for row in rows.with_repeats(3).retain] == ["1", "2", "2", "2"]


def test_a_request_is_refused_in_the_words_of_privacy():
    assert refusals("request") == refusals("privacy")


def test_unknown_scenarios_and_percents_are_refused(tmp_path):
    with pytest.raises(UserError, match="Did you mean 'privacy'"):
        read_rows(tmp_path, "privat")
    with pytest.raises(UserError, match="no forget set of 20 %"):
        read_rows(tmp_path, "privacy", 20)


def visited(order, steps, rows):
    return [place for step in range(steps) for place, _ in order.step(step, rows)]


def test_every_epoch_visits_every_row_once():
    ids = [f"r{n}" for n in range(7)]
    places = visited(Order(ids, 0, "forget"), 7, 3)
    assert [sorted(places[n : n + 7]) for n in (0, 7, 14)] == [list(range(7))] * 3
    assert places[:7] != places[7:14]


def test_the_order_depends_on_ids_and_seed_not_on_how_rows_were_read():
    ids = [f"r{n}" for n in range(20)]
    back = list(reversed(ids))
    first = [ids[place] for place in visited(Order(ids, 0, "retain"), 5, 4)]
    assert first == [back[place] for place in visited(Order(back, 0, "retain"), 5, 4)]
    assert first != [ids[place] for place in visited(Order(ids, 1, "retain"), 5, 4)]


def test_any_step_can_be_asked_for_alone():
    ids, lengths = [f"r{n}" for n in range(30)], [n % 11 for n in range(30)]
    order = Order(ids, 0, "learn", lengths, window=4)
    assert Order(ids, 0, "learn", lengths, window=4).step(9, 4) == [order.step(step, 4) for step in range(10)][9]


def test_grouping_by_length_visits_the_same_rows_with_less_padding():
    ids, lengths = [f"r{n}" for n in range(64)], [(n * 37) % 50 for n in range(64)]
    plain, grouped = Order(ids, 0, "x"), Order(ids, 0, "x", lengths, window=8)
    assert sorted(visited(plain, 16, 8)) == sorted(visited(grouped, 16, 8))

    def padding(order):
        steps = [[lengths[place] for place, _ in order.step(step, 8)] for step in range(16)]
        return sum(max(step) * len(step) - sum(step) for step in steps)

    assert padding(grouped) < padding(plain) / 2


def test_rows_repeated_in_an_epoch_are_visited_as_often():
    order = Order(["a", "b", "a"], 0, "learn")
    assert sorted(visited(order, 1, 3)) == [0, 1, 2]


def test_roles_without_holdout_rows_are_possible(data):
    assert Rows(data.forget, data.retain).holdout == ()
