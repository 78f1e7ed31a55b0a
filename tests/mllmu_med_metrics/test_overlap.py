import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from mllmu_med_metrics.overlap import bleu, exact_match, rouge_l

SCORER = RougeScorer(["rougeL"], use_stemmer=False)
WORDS = [
    "the", "lesion", "is", "in", "left", "Upper", "lower-quadrant", "CT-scan", "2.5", "cm,", "SYN-MRN-481", "é", "a.",
    "1,2", "&amp;", "(x)", "T2-", "3-4", "...", ",5", "p<.05", "-\n", "it's", "<skipped>", "5%",
]  # fmt: skip


def pairs(count, seed=0, longest=30):
    draw = random.Random(seed)
    for _ in range(count):
        yield tuple(" ".join(draw.choices(WORDS, k=draw.randrange(0, longest))) for _ in range(2))


def test_rouge_by_hand():
    # Common subsequence "the lesion is in the left" of 6; prediction 7 words, reference 8: P 6/7, R 6/8, F1 = 12/15.
    f1, recall = rouge_l("The lesion is in the left lung.", "The lesion is in the left upper quadrant.")
    assert f1 == pytest.approx(12 / 15)
    assert recall == 6 / 8


def test_without_words_it_is_zero():
    assert rouge_l("", "a cyst") == rouge_l("a cyst", "...") == rouge_l("a", "b") == (0.0, 0.0)
    assert bleu("", "a cyst") == bleu("a cyst", "") == bleu("a", "b") == 0.0


def test_rouge_equals_rouge_score_on_ten_thousand_random_pairs():
    for left, right in pairs(10_000, longest=16):
        expected = SCORER.score(right, left)["rougeL"]
        assert rouge_l(left, right) == (expected.fmeasure, expected.recall)


@given(st.text(max_size=40), st.text(max_size=40))
def test_rouge_equals_rouge_score_on_any_text(left, right):
    expected = SCORER.score(right, left)["rougeL"]
    assert rouge_l(left, right) == (expected.fmeasure, expected.recall)


def test_bleu_by_hand():
    # 4 of 5 words, 3 of 4 pairs, 2 of 3 triples, 1 of 2 quadruples; as long as the reference, so not shortened.
    assert bleu("a b c d x", "a b c d e") == pytest.approx((4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4))
    # No pair is shared: it counts as half of one match of 1.
    assert bleu("b a", "a b") == pytest.approx((1 * 1 / 2) ** (1 / 2))
    assert bleu("The liver.", "The liver.") == 1.0


def test_exact_match_ignores_case_and_spaces_only():
    assert exact_match(" left  LUNG", "Left lung")
    assert exact_match("José", "jose")
    assert not exact_match("left lung.", "left lung")
