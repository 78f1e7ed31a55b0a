"""The reference: what the target says, from the same weights with the unlearning adapter off."""

import torch
from torch import Tensor

from baselines.collate import Batch, answer_logits


def reference_logits(model: torch.nn.Module, batch: Batch) -> Tensor:
    """Return the target's logits at answer positions, without gradient and without a second copy of the model."""
    with torch.no_grad(), model.disable_adapter():
        return answer_logits(model, batch)
