"""Ask one model every row of a scenario through lm-eval, once; a finished evaluation is reported, not repeated."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter

from mllmu_med_dataset.errors import UserError, make_folder
from mllmu_med_dataset.record import canonical_json
from mllmu_med_tasks import harness
from mllmu_med_tasks.backends import Backend
from mllmu_med_tasks.decoding import SERVED_IN_PART
from mllmu_med_tasks.questions import Questions

from ..model.models import check_adapter, check_usable, digest_of, file_layers, model_folder, revision
from ..run.folder_lock import alone

RECORD = "evaluation.json"
UNKNOWN_OF_SERVED = "the weights, tokenizer, chat template and generation settings behind the name"


def evaluate(
    model: str | Path,
    questions: Questions,
    *,
    out: Path,
    backend: Backend = Backend(),  # noqa: B008 (frozen)
    cache: Path | None = None,
    resume: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, object]:
    """Write lm-eval's results and samples of one model into ``out`` and return the evaluation's record.

    The record holds the settings, the model's digest and its files' (``identity``), how answers were made
    (``decoding``) and ``seconds``; ``kept`` is true when the folder already held this very evaluation. A folder that
    holds another one is a :class:`UserError`. With the backend served, ``model`` is the name at its address. ``cache``
    is a folder in which answers are kept task by task, a file for each model's digest, so that an evaluation that was
    ended goes on.
    """
    name, model_digest, identity = _asked(model, backend)
    if backend.kind == "served" and cache is not None:
        raise UserError(
            "Answers of a served model are not cached: nothing tells which weights stand behind its name. Leave "
            "--cache out, or evaluate the model's folder with --backend hf."
        )
    settings = {
        "task_version": harness.task_version(),
        "model_digest": model_digest,
        **questions.settings(),
        "backend": backend.kind,
        "model_args": dict(backend.model_args or {}),
    }
    if resume and (found := _finished(out, settings, identity)):
        return found
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"The output folder '{out}' is in use. Name another --out folder, or remove this one first.")
    scratch = out.parent / f".{out.name}.partial"
    make_folder(scratch)
    with alone(scratch, out):
        if resume and (found := _finished(out, settings, identity)):  # by a process that ended in between
            scratch.rmdir()
            return found
        part = scratch / out.name
        shutil.rmtree(part, ignore_errors=True)  # of an evaluation that was killed
        kept = None if cache is None else cache / _cache_name(model_digest, backend)
        began = perf_counter()
        try:
            harness.run(
                name, questions, out=part, backend=backend, cache=kept, model_digest=model_digest, progress=progress
            )
            seconds = round(perf_counter() - began, 2)
            record = {**settings, "decoding": _decoding(part), "identity": identity, "seconds": seconds}
            (part / RECORD).write_text(json.dumps(record, indent=1) + "\n")
            os.replace(part, out)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return {**record, "kept": False}


def notes(record: Mapping[str, object]) -> list[str]:
    """Return what a person should know of how answers were made, a line each: what was put aside, what is unknown."""
    decoding, identity = record.get("decoding") or {}, record.get("identity") or {}
    lines = []
    if aside := decoding.get("put_aside"):
        shipped = ", ".join(f"{name} {json.dumps(value)}" for name, value in aside.items())
        lines.append(
            f"note: answers are greedy; put aside of what the model ships in its generation settings: {shipped}"
        )
    if decoding.get("rule") == SERVED_IN_PART:
        lines.append(f"note: {SERVED_IN_PART}")
    if unknown_part := identity.get("unknown"):
        lines.append(
            f"note: {unknown_part} '{identity['served']}' are the server's to know; recorded are name and address"
        )
    return lines


def _cache_name(model_digest: str, backend: Backend) -> str:
    """Return the file of a model's answers; options of the engine, which may decide them, have files of their own."""
    if not backend.model_args:
        return f"{model_digest}-{backend.kind}.db"
    options = hashlib.sha256(canonical_json(dict(backend.model_args)).encode()).hexdigest()[:8]
    return f"{model_digest}-{backend.kind}-{options}.db"


def _decoding(folder: Path) -> dict[str, object]:
    """Return what the results in the folder say of how the answers were made."""
    for path in folder.glob("results_*.json"):
        return json.loads(path.read_text(encoding="utf-8"))["config"]["mllmu_med_decoding"]
    return {}


def _finished(out: Path, settings: Mapping[str, object], identity: Mapping[str, object]) -> dict[str, object] | None:
    """Return the record of this evaluation where the folder holds it; a :class:`UserError` where it holds another."""
    path = out / RECORD
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        differing = [key for key, value in settings.items() if found.get(key) != value]
    except (ValueError, AttributeError) as error:
        raise UserError(f"{path} can't be read ({error}). Remove the folder and evaluate again.") from error
    if differing:
        changed = _changed(found.get("identity"), identity) if "model_digest" in differing else ""
        raise UserError(
            f"'{out}' holds an evaluation with other settings ({', '.join(differing)}){changed}. Name another --out "
            "folder, or remove this one to evaluate again."
        )
    return {**found, "kept": True}


def _changed(recorded: object, identity: Mapping[str, object]) -> str:
    """Return which files of the model are others than they were, where the record tells."""
    layers = recorded.get("files") if isinstance(recorded, dict) else None
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers) or "files" not in identity:
        return ""
    before, now = ({(place, name): one for place, layer in enumerate(stack) for name, one in layer.items()}
                   for stack in (layers, identity["files"]))  # fmt: skip
    names = sorted({name for place, name in {**before, **now} if before.get((place, name)) != now.get((place, name))})
    return f": since then {', '.join(names[:4])}{' and others' if len(names) > 4 else ''} changed" if names else ""


def _asked(model: str | Path, backend: Backend) -> tuple[str, str, dict[str, object]]:
    """Return what the backend opens, the digest that names it, and what the digest is made of.

    A served model is named by its name and address, which is all that is known of it.
    """
    if backend.kind == "served":
        named = hashlib.sha256(f"{model} at {backend.base_url}".encode()).hexdigest()[:16]
        return str(model), named, {"served": str(model), "at": backend.base_url, "unknown": UNKNOWN_OF_SERVED}
    check_usable(model)
    if backend.peft is not None:
        check_adapter(backend.peft)
    layers = file_layers(model, backend.peft)
    files = [{name: one[:16] for name, one in layer.items()} for layer in layers]
    return str(model_folder(model)), digest_of(layers), {"files": files, "revision": revision(model)}
