"""What a page says first, to who has never seen one: what is done here, and what all the names on it are."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mllmu_med_metrics.vocabulary import SHOWN
from mllmu_med_tasks.attack_records import OTHER_OPTIONS

from ..study.report_text import short_attack
from .provenance import name_of
from .tables import is_method
from .titles import Title, titles

# What is to be forgotten in each scenario.
FORGOTTEN: Mapping[str, str] = {
    "privacy": "identities that answers of some patients give away",
    "request": "identities of patients who withdraw their consent, while those of others stay",
    "incorrectness": "facts that some answers state wrongly",
    "knowledge": "a wrong belief, stated alike over many images",
}
MODELS: Mapping[str, str] = {
    "base": "the model before it learned any row of this study",
    "target": "has learned everything, what is to be forgotten included; every method starts from it",
    "retain_only": "learned the same without what is to be forgotten: what perfect unlearning would give",
    "clean": "learned the same with the truth in place of what is wrong",
    "format_matched": "learned the same with other people's identities: the form of the answers, not the secrets",
    "retain_ft": "the target trained on with what is kept, and nothing more: the control that a method must beat",
}
NANO = (
    "the model that learns here: a very small one that comes with the package, trained on drawn phantoms. It is no "
    "medical model and has never seen a real image"
)
UNTOLD = "from a file of its own, which was not at hand when this page was written"


class Glossary(NamedTuple):
    """Names under a heading, each with what it is."""

    heading: str
    names: Sequence[tuple[str, str]]


def introduction(document: Mapping[str, object]) -> list[str]:
    """Return what is done in a study, in sentences."""
    config = document["config"]
    if config["source"] == "phantom":
        people = "The patients are fictitious: their images are drawn, and all private information is made up."
    else:
        people = (
            f"The images are those of the source {config['source']}; the private information that is to be forgotten "
            "is made up and is nobody's."
        )
    forgotten = "; ".join(f"{FORGOTTEN[one]} ({one})" for one in config["scenarios"])
    return [
        people,
        f"A model has learned to answer questions about images, and with the answers what it should not: {forgotten}.",
        "Unlearning is asked to take that out again and to leave everything else; then the model is asked, plainly, in "
        "other ways, and under attack where attacks were run.",
    ]


def glossary(document: Mapping[str, object]) -> list[Glossary]:
    """Return what the names on a page are: of models, of methods, of attacks, as far as the report has them."""
    config, rows = document["config"], document["rows"]
    models = dict.fromkeys(str(row["model"]) for row in rows)
    learner = name_of(str(config["model"]))
    names = [(learner, NANO if learner == "nano" else "the model that learns here")]
    names += [(name, words) for name, words in MODELS.items() if name in models]
    methods = [str(row["model"]) for row in rows if is_method(row) and row["model"] not in MODELS]
    attacks = [name.replace(OTHER_OPTIONS, "").removesuffix(SHOWN) for row in rows for name in row.get("attacks") or ()]
    groups = [
        Glossary("Models", names),
        Glossary("Methods", [*_titled(methods, titles("method", methods, config.get("method_files") or ()))]),
        Glossary("Attacks", [*_titled(attacks, titles("attack", attacks))]),
    ]
    return [one for one in groups if one.names]


def _titled(names: Sequence[str], known: Mapping[str, Title]) -> Iterator[tuple[str, str]]:
    """Yield each name once, as tables hold it too, and its title with where it is from."""
    for name in dict.fromkeys(names):
        short, found = short_attack(name), known.get(name)
        shown = name if short == name else f"{name} ({short})"
        source = f" ({found.paper})" if found and found.paper else ""
        yield shown, f"{found.title}{source}" if found else UNTOLD
