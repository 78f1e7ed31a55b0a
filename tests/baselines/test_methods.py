"""The contract every method signs, and one value per method derived by hand."""

import math

import pytest
import torch

from baselines import methods
from baselines.collate import Encoder, answer_logits
from baselines.config import Lora
from baselines.losses import IGNORED, kl, nll
from baselines.methods import METHODS, Answers
from baselines.roles import role_rows
from baselines.train import method_terms, with_adapter
from mllmu_med_dataset.errors import UserError

ALL = pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))
TERMS = pytest.mark.parametrize(
    ("method", "term"), [(method, term) for method in METHODS.values() for term in method.terms]
)
LOG3 = math.log(3)


def answers_of(method, rows=4, positions=6, vocabulary=13, seed=0):
    """Return random float64 answers of every role that a method reads, and nothing else."""
    draw = torch.Generator().manual_seed(seed)
    found = {}
    for role in method.roles:
        logits = torch.randn(rows, positions, vocabulary, generator=draw, dtype=torch.float64, requires_grad=True)
        labels = torch.randint(0, vocabulary, (rows, positions), generator=draw)
        for row in range(rows):
            labels[row, : row % 3] = IGNORED
        reference = torch.randn(logits.shape, generator=draw, dtype=torch.float64)
        found[role] = Answers(logits, labels, reference if role in method.reference_roles else None)
    return found


def mapped(answers, change):
    """Return the answers with every tensor changed by the same function."""
    return {
        role: Answers(change(one.logits), change(one.labels), None if one.reference is None else change(one.reference))
        for role, one in answers.items()
    }


def values(terms):
    return {name: term.item() for name, term in terms.items()}


@ALL
def test_terms_are_finite_and_the_ones_declared(method):
    terms = method.loss(answers_of(method), method.defaults)
    assert set(terms) == set(method.terms)
    assert all(term.ndim == 0 and torch.isfinite(term) for term in terms.values())


@ALL
def test_every_role_that_is_read_gets_a_gradient(method):
    answers = answers_of(method)
    sum(method.loss(answers, method.defaults).values()).backward()
    for role, one in answers.items():
        assert one.logits.grad.abs().sum() > 0, role
        assert one.logits.grad[one.labels == IGNORED].abs().sum() == 0, role


@ALL
def test_padding_changes_nothing(method):
    answers = answers_of(method)
    padded = {
        role: Answers(
            torch.cat([torch.full((4, 3, 13), 7.0), one.logits], 1),
            torch.cat([torch.full((4, 3), IGNORED), one.labels], 1),
            None if one.reference is None else torch.cat([torch.zeros(4, 3, 13), one.reference], 1),
        )
        for role, one in answers.items()
    }
    assert values(method.loss(padded, method.defaults)) == pytest.approx(
        values(method.loss(answers, method.defaults)), abs=1e-12
    )


@ALL
def test_the_order_of_the_rows_changes_nothing(method):
    answers, order = answers_of(method), torch.tensor([2, 0, 3, 1])
    shuffled = mapped(answers, lambda tensor: tensor[order])
    assert values(method.loss(shuffled, method.defaults)) == pytest.approx(
        values(method.loss(answers, method.defaults)), abs=1e-12
    )


@ALL
def test_repeating_the_batch_changes_nothing(method):
    answers = answers_of(method)
    twice = mapped(answers, lambda tensor: torch.cat([tensor, tensor]))
    assert values(method.loss(twice, method.defaults)) == pytest.approx(
        values(method.loss(answers, method.defaults)), abs=1e-12
    )


@ALL
def test_eight_rows_at_once_equal_four_times_two(method):
    whole = answers_of(method, rows=8)
    loss = sum(method.loss(whole, method.defaults).values())
    loss.backward()
    split = answers_of(method, rows=8)
    total = 0.0
    for first in range(0, 8, 2):
        part = mapped(split, lambda tensor, first=first: tensor[first : first + 2])
        one = sum(method.loss(part, method.defaults).values()) / 4
        one.backward()
        total += one.item()
    assert total == pytest.approx(loss.item(), abs=1e-12)
    for role in method.roles:
        assert torch.allclose(split[role].logits.grad, whole[role].logits.grad, atol=1e-12)


@TERMS
def test_a_step_on_one_term_moves_its_answers_as_stated(method, term, loaded, data):
    """The role that a term reads is the one whose logits it gives a gradient."""
    model = with_adapter(loaded.model, Lora(rank=4, alpha=8), seed=0).double()
    for name, part in model.named_parameters():
        if "lora_B" in name:  # away from the reference, else its divergence is 0 and has no gradient
            torch.nn.init.normal_(part, std=0.2, generator=torch.Generator().manual_seed(1))
    encoder = Encoder(model, loaded.processor)
    batches = {
        role: encoder.batch([encoder.example(*answers[0]) for answers in role_rows(role, data, "privacy", 0)])
        for role in method.roles
    }
    probe = answers_of(method)
    gradients = torch.autograd.grad(
        method.loss(probe, method.defaults)[term], [one.logits for one in probe.values()], allow_unused=True
    )
    read = [role for role, gradient in zip(probe, gradients, strict=True) if gradient is not None]
    assert len(read) == 1

    def measured():
        with torch.no_grad():
            logits = answer_logits(model, batches[read[0]])
            if method.terms[term] == "closer to the reference":
                with model.disable_adapter():
                    reference = answer_logits(model, batches[read[0]])
                return kl(reference, logits, batches[read[0]].labels).item()
            return nll(logits, batches[read[0]].labels).item()

    before = measured()
    method_terms(method, model, batches, method.defaults)[term].backward()
    for part in model.parameters():
        if part.grad is not None:
            part.data -= 1e-3 * part.grad
    rises = method.terms[term] == "less likely"
    assert measured() > before if rises else measured() < before


def one_token(reference=False):
    """Return one row, one token: p = (3/4, 1/4), the answer is token 0, the reference (where asked for) uniform."""
    return Answers(torch.tensor([[[LOG3, 0.0]]]), torch.tensor([[0]]), torch.zeros(1, 1, 2) if reference else None)


def test_ga_by_hand():
    """The answer has probability 3/4: -nll = ln(3/4)."""
    found = values(METHODS["ga"].loss({"forget": one_token()}, {}))
    assert found == pytest.approx({"forget_ascent": math.log(3 / 4)}, abs=1e-6)


def test_gd_by_hand():
    """Both roles have nll ln(4/3), weighed 2 and 3: -2 ln(4/3) and 3 ln(4/3)."""
    options = {"forget_weight": 2.0, "retain_weight": 3.0}
    found = values(METHODS["gd"].loss({"forget": one_token(), "retain": one_token()}, options))
    expected = {"forget_ascent": -2 * math.log(4 / 3), "retain_nll": 3 * math.log(4 / 3)}
    assert found == pytest.approx(expected, abs=1e-6)


def test_kl_min_by_hand():
    """Retain: KL((1/2, 1/2) || (3/4, 1/4)) = 1/2 ln(2/3) + 1/2 ln 2 = 1/2 ln(4/3), weighed 2: ln(4/3)."""
    found = values(METHODS["kl_min"].loss({"forget": one_token(), "retain": one_token(True)}, {"kl_weight": 2.0}))
    assert found == pytest.approx({"forget_ascent": math.log(3 / 4), "retain_kl": math.log(4 / 3)}, abs=1e-6)


def test_idk_by_hand():
    """The refusal has nll ln(4/3); retain the same, weighed 1/2."""
    found = values(METHODS["idk"].loss({"forget_idk": one_token(), "retain": one_token()}, {"retain_weight": 0.5}))
    expected = {"refusal_nll": math.log(4 / 3), "retain_nll": 0.5 * math.log(4 / 3)}
    assert found == pytest.approx(expected, abs=1e-6)


def test_llmu_by_hand():
    """At the paper's weights: -0.5 ln(4/3), ln(4/3), and KL 1/2 ln(4/3): they sum to ln(4/3)."""
    roles = {"forget": one_token(), "forget_random": one_token(), "retain": one_token(True)}
    found = values(METHODS["llmu"].loss(roles, METHODS["llmu"].defaults))
    assert sum(found.values()) == pytest.approx(math.log(4 / 3), abs=1e-6)
    assert found["forget_ascent"] == pytest.approx(-0.5 * math.log(4 / 3), abs=1e-6)


def test_defaults_are_the_published_weights():
    assert METHODS["gd"].defaults == {"forget_weight": 1.0, "retain_weight": 1.0}
    assert METHODS["llmu"].defaults == {
        "forget_weight": 0.5, "mismatched_weight": 1.0, "kl_weight": 1.0, "mismatched_answers": 5,
    }  # fmt: skip


def test_methods_without_a_lower_bound_say_so():
    assert {name for name, method in METHODS.items() if method.ascends} == {"ga", "gd", "kl_min", "llmu"}


def test_an_unknown_method_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'kl_min'"):
        methods.get("klmin")
