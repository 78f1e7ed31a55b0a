"""A graph as text for who submits it: lines, a script for sbatch, a Snakefile."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from .engines.options import EngineOptions
from .engines.records import FOLDER
from .graph import Graph, Stage

_SUBMIT = """\
#!/bin/bash
# Queues every stage after those it needs. Run it on a login node, in the folder that the paths start from.
set -euo pipefail

# submit ID GPUS COMMAND NEED...
submit() {{
  local id=$1 gpus=$2 command=$3 need after=
  shift 3
  for need in "$@"; do after+=":${{job[$need]}}"; done
  job[$id]=$(sbatch --parsable --job-name="$id" {options} \\
    ${{gpus:+--gpus-per-node="$gpus"}} ${{after:+--dependency="afterok$after"}} --wrap="$command")
}}
"""


def plan_text(studies: Sequence[tuple[Path, Graph]], options: EngineOptions) -> str:
    """Return the stages of studies, each with its folder, in the format that the options name."""
    forms = {"text": _lines, "sbatch": _sbatch, "snakemake": _snakemake}
    return "\n".join(forms[options.format](studies, options))


def _lines(studies: Sequence[tuple[Path, Graph]], options: EngineOptions) -> Iterator[str]:
    yield from (stage.line() for _, graph in studies for stage in graph.values())


def _sbatch(studies: Sequence[tuple[Path, Graph]], options: EngineOptions) -> Iterator[str]:
    """Yield a bash script that submits every stage as a job."""
    yield _SUBMIT.format(options=shlex.join(options.sbatch))
    for out, graph in studies:
        yield f"# {shlex.quote(str(out))}"
        yield "declare -A job=()"
        for stage in graph.values():
            command = f"export OMP_NUM_THREADS={options.cpus_per_stage}; exec {stage.command}"
            yield shlex.join(["submit", stage.id, _gpus(stage, options), command, *stage.needs])


def _snakemake(studies: Sequence[tuple[Path, Graph]], options: EngineOptions) -> Iterator[str]:
    """Yield a Snakefile with a rule for every stage; a stage that is done leaves OUT/stages/<id>.done."""
    ends = [_done(out, id) for out, graph in studies for id in list(graph)[-1:]]
    yield from _rule("all", [("input", ", ".join(ends))])
    number = 0
    for out, graph in studies:
        for stage in graph.values():
            number += 1
            command = stage.command.replace("{", "{{").replace("}", "}}")
            parts = [("input", ", ".join(_done(out, need) for need in stage.needs))] if stage.needs else []
            parts += [
                ("output", f"touch({_done(out, stage.id)})"),
                ("message", repr(stage.title.replace("{", "{{").replace("}", "}}"))),
                ("threads", str(options.cpus_per_stage)),
                ("resources", f"gpus={_gpus(stage, options) or 0}"),
                ("shell", repr(command)),
            ]
            yield from _rule(f"stage_{number}", parts)


def _rule(name: str, parts: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield f"rule {name}:"
    yield from (f"    {key}: {value}" for key, value in parts)
    yield ""


def _done(out: Path, id: str) -> str:
    return repr(str(out / FOLDER / f"{id}.done"))


def _gpus(stage: Stage, options: EngineOptions) -> str:
    return str(options.gpus_per_stage) if options.gpus_per_stage and stage.needs_gpu else ""
