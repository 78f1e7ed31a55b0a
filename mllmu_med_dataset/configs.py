"""The names of the configs, without a heavy import: what can be loaded, and which split holds its rows."""

from .errors import unknown

SCENARIOS = ("privacy", "incorrectness")
PERCENTS = (5, 10, 15)
# The percent whose configs carry no number in their names.
MAIN_PERCENT = 10
# What a forget config asks beside its own rows, never trained on; each view is a split of its own.
VIEWS = {
    "privacy": ("paraphrase", "image_view", "blank_image", "direct", "reconstruction"),
    "incorrectness": ("paraphrase", "image_view", "blank_image"),
}


def config_name(scenario: str, subset: str, percent: int = MAIN_PERCENT) -> str:
    """Return the config of a subset: ``privacy_forget``, ``privacy_forget_05``, ``privacy_retain_95``."""
    if percent == MAIN_PERCENT or subset in ("test", "holdout"):
        return f"{scenario}_{subset}"
    return f"{scenario}_{subset}_{percent if subset == 'forget' else 100 - percent:02d}"


def main_split(config: str) -> str:
    """Return the split of a config's own rows: ``train`` for what is trained on, ``test`` for what is not."""
    return "train" if config.split("_")[1] in ("forget", "retain") else "test"


def splits(config: str) -> tuple[str, ...]:
    """Return the splits of a config, its own rows first; a forget config has its views beside them."""
    scenario, subset = config.split("_")[:2]
    return (main_split(config), *(VIEWS[scenario] if subset == "forget" else ()))


def config_names(scenarios: tuple[str, ...] = SCENARIOS, percents: tuple[int, ...] = PERCENTS) -> tuple[str, ...]:
    """Return every config of a build with these scenarios and percents, 10 % first."""
    names = []
    for scenario in scenarios:
        if MAIN_PERCENT in percents:
            names += [config_name(scenario, subset) for subset in ("forget", "retain", "test", "holdout")]
        for subset in ("forget", "retain"):
            names += [config_name(scenario, subset, p) for p in sorted(percents) if p != MAIN_PERCENT]
    return tuple(names)


CONFIGS = config_names()


def check_config(config: str) -> str:
    """Return the config when there is one of that name; a ``UserError`` with the nearest one otherwise."""
    if config not in CONFIGS:
        raise unknown("config", config, CONFIGS)
    return config
