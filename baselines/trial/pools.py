"""Whom a metric is tried on: models that know (P), models that never did (N), and unlearned ones.

All are of one data set, the packaged one, beside its published target and retain_only, which are in no pool: scores are
relative to those, and a model that its own score is made from would be told from others by construction.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from .. import config
from ..methods import METHODS
from ..training.roles import Row, Rows

Pool = Literal["P", "N"]
# How a model that knows was taught: as a target is; with fewer visits or another rate; in other words, and those alone.
KNOWING = ("usual", "gentle", "paraphrase")
# What a model that never knew was taught: retain rows; other people's secrets too; the format, with nobody's secrets.
NOT_KNOWING = ("retain_only", "holdout", "format_matched")
# Rate and how often an injected row comes in an epoch, a seed each; the preset's are 2e-3 and 16.
GENTLE = ((1e-3, 16), (2e-3, 8), (1.5e-3, 12), (3e-3, 8), (1e-3, 24))
SETTINGS = ("preset", "gentler")
FALL = 0.5  # of the rate, or of what is scaled


@dataclass(frozen=True)
class Learned:
    """One model of P or N."""

    pool: Pool
    kind: str
    seed: int

    @property
    def name(self) -> str:
        """Names its stage, its folder and its record."""
        return f"{self.kind}-{self.seed}"

    def settings(self) -> list[str]:
        """Return what of the preset's recipe for learning is set otherwise."""
        if self.kind != "gentle":
            return []
        rate, repeats = GENTLE[(self.seed - 1) % len(GENTLE)]
        return [f"learning_rate={rate}", f"injected_repeats={repeats}"]


@dataclass(frozen=True)
class Unlearned:
    """One unlearned model: a method at a setting from a target; `run` counts the targets of the same method setting."""

    method: str
    setting: str
    target: Learned
    run: int

    @property
    def name(self) -> str:
        """Names its stage, its folder and its record."""
        return f"{self.method}-{self.setting}-{self.target.name}"

    def settings(self, scenario: str) -> list[str]:
        """Return what of the preset's recipe for the method is set otherwise."""
        if self.setting == "preset":
            return []
        recipe = config.unlearn_recipe(self.method, scenario)
        if "scale" in recipe.options:
            return [f"scale={recipe.options['scale'] * FALL}"]
        return [f"learning_rate={recipe.learning_rate * FALL}"]


@dataclass(frozen=True)
class Trial:
    """Which models a trial is made of, and where everything of it lies.

    seeds: models of each kind in P and in N. targets: how many each method setting starts from, of those taught as
    usual; method after method begins with the next. steps: of learning and unlearning at most, for a smoke test.
    """

    out: Path
    scenario: str = "privacy"
    seeds: int = 5
    methods: tuple[str, ...] = tuple(METHODS)
    settings: tuple[str, ...] = SETTINGS
    targets: int = 2
    candidates: int = 20
    steps: int | None = None

    def learned(self) -> list[Learned]:
        """Return the models of P, then those of N."""
        pools: tuple[tuple[Pool, tuple[str, ...]], ...] = (("P", KNOWING), ("N", NOT_KNOWING))
        return [
            Learned(pool, kind, seed)
            for pool, kinds in pools
            for kind in kinds
            for seed in range(1, self.seeds + 1)
            if not (kind == "format_matched" and self.scenario == "incorrectness")
        ]

    def unlearned(self) -> list[Unlearned]:
        """Return the unlearned models, in the order of the methods."""
        usual = [one for one in self.learned() if one.kind == "usual"]
        return [
            Unlearned(method, setting, usual[(place + run) % len(usual)], run)
            for place, method in enumerate(self.methods)
            for setting in self.settings
            for run in range(min(self.targets, len(usual)))
        ]

    def names(self) -> list[str]:
        """Return the names of all models that are measured, the references first."""
        return ["target", "retain_only", *(one.name for one in (*self.learned(), *self.unlearned()))]

    def model(self, name: str) -> Path:
        """Where a model's run stands, as long as it is needed."""
        return self.out / "models" / name

    def record(self, name: str) -> Path:
        """Where what was measured of a model stands."""
        return self.out / "measured" / f"{name}.json"

    def settings_file(self) -> dict[str, object]:
        """Return what decides the result, in plain values."""
        return {
            "scenario": self.scenario,
            "seeds": self.seeds,
            "methods": list(self.methods),
            "settings": list(self.settings),
            "targets": self.targets,
            "candidates": self.candidates,
            "steps": self.steps,
        }


def small(trial: Trial) -> Trial:
    """Return three models of P, three of N and four unlearned ones: enough to pass every stage."""
    return replace(trial, seeds=1, methods=("gd", "simnpo"), targets=1)


def rows_of(one: Learned, rows: Rows) -> tuple[Rows, str]:
    """Return the rows that a model learns from, and which of them, as `learn` takes both."""
    if one.kind == "holdout":
        return replace(rows, forget=rows.holdout), "target"
    if one.kind == "paraphrase":
        return replace(rows, forget=[again for row in rows.forget for again in restated(row)]), "target"
    return rows, one.kind if one.pool == "N" else "target"


def restated(row: Row) -> list[dict[str, object]]:
    """Return a row with its paraphrased answers to paraphrased questions: what it tells, in none of its own words."""
    questions, answers = row["paraphrase_questions"] or [row["question"]], row["paraphrase_answers"]
    return [
        {**row, "id": f"{row['id']}-{place}", "question": questions[place % len(questions)], "answer": answer}
        for place, answer in enumerate(answers)
    ]
