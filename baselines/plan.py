"""A study as shell commands with their dependencies, for a scheduler.

Run in any order that keeps those, on any machine that shares the folder, they leave what the bench leaves. A command
that is run again finds its work done, or half done, and goes on.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from . import methods
from .stages import FAST_SETTINGS
from .study import CONTROLS, DATA, EVALUATION, Study, run_folder


@dataclass(frozen=True)
class Command:
    """One stage: its id, the ids of those that must have ended well before it, and what to run."""

    id: str
    needs: tuple[str, ...]
    command: str

    def line(self) -> str:
        """Return the stage as one line of text, tab-separated."""
        return f"{self.id}\t{','.join(self.needs) or '-'}\t{self.command}"


def commands(study: Study) -> list[Command]:
    """Return the stages of a study, each after those it needs."""
    found = [_command("build", (), "bench", *_study_arguments(study), "--build-only")]
    files = _files(study)
    last: list[str] = []
    for scenario in study.scenarios:
        common = ["--data", study.out / DATA, "--scenario", scenario, "--percent", study.percent, "--seed", study.seed]
        for rows in ("target", "retain_only"):
            out = run_folder(study.out, scenario, rows)
            chosen = ["--model", study.model, "--rows", rows, *_recipe(study, "learn"), "--out", out]
            found.append(_command(f"{scenario}-{rows}", ("build",), "learn", *common, *chosen))
        target = run_folder(study.out, scenario, "target")
        for method in study.methods:
            out = run_folder(study.out, scenario, method)
            chosen = [
                "--model",
                target,
                "--method",
                files.get(method, method),
                *_recipe(study, "unlearn"),
                "--out",
                out,
            ]
            found.append(_command(f"{scenario}-{method}", (f"{scenario}-target",), "unlearn", *common, *chosen))
        common += ["--max-retain", study.max_retain or 0]
        for model in ("base", "target", "retain_only", *study.methods):
            folder = run_folder(study.out, scenario, model)
            asked = study.model if model == "base" else folder
            chosen = ["--model", asked, "--out", folder / EVALUATION, *(["--views"] if study.views else [])]
            needs = "build" if model == "base" else f"{scenario}-{model}"
            found.append(_command(f"{scenario}-evaluate-{model}", (needs,), "evaluate", *common, *chosen))
        for image in CONTROLS:
            chosen = ["--model", target, "--out", target / image, "--image", image, "--subsets", "forget"]
            name = f"{scenario}-evaluate-target-{image}"
            found.append(_command(name, (f"{scenario}-target",), "evaluate", *common, *chosen))
        last += [command.id for command in found if command.id.startswith(f"{scenario}-evaluate-")]
    return [*found, _command("report", last, "report", study.out)]


def _command(name: str, needs: Sequence[str], *words: object) -> Command:
    return Command(name, tuple(needs), shlex.join(["mllmu-med", *map(str, words)]))


def _recipe(study: Study, kind: str) -> list[str]:
    settings = FAST_SETTINGS[kind] if study.fast else []
    return ["--preset", study.preset, *(part for setting in settings for part in ("--set", setting))]


def _files(study: Study) -> dict[str, str]:
    """Return the file of each method that is not the package's, as a command line names it."""
    return {methods.read(file).name: str(file) for file in study.method_files}


def _study_arguments(study: Study) -> list[object]:
    """Return the arguments of `bench` that make this study."""
    files = _files(study)
    arguments: list[object] = [
        "--out", study.out, "--model", study.model, "--source", study.source, "--patients", study.patients,
        "--scenarios", ",".join(study.scenarios),
        "--methods", ",".join(files.get(name, name) for name in study.methods),
        "--seeds", study.seed, "--preset", study.preset, "--percent", study.percent,
        "--max-retain", study.max_retain or 0,
    ]  # fmt: skip
    arguments += ["--source-path", study.source_path] if study.source_path else []
    arguments += ["--max-unusable", study.max_unusable] if study.max_unusable else []
    for key, value in (study.source_options or {}).items():
        arguments += ["--source-option", f"{key}={value}"]
    flags = {"--views": study.views, "--skip-bad-images": study.skip_bad_images, "--fast": study.fast}
    return [*arguments, *(flag for flag, wanted in flags.items() if wanted)]
