"""Committed files that are made from others are what their makers make."""

import json
import re

from baselines import sweep
from baselines.methods import METHODS
from baselines.study.seeds import SCORES, summary
from mllmu_med_metrics.vocabulary import SCENARIOS
from tests import generated


def test_a_clone_named_mllmu_med_loads_as_the_data_set(tmp_path):
    """The literal call from the parent folder of a clone, which datasets takes for a local data set of that name."""
    import os
    import subprocess
    import sys

    clone = tmp_path / "mllmu-med"
    (clone / generated.PACKAGED.parent).mkdir(parents=True)
    (clone / generated.PACKAGED).symlink_to(generated.ROOT / generated.PACKAGED)
    for name in (".huggingface.yaml", "README.md"):
        (clone / name).write_text((generated.ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    code = "from datasets import load_dataset; print(load_dataset('mllmu-med', 'privacy_forget')['train'].num_rows)"
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "64"


def test_the_root_yaml_is_the_packaged_card():
    assert (generated.ROOT / ".huggingface.yaml").read_text(encoding="utf-8") == generated.shadow()


def test_the_readme_shows_the_committed_report():
    document = json.loads((generated.RESULTS / "bench-nano.json").read_text(encoding="utf-8"))
    text = (generated.ROOT / "README.md").read_text(encoding="utf-8")
    assert generated.readme(text, document) == text


def test_the_tasks_page_shows_the_scores_of_the_committed_report():
    document = json.loads((generated.RESULTS / "bench-nano.json").read_text(encoding="utf-8"))
    text = (generated.ROOT / "mllmu_med_tasks" / "lm_eval" / "README.md").read_text(encoding="utf-8")
    assert generated.tasks_page(text, document) == text
    gold = next(row for row in document["rows"] if (row["scenario"], row["model"]) == ("privacy", "retain_only"))
    (line,) = [line for line in text.splitlines() if "`mllmu_med_privacy_test` | `keep`" in line]
    assert line.endswith(f" {gold['keep_test']:.3f} |")


def test_the_metric_card_shows_what_sets_of_answers_score():
    text = (generated.ROOT / "mllmu_med_metrics" / "mllmu_med_ues" / "README.md").read_text(encoding="utf-8")
    assert generated.metric_card(text) == text


def test_the_baselines_page_shows_the_committed_study():
    documents = generated.study_documents()
    text = (generated.ROOT / "baselines" / "README.md").read_text(encoding="utf-8")
    assert generated.baselines_page(text, documents) == text
    block = text.split("<!-- study:begin -->")[1].split("<!-- study:end -->")[0]
    shown = {name for name in generated.FIGURES if f"](results/study/{name}.png)" in block}
    assert {path.stem for path in generated.STUDY.glob("*.png")} == shown
    scores = [
        row["f"] for one in documents for row in one["rows"] if (row["scenario"], row["model"]) == ("privacy", "gd")
    ]
    header, *lines = block.split("privacy (means")[1].split("\n\n")[0].splitlines()[1:]
    (line,) = [line for line in lines if line.split()[0].rstrip("*") == "gd"][:1]
    assert line[: header.index(" F ") + 2].split()[-1] == f"{sum(scores) / len(scores):.2f}"


NUMBER = r"-?[01]\.\d\d"


def estimates() -> set[str]:
    """Return every score and harm of the committed study with its interval, as prose gives them."""
    found = []
    for row in summary(generated.study_documents()):
        found += [(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in SCORES]
        found += [(one[v], one[f"{v}_low"], one[f"{v}_high"]) for one in row["attacks"].values() for v in ("f", "harm")]
    return {"{:.2f} ({:.2f} to {:.2f})".format(*one) for one in found if None not in one}


def test_every_estimate_in_the_findings_is_one_of_the_study():
    page = (generated.ROOT / "baselines" / "README.md").read_text(encoding="utf-8")
    first = (generated.ROOT / "README.md").read_text(encoding="utf-8").split("\nIn a clone")[0]
    findings = page.split("**What it shows.**")[1].split("**What to do")[0]
    for text, least in ((findings, 15), (first, 5)):
        given = given_in(text)
        assert len(given) >= least and set(given) <= estimates()


def given_in(text: str) -> list[str]:
    """Return every value with its interval that a text gives."""
    return [
        " ".join(one.split()) for one in re.findall(NUMBER + r"\s+\(" + NUMBER + r"\s+to\s+" + NUMBER + r"\)", text)
    ]


def test_every_estimate_of_requests_in_sequence_is_one_of_their_record():
    page = (generated.ROOT / "baselines" / "README.md").read_text(encoding="utf-8")
    rows = json.loads((generated.RESULTS / "sequence.json").read_text(encoding="utf-8"))["rows"]
    names = ("headline", "last", "all_at_once", "gap", "backslide")
    found = [[row[name], row[f"{name}_low"], row[f"{name}_high"]] for row in rows for name in names]
    known = {"{:.2f} ({:.2f} to {:.2f})".format(*one) for one in found if None not in one}
    given = given_in(page.split("<!-- sequence:end -->")[1].split("\n## ")[0])
    assert len(given) >= 7 and set(given) <= known


def test_the_baselines_page_shows_the_committed_trial():
    text = (generated.ROOT / "baselines" / "README.md").read_text(encoding="utf-8")
    assert generated.trial_page(text) == text


def test_the_baselines_page_shows_the_committed_requests_in_sequence():
    text = (generated.ROOT / "baselines" / "README.md").read_text(encoding="utf-8")
    assert generated.sequence_page(text) == text


def test_the_baselines_page_shows_what_models_say_of_beliefs():
    text = (generated.ROOT / "baselines" / "README.md").read_text(encoding="utf-8")
    assert generated.beliefs_page(text, generated.study_documents()) == text


def test_the_baselines_page_shows_how_a_study_grows():
    text = (generated.ROOT / "baselines" / "README.md").read_text(encoding="utf-8")
    assert generated.growth_page(text) == text


def test_what_dry_runs_say_is_near_what_was_measured():
    from tests.benchmarks.growth_text import apart

    found = json.loads((generated.RESULTS / "growth.json").read_text(encoding="utf-8"))
    shares = apart(found)
    assert {one["patients"] for one in found["measured"]} == {240, 960, 3840}
    assert {kind for kind, of in shares.items() if "memory" in of} == {"learn", "unlearn"}
    for of in shares.values():
        assert abs(of["slope"]) < 0.15 and abs(of.get("memory", 0)) < 0.15


def test_the_study_holds_what_it_names_and_never_saw_the_seeds_that_its_settings_were_chosen_on():
    documents = generated.study_documents()
    assert len({document["dataset_checksum"] for document in documents}) == len(documents) >= 3
    assert {document["seed"] for document in documents}.isdisjoint({run["seed"] for run in sweep.records()})
    assert set(documents[0]["config"]["methods"]) <= set(METHODS)
    for document in documents:
        shown = {(row["scenario"], row["model"]) for row in document["rows"]}
        named = document["config"]
        assert shown >= {(scenario, method) for scenario in named["scenarios"] for method in named["methods"]}


def test_the_packaged_build_is_what_build_makes(tmp_path):
    from mllmu_med_dataset.build import build
    from mllmu_med_dataset.load import checksums
    from mllmu_med_dataset.sources import open_source

    records = open_source("phantom", patients=240, seed=0, with_beliefs=True)
    summary = build(records, tmp_path / "mllmu-med", scenarios=SCENARIOS, percents=(10,), seed=0)
    assert summary.dataset_sha256 == checksums()["dataset_sha256"]
