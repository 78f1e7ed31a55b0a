"""Which runs a study's settings say that there are, and each of its scenarios scored."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mllmu_med_metrics.vocabulary import OF_BELIEFS, PRIVATE

from .measured import Scenario, measured, runs_of
from .report_rows import REFERENCES
from .study import CLEAN, LEARNED_CONTROL, UNLEARNED_CONTROL


def scenarios_of(
    runs_dir: Path, settings: Mapping[str, object], scenarios: Sequence[str], seed: int
) -> Iterator[Scenario]:
    """Yield these scenarios of a study, every finished run scored on the draws of patients that the seed gives."""
    for scenario in scenarios:
        yield measured(runs_dir, scenario, _runs(settings, scenario), seed)


def _runs(settings: Mapping[str, object], scenario: str) -> dict[str, list]:
    """Return the runs of a scenario by model, in the order of the report."""
    controls = settings["controls"]
    has = {LEARNED_CONTROL: LEARNED_CONTROL in controls and scenario in PRIVATE, CLEAN: scenario in OF_BELIEFS}
    known = [name for name in REFERENCES if has.get(name, True)]
    return runs_of(settings, known, [*(name for name in controls if name == UNLEARNED_CONTROL), *settings["methods"]])
