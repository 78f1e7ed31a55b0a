"""The folder of a run: taken for one configuration, resumed by the same one, refused to any other."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from torch import nn
from transformers import ProcessorMixin

from baselines.model.models import is_digest_of, short_name
from baselines.run import checkpoint
from baselines.run.disk import writing
from baselines.run.folder_lock import alone
from baselines.run.run_record import METRICS, RECORD, RunRecord, read_record, run_id, write_record
from baselines.run.tracker import Tracker
from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_dataset.errors import UserError, make_folder
from mllmu_med_dataset.record import canonical_json
from mllmu_med_tasks.decoding import greedy

CONFIG = "config.canonical.json"
MODEL_CHANGED = ": the weights, configuration, tokenizer, processor, chat template or generation settings are others"


@dataclass(frozen=True)
class RunFolder:
    """A run's folder: what decides the run, where it stands, and what it leaves."""

    folder: Path
    kind: Literal["learn", "unlearn"]
    name: str
    model: str
    scenario: str
    percent: int
    seed: int
    config: dict[str, object]
    run_id: str
    finished: RunRecord | None
    tracker: Tracker | None = None

    @classmethod
    def open(
        cls,
        out: Path,
        kind: Literal["learn", "unlearn"],
        name: str,
        model: str | Path,
        scenario: str,
        percent: int,
        seed: int,
        config: dict[str, object],
        resume: bool,
    ) -> "RunFolder":
        """Take the folder for this run: an empty one, the same run's, or, without resume, any earlier run's."""
        named = short_name(model)
        config = {**config, "scenario": scenario, "percent": percent, "seed": seed}
        finished = None
        if not resume:
            _clear(out)
        if out.exists() and (not out.is_dir() or _contents(out)):
            there = out / CONFIG
            if not there.is_file():
                raise UserError(f"The output folder {out} is in use and holds no run. Name an empty or a new folder.")
            config = _as_recorded(there, config, model)
            if there.read_text(encoding="utf-8") != canonical_json(config):
                raise UserError(
                    f"The output folder {out} holds another run ({_differences(there, config)}). "
                    "Name another folder, or start over in this one with --no-resume."
                )
            finished = read_record(out)
            if finished:
                checkpoint.drop(out)  # where the run was killed between its record and this
        else:
            make_folder(out)
            with writing(out):
                write_atomically(out / CONFIG, canonical_json(config))
        identity = run_id(name, named, scenario, percent, seed, config)
        return cls(out, kind, name, named, scenario, percent, seed, config, identity, finished)

    def abandon(self) -> None:
        """Give the folder up again where the run was refused before it did anything."""
        if [path.name for path in self.folder.iterdir()] == [CONFIG]:
            (self.folder / CONFIG).unlink()
            self.folder.rmdir()

    @contextmanager
    def metrics(self, steps: int, *, writes: bool = True) -> Iterator["Metrics"]:
        """Open the metrics for appending, cut back to the lines of the first so many steps."""
        if not writes:
            yield Metrics(None, self.folder)
            return
        path = self.folder / METRICS
        kept: list[str] = []
        if steps and path.is_file():
            kept = path.read_text(encoding="utf-8").splitlines(keepends=True)[:steps]
        with writing(self.folder):
            write_atomically(path, "".join(kept))
            file = path.open("a", encoding="utf-8")
        try:
            yield Metrics(file, self.folder, self.tracker)
        except BaseException:
            with suppress(OSError):  # what is already going wrong is not covered up by a disk that is full here too
                file.close()
            raise
        with writing(self.folder):
            file.close()

    def save_adapter(self, model: nn.Module, card: str) -> None:
        """Save the adapter alone with its model card; its base is named without a machine path."""
        with writing(self.folder), _replacing(self.folder / "adapter") as folder:
            model.save_pretrained(folder)
            path = folder / "adapter_config.json"
            config = json.loads(path.read_text(encoding="utf-8"))
            config["base_model_name_or_path"] = self.model
            path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
            # In place of PEFT's template, in which nothing is filled in.
            (folder / "README.md").write_text(card, encoding="utf-8")

    def copy_model(self, model: Path) -> None:
        """Put a copy of a finished model folder in the place of the model that the run would save."""
        with writing(self.folder), _replacing(self.folder / "model") as folder:
            shutil.copytree(model, folder, dirs_exist_ok=True)

    def save_model(self, model: nn.Module, processor: ProcessorMixin) -> None:
        """Save an ordinary model folder: weights, configuration, processor."""
        with writing(self.folder), _replacing(self.folder / "model") as folder:
            try:
                model.save_pretrained(folder)
            except ValueError:  # generation settings that contradict each other load, but are not saved again
                with greedy(model):
                    model.save_pretrained(folder)
            processor.save_pretrained(folder)

    def finish(self, record: RunRecord) -> RunRecord:
        """Write the record, which marks the run as finished, and drop its checkpoint."""
        with writing(self.folder):
            write_record(self.folder, record)
        checkpoint.drop(self.folder)
        return record


class Metrics:
    """The metrics of a run, a line a step; without a file, of a process that writes none, nothing."""

    def __init__(self, file: TextIO | None, folder: Path, tracker: Tracker | None = None) -> None:
        """Write into the file and to the tracker, and name the folder where the disk refuses."""
        self._file, self._folder, self._tracker = file, folder, tracker

    def write(self, line: Mapping[str, object]) -> None:
        """Append one line."""
        if self._file:
            with writing(self._folder):
                self._file.write(json.dumps(line) + "\n")
        if self._tracker:
            self._tracker.log(line)

    def flush(self) -> None:
        """Hand every line over to the system: a killed process loses none of them."""
        if self._file:
            with writing(self._folder):
                self._file.flush()


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """Give a folder to write into that takes the place of `folder` once everything is written."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)  # half a model is of no use, and takes the room of a checkpoint


def _contents(out: Path) -> list[str]:
    """Return the names in a folder, but for what a run killed before it had taken the folder leaves."""
    return [path.name for path in out.iterdir() if path.name != f".{CONFIG}.part"]


def _clear(out: Path) -> None:
    """Remove what an earlier run left in its folder; a folder that is no run's is left alone."""
    if not (out / CONFIG).is_file():
        return
    with alone(out):
        checkpoint.drop(out)
        for name in ("model", "adapter", ".model.part", ".adapter.part"):
            shutil.rmtree(out / name, ignore_errors=True)
        for name in (RECORD, METRICS, CONFIG):
            (out / name).unlink(missing_ok=True)


def _as_recorded(there: Path, config: dict[str, object], model: str | Path) -> dict[str, object]:
    """Return the configuration with the model's digest by the rule of the run in the folder, where it is that model."""
    try:
        recorded = json.loads(there.read_text(encoding="utf-8")).get("model")
    except (ValueError, AttributeError):
        return config
    return {**config, "model": recorded} if "model" in config and is_digest_of(recorded, model) else config


def _differences(there: Path, config: Mapping[str, object]) -> str:
    """Return which settings of the run in the folder differ from this run's."""
    try:
        other = json.loads(there.read_text(encoding="utf-8"))
    except ValueError:
        other = None
    if not isinstance(other, dict):
        return "its configuration can't be read"
    ours, theirs = _flat(config), _flat(other)
    return ", ".join(
        f"its {key} is {theirs.get(key)}, not {ours.get(key)}{MODEL_CHANGED if key == 'model' else ''}"
        for key in sorted({*ours, *theirs})
        if ours.get(key) != theirs.get(key)
    )


def _flat(values: Mapping[str, object], lead: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{lead}{key}.") if isinstance(value, Mapping) else {lead + key: value}
    return flat
