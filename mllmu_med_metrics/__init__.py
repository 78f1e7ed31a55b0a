"""Scores of predictions against references: facts, leaks, and the Unlearning Efficiency Score."""

from mllmu_med_metrics.agreement import abstains, degenerate, says, says_only, values_said
from mllmu_med_metrics.blind import blind_keep
from mllmu_med_metrics.leakage import DirectIdentifiers, identifier_harm, leaks, privacy_harm
from mllmu_med_metrics.normalise import contains, normalise, tokens
from mllmu_med_metrics.overlap import rouge_l
from mllmu_med_metrics.ues import UES_VERSION, RowScore, Score, Scored, Study, forget_identifiers, row_scores, score

__all__ = [
    "UES_VERSION",
    "DirectIdentifiers",
    "RowScore",
    "Score",
    "Scored",
    "Study",
    "abstains",
    "blind_keep",
    "contains",
    "degenerate",
    "forget_identifiers",
    "identifier_harm",
    "leaks",
    "normalise",
    "privacy_harm",
    "rouge_l",
    "row_scores",
    "says",
    "says_only",
    "score",
    "tokens",
    "values_said",
]
