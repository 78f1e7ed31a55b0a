"""What the models of a sequence scored: each request's parts, in every draw of patients, with what stands beside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np

from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics import References, Scored
from mllmu_med_metrics.scoring import sequence
from mllmu_med_metrics.scoring.hierarchy import Run
from mllmu_med_metrics.scoring.interval import Floats, patient_weights
from mllmu_med_metrics.scoring.means import Sums, sums_of
from mllmu_med_metrics.scoring.ues import constants_of
from mllmu_med_tasks import scores

from ..run.health import verdict
from ..run.run_record import read_record
from ..study.study import EVALUATION
from .requests import ASKED_SUBSETS, Chain, Requests
from .stages import is_done

REPLICATES = 1000
WHY = {
    "f": "the target does not tell enough more than the gold of the patients who have asked",
    "s": "the gold tells next to none of the bystanders' identifiers",
    "r": "the gold knows next to nothing on retain",
    "t": "the gold knows next to nothing on test",
}


@dataclass(frozen=True)
class Measured:
    """One sequence, scored.

    steps: of each request its parts, and what stands beside them. drawn: the scores of the whole sequence in every
    draw, the first of all patients as they are. patients: how many they rest on. reason: why there is no headline.
    """

    chain: Chain
    steps: Sequence[Mapping[str, object]]
    drawn: Mapping[str, Floats]
    patients: int
    reason: str | None

    def run(self, name: str) -> Run:
        """Return a score of the whole sequence as a run of the hierarchy: headline, last or worst_backslide."""
        values = self.drawn[name]
        undefined = np.isnan(values[0]) or (self.reason is not None and name == "headline")
        return Run(point=None if undefined else float(values[0]), drawn=values[1:], patients=self.patients)


def measured(study: Requests) -> list[Measured]:
    """Score every sequence of a study against the target and its golds, all on the same draws of patients."""
    chains = study.chains()
    missing = [chain for chain in chains if not is_done(chain, len(chain.requests))]
    if missing:
        raise UserError(
            f"'{study.out}' has no finished run of {missing[0].method}, {missing[0].batch} at a time. Resume with the "
            "command that it was started with."
        )
    folders = {name: study.out / name for name in ("target", *study.golds())}
    for chain in chains:
        folders |= {chain.id(number): chain.folder(number) for number in range(1, len(chain.requests) + 1)}
    scored = _scored(folders)
    sums = {name: sums_of(one) for name, one in scored.items()}
    strata = scored["target"].references.strata
    draws = [np.ones((1, len(strata))), *patient_weights(strata, replicates=REPLICATES, seed=study.seed)]
    return [_measured(chain, scored, sums, draws) for chain in chains]


def _scored(folders: Mapping[str, Path]) -> dict[str, Scored]:
    """Return the row scores of every model; what several answer to a row in the same words is read once."""
    target = scores.read(folders["target"] / EVALUATION)
    said: dict[str, Mapping[str, str]] = {}
    for name, folder in folders.items():
        one = scores.read(folder / EVALUATION)
        scores.check_comparable([target, one], ASKED_SUBSETS)
        said[name] = one.predictions
    rows = target.rows
    references = References(rows)
    return references.tally([(row, {name: texts[str(row["id"])] for name, texts in said.items()}) for row in rows])


def _measured(
    chain: Chain, scored: Mapping[str, Scored], sums: Mapping[str, Sums], draws: Sequence[Floats]
) -> Measured:
    references, count = scored["target"].references, len(chain.requests)
    places = {name: place for place, name in enumerate(references.secrets.of_patient)}
    drawn = sequence.scores(
        [sums[chain.id(number)] for number in range(1, count + 1)],
        sums["target"],
        {point: sums[chain.gold(point)] for point in sequence.gold_points(count)},
        [[places[name] for name in request] for request in chain.requests],
        constants_of(references),
        draws,
    )
    steps = [_step(chain, number, scored, drawn) for number in range(1, count + 1)]
    undefined = [(step["request"], part) for step in steps for part in sequence.PARTS if step[part] is None]
    reason = f"request {undefined[0][0]}: {WHY[undefined[0][1]]}" if undefined else None
    whole = {"headline": drawn.headline, "last": drawn.last, "worst_backslide": drawn.worst_backslide}
    return Measured(chain, steps, whole, references.fewest_patients, reason)


def _step(chain: Chain, number: int, scored: Mapping[str, Scored], drawn: sequence.Scores) -> dict[str, object]:
    """Return what one request left, in plain values; None is undefined."""
    model, record = scored[chain.id(number)], read_record(chain.folder(number))
    so_far = [name for request in chain.requests[:number] for name in request]
    point = {name: _number(getattr(drawn, name)[number - 1, 0]) for name in (*sequence.PARTS, "h", "backslide")}
    broken = model.share("degenerate", ASKED_SUBSETS)
    return {
        "request": number,
        "patients": len(so_far),
        **point,
        "own_f": [_number(drawn.own[request, number - 1, 0]) for request in range(number)],
        "waiting": _waiting(model, so_far),
        "harm": _harm(model, so_far),
        "harm_gold": _harm(scored[chain.gold(sequence.gold_point(number, len(chain.requests)))], so_far),
        "patients_leaked": sum(_leaked(model, name) for name in so_far),
        "degenerate": broken,
        "verdict": verdict(point["f"], point["r"], broken, record is not None and record.verdict == "diverged"),
        "steps": record.steps if record else None,
        "seconds": record.seconds if record else None,
    }


def _waiting(model: Scored, gone: Sequence[str]) -> float | None:
    """Return the share of identifiers told exactly on the forget rows of patients who have not asked; None of nobody.

    It is a mean over rows; identities that are to stay until their patients ask.
    """
    told, asked = model.by_patient("tells_own", "forget")
    others = [model.references.patients[name] for name in model.references.secrets.of_patient if name not in gone]
    rows = float(asked[others].sum())
    return float(told[others].sum()) / rows if rows else None


def _harm(model: Scored, patients: Sequence[str]) -> float:
    """Return the mean harm over patients, each identifier where it is told most."""
    secrets = model.references.secrets
    return mean(float(model.secret_harm[list(secrets.of_patient[name])].max(axis=1).mean()) for name in patients)


def _leaked(model: Scored, patient: str) -> bool:
    """Say whether any answer tells an identifier of a patient exactly."""
    return bool(model.secret_told[list(model.references.secrets.of_patient[patient])].any())


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
