"""How every metric did, from the values of all models, as JSON and as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import nan

from mllmu_med_metrics import trial as judge

from .pools import Learned, Trial, Unlearned
from .values import BOTH, ROBUST_HARM, of_model, read, scorer

# Relearned from a quarter of the forget patients (judged on the others), and from retain rows.
FEW, RETAIN = "few", "retain"
# Of these the mean in every kind of model is shown.
SHOWN = ("harm", "harm on forget", ROBUST_HARM, "ROUGE-L", "ES", "truth ratio", "MIA loss", "exposure")
Values = Mapping[str, Mapping[str, object]]


def result(trial: Trial) -> dict[str, object]:
    """Return the trial's settings, the values of every model, and what came of every metric."""
    known = scorer(trial)
    values = {name: of_model(read(trial, name), known) for name in trial.names()}
    return _rounded({"settings": trial.settings_file(), "models": values, "metrics": judged(trial, values)})


def judged(trial: Trial, values: Values) -> dict[str, dict[str, object]]:
    """Return the verdict on every metric: over all forget patients with `retain`, over the judged ones with `few`."""
    names = dict.fromkeys(name for one in values.values() for name in one["before"])
    verdicts: dict[str, dict[str, object]] = {}
    for metric in names:
        whole = _verdict(trial, values, metric, "before", RETAIN, "rounded")
        some = _verdict(trial, values, metric, "before_few", FEW, "rounded_few") if metric in BOTH else None
        tau, correlation = _stability(trial, values, metric)
        verdicts[metric] = {
            "all": asdict(whole),
            "few": None if some is None else asdict(some),
            "tau": None if tau is None else asdict(tau),
            "icc": None if correlation is None else asdict(correlation),
        }
    return verdicts


def _verdict(trial: Trial, values: Values, metric: str, before: str, relearned: str, rounded: str) -> judge.Verdict:
    def of(name: str, place: str) -> float:
        one = values[name]
        table = one[place] if place.startswith("before") else one["after"].get(place, {})
        return table.get(metric, nan)

    learned = trial.learned()
    present, absent = ({one.name: of(one.name, before) for one in learned if one.pool == pool} for pool in ("P", "N"))
    golds = [judge.Gold(of(one.name, before), of(one.name, relearned)) for one in learned if _is_gold(one)]
    unlearned = [
        judge.Unlearned(
            one.target.name, values[one.name]["utility"], of(one.name, before), of(one.name, relearned),
            of(one.name, rounded),
        )
        for one in trial.unlearned()
    ]  # fmt: skip
    return judge.verdict(present, absent, unlearned, golds)


def _is_gold(one: Learned) -> bool:
    return one.kind == "retain_only"


def _stability(trial: Trial, values: Values, metric: str) -> tuple[judge.Interval | None, judge.Interval | None]:
    runs: dict[tuple[str, str], dict[int, Unlearned]] = {}
    for one in trial.unlearned():
        runs.setdefault((one.method, one.setting), {})[one.run] = one
    pairs = {
        setting: tuple(values[by_run[run].name]["before"].get(metric, nan) for run in (0, 1))
        for setting, by_run in runs.items()
        if len(by_run) > 1
    }
    return judge.stability(pairs, {setting: setting[0] for setting in pairs})


COLUMNS = (
    ("AUC(P, N)", "all", "faithfulness"),
    ("R few", "few", "r"),
    ("R retain", "all", "r"),
    ("Q", "all", "q"),
    ("HM(R few, Q)", "few", "robustness"),
    ("symmetric", "few", "robustness_symmetric"),
)


def table(outcome: Mapping[str, object]) -> str:
    """Return the result as a table of text: a line a metric, each value with its 95 % interval."""
    metrics: Mapping[str, Mapping] = outcome["metrics"]
    width = max(len("metric"), *map(len, metrics))
    lines = [
        "  ".join(
            [f"{'metric':<{width}}", *(f"{title:<15}" for title, *_ in COLUMNS), f"{'n':>3}", f"{'tau':<15}", "ICC"]
        )
    ]
    for metric, one in metrics.items():
        cells = [_cell(one[part][name] if one[part] else None) for _, part, name in COLUMNS]
        lines.append(
            "  ".join(
                [f"{metric:<{width}}", *cells, f"{one['all']['counted']:>3}", _cell(one["tau"]), _cell(one["icc"])]
            ).rstrip()
        )
    return "\n".join(lines)


def pools(outcome: Mapping[str, object], trial: Trial, metrics: Sequence[str]) -> str:
    """Return the mean of some metrics in every kind of model, so that one sees what a verdict rests on."""
    kinds: dict[str, list[Mapping]] = {}
    for one in trial.learned():
        kinds.setdefault(f"{one.pool} {one.kind}", []).append(outcome["models"][one.name]["before"])
    for one in trial.unlearned():
        kinds.setdefault(f"{one.method}, {one.setting}", []).append(outcome["models"][one.name]["before"])
    lines = ["  ".join([f"{'models':<26}", *(f"{name:>10}" for name in metrics)])]
    for kind, values in kinds.items():
        means = [[one[name] for one in values if name in one] for name in metrics]
        lines.append("  ".join([f"{kind:<26}", *(f"{sum(m) / len(m):>10.2f}" if m else f"{'-':>10}" for m in means)]))
    return "\n".join(lines)


def _rounded(value):
    """Return the value with every number in it to five digits: more would be noise, and twice the size."""
    if isinstance(value, Mapping):
        return {name: _rounded(one) for name, one in value.items()}
    return round(value, 5) if isinstance(value, float) else value


def _cell(interval: Mapping[str, float | None] | None) -> str:
    if interval is None:
        return f"{'-':<15}"
    value, low, high = interval["value"], interval["low"], interval["high"]
    ends = "" if low is None else f" {low:.2f}-{high:.2f}"
    return f"{f'{value:.2f}{ends}':<15}"
