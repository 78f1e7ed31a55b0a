"""One term's gradient is taken where that term is largest nearby; everything else stays as it was."""

import json
import math

import pytest
import torch

from baselines.config import UnlearnRecipe
from baselines.run.run_folder import RunFolder
from baselines.training.loop import minimise
from baselines.training.sharpness import Sharpness, moved


def weights(*values):
    return [torch.nn.Parameter(torch.tensor(value)) for value in values]


def test_the_weights_climb_by_the_radius_along_the_whole_gradient_and_come_back_to_the_bit():
    """Gradients (3) and (4): the norm of both is 5, so a radius of 10 moves the weights by 6 and by 8."""
    first, second = weights(0.1, 0.2)
    before = first.item(), second.item()
    first.grad, second.grad = torch.tensor(3.0), torch.tensor(4.0)
    with moved([first, second], 10.0):
        assert (first.item(), second.item()) == pytest.approx((6.1, 8.2))
        assert first.grad is None and second.grad is None
    assert (first.item(), second.item()) == before


def test_weights_without_a_gradient_or_with_one_of_zero_stay():
    first, second = weights(1.0, 2.0)
    first.grad = torch.tensor(0.0)
    with moved([first, second], 10.0):
        assert (first.item(), second.item()) == (1.0, 2.0)


class Weights(torch.nn.Module):
    """Two weights, both 1."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))


@pytest.fixture
def step(tmp_path):
    """Return a function that takes a step on forget = |w|^2 and keep = w1, each in two halves, with radius sqrt(2)."""

    def take(masks=None, forget=lambda w: w.square().sum()):
        model = Weights()
        recipe = UnlearnRecipe(schedule="constant", warmup_share=0.0, max_norm=None)
        folder = RunFolder(tmp_path, "unlearn", "npo_sam", "tiny", "privacy", 10, 0, {}, "id", None)
        ended = minimise(
            model, recipe, 1, 0, folder, lambda _: [({}, 0.5)] * 2,
            lambda _: {"forget": forget(model.w), "keep": model.w[0] * 1.0}, None,
            masks=masks, sharpness=Sharpness("forget", math.sqrt(2)),
        )  # fmt: skip
        return ended, json.loads((tmp_path / "metrics.jsonl").read_text()), model.w.detach()

    return take


def test_the_sharpened_terms_gradient_is_of_the_worst_place_and_the_others_of_here(step):
    """Gradient (2, 2), so d = (1, 1): at (2, 2) it is (4, 4), and with (1, 0) of keep (5, 4)."""
    ended, line, _ = step()
    assert line["gradient_norm"] == pytest.approx(math.sqrt(41))
    assert (line["forget"], line["keep"], ended.steps) == (2.0, 1.0, 1)  # the terms are those of the weights themselves


def test_a_weight_that_a_mask_holds_is_not_moved_either(step):
    """d = (sqrt 2, 0): the gradient is 2 (1 + sqrt 2) + 1 in the first weight, and nothing in the other."""
    _, line, weights = step(masks={"w": torch.tensor([1.0, 0.0])})
    assert line["gradient_norm"] == pytest.approx(3 + 2 * math.sqrt(2))
    assert weights[1] == 1.0


def test_a_term_that_is_not_finite_nearby_ends_the_run_with_the_weights_as_they_were(step):
    ended, line, weights = step(forget=lambda w: w.square().sum() * (math.nan if w[0] > 1.5 else 1.0))
    assert (ended.diverged, ended.steps, line["diverged"]) == (True, 0, True)
    assert weights.tolist() == [1.0, 1.0]
