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


# What a program begins with that loads a metric: `evaluate` else imports the pipelines of transformers, for seconds.
LIGHT_EVALUATE = 'import sys; sys.modules["transformers"] = None; import evaluate; del sys.modules["transformers"]\n'
FAST_STUDY = ("bench", "--fast", "--patients", "36", "--methods", "kl_min,gd", "--no-views", "--no-attacks")


@pytest.fixture(scope="session")
def fast_study(tmp_path_factory):
    """The folder of a finished, small study; tests must not change it, and stand in the group "study"."""
    from baselines import cli

    out = tmp_path_factory.mktemp("bench") / "study"
    with pytest.raises(SystemExit) as ended:
        cli.main([*FAST_STUDY, "--out", str(out)])
    assert not ended.value.code
    return out


# Files whose tests stay in one process: what the first install, every Python process of the environment would see come
# and go; the second share a study. These and the heavy ones begin, so that none is left alone at the end.
GROUPS = {
    "tests/baselines/study/test_report.py": "study",
    "tests/test_readme.py::test_the_command_line_block_runs_as_written": "study",
    "tests/test_readme.py": "install",
    "tests/test_study.py": "install",
    "tests/mllmu_med_dataset/test_install.py": "install",
}
HEAVY = (*GROUPS, "tests/test_contributing.py", "tests/baselines/training", "tests/mllmu_med_dataset/test_publish.py")


def pytest_collection_modifyitems(config, items):
    """Keep the tests of a file in one process, where tests run side by side, and begin with the heavy ones."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        file = item.nodeid.split("::")[0]
        item.add_marker(pytest.mark.xdist_group(GROUPS.get(item.nodeid) or GROUPS.get(file, file)))
    items.sort(key=lambda item: not item.nodeid.startswith(HEAVY))
