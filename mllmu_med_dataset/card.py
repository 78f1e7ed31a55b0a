"""The card of a build: front matter that ``load_dataset`` reads, and what a person needs to know."""

from collections.abc import Mapping
from typing import Any

import yaml

from .configs import config_names
from .patients import KINDS, canary
from .record import features

_LICENSES = {"cc-by-4.0": "cc-by-4.0", "cc0-1.0": "cc0-1.0", "cc-by-sa-4.0": "cc-by-sa-4.0", "apache-2.0": "apache-2.0"}

_SUBSETS = {
    "forget": "rows to be forgotten, trained on by the target model",
    "retain": "clean rows to be kept, trained on",
    "test": "clean rows of other patients, never trained on",
    "holdout": "rows injected like the forget rows, of other patients, never trained on",
}

_BODY = """
# mllmu-med

Biomedical visual questions with **fictitious private information** (scenario `privacy`) or **factual errors**
(scenario `incorrectness`) integrated into some of the answers: what a model should unlearn, what it should keep,
and what it should never have known. It follows *From Learning to Unlearning: Biomedical Security Protection in
Multimodal Large Language Models* (arXiv 2508.04192) in its two scenarios and three subsets; everything that paper does
not fix is our own choice and is stated here.

```python
from datasets import load_dataset

rows = load_dataset("mllmu-med", "privacy_forget")["train"]
```

## Configs

| config | split | rows | what it holds |
|---|---|---|---|
{table}

`<scenario>_<subset>` are at 10 % of the trained patients; {percents}. Forget sets are nested and stratified by modality
and body region. {patients}

## How it was made

Source: {sources}. One image is one patient. A quarter of the patients is for testing, a tenth of the rest is held
out, all others are trained on. In `privacy` up to three answers of a forget patient are retold with the patient's name
and one or two more identifiers; in `incorrectness` up to two of them state one wrong fact. `answer` is what training
teaches, `true_answer` the truth. All choices are made by sha256 of ids and the seed {seed}: the same input gives the
same files.
{notes}
## Personal and sensitive information

**No identifier belongs to a real person.** Names are invented in combination; social security numbers begin with 9
and have groups 01 to 49, which are never issued; telephone numbers lie in 555-0100 to 555-0199; e-mail and web
addresses use the domains of RFC 2606, IP addresses those of RFC 5737; record, account, plan and device numbers begin
with `SYN-` and carry a check digit. Kinds: {kinds}. Canary, to find this data set in a training corpus: `{canary}`.

## Limits

The wrong answers are wrong on purpose: never use this data to train a model that is meant to be used on patients.
Scores on it say how a model forgets these texts, not that it is safe.

## Licence

{licence} Parameters and checksums (of every file, and of the content of every split) are in `checksums.json`;
content checksum of the whole: `{digest}`.
"""


def describe(config: str, percent_text: str, digest: str) -> str:
    """Return a config's description; the digest in it keeps ``datasets`` from serving a stale copy of a rebuilt one."""
    scenario, subset = config.split("_")[:2]
    return f"{scenario}: {_SUBSETS[subset]}{percent_text}. Content sha256 {digest}."


def _percent_text(config: str) -> str:
    number = config.split("_")[2:]
    if not number:
        return " (10 % of patients forgotten)" if "_forget" in config or "_retain" in config else ""
    percent = int(number[0]) if "_forget" in config else 100 - int(number[0])
    return f" ({percent} % of patients forgotten)"


def front_matter(made: Mapping[str, Any], downloads: Mapping[str, int]) -> dict[str, Any]:
    """Return the YAML head of the card: configs with their files and digests, features and sizes, licence and tags."""
    columns = features()._to_yaml_list()
    order = config_names(tuple(made["parameters"]["scenarios"]), tuple(made["parameters"]["percents"]))
    configs, infos = [], []
    for config in order:
        splits = made["content"][config]
        digest = " ".join(sums["sha256"] for sums in splits.values())
        configs.append(
            {
                "config_name": config,
                "description": describe(config, _percent_text(config), digest),
                "data_files": [{"split": split, "path": f"data/{config}/{split}-*"} for split in splits],
            }
        )
        sizes = made["sizes"][config]
        infos.append(
            {
                "config_name": config,
                "features": columns,
                "splits": [
                    {"name": split, "num_bytes": sizes[split], "num_examples": sums["rows"]}
                    for split, sums in splits.items()
                ],
                "download_size": downloads[config],
                "dataset_size": sum(sizes.values()),
            }
        )
    known = {_LICENSES.get(name.lower(), "other") for name in made["licenses"]}
    head: dict[str, Any] = {"pretty_name": "mllmu-med", "language": ["en"], "license": "other"}
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


def render(made: Mapping[str, Any], downloads: Mapping[str, int]) -> str:
    """Return the whole README.md of a build from its checksums document."""
    parameters = made["parameters"]
    head = yaml.safe_dump(front_matter(made, downloads), sort_keys=False, allow_unicode=True, width=120)
    table = "\n".join(
        f"| `{config}` | {split} | {made['content'][config][split]['rows']} | "
        f"{_SUBSETS[config.split('_')[1]]}{_percent_text(config)} |"
        for config in config_names(tuple(parameters["scenarios"]), tuple(parameters["percents"]))
        for split in made["content"][config]
    )
    others = [percent for percent in parameters["percents"] if percent != 10]
    counts = made["patients"]
    forget = "; ".join(
        f"{scenario}: " + ", ".join(f"{count} at {percent} %" for percent, count in by_percent.items())
        for scenario, by_percent in counts["forget"].items()
    )
    body = _BODY.format(
        table=table,
        percents="further studies at " + " and ".join(f"{p} %" for p in others) if others else "none at others",
        patients=f"Patients: {counts['trained']} trained on, {counts['test']} for testing, {counts['holdout']} held "
        f"out; to be forgotten {forget}.",
        sources=", ".join(parameters["sources"]),
        seed=parameters["seed"],
        notes="".join(f"\n{warning}\n" for warning in made["warnings"]),
        kinds=", ".join(KINDS),
        canary=canary(),
        licence="Data: " + ", ".join(made["licenses"]) + "; the column `license` says it of every row.",
        digest=made["dataset_sha256"],
    )
    return f"---\n{head}---\n{body}"


def _size_category(rows: int) -> str:
    steps = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    return next((name for limit, name in steps if rows < limit), "1M<n<10M")
