"""The shipped launch configurations are ones that accelerate itself reads, and the loop does what they ask for."""

from pathlib import Path

import pytest

import baselines
from baselines import config
from baselines.model import processes

FOLDER = Path(baselines.__file__).parent / "configs" / "accelerate"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def test_there_is_one_for_each_way():
    assert NAMES == ["deepspeed_zero3", "fsdp", "fsdp_offload", "several"]
    assert not set(NAMES) & set(config.presets())


@pytest.mark.parametrize("name", NAMES)
def test_accelerate_knows_every_key(name):
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    read = load_config_from_file(str(FOLDER / f"{name}.yaml"))  # refuses unknown keys of the file itself
    options = {action.dest for action in launch_command_parser()._actions}
    inner = [*(read.fsdp_config or {}), *(read.deepspeed_config or {})]
    assert set(inner) <= options, set(inner) - options
    assert read.mixed_precision == "no" and read.num_processes == 4


@pytest.mark.parametrize(
    ("name", "sharded"), [("several", False), ("fsdp", True), ("fsdp_offload", True), ("deepspeed_zero3", True)]
)
def test_what_accelerate_makes_of_it_is_what_the_loop_reads(name, sharded, monkeypatch):
    """The environment that `accelerate launch` gives its processes, as accelerate itself makes it."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils import launch

    arguments = ["--config_file", str(FOLDER / f"{name}.yaml"), "--module", "baselines.cli"]
    chosen, _, _ = _validate_launch_command(launch_command_parser().parse_args(arguments))
    if name == "deepspeed_zero3":
        chosen.deepspeed_fields_from_accelerate_config = ""
        _, made = launch.prepare_deepspeed_cmd_env(chosen)
    else:
        made = launch.prepare_multi_gpu_env(chosen)
    for key in ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED", "ACCELERATE_DEEPSPEED_ZERO_STAGE"):
        if key in made:
            monkeypatch.setenv(key, made[key])
        else:
            monkeypatch.delenv(key, raising=False)
    assert processes.weights_are_sharded() is sharded
