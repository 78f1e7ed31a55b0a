"""The search for hidden states under which an answer comes back: where it ends, and what it leaves alone."""

import pytest
import torch

from baselines.losses import nll
from baselines.training.latent_attack import attacked

LABELS = torch.tensor([[0], [1]])


@pytest.fixture
def layers():
    """Return a layer that returns what it is given and a head of two tokens whose logits are the state's two values."""
    return torch.nn.Identity(), torch.eye(2)


def logits_under(layers, states, epsilon, steps):
    layer, head = layers

    def answered():
        return layer(states) @ head

    with attacked(layer, answered, LABELS, epsilon=epsilon, steps=steps):
        found = answered()
    assert torch.equal(answered(), states @ head)  # the layer is as it was
    return found


def test_each_state_moves_towards_its_own_answer_to_the_edge_of_its_own_ball(layers):
    """Logits (x, y) and answer 0: nll falls along (1, -1) / sqrt 2, wherever it is. Norms 5 and 10, epsilon 0.2."""
    states = torch.tensor([[[3.0, 4.0]], [[6.0, 8.0]]])
    along = torch.tensor([[[1.0, -1.0]], [[-1.0, 1.0]]]) / 2**0.5
    found = logits_under(layers, states, 0.2, 4)
    assert torch.allclose(found, states + along * torch.tensor([[[1.0]], [[2.0]]]), atol=1e-5)
    assert nll(found, LABELS) < nll(states, LABELS)


def test_a_single_step_too_stays_in_the_ball(layers):
    states = torch.tensor([[[3.0, 4.0]], [[6.0, 8.0]]])
    pushed = (logits_under(layers, states, 0.2, 1) - states).norm(dim=-1).flatten()
    assert pushed.tolist() == pytest.approx([1.0, 2.0], abs=1e-5)


def test_no_ball_no_attack_and_a_state_of_zero_stays(layers):
    states = torch.tensor([[[3.0, 4.0]], [[0.0, 0.0]]])
    assert torch.equal(logits_under(layers, states, 0.0, 3), states)
    assert logits_under(layers, states, 0.5, 3)[1].tolist() == [[0.0, 0.0]]


def test_no_gradient_of_the_search_reaches_the_weights():
    layer, states = torch.nn.Linear(2, 2), torch.tensor([[[3.0, 4.0]], [[6.0, 8.0]]])
    with attacked(layer, lambda: layer(states), LABELS, epsilon=0.2, steps=3):
        assert layer.weight.grad is None
        nll(layer(states), LABELS).backward()
    assert layer.weight.grad.abs().sum() > 0
    assert not layer._forward_hooks
