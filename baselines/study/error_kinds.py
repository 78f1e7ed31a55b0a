"""How much of each kind of error is left, and how much truth stands in its place."""

from collections import defaultdict
from statistics import fmean

from mllmu_med_metrics.vocabulary import PRIVATE

from .measured import Scenario


def by_error_kind(scenario: Scenario) -> dict[str, dict[str, dict[str, float | int]]]:
    """Return for each model and kind of error, over forget rows and the model's runs, the share that says so.

    `wrong`: the share of answers that say the wrong fact; `true`: of those that say the true fact only, both 0 to 1;
    `n`: rows of the kind. Nothing where identities are the secret.
    """
    if scenario.name in PRIVATE:
        return {}
    asked = {str(row["id"]): row for row in scenario.left.rows}
    rows = [(place, row) for place, row in enumerate(scenario.references.rows) if row.place == "forget"]
    kinds: dict[str, list[int]] = defaultdict(list)
    for place, row in rows:
        kinds[str(asked[row.id].get("error_kind") or row.question_type)].append(place)
    found: dict[str, dict[str, dict[str, float | int]]] = {}
    for model, runs in scenario.runs.items():
        scores = [scenario.scored[run.name].row_scores or [] for run in runs]
        found[model] = {
            kind: {
                "wrong": fmean(of_run[place].harm or 0.0 for of_run in scores for place in places),
                "true": fmean(of_run[place].keep for of_run in scores for place in places),
                "n": len(places),
            }
            for kind, places in sorted(kinds.items())
        }
    return found
