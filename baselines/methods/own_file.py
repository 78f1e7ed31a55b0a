"""What a Python file of one's own defines: a method, or an attack."""

import hashlib
import importlib.util
from pathlib import Path
from typing import TypeVar

from mllmu_med_dataset.errors import UserError

Defined = TypeVar("Defined")


def defined_in(file: Path, noun: str, kind: type[Defined], home: str) -> tuple[Defined, str]:
    """Run a file and return what it defines under the noun in capitals, and the SHA-256 of the file.

    noun: method or attack; kind: what it must be, which `home` exports. A :class:`UserError` where the file is not
    there, can't be run, or defines no such thing.
    """
    name = noun.upper()
    if not file.is_file():
        raise UserError(f"There is no {noun} file '{file}'. Give a Python file that defines {name}, or a name.")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    spec = importlib.util.spec_from_file_location(f"mllmu_med_{noun}_{digest[:8]}", file)
    if spec is None or spec.loader is None:
        raise UserError(f"The {noun} file '{file}' is no Python file: its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a script may end itself where it is only read
        raise UserError(f"The {noun} file '{file}' can't be run: {type(error).__name__}: {error}.") from error
    value = getattr(module, name, None)
    if not isinstance(value, kind):
        raise UserError(
            f"The {noun} file '{file}' defines no {name} that is a {home}.{kind.__name__}; the README of baselines "
            "shows one in ten lines."
        )
    return value, digest
