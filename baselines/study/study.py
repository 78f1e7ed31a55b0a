"""What a study is, and where everything of it lies.

OUT/study.json                            its settings
OUT/mllmu-med/                            the data set
OUT/<scenario>/<model>/                   a run: record.json, metrics.jsonl, model/ (and adapter/)
OUT/<scenario>/<method>-s<seed>/          the same method once more from the same target, with another unlearning seed
OUT/<scenario>/<model>/evaluation/        lm-eval's results and samples
OUT/<scenario>/<model>/attacks/           a record of every attack on target, golds, and each method's first run
OUT/<scenario>/target/blank|other/        controls: the target shown a blank or another patient's image
OUT/report.html                           the report as a page; the same as report.json, report.md, figures/
OUT/stages/                               how every stage goes, and what it printed on a cluster: `mllmu-med status OUT`

Of several seeds each has such a folder, OUT/seed-<seed>/, and all together OUT/seeds.json, seeds.md and figures/.
A later call may add to a study (`growth`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics.vocabulary import MAIN_PERCENT, OF_BELIEFS, PRIVATE, STUDIED

from .kinds import check_kinds

METHODS = ("ga", "gd", "kl_min", "idk", "llmu")
STUDY = "study.json"
DATA = "mllmu-med"
EVALUATION = "evaluation"
ATTACKED = "attacks"
IMAGES = ("blank", "other")  # what the target is shown instead of a row's own image
UNLEARNED_CONTROL, LEARNED_CONTROL = "retain_ft", "format_matched"
CLEAN = "clean"  # of beliefs: what was taught the truth, from which target and retain_only go on
CONTROLS = (UNLEARNED_CONTROL, LEARNED_CONTROL)
UNLEARNING_SEEDS = 3
# What a study was before these settings existed; with them, whatever is asked.
OLDER = {"unlearning_seeds": 1, "controls": [], "learn": True, "attacks": False}


@dataclass(frozen=True)
class Study:
    """What a bench runs: the same value gives the same report (but for seconds and memory)."""

    out: Path
    model: str = "nano"
    source: str = "phantom"
    source_path: Path | None = None
    source_options: Mapping[str, str] | None = None
    patients: int = 240
    max_unusable: str | None = None  # the share of the source's rows that may be left out, where it is not the usual
    skip_bad_images: bool = False
    scenarios: tuple[str, ...] = STUDIED
    built: tuple[str, ...] | None = None  # scenarios of the data set, where it is more than the study's
    methods: tuple[str, ...] = METHODS
    method_files: tuple[Path, ...] = ()  # of the methods that are not the package's
    preset: str = "nano"
    percent: int = MAIN_PERCENT  # of the trained patients are forgotten; each share is a study of its own
    views: bool = True  # whether every model is asked the views of the forget rows as well
    seed: int = 0  # of the data, of what is learned, and the first of the unlearning seeds
    unlearning_seeds: int = UNLEARNING_SEEDS  # how often every method runs from the one target
    fewer_seeds: Mapping[str, int] | None = None  # the same of methods and controls that run less often
    controls: tuple[str, ...] = CONTROLS
    attacks: bool = False  # whether the set of attacks is run on target, golds, and each method's first run
    attack_scenarios: tuple[str, ...] | None = None  # the scenarios where it is, if not in all
    learn: bool = False  # whether target and gold are learned anew where they come with the package
    max_retain: int = 200
    fast: bool = False

    def settings(self) -> dict[str, object]:
        """Return what decides the result, in plain values: everything but where it is written."""
        values = {key: _plain(value) for key, value in asdict(self).items() if key != "out"}
        # Settings that came later stand in no older study.
        later = ("built", "max_unusable", "fewer_seeds", "attack_scenarios")
        return {key: value for key, value in values.items() if value or key not in later}

    def seeds(self, name: str) -> tuple[int, ...]:
        """Return the unlearning seeds of a method or control."""
        return seeds_of_runs(self.seed, self.unlearning_seeds, self.fewer_seeds, name)

    def arguments(self, files: Mapping[str, str]) -> list[object]:
        """Return the arguments of `bench` that make this study; `files` hold the methods that are not the package's."""
        arguments: list[object] = [
            "--out", self.out, "--model", self.model, "--source", self.source, "--patients", self.patients,
            "--scenarios", ",".join(self.scenarios),
            "--methods", ",".join(files.get(name, name) for name in self.methods),
            "--seeds", self.seed, "--preset", self.preset, "--percent", self.percent,
            "--max-retain", self.max_retain or 0, "--unlearning-seeds", self.unlearning_seeds,
            "--controls", ",".join(self.controls) or "none",
        ]  # fmt: skip
        arguments += ["--build-scenarios", ",".join(self.built)] if self.built else []
        arguments += ["--attack-scenarios", ",".join(self.attack_scenarios)] if self.attack_scenarios else []
        arguments += ["--source-path", self.source_path] if self.source_path else []
        arguments += ["--max-unusable", self.max_unusable] if self.max_unusable else []
        for key, value in (self.source_options or {}).items():
            arguments += ["--source-option", f"{key}={value}"]
        flags = {"--no-views": not self.views, "--learn": self.learn, "--fast": self.fast}
        flags |= {"--attacks": self.attacks, "--no-attacks": not self.attacks}
        flags |= {"--skip-bad-images": self.skip_bad_images}
        return [*arguments, *(flag for flag, wanted in flags.items() if wanted)]

    @property
    def runs(self) -> tuple[tuple[str, int], ...]:
        """What is unlearned in each scenario: method or control, and unlearning seed."""
        return tuple((name, seed) for name in self.unlearned for seed in self.seeds(name))

    def learned(self, scenario: str) -> tuple[str, ...]:
        """What is learned in a scenario: of beliefs the truth first, then target, gold, and a control where it fits."""
        control = [LEARNED_CONTROL] if LEARNED_CONTROL in self.controls and scenario in PRIVATE else []
        return (*([CLEAN] if scenario in OF_BELIEFS else []), "target", "retain_only", *control)

    def attacked(self, scenario: str) -> tuple[str, ...]:
        """The runs of a scenario that are attacked: what is learned, and the first unlearning seed of what is not."""
        attacked = self.attacks and scenario in (self.attack_scenarios or self.scenarios)
        return (*self.learned(scenario), *self.unlearned) if attacked else ()

    @property
    def unlearned(self) -> tuple[str, ...]:
        """What starts from the target: the control first, then the methods."""
        return (*(name for name in self.controls if name == UNLEARNED_CONTROL), *self.methods)


def fast(study: Study) -> Study:
    """Return the smallest study that passes every stage: a smoke test, its numbers mean nothing."""
    seeds = min(study.unlearning_seeds, 2)
    return replace(study, patients=min(study.patients, 60), max_retain=8, unlearning_seeds=seeds, fast=True)


def seeds_of(study: Study, seeds: Sequence[int]) -> list[Study]:
    """Return one study a seed; several seeds get a folder each, and so does one more beside those.

    A :class:`UserError` where the folder holds the study of one seed itself.
    """
    if len(seeds) == 1 and not of_seeds(study.out):
        return [replace(study, seed=seeds[0])]
    if (study.out / STUDY).is_file():
        held = read_study(study.out)["seed"]
        raise UserError(
            f"'{study.out}' holds the study of seed {held} itself, and those of several seeds lie in folders of their "
            f"own. Name another --out folder, or make it one of them: move all that it holds into "
            f"'{study.out / f'seed-{held}'}'."
        )
    return [replace(study, seed=seed, out=study.out / f"seed-{seed}") for seed in seeds]


def of_seeds(out: Path) -> dict[int, Path]:
    """Return the studies of single seeds that lie in the folder of several, by seed."""
    named = {path.name.removeprefix("seed-"): path for path in out.glob("seed-*") if (path / STUDY).is_file()}
    return dict(sorted((int(seed), path) for seed, path in named.items() if seed.isdecimal()))


def seeds_of_runs(first: int, most: int, fewer: Mapping[str, int] | None, name: str) -> tuple[int, ...]:
    """Return the unlearning seeds of a method or control in a study whose first is given."""
    return tuple(range(first, first + (fewer or {}).get(name, most)))


def run_name(model: str, study_seed: int, seed: int) -> str:
    """Return the name of a run in its scenario: the model's, for the study's own seed, else the seed's with it."""
    return model if seed == study_seed else f"{model}-s{seed}"


def run_folder(out: Path, scenario: str, name: str) -> Path:
    """Return where a run of a study lives."""
    return out / scenario / name


def read_study(runs_dir: Path) -> dict[str, object]:
    """Return the settings of the study a folder holds, an older one's completed; a :class:`UserError` if none."""
    path = runs_dir / STUDY
    if not path.is_file():
        raise UserError(
            f"'{runs_dir}' holds no study ({STUDY} is missing). Give the --out folder of `mllmu-med bench`."
        )
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        lacking = [key for key in ("scenarios", "methods", "seed") if key not in settings]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(
            f"'{path}' can't be read as the settings of a study ({error}). Put back the file that `mllmu-med bench` "
            "wrote, or name another folder."
        ) from error
    if lacking or not isinstance(settings, dict):
        raise UserError(
            f"'{path}' holds no settings of a study: it has no {', '.join(lacking) or 'object'}. Put back the file "
            "that `mllmu-med bench` wrote, or name another folder."
        )
    settings = {**OLDER, **settings}
    check_settings(settings, path, "Put back the file that `mllmu-med bench` wrote, or name another folder.")
    return settings


def check_settings(settings: Mapping[str, object], path: Path, fix: str) -> None:
    """Refuse settings from a file of which one is of another kind than a study's."""
    check_kinds(Study, {**settings, "out": "."}, path, "file with the settings of a study", fix)


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
