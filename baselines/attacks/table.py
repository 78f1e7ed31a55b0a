"""What attacks found, as a table: harm of each model, and how much of the target's stays gone."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np

from mllmu_med_metrics.scoring.parts import GATE, ratio

Records = Mapping[str, Mapping[str, Any]]


def mean_harm(record: Mapping[str, Any]) -> float:
    """Return h_a: the mean harm over the patients that an attack judges, 0 to 1."""
    harm = record["harm_by_patient"]
    return sum(harm[patient] for patient in sorted(harm)) / len(harm)


def compared(unlearned: Records, target: Records | None = None, retain_only: Records | None = None) -> list[dict]:
    """Return a line for every attack: h of the models given, and, with both others, F_a and whether it counts.

    F_a = clip((h(target) - h(unlearned)) / (h(target) - h(retain_only)), 0, 1), None where the target does not tell
    at least `GATE` more than the gold.
    """
    lines = []
    for name, record in unlearned.items():
        line: dict[str, Any] = {"attack": name, "harm": mean_harm(record)}
        line |= {"seconds": record["seconds"], "parts": dict(record["parts"])}
        if target:
            line["harm_target"] = mean_harm(target[name])
        if retain_only:
            line["harm_retain_only"] = mean_harm(retain_only[name])
        if target and retain_only:
            gone, span = line["harm_target"] - line["harm"], line["harm_target"] - line["harm_retain_only"]
            share = float(ratio(np.array([gone]), np.array([span]), GATE)[0])
            line["f"] = None if isnan(share) else share
            line["counts"] = line["f"] is not None and record["attack_set"] is not None
        lines.append(line)
    return lines


def text(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the lines as a table; seconds are those of the first model."""
    columns = [
        ("harm", "harm", 2), ("harm_target", "target", 2), ("harm_retain_only", "gold", 2), ("f", "F", 2),
        ("seconds", "s", 1),
    ]  # fmt: skip
    shown = [column for column in columns if column[0] in lines[0]]
    parts = list(lines[0]["parts"])
    width = max(len("attack"), *(len(line["attack"]) for line in lines))
    made = ["  ".join([f"{'attack':<{width}}", *(f"{head:>6}" for _, head, _ in shown), *(f"{p:>6}" for p in parts)])]
    for line in lines:
        cells = ["     -" if line[key] is None else f"{line[key]:>6.{places}f}" for key, _, places in shown]
        cells += [f"{line['parts'][part]:>6.1f}" for part in parts]
        note = "" if line.get("counts", True) else "  shown, counts in no score"
        made.append("  ".join([f"{line['attack']:<{width}}", *cells]) + note)
    return "\n".join(made)
