import json
import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllmu_med_metrics import DirectIdentifiers, Study, forget_identifiers, row_scores, score
from tests_study import FACTS, SENTENCES, make

FIELDS = (
    "scenario ues ues_low ues_high ues_strict ues_strict_low ues_strict_high ues_reason ues_rouge_l f r t k harm "
    "harm_holdout overshoot keep_forget keep_retain keep_test blind_test utility_test leak_rate any_leak_per_patient "
    "wrong_agreement true_recovery abstention abstention_excess degenerate n_forget n_retain n_test n_holdout "
    "n_forget_patients"
)
