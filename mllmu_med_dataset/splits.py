"""Which patient is tested on, held out, trained on, and forgotten: by hashes, stratified, nested over percents."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from math import floor

from pydantic import BaseModel, ConfigDict

from .draws import number
from .errors import UserError

TEST_SHARE = 0.25
HOLDOUT_SHARE = 0.10
FEWEST_FORGET_PATIENTS = 2


class Split(BaseModel):
    """Patient keys by role; ``forget[p]`` holds the forget patients at p percent, each within the next."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    test: frozenset[str]
    holdout: frozenset[str]
    trained: frozenset[str]
    forget: dict[int, frozenset[str]]

    def forget_percent(self, key: str) -> int:
        """Return the smallest percent whose forget set holds the patient, or 0."""
        return next((percent for percent in sorted(self.forget) if key in self.forget[percent]), 0)


def rounded(amount: float) -> int:
    """Return the nearest whole number, halves up."""
    return floor(amount + 0.5)


def nested(strata: Mapping[str, str], totals: Sequence[int], *key: object) -> list[frozenset[str]]:
    """Return one set per total, each within the next, every stratum's share within one patient of its due.

    ``strata`` gives each patient's stratum. Largest remainders get the patients that whole shares leave over.
    """
    members: dict[str, list[str]] = defaultdict(list)
    for patient in sorted(strata, key=lambda patient: (number(*key, patient), patient)):
        members[strata[patient]].append(patient)
    taken = dict.fromkeys(sorted(members), 0)
    sets = []
    for total in totals:
        due = {stratum: total * len(members[stratum]) / len(strata) for stratum in taken} if strata else {}
        for stratum in taken:
            taken[stratum] = max(taken[stratum], min(floor(due[stratum] + 1e-9), len(members[stratum])))
        left = total - sum(taken.values())
        neediest = sorted(taken, key=lambda stratum: (taken[stratum] - due[stratum], number(*key, "tie", stratum)))
        for stratum in [stratum for stratum in neediest if taken[stratum] < len(members[stratum])][: max(left, 0)]:
            taken[stratum] += 1
        sets.append(frozenset(patient for stratum in taken for patient in members[stratum][: taken[stratum]]))
    return sets


def split(
    strata: Mapping[str, str], *, percents: Sequence[int], seed: int, scenario: str, eligible: Collection[str]
) -> Split:
    """Split patients (key -> stratum): a quarter test, a tenth of the rest held out, the rest trained on.

    Of the trained patients ``percents`` are forgotten, among the ``eligible`` ones (those with a row that can be
    injected). Test and holdout do not depend on the scenario. Raises ``UserError`` where there are too few patients.
    """
    (test,) = nested(strata, [rounded(TEST_SHARE * len(strata))], seed, "test")
    rest = {key: stratum for key, stratum in strata.items() if key not in test}
    (holdout,) = nested(rest, [rounded(HOLDOUT_SHARE * len(rest))], seed, "holdout")
    trained = {key: stratum for key, stratum in rest.items() if key not in holdout}
    totals = [rounded(percent / 100 * len(trained)) for percent in sorted(percents)]
    able = {key: stratum for key, stratum in trained.items() if key in eligible}
    if totals[0] < FEWEST_FORGET_PATIENTS:
        raise UserError(
            f"Too few patients to forget {min(percents)} % of them: the source has {len(strata)} patients, "
            f"{len(trained)} of them trained on, which makes {totals[0]} to forget, and {FEWEST_FORGET_PATIENTS} are "
            f"needed. Give at least {fewest_patients(min(percents))} patients, or ask for a larger percent only."
        )
    if totals[-1] > len(able):
        raise UserError(
            f"Too few patients can be forgotten in the scenario {scenario}: {max(percents)} % of {len(trained)} "
            f"trained patients are {totals[-1]}, and only {len(able)} have a question that can be injected. "
            "Give a source whose rows mark their deciding fact, or leave this scenario out."
        )
    sets = nested(able, totals, seed, scenario, "forget")
    return Split(
        test=test,
        holdout=holdout,
        trained=frozenset(trained),
        forget=dict(zip(sorted(percents), sets, strict=True)),
    )


def fewest_patients(percent: int) -> int:
    """Return the smallest number of patients of which this percent can be forgotten."""
    patients = 1
    while True:
        rest = patients - rounded(TEST_SHARE * patients)
        if rounded(percent / 100 * (rest - rounded(HOLDOUT_SHARE * rest))) >= FEWEST_FORGET_PATIENTS:
            return patients
        patients += 1
