import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from mllmu_med_metrics.overlap import rouge_l

SCORER = RougeScorer(["rougeL"], use_stemmer=False)


def test_by_hand():
    # Common subsequence "the lesion is in the left" of 6; prediction 7 words, reference 8: P 6/7, R 6/8, F1 = 12/15.
    f1, recall = rouge_l("The lesion is in the left lung.", "The lesion is in the left upper quadrant.")
    assert f1 == pytest.approx(12 / 15)
    assert recall == 6 / 8


def test_without_words_it_is_zero():
    assert rouge_l("", "a cyst") == rouge_l("a cyst", "...") == rouge_l("a", "b") == (0.0, 0.0)


def test_equal_to_rouge_score_on_random_sentences():
    draw = random.Random(0)
    words = [
        "the",
        "lesion",
        "is",
        "in",
        "left",
        "Upper",
        "lower-quadrant",
        "CT-scan",
        "2.5",
        "cm,",
        "SYN-MRN-481",
        "é",
    ]
    for _ in range(2000):
        left, right = (" ".join(draw.choices(words, k=draw.randrange(0, 30))) for _ in range(2))
        expected = SCORER.score(right, left)["rougeL"]
        assert rouge_l(left, right) == (expected.fmeasure, expected.recall)


@given(st.text(max_size=40), st.text(max_size=40))
def test_equal_to_rouge_score_on_any_text(left, right):
    expected = SCORER.score(right, left)["rougeL"]
    assert rouge_l(left, right) == (expected.fmeasure, expected.recall)
