"""A small phantom build and one evaluation of the tiny model on it, shared by the tests of this package."""

import pytest

from mllmu_med_dataset.build import build
from mllmu_med_dataset.sources import open_source
from mllmu_med_metrics.vocabulary import SCENARIOS
from mllmu_med_tasks import harness
from tests import asking


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A build of 48 phantoms at 5 and 10 %, of every scenario; tests must not change it."""
    out = tmp_path_factory.mktemp("data") / "mllmu-med"
    build(open_source("phantom", patients=48, with_beliefs=True), out, scenarios=SCENARIOS, percents=(5, 10))
    return out


@pytest.fixture(scope="session")
def lm(tiny_model):
    """The tiny model as lm-eval holds it."""
    return harness.open_model(tiny_model, batch_size=16, device="cpu")


@pytest.fixture(scope="session")
def evaluation(lm, data_dir, tmp_path_factory):
    """The folder of one finished evaluation of the privacy scenario; tests must not change it."""
    out = tmp_path_factory.mktemp("evaluation") / "tiny"
    return asking.run(lm, "privacy", out=out, data_dir=data_dir, max_retain=10)
