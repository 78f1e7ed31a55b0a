"""A latent attack: hidden states moved, within a ball, to where a model says the answers that it is to forget.

Latent adversarial training (Sheshadri et al. 2024, arXiv 2407.15549) perturbs the residual stream after a layer by
projected gradient descent, each position of each row within a ball of its own, and trains the model as it is then. No
row's perturbation depends on another's, so that how a step is split changes nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from baselines.losses import nll_per_row

TINY = 1e-30


@contextmanager
def attacked(
    layer: nn.Module, answered: Callable[[], Tensor], labels: Tensor, *, epsilon: float, steps: int
) -> Iterator[None]:
    """Find the perturbation of a layer's output that makes the labels likeliest, and leave it on while inside.

    `answered` returns the model's logits at the answer positions: [rows, positions, vocabulary] for labels [rows,
    positions]. Every state moves by at most `epsilon` times the norm that it has without the attack; each of the steps
    goes 2 / steps of that way down its own gradient. No gradient of the search reaches the weights.
    """
    pushed = _Pushed()
    handle = layer.register_forward_hook(pushed.hook)
    try:
        for _ in range(steps):
            loss = nll_per_row(answered(), labels).sum()
            pushed.step(*torch.autograd.grad(loss, [pushed.push]), epsilon=epsilon, share=2 / steps)
        pushed.push.requires_grad_(False)
        yield
    finally:
        handle.remove()


class _Pushed:
    """The perturbation of a layer's output: [rows, positions, width], in float32; none before the first pass."""

    def __init__(self) -> None:
        self.push: Tensor | None = None
        self._norms: Tensor | None = None

    def hook(self, _: nn.Module, __: object, output: Tensor | tuple) -> Tensor | tuple:
        """Add the perturbation to what the layer returns."""
        hidden = output[0] if isinstance(output, tuple) else output
        if self.push is None:
            self._norms = hidden.detach().float().norm(dim=-1, keepdim=True)
            self.push = torch.zeros_like(hidden, dtype=torch.float32).requires_grad_(True)
        hidden = hidden + self.push.to(hidden.dtype)
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    def step(self, gradient: Tensor, *, epsilon: float, share: float) -> None:
        """Go down the gradient, a share of the radius, and back into the ball where that leads out of it."""
        radius = epsilon * self._norms
        moved = self.push.detach() - share * radius * gradient / gradient.norm(dim=-1, keepdim=True).clamp(min=TINY)
        inside = moved * (radius / moved.norm(dim=-1, keepdim=True).clamp(min=TINY)).clamp(max=1)
        self.push = inside.requires_grad_(True)
