"""The unlearning methods, by name. Adding one is one file with a `METHOD`, and one line here."""

from collections.abc import Mapping
from types import MappingProxyType

from baselines.methods import (
    corrective,
    dpo,
    ga,
    gd,
    idk,
    kl_min,
    llmu,
    mmunlearner,
    npo,
    rmu,
    simnpo,
    task_vector,
    undial,
)
from baselines.methods.method import ROLES, Answers, Loss, Method, Option, Role
from mllmu_med_dataset.errors import unknown

_MODULES = (
    ga, gd, kl_min, idk, llmu, npo, simnpo, dpo, corrective, undial, task_vector, rmu, mmunlearner,
)  # fmt: skip
METHODS: Mapping[str, Method] = MappingProxyType({module.METHOD.name: module.METHOD for module in _MODULES})


def get(name: str) -> Method:
    """Return the method of that name, or refuse with the nearest one."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    return METHODS[name]


__all__ = ["METHODS", "ROLES", "Answers", "Loss", "Method", "Option", "Role", "get"]
