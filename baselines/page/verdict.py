"""What a scenario of a study comes to, in three sentences: asked plainly, what is left, under attack."""

from collections.abc import Mapping, Sequence

from mllmu_med_metrics.vocabulary import PRIVATE
from mllmu_med_tasks.attack_records import OTHER_OPTIONS

from ..study.report_rows import headline
from ..study.report_text import COLUMNS
from ..study.study import UNLEARNED_CONTROL
from .tables import is_method, of_scenario, worst_kind

Row = Mapping[str, object]
# Below this strict score the best by UES is not the best that truth stays of.
LITTLE = 0.5
# So much more refusal than the retain-only model's is worth a clause.
REFUSES_MUCH = 0.2


def verdict(document: Mapping[str, object], scenario: str, identifiers: Mapping[str, int]) -> list[str]:
    """Return three sentences on a scenario, every number of them one of the report's.

    identifiers: of each kind, how many are asked for on forget rows.
    """
    rows, score = of_scenario(document, scenario), headline(scenario, document["ues_version"])
    methods = [row for row in rows if is_method(row) and row["model"] != UNLEARNED_CONTROL]
    scored = sorted((row for row in methods if row[score] is not None), key=lambda row: -row[score])
    if not scored:
        why = next((row["ues_reason"] for row in methods if row.get("ues_reason")), "no method has a score")
        return [f"No verdict: {why}."]
    return [_asked(rows, scored, score), _left(scored, scenario, document, identifiers), _attacked(scored)]


def _asked(rows: Sequence[Row], scored: Sequence[Row], score: str) -> str:
    """Say which methods score highest, which of them can't be told apart, and how they stand to the control."""
    best, name = scored[0], "UES" if score == "ues" else f"{COLUMNS[score]} UES"
    alike = [row for row in scored[1:] if set(row["letters"] or "") & set(best["letters"] or "")]
    strict = best["ues_strict"] if score == "ues" else None
    little = f"; strict {strict:.2f}" if strict is not None and strict < LITTLE else ""
    sentence = f"Asked plainly, {best['model']} scores highest ({name} {_interval(best, score)}{little})"
    if alike:
        sentence += f" and can't be told apart from {_listed(row['model'] for row in alike)}"
    not_above = [row["model"] for row in scored if row.get("beats_retain_ft") is False]
    control = next((row for row in rows if row["model"] == UNLEARNED_CONTROL and row[score] is not None), None)
    if control is not None:
        value = f"{UNLEARNED_CONTROL} ({control[score]:.2f})"
        if not not_above:
            sentence += f"; every method lies above the control {value}"
        elif len(not_above) == len(scored):
            sentence += f"; no method lies surely above the control {value}"
        else:
            sentence += f"; {_listed(not_above)} {_is(not_above)} not surely above the control {value}"
    usual = next((row["abstention"] or 0.0 for row in rows if row["model"] == "retain_only"), 0.0)
    refusing = [row for row in scored if (row["abstention"] or 0.0) > usual + REFUSES_MUCH]
    clauses = [f"{row['model']} refuses {row['abstention']:.0%} of the forget rows" for row in refusing]
    return f"{sentence}{'; ' if clauses else ''}{_listed(clauses)}."


def _left(scored: Sequence[Row], scenario: str, document: Mapping[str, object], identifiers: Mapping[str, int]) -> str:
    """Say which method leaves most behind, how much, and of which kind."""
    most = max(scored, key=lambda row: row["harm"] if row["harm"] is not None else -1.0)
    model = most["model"]
    if scenario in PRIVATE:
        of_kind = _worst_kinds(most.get("leak_by_kind") or {}, identifiers)
        patients, runs = most.get("patients_leaked"), len(most["by_run"])
        of_patients = f"identifiers of {patients or 0:.3g} of {most['n_forget_patients']} patients"
        on_average = f" on average over {runs} seeds" if runs > 1 else ""
        return (
            f"{model} leaves most behind (harm {most['harm']:.2f}): {of_patients}{on_average} are told exactly "
            f"somewhere{of_kind}."
        )
    kinds = ((document.get("error_kinds") or {}).get(scenario) or {}).get(model, {})
    shares = {name: values["wrong"] for name, values in kinds.items()}
    of_kind = _worst_kinds(shares, {name: values["n"] for name, values in kinds.items()})
    truth = "" if most["true_recovery"] is None else f", and the truth alone on {most['true_recovery']:.0%}"
    return (
        f"{model} leaves most behind: it still says the wrong fact on {most['wrong_agreement']:.0%} of the forget "
        f"rows{of_kind}{truth}."
    )


def _worst_kinds(shares: Mapping[str, float], counts: Mapping[str, int]) -> str:
    """Say which kind is told most often, and, where that is another one, which makes up most of what is told."""
    often = worst_kind(shares)
    if often is None:
        return ""
    number = max(shares, key=lambda kind: shares[kind] * counts[kind])
    named = [f"{kind.replace('_', ' ')} ({shares[kind]:.0%} of {_rows(counts[kind])})" for kind in (often[0], number)]
    return f", most often of the kind {named[0]}" + (f", in number mostly {named[1]}" if number != often[0] else "")


def _attacked(scored: Sequence[Row]) -> str:
    """Say what is left of the best under attack, and which attacks bring it back."""
    attacked = [row for row in scored if row.get("worst_attack")]
    if not attacked:
        return "No attack that counts was run, so nothing is known of what an attacker brings back."
    robust = [row for row in attacked if row.get("ues_robust") is not None]
    by_attack: dict[str, list[str]] = {}
    for row in attacked:
        by_attack.setdefault(row["worst_attack"]["attack"], []).append(row["model"])
    worst = _listed(f"{_words(attack)} ({', '.join(models)})" for attack, models in by_attack.items())
    back = f"what brings most back is {worst}"
    if not robust:
        return f"Under attack {back}; the whole set of attacks was not run, so no robust UES is given."
    best = max(robust, key=lambda row: row["ues_robust"])
    many = "the highest robust UES is" if len(robust) > 1 else "robust UES is"
    return f"Under attack {many} {_interval(best, 'ues_robust')} ({best['model']}); {back}."


def _interval(row: Row, score: str) -> str:
    low, high = row.get(f"{score}_low"), row.get(f"{score}_high")
    return f"{row[score]:.2f}" if low is None else f"{row[score]:.2f}, {low:.2f} to {high:.2f}"


def _rows(count: int) -> str:
    return f"{count} row{'s' * (count != 1)}"


def _words(attack: str) -> str:
    """Return the name of an attack as words."""
    return attack.replace(OTHER_OPTIONS, " with other options").replace("_", " ")


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _listed(names: object) -> str:
    """Return names as a list in a sentence."""
    words = list(names)
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
