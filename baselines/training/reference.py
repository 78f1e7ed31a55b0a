"""What a method reads of the model and of the target: logits at answer positions, hidden states after one layer.

The target is the same weights with the unlearning adapter off, in eval mode: there is no second copy of the model, and
the vision tower, frozen and the same for both, looks at a batch once.
"""

import copy
import itertools
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor
from transformers.utils import ModelOutput

from baselines.methods import Answers, Method
from baselines.model.models import decoder_layers, vision_tower
from baselines.training.collate import Batch, answer_logits
from baselines.training.latent_attack import attacked


def read_answers(
    method: Method, model: torch.nn.Module, batches: Mapping[str, Batch], options: Mapping[str, float]
) -> dict[str, Answers]:
    """Return what a method's loss reads of one batch of each of its roles."""
    layer = read_layer(method, model, options)
    answers = {}
    for role in method.roles:
        batch, reference, reference_hidden, looks = batches[role], None, None, nullcontext()
        under_attack = role in method.attacked_roles
        if role in method.reference_roles or method.reads_layer or under_attack:
            seen: list[object] = []
            off = model.disable_adapter()
            with torch.no_grad(), off, _looking(model, seen), _captured(model, layer, batch) as captured:
                reference = answer_logits(model, batch)
            reference_hidden, looks = captured.get("hidden"), _looking(model, seen, again=True)
        attack = _attacked(model, options, batch) if under_attack else nullcontext()
        with looks, attack, _captured(model, layer, batch) as captured:
            logits = answer_logits(model, batch)
        answers[role] = Answers(logits, batch.labels, reference, captured.get("hidden"), reference_hidden)
    return answers


def method_terms(
    method: Method, model: torch.nn.Module, batches: Mapping[str, Batch], options: Mapping[str, float]
) -> dict[str, Tensor]:
    """Return a method's terms on one batch of each of its roles, with the reference logits that it declares."""
    return method.loss(read_answers(method, model, batches, options), options)


def read_layer(method: Method, model: torch.nn.Module, options: Mapping[str, float]) -> int | None:
    """Return the place of the decoder layer whose output a method reads; none for a method that reads no layer."""
    return _layer_at(model, options["layer_share"]) if method.reads_layer else None


def trained_layers(method: Method, model: torch.nn.Module, options: Mapping[str, float]) -> list[int]:
    """Return the places of the decoder layers whose MLPs a method that reads a layer trains."""
    last = read_layer(method, model, options)
    return list(range(max(0, last - int(options["layers"]) + 1), last + 1))


def _layer_at(model: torch.nn.Module, share: float) -> int:
    count = len(decoder_layers(_plain(model)))
    return min(round(share * count), count - 1)


def _attacked(model: torch.nn.Module, options: Mapping[str, float], batch: Batch) -> AbstractContextManager[None]:
    """Return the context in which a batch is read under the strongest latent attack that the options allow."""
    layer = decoder_layers(_plain(model))[_layer_at(model, options["layer_share"])]
    answered = partial(answer_logits, model, batch)
    return attacked(layer, answered, batch.labels, epsilon=options["epsilon"], steps=int(options["attack_steps"]))


@contextmanager
def _looking(model: torch.nn.Module, seen: list[object], *, again: bool = False) -> Iterator[None]:
    """Keep what the vision tower gives, call by call; again, take it from there instead of looking, round and round."""
    _, tower = vision_tower(_plain(model))
    look, own = tower.forward, vars(tower).get("forward")

    def keep(*given: object, **named: object) -> object:
        found = look(*given, **named)
        seen.append(_copied(found))
        return found

    round_and_round = map(_copied, itertools.cycle(seen))
    tower.forward = (lambda *_, **__: next(round_and_round)) if again else keep
    try:
        yield
    finally:
        del tower.forward
        if own is not None:  # of a hook
            tower.forward = own


def _copied(found: object) -> object:
    """Return a copy of what a tower returns, into which some models write."""
    return copy.copy(found) if isinstance(found, ModelOutput) else found


@contextmanager
def _captured(model: torch.nn.Module, layer: int | None, batch: Batch) -> Iterator[dict[str, Tensor]]:
    """Catch the output of a decoder layer at the answer positions while the model runs."""
    captured: dict[str, Tensor] = {}
    if layer is None:
        yield captured
        return

    def keep(_: torch.nn.Module, __: object, output: Tensor | tuple) -> None:
        hidden = output[0] if isinstance(output, tuple) else output
        captured["hidden"] = hidden[:, -batch.labels.shape[1] :]

    handle = decoder_layers(_plain(model))[layer].register_forward_hook(keep)
    try:
        yield captured
    finally:
        handle.remove()


def _plain(model: torch.nn.Module) -> torch.nn.Module:
    """Return the model inside an adapter."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
