"""What a study takes as models, patients and methods grow, by dry runs and a simulated clock; held to measured runs.

    python -m tests.benchmarks.growth [--out runs/growth] [--only measured|studies] [--rounds 1]

Builds data sets of 240, 960 and 3,840 patients, takes what `--dry-run` says of every learn, unlearn and attack stage at
the sizes of true models (a configuration is enough, no weights are read), turns tokens into GPU seconds by the
assumptions in `GPU`, and runs the graph of stages on a clock (`baselines/study/schedule.py`) with 1 and 64 GPUs.
Nano learns, unlearns and is asked on each data set in a process of its own; its CPU seconds once all is imported, the
least of the rounds, stand beside the estimate. Writes `baselines/results/growth.json` and `growth.png`;
`python -m tests.generated` puts them on the baselines' page.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "baselines" / "results"
SIZES = (240, 960, 3840)  # patients
SCENARIO, PERCENT = "privacy", 10
WORKERS = (1, 64)
FIVE = ("ga", "gd", "kl_min", "idk", "llmu")
THIRTEEN = (*FIVE, "npo", "simnpo", "dpo", "corrective", "undial", "task_vector", "rmu", "mmunlearner")
# An A100 of 80 GB by its data sheet, and the shares of it that training and writing answers are taken to reach.
GPU = {"operations": 312e12, "training": 0.4, "bandwidth": 2.0e12, "writing": 0.6, "memory_gb": 80}
AT_ONCE, MAX_RETAIN = 64, 200  # answers written at once; retain rows that an evaluation asks, as a bench has them
# What nano does on each data set, a part of a whole run: in steps that grow with the patients as those of a whole one.
MEASURED = {
    "learn": ("--rows", "target", "--set", "epochs=0.0625"),
    "unlearn": ("--method", "gd", "--set", "epochs=1", "--set", "stop=null"),
    "evaluate": ("--max-retain", str(MAX_RETAIN)),
}


@dataclass(frozen=True)
class Model:
    """A model by its configuration: what a dry run needs of it.

    attacked: whether one GPU can relearn it, all weights trained.
    """

    name: str
    preset: str
    config: Mapping[str, object]
    attacked: bool


def models() -> tuple[Model, Model]:
    """Return a model of 7 and one of 72 billion parameters, at the sizes that their publishers give."""
    from transformers import LlavaConfig, Qwen2_5_VLConfig

    text = {"hidden_size": 8192, "intermediate_size": 29568, "num_hidden_layers": 80, "num_attention_heads": 64,
            "num_key_value_heads": 8, "vocab_size": 152064}  # fmt: skip
    vision = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3456, "num_heads": 16, "out_hidden_size": 8192}
    llava, qwen = LlavaConfig(), Qwen2_5_VLConfig(text_config=text, vision_config=vision)
    llava.text_config.vocab_size = 32_064
    return (
        Model("LLaVA-1.5-7B", "llava-1.5-7b", llava.to_dict(), attacked=True),
        Model("Qwen2.5-VL-72B, 4-bit", "qwen2.5-vl-7b+small_gpu", qwen.to_dict(), attacked=False),
    )


def build(folder: Path, patients: int) -> Path:
    """Return the folder of a data set of so many patients, built where it is not yet."""
    out = folder / f"data-{patients}"
    words = ("build", "--patients", str(patients), "--percents", str(PERCENT), "--scenarios", SCENARIO)
    if not (out / "checksums.json").is_file():
        subprocess.run([sys.executable, "-m", "baselines.cli", *words, "--out", str(out)], check=True)
    return out


def _run(*words: str) -> tuple[float, float]:
    """Run a command of the package in a process of its own; return its CPU seconds after imports and its peak in MB."""
    command = [sys.executable, "-m", "tests.benchmarks.growth", "--one", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    seconds, memory = json.loads(done.stdout.splitlines()[-1])
    return seconds, memory


def one(words: Sequence[str]) -> None:
    """Be a command of the package, and print CPU seconds and peak memory."""
    import lm_eval.models.hf_vlms  # noqa: F401 (imports are not measured)
    from transformers import AutoProcessor

    from baselines import cli
    from baselines.evaluation import evaluate  # noqa: F401
    from baselines.model import models
    from baselines.run.run_record import peak_memory_mb
    from baselines.training import learn, unlearn  # noqa: F401

    models.load("nano")
    AutoProcessor.from_pretrained(models.model_folder("nano"))
    began = time.process_time()
    with suppress(SystemExit):
        cli.main(list(words))
    print(json.dumps([time.process_time() - began, peak_memory_mb()]))


def rows_of(data: Path) -> dict[str, int]:
    """Return how many rows of each subset a bench asks, views left out."""
    from mllmu_med_dataset.load import checksums
    from mllmu_med_metrics.vocabulary import SUBSETS, config_name

    content = checksums(data)["content"]
    parts = {subset: content[config_name(SCENARIO, subset, PERCENT)] for subset in SUBSETS}
    rows = {
        subset: part["train" if subset in ("forget", "retain") else "test"]["rows"] for subset, part in parts.items()
    }
    views = sum(part["rows"] for view, part in parts["forget"].items() if view != "train")
    return {**rows, "views": views}


def _asked_rows(rows: Mapping[str, int]) -> int:
    """Return how many rows an evaluation asks: of the retained a sample."""
    return sum(rows.values()) - max(0, rows["retain"] - MAX_RETAIN)


def measured(data: Mapping[int, Path], rounds: int) -> list[dict[str, object]]:
    """Return what nano took for each stage on each data set, beside what a dry run says of it."""
    found = []
    for patients, built in data.items():
        for kind, options in MEASURED.items():
            common = (kind, "--model", "nano", "--scenario", SCENARIO, "--data", str(built), *options)
            took = []
            for _ in range(rounds):
                with tempfile.TemporaryDirectory() as folder:
                    took.append(_run(*common, "--out", str(Path(folder) / "run")))
                    if not any((Path(folder) / "run").iterdir()):
                        raise RuntimeError(f"{common} left nothing")
            seconds, memory = min(one[0] for one in took), max(one[1] for one in took)
            line = {"kind": kind, "patients": patients, "seconds": round(seconds, 2), "memory_mb": round(memory)}
            found.append(line | _said(common, built))
            print(json.dumps(found[-1]), flush=True)
    return found


def _said(common: Sequence[str], data: Path) -> dict[str, object]:
    """Return the work and memory by the dry run of a stage: tokens, or the rows that are asked."""
    if common[0] == "evaluate":
        rows = rows_of(data)
        return {"work": _asked_rows(rows) - rows["views"], "said_mb": None}
    command = [sys.executable, "-m", "baselines.cli", *common, "--out", "nowhere", "--dry-run", "--json"]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {"work": said["tokens"], "said_mb": round(said["memory_total_mb"] + said["host_total_mb"])}


class Costs:
    """GPU seconds, tokens and disk of the stages of a study of one model on one data set."""

    def __init__(self, model: Model, place: Path, data: Path) -> None:
        """Take a model by the folder of its configuration."""
        from baselines.training.roles import read_rows

        self._model, self._place, self._data, self._rows = model, place, data, rows_of(data)
        self._read = read_rows(data, SCENARIO, PERCENT)
        self._estimates: dict[tuple[str, str], object] = {}

    def of(self, stage) -> tuple[float, float, float]:
        """Return seconds, millions of tokens and GB that a stage leaves."""
        words = dict(zip(stage.argv[2::2], stage.argv[3::2], strict=False))
        if stage.kind == "learn":
            return self._trained("learn", words["--rows"])
        if stage.kind == "unlearn":
            return self._trained("unlearn", words["--method"])
        if stage.kind in ("evaluate", "control"):
            asked = _asked_rows(self._rows) if stage.kind == "evaluate" else self._rows["forget"]
            return (*self._asked(asked, 1, AT_ONCE), 0.0)
        return (*self._attacked, 0.0) if stage.kind == "attack" else (stage.cost, 0.0, 0.0)

    def said(self, kind: str, name: str):
        """Return the dry run's estimate of a learn or unlearn stage, made once."""
        from baselines import config, methods
        from baselines.study.estimate import estimate

        if (kind, name) not in self._estimates:
            if kind == "learn":
                recipe, given = config.learn_recipe(self._model.preset, (), SCENARIO), {"which": name}
            else:
                recipe = config.unlearn_recipe(name, SCENARIO, self._model.preset)
                given = {"method": methods.get(name)}
            common = {"data_dir": self._data, "data": self._read, "scenario": SCENARIO, "percent": PERCENT}
            self._estimates[kind, name] = recipe, estimate(self._place, recipe, **common, **given)
        return self._estimates[kind, name]

    def _trained(self, kind: str, name: str) -> tuple[float, float, float]:
        """An adapter: 2 operations a weight and token forward, 2 backward (frozen weights have no gradient of theirs).

        Layers computed again are another forward, and so are the reference's answers to each role that a method reads.
        """
        from baselines import methods

        recipe, said = self.said(kind, name)
        reference = len(methods.get(name).reference_roles) / len(said.roles) if kind == "unlearn" else 0
        passes = 4 + 2 * recipe.gradient_checkpointing + 2 * reference
        seconds = passes * said.parameters * said.tokens / (GPU["operations"] * GPU["training"])
        merged = 2 * said.parameters + (4 * said.trainable if kind == "unlearn" else 0)
        return seconds, said.tokens / 1e6, merged / 1e9

    def _asked(self, rows: int, answers: int, at_once: int) -> tuple[float, float]:
        """Prompts are read as training reads; a word of every answer at once takes a look at every weight."""
        _, said = self.said("learn", "target")
        read = rows * (said.tokens_per_row - said.answer_tokens / 2)
        weights = 1e6 * said.memory_mb["weights"]
        written = rows * answers * said.answer_tokens
        reading = 2 * said.parameters * read / (GPU["operations"] * GPU["training"])
        turns = math.ceil(rows * answers / at_once) * said.answer_tokens
        return reading + turns * weights / (GPU["bandwidth"] * GPU["writing"]), (read + written) / 1e6

    @cached_property
    def _attacked(self) -> tuple[float, float]:
        """Every attack of the set by the work that it says; those that train, all weights of the model."""
        from baselines import attacks
        from baselines.attacks.attacked import BATCH, read_attack_rows
        from mllmu_med_metrics.vocabulary import ATTACK_SET

        _, said = self.said("learn", "target")
        rows, seconds, tokens = read_attack_rows(self._data, SCENARIO, PERCENT), 0.0, 0.0
        for attack in attacks.chosen([ATTACK_SET]):
            work = attack.work(rows, attack.defaults)
            asking, read = self._asked(work.asked, work.answers, BATCH)
            trained = work.trained * said.tokens_per_row
            seconds += asking + 6 * said.parameters * trained / (GPU["operations"] * GPU["training"])
            tokens += read + trained / 1e6
        return seconds, tokens


@contextmanager
def configured(model: Model) -> Iterator[Path]:
    """Give a folder with a model's configuration and no more."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(model.config, default=str), encoding="utf-8")
        yield Path(folder)


def studies(data: Mapping[int, Path]) -> list[dict[str, object]]:
    """Return what a study takes: of each model, as patients grow with five methods, and with thirteen of them."""
    from baselines.study.study import Study

    found = []
    for model in models():
        with configured(model) as place:
            study = Study(Path("runs"), str(place), scenarios=(SCENARIO,), preset=model.preset)
            for patients, built in data.items():
                costs = Costs(model, place, built)
                given = [{"methods": FIVE}]
                given += [{"methods": THIRTEEN}] if patients == min(SIZES) else []
                given += [{"methods": FIVE, "attacks": True}] if model.attacked else []
                for settings in given:
                    found.append(_study(model, patients, replace(study, **settings), costs))
                    print(json.dumps(found[-1]), flush=True)
    return found


def _study(model: Model, patients: int, study, costs: Costs) -> dict[str, object]:
    """Return tokens, GPU hours, disk and hours on each number of GPUs of one study."""
    from baselines.study.graph import Graph
    from baselines.study.schedule import schedule
    from baselines.study.stages import plan

    stages = [(stage, *costs.of(stage)) for stage in plan(study).values()]
    graph = Graph([replace(stage, cost=seconds) for stage, seconds, _, _ in stages])
    hours: dict[str, float] = {}
    for stage, seconds, _, _ in stages:
        if stage.needs_gpu:
            hours[stage.kind] = hours.get(stage.kind, 0.0) + seconds / 3600
    runs = {str(workers): schedule(graph, workers) for workers in WORKERS}
    _, learned = costs.said("learn", "target")
    return {
        "model": model.name, "patients": patients, "methods": len(study.methods), "attacks": study.attacks,
        "stages": len(graph), "tokens_millions": round(sum(one[2] for one in stages), 2),
        "gpu_hours": {kind: round(value, 3) for kind, value in hours.items()},
        "disk_gb": round(sum(one[3] for one in stages)),
        "hours": {workers: round(one.seconds / 3600, 3) for workers, one in runs.items()},
        "longest_hours": round(runs["1"].longest / 3600, 3),
        "busy": {workers: round(one.busy, 3) for workers, one in runs.items()},
        "memory_gb": round(sum(learned.memory_mb.values()) / 1e3, 1),
        "images_gb": round(learned.host_mb["images"] / 1e3, 1),
    }  # fmt: skip


def draw(found: Mapping[str, object], path: Path) -> None:
    """Draw hours on 1 and 64 GPUs over patients, and what nano took beside what was said."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from baselines.study.figure import STYLE
    from tests.benchmarks.growth_text import predicted

    colours = ("#1b4f9c", "#b3541e", "#3c7d4f")
    with matplotlib.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.4))
        plain = [one for one in found["studies"] if not one["attacks"] and one["methods"] == len(FIVE)]
        for colour, name in zip(colours, dict.fromkeys(one["model"] for one in plain), strict=False):
            of_model = [one for one in plain if one["model"] == name]
            patients = [one["patients"] for one in of_model]
            for workers, line in zip(map(str, WORKERS), ("-", "--"), strict=True):
                hours = [one["hours"][workers] for one in of_model]
                left.plot(patients, hours, line, marker="o", color=colour, label=f"{name}: {workers} GPU")
        left.set(xscale="log", yscale="log", xlabel="patients", ylabel="hours of a study, by dry runs")
        left.set_ylim(top=1500)  # room for the legend
        left.legend(frameon=False, fontsize=8)
        for colour, kind in zip(colours, MEASURED, strict=True):
            lines = [one for one in found["measured"] if one["kind"] == kind]
            patients = [one["patients"] for one in lines]
            right.plot(patients, [one["seconds"] for one in lines], "o", color=colour, label=kind)
            right.plot(patients, predicted(lines), "-", color=colour, linewidth=1)
        right.set(xscale="log", yscale="log", xlabel="patients (lines: as told)", ylabel="CPU seconds of nano")
        right.set_yticks((3, 10, 30), ("3", "10", "30"))
        right.legend(frameon=False, fontsize=8)
        for axes in (left, right):
            axes.set_xticks(SIZES, [f"{patients:,}" for patients in SIZES])
            axes.minorticks_off()
        figure.tight_layout()
        figure.savefig(path, dpi=110, metadata={"Software": None})
        plt.close(figure)


def main() -> None:
    """Measure or take what was measured before, estimate, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/growth"))
    parser.add_argument("--only", choices=("measured", "studies"), help="Keep the other part as it was.")
    parser.add_argument("--rounds", type=int, default=1, help="How often each stage is run.")
    options = parser.parse_args()
    kept = RESULTS / "growth.json"
    found = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
    data = {patients: build(options.out, patients) for patients in SIZES}
    found |= {"gpu": GPU, "rows": {str(patients): rows_of(built) for patients, built in data.items()}}
    if options.only != "studies":
        found["measured"] = measured(data, options.rounds)
    if options.only != "measured":
        found["studies"] = studies(data)
    kept.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    draw(found, RESULTS / "growth.png")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2:])
    else:
        main()
