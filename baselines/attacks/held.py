"""What an attack leaves beside harm, and harm judged from it again: answers, or what its likelihoods rank.

A record holds both. Who is handed a record need not believe the harm in it: of answers it follows, of ranks too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mllmu_med_metrics.scoring.attacked import AttackedRows

if TYPE_CHECKING:
    from baselines.attacks.attack import Attack, HarmByPatient

# What forget patients are asked under an attack, beside the forget rows: outright, where the scenario has such a view.
ASKED_VIEWS = ("direct",)


@dataclass(frozen=True)
class Held:
    """What one attack left of one model.

    rows: those that are asked. given: by row id the answers, in the order in which they were given; of an attack that
    is `by_likelihood` the rank of each of the row's secrets, 0 to 1, None for one that was not ranked. options, seed:
    of the attack.
    """

    rows: AttackedRows
    given: Mapping[str, Sequence[Any]]
    options: Mapping[str, float]
    seed: int


def asked_rows(rows: Sequence[Mapping[str, object]]) -> AttackedRows:
    """Return those of a study's rows that an attack asks, in their order, as the metric reads them."""
    asked = [row for row in rows if row["subset"] == "forget" and (row["view"] or ASKED_VIEWS[0]) in ASKED_VIEWS]
    return AttackedRows([{key: row[key] for key in row if key != "image"} for row in asked])


def worst_answers(held: Held) -> "HarmByPatient":
    """Return harm by patient: of several answers to a row the worst counts, for each of its secrets."""
    return judged(held.rows, held.given)


def judged(rows: AttackedRows, given: Mapping[str, str | Sequence[str]], draws: int | None = None) -> dict[str, float]:
    """Return harm by patient of answers to some of the rows, 0 to 1; higher is worse.

    Of several answers to a row the worst counts, for each secret; with `draws` the largest harm expected among so many
    of them. Patients none of whose rows was answered are left out.
    """
    told = {row_id: rows.harm_of_answers(row_id, one, draws or len(one)) for row_id, one in given.items()}
    return rows.by_patient(told)


def each_row_once(rows: AttackedRows, options: Mapping[str, float], seed: int) -> dict[str, int]:
    """Return that one answer to every row is due."""
    return dict.fromkeys(rows.rows, 1)


def each_secret_once(rows: AttackedRows, options: Mapping[str, float], seed: int) -> dict[str, int]:
    """Return that one answer, or one rank, for every secret of a forget row is due."""
    return {row.id: len(rows.secrets_in(row.id)) for row in rows.rows.values() if row.view is None}


def judged_again(attack: "Attack", held: Held) -> "HarmByPatient":
    """Return the harm by patient of what an attack left; ValueError where that is not what the attack asks."""
    due = attack.due(held.rows, held.options, held.seed)
    if apart := sorted(due.keys() ^ held.given.keys()):
        raise ValueError(
            f"the attack {attack.name} is due on {len(due)} rows and holds {len(held.given)}; '{apart[0]}' is only in "
            "one"
        )
    for row_id, count in due.items():
        if len(held.given[row_id]) != count:
            raise ValueError(
                f"the attack {attack.name} holds {len(held.given[row_id])} values of row '{row_id}', and {count} are "
                "due"
            )
    return attack.judge(held)
