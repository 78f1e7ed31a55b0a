"""How often the 95 % interval of UES holds the true value, over simulated studies.

    python -m tests.benchmarks.score_coverage [--studies 1000] [--seed 0]

A study comes about as real data do. Every patient has, for each model, a rate of harm and a rate of truth of its own,
beta-distributed around the model's mean; a trait of the patient decides in part the rates of all models, so that who is
hard for one is hard for the others. Every row is one draw at its patient's rate, patients have one to six rows, and
forget patients have rows in retain as well. The true UES is the formula on the models' means; the interval is that of
the score (`formula`, `means_under`, `percentile_interval`).

Prints the share of studies whose interval holds the true value: with 40 to 80 forget patients and a true UES of 0.3 to
0.9, where it should be 93 to 97 % (exit code 1 otherwise); and, as known limits, with 16 and 8, and for a UES near 1.
"""

import argparse
import sys
import time
from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv, ndtr

from mllmu_med_metrics.scoring.formula import Constants, formula
from mllmu_med_metrics.scoring.interval import Floats, patient_weights, percentile_interval
from mllmu_med_metrics.scoring.means import MEANS, SETS, Means, Sums, means_under

MODELS = ("unlearned", "target", "retain_only")
COLUMN = {name: number for number, name in enumerate(MEANS)}
BLIND = {"forget": 0.45, "retain": 0.4, "test": 0.4}
# Harm is drawn a row, in one place; UES does not read K.
CONSTANTS = Constants(BLIND, lucky=None, private=False, bystanders=False)
# Patients of a subset for each forget patient; as in a small build, where forget is a tenth of what is trained.
PATIENTS = {"forget": 1, "retain": 4, "test": 2}
MOST_ROWS = 6
ASKED = ((40, 80, 0.3, 0.9), (16, 16, 0.3, 0.9), (8, 8, 0.3, 0.9), (40, 80, 0.95, 1.0))


class Truth(NamedTuple):
    """What one study is drawn from."""

    means: dict[str, dict[str, float]]  # model -> mean of the formula -> its true value
    alike: float  # correlation of two rows of one patient
    shared: float  # correlation of what decides two models' rates on one patient
    ues: float


class Coverage(NamedTuple):
    """Of simulated studies: the share whose interval holds the truth, lies above it, lies below it; the mean width."""

    holds: float
    above: float
    below: float
    width: float
    undefined: int  # studies without a UES, because the gate failed by chance; left out


def drawn_truth(draw: np.random.Generator, lowest: float, highest: float) -> Truth:
    """Return a study's true values, with a UES in a range."""
    while True:
        target, gold, forgotten = draw.uniform(0.6, 1.0), draw.uniform(0.0, 0.15), draw.uniform(0.0, 1.0)
        means = {
            "target": {"harm": target},
            "retain_only": {"harm": gold},
            "unlearned": {"harm": target - forgotten * (target - gold)},
        }
        for subset, blind in BLIND.items():
            whole = draw.uniform(0.5, 1.0)
            # On half of the subsets next to nothing is lost, as many methods do.
            kept = draw.uniform(0.2, 1.0) if draw.random() < 0.5 else draw.uniform(0.95, 1.0)
            for model, utility in (("target", whole), ("retain_only", whole), ("unlearned", whole * kept)):
                means[model][f"keep_{subset}"] = blind + (1 - blind) * utility
        endless = {m: {name: np.array([known.get(name, np.nan)]) for name in MEANS} for m, known in means.items()}
        endless = {model: {**known, SETS: known["harm"][:, None]} for model, known in endless.items()}
        ues = float(formula(endless, CONSTANTS)["ues"][0])
        if lowest <= ues <= highest:
            return Truth(means, alike=draw.uniform(0.1, 0.5), shared=draw.uniform(0.2, 0.8), ues=ues)


def rates(draw: np.random.Generator, traits: Floats, mean: float, truth: Truth) -> Floats:
    """Return each patient's rate: beta-distributed around the mean, decided in part by the patient's trait."""
    own = np.sqrt(truth.shared) * traits + np.sqrt(1 - truth.shared) * draw.standard_normal(traits.size)
    strength = 1 / truth.alike - 1
    mean = min(max(mean, 1e-6), 1 - 1e-6)
    return betaincinv(mean * strength, (1 - mean) * strength, ndtr(own))


def drawn_study(draw: np.random.Generator, truth: Truth, forget_patients: int) -> tuple[dict[str, Sums], list[int]]:
    """Return each model's sums by patient, and the patients' strata."""
    sizes = {subset: times * forget_patients for subset, times in PATIENTS.items()}
    counts = np.zeros((sum(sizes.values()), len(MEANS)))
    sums = {model: np.zeros(counts.shape) for model in MODELS}
    strata: list[int] = []
    for stratum, (subset, size) in enumerate(sizes.items()):
        patients = slice(len(strata), len(strata) + size)
        strata += [stratum] * size
        traits = draw.standard_normal(size)
        for name in ("harm", "keep_forget", "keep_retain") if subset == "forget" else (f"keep_{subset}",):
            rows = draw.integers(1, MOST_ROWS + 1, size)
            counts[patients, COLUMN[name]] = rows
            for model in MODELS:
                rate = rates(draw, traits, truth.means[model][name], truth)
                sums[model][patients, COLUMN[name]] = draw.binomial(rows, rate)
    nobody = np.empty(0, dtype=np.int64)
    return {model: Sums(sums[model], counts, np.empty((0, 1)), nobody, private=False) for model in MODELS}, strata


def means_of(tables: dict[str, Sums]) -> dict[str, Means]:
    """Return the models' means over all patients."""
    return means_under(tables, [np.ones((1, next(iter(tables.values())).counts.shape[0]))])


def coverage(
    studies: int, *, fewest: int, most: int, lowest: float, highest: float, seed: int, replicates: int = 1000
) -> Coverage:
    """Return how often the interval holds the true UES, over studies of so many forget patients and such a UES."""
    ends = []
    for number in range(studies):
        draw = np.random.default_rng([seed, number])
        truth = drawn_truth(draw, lowest, highest)
        forget_patients = int(draw.integers(fewest, most + 1))
        tables, strata = drawn_study(draw, truth, forget_patients)
        point = float(formula(means_of(tables), CONSTANTS)["ues"][0])
        draws = patient_weights(strata, replicates=replicates, seed=number)
        drawn = formula(means_under(tables, draws), CONSTANTS)["ues"]
        low, high, _ = percentile_interval(point, drawn, forget_patients)
        if low is not None and high is not None:
            ends.append((low - truth.ues, high - truth.ues))
    low, high = np.array(ends).T
    above, below = float((low > 1e-12).mean()), float((high < -1e-12).mean())
    return Coverage(1 - above - below, above, below, float((high - low).mean()), studies - len(ends))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{options.studies} simulated studies a line, seed {options.seed}")
    print("forget patients  true UES    holds   above   below   width   undefined   CPU s", flush=True)
    failed = False
    for place, (fewest, most, lowest, highest) in enumerate(ASKED):
        began = time.process_time()
        found = coverage(options.studies, fewest=fewest, most=most, lowest=lowest, highest=highest, seed=options.seed)
        failed |= place == 0 and not 0.93 <= found.holds <= 0.97
        who = f"{fewest} to {most}" if fewest < most else str(most)
        print(
            f"{who:>15}  {lowest:.2f}-{highest:.2f}  {found.holds:7.3f} {found.above:7.3f} {found.below:7.3f} "
            f"{found.width:7.3f} {found.undefined:11d} {time.process_time() - began:7.1f}",
            flush=True,
        )
    sys.exit(failed)


if __name__ == "__main__":
    main()
