"""The examples in the docstrings of the metrics come out as they say."""

import doctest
import importlib
import pkgutil

import mllmu_med_metrics


def test_examples_in_docstrings():
    tried = 0
    for module in pkgutil.walk_packages(mllmu_med_metrics.__path__, "mllmu_med_metrics."):
        if "mllmu_med_ues" not in module.name:  # loaded by `evaluate`, see test_mllmu_med_ues.py
            done = doctest.testmod(importlib.import_module(module.name))
            assert done.failed == 0, module.name
            tried += done.attempted
    assert tried >= 12
