"""What a model holds likely, beside what it says: memorisation, truth ratio, membership, exposure, contrastive margin.

No harness gives image log-likelihoods, so they are computed here, with the batches that training uses: answer positions
only, teacher forcing, the end-of-sequence token left out. The formulas are in mllmu_med_metrics (memorisation,
distribution, membership).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from baselines.evaluation.candidates import alternatives, answer_log_probs, given_values
from baselines.losses import IGNORED
from baselines.model import models
from baselines.run.disk import writing
from baselines.run.folder_lock import taken
from baselines.training.collate import Encoder, Example, answer_logits
from baselines.training.roles import Order, Row, Rows, read_rows
from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import checksums
from mllmu_med_metrics.likelihood import membership, memorisation
from mllmu_med_metrics.vocabulary import PRIVATE

BATCH = 16
LIKELIHOOD = "likelihood.json"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TokenScores:
    """What teacher forcing says of one answer, a value a token: log p in nats, whether the token is the likeliest one,
    and mean and standard deviation of log p over the vocabulary under the model itself."""

    log_probs: tuple[float, ...]
    hits: tuple[bool, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]


@torch.no_grad()
def token_scores(
    model: torch.nn.Module, encoder: Encoder, examples: Sequence[Example], batch: int = BATCH
) -> list[TokenScores]:
    """Return the scores of each example's answer, in the order given; batches hold answers of like length."""
    order = sorted(range(len(examples)), key=lambda place: examples[place].length)
    found: dict[int, TokenScores] = {}
    for first in range(0, len(order), batch):
        places = order[first : first + batch]
        collated = encoder.batch([examples[place] for place in places])
        logits = answer_logits(model, collated).float()
        for place, row_logits, labels in zip(places, logits, collated.labels, strict=True):
            found[place] = _row_scores(row_logits, labels)
    return [found[place] for place in range(len(examples))]


def _row_scores(logits: Tensor, labels: Tensor) -> TokenScores:
    """Return the scores of one row: logits [positions, vocabulary], labels [positions], whose last ends the answer."""
    answered = (labels != IGNORED).nonzero().squeeze(-1)[:-1]
    log_p = logits[answered].double().log_softmax(-1)
    p, wanted = log_p.exp(), labels[answered]
    means = (p * log_p).sum(-1)
    variances = (p * log_p.square()).sum(-1) - means.square()
    return TokenScores(
        log_probs=tuple(log_p.gather(-1, wanted.unsqueeze(-1)).squeeze(-1).tolist()),
        hits=tuple((log_p.argmax(-1) == wanted).tolist()),
        means=tuple(means.tolist()),
        deviations=tuple(variances.clamp(min=0).sqrt().tolist()),
    )


def likelihood(
    *,
    model: str | Path,
    data_dir: Path,
    scenario: str,
    percent: int = 10,
    out: Path,
    batch: int = BATCH,
    exposed_rows: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, object]:
    """Write OUT/likelihood.json: one entry for every forget and holdout row, and how it was made; return it.

    ``exposed_rows``: for so many forget rows (a seeded sample) the exposure of each identifier is computed too, which
    asks the model about up to 10,000 candidates each.
    """
    path = out / LIKELIHOOD
    made_of = {
        "model_digest": models.digest(model),
        "data_digest": checksums(data_dir)["dataset_sha256"],
        "scenario": scenario,
        "percent": percent,
        "exposed_rows": exposed_rows,
        "seed": seed,
    }
    if path.is_file():
        return _kept(out, model, made_of)
    rows = read_rows(data_dir, scenario, percent)
    with taken(out):
        entries = _measured(rows, model, scenario, batch, exposed_rows, seed, progress)
        document = {"settings": made_of, "rows": entries}
        with writing(out):
            write_atomically(path, json.dumps(document, indent=1, allow_nan=False) + "\n")
    return document


def _measured(
    rows: Rows, model: str, scenario: str, batch: int, exposed_rows: int, seed: int, progress: Progress | None
) -> list[dict[str, object]]:
    """Return the entry of every forget and holdout row."""
    loaded = models.load(model, "float32")
    encoder = Encoder(loaded.model, loaded.processor)
    asked = list(_asked(rows))
    texts = [(row, text) for row, _ in asked for text in texts_of(row)]
    done = 0

    def scores(pairs: Sequence[tuple[Row, str]]) -> dict[tuple[str, str], TokenScores]:
        nonlocal done
        known: dict[tuple[str, str], TokenScores] = {}
        for first in range(0, len(pairs), 16 * batch):
            part = pairs[first : first + 16 * batch]
            examples = [encoder.example(row, text) for row, text in part]
            for (row, text), one in zip(part, token_scores(loaded.model, encoder, examples, batch), strict=True):
                known[str(row["id"]), text] = one
            done += len(part)
            if progress is not None:
                progress(min(done, len(texts)), len(texts))
        return known

    known = scores(texts)
    entries = [entry_of(row, subset, known) for row, subset in asked]
    for entry in _exposures(rows, exposed_rows, seed, loaded.model, encoder) if scenario in PRIVATE else ():
        next(one for one in entries if one["id"] == entry["id"])["exposure"] = entry["exposure"]
    return entries


def _kept(out: Path, model: str | Path, made_of: Mapping[str, object]) -> dict[str, object]:
    """Return the likelihoods in the folder where they are these; a :class:`UserError` where they are others."""
    kept = read(out)
    settings = kept["settings"]
    if models.is_digest_of(settings.get("model_digest"), model):  # by the rule of its time
        settings = {**settings, "model_digest": made_of["model_digest"]}
    if settings == made_of:
        return kept
    differing = [key for key, value in made_of.items() if settings.get(key) != value]
    raise UserError(
        f"'{out}' holds likelihoods made otherwise ({', '.join(differing)}). Name another --out folder, or remove this "
        "one."
    )


def read(folder: Path) -> dict[str, object]:
    """Return the likelihoods written into a folder; a :class:`UserError` where there are none that can be read."""
    path = folder / LIKELIHOOD
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        document["settings"], document["rows"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"'{folder}' holds no likelihoods that can be read ({error!r}). Make them with: mllmu-med likelihood "
            f"--model RUN --data DIR --scenario SCENARIO --out {folder}"
        ) from None
    return document


def _asked(rows: Rows) -> Iterator[tuple[Row, str]]:
    yield from ((row, "forget") for row in rows.forget)
    yield from ((row, "holdout") for row in rows.holdout)


def texts_of(row: Row) -> list[str]:
    """Return the answers whose likelihood a row's metrics need."""
    truth = [] if row["wrong_fact"] is None else [row["true_answer"]]  # for the margin
    return list(dict.fromkeys([row["answer"], *truth, *row["paraphrase_answers"], *row["wrong_answers"]]))


def entry_of(row: Row, subset: str, known: Mapping[tuple[str, str], TokenScores]) -> dict[str, object]:
    """Return a row's metrics from the scores of the answers that they need, by row id and text."""

    def of(text: str) -> TokenScores:
        return known[str(row["id"]), text]

    own = of(row["answer"])
    paraphrases = [memorisation.mean_log_prob(of(text).log_probs) for text in row["paraphrase_answers"]]
    wrong = [memorisation.mean_log_prob(of(text).log_probs) for text in row["wrong_answers"]]
    ratio = memorisation.truth_ratio(sum(paraphrases) / len(paraphrases), wrong) if paraphrases else None
    is_wrong = row["wrong_fact"] is not None
    return {
        "id": row["id"],
        "subset": subset,
        "patient_id": row["patient_id"],
        "tokens": len(own.log_probs),
        "probability": memorisation.probability(own.log_probs),
        "exact_memorisation": memorisation.exact_memorisation(own.hits),
        "extraction_strength": memorisation.extraction_strength(own.hits),
        "truth_ratio": ratio,
        "margin": memorisation.margin(of(row["true_answer"]).log_probs, own.log_probs) if is_wrong else None,
        "membership": membership.row_scores(own.log_probs, own.means, own.deviations, row["answer"]),
    }


def _exposures(
    rows: Rows, count: int, seed: int, model: torch.nn.Module, encoder: Encoder
) -> Iterator[dict[str, object]]:
    """Yield, for a seeded sample of the forget rows, the exposure of each identifier among the generator's others."""
    forget = rows.forget
    taken = given_values(rows)
    order = Order([str(row["id"]) for row in forget], seed, "exposure")
    for place, _ in order.step(0, min(count, len(forget))):
        row, found = forget[place], []
        for item in row["phi"]:
            answers = alternatives(row, item, seed=seed, taken=taken)
            if answers is None:
                continue
            texts = [answers.answer, *answers.others]
            secret, *others = answer_log_probs(model, encoder, row, texts)
            bits = memorisation.exposure(secret, others)
            found.append({"kind": item["kind"], "bits": bits, "candidates": len(others), "is_exact": answers.is_exact})
        yield {"id": row["id"], "exposure": found}
