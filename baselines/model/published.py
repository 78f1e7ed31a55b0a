"""Published models: target and gold of the default study, so that everybody unlearns from the same weights.

Rounding alone makes the same recipe learn another target on another processor, and methods score otherwise from it.
``--model nano-privacy-target`` names one wherever a model is named. Each is a folder of ``baselines/published``:

model/       an ordinary model folder, its weights stored in half precision; they load in single
made.json    how it was made: the command, the checksums of the rows it was trained on, the record of its run

They are made again, where recipe, base model or rows change, from the four runs of `mllmu-med learn` that `made.json`
names:

    python -m baselines.model.published RUN [RUN ...]
"""

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self

from mllmu_med_dataset.errors import UserError, using_paths
from mllmu_med_dataset.load import checksums
from mllmu_med_metrics.vocabulary import config_name, main_split

MADE = "made.json"
FOLDER = Path(str(files("baselines") / "published"))
# What of a folder is trained on: the target on both subsets, the gold on what is kept.
TRAINED_ON = {"target": ("forget", "retain"), "retain_only": ("retain",)}


@dataclass(frozen=True)
class Published:
    """A model that comes with the package.

    rows: target or retain_only. digest: what names the model (:func:`baselines.model.models.digest`). rows_sha256: the
    checksum of the rows of each config it was trained on. record: the record of the run that made it, in plain values.
    """

    name: str
    scenario: str
    rows: str
    digest: str
    command: str
    rows_sha256: Mapping[str, str]
    record: Mapping[str, object]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return what the folder of a published model says of it."""
        return cls(folder.name, **json.loads((folder / MADE).read_text(encoding="utf-8")))

    @property
    def folder(self) -> Path:
        """Where its `model` folder is."""
        return FOLDER / self.name

    def values(self) -> dict[str, object]:
        """Return name, scenario, rows, digest and how it was made, in plain values."""
        kept = ("model", "seed", "percent", "steps", "config", "versions", "dataset_checksum")
        return {
            "name": self.name,
            "scenario": self.scenario,
            "rows": self.rows,
            "digest": self.digest,
            "command": self.command,
            "rows_sha256": dict(self.rows_sha256),
            **{key: self.record[key] for key in kept},
        }


def names() -> tuple[str, ...]:
    """Return the names of the published models, by name."""
    return tuple(sorted(made.parent.name for made in FOLDER.glob(f"*/{MADE}")))


def get(name: str) -> Published:
    """Return a published model by its name, one of :func:`names`."""
    return Published.read(FOLDER / name)


def for_study(
    scenario: str,
    rows: Literal["target", "retain_only"],
    *,
    base_digest: str,
    recipe: Mapping[str, object],
    data_dir: Path | None,
    percent: int,
    seed: int,
) -> Published | None:
    """Return the published model that learning would make, or None.

    It is one if it was learned from the same base model by the same recipe (`LearnRecipe.canonical`) with the same seed
    from the same rows of the same percent. The rows are those it was trained on: views, holdout and other scenarios of
    the data set may differ.
    """
    stated = rows_sha256(scenario, rows, percent, data_dir)
    for found in map(get, names()):
        config = found.record["config"]
        if (found.scenario, found.rows, found.rows_sha256) == (scenario, rows, stated) and (
            (config["model"], config["recipe"], config["percent"], config["seed"])
            == (base_digest, recipe, percent, seed)
        ):
            return found
    return None


def rows_sha256(scenario: str, rows: str, percent: int, data_dir: Path | None) -> dict[str, str]:
    """Return the checksum of the rows of each config that a model of the scenario is trained on."""
    content = checksums(data_dir)["content"]
    configs = [config_name(scenario, subset, percent) for subset in TRAINED_ON[rows]]
    try:
        return {config: content[config][main_split(config)]["sha256"] for config in configs}
    except KeyError as error:
        raise UserError(
            f"The data set {data_dir or 'of the package'} has no rows {error}. Build it with this scenario and percent."
        ) from error


def values() -> list[dict[str, object]]:
    """Return every published model in plain values, for `mllmu-med models --json`."""
    return [get(name).values() for name in names()]


def lines() -> list[str]:
    """Return what a person should know of every published model: name, scenario, rows, digest, and its making."""
    shown = []
    for one in map(get, names()):
        record, versions = one.record, one.record["versions"]
        shown += [
            f"{one.name}  {one.scenario}, {one.rows}, {one.digest}",
            f"  made by: {one.command}",
            f"  {record['steps']} steps from {record['model']}, seed {record['seed']}, with mllmu-med "
            f"{versions['mllmu-med']}, torch {versions['torch']}, transformers {versions['transformers']}",
            "  trained on: " + ", ".join(f"{config} {digest[:12]}" for config, digest in one.rows_sha256.items()),
        ]
    return shown


def store(run: Path, data_dir: Path | None = None, into: Path = FOLDER) -> Path:
    """Store the model of a finished run of `learn` as a published one and return its folder.

    Its name is that of its base, scenario and rows. A :class:`UserError` refuses what is no such run, and a run on
    other rows than the data set's.
    """
    from baselines.model import models

    try:
        record = json.loads((run / "record.json").read_text(encoding="utf-8"))
        scenario, rows = record["scenario"], record["config"]["rows"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{run} is no finished run of `mllmu-med learn` ({error!r}). Name the --out of one.") from error
    if record["dataset_checksum"] != checksums(data_dir)["dataset_sha256"]:
        raise UserError(f"The run {run} was made on another data set. Name its data set with --data.")
    folder = into / f"{record['model']}-{scenario}-{rows}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(run / "model", folder / "model")
    _in_half_precision(folder / "model" / "model.safetensors")
    made = {
        "scenario": scenario,
        "rows": rows,
        "digest": models.digest(folder / "model"),
        "command": f"mllmu-med learn --model {record['model']} --scenario {scenario} --rows {rows} "
        f"--percent {record['percent']} --seed {record['seed']} --out RUN",
        "rows_sha256": rows_sha256(scenario, rows, record["percent"], data_dir),
        "record": record,
    }
    (folder / MADE).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return folder


def _in_half_precision(weights: Path) -> None:
    """Write the weights anew in half the bytes; the configuration goes on saying what they load as."""
    import torch
    from safetensors.torch import load_file, save_file

    tensors = {name: value.to(torch.float16) for name, value in load_file(weights).items()}
    save_file(tensors, weights, metadata={"format": "pt"})
    weights.chmod(0o644)  # as every other file of the package


def main(argv: Sequence[str] | None = None) -> None:
    """Store the models of finished runs, from the command line."""
    parser = argparse.ArgumentParser(description="Store the models of finished learn runs as published ones.")
    parser.add_argument("runs", type=Path, nargs="+", help="the --out folders of `mllmu-med learn`")
    parser.add_argument("--data", type=Path, help="the data set they were trained on; the packaged one if absent")
    options = parser.parse_args(argv)
    try:
        with using_paths():
            for run in options.runs:
                print(store(run, options.data))
    except UserError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
