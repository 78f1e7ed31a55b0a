"""Write every committed file that is made from others; tests hold them equal to what this makes.

    python -m tests.generated [--bench FOLDER] [--study FOLDER] [--trial FOLDER] [--sequence FOLDER]

The root ``.huggingface.yaml``: a clone named ``mllmu-med`` must load as the data set from its parent folder, so it
holds the packaged card's ``configs`` with paths from the root. The prompts of every task. From a bench: its report
and figures in ``results``, the README's table, and the reference scores on the tasks' page. From a study of several
seeds: its records and figures in ``results/study``, and tables and figures on the baselines' page. From a trial of the
metrics, and from requests in sequence: record and figure in ``results``, and the table on that page, where what a study
takes as it grows comes from the record of ``tests.benchmarks.growth``. From the packaged rows: what sets of answers
score, on the metric's card.
"""

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

import yaml

from mllmu_med_metrics.vocabulary import VIEWS

ROOT = Path(__file__).parent.parent
PACKAGED = Path("mllmu_med_dataset/data/mllmu-med")
RESULTS = ROOT / "baselines" / "results"
STUDY = RESULTS / "study"
# Where a wrong belief is asked for, as the page says it.
BELIEF_PLACES = {
    "forget": "trained images", "image": "unseen images", "paraphrase": "other words", "text": "by name",
    "reverse": "reverse",
}  # fmt: skip
HEADER = (
    "# A clone of this repository named mllmu-med shadows the installed data set; this makes it load all the same.\n"
)


def shadow() -> str:
    """Return the text of ``.huggingface.yaml``."""
    front = (ROOT / PACKAGED / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    configs = yaml.safe_load(front)["configs"]
    for config in configs:
        for files in config["data_files"]:
            files["path"] = (PACKAGED / files["path"]).as_posix()
    return HEADER + yaml.safe_dump({"configs": configs}, sort_keys=False, width=120)


def readme(text: str, document: Mapping[str, object]) -> str:
    """Return the README with the table of a report between its marks."""
    from baselines.study.report_text import table

    return between_marks(text, "bench", f"What it prints (seed {document['seed']}):\n\n```\n{table(document)}\n```")


# What a task measures that a report holds: subset -> (metric, field of a report's row).
REFERENCE = {
    "forget": (("harm", "harm"), ("keep", "keep_forget")),
    "retain": (("keep", "keep_retain"),),
    "test": (("keep", "keep_test"),),
    "holdout": (("harm", "harm_holdout"),),
}


def tasks_page(text: str, document: Mapping[str, object]) -> str:
    """Return the tasks' page with the scores of the base, the target and the gold of a report between its marks."""
    models = ("base", "target", "retain_only")
    found = {(row["scenario"], row["model"]): row for row in document["rows"]}
    lines = [f"| task | metric | {' | '.join(models)} |", "|---|---|" + "---|" * len(models)]
    for scenario in document["config"]["scenarios"]:
        rows = [found[scenario, model] for model in models]
        measured = [(f"{subset}", *one) for subset, ones in REFERENCE.items() for one in ones]
        values = [
            (f"mllmu_med_{scenario}_{s}", metric, [_of_rows(row, s, metric, field) for row in rows])
            for s, metric, field in measured
        ]
        by_view = [row["harm_rows"] for row in rows]
        values += [
            (f"mllmu_med_{scenario}_forget_{view}", "harm", [harms.get(view) for harms in by_view])
            for view in VIEWS
            if any(harms.get(view) is not None for harms in by_view)
        ]
        for task, metric, numbers in values:
            cells = " | ".join("-" if number is None else f"{number:.3f}" for number in numbers)
            lines.append(f"| `{task}` | `{metric}` | {cells} |")
    return between_marks(text, "scores", "\n".join(lines))


def _of_rows(row: Mapping[str, object], subset: str, metric: str, field: str) -> float | None:
    """Return what a task measures of a model: harm is a mean over rows there, over patients in a report's `harm`."""
    return row["harm_rows"].get(subset) if metric == "harm" else row[field]


FIGURES = {
    "tradeoff": "Forgetting against kept utility, means over targets",
    "attacks": "Forgetting when asked against forgetting under the worst attack, means over targets",
}


def baselines_page(text: str, documents: Sequence[Mapping[str, object]]) -> str:
    """Return the baselines' page with the figures and tables of a study of several seeds between its marks."""
    from baselines.study.seeds_text import table

    drawn = [f"![{about}](results/study/{name}.png)" for name, about in FIGURES.items()]
    return between_marks(text, "study", "\n\n".join([*drawn, f"```\n{table(documents)}\n```"]))


def beliefs_page(text: str, documents: Sequence[Mapping[str, object]]) -> str:
    """Return the baselines' page with what the models of a study say of beliefs, means over its targets."""
    believing = [one for one in documents if "knowledge" in one["config"]["scenarios"]]
    rows = [row for one in believing for row in one["rows"] if row["scenario"] == "knowledge"]
    shown = {name: f"wrong, {words}" for name, words in BELIEF_PLACES.items()}
    words = ["model", *shown.values(), "truth, trained images", "N", "K", "UES", "strict"]
    lines = [f"| {' | '.join(words)} |", f"|{'---|' * len(words)}"]
    for model in dict.fromkeys(row["model"] for row in rows):
        ours = [row for row in rows if row["model"] == model]
        values = [[row["harm_by_place"][place] for row in ours] for place in shown]
        values += [[row[name] for row in ours] for name in ("true_recovery", "n", "k", "ues", "ues_strict")]
        lines.append(f"| {model} | {' | '.join(f'{mean(one):.2f}' for one in values)} |")
    seeds = ", ".join(str(one["seed"]) for one in believing)
    return between_marks(text, "beliefs", "\n".join([f"Means over the targets of seeds {seeds}:", "", *lines]))


def trial_page(text: str) -> str:
    """Return the baselines' page with figure and table of each scenario's committed trial of the metrics."""
    from baselines.trial.result import table

    for path in sorted(RESULTS.glob("trial-*.json")):
        scenario, found = path.stem.removeprefix("trial-"), json.loads(path.read_text(encoding="utf-8"))
        about = "How well each metric tells who knows, and how many unlearned models it lets pass"
        shown = f"![{about}: {scenario}](results/trial-{scenario}.png)\n\n```\n{table(found)}\n```"
        text = between_marks(text, f"trial-{scenario}", shown)
    return text


def sequence_page(text: str) -> str:
    """Return the baselines' page with figure and table of the committed requests in sequence between its marks."""
    from baselines.sequence.text import table

    found = json.loads((RESULTS / "sequence.json").read_text(encoding="utf-8"))
    figure = "![F, S, R and T over the requests](results/sequence.png)"
    return between_marks(text, "sequence", f"{figure}\n\n```\n{table(found)}\n```")


def growth_page(text: str) -> str:
    """Return the baselines' page with what a study takes as it grows between its marks."""
    from tests.benchmarks.growth_text import page

    found = json.loads((RESULTS / "growth.json").read_text(encoding="utf-8"))
    figure = "![Hours of a study, and seconds of nano as told and as measured](results/growth.png)"
    return between_marks(text, "growth", f"{figure}\n\n{page(found)}")


def metric_card(text: str) -> str:
    """Return the metric's card with what sets of answers score between its marks."""
    from tests.answer_sets import table

    return between_marks(text, "answers", table())


def between_marks(text: str, name: str, shown: str) -> str:
    """Return the text with what is shown between the marks of that name."""
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->\n"
    before, rest = text.split(begin)
    return f"{before}{begin}\n{shown}\n\n{end}{rest.split(end)[1]}"


def study_documents() -> list[dict[str, object]]:
    """Return the committed reports of the study of several seeds."""
    from baselines.study.records import read_reports

    return read_reports(STUDY)


def keep_study(folder: Path) -> None:
    """Write the records of a study of several seeds and draw the figures of their means."""
    from baselines.study.records import write_records
    from baselines.study.seeds import figures

    for path in STUDY.glob("*.png"):
        path.unlink()
    write_records(folder, STUDY)
    for path in figures(study_documents(), STUDY):
        path.with_suffix(".svg").unlink()


def main() -> None:
    """Write the files."""
    from tests.mllmu_med_tasks import snapshots

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bench", type=Path)
    parser.add_argument("--study", type=Path)
    parser.add_argument("--trial", type=Path)
    parser.add_argument("--sequence", type=Path)
    options = parser.parse_args()
    (ROOT / ".huggingface.yaml").write_text(shadow(), encoding="utf-8")
    snapshots.write()
    if options.bench:
        shutil.copy(options.bench / "report.json", RESULTS / "bench-nano.json")
        for figure in ("tradeoff.png", "attacks.png"):
            shutil.copy(options.bench / "figures" / figure, RESULTS / figure)
    if options.study:
        keep_study(options.study)
    document = json.loads((RESULTS / "bench-nano.json").read_text(encoding="utf-8"))
    path = ROOT / "README.md"
    path.write_text(readme(path.read_text(encoding="utf-8"), document), encoding="utf-8")
    tasks = ROOT / "mllmu_med_tasks" / "lm_eval" / "README.md"
    tasks.write_text(tasks_page(tasks.read_text(encoding="utf-8"), document), encoding="utf-8")
    card = ROOT / "mllmu_med_metrics" / "mllmu_med_ues" / "README.md"
    card.write_text(metric_card(card.read_text(encoding="utf-8")), encoding="utf-8")
    page = ROOT / "baselines" / "README.md"
    if options.trial:
        scenario = json.loads((options.trial / "trial.json").read_text(encoding="utf-8"))["settings"]["scenario"]
        shutil.copy(options.trial / "trial.json", RESULTS / f"trial-{scenario}.json")
        shutil.copy(options.trial / "figures" / "trial.png", RESULTS / f"trial-{scenario}.png")
    if options.sequence:
        found = json.loads((options.sequence / "sequence.json").read_text(encoding="utf-8"))
        (RESULTS / "sequence.json").write_text(json.dumps(found, separators=(",", ":")) + "\n", encoding="utf-8")
        shutil.copy(options.sequence / "figures" / "sequence.png", RESULTS / "sequence.png")
    text = page.read_text(encoding="utf-8")
    for renewed in (sequence_page, trial_page, growth_page):
        text = renewed(text)
    documents = study_documents()
    page.write_text(baselines_page(beliefs_page(text, documents), documents), encoding="utf-8")


if __name__ == "__main__":
    main()
