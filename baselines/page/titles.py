"""What methods and attacks are called, read off their files without running one: most of them import torch."""

import ast
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Literal, NamedTuple

Noun = Literal["method", "attack"]
_NEEDED = {"name", "title"}


class Title(NamedTuple):
    """How a method or an attack calls itself: its name, what it is, and where it is from (empty where not in words)."""

    name: str
    title: str
    paper: str


def titles(noun: Noun, names: Iterable[str], own: Sequence[str] = ()) -> dict[str, Title]:
    """Return the titles of those names that the package has, or that one of the `own` files defines.

    A name that neither tells, such as one whose file lies on another machine, is left out.
    """
    mine = {found.name: found for path in own if (found := _of_file(noun, Path(path)))}
    package = files("baselines") / f"{noun}s"
    found: dict[str, Title] = {}
    for name in names:
        file = package / f"{name}.py"
        one = mine.get(name) or (declared(file.read_text(encoding="utf-8"), noun) if file.is_file() else None)
        if one is not None:
            found[name] = one
    return found


def declared(text: str, noun: Noun) -> Title | None:
    """Return the title that a Python file gives its METHOD or ATTACK; None where it has none in plain words.

    >>> declared('ATTACK = Attack("sample", "Answers drawn", paper=PAPER)', "attack")
    Title(name='sample', title='Answers drawn', paper='')
    """
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return None
    for part in body:
        if not isinstance(part, ast.Assign) or not isinstance(part.value, ast.Call):
            continue
        if noun.upper() in [target.id for target in part.targets if isinstance(target, ast.Name)]:
            words = _words(part.value)
            return Title(words["name"], words["title"], words.get("paper", "")) if words.keys() >= _NEEDED else None
    return None


def _words(call: ast.Call) -> Mapping[str, str]:
    """Return the fields of a title that a call is given as plain text, by place or by name."""
    given = dict(zip(Title._fields, call.args, strict=False)) | {one.arg: one.value for one in call.keywords if one.arg}
    return {
        name: value.value
        for name in Title._fields
        if isinstance(value := given.get(name), ast.Constant) and isinstance(value.value, str)
    }


def _of_file(noun: Noun, path: Path) -> Title | None:
    try:
        return declared(path.read_text(encoding="utf-8"), noun)
    except (OSError, UnicodeDecodeError):
        return None
