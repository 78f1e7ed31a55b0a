"""The unlearning methods, by name. Adding one is one file with a `METHOD`: here with its name below, or anywhere."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from baselines.methods.method import ROLES, Answers, Loss, Method, Option, Role
from baselines.methods.own_file import defined_in
from mllmu_med_dataset.errors import UserError, unknown

# Each is a module of this package; adding a method is its file, and its name here.
NAMES = (
    "ga", "gd", "kl_min", "idk", "llmu", "npo", "simnpo", "dpo", "corrective", "undial", "task_vector", "rmu",
    "mmunlearner", "jensun", "npo_sam", "npo_lat",
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
    method, digest = defined_in(file, "method", Method, __name__)
    if (method.name in METHODS or method.name in CONTROLS) and _READ.get(method.name) != digest:
        raise UserError(f"The method file '{file}' names its method '{method.name}', as another is named. Rename it.")
    _READ[method.name] = digest
    _BY_NAME[method.name] = method
    return method


def file_digest(name: str) -> str | None:
    """Return the SHA-256 of the file a method was read from; None for one of the package, whose version says it."""
    return _READ.get(name)


__all__ = ["CONTROLS", "METHODS", "ROLES", "Answers", "Loss", "Method", "Option", "Role", "file_digest", "get", "read"]
