"""How likely an answer is with each of many other values in one value's place, and what those answers are.

The answers share the image, the question and all tokens up to the value. A model reads these once; its cache is then
repeated over the answers, which differ in their ends alone. Teacher forcing, the end-of-sequence token left out.
"""

import copy
from collections.abc import Container, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from baselines.losses import IGNORED
from baselines.training.collate import Batch, Encoder, Example, answer_logits
from baselines.training.roles import Row, Rows
from mllmu_med_dataset.injection.incorrectness import replace_fact
from mllmu_med_dataset.injection.patients import NAMED_KINDS, candidates, renamed
from mllmu_med_dataset.injection.privacy import swapped
from mllmu_med_dataset.record import Tagged

BATCH = 64


@dataclass(frozen=True)
class Alternatives:
    """A row's answer and the same with other values in one value's place.

    others: distinct, none the answer itself. is_exact: whether they are all that the generator could have made.
    """

    answer: str
    others: tuple[str, ...]
    is_exact: bool


def alternatives(
    row: Row,
    item: Mapping[str, str],
    *,
    most: int = 10_000,
    sample: int = 1_000,
    seed: int = 0,
    taken: Container[tuple[str, str]] = frozenset(),
) -> Alternatives | None:
    """Return the row's answer with the generator's other values for one of its identifiers; None where it is not said.

    ``most``, ``sample``, ``seed`` and ``taken`` as in :func:`mllmu_med_dataset.injection.patients.candidates`. A name
    and the email address and url made from it change as one: a model that knows how an address is made would else
    rank the one that fits above all others, knowing no secret.
    """
    answer, own = str(row["answer"]), _changing(row, item)
    first = own[0]
    values, is_exact = candidates(first.kind, first.value, most=most, sample=sample, seed=seed, taken=taken)
    others = [Tagged(kind=first.kind, value=value) for value in values]
    for one in own[1:]:
        made = (renamed(one.kind, one.value, first.value, value) for value in values)
        others += [Tagged(kind=one.kind, value=value) for value in made if value is not None]
    made_of = tuple(dict.fromkeys(swapped(answer, own, others)))
    made_of = tuple(text for text in made_of if text != answer)
    return Alternatives(answer, made_of, is_exact) if made_of else None


def given_values(rows: Rows) -> Set[tuple[str, str]]:
    """Return every value that a row of the study carries as somebody's, with its kind, casefolded."""
    everybody = (*rows.forget, *rows.retain, *rows.holdout)
    items = (item for row in everybody for name in ("phi", "distractors") for item in row.get(name) or ())
    return {(item["kind"], item["value"].casefold()) for item in items}


def _changing(row: Row, item: Mapping[str, str]) -> list[Tagged]:
    """Return what changes with an identifier on a row: a name first, then what is made from it; else it alone."""
    itself, answer = Tagged(kind=item["kind"], value=item["value"]), str(row["answer"])
    tagged = [Tagged(kind=one["kind"], value=one["value"]) for one in row["phi"] if one["value"] in answer]
    for name in tagged if itself.kind in NAMED_KINDS else ():
        made = [one for one in tagged if renamed(one.kind, one.value, name.value, name.value) is not None]
        if name.kind == "name" and itself in (name, *made):
            return [name, *made]
    return [itself]


def closed_set_alternatives(row: Row) -> Alternatives | None:
    """Return a wrong answer with the other values of its closed set, the truth included; None where there is none."""
    if row["wrong_fact"] is None:
        return None
    answer, wrong, fact = str(row["answer"]), str(row["wrong_fact"]), str(row["fact"])
    texts = [
        str(row["true_answer"]) if value == fact else replace_fact(answer, wrong, str(value))
        for value in dict.fromkeys([fact, *row["fact_values"]])
        if value != wrong
    ]
    others = tuple(dict.fromkeys(text for text in texts if text != answer))
    return Alternatives(answer, others, True) if others else None


@torch.no_grad()
def answer_log_probs(
    model: torch.nn.Module, encoder: Encoder, row: Row, answers: Sequence[str], batch: int = BATCH
) -> list[float]:
    """Return the log-probability of each whole answer to a row, in nats, at most 0, in the order given.

    What the answers have in common is read once where the model's cache can be repeated, else with each of them; the
    numbers are the same to 1e-4. ``batch``: answers read at once.
    """
    distinct = list(dict.fromkeys(answers))
    examples = {text: encoder.example(row, text) for text in distinct}
    tokens = {text: example.answer[:-1] for text, example in examples.items()}
    common = _common([tokens[text] for text in distinct])
    first = examples[distinct[0]]
    prefix = encoder.batch([replace(first, answer=torch.cat([common, first.answer[-1:]]))])
    output = model(**prefix.inputs, logits_to_keep=len(common) + 1, use_cache=True)
    log_p = output.logits[0].double().log_softmax(-1).cpu()
    begun = float(log_p[:-1].gather(-1, common.unsqueeze(-1)).sum())
    tails = {text: own[len(common) :] for text, own in tokens.items()}
    totals = {text: begun + (float(log_p[-1, tail[0]]) if len(tail) else 0.0) for text, tail in tails.items()}
    longer = sorted((text for text, tail in tails.items() if len(tail) > 1), key=lambda text: len(tails[text]))
    cache = getattr(output, "past_key_values", None)
    if not _is_repeatable(cache):
        return _plainly(model, encoder, [examples[text] for text in answers], batch)
    for start in range(0, len(longer), batch):
        part = longer[start : start + batch]
        for text, value in zip(part, _ends(model, prefix, cache, [tails[text] for text in part]), strict=True):
            totals[text] += value
    return [totals[text] for text in answers]


def _common(texts: Sequence[Tensor]) -> Tensor:
    """Return the tokens with which every text begins."""
    shortest = min(len(text) for text in texts)
    alike = torch.stack([text[:shortest] == texts[0][:shortest] for text in texts]).all(0).long()
    return texts[0][: int(alike.cumprod(0).sum())]


def _ends(model: torch.nn.Module, prefix: Batch, cache: object, tails: Sequence[Tensor]) -> list[float]:
    """Return the log-probability of each tail, its first token (which the cache's last logits tell) left out.

    Tails are padded at their ends: what is read there comes after all that counts, so no mask is needed. Positions go
    on where the prefix was given some; a family that counts its own goes on by itself.
    """
    longest = max(len(tail) for tail in tails)
    ids = torch.zeros((len(tails), longest), dtype=torch.long)
    counts = torch.zeros((len(tails), longest - 1), dtype=torch.bool)
    for place, tail in enumerate(tails):
        ids[place, : len(tail)] = tail
        counts[place, : len(tail) - 1] = True
    repeated = copy.deepcopy(cache)
    repeated.batch_repeat_interleave(len(tails))
    device = prefix.labels.device
    inputs = {"input_ids": ids[:, :-1].to(device)}
    if "position_ids" in prefix.inputs:
        positions = prefix.inputs["position_ids"][:, -1:] + torch.arange(1, longest, device=device)
        inputs["position_ids"] = positions.expand(len(tails), -1)
    logits = model(**inputs, past_key_values=repeated, use_cache=True).logits
    wanted, counts = ids[:, 1:].to(device), counts.to(device)
    chosen = logits.gather(-1, wanted.unsqueeze(-1)).squeeze(-1).double() - logits.double().logsumexp(-1)
    return (chosen * counts).sum(-1).tolist()


def _is_repeatable(cache: object) -> bool:
    """Say whether a cache is keys and values of every layer that can be repeated over answers."""
    layers = getattr(cache, "layers", None)
    return bool(layers) and all(hasattr(layer, "batch_repeat_interleave") for layer in layers)


def _plainly(model: torch.nn.Module, encoder: Encoder, examples: Sequence[Example], batch: int) -> list[float]:
    """Return the log-probability of each example's answer, each read from its beginning."""
    totals = []
    for start in range(0, len(examples), batch):
        collated = encoder.batch(examples[start : start + batch])
        log_p = answer_logits(model, collated).double().log_softmax(-1)
        labels = collated.labels.clone()
        labels[:, -1] = IGNORED  # ends the answer
        each = log_p.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        totals += (each * (labels != IGNORED)).sum(-1).tolist()
    return totals
