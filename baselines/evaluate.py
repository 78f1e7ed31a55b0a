"""Ask one model every row of a scenario through lm-eval, once; a finished evaluation is reported, not repeated."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter

from mllmu_med_dataset.errors import UserError, make_folder, unknown
from mllmu_med_tasks import harness
from mllmu_med_tasks.names import MAIN_PERCENT, SUBSETS

from .disk import alone
from .models import check_adapter, check_usable, digest, model_folder

RECORD = "evaluation.json"


def evaluate(
    *,
    model: str | Path,
    data_dir: Path,
    scenario: str,
    out: Path,
    percent: int = MAIN_PERCENT,
    views: bool = False,
    max_retain: int | None = None,
    image: str = "own",
    subsets: Sequence[str] = SUBSETS,
    limit: int | None = None,
    backend: str = "hf",
    peft: str | Path | None = None,
    base_url: str | None = None,
    concurrent: int = 1,
    model_args: Mapping[str, str] | None = None,
    cache: Path | None = None,
    batch_size: int = harness.BATCH_SIZE,
    seed: int = 0,
    resume: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, object]:
    """Write lm-eval's results and samples of one model into ``out`` and return the evaluation's record.

    The record holds the settings, the model's digest and ``seconds``; ``kept`` is true when the folder already held
    this very evaluation. A folder that holds another one is a :class:`UserError`. ``views`` asks the views of the
    forget rows too. With ``backend`` served, ``model`` is the name at ``base_url``; ``peft`` is an adapter on top of
    the model. ``cache`` is a folder in which answers are kept task by task, a file for each model's digest, so that an
    evaluation that was ended goes on.
    """
    if backend not in harness.BACKENDS:
        raise unknown("backend", backend, harness.BACKENDS)
    name, model_digest = _asked(model, backend, peft, base_url)
    if backend == "served" and cache is not None:
        raise UserError(
            "Answers of a served model are not cached: nothing tells which weights stand behind its name. Leave "
            "--cache out, or evaluate the model's folder with --backend hf."
        )
    settings = {
        "model_digest": model_digest,
        "data_digest": harness.data_digest(data_dir),
        "scenario": scenario,
        "percent": percent,
        "subsets": list(subsets),
        "views": views,
        "max_retain": max_retain,
        "image": image,
        "limit": limit,
        "backend": backend,
        "model_args": dict(model_args or {}),
        "seed": seed,
    }
    if resume and (found := _finished(out, settings)):
        return found
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"The output folder '{out}' is in use. Name another --out folder, or remove this one first.")
    scratch = out.parent / f".{out.name}.partial"
    make_folder(scratch)
    with alone(scratch, out):
        if resume and (found := _finished(out, settings)):  # by a process that ended in between
            scratch.rmdir()
            return found
        part = scratch / out.name
        shutil.rmtree(part, ignore_errors=True)  # of an evaluation that was killed
        began = perf_counter()
        try:
            harness.run(
                name,
                scenario,
                out=part,
                data_dir=data_dir,
                subsets=subsets,
                views=views,
                percent=percent,
                max_retain=max_retain,
                image=image,
                backend=backend,
                peft=peft,
                base_url=base_url,
                concurrent=concurrent,
                model_args=model_args,
                cache=None if cache is None else cache / f"{model_digest}-{backend}.db",
                limit=limit,
                batch_size=batch_size,
                seed=seed,
                progress=progress,
            )
            record = {**settings, "seconds": round(perf_counter() - began, 2)}
            (part / RECORD).write_text(json.dumps(record, indent=1) + "\n")
            os.replace(part, out)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return {**record, "kept": False}


def _finished(out: Path, settings: Mapping[str, object]) -> dict[str, object] | None:
    """Return the record of this evaluation where the folder holds it; a :class:`UserError` where it holds another."""
    path = out / RECORD
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} can't be read ({error}). Remove the folder and evaluate again.") from error
    differing = [key for key, value in settings.items() if found.get(key) != value]
    if differing:
        raise UserError(
            f"'{out}' holds an evaluation with other settings ({', '.join(differing)}). Name another --out folder, or "
            "remove this one to evaluate again."
        )
    return {**found, "kept": True}


def _asked(model: str | Path, backend: str, peft: str | Path | None, base_url: str | None) -> tuple[str, str]:
    """Return what the backend opens, and 16 hex digits that name it: by content, or by name and address if served."""
    if backend == "served":
        return str(model), hashlib.sha256(f"{model} at {base_url}".encode()).hexdigest()[:16]
    check_usable(model)
    found = digest(model)
    if peft is not None:
        check_adapter(peft)
        found = hashlib.sha256(f"{found} with {digest(peft)}".encode()).hexdigest()[:16]
    return str(model_folder(model)), found
