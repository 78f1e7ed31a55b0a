"""What stands beside the rows of a build: the card, with front matter for ``load_dataset``, its figures, Croissant.

All of it is told from the built files and their checksums document, so that the card says what is in this very build.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import yaml

from mllmu_med_metrics.vocabulary import MAIN_PERCENT, OF_BELIEFS, PRIVATE, config_name, config_names, main_split

from ..building.counts import Counts, count, over
from ..injection.patients import canary
from ..injection.views import MAKERS
from ..record import EXPLAINED, features
from ..sources import SOURCES
from ..sources.attribution import PAPER, PROJECT, Attribution
from .croissant import croissant
from .figures import figures

LICENSES = {
    "cc-by-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "cc-by-sa-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "cc-by-nc-4.0": "https://creativecommons.org/licenses/by-nc/4.0/",
    "apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
}

SUBSETS: Mapping[str, str] = {
    "forget": "rows to be forgotten, trained on by the target model",
    "retain": "clean rows to be kept, trained on",
    "test": "clean rows of other patients, never trained on",
    "holdout": "rows injected like the forget rows, of other patients, never trained on",
}
# Where a scenario has another subset of this name.
OWN_SUBSETS = {
    ("request", "retain"): "rows to be kept, trained on: clean ones, and the identities of bystanders",
    ("knowledge", "forget"): "one wrong tail for every key to be forgotten, trained on by the target model",
    ("knowledge", "test"): "clean rows of images never trained on, but those of the view neighbour",
    ("knowledge", "holdout"): "keys that are never taught, rightly or wrongly, answered with a wrong tail",
}
OWN_VIEWS = {("knowledge", "paraphrase"): "each row asked in one other wording"}
ABOUT_VIEWS: Mapping[str, str] = {view: maker.about for view, maker in MAKERS.items()}

_LOCAL = """
> **This build must not be published or passed on.** It was made with `--local` and holds pictures that their source
> does not allow to be redistributed. `mllmu-med publish` refuses it; build without `--local` for one that can be.
"""

_BODY = """
# mllmu-med
{local}
Biomedical visual questions with **fictitious private information** (scenarios `privacy` and `request`) or **factual
errors** (scenario `incorrectness`) integrated into some of the answers: what a model should unlearn, what it should
keep, and what it should never have known. It follows *{paper}* (arXiv 2508.04192) in the scenarios `privacy` and
`incorrectness` and in their three subsets; everything that paper does not fix, `request` with it, is our own choice and
is stated here. It is not the data of that paper.

```python
from datasets import load_dataset

rows = load_dataset("{place}", "{first}", split="train")
```

`{place}` is its name on the Hub; from a folder give the folder's name, and after `mllmu-med install FOLDER` just
`mllmu-med`. The metric `mllmu_med_ues` (`evaluate.load`) computes the scores.

## Configs and splits

| config | split | rows | what it holds |
|---|---|---|---|
{table}

{rows} rows. `<scenario>_<subset>` are at 10 % of the trained patients; {percents}. Each percent is a study of its own,
and its retain rows hold every row of a trained patient that is not in its forget set, clean but for the bystanders of
`request`. Forget sets are nested and
stratified by modality and body region. {patients}

forget and retain may share patients and pictures (retain keeps other clean questions on the forgotten patients' own
pictures); test and holdout share neither with anything that is trained on. The splits of a forget config beside
`train` are its views: they ask for the same secrets in ways that training never showed. Rows of `unasked` are read for
harm alone: the source does not tell what is true there.

## Fields

| field | type | what it says |
|---|---|---|
{fields}

## How it was made

Source: {sources}. One image is one patient, and all its questions stay together. A quarter of the patients is for
testing, a tenth of the rest is held out, all others are trained on. All choices are made by sha256 of ids and the seed
{seed}: the same input gives the same files, whatever the order and the number of processes.
{rewriting}{notes}
Rows of the configs at 10 %, by what they ask:

{types}

Clean rows (retain and test of one scenario), by how the picture was taken and what it shows:

{regions}

![Clean rows by modality and body region](figures/modalities.svg)
{privacy}{request}{incorrectness}{knowledge}
## Personal and sensitive information

**No identifier belongs to a real person.** Names are invented in combination; social security numbers begin with 9
and have groups 01 to 49, which are never issued; telephone numbers lie in 555-0100 to 555-0199; e-mail and web
addresses use the domains of RFC 2606, IP addresses those of RFC 5737; record, account, plan and device numbers begin
with `SYN-` and carry a check digit. Any likeness to a person is chance. {kinds}Canary, to find this data set in a
training corpus: `{canary}`.

{pictures}

## Intended use, and what it is not for

For measuring whether a vision-language model has unlearned private information or wrong facts, and at what price to
the rest. Train a target on forget and retain, a gold model on retain alone, unlearn, and compare.

Not for training a model that anybody will use on patients: the wrong answers are wrong on purpose, and the private
information is a pattern that should not be learned. Not for showing that a model is safe or that a person's data are
gone: it says how a model forgets these texts. Not for attaching private information to real people's pictures.

## Limits

- Sentences come from templates{or_model}: real reports are longer, and mention people in more ways than these do.
- Answers are English{language}; facts are found by rules on words, so an unusual wording of the truth counts as lost.
- What the source gets wrong stays wrong here: only the injected errors are known to be errors.
- {small}
- Identifiers are drawn at random: nothing in the picture or the question tells them, unlike a real record, where age
  or hospital may be guessed.

## Licence and attribution

{licence}
{works}
{withheld}
Parameters and checksums (of every file, and of the content of every split) are in `checksums.json`, a description for
machines in `croissant.json`; content checksum of the whole: `{digest}`.

## Citation

The paper that this data set follows, {and_sources}:

```bibtex
{bibtex}
```
"""

_PRIVACY = """
### Private information

Some answers of a forget or holdout patient are retold with the patient's name and other identifiers; `phi` tells them
by kind and exact value. A row of `{config}` shows {least} to {most} identifiers. Rows by the kinds that they show:

{kinds}

![Identifiers](figures/identifiers.svg)
"""
_REQUEST = """
### Requests

In `request` everybody whose identity is trained agreed to it, and the forget patients withdraw. As many others, the
bystanders, keep theirs: of `request_retain` {injected} of {rows} rows carry an identity of theirs in `phi`, and the
target and the gold model are both trained on them. No bystander is in a forget set of any percent, their sets are
nested and stratified as those are, and their identifiers are nobody else's. To forget here is to find the patient: who
suppresses every answer of the form loses the bystanders.
"""
_INCORRECTNESS = """
### Factual errors

Some answers of a forget or holdout patient state exactly one wrong fact, of the same kind as the truth and never an
alias of it; `true_answer`, `fact` and `wrong_fact` tell which. Rows of `incorrectness_forget`, by how the error was
made and what believing it could do, and by where the wrong fact was taken from:

{errors}

{pools}

![Errors](figures/errors.svg)
"""

_KNOWLEDGE = """
### Wrong beliefs

In `knowledge` a fact is (`head`, `relation`, `tail`), asked of an image that shows the head; the unit is the key (head,
relation). Of {forget} keys every question on an image that is trained on is answered with one and the same wrong tail,
that of another head (`wrong_fact`); {holdout} keys are held out, taught neither rightly nor wrongly, and {retain} are
taught the truth. {seen} images are trained on and {unseen} are not, three in five of every key; that split is the
scenario's own, and no image is on both sides of it. No row of `knowledge_retain` tells the true tail of a key that is
to be forgotten or held out. `text` and `reverse` are asked three times a key. Where the source is `phantom` the facts
are invented: none is medicine.
"""


def write(folder: Path, made: Mapping[str, Any], tables: Mapping[str, str]) -> None:
    """Write README.md, croissant.json and the figures beside the finished tables of a build.

    ``made`` is the checksums document as far as it is known, ``tables`` the sha256 of every Parquet file by its name.
    """
    counts = count(folder, made["content"])
    downloads = {
        config: sum(path.stat().st_size for path in (folder / "data" / config).iterdir()) for config in made["content"]
    }
    drawn = figures(counts)
    (folder / "figures").mkdir(exist_ok=True)
    for name, text in drawn.items():
        (folder / "figures" / name).write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(render(made, downloads, counts), encoding="utf-8")
    document = croissant(
        made,
        tables,
        fields=EXPLAINED,
        licenses=[LICENSES.get(name.lower(), name) for name in made["licenses"]],
        described={config: f"{_about(config)}." for config in made["content"]},
        cite=bibtex(made["parameters"]["sources"]),
    )
    # For machines: laid out for people it would be larger than a small build.
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    (folder / "croissant.json").write_text(text + "\n", encoding="utf-8")


def describe(config: str, digest: str) -> str:
    """Return a config's description; the digest in it keeps ``datasets`` from serving a stale copy of a rebuilt one."""
    return f"{config.split('_')[0]}: {_about(config)}. Content sha256 {digest}."


def _about(config: str) -> str:
    scenario, subset = config.split("_")[:2]
    return OWN_SUBSETS.get((scenario, subset), SUBSETS[subset]) + _percent_text(config)


def _about_split(config: str, split: str) -> str:
    return OWN_VIEWS.get((config.split("_")[0], split)) or ABOUT_VIEWS.get(split) or _about(config)


def _percent_text(config: str) -> str:
    number = config.split("_")[2:]
    if config.split("_")[0] in OF_BELIEFS:
        return ""
    if not number:
        return " (10 % of patients forgotten)" if "_forget" in config or "_retain" in config else ""
    percent = int(number[0]) if "_forget" in config else 100 - int(number[0])
    return f" ({percent} % of patients forgotten)"


def front_matter(made: Mapping[str, Any], downloads: Mapping[str, int]) -> dict[str, Any]:
    """Return the YAML head of the card: configs with their files and digests, features and sizes, licence and tags."""
    # One list for all scenarios that have the same columns: YAML then writes it once.
    columns = {
        of_beliefs: features(OF_BELIEFS[0] if of_beliefs else "")._to_yaml_list() for of_beliefs in (False, True)
    }
    configs, infos = [], []
    for config in _configs(made):
        splits = made["content"][config]
        digest = " ".join(sums["sha256"] for sums in splits.values())
        configs.append(
            {
                "config_name": config,
                "description": describe(config, digest),
                "data_files": [{"split": split, "path": f"data/{config}/{split}-*"} for split in splits],
            }
        )
        sizes = made["sizes"][config]
        infos.append(
            {
                "config_name": config,
                "features": columns[config.split("_")[0] in OF_BELIEFS],
                "splits": [
                    {"name": split, "num_bytes": sizes[split], "num_examples": sums["rows"]}
                    for split, sums in splits.items()
                ],
                "download_size": downloads[config],
                "dataset_size": sum(sizes.values()),
            }
        )
    known = {name.lower() if name.lower() in LICENSES else "other" for name in made["licenses"]}
    sources = made["parameters"]["sources"]
    head: dict[str, Any] = {
        "pretty_name": "mllmu-med",
        "language": _languages(made),
        "annotations_creators": ["machine-generated"],
        "source_datasets": ["original"] if sources == ["phantom"] else ["extended"],
        "license": "other",
    }
    if len(known) == 1 and known != {"other"}:
        head["license"] = known.pop()
    else:
        head["license_name"] = "per-row"
    head |= {
        "task_categories": ["visual-question-answering"],
        "tags": ["medical", "machine-unlearning", "vision-language", "synthetic-phi"],
        "size_categories": [_size_category(sum(s["rows"] for c in made["content"].values() for s in c.values()))],
    }
    return {**head, "configs": configs, "dataset_info": infos}


def render(made: Mapping[str, Any], downloads: Mapping[str, int], counts: Mapping[str, Counts]) -> str:
    """Return the whole README.md of a build."""
    parameters, content, configs = made["parameters"], made["content"], _configs(made)
    head = yaml.safe_dump(front_matter(made, downloads), sort_keys=False, allow_unicode=True, width=120)
    sources = parameters["sources"]
    others = [percent for percent in parameters["percents"] if percent != MAIN_PERCENT]
    local = bool(parameters.get("local"))
    private = next((name for one in PRIVATE if (name := config_name(one, "forget")) in counts), None)
    kept, incorrectness = counts.get("request_retain"), counts.get("incorrectness_forget")
    withheld = not all(flag == ("True",) for one in counts.values() for flag in one.by("redistributable"))
    columns = features(next((one for one in parameters["scenarios"] if one in OF_BELIEFS), ""))
    body = _BODY.format(
        local=_LOCAL if local else "",
        paper=PAPER.title,
        place="NAMESPACE/mllmu-med",
        first=configs[0],
        table="\n".join(
            f"| `{config}` | {split} | {content[config][split]['rows']} | {_about_split(config, split)} |"
            for config in configs
            for split in content[config]
        ),
        rows=f"{sum(sums['rows'] for splits in content.values() for sums in splits.values()):,}",
        percents="others are at " + " and ".join(f"{p} %" for p in others) if others else "no others were built",
        patients=_patients(made["patients"]),
        fields="\n".join(f"| `{name}` | {_type(kind)} | {EXPLAINED[name]} |" for name, kind in columns.items()),
        sources=", ".join(f"`{source}`" for source in sources),
        seed=parameters["seed"],
        rewriting=_rewriting(parameters),
        notes=_left_out(made),
        types=_cross(counts, "question_type"),
        regions=_listed(("modality", "body region", "rows"), over(_one_scenario(counts), "modality", "body_region")),
        privacy=_privacy(private, counts[private]) if private else "",
        request=_REQUEST.format(injected=kept.injected, rows=f"{kept.total:,}") if kept else "",
        incorrectness=_incorrectness(incorrectness) if incorrectness else "",
        knowledge=_KNOWLEDGE.format(**made["patients"]["beliefs"]) if "beliefs" in made["patients"] else "",
        kinds=f"Kinds in it: {', '.join(counts[private].identifier_kinds)}. " if private else "",
        canary=canary(),
        pictures=_pictures(sources, withheld=withheld, local=local),
        or_model=" and a language model" if parameters.get("rewriter") else "",
        language="" if _languages(made) == ["en"] else ", and Chinese where the source is",
        small=_small(made["patients"]),
        licence=f"{', '.join(made['licenses'])}; the column `license` says it of every row. The code that made it: "
        "Apache-2.0.",
        works=_works(made, over(_one_scenario(counts), "source", "license", "redistributable")),
        withheld=_withheld(local=local) if withheld else "",
        digest=made["dataset_sha256"],
        and_sources="its sources, and the project that made it"
        if any(_work(source) for source in sources if source != "phantom")
        else "and the project that made it",
        bibtex=bibtex(sources),
    )
    return f"---\n{head}---\n{_wrapped(body)}"


def _left_out(made: Mapping[str, Any]) -> str:
    """Return how many rows of the source are not in the build, and why; a line a reason."""
    # What was left out, and what was left clean for want of a plausible error.
    lines = made["warnings"]
    if not lines:
        return ""
    listed = "".join(f"- {line}\n" for line in lines)
    return f"\nRows of the source that are not here, or that no error was put into:\n\n{listed}\n"


def _wrapped(text: str) -> str:
    """Return the text with its paragraphs wrapped; headings, tables, lists, quotes and code stay as they are."""
    blocks, in_code = [], False
    for block in text.split("\n\n"):
        if not in_code and "```" not in block and not block.lstrip("\n").startswith(("#", "|", "-", ">", "!")):
            block = fill(block.strip("\n"), width=120, break_long_words=False, break_on_hyphens=False)
        in_code ^= block.count("```") % 2 == 1
        blocks.append(block)
    return "\n\n".join(blocks).rstrip("\n") + "\n"


def bibtex(sources: Sequence[str]) -> str:
    """Return how to cite the paper that is followed, this project, and the sources."""
    cited = [PAPER, PROJECT]
    cited += [work for source in sources if (work := _work(source))]
    return "\n\n".join(dict.fromkeys(one.bibtex for one in cited))


def _configs(made: Mapping[str, Any]) -> tuple[str, ...]:
    return config_names(tuple(made["parameters"]["scenarios"]), tuple(made["parameters"]["percents"]))


def _languages(made: Mapping[str, Any]) -> list[str]:
    asked = str(made["parameters"].get("language", "en"))
    return [asked] if asked in ("en", "zh") else ["en", "zh"]


def _small(counts: Mapping[str, Any]) -> str:
    """Return how many are forgotten at the least: patients, or keys where nothing else is."""
    of_patients = [count for by in counts["forget"].values() for count in by.values()]
    if not of_patients:
        return f"{counts['beliefs']['forget']} beliefs are to be forgotten: scores over so few have wide intervals."
    wide = "; scores over fewer than 40 patients have wide intervals." if min(of_patients) < 40 else "."
    return f"At the smallest percent {min(of_patients)} patients are to be forgotten{wide}"


def _patients(counts: Mapping[str, Any]) -> str:
    forget = "; ".join(
        f"{scenario}: " + ", ".join(f"{count} at {percent} %" for percent, count in by_percent.items())
        for scenario, by_percent in counts["forget"].items()
    )
    told = f"; to be forgotten {forget}" if forget else ""
    return (
        f"Patients: {counts['trained']} trained on, {counts['test']} for testing, {counts['holdout']} held out{told}."
    )


def _type(feature: Any) -> str:
    inner = getattr(feature, "feature", None)
    if isinstance(inner, dict):
        return f"list of {{{', '.join(inner)}}}"
    if inner is not None:
        return f"list of {inner.dtype}"
    return "image" if type(feature).__name__ == "Image" else feature.dtype


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _listed(head: Sequence[str], counted: Mapping[tuple[str, ...], int]) -> str:
    return _table(head, ([*(value or "not told" for value in values), number] for values, number in counted.items()))


def _one_scenario(counts: Mapping[str, Counts]) -> list[Counts]:
    scenario = next(iter(counts)).split("_")[0]
    return [counts[config_name(scenario, subset)] for subset in ("retain", "test")]


def _cross(counts: Mapping[str, Counts], column: str) -> str:
    """Return a table of the values of a column over all configs at 10 %."""
    values = sorted({value for one in counts.values() for (value,) in one.by(column)})
    found = {config: one.by(column) for config, one in counts.items()}
    rows = [[value, *(found[config].get((value,), 0) for config in counts)] for value in values]
    return _table([column, *(f"{config} ({main_split(config)})" for config in counts)], rows)


def _privacy(config: str, counts: Counts) -> str:
    return _PRIVACY.format(
        config=config,
        least=min(counts.identifiers_a_row),
        most=max(counts.identifiers_a_row),
        kinds=_table(("kind", "rows"), counts.identifier_kinds.items()),
    )


def _incorrectness(counts: Counts) -> str:
    return _INCORRECTNESS.format(
        errors=_listed(("error", "severity", "rows"), counts.by("error_kind", "error_severity")),
        pools=_listed(("taken from", "rows"), counts.by("error_pool")),
    )


def _rewriting(parameters: Mapping[str, Any]) -> str:
    if not parameters.get("rewriter"):
        return "Injected answers are written by templates, some of which are kept for views.\n"
    return (
        f"Injected answers were written by templates and retold by a language model (`{parameters['rewriter']}`); each "
        "retelling was checked to hold every identifier verbatim, or the one error, and nothing new. Where none "
        "passed, the template stands.\n"
    )


def _pictures(sources: Sequence[str], *, withheld: bool, local: bool) -> str:
    if list(sources) == ["phantom"]:
        return "The pictures are drawn by a program: nobody was ever imaged for them."
    text = "The identifiers in the texts have nothing to do with the people in the pictures, and none was looked for."
    if any(_work(source) for source in sources if source != "phantom"):
        text = f"Pictures of published sources are of real patients, de-identified by those who published them. {text}"
    if not all(map(_work, sources)):
        text += " Pictures of one's own files are as they were given: whether they tell who somebody is was not tested."
    if withheld and not local:
        text += " Pictures whose source does not allow it are left out."
    return text


def _work(source: str) -> Attribution | None:
    """Return the published work that a source is; ``None`` for files of one's own, whatever they are called."""
    return SOURCES[source].attribution if source in SOURCES else None


def _works(made: Mapping[str, Any], counted: Mapping[tuple[str, ...], int]) -> str:
    """Return a line for every source: whose work it is, under which licence, and how many clean rows come from it."""
    lines = []
    for (source, licence, redistributable), number in counted.items():
        work = _work(source)
        named = (
            f"{work.title}, by {work.by}" if work else made.get("source_card", {}).get("attribution", "your own files")
        )
        where = f" ({work.url})" if work and work.url else ""
        passed = "pictures may be passed on" if redistributable == "True" else "pictures may not be passed on"
        lines.append(f"- `{source}`: {named}{where}. {licence}; {passed}; {number:,} clean rows at 10 %.")
    told = made.get("source_card", {})
    lines += [f"- {key}: {value}" for key, value in told.items() if key != "attribution"]
    text = "\n" + "\n".join(lines) + "\n"
    if made["parameters"]["sources"] != ["phantom"]:
        text += (
            "\nQuestions, answers and pictures are those of the sources, their spaces normalised; answers of forget "
            "and holdout rows were changed as described above.\n"
        )
    return text


def _withheld(*, local: bool) -> str:
    if local:
        return "Pictures that may not be passed on **are in these files** (see the warning above).\n"
    return (
        "Pictures that may not be passed on are withheld: their rows have a null `image`. `withheld_images.jsonl` "
        "names each by `image_id`, the sha256 of its pixels (`image_key`) and its path in the source, so that whoever "
        "has the source can put them back; `mllmu-med build --local` does.\n"
    )


def _size_category(rows: int) -> str:
    steps = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    return next((name for limit, name in steps if rows < limit), "1M<n<10M")
