"""The unlearning methods, by name. Adding one is one file with a `METHOD`: here with its name below, or anywhere."""

import hashlib
import importlib.util
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from baselines.methods.method import ROLES, Answers, Loss, Method, Option, Role
from mllmu_med_dataset.errors import UserError, unknown

# Each is a module of this package; adding a method is its file, and its name here.
NAMES = (
    "ga", "gd", "kl_min", "idk", "llmu", "npo", "simnpo", "dpo", "corrective", "undial", "task_vector", "rmu",
    "mmunlearner",
)  # fmt: skip
# Controls, which run as methods do and are none: what a study gets without a clever loss.
CONTROLS = ("retain_ft",)
_CONTROLS: dict[str, Method] = {name: import_module(f"{__name__}.{name}").METHOD for name in CONTROLS}
_BY_NAME: dict[str, Method] = {name: import_module(f"{__name__}.{name}").METHOD for name in NAMES}
_READ: dict[str, str] = {}  # name of a method from a file -> SHA-256 of the file
METHODS: Mapping[str, Method] = MappingProxyType(_BY_NAME)


def get(name: str) -> Method:
    """Return the method, or control, of that name, or refuse with the nearest method."""
    if name in _CONTROLS:
        return _CONTROLS[name]
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    return METHODS[name]


def read(file: Path) -> Method:
    """Add the `METHOD` of a Python file to the methods and return it. Reading runs the file.

    A :class:`UserError` where the file can't be run, holds no `METHOD`, or names it as another one is named.
    """
    if not file.is_file():
        raise UserError(f"There is no method file '{file}'. Give a Python file that defines METHOD, or a name.")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    spec = importlib.util.spec_from_file_location(f"mllmu_med_method_{digest[:8]}", file)
    if spec is None or spec.loader is None:
        raise UserError(f"The method file '{file}' is no Python file: its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a script may end itself where it is only read
        raise UserError(f"The method file '{file}' can't be run: {type(error).__name__}: {error}.") from error
    method = getattr(module, "METHOD", None)
    if not isinstance(method, Method):
        raise UserError(
            f"The method file '{file}' defines no METHOD that is a baselines.methods.Method; the README of baselines "
            "shows one in ten lines."
        )
    if (method.name in METHODS or method.name in CONTROLS) and _READ.get(method.name) != digest:
        raise UserError(f"The method file '{file}' names its method '{method.name}', as another is named. Rename it.")
    _READ[method.name] = digest
    _BY_NAME[method.name] = method
    return method


def file_digest(name: str) -> str | None:
    """Return the SHA-256 of the file a method was read from; None for one of the package, whose version says it."""
    return _READ.get(name)


__all__ = ["CONTROLS", "METHODS", "ROLES", "Answers", "Loss", "Method", "Option", "Role", "file_digest", "get", "read"]
