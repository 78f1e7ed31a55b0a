"""The card tells what is in the folder, to people, to the Hub and to load_dataset."""

import json
import re

import pytest
import yaml

from mllmu_med_dataset.build import build
from mllmu_med_dataset.injection.patients import canary
from mllmu_med_dataset.injection.views import MAKERS
from mllmu_med_dataset.load import checksums, load
from mllmu_med_dataset.publishing import card
from mllmu_med_dataset.record import COLUMNS
from mllmu_med_dataset.sources import SOURCES
from mllmu_med_dataset.sources.attribution import PAPER, PROJECT
from mllmu_med_metrics.vocabulary import BUILT, VIEWS_OF, VIEWS_WITHOUT_TRUTH, config_names

from ..conftest import record, records


def parts(folder):
    _, head, body = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), body


@pytest.fixture(scope="module")
def withheld(tmp_path_factory):
    """A build from a source whose pictures may not be passed on."""
    rows = (
        one.model_copy(update={"source": "path_vqa", "license": "MIT", "redistributable": False}) for one in records()
    )
    out = tmp_path_factory.mktemp("withheld") / "mllmu-med"
    build(rows, out, percents=(10,), scenarios=("privacy",))
    return out


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    rows = (one.model_copy(update={"source": "path_vqa", "redistributable": False}) for one in records())
    out = tmp_path_factory.mktemp("local") / "mllmu-med"
    build(rows, out, percents=(10,), scenarios=("privacy",), local=True)
    return out


def test_every_split_is_described_with_its_rows_and_content_digest(built):
    head, body = parts(built)
    content = checksums(built)["content"]
    assert [entry["config_name"] for entry in head["configs"]] == list(config_names(BUILT))
    for entry in head["configs"]:
        for split, sums in content[entry["config_name"]].items():
            assert sums["sha256"] in entry["description"]
            assert f"| `{entry['config_name']}` | {split} | {sums['rows']} |" in body
        assert {files["split"] for files in entry["data_files"]} == set(content[entry["config_name"]])


def test_the_front_matter_is_what_the_hub_and_datasets_read(built, monkeypatch):
    from datasets import DatasetInfo
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard, DatasetCardData

    data = DatasetCard((built / "README.md").read_text(encoding="utf-8")).data
    assert isinstance(data, DatasetCardData)
    assert (data.license, data.language, data.pretty_name) == ("cc0-1.0", ["en"], "mllmu-med")
    assert data.task_categories == ["visual-question-answering"]
    assert list(MetadataConfigs.from_dataset_card_data(data)) == list(config_names(BUILT))
    infos = DatasetInfosDict.from_dataset_card_data(data)
    for config, splits in checksums(built)["content"].items():
        assert isinstance(infos[config], DatasetInfo) and list(infos[config].features) == list(COLUMNS)
        assert {name: one.num_examples for name, one in infos[config].splits.items()} == {
            name: sums["rows"] for name, sums in splits.items()
        }
    # A licence that the Hub does not know by name must come with one of its own.
    assert set(data.to_dict()) >= {"configs", "dataset_info", "size_categories", "tags", "source_datasets"}


def test_every_column_and_every_view_is_explained(built):
    _, body = parts(built)
    unexplained = [name for name in COLUMNS if not re.search(rf"^\| `{name}` \| .+ \| \w.+ \|$", body, re.MULTILINE)]
    assert unexplained == []
    assert set(card.ABOUT_VIEWS) == {view for views in VIEWS_OF.values() for view in views}
    assert tuple(view for view, maker in MAKERS.items() if not maker.has_truth) == VIEWS_WITHOUT_TRUTH


def test_the_counts_are_those_of_the_rows(built):
    _, body = parts(built)
    types = load("privacy_retain", data_dir=built)["question_type"]
    places = re.search(r"^\| question_type \|.*$", body, re.MULTILINE)[0].split(" | ")
    column = next(n for n, name in enumerate(places) if name.startswith("privacy_retain"))
    for name in set(types):
        row = re.search(rf"^\| {name} \|.*$", body, re.MULTILINE)[0]
        assert int(row.strip("| ").split(" | ")[column]) == types.count(name)
    shown = [[tagged["kind"] for tagged in phi] for phi in load("privacy_forget", data_dir=built)["phi"]]
    assert f"| name | {sum('name' in kinds for kinds in shown)} |" in body
    assert f"shows {min(map(len, shown))} to {max(map(len, shown))} identifiers" in body
    forget = load("incorrectness_forget", data_dir=built)
    for kind, severity in set(zip(forget["error_kind"], forget["error_severity"], strict=True)):
        number = sum(row["error_kind"] == kind and row["error_severity"] == severity for row in forget)
        assert f"| {kind} | {severity or 'not told'} | {number} |" in body


def test_it_says_that_nobody_is_real_what_it_is_for_and_how_it_is_cited(built):
    _, body = parts(built)
    assert canary() in body and canary().startswith("MLLMU-MED-CANARY-")
    assert "No identifier belongs to a real person" in body and "arXiv 2508.04192" in body
    for heading in (
        "Personal and sensitive information",
        "Intended use",
        "Limits",
        "Licence and attribution",
        "Citation",
    ):
        assert f"\n## {heading}" in body
    assert PAPER.bibtex in body and PROJECT.bibtex in body
    assert "{" not in re.sub(r"```.*?```", "", body, flags=re.DOTALL).replace("{kind, value}", "")


def test_a_build_without_some_pictures_names_its_source_and_says_what_is_withheld(withheld):
    head, body = parts(withheld)
    assert SOURCES["path_vqa"].attribution.title in body and SOURCES["path_vqa"].attribution.bibtex in body
    assert "withheld_images.jsonl" in body and "pictures may not be passed on" in body
    assert head["license"] == "other" and head["license_name"] == "per-row"
    assert "must not be published" not in body and "Factual errors" not in body


def test_a_local_build_warns_before_anything_else(local):
    _, body = parts(local)
    assert body.index("must not be published") < body.index("## Configs")
    assert "withheld" not in body.split("## Licence")[1]


def test_every_published_source_has_an_attribution():
    own_files = {"generic", "dicom"}
    works = {name: source.attribution for name, source in SOURCES.items()}
    assert {name for name, work in works.items() if work is None} == own_files
    for work in (PAPER, *filter(None, works.values())):
        assert work.bibtex.count("{") == work.bibtex.count("}") and work.bibtex.startswith("@")


def test_own_files_are_attributed_as_their_builder_says(tmp_path):
    rows = (record(n, kind, source="generic") for n in range(48) for kind in ("organ", "modality"))
    told = {"attribution": "Scans of the Ashgrove study", "terms": "ask us"}
    build(rows, tmp_path / "mllmu-med", percents=(10,), scenarios=("privacy",), source_card=told)
    _, body = parts(tmp_path / "mllmu-med")
    assert "`generic`: Scans of the Ashgrove study" in body and "- terms: ask us" in body
    told = " ".join(body.split())
    assert "whether they tell who somebody is was not tested" in told and "of published sources" not in told


def test_figures_and_croissant_are_in_the_build_and_its_checksums(built):
    beside = {name for name in checksums(built)["files"] if not name.startswith("data/")}
    figures = {f"figures/{name}.svg" for name in ("modalities", "identifiers", "errors")}
    assert beside == {"README.md", "croissant.json", *figures}
    _, body = parts(built)
    assert all(f"]({name})" in body for name in figures)
    assert json.loads((built / "croissant.json").read_text())["name"] == "mllmu-med"
