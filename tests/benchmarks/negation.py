"""How well, how fast and how heavy: the rules of `negation` beside negspacy and medspacy, on sentences not tuned on.

    python -m tests.benchmarks.negation            # the own rules, and those of the two that are installed

Of the untouched half of `fact_cases` and of both halves of `third_writer`, the English rows of the kinds on which a
denial decides: every occurrence of a value of the closed set is an entity, given to each tool by an entity ruler with
the forms that `facts` knows, so that none is better for its names. An entity is right where the tool affirms it
exactly if the label does. A blank English pipeline with a sentencizer, nothing downloaded. medspacy's sentence
splitter and UMLS linker are not used; where their packages are not installed (they need a compiler and LevelDB),
stand-ins take their place.
"""

import argparse
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias
from unittest.mock import MagicMock

from mllmu_med_metrics.answers.agreement import values_said
from mllmu_med_metrics.answers.facts import fold_word, forms
from mllmu_med_metrics.answers.negation import denied, denied_ahead
from mllmu_med_metrics.answers.pieces import is_word, pieces_of
from mllmu_med_metrics.normal_form import Phrases
from tests.mllmu_med_metrics.answers import fact_cases, third_writer

REPEATS = 5
# Kinds that the other tools don't claim to read.
OWN_KINDS = ("echoed question", "verbose")
# Kinds of the third writer on which something else than a denial decides.
NO_DENIAL = (
    "echoed question", "sides and positions", "numbers", "plurals, adjectives, articles and names", "abstention",
)  # fmt: skip
Case: TypeAlias = tuple[str, str, tuple[str, ...], set[str]]
DISTRIBUTIONS = {"negspacy": ("negspacy",), "medspacy": ("medspacy", "spacy", "pysbd", "jsonschema")}
IMPORTS = {
    "own rules": "mllmu_med_metrics.answers.agreement",
    "negspacy": "negspacy.negation",
    "medspacy": "medspacy.context",
}


def rows() -> list[Case]:
    """Return (kind, answer, closed set, values said) of the untouched rows on which negation decides."""
    untouched = fact_cases.rows(untouched=True, kinds=fact_cases.NEGATION_KINDS)
    return [row for row in untouched if row[1].isascii() and _can_be_given(*row[1:3])]


def third_rows() -> list[Case]:
    """Return the rows of the third writer, of both halves, on which a denial decides."""
    cases = [
        (row["kind"], row["answer"], tuple(row["values"]), set(row["said"]))
        for half in ("untouched", "tuned")
        for row in third_writer.rows(half)
        if row["kind"] not in NO_DENIAL
    ]
    return [case for case in cases if case[1].isascii() and _can_be_given(*case[1:3])]


def _can_be_given(answer: str, values: tuple[str, ...]) -> bool:
    """Say whether values stand in the answer word for word, so that a phrase matcher finds them."""
    written = [words for _, words in occurrences(answer, values)]
    return bool(written) and all(words in answer.lower() for words in written)


def occurrences(answer: str, values: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield (value, its words as the answer writes them) of every value in an answer."""
    words = [piece for piece in pieces_of(answer) if is_word(piece)]
    table = {form: value for value in reversed(values) for form in forms(value)}
    for place in Phrases(table, keep_numbers_apart=True).find([fold_word(word) for word in words]):
        yield table[place.form], " ".join(words[place.start : place.end])


def own(answer: str, values: tuple[str, ...]) -> set[str]:
    """Return what the whole rules read: cues, questions, labels."""
    return set(values_said(answer, values))


def own_cues(answer: str, values: tuple[str, ...]) -> set[str]:
    """Return what the cues alone read, each value looked at by itself."""
    pieces = pieces_of(answer)
    ahead = denied_ahead(pieces)
    words = [index for index, piece in enumerate(pieces) if is_word(piece)]
    table = {form: value for value in reversed(values) for form in forms(value)}
    places = Phrases(table, keep_numbers_apart=True).find([fold_word(pieces[index]) for index in words])
    return {table[form] for start, end, form in places if not denied(pieces, ahead, words[start], words[end - 1] + 1)}


def with_spacy(component: str, settings: dict, cases: list[Case]) -> Callable[[str, tuple[str, ...]], set[str]]:
    """Return a reader by a blank English pipeline whose entities are the values that stand in the answer."""
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    ruler = nlp.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER"})
    nlp.add_pipe(component, config=settings)
    patterns = {written: value for _, answer, values, _ in cases for value, written in occurrences(answer, values)}
    ruler.add_patterns([{"label": "VALUE", "pattern": written} for written in patterns])

    def read(answer: str, values: tuple[str, ...]) -> set[str]:
        document = nlp(answer)
        names = {form: value for value in reversed(values) for form in forms(value)}
        affirmed = set()
        for entity in document.ents:
            value = names.get("".join(fold_word(word) for word in pieces_of(entity.text)))
            denied = entity._.negex if component == "negex" else entity._.is_negated
            if value is not None and not denied:
                affirmed.add(value)
        return affirmed

    return read


def installed_megabytes(names: tuple[str, ...]) -> float:
    """Return the size of the files of distributions and of what they require, as installed here."""
    wanted, seen, total = list(names), set(), 0
    while wanted:
        name = wanted.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            spec = importlib.util.find_spec(name) if name in IMPORTS else None
            folders = spec.submodule_search_locations or () if spec else ()
            total += sum(path.stat().st_size for folder in folders for path in Path(folder).rglob("*.*"))
            continue
        total += sum(Path(file.locate()).stat().st_size for file in distribution.files or () if file.locate().is_file())
        required = (needed for needed in distribution.requires or () if "extra ==" not in needed)
        wanted.extend(re.match(r"[\w.-]+", needed)[0] for needed in required)
    return total / 1e6


def import_seconds(module: str) -> float:
    """Return how long a fresh interpreter takes to import a module, the interpreter's own start left out."""
    stand_ins = "import sys, time; from unittest.mock import MagicMock\n"
    if module.startswith("medspacy"):
        stand_ins += "".join(f"sys.modules[{name!r}] = MagicMock()\n" for name in missing_stand_ins())
    code = f"{stand_ins}start = time.perf_counter()\nimport {module}\nprint(time.perf_counter() - start)"
    return min(
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout) for _ in "123"
    )


def missing_stand_ins() -> list[str]:
    """Return the modules that medspacy imports for parts not used here, where they are not installed."""
    there = {"PyRuSH", "quickumls"} & {*importlib.metadata.packages_distributions()}
    roots = [name for name in ("PyRuSH", "quickumls") if name not in there]
    return [
        module for root in roots for module in (root, *([f"{root}.spacy_component"] if root == "quickumls" else ()))
    ]


def readers(cases: list[Case]) -> dict[str, Callable[[str, tuple[str, ...]], set[str]]]:
    """Return the readers that are there: the own rules always."""
    tools: dict[str, Callable[[str, tuple[str, ...]], set[str]]] = {"own rules": own, "own cues alone": own_cues}
    if importlib.util.find_spec("negspacy"):
        import negspacy.negation  # noqa: F401

        tools["negspacy"] = with_spacy("negex", {"ent_types": ["VALUE"]}, cases)
    if importlib.util.find_spec("medspacy"):
        for name in missing_stand_ins():
            sys.modules[name] = MagicMock()
        import medspacy.context  # noqa: F401

        tools["medspacy"] = with_spacy("medspacy_context", {}, cases)
    return tools


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    cases = rows()
    plain = [case for case in cases if case[0] not in OWN_KINDS]
    print(f"{len(cases)} answers, {sum(len(list(occurrences(*case[1:3]))) for case in cases)} values in them;", end=" ")
    print(f"{len(plain)} without {' and '.join(OWN_KINDS)}")
    third = third_rows()
    print(f"{len(third)} answers of the third writer, the own rules tuned on half of them")
    print("| tool | right | of the plain ones | third writer | us an answer | import, s | installed, MB |")
    print("|---|---|---|---|---|---|---|")
    for name, read in readers([*cases, *third]).items():
        right, of_plain, of_third = (
            sum(read(answer, values) == said for _, answer, values, said in some) / len(some)
            for some in (cases, plain, third)
        )
        best = float("inf")
        for repeat in range(1, REPEATS + 1):
            # A trailing space makes each text a new one: nothing is remembered from the last time.
            texts = [(answer + " " * repeat, values) for _, answer, values, _ in cases]
            start = time.process_time()
            for answer, values in texts:
                read(answer, values)
            best = min(best, (time.process_time() - start) / len(texts))
        module = IMPORTS.get(name)
        size = installed_megabytes(DISTRIBUTIONS[name]) if name in ("negspacy", "medspacy") else 0.0
        # By itself the cue reader builds its phrases anew for each answer, so its time says nothing.
        micros = "-" if name == "own cues alone" else f"{best * 1e6:.0f}"
        seconds = f"{import_seconds(module):.2f}" if module else "-"
        print(f"| {name} | {right:.3f} | {of_plain:.3f} | {of_third:.3f} | {micros} | {seconds} | {size:.0f} |")


if __name__ == "__main__":
    main()
