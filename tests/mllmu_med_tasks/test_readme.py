"""The pages of the tasks name every task, metric and setting there is, and commands that there are."""

import re
import shlex
from inspect import signature

import pytest
import yaml

from baselines import cli
from mllmu_med_metrics.vocabulary import PRIVATE, SCENARIOS
from mllmu_med_tasks import harness
from mllmu_med_tasks.backends import BACKENDS
from mllmu_med_tasks.names import TASKS
from mllmu_med_tasks.task_documents import load

FOLDER = harness.tasks_path()
PAGES = {"tasks": FOLDER / "README.md", "package": FOLDER.parent / "README.md"}
TEXT = {name: path.read_text(encoding="utf-8") for name, path in PAGES.items()}


class Loader(yaml.SafeLoader):
    """Reads ``!function`` as the function's name."""


Loader.add_constructor("!function", lambda loader, node: node.value)
SHARED = yaml.load((FOLDER / "_mllmu_med").read_text(encoding="utf-8"), Loader)


def test_every_task_is_named():
    named = set()
    for name in re.findall(r"`(mllmu_med_[a-z_<>]+)`", TEXT["tasks"]):
        named |= {name.replace("<scenario>", scenario) for scenario in SCENARIOS if "<identities>" not in name}
        named |= {name.replace("<identities>", scenario) for scenario in PRIVATE}
    assert named >= set(TASKS)
    assert {name for name in named if re.match(r"mllmu_med_(privacy|request|incorrectness)_", name)} <= set(TASKS)


def test_every_metric_is_named_and_says_its_direction():
    rows = [line for line in TEXT["tasks"].splitlines() if line.startswith("| `") and line.count("|") == 5]
    told = {name: line.split("|")[4].strip() for line in rows for name in re.findall(r"`([a-z_0-9<>]+)`", line)}
    for metric in SHARED["metric_list"]:
        name = "leak_<kind>" if metric["metric"].startswith("leak_") else metric["metric"]
        assert told[name] == ("higher" if metric["higher_is_better"] else "lower"), name


def test_the_version_is_the_tasks_own():
    assert f"Version `{SHARED['metadata']['version']}`." in TEXT["tasks"]


def test_every_setting_is_one_that_loading_takes():
    named = set(re.findall(r"^\| `(mllmu_med_[a-z_]+)` \|", TEXT["tasks"], re.M)) - set(TASKS)
    known = {name for name in signature(load).parameters if name.startswith("mllmu_med_")}
    assert named == known - {
        "mllmu_med_scenario", "mllmu_med_subset", "mllmu_med_view", "mllmu_med_installed_dir"
    }  # fmt: skip


def test_every_backend_is_named():
    assert set(re.findall(r"^\| `([a-z]+)`", TEXT["package"], re.M)) >= set(BACKENDS)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_one_that_there_is(page, capsys):
    lines = [line for block in re.findall(r"```bash\n(.*?)```", TEXT[page], re.S) for line in block.splitlines()]
    ours = [shlex.split(line)[1:] for line in lines if line.startswith("mllmu-med ")]
    assert ours
    for command, *arguments in ours:
        with pytest.raises(SystemExit):
            cli.main([command, "--help"])
        known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
        assert {one for one in arguments if one.startswith("--")} <= known, command
