"""Which patient is tested on, held out, trained on, and forgotten: by hashes, stratified, nested over percents.

The rule is counts first, hashes second: how many patients each stratum gives follows from the sizes of the strata
alone, and who they are from the order of their draws. Pure: patients come as {patient: stratum}, by image key.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import floor
from typing import Literal

from mllmu_med_metrics.vocabulary import MAIN_PERCENT

from ..draws import number, shuffled
from ..errors import UserError

Role = Literal["test", "holdout", "trained"]

TEST_SHARE = 0.25
HOLDOUT_SHARE = 0.10
FEWEST_FORGET_PATIENTS = 2


def rounded(amount: float) -> int:
    """Return the nearest whole number, halves up."""
    return floor(amount + 0.5)


def quotas(sizes: Mapping[str, int], totals: Sequence[int], *key: object) -> list[dict[str, int]]:
    """Return, for each total, how many patients every stratum gives: its share within one patient of its due.

    ``sizes`` counts the patients of each stratum; ``totals`` rise, and a stratum never gives fewer than to the total
    before. Largest remainders get the patients that whole shares leave over.
    """
    everyone = sum(sizes.values())
    given = dict.fromkeys(sorted(sizes), 0)
    shares = []
    for total in totals:
        due = {stratum: total * sizes[stratum] / everyone for stratum in given}
        for stratum in given:
            given[stratum] = max(given[stratum], min(floor(due[stratum] + 1e-9), sizes[stratum]))
        left = total - sum(given.values())
        neediest = sorted(given, key=lambda stratum: (given[stratum] - due[stratum], number(*key, "tie", stratum)))
        for stratum in [stratum for stratum in neediest if given[stratum] < sizes[stratum]][: max(left, 0)]:
            given[stratum] += 1
        shares.append(dict(given))
    return shares


def share_out(strata: Mapping[str, str], *, seed: int) -> dict[str, Role]:
    """Return every patient's role: a quarter test, a tenth of the rest holdout, all others trained."""
    roles: dict[str, Role] = dict.fromkeys(strata, "trained")
    shares: tuple[tuple[Role, float], ...] = (("test", TEST_SHARE), ("holdout", HOLDOUT_SHARE))
    for role, share in shares:
        rest = {patient: stratum for patient, stratum in strata.items() if roles[patient] == "trained"}
        (quota,) = quotas(Counter(rest.values()), [rounded(share * len(rest))], seed, role)
        roles.update((patient, role) for patient in _first(rest, quota, seed, role))
    return roles


def choose_forgotten(
    strata: Mapping[str, str],
    roles: Mapping[str, Role],
    able: Iterable[str],
    *,
    percents: Sequence[int],
    seed: int,
    scenario: str,
) -> dict[str, int]:
    """Return who is forgotten, of the trained patients that are able to be injected, with the smallest percent.

    The sets of the percents (of all trained patients) are nested. Raises ``UserError`` where there are too few.
    """
    percents = sorted(percents)
    trained = Counter(roles.values())["trained"]
    totals = [rounded(percent / 100 * trained) for percent in percents]
    if totals[0] < FEWEST_FORGET_PATIENTS:
        raise UserError(
            f"Too few patients to forget {percents[0]} % of them: the source has {len(roles)} "
            f"patients, {trained} of them trained on, which makes {totals[0]} to forget, and "
            f"{FEWEST_FORGET_PATIENTS} are needed. Give at least {fewest_patients(percents[0])} patients"
            f"{', or ask for a larger percent only' if percents[0] < MAIN_PERCENT else ''}."
        )
    among = {patient: strata[patient] for patient in able if roles[patient] == "trained"}
    if totals[-1] > len(among):
        raise UserError(
            f"Too few patients can be forgotten in the scenario {scenario}: {percents[-1]} % of {trained} "
            f"trained patients are {totals[-1]}, and only {len(among)} have a question that can be injected. "
            "Give a source whose rows mark their deciding fact and leave it another plausible value (other answers to "
            "the same question, or fact_values), or leave this scenario out: --scenarios names those to build."
        )
    return _nested(among, percents, totals, seed, scenario, "forget")


def choose_bystanders(
    strata: Mapping[str, str],
    roles: Mapping[str, Role],
    able: Iterable[str],
    forgotten: Mapping[str, int],
    *,
    seed: int,
    scenario: str,
) -> dict[str, int]:
    """Return who keeps an identity: as many trained patients as are forgotten at each percent, none of them forgotten.

    ``forgotten`` is what :func:`choose_forgotten` gives; the sets are nested and stratified as those are. Raises
    ``UserError`` where there are too few.
    """
    percents = sorted(set(forgotten.values()))
    totals = [sum(smallest <= percent for smallest in forgotten.values()) for percent in percents]
    among = {p: strata[p] for p in able if roles[p] == "trained" and p not in forgotten}
    if totals[-1] > len(among):
        raise UserError(
            f"Too few patients for the scenario {scenario}: {totals[-1]} are forgotten at {percents[-1]} % and as many "
            f"others keep their identities, but only {len(among)} are left. Give a source with more patients, or leave "
            "this scenario out: --scenarios names those to build."
        )
    return _nested(among, percents, totals, seed, scenario, "bystander")


def fewest_patients(percent: int) -> int:
    """Return the smallest number of patients of which this percent can be forgotten."""
    patients = 1
    while True:
        rest = patients - rounded(TEST_SHARE * patients)
        if rounded(percent / 100 * (rest - rounded(HOLDOUT_SHARE * rest))) >= FEWEST_FORGET_PATIENTS:
            return patients
        patients += 1


def _nested(among: Mapping[str, str], percents: Sequence[int], totals: Sequence[int], *key: object) -> dict[str, int]:
    """Return so many patients at each percent, each with the smallest percent whose set holds it."""
    smallest: dict[str, int] = {}
    for percent, quota in zip(percents, quotas(Counter(among.values()), totals, *key), strict=True):
        for patient in _first(among, quota, *key):
            smallest.setdefault(patient, percent)
    return smallest


def _first(strata: Mapping[str, str], quota: Mapping[str, int], *key: object) -> list[str]:
    """Return of every stratum the patients with the lowest draws, as many as its quota."""
    members: defaultdict[str, list[str]] = defaultdict(list)
    for patient, stratum in strata.items():
        members[stratum].append(patient)
    return [patient for stratum, patients in members.items() for patient in shuffled(patients, *key)[: quota[stratum]]]
