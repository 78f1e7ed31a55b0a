"""Scores of predictions against references: facts, leaks, and the Unlearning Efficiency Score."""

from mllmu_med_metrics.agreement import abstains, degenerate, says, says_only, values_said
from mllmu_med_metrics.blind import blind_keep
from mllmu_med_metrics.compare import Comparison, Difference, compare
from mllmu_med_metrics.leakage import DirectIdentifiers, identifier_harm, leaks, privacy_harm
from mllmu_med_metrics.normalise import contains, normalise, tokens
from mllmu_med_metrics.overlap import bleu, exact_match, rouge_l
from mllmu_med_metrics.references import Outline, References
from mllmu_med_metrics.row_score import RowScore, forget_identifiers, row_scores
from mllmu_med_metrics.score_value import UES_VERSION, Score
from mllmu_med_metrics.scored import Scored
from mllmu_med_metrics.ues import score, score_stream

__all__ = [
    "UES_VERSION",
    "Comparison",
    "Difference",
    "DirectIdentifiers",
    "Outline",
    "References",
    "RowScore",
    "Score",
    "Scored",
    "abstains",
    "bleu",
    "blind_keep",
    "compare",
    "contains",
    "degenerate",
    "exact_match",
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
    "score_stream",
    "tokens",
    "values_said",
]
