from mllmu_med_metrics.scoring.blind import blind_keep
from mllmu_med_metrics.scoring.scored_row import parse_row


def rows(facts, *, question="What is it?", question_type="organ", patients=None):
    return [
        parse_row(
            {
                "id": f"{question}{index}",
                "scenario": "privacy",
                "subset": "test",
                "patient_id": patients[index] if patients else f"p{question}{index}",
                "question": question,
                "question_type": question_type,
                "answer": fact or "the heart is big",
                "true_answer": fact or "the heart is big",
                "fact": fact,
                "fact_values": [],
            }
        )
        for index, fact in enumerate(facts)
    ]


def test_the_majority_fact_is_guessed():
    assert blind_keep(rows(["liver", "Liver", "lung", "heart"])) == 0.5


def test_balanced_facts_do_not_punish_the_guesser():
    # Leaving a row's own patient out of the count would be wrong on every row; a constant answer is right on 16/60.
    assert blind_keep(rows(["a1"] * 16 + ["b1"] * 16 + ["c1"] * 15 + ["d1"] * 13)) == 16 / 60


def test_a_fact_of_one_patient_alone_cannot_be_guessed():
    assert blind_keep(rows(["liver"])) == 0.0
    assert blind_keep(rows(["liver", "liver"], patients=["p1", "p1"])) == 0.0
    assert blind_keep(rows(["liver", "liver"], patients=["p1", "p2"])) == 1.0


def test_a_rare_question_text_is_not_counted_for_its_own_guess():
    # Each text is asked of two patients with different facts, so nothing can be learned from the other; by question
    # type, one of the eight facts (each of one patient) is no guess either.
    asked = [row for n in range(4) for row in rows([f"a{n}x", f"b{n}x"], question=f"Phrasing {n}?")]
    assert blind_keep(asked) == 0.0
    # liver, liver, lung: the two livers support each other, the lung does not.
    assert blind_keep(rows(["liver", "liver", "lung"], question_type="organ")) == 2 / 3


def test_a_frequent_question_text_is_counted_whole():
    # Two texts of one type, each with two balanced facts of its own: leaving one out would always guess the other fact,
    # and by question type a constant answer is right on a quarter only.
    asked = rows(["liver"] * 20 + ["lung"] * 20, question="Upper?") + rows(
        ["heart"] * 20 + ["brain"] * 20, question="Low?"
    )
    assert blind_keep(asked) == 0.5


def test_the_better_of_question_and_question_type_counts():
    asked = rows(["liver"] * 2, question="Which organ is large?") + rows(["lung"] * 2, question="Which organ is small?")
    assert blind_keep(asked) == 1.0
    alone = [row for n in range(4) for row in rows(["liver"], question=f"Phrasing {n}?")]
    assert blind_keep(alone) == 1.0


def test_a_few_rows_are_guessed_from_the_whole_pool():
    few = rows(["liver", "liver", "lung"])
    # Of the three alone liver is the majority (2/3); in the pool it is lung, which is right on one of them.
    pool = few + rows(["lung"] * 9, patients=[f"q{n}" for n in range(9)])
    assert blind_keep(few) == 2 / 3
    assert blind_keep(few, pool) == 1 / 3


def test_rows_without_a_fact_are_guessed_by_their_wording():
    assert blind_keep(rows([None, None])) == 1.0
    assert blind_keep([]) == 0.0
