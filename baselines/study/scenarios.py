"""Which runs a study's settings say that there are, what they left, and each scenario scored."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mllmu_med_metrics.vocabulary import OF_BELIEFS, PRIVATE

from .gathered import Gathered, gathered
from .measured import Scenario, measured, runs_of
from .report_rows import REFERENCES
from .study import CLEAN, LEARNED_CONTROL, UNLEARNED_CONTROL

Settings = Mapping[str, object]


def names_of(settings: Settings, scenario: str) -> list[str]:
    """Return the names of a scenario's runs, in the order of the report."""
    return [name for of_model in runs_in(settings, scenario).values() for name, _ in of_model]


def gathered_of(runs_dir: Path, settings: Settings, scenarios: Sequence[str]) -> dict[str, Gathered]:
    """Read what the runs of these scenarios left in a study's folder."""
    return {scenario: gathered(runs_dir, scenario, names_of(settings, scenario)) for scenario in scenarios}


def measured_of(settings: Settings, left: Mapping[str, Gathered], seed: int) -> list[Scenario]:
    """Return the scenarios of a study, every run scored on the draws of patients that the seed gives."""
    return [measured(scenario, one, runs_in(settings, scenario), seed) for scenario, one in left.items()]


def runs_in(settings: Settings, scenario: str) -> dict[str, list]:
    """Return the runs of a scenario by model, in the order of the report."""
    controls = settings["controls"]
    has = {LEARNED_CONTROL: LEARNED_CONTROL in controls and scenario in PRIVATE, CLEAN: scenario in OF_BELIEFS}
    known = [name for name in REFERENCES if has.get(name, True)]
    return runs_of(settings, known, [*(name for name in controls if name == UNLEARNED_CONTROL), *settings["methods"]])
