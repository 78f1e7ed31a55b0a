"""A build of two forget patients, made once."""

import pytest


@pytest.fixture(scope="session")
def two_patients(tmp_path_factory):
    """Return the folder of a build in which two patients withdraw."""
    from mllmu_med_dataset.build import build
    from mllmu_med_dataset.sources import open_source

    out = tmp_path_factory.mktemp("two") / "mllmu-med"
    build(open_source("phantom", seed=0, patients=36), out, scenarios=("request",), percents=(10,), seed=0)
    return out
