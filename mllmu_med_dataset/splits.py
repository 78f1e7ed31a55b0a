"""Which patient is tested on, held out, trained on, and forgotten: by hashes, stratified, nested over percents.

The rule is counts first, hashes second: how many patients each stratum gives follows from the sizes of the strata
alone, and who they are from the order of their draws. So the patients may stay on disk, in two tables of a SQLite
database: ``patients`` (number, key, stratum, role) and ``able`` (scenario, number), which say who is there and who can
be injected; ``forgotten`` (scenario, number, percent) is written here.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from math import floor

from pydantic import BaseModel, ConfigDict

from .draws import number
from .errors import UserError

TEST_SHARE = 0.25
HOLDOUT_SHARE = 0.10
FEWEST_FORGET_PATIENTS = 2

TABLES = """
CREATE TABLE IF NOT EXISTS patients (
    number INTEGER PRIMARY KEY, patient_id TEXT, key TEXT NOT NULL, stratum TEXT NOT NULL, role TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS able (scenario TEXT, number INTEGER, PRIMARY KEY (scenario, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS forgotten (
    scenario TEXT, number INTEGER, percent INTEGER NOT NULL, PRIMARY KEY (scenario, number)
) WITHOUT ROWID;
"""


class Roles(BaseModel):
    """How many patients have each role."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    test: int
    holdout: int
    trained: int


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


def share_out(patients: sqlite3.Connection, *, seed: int) -> Roles:
    """Give every patient a role: a quarter test, a tenth of the rest holdout, all others trained."""
    patients.execute("UPDATE patients SET role = 'trained'")
    for role, share in (("test", TEST_SHARE), ("holdout", HOLDOUT_SHARE)):
        sizes = _sizes(patients, "SELECT stratum, count(*) FROM patients WHERE role = 'trained' GROUP BY stratum")
        (quota,) = quotas(sizes, [rounded(share * sum(sizes.values()))], seed, role)
        _first(patients, quota, "UPDATE patients SET role = ? WHERE number IN (SELECT number FROM first)", (role,),
               "patients WHERE role = 'trained'", seed, role)  # fmt: skip
    counted = _sizes(patients, "SELECT role, count(*) FROM patients GROUP BY role")
    return Roles(**{role: counted.get(role, 0) for role in Roles.model_fields})


def choose_forgotten(
    patients: sqlite3.Connection, roles: Roles, *, percents: Sequence[int], seed: int, scenario: str
) -> dict[int, int]:
    """Choose who is forgotten at each percent of the trained patients, among those that can be injected; nested.

    Returns the number of patients by percent. Raises ``UserError`` where there are too few patients.
    """
    totals = [rounded(percent / 100 * roles.trained) for percent in sorted(percents)]
    if totals[0] < FEWEST_FORGET_PATIENTS:
        raise UserError(
            f"Too few patients to forget {min(percents)} % of them: the source has {sum(roles.model_dump().values())} "
            f"patients, {roles.trained} of them trained on, which makes {totals[0]} to forget, and "
            f"{FEWEST_FORGET_PATIENTS} are needed. Give at least {fewest_patients(min(percents))} patients, or ask for "
            "a larger percent only."
        )
    able = f"patients JOIN able USING (number) WHERE role = 'trained' AND scenario = '{scenario}'"
    sizes = _sizes(patients, f"SELECT stratum, count(*) FROM {able} GROUP BY stratum")
    if totals[-1] > sum(sizes.values()):
        raise UserError(
            f"Too few patients can be forgotten in the scenario {scenario}: {max(percents)} % of {roles.trained} "
            f"trained patients are {totals[-1]}, and only {sum(sizes.values())} have a question that can be injected. "
            "Give a source whose rows mark their deciding fact, or leave this scenario out: --scenarios names those to "
            "build."
        )
    patients.execute("DELETE FROM forgotten WHERE scenario = ?", (scenario,))
    shares = dict(zip(sorted(percents), quotas(sizes, totals, seed, scenario, "forget"), strict=True))
    for percent in sorted(percents):
        _first(patients, shares[percent], "INSERT OR IGNORE INTO forgotten SELECT ?, number, ? FROM first",
               (scenario, percent), able, seed, scenario, "forget")  # fmt: skip
    return dict(zip(sorted(percents), totals, strict=True))


def fewest_patients(percent: int) -> int:
    """Return the smallest number of patients of which this percent can be forgotten."""
    patients = 1
    while True:
        rest = patients - rounded(TEST_SHARE * patients)
        if rounded(percent / 100 * (rest - rounded(HOLDOUT_SHARE * rest))) >= FEWEST_FORGET_PATIENTS:
            return patients
        patients += 1


def _sizes(patients: sqlite3.Connection, query: str) -> dict[str, int]:
    return dict(patients.execute(query))


def _first(
    patients: sqlite3.Connection,
    quota: Mapping[str, int],
    statement: str,
    values: tuple[object, ...],
    among: str,
    *key: object,
) -> None:
    """Run a statement over ``first``: of every stratum the patients with the lowest draws, as many as its quota."""
    purpose = "|".join(map(str, key))
    # Eight bytes compare as the number does, which is larger than SQLite's own integers.
    patients.create_function("draw", 1, lambda patient: number(purpose, patient).to_bytes(8, "big"), deterministic=True)
    patients.execute("CREATE TEMP TABLE quota (stratum TEXT PRIMARY KEY, amount INTEGER)")
    patients.executemany("INSERT INTO quota VALUES (?, ?)", quota.items())
    place = "row_number() OVER (PARTITION BY stratum ORDER BY draw(key), key)"
    patients.execute("CREATE TEMP TABLE ranked AS SELECT number, stratum, " + place + f" AS place FROM {among}")
    patients.execute(
        "CREATE TEMP TABLE first AS SELECT number FROM ranked JOIN quota USING (stratum) WHERE place <= amount"
    )
    patients.execute(statement, values)
    for table in ("first", "ranked", "quota"):
        patients.execute(f"DROP TABLE {table}")
