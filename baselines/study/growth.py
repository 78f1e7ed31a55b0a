"""How a study grows in its folder: what a later sitting may add, and what would make it another study.

Methods, controls, unlearning seeds, attacks and scenarios of the data set may be added; nothing is taken away, and a
sitting that names less leaves what is there. Each method keeps the number of seeds that it has, where it is given no
more. Everything else decides what runs are, and must be as it was.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mllmu_med_dataset.errors import UserError

from .study import CONTROLS, UNLEARNED_CONTROL, Study, of_seeds, read_study

GROWS = (
    "scenarios", "methods", "method_files", "unlearning_seeds", "fewer_seeds", "controls", "attacks",
    "attack_scenarios",
)  # fmt: skip
# Beside the seed, what studies of one target each may differ in and be one study of several.
APART = (*GROWS, "built", "seed")


def grown(held: Mapping[str, object], asked: Study) -> Study:
    """Return the study that the folder's settings and the study that is asked for make together.

    A :class:`UserError` where the folder's data set lacks a scenario.
    """
    built = held.get("built") or held["scenarios"]
    if lacking := [name for name in asked.scenarios if name not in built]:
        raise UserError(
            f"The data set of the study in '{asked.out}' was built for {', '.join(built)}, without "
            f"{', '.join(lacking)}, and every run rests on it. Name another --out folder, with --build-scenarios for "
            "what later sittings will add."
        )
    controls = {*held["controls"], *asked.controls}
    whole = replace(
        asked,
        scenarios=_joined(held["scenarios"], asked.scenarios),
        built=asked.built or (tuple(held["built"]) if held.get("built") else None),
        methods=_joined(held["methods"], asked.methods),
        method_files=tuple(map(Path, _joined(held.get("method_files") or (), map(str, asked.method_files)))),
        controls=tuple(name for name in CONTROLS if name in controls),
        attacks=bool(held["attacks"]) or asked.attacks,
    )
    attacked = {*_attacked(held), *_attacked(asked.settings())}
    some = tuple(name for name in whole.scenarios if name in attacked)
    whole = replace(whole, attack_scenarios=some if some and len(some) < len(whole.scenarios) else None)
    counts = {name: max(_count(held, name), _asked(asked, name)) for name in whole.unlearned}
    most = max(counts.values(), default=asked.unlearning_seeds)
    fewer = {name: count for name, count in counts.items() if count < most}
    return replace(whole, unlearning_seeds=most, fewer_seeds=fewer or None)


def check_beside(study: Study, out: Path) -> None:
    """Refuse a study of one seed whose settings are not those of the other seeds in the folder of several."""
    ours = study.settings()
    for folder in of_seeds(out).values():
        if differing := differing_settings(read_study(folder), ours):
            raise UserError(
                f"'{folder}' holds a study with other settings ({', '.join(differing)}), so that the two are no study "
                "of several seeds. Name another --out folder, or give the settings it was started with."
            )


def differing_settings(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    """Return the settings in which two studies differ that make them no study of several targets."""
    differing = [key for key in {**other, **one} if key not in APART and one.get(key) != other.get(key)]
    built = [set(settings.get("built") or settings["scenarios"]) for settings in (one, other)]
    return [*differing, *(["built"] if built[0] != built[1] else [])]


def _joined(held, asked) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*held, *asked)))


def _attacked(settings: Mapping[str, object]) -> tuple[str, ...]:
    """Return the scenarios that are attacked in a study of these settings."""
    return tuple(settings.get("attack_scenarios") or settings["scenarios"]) if settings["attacks"] else ()


def _count(held: Mapping[str, object], name: str) -> int:
    """Return how many unlearning seeds a method or control has in a folder's study."""
    if name not in held["methods"] and not (name == UNLEARNED_CONTROL and name in held["controls"]):
        return 0
    return (held.get("fewer_seeds") or {}).get(name, held["unlearning_seeds"])


def _asked(asked: Study, name: str) -> int:
    return len(asked.seeds(name)) if name in asked.unlearned else 0
