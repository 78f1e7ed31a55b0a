"""Everything that metrics are computed from, of one model: what it answers and holds likely, before and after attacks.

Raw: answers, likelihoods and ranks by row or patient. Metrics are computed when all is there (`values`), so that
another one needs no model.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mllmu_med_dataset.load import PACKAGED, checksums, load
from mllmu_med_metrics.likelihood.membership import row_scores
from mllmu_med_metrics.vocabulary import VIEWS_OF, config_name

from .. import attacks
from ..attacks import exposure, quantise, relearn_few, relearning
from ..attacks.attacked import Attacked, AttackRows
from ..evaluation.likelihood import entry_of, texts_of, token_scores
from ..training.roles import Order, Row, Rows, read_rows

SAMPLE = 120  # rows of retain and of test, a seeded sample
BITS, GROUP = 4, 64
LIKELIHOOD_BATCH = 64
AFTER = ("few", "retain", "rounded")


@dataclass(frozen=True)
class Material:
    """The rows of a trial: those of learning, and those that are asked, without their images for the metrics."""

    rows: Rows
    views: Sequence[Row]
    test: Sequence[Row]
    retain: Sequence[Row]

    @property
    def asked(self) -> list[Row]:
        """Every row that an unattacked model is asked."""
        return [*self.rows.forget, *self.views, *self.rows.holdout, *self.test, *self.retain]

    @property
    def attacked(self) -> AttackRows:
        """The rows that are asked again under every attack: forget rows and what is asked outright."""
        return AttackRows.of(self.rows, [row for row in self.views if row["view"] == "direct"])


@lru_cache(maxsize=2)
def material(scenario: str) -> Material:
    """Return the rows of a scenario in the packaged data set, read once a process."""
    import datasets

    def stored(config: str, split: str) -> list[Row]:
        return list(load(config, split, str(PACKAGED)).cast_column("image", datasets.Image(decode=False)))

    rows = read_rows(PACKAGED, scenario)
    forget = config_name(scenario, "forget")
    patients = {row["patient_id"] for row in rows.forget}
    own = [row for row in rows.retain if row["patient_id"] in patients]
    built = checksums(PACKAGED)["content"][forget]
    views = [row for view in VIEWS_OF[scenario] if view in built for row in stored(forget, view)]
    return Material(
        rows=rows,
        views=views,
        test=_sample(stored(config_name(scenario, "test"), "test"), "test"),
        retain=own + _sample([row for row in rows.retain if row["patient_id"] not in patients], "retain"),
    )


def _sample(rows: Sequence[Row], name: str) -> list[Row]:
    order = Order([str(row["id"]) for row in rows], 0, f"trial {name}")
    return [rows[place] for place, _ in order.step(0, min(SAMPLE, len(rows)))]


def measure(
    model: str | Path, scenario: str, *, works: Callable[[Mapping[str, str]], bool], in_full: bool, candidates: int
) -> dict[str, object]:
    """Return what a model answers and holds likely, as it is and in every state of `AFTER`.

    `few` is relearned from a quarter of the forget patients and judged on the others, `retain` relearned from retain
    rows, `rounded` has weights of 4 bits in groups of 64. works: takes the answers and says whether the model still
    works; one that doesn't is measured in no state. in_full: with likelihoods and ranks in every state, else answers
    alone. A model with a weight that is not finite is `broken`, and nothing else is measured.
    """
    known, began = material(scenario), time.process_time()
    attacked = Attacked(model, known.attacked, scenario=scenario)
    record: dict[str, object] = {"broken": not all(bool(part.isfinite().all()) for part in attacked.model.parameters())}
    if not record["broken"]:
        answers = attacked.ask(known.asked)
        record |= {"answers": answers, **_held(attacked, known.rows.forget, candidates)}
        record["prefix"] = dict(attacks.get("prefix").harm(attacked, {}))
        record["after"] = {
            state: _after(attacked, state, in_full, candidates) for state in (AFTER if works(answers) else ())
        }
    return {**record, "processor_seconds": round(time.process_time() - began, 1)}


def judged_patients(scenario: str, state: str) -> frozenset[str]:
    """Return the forget patients that are judged in a state: those that are not relearned, else all."""
    patients = material(scenario).attacked.patients
    return frozenset(patients) - (relearn_few.quarter(patients, 0) if state == "few" else frozenset())


def _after(attacked: Attacked, state: str, in_full: bool, candidates: int) -> dict[str, object]:
    """Return what is measured of a model in a state; it is put back afterwards."""
    rows, patients = attacked.rows, judged_patients(attacked.scenario, state)
    with attacked.altered() as model:
        if state == "rounded":
            quantise.round_weights(model, BITS, GROUP)
        else:
            learned = rows.retain if state == "retain" else [r for r in rows.forget if r["patient_id"] not in patients]
            defaults = {name: option.default for name, option in relearning.OPTIONS.items()}
            relearning.relearn(attacked, learned, defaults, f"relearn_{state}")
        model.eval()
        state_record: dict[str, object] = {
            "answers": attacked.ask([r for r in rows.asked if r["patient_id"] in patients])
        }
        if in_full:
            forget = [row for row in rows.forget if row["patient_id"] in patients]
            state_record |= _held(attacked, forget, candidates)
    return state_record


def _held(attacked: Attacked, forget: Sequence[Row], candidates: int) -> dict[str, object]:
    """Return what a model holds likely: by row of forget, membership scores of holdout rows, ranks by patient."""
    encoder, holdout = attacked.encoder, attacked.rows.holdout
    pairs = [(row, text) for row in forget for text in texts_of(row)]
    pairs += [(row, str(row["answer"])) for row in holdout]
    examples = [encoder.example(row, text) for row, text in pairs]
    scores = token_scores(attacked.model, encoder, examples, LIKELIHOOD_BATCH)
    known = {(str(row["id"]), text): one for (row, text), one in zip(pairs, scores, strict=True)}
    others = [known[str(row["id"]), row["answer"]] for row in holdout]
    secrets = [
        one for one in _secrets(attacked.scenario, candidates) if one.patient in {r["patient_id"] for r in forget}
    ]
    return {
        "forget": [entry_of(row, "forget", known) for row in forget],
        "holdout": [
            row_scores(one.log_probs, one.means, one.deviations, str(row["answer"]))
            for row, one in zip(holdout, others, strict=True)
        ],
        "exposure": exposure.by_patient(secrets, exposure.shares(attacked, secrets)),
    }


@lru_cache(maxsize=2)
def _secrets(scenario: str, candidates: int) -> tuple[exposure.Judged, ...]:
    return tuple(exposure.judged(material(scenario).attacked, candidates=candidates, per_secret=1, seed=0))
