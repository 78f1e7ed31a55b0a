"""The contract every method signs, and one value per method derived by hand."""

import math

import pytest
import torch

from baselines import methods
from baselines.config import Lora
from baselines.losses import IGNORED, kl, nll
from baselines.methods import METHODS, Answers
from baselines.model import models
from baselines.model.adapter import with_adapter
from baselines.training.collate import Encoder, answer_logits
from baselines.training.fisher import fisher
from baselines.training.reference import method_terms, read_answers
from baselines.training.roles import role_rows
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
        hidden = torch.randn(rows, positions, 7, generator=draw, dtype=torch.float64, requires_grad=True)
        states = (hidden, torch.randn(hidden.shape, generator=draw, dtype=torch.float64)) if method.reads_layer else ()
        found[role] = Answers(logits, labels, reference if role in method.reference_roles else None, *states)
    return found


def read_of(method, answers):
    """Return the tensor of a role's answers that the method's loss reads."""
    return answers.hidden if method.reads_layer else answers.logits


def mapped(answers, change):
    """Return the answers with every tensor changed by the same function."""
    return {
        role: Answers(*(None if part is None else change(part) for part in vars(one).values()))
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
        gradient = read_of(method, one).grad
        assert gradient.abs().sum() > 0, role
        assert gradient[one.labels == IGNORED].abs().sum() == 0, role


@ALL
def test_padding_changes_nothing(method):
    answers = answers_of(method)

    def pad(part):
        filler = IGNORED if part.ndim == 2 else 7.0
        return torch.cat([torch.full((4, 3, *part.shape[2:]), filler, dtype=part.dtype), part], 1)

    padded = mapped(answers, pad)
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
        gradients = (read_of(method, answers[role]).grad for answers in (split, whole))
        assert torch.allclose(*gradients, atol=1e-12)


@ALL
def test_the_vision_tower_looks_once_at_a_batch_and_nothing_else_changes(method, loaded, data, monkeypatch):
    model = with_adapter(loaded.model, Lora(rank=4, alpha=8), seed=0)
    for name, part in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(part, std=0.2, generator=torch.Generator().manual_seed(1))
    encoder = Encoder(model, loaded.processor)
    batches = {
        role: encoder.batch([encoder.example(*answers[0]) for answers in role_rows(role, data, "privacy", 0)])
        for role in method.roles
    }
    _, tower = models.vision_tower(loaded.model)
    look, looks = type(tower).forward, []
    monkeypatch.setattr(type(tower), "forward", lambda *given, **named: looks.append(1) or look(*given, **named))
    options = method.defaults | ({"epsilon": 0.0} if method.attacked_roles else {})  # an attack that moves nothing
    found = read_answers(method, model, batches, options)
    assert len(looks) == len(method.roles)
    assert "forward" not in vars(tower)  # outside, the tower looks anew
    for role, answers in found.items():
        assert torch.equal(answers.logits, answer_logits(model, batches[role]))
        if answers.reference is not None:
            with model.disable_adapter():
                assert torch.equal(answers.reference, answer_logits(model, batches[role]))


# An untrained model is past the point where SimNPO stops pushing; with a margin it pushes still.
STILL_PUSHING = {"simnpo": {"delta": 20.0}}


@TERMS
def test_a_step_on_one_term_moves_its_answers_as_stated(method, term, loaded, data):
    """The role that a term reads is the one whose logits it gives a gradient."""
    options = method.defaults | STILL_PUSHING.get(method.name, {})
    model = with_adapter(loaded.model, Lora(rank=4, alpha=8), seed=0).double()
    for name, part in model.named_parameters():
        if "lora_B" in name:  # away from the reference, else its divergence is 0 and has no gradient
            torch.nn.init.normal_(part, std=0.2, generator=torch.Generator().manual_seed(1))
    encoder = Encoder(model, loaded.processor)
    refusals = int(options.get("distinct_refusals", 1))
    batches = {
        role: encoder.batch([encoder.example(*rows[0]) for rows in role_rows(role, data, "privacy", 0, 1, refusals)])
        for role in method.roles
    }
    probe = answers_of(method)
    gradients = torch.autograd.grad(
        method.loss(probe, options)[term], [read_of(method, one) for one in probe.values()], allow_unused=True
    )
    read = [role for role, gradient in zip(probe, gradients, strict=True) if gradient is not None]
    assert len(read) == (2 if method.terms[term] == "preferred" else 1)

    def measured():
        with torch.no_grad():
            logits = answer_logits(model, batches[read[0]])
            if method.terms[term] == "preferred":
                rejected = batches[read[1]]
                better = nll(logits, batches[read[0]].labels)
                return (better - nll(answer_logits(model, rejected), rejected.labels)).item()
            if method.reads_layer:
                one = read_answers(method, model, batches, options)
                if method.terms[term] == "elsewhere":  # where to, only the term itself knows
                    return method.loss(one, options)[term].item()
                states = one[read[0]]
                return (states.hidden - states.reference_hidden)[states.labels != IGNORED].square().sum().item()
            if method.terms[term] == "closer to the reference":
                with model.disable_adapter():
                    reference = answer_logits(model, batches[read[0]])
                return kl(reference, logits, batches[read[0]].labels).item()
            return nll(logits, batches[read[0]].labels).item()

    before = measured()
    method_terms(method, model, batches, options)[term].backward()
    for part in model.parameters():
        if part.grad is not None:
            part.data -= 1e-5 * part.grad
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


def test_npo_by_hand():
    """p = 3/4, p0 = 1/2, beta 2: -log sigmoid(-2 ln(3/2)) = ln(1 + (3/2)^2) = ln(13/4); retain ln(4/3)."""
    options = {"beta": 2.0, "retain_weight": 1.0}
    found = values(METHODS["npo"].loss({"forget": one_token(True), "retain": one_token()}, options))
    assert found == pytest.approx({"forget_npo": math.log(13 / 4), "retain_nll": math.log(4 / 3)}, abs=1e-6)


def test_npo_sums_over_the_answer():
    """Two tokens of 3/4 each are an answer of 9/16 against 1/4: ln(1 + (9/4)^2) at beta 2."""
    two = Answers(
        *(torch.cat([part, part], 1) for part in (one_token().logits, one_token().labels)), torch.zeros(1, 2, 2)
    )
    found = values(METHODS["npo"].loss({"forget": two, "retain": one_token()}, {"beta": 2.0, "retain_weight": 1.0}))
    assert found["forget_npo"] == pytest.approx(math.log(1 + (9 / 4) ** 2), abs=1e-6)


@pytest.mark.parametrize("name", ["npo_sam", "npo_lat"])
def test_what_hardens_npo_is_no_part_of_its_loss(name):
    """As npo by hand: the weights or states it reads are moved, the terms are the same."""
    method = METHODS[name]
    assert method.loss is METHODS["npo"].loss and dict(method.terms) == dict(METHODS["npo"].terms)
    assert method.sharpened in (None, *method.terms) and set(method.attacked_roles) <= set(method.roles)
    assert method.defaults.items() > METHODS["npo"].defaults.items()


def test_jensun_by_hand():
    """JSD to certainty, p = 3/4: ln 2 + (3/4 ln 3/4 - 7/4 ln 7/4) / 2; 1/4: ln 2 + (1/4 ln 1/4 - 5/4 ln 5/4) / 2.

    The refusal is tokens 1, 0; the forgotten answer is 0, 0, and each of its positions is turned to the refusal's
    first token, 1. Retain: model (3/4, 1/4), target (1/2, 1/2), M = (5/8, 3/8).
    """
    one = one_token(True)
    likely, unlikely = (math.log(2) + (p * math.log(p) - (1 + p) * math.log(1 + p)) / 2 for p in (3 / 4, 1 / 4))
    two = torch.cat([one.logits, one.logits], 1)
    refusal, forget = Answers(two, torch.tensor([[1, 0]])), Answers(two, torch.tensor([[0, 0]]))
    roles = {"forget_idk": refusal, "forget": forget, "retain": one}
    options = {"forget_weight": 2.0, "prefix_weight": 3.0, "retain_weight": 4.0}
    found = values(METHODS["jensun"].loss(roles, options))
    to_middle = 3 / 4 * math.log(6 / 5) + 1 / 4 * math.log(2 / 3) + 1 / 2 * math.log(4 / 5) + 1 / 2 * math.log(4 / 3)
    expected = {"refusal_jsd": likely + unlikely + 6 * unlikely, "retain_jsd": 4 * to_middle / 2}
    assert found == pytest.approx(expected, abs=1e-6)


def test_simnpo_by_hand():
    """nll = ln(4/3), beta 1, delta ln(4/3): 2 weight ln 2; retain ln(4/3)."""
    options = {"beta": 1.0, "delta": math.log(4 / 3), "forget_weight": 0.25, "retain_weight": 1.0}
    found = values(METHODS["simnpo"].loss({"forget": one_token(), "retain": one_token()}, options))
    assert found == pytest.approx({"forget_simnpo": 0.5 * math.log(2), "retain_nll": math.log(4 / 3)}, abs=1e-6)


@pytest.mark.parametrize(("name", "chosen", "term"), [
    ("dpo", "forget_idk", "refusal_preference"), ("corrective", "forget_true", "truth_preference"),
])  # fmt: skip
def test_preferences_by_hand(name, chosen, term):
    """Chosen: 1/4 against 1/2; rejected: 3/4 against 1/2. At beta 1: 2 ln(1 + 3) as d differs by -ln 3."""
    refused = one_token(True)
    wanted = Answers(refused.logits, torch.tensor([[1]]), refused.reference)
    options = {"beta": 1.0, "retain_weight": 0.0}
    found = values(METHODS[name].loss({chosen: wanted, "forget": refused, "retain": one_token()}, options))
    assert found == pytest.approx({term: 2 * math.log(4), "retain_nll": 0.0}, abs=1e-6)


def test_undial_by_hand():
    """Reference (ln 3, 0) less ln 3 at the answer is uniform: cross-entropy -1/2 (ln 3/4 + ln 1/4)."""
    answer = Answers(one_token().logits, torch.tensor([[0]]), torch.tensor([[[LOG3, 0.0]]]))
    found = values(METHODS["undial"].loss({"forget": answer}, {"strength": LOG3}))
    assert found == pytest.approx({"forget_distillation": -0.5 * math.log(3 / 16)}, abs=1e-6)


def test_task_vector_by_hand():
    """The loss is the nll, ln(4/3); the edit turns the product of the matrices round and scales it."""
    method = METHODS["task_vector"]
    assert values(method.loss({"forget": one_token()}, {})) == pytest.approx({"forget_nll": math.log(4 / 3)}, abs=1e-6)
    adapter = {"x.lora_A.weight": torch.tensor([[2.0, 1.0]]), "x.lora_B.weight": torch.tensor([[3.0], [-1.0]])}
    edited = method.edit(adapter, {"scale": 0.5})
    change, before = (one["x.lora_B.weight"] @ one["x.lora_A.weight"] for one in (edited, adapter))
    assert torch.equal(change, -0.5 * before)


def test_rmu_by_hand():
    """One position, width 1, u is 1 or -1: h = 3u, |h0| = 2, steering 2: (3/2 - 2)^2 = 1/4; hold (3u - 2)^2 / 4."""
    draw = torch.Generator().manual_seed(0)
    u = torch.sign(torch.randn(1, generator=draw, dtype=torch.float64))
    one = Answers(
        one_token().logits, torch.tensor([[0]]), None, (3 * u).view(1, 1, 1), torch.full((1, 1, 1), 2.0).double()
    )
    found = values(METHODS["rmu"].loss({"forget": one, "retain": one}, {"steering": 2.0, "retain_weight": 1.0}))
    assert found == pytest.approx({"forget_steering": 0.25, "retain_hold": (3 * u.item() - 2) ** 2 / 4}, abs=1e-9)


def test_mmunlearner_by_hand():
    """The loss is that of gd; a weight may change where forget's information exceeds twice that of retain."""
    method = METHODS["mmunlearner"]
    assert method.loss is METHODS["gd"].loss
    forget, retain = {"w": torch.tensor([0.0, 1.0, 2.0, 5.0])}, {"w": torch.tensor([0.0, 1.0, 1.0, 2.0])}
    assert method.gradient_mask(forget, retain, {"threshold": 2.0})["w"].tolist() == [0.0, 0.0, 0.0, 1.0]
    assert method.gradient_mask(forget, retain, {"threshold": 1.0})["w"].tolist() == [0.0, 0.0, 1.0, 1.0]


MASKS = pytest.mark.parametrize(
    "method", [method for method in METHODS.values() if method.gradient_mask], ids=lambda method: method.name
)


@MASKS
def test_a_mask_is_of_zeros_and_ones_and_never_frees_what_only_retain_needs(method):
    draw = torch.Generator().manual_seed(0)
    forget, retain = ({"a": torch.rand(5, 5, generator=draw), "b": torch.rand(5, generator=draw)} for _ in range(2))
    mask = method.gradient_mask(forget, retain, method.defaults)
    assert {name: part.shape for name, part in mask.items()} == {name: part.shape for name, part in forget.items()}
    assert all(set(part.flatten().tolist()) <= {0.0, 1.0} for part in mask.values())
    nothing = {name: torch.zeros_like(part) for name, part in forget.items()}
    assert not any(part.any() for part in method.gradient_mask(nothing, retain, method.defaults).values())


def test_fisher_information_is_the_mean_of_squared_row_gradients(loaded, data):
    model = with_adapter(loaded.model, Lora(rank=4, alpha=8), seed=0).double()
    encoder = Encoder(model, loaded.processor)
    examples = [encoder.example(row, str(row["answer"])) for row in data.forget[:3]]
    parameters = {name: part for name, part in model.named_parameters() if "lora_B" in name}
    found = fisher(model, encoder, examples, parameters)
    expected = {name: torch.zeros_like(part) for name, part in parameters.items()}
    for example in examples:
        batch = encoder.batch([example])
        nll(answer_logits(model, batch), batch.labels).backward()
        for name, part in parameters.items():
            expected[name] += part.grad**2 / 3
            part.grad = None
    assert all(torch.allclose(found[name], expected[name], atol=1e-12) for name in parameters)
    assert any(part.any() for part in found.values())


EDITS = pytest.mark.parametrize(
    "method", [method for method in METHODS.values() if method.edit], ids=lambda method: method.name
)


@EDITS
def test_an_edit_keeps_names_and_shapes_and_its_input(method):
    adapter = {f"{layer}.lora_{side}.weight": torch.randn(3, 3) for layer in "xy" for side in "AB"}
    before = {name: value.clone() for name, value in adapter.items()}
    edited = method.edit(adapter, method.defaults)
    assert {name: value.shape for name, value in edited.items()} == {name: v.shape for name, v in adapter.items()}
    assert all(torch.isfinite(value).all() for value in edited.values())
    assert all(torch.equal(adapter[name], before[name]) for name in adapter)
    assert any(not torch.equal(edited[name], before[name]) for name in adapter)


@EDITS
def test_an_edit_of_an_adapter_that_learned_nothing_changes_no_model(method):
    adapter = {"x.lora_A.weight": torch.randn(3, 3), "x.lora_B.weight": torch.zeros(3, 3)}
    edited = method.edit(adapter, method.defaults)
    assert not (edited["x.lora_B.weight"] @ edited["x.lora_A.weight"]).any()


def test_defaults_are_the_published_weights():
    assert METHODS["gd"].defaults == {"forget_weight": 1.0, "retain_weight": 1.0}
    assert METHODS["llmu"].defaults == {
        "forget_weight": 0.5, "mismatched_weight": 1.0, "kl_weight": 1.0, "mismatched_answers": 5,
    }  # fmt: skip


def test_methods_without_a_lower_bound_say_so():
    assert {name for name, method in METHODS.items() if method.ascends} == {"ga", "gd", "kl_min", "llmu", "mmunlearner"}


def test_an_unknown_method_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'kl_min'"):
        methods.get("klmin")
