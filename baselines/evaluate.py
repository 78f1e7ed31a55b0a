"""Ask one model every row of a scenario through lm-eval, once; a finished evaluation is reported, not repeated."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

from mllmu_med_dataset.errors import UserError, make_folder
from mllmu_med_tasks import harness
from mllmu_med_tasks.names import SUBSETS

from .models import digest, model_folder

RECORD = "evaluation.json"


def evaluate(
    *,
    model: str | Path,
    data_dir: Path,
    scenario: str,
    out: Path,
    max_retain: int | None = None,
    image: str = "own",
    subsets: Sequence[str] = SUBSETS,
    batch_size: int = harness.BATCH_SIZE,
    seed: int = 0,
    resume: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, object]:
    """Write lm-eval's results and samples of one model into ``out`` and return the evaluation's record.

    The record holds the settings, the model's digest and ``seconds``; ``kept`` is true when the folder already held
    this very evaluation. A folder that holds another one is a :class:`UserError`.
    """
    folder = model_folder(model)
    settings = {
        "model_digest": digest(model),
        "data_digest": harness.data_digest(data_dir),
        "scenario": scenario,
        "subsets": list(subsets),
        "max_retain": max_retain,
        "image": image,
        "seed": seed,
    }
    path = out / RECORD
    if resume and path.is_file():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(f"{path} can't be read ({error}). Remove the folder and evaluate again.") from error
        differing = [key for key, value in settings.items() if found.get(key) != value]
        if not differing:
            return {**found, "kept": True}
        raise UserError(
            f"'{out}' holds an evaluation with other settings ({', '.join(differing)}). Name another --out folder, or "
            "remove this one to evaluate again."
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"The output folder '{out}' is in use. Name another --out folder, or remove this one first.")
    make_folder(out.parent)
    scratch = out.parent / f".{out.name}.partial"
    shutil.rmtree(scratch, ignore_errors=True)
    began = perf_counter()
    harness.run(
        str(folder),
        scenario,
        out=scratch,
        data_dir=data_dir,
        subsets=subsets,
        max_retain=max_retain,
        image=image,
        batch_size=batch_size,
        seed=seed,
        progress=progress,
    )
    record = {**settings, "seconds": round(perf_counter() - began, 2)}
    (scratch / RECORD).write_text(json.dumps(record, indent=1) + "\n")
    os.replace(scratch, out)
    return {**record, "kept": False}
