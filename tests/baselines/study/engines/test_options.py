"""The options of the engines: one list for every command, and nothing of one engine given to another."""

import argparse
from dataclasses import fields
from functools import partial

import pytest

from baselines.study.engines import local
from baselines.study.engines.choice import opened
from baselines.study.engines.options import EngineOptions, add_options, option_kinds, read_options
from baselines.study.engines.records import Records
from mllmu_med_dataset.errors import UserError
from tests.baselines.study.engines import toys
from tests.baselines.study.engines.test_local import Follower


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"engine": "rey"}, "Unknown engine 'rey'. Did you mean 'ray'"),
        ({"format": "snakemak"}, "Unknown format 'snakemak'. Did you mean 'snakemake'"),
        ({"workers": 0}, "--workers is 0; it takes a whole number from 1"),
        ({"engine": "ray", "cpus_per_stage": 0}, "--cpus-per-stage is 0"),
        ({"engine": "ray", "gpus_per_stage": -1}, "--gpus-per-stage is -1; it takes a whole number from 0"),
        ({"engine": "slurm", "workers": 2}, "--workers is of the engine local, and this is slurm"),
        ({"ray_address": "h:1"}, "--ray-address is of the engine ray, and this is local. Add --engine ray"),
        ({"engine": "ray", "slurm_time": "1"}, "--slurm-time is of the engine slurm"),
        ({"engine": "slurm", "slurm_option": ["=x"]}, "it takes an option of sbatch"),
    ],
)
def test_what_is_no_engine_or_another_ones_is_refused(options, says):
    with pytest.raises(UserError, match=says):
        EngineOptions(**options).check()


def test_a_script_for_sbatch_may_be_asked_for_without_the_engine():
    EngineOptions(format="sbatch", slurm_partition="gpu").check()


def test_every_field_is_an_option_of_a_parser_and_back():
    parser = argparse.ArgumentParser()
    add_options(parser)
    assert read_options(vars(parser.parse_args([]))) == EngineOptions()
    words = ["--engine", "slurm", "--slurm-option", "a=1", "--slurm-option", "b", "--cpus-per-stage", "4"]
    found = read_options(vars(parser.parse_args(words)))
    assert found == EngineOptions(engine="slurm", slurm_option=["a=1", "b"], cpus_per_stage=4)
    assert found.sbatch[-2:] == ["--a=1", "--b"]
    assert list(option_kinds()) == [one.name for one in fields(EngineOptions)]


@pytest.mark.parametrize(("count", "kind"), [(1, local.InProcess), (2, local.Workers)])
def test_this_machine_is_the_engine_unless_another_is_named(tmp_path, count, kind):
    graph = toys.diamond(tmp_path)
    records = Records(tmp_path / "out")
    with records.driving(graph, "local"):
        engine = opened(EngineOptions(workers=count), partial(toys.diamond, tmp_path), graph, records, Follower())
        assert isinstance(engine, kind) and engine.free == count
        engine.cancel()
