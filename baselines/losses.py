"""Row losses at answer positions: negative log-likelihood and divergence from the reference, in float32."""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

IGNORED = -100  # label of a position that holds no answer token


def nll_per_row(logits: Tensor, labels: Tensor) -> Tensor:
    """Return each row's mean negative log-likelihood per answer token, in nats: [rows], >= 0, lower is likelier.

    `logits` [rows, positions, vocabulary] at position i predict `labels` [rows, positions] at i (already shifted);
    positions labelled -100 (prompt, image, padding) take no part.
    """
    each = cross_entropy(_precise(logits).flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none")
    return each.view_as(labels).sum(-1) / _tokens(labels)


def log_prob_per_row(logits: Tensor, labels: Tensor) -> Tensor:
    """Return each row's log-probability of its whole answer, summed over its tokens, in nats: [rows], <= 0."""
    return -nll_per_row(logits, labels) * _tokens(labels)


def nll(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over rows of `nll_per_row`: a scalar."""
    return nll_per_row(logits, labels).mean()


def kl_per_row(reference: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """Return each row's mean KL(reference || model) per answer token, in nats: [rows], >= 0, 0 when they agree.

    Both logits are [rows, positions, vocabulary]. The direction punishes the model for losing what the reference
    holds likely. Only labelled positions count, so padding can't change the result.
    """
    answered = labels != IGNORED
    p, q = log_softmax(_precise(reference[answered]), -1), log_softmax(_precise(logits[answered]), -1)
    return _per_row((p.exp() * (p - q)).sum(-1), labels)


def kl(reference: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over rows of `kl_per_row`: a scalar."""
    return kl_per_row(reference, logits, labels).mean()


def distillation_per_row(teacher: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """Return each row's mean cross-entropy of the model to softmax(teacher) per answer token, in nats: [rows], >= 0.

    Both logits are [rows, positions, vocabulary]; no gradient reaches the teacher. Only labelled positions count.
    """
    answered = labels != IGNORED
    p, q = _precise(teacher[answered]).detach().softmax(-1), log_softmax(_precise(logits[answered]), -1)
    return _per_row(-(p * q).sum(-1), labels)


def js(reference: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over rows of the mean JSD(reference || model) per answer token, in nats: a scalar, 0 to ln 2.

    Both logits are [rows, positions, vocabulary]. JSD(P || Q) = KL(P || M) / 2 + KL(Q || M) / 2 with M = (P + Q) / 2,
    0 when they agree. Only labelled positions count.
    """
    answered = labels != IGNORED
    p, q = log_softmax(_precise(reference[answered]), -1), log_softmax(_precise(logits[answered]), -1)
    middle = torch.logaddexp(p, q) - math.log(2)
    return _per_row((p.exp() * (p - middle) + q.exp() * (q - middle)).sum(-1) / 2, labels).mean()


def js_to_tokens(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over rows of the mean JSD per answer token of the model to certainty of the label: 0 to ln 2.

    With p the label's probability it is ln 2 + (p ln p - (1 + p) ln(1 + p)) / 2, so no other token need be looked at.
    Shapes as in `js`; unlike the negative log-likelihood it is bounded, and its gradient ends where p is 0.
    """
    answered = labels != IGNORED
    log_p = -cross_entropy(_precise(logits[answered]), labels[answered], reduction="none")
    p = log_p.exp()
    return _per_row(math.log(2) + (p * log_p - (1 + p) * p.log1p()) / 2, labels).mean()


def _per_row(each: Tensor, labels: Tensor) -> Tensor:
    """Return each row's mean of what was computed at the labelled positions, given one after the other, row by row."""
    answered = labels != IGNORED
    spread = torch.zeros(labels.shape, dtype=each.dtype, device=each.device).masked_scatter(answered, each)
    return spread.sum(-1) / _tokens(labels)


def _precise(logits: Tensor) -> Tensor:
    """Return the logits in float32 at least: sums of small probabilities vanish in half precision."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _tokens(labels: Tensor) -> Tensor:
    return (labels != IGNORED).sum(-1).clamp(min=1)
