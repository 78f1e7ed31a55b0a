import math

import pytest
import torch

from baselines.losses import IGNORED, js, js_to_tokens, kl, kl_per_row, nll, nll_per_row

LOG3 = math.log(3)


def test_nll_is_a_mean_over_each_rows_tokens_then_over_rows():
    """Logits (ln 3, 0) give p = (3/4, 1/4). Row 1 answers 0 and 1: (ln 4/3 + ln 4) / 2. Row 2 answers 0: ln 4/3.
    A mean over all three tokens would be another number."""
    logits = torch.tensor([[[LOG3, 0.0], [LOG3, 0.0]], [[LOG3, 0.0], [LOG3, 0.0]]])
    labels = torch.tensor([[0, 1], [IGNORED, 0]])
    first, second = (math.log(4 / 3) + math.log(4)) / 2, math.log(4 / 3)
    assert nll_per_row(logits, labels).tolist() == pytest.approx([first, second], abs=1e-6)
    assert nll(logits, labels).item() == pytest.approx((first + second) / 2, abs=1e-6)


def test_kl_goes_from_the_reference_to_the_model():
    """Reference (1/2, 1/2), model (3/4, 1/4): KL(reference || model) = 1/2 ln(2/3) + 1/2 ln 2 = 1/2 ln(4/3) = 0.1438;
    the other direction would be 3/4 ln(3/2) + 1/4 ln(1/2) = 0.1308."""
    model, reference = torch.tensor([[[LOG3, 0.0]]]), torch.zeros(1, 1, 2)
    assert kl(reference, model, torch.tensor([[0]])).item() == pytest.approx(0.5 * math.log(4 / 3), abs=1e-6)


def test_kl_of_equal_distributions_is_zero():
    logits = torch.randn(3, 5, 11, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 11, (3, 5), generator=torch.Generator().manual_seed(1))
    assert kl_per_row(logits, logits, labels).tolist() == [0.0, 0.0, 0.0]
    # A shift of all logits is the same distribution.
    assert kl(logits, logits + 3.0, labels).item() == pytest.approx(0.0, abs=1e-6)


def test_positions_without_an_answer_token_do_not_count():
    logits, reference = torch.randn(2, 4, 7), torch.randn(2, 4, 7)
    labels = torch.tensor([[IGNORED, IGNORED, 3, 1], [IGNORED, 2, 2, 6]])
    before = nll(logits, labels), kl(reference, logits, labels)
    logits[labels == IGNORED] = 50.0
    reference[labels == IGNORED] = torch.linspace(-9, 9, 7)
    assert (nll(logits, labels), kl(reference, logits, labels)) == before


def test_half_precision_logits_are_summed_in_float32():
    logits = torch.randn(2, 3, 9).bfloat16()
    labels = torch.randint(0, 9, (2, 3))
    assert nll(logits, labels).dtype == torch.float32
    assert kl(logits, logits, labels).dtype == torch.float32


def test_js_is_the_same_both_ways_and_ends_at_ln_2():
    draw = torch.Generator().manual_seed(0)
    one, other = (torch.randn(3, 5, 11, generator=draw, dtype=torch.float64) for _ in range(2))
    labels = torch.randint(0, 11, (3, 5), generator=draw)
    assert js(one, other, labels).item() == pytest.approx(js(other, one, labels).item(), abs=1e-12)
    assert js(one, one, labels).item() == pytest.approx(0.0, abs=1e-12)
    apart = torch.tensor([[[50.0, 0.0]]]), torch.tensor([[[0.0, 50.0]]])
    assert js(*apart, torch.tensor([[0]])).item() == pytest.approx(math.log(2), abs=1e-6)


def test_js_to_tokens_is_js_to_a_distribution_that_is_certain_of_them():
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 5, 11, generator=draw, dtype=torch.float64)
    labels = torch.randint(0, 11, (3, 5), generator=draw)
    labels[0, :3] = IGNORED
    certain = torch.nn.functional.one_hot(labels.clamp(min=0), 11).double() * 60
    assert js_to_tokens(logits, labels).item() == pytest.approx(js(certain, logits, labels).item(), abs=1e-12)
