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
        built=_built(held, asked),
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


def of_data_set(study: Study) -> Study:
    """Return what of a study decides its data set: what sittings add to it does not."""
    usual = Study(study.out)
    kept = {name: getattr(usual, name) for name in (*GROWS, "learn", "views", "max_retain", "preset", "model")}
    return replace(study, **{**kept, "scenarios": study.built or study.scenarios, "built": None})


def beside(study: Study, out: Path) -> Study:
    """Return the study of one seed with a data set of the same scenarios as the other seeds in the folder of several.

    A :class:`UserError` where its other settings are not theirs.
    """
    for folder in of_seeds(out).values():
        theirs = read_study(folder)
        built = theirs.get("built") or theirs["scenarios"]
        if study.built is None and set(study.scenarios) < set(built):
            study = replace(study, built=tuple(built))
        if differing := differing_settings(theirs, study.settings()):
            raise UserError(
                f"'{folder}' holds a study with other settings ({', '.join(differing)}), so that the two are no study "
                "of several seeds. Name another --out folder, or give the settings it was started with."
            )
    return study


def differing_settings(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    """Return the settings in which two studies differ that make them no study of several targets."""
    differing = [key for key in {**other, **one} if key not in APART and one.get(key) != other.get(key)]
    built = [set(settings.get("built") or settings["scenarios"]) for settings in (one, other)]
    return [*differing, *(["built"] if built[0] != built[1] else [])]


def _built(held: Mapping[str, object], asked: Study) -> tuple[str, ...] | None:
    """Return the scenarios of the data set where they are named: as they were, if the same are asked for."""
    before = held.get("built")
    if asked.built is not None and set(asked.built) != set(before or held["scenarios"]):
        return asked.built
    return None if before is None else tuple(before)


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
