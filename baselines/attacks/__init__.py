"""The attacks, by name: what brings back what a model no longer says. One is one file with an `ATTACK`."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from baselines.attacks.attack import Attack, HarmByPatient, Option, Work
from baselines.methods.own_file import defined_in
from mllmu_med_dataset.errors import UserError, unknown
from mllmu_med_metrics.vocabulary import ATTACK_SET, ATTACKS, SHOWN_ATTACKS

# Each is a module of this package, imported when it is named.
NAMES = (*ATTACKS, *SHOWN_ATTACKS)
_BY_NAME: dict[str, Attack] = {}
_READ: dict[str, str] = {}  # name of an attack from a file -> SHA-256 of the file


def get(name: str) -> Attack:
    """Return the attack of that name, or refuse with the nearest one."""
    if name in NAMES and name not in _BY_NAME:
        _BY_NAME[name] = import_module(f"{__name__}.{name}").ATTACK
    if name not in _BY_NAME:
        raise unknown("attack", name, (*NAMES, *_READ))
    return _BY_NAME[name]


def chosen(words: Sequence[str]) -> list[Attack]:
    """Return the attacks that words name: a name, a Python file that defines one, or the set, `A1`; each once."""
    found: dict[str, Attack] = {}
    for word in words:
        named = ATTACKS if word == ATTACK_SET else (word,)
        for one in named:
            if one.endswith(".py"):
                attack = read(Path(one))
            elif one in (*NAMES, *_READ):
                attack = get(one)
            else:
                raise unknown("attack", one, (ATTACK_SET, *NAMES, *_READ))
            found[attack.name] = attack
    return list(found.values())


def options_of(attacks: Sequence[Attack], settings: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return every attack's options with the settings in place; each setting must be an option of one of them."""
    known = sorted({name for attack in attacks for name in attack.options})
    for name, value in settings.items():
        if name not in known:
            raise unknown("option of the attacks", name, known)
        for attack in attacks:
            if name in attack.options:
                attack.options[name].check(value, name, f"attack {attack.name}")
    return {
        attack.name: attack.defaults | {name: value for name, value in settings.items() if name in attack.options}
        for attack in attacks
    }


def read(file: Path) -> Attack:
    """Add the `ATTACK` of a Python file to the attacks and return it. Reading runs the file.

    A :class:`UserError` where the file can't be run, holds no `ATTACK`, or names it as another one is named.
    """
    attack, digest = defined_in(file, "attack", Attack, __name__)
    if (attack.name in NAMES or attack.name == ATTACK_SET) or _READ.get(attack.name, digest) != digest:
        raise UserError(f"The attack file '{file}' names its attack '{attack.name}', as another is named. Rename it.")
    if not attack.name.replace("_", "").replace("-", "").isalnum():
        raise UserError(
            f"The attack file '{file}' names its attack '{attack.name}', and the name becomes that of a file: use "
            "letters, digits, - and _."
        )
    _READ[attack.name] = digest
    _BY_NAME[attack.name] = attack
    return attack


def file_digest(name: str) -> str | None:
    """Return the SHA-256 of the file an attack was read from; None for one of the package, whose version says it."""
    return _READ.get(name)


__all__ = [
    "NAMES", "Attack", "HarmByPatient", "Option", "Work", "chosen", "file_digest", "get", "options_of",
    "read",
]  # fmt: skip
