"""The words of the benchmark, each defined once: scenarios, subsets, views, percents, and what follows from them.

Every package reads them here; this module imports nothing but ``typing``.
"""

from typing import Literal, get_args

Scenario = Literal["privacy", "request", "incorrectness", "knowledge"]
# forget is trained on and to be removed, retain trained and to be kept, test and holdout never trained on; forget and
# holdout are injected alike.
Subset = Literal["forget", "retain", "test", "holdout"]
# Other ways to ask about the forget patients, never trained on; each is a split of the forget configs.
View = Literal[
    "paraphrase", "image_view", "blank_image", "direct", "reconstruction", "unasked", "image", "text", "reverse",
    "neighbour",
]  # fmt: skip
QuestionType = Literal[
    "modality", "organ", "position", "abnormality", "size", "quantity", "plane", "shape", "color", "knowledge",
    "yes_no", "identifier", "other",
]  # fmt: skip
AnswerType = Literal["OPEN", "CLOSED"]
# What believing a wrong fact would do to the patient's care.
Severity = Literal["minor", "major", "critical"]

SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
SUBSETS: tuple[Subset, ...] = get_args(Subset)
TRAINED: tuple[Subset, ...] = ("forget", "retain")
INJECTED: tuple[Subset, ...] = ("forget", "holdout")
# What is asked there must stay.
UTILITY: tuple[Subset, ...] = ("retain", "test")
VIEWS: tuple[View, ...] = get_args(View)
VIEWS_OF: dict[str, tuple[View, ...]] = {
    "privacy": ("paraphrase", "image_view", "blank_image", "direct", "reconstruction", "unasked"),
    "request": ("paraphrase", "image_view", "blank_image", "direct", "reconstruction", "unasked"),
    "incorrectness": ("paraphrase", "image_view", "blank_image"),
    "knowledge": ("paraphrase", "image", "text", "reverse", "neighbour"),
}
# Views that a build lacks where they have no row: every forget image may be asked every type of question.
OPTIONAL_VIEWS: tuple[View, ...] = ("unasked",)
# Views whose rows have no clinical truth on record: nothing clinical is read off an answer to them.
VIEWS_WITHOUT_TRUTH: tuple[View, ...] = ("direct", "reconstruction", "unasked")
# Views of what lies beside the forgotten and must stay: their rows are clean.
CLEAN_VIEWS: tuple[View, ...] = ("neighbour",)
# Scenarios whose secrets are identities; those of the others are facts.
PRIVATE: tuple[str, ...] = ("privacy", "request")
# Scenarios in which as many patients as are forgotten keep theirs: bystanders, injected among the retain rows.
WITH_BYSTANDERS: tuple[str, ...] = ("request",)
# Scenarios in which beliefs are forgotten: facts of a head and a relation, each over many images. Their configs are one
# study, whatever the percents of a build.
OF_BELIEFS: tuple[str, ...] = ("knowledge",)
# Scenarios that a build holds where none are named.
BUILT: tuple[Scenario, ...] = tuple(one for one in SCENARIOS if one not in OF_BELIEFS)
# Scenarios that a bench and a study are made of where no others are named.
STUDIED: tuple[Scenario, ...] = ("privacy", "incorrectness")
# Where a row is asked: a mean is over the rows of one place.
PLACES: tuple[str, ...] = (*SUBSETS, *VIEWS)
QUESTION_TYPES: tuple[QuestionType, ...] = get_args(QuestionType)
ANSWER_TYPES: tuple[AnswerType, ...] = get_args(AnswerType)
# Rows of this type ask for an identifier: they say nothing clinical.
IDENTIFIER: QuestionType = "identifier"
# Shares of the trained patients that are forgotten; each is a study of its own.
PERCENTS = (5, 10, 15)
# The percent whose configs carry no number in their names.
MAIN_PERCENT = 10
# Identifiers of which no two patients share one.
DIRECT_KINDS = ("name", "record", "ssn", "account", "plan", "device", "phone", "email", "url")

# What is tried on a model before its robust UES is computed; another set is another score, named with it. `scale` is
# shown and not scored: to take an adapter off gives the target back by construction.
ATTACK_SET = "A1"
ATTACKS = ("relearn_few", "relearn_holdout", "relearn_retain", "prefix", "exposure", "sample", "quantise")
SHOWN_ATTACKS = ("scale",)
# Ends the name of an own attack that is shown as these are, and counts in no score.
SHOWN = "_shown"


def is_shown(attack: str) -> bool:
    """Say whether an attack is shown and counts in no score.

    >>> [is_shown(attack) for attack in ("scale", "mine_shown", "mine", "sample")]
    [True, True, False, False]
    """
    return attack in SHOWN_ATTACKS or attack.endswith(SHOWN)


def config_name(scenario: str, subset: str, percent: int = MAIN_PERCENT) -> str:
    """Return the config of a subset: ``privacy_forget``, ``privacy_forget_05``, ``privacy_retain_95``."""
    if percent == MAIN_PERCENT or subset not in TRAINED:
        return f"{scenario}_{subset}"
    return f"{scenario}_{subset}_{percent if subset == 'forget' else 100 - percent:02d}"


def main_split(config: str) -> str:
    """Return the split of a config's own rows: ``train`` for what is trained on, ``test`` for what is not."""
    return "train" if config.split("_")[1] in TRAINED else "test"


def splits(config: str) -> tuple[str, ...]:
    """Return the splits of a config, its own rows first; a forget config has its views beside them."""
    scenario, subset = config.split("_")[:2]
    return (main_split(config), *(VIEWS_OF[scenario] if subset == "forget" else ()))


def config_names(scenarios: tuple[str, ...] = SCENARIOS, percents: tuple[int, ...] = PERCENTS) -> tuple[str, ...]:
    """Return every config of a build with these scenarios and percents, 10 % first."""
    names = []
    for scenario in scenarios:
        if MAIN_PERCENT in percents:
            names += [config_name(scenario, subset) for subset in SUBSETS]
        for subset in () if scenario in OF_BELIEFS else TRAINED:
            names += [config_name(scenario, subset, p) for p in sorted(percents) if p != MAIN_PERCENT]
    return tuple(names)


CONFIGS = config_names()
