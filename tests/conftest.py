"""Fixtures every package shares; also keeps all tests off the network and out of the user's caches."""

import os
import tempfile

# Before any Hub library is imported: they read these once.
_HOME = tempfile.TemporaryDirectory(prefix="mllmu-med-tests-")
os.environ.update(
    HF_HUB_OFFLINE="1",
    HF_EVALUATE_OFFLINE="1",
    HF_DATASETS_OFFLINE="1",
    HF_HOME=_HOME.name,
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    TOKENIZERS_PARALLELISM="false",
)
for _name in ("HF_DATASETS_CACHE", "HF_MODULES_CACHE", "HF_HUB_CACHE"):
    os.environ.pop(_name, None)

import pytest  # noqa: E402


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """The folder of a tiny random LLaVA model with a real processor: an ordinary checkpoint in every way but size."""
    from tests.tiny_model import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


# What these install for every Python process of the environment, the others would see come and go.
INSTALLING = ("tests/test_readme.py", "tests/test_study.py", "tests/mllmu_med_dataset/test_install.py")


def pytest_collection_modifyitems(config, items):
    """Keep the tests of a file in one process, where tests run side by side; those that install share one."""
    for item in items if config.pluginmanager.hasplugin("xdist") else ():
        file = item.nodeid.split("::")[0]
        item.add_marker(pytest.mark.xdist_group("install" if file in INSTALLING else file))
