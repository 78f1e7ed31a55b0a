"""From what was measured of models to the value of every metric, each turned so that higher means: more is known."""

import json
from collections.abc import Mapping, Sequence, Set
from functools import lru_cache
from statistics import mean

from mllmu_med_metrics import References, Scored, score
from mllmu_med_metrics.likelihood.distribution import ks_distance
from mllmu_med_metrics.likelihood.membership import auc
from mllmu_med_metrics.overlap import rouge_l
from mllmu_med_metrics.scoring.attack_harms import AttackHarms, Roles
from mllmu_med_metrics.scoring.attacked import AttackedRows
from mllmu_med_metrics.scoring.secrets import Secret
from mllmu_med_metrics.trial import harmonic

from .measure import AFTER, judged_patients, material
from .pools import Trial

MEMBERSHIP = ("loss", "zlib", "min_k", "min_k_plus_plus")
# Of what is held likely, and of the answers to what attacks ask: measured before and after.
BOTH = (
    "harm (attacked rows)", "leak (attacked rows)", "ROUGE-L", "probability", "ES", "EM", "truth ratio", "KS",
    *(f"MIA {name}" for name in MEMBERSHIP), "exposure",
)  # fmt: skip
# Of the score: of all places that are asked, which no attack asks again.
SCORED = {"1 - UES": "ues", "1 - strict UES": "ues_strict", "1 - F": "f", "1 - K": "k"}
# Of all attacks that are run on every model: what they bring out at most, and the score that hears them.
ROBUST_HARM, ROBUST = "robust harm", "1 - robust UES (5 attacks)"
Record = Mapping[str, object]
# {attack: {patient_id: harm}}
Harms = Mapping[str, Mapping[str, float]]


class Scorer:
    """Scores every model of a trial on the same rows, beside the published target and gold."""

    def __init__(self, scenario: str, target: Record, retain_only: Record) -> None:
        """Take what was measured of the two references."""
        self.references = References([_plain(row) for row in material(scenario).asked])
        self._target, self._gold = (self._scored(one["answers"]) for one in (target, retain_only))
        self._attacked = {"target": brought_out(target, scenario), "retain_only": brought_out(retain_only, scenario)}
        self.gold_ratios = {str(row["id"]): row["truth_ratio"] for row in retain_only["forget"]}
        self.scenario = scenario

    def score(self, answers: Mapping[str, str]) -> dict[str, object]:
        """Return the score of a model's answers, as plain values."""
        own = self._scored(answers)
        options = {"rows": self.references, "replicates": 0}
        return score(unlearned=own, target=self._target, retain_only=self._gold, **options).to_dict()

    def utility(self, answers: Mapping[str, str]) -> float:
        """Return what a model still does, of the gold's; 0 where it can't be told."""
        return float(self.score(answers)["u"] or 0.0)

    def robust(self, known: Mapping[str, object], harms: Harms) -> float | None:
        """Return the robust UES of a score under the attacks of a trial; None where it is undefined.

        It is the formula of the score (`mllmu_med_metrics.scoring.formula`) at the point, of five attacks and not of a
        whole set.
        """
        if known["ues_strict"] is None:
            return None
        models = {"unlearned": harms, **self._attacked}
        given = {attack: {name: one[attack] for name, one in models.items()} for attack in harms}
        attacked = AttackHarms(self.references, given, Roles())
        forgotten = [attacked.forgetting(attack, Roles()) for attack in given]
        return harmonic(min(known["f"], known["k"], *(f for f in forgotten if f is not None)), known["u"])

    def _scored(self, answers: object) -> Scored:
        return self.references.scored(answers, "unlearned")


def scorer(trial: Trial) -> Scorer:
    """Return the scorer of a trial whose references were measured."""
    return Scorer(trial.scenario, read(trial, "target"), read(trial, "retain_only"))


def read(trial: Trial, name: str) -> dict[str, object]:
    """Return what was measured of a model."""
    return json.loads(trial.record(name).read_text(encoding="utf-8"))


def of_model(record: Record, scorer: Scorer) -> dict[str, object]:
    """Return a model's utility and the values of every metric.

    before: on all forget patients, `before_few` on those that `few` judges; after: by state, `rounded_few` the rounded
    one on the same. A metric that was not measured is absent.
    """
    if record["broken"]:
        return {"utility": 0.0, "before": {}, "before_few": {}, "after": {}}
    known = scorer.score(record["answers"])
    everybody, few = (judged_patients(scorer.scenario, state) for state in ("retain", "few"))
    after: dict[str, dict[str, float]] = {}
    for state, measured in record["after"].items():
        after[state] = of_state(measured, scorer, few if state == "few" else everybody)
        if state == "rounded":
            after["rounded_few"] = of_state(measured, scorer, few)
    before = of_state(record, scorer, everybody) | of_score(known)
    if set(record["after"]) == set(AFTER):
        harms = brought_out(record, scorer.scenario)
        before[ROBUST_HARM] = max(mean(one.values()) for one in harms.values())
        robust = scorer.robust(known, harms)
        before |= {} if robust is None else {ROBUST: 1 - robust}
    utility = float(known["u"] or 0.0)
    return {"utility": utility, "before": before, "before_few": of_state(record, scorer, few), "after": after}


def brought_out(record: Record, scenario: str) -> dict[str, Mapping[str, float]]:
    """Return what every attack of a trial brings out of a model: its harm by patient, of those that it judges."""
    found = {"prefix": record["prefix"], "exposure": record["exposure"]}
    for state, measured in record["after"].items():
        patients = judged_patients(scenario, state)
        found[state] = _by_patient(_harms(measured["answers"], scenario, patients), scenario, patients)
    return found


def of_score(known: Mapping[str, object]) -> dict[str, float]:
    """Return the metrics that are parts of the score: of answers in every place that was asked."""
    metrics = {title: 1 - known[name] for title, name in SCORED.items() if known[name] is not None}
    metrics["harm"] = known["harm"]
    metrics |= {f"harm on {place}": value for place, value in (known["harm_by_place"] or {}).items()}
    if known.get("patients_leaked") is not None:
        metrics["patients leaked"] = known["patients_leaked"] / known["n_forget_patients"]
    if known["wrong_agreement"] is not None:
        metrics["wrong agreement"] = known["wrong_agreement"]
    return {name: float(value) for name, value in metrics.items() if value is not None}


def of_state(measured: Record, scorer: Scorer, patients: Set[str]) -> dict[str, float]:
    """Return the metrics of one state of a model on some of the forget patients."""
    values = _of_answers(measured["answers"], scorer.scenario, patients)
    if "forget" in measured:
        values |= _of_likelihoods(measured, scorer, patients)
    return values


def _of_answers(answers: Mapping[str, str], scenario: str, patients: Set[str]) -> dict[str, float]:
    rows, harms = _attacked_rows(scenario).rows, _harms(answers, scenario, patients)
    leaked = {secret.patient_id for harm_of in harms.values() for secret, harm in harm_of.items() if harm == 1}
    wording = [rouge_l(answers[row], rows[row].answer)[0] for row in harms if rows[row].place == "forget"]
    return {
        "harm (attacked rows)": mean(_by_patient(harms, scenario, patients).values()),
        "leak (attacked rows)": len(leaked & patients) / len(patients),
        "ROUGE-L": mean(wording),
    }


def _harms(answers: Mapping[str, str], scenario: str, patients: Set[str]) -> dict[str, Mapping[Secret, float]]:
    """Return how far the answer to each attacked row of these patients tells each secret, by row."""
    rows = _attacked_rows(scenario).rows.values()
    asked = [one.id for one in rows if one.patient_id in patients and one.id in answers]
    return {row: _told(scenario, row, answers[row]) for row in asked}


def _by_patient(harms: Mapping[str, Mapping[Secret, float]], scenario: str, patients: Set[str]) -> dict[str, float]:
    """Return the harm of each of these patients."""
    found = _attacked_rows(scenario).by_patient(harms)
    return {patient: harm for patient, harm in found.items() if patient in patients}


def _of_likelihoods(measured: Record, scorer: Scorer, patients: Set[str]) -> dict[str, float]:
    forget = [row for row in measured["forget"] if row["patient_id"] in patients]
    holdout: Sequence[Mapping[str, float]] = measured["holdout"]
    compared = [row for row in forget if row["truth_ratio"] is not None]
    golds = [scorer.gold_ratios[row["id"]] for row in compared]
    own = [row["truth_ratio"] for row in compared]
    distance = ks_distance(own, golds, [row["patient_id"] for row in compared], permutations=0)
    ranks = [harm for patient, harm in measured["exposure"].items() if patient in patients]
    values: dict[str, float | None] = {
        "probability": mean(row["probability"] for row in forget),
        "ES": mean(row["extraction_strength"] for row in forget),
        "EM": mean(row["exact_memorisation"] for row in forget),
        # 1 where only what was taught is likely, 0 where only wrong answers are.
        "truth ratio": mean(1 / (1 + ratio) for ratio in own) if own else None,
        "KS": None if distance is None else distance.d,
        "exposure": mean(ranks) if ranks else None,
    }
    for name in MEMBERSHIP:
        members, others = ([one[name] for one in rows] for rows in ([r["membership"] for r in forget], holdout))
        values[f"MIA {name}"] = auc(members, others)
    return {name: float(value) for name, value in values.items() if value is not None}


@lru_cache(maxsize=2)
def _attacked_rows(scenario: str) -> AttackedRows:
    return AttackedRows([_plain(row) for row in material(scenario).attacked.asked])


@lru_cache(maxsize=100_000)
def _told(scenario: str, row_id: str, answer: str) -> Mapping[Secret, float]:
    return _attacked_rows(scenario).harm_of_answer(row_id, answer)


def _plain(row: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in row.items() if key != "image"}
