"""Biomedical VQA with fictitious private information and factual errors integrated, as Hub configs."""

from mllmu_med_metrics.vocabulary import CONFIGS

from .errors import UserError

# Imported now, though its module has the same name: a late import would put the module in the function's place.
from .load import load

__all__ = ["CONFIGS", "UserError", "load"]
