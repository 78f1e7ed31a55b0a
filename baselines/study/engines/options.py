"""Which engine runs a graph, and with what: the options that every command with a graph has."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, get_type_hints

from mllmu_med_dataset.errors import UserError, unknown

ENGINES = ("local", "ray", "slurm")
FORMATS = ("text", "sbatch", "snakemake")


@dataclass(frozen=True)
class EngineOptions:
    """Where stages run and what each may take; every field is an option of the same name."""

    engine: Annotated[str, "Where stages run: local, ray or slurm."] = "local"
    workers: Annotated[int | None, "Stages run side by side (local); as many as cores if absent."] = None
    cpus_per_stage: Annotated[int, "Cores, and threads, of every stage on a cluster."] = 1
    gpus_per_stage: Annotated[int, "GPUs of every stage on a cluster that runs a model."] = 0
    retries: Annotated[int, "How often a stage starts again that a cluster lost, or whose time was up."] = 3
    ray_address: Annotated[str | None, "Ray's address, as HOST:6379; RAY_ADDRESS or this machine's if absent."] = None
    slurm_partition: Annotated[str | None, "Partition of the jobs; SLURM's default if absent."] = None
    slurm_time: Annotated[str | None, "Time limit of a job as sbatch takes it; its stage goes on in another."] = None
    slurm_option: Annotated[list[str] | None, "Another option of sbatch, as account=LAB; may be repeated."] = None
    format: Annotated[str, "How --plan prints stages: text, sbatch (a script that submits) or snakemake."] = "text"

    def check(self) -> None:
        """Refuse what is no engine, no number of anything, or another engine's."""
        if self.engine not in ENGINES:
            raise unknown("engine", self.engine, ENGINES)
        if self.format not in FORMATS:
            raise unknown("format", self.format, FORMATS)
        for name, least in (("workers", 1), ("cpus_per_stage", 1), ("gpus_per_stage", 0), ("retries", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"{_flag(name)} is {value}; it takes a whole number from {least}. Write {least}.")
        for option in self.slurm_option or ():
            if not option.partition("=")[0].strip("-"):
                raise UserError(f"--slurm-option is '{option}'; it takes an option of sbatch, such as account=LAB.")
        owners = {"workers": ("local",), "ray_address": ("ray",)}
        owners |= dict.fromkeys(("slurm_partition", "slurm_time", "slurm_option"), ("slurm",))
        for name, engines in owners.items():
            if getattr(self, name) is not None and self.engine not in engines and self.format == "text":
                raise UserError(
                    f"{_flag(name)} is of the engine {engines[0]}, and this is {self.engine}. Add --engine "
                    f"{engines[0]}, or leave it out."
                )

    @property
    def sbatch(self) -> list[str]:
        """What sbatch is given for every job but its GPUs."""
        words = [f"--cpus-per-task={self.cpus_per_stage}", "--requeue", "--kill-on-invalid-dep=yes"]
        words += [f"--partition={self.slurm_partition}"] if self.slurm_partition else []
        words += [f"--time={self.slurm_time}"] if self.slurm_time else []
        return [*words, *(f"--{option.lstrip('-')}" for option in self.slurm_option or ())]


def option_kinds() -> dict[str, tuple[object, str]]:
    """Return the type of every option, and what it is for."""
    hints = get_type_hints(EngineOptions, include_extras=True)
    return {one.name: (hints[one.name].__origin__, hints[one.name].__metadata__[0]) for one in fields(EngineOptions)}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of the engines."""
    for name, (kind, help) in option_kinds().items():
        how = {"action": "append"} if kind == list[str] | None else {"type": int if kind in (int, int | None) else str}
        parser.add_argument(_flag(name), default=getattr(EngineOptions, name), help=help, **how)


def read_options(values: Mapping[str, object]) -> EngineOptions:
    """Return the options of the engines among a command's, checked."""
    options = EngineOptions(**{one.name: values[one.name] for one in fields(EngineOptions)})
    options.check()
    return options


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
