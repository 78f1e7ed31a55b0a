"""The Croissant document is valid, and the rows that it leads to are the built ones."""

import itertools
import json
import logging

import pytest

from mllmu_med_dataset.load import checksums, load
from mllmu_med_dataset.record import COLUMNS


@pytest.fixture(scope="module")
def croissant(small):
    import mlcroissant

    logging.getLogger("absl").setLevel(logging.ERROR)
    return mlcroissant.Dataset(jsonld=str(small / "croissant.json"))


def test_it_is_valid(croissant):
    issues = croissant.metadata.ctx.issues
    assert not issues.errors
    # A date would make two builds of the same input differ.
    assert all("datePublished" in warning for warning in issues.warnings)


def test_every_split_is_a_record_set_with_every_column(croissant, small):
    expected = {f"{config}/{split}" for config, splits in checksums(small)["content"].items() for split in splits}
    assert {one.id for one in croissant.metadata.record_sets} == expected
    assert all(tuple(f.name for f in one.fields) == COLUMNS for one in croissant.metadata.record_sets)


def test_files_are_named_with_their_checksums(croissant, small):
    told = {one.content_url: one.sha256 for one in croissant.metadata.distribution}
    files = checksums(small)["files"]
    assert told == {name: sha for name, sha in files.items() if name.endswith(".parquet")}


def test_licence_citation_and_sensitive_information_are_told(small):
    document = json.loads((small / "croissant.json").read_text(encoding="utf-8"))
    assert document["license"] == "https://creativecommons.org/publicdomain/zero/1.0/"
    assert "2508.04192" in document["citeAs"]
    assert "fictitious" in document["rai:personalSensitiveInformation"]


@pytest.mark.parametrize(("config", "split"), [("privacy_forget", "train"), ("incorrectness_forget", "paraphrase")])
def test_its_records_are_the_rows(croissant, small, config, split):
    rows = load(config, split, small)
    name = f"{config}/{split}"

    def plain(value):
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, dict):
            return {key.split("/")[-1]: plain(one) for key, one in value.items()}
        if isinstance(value, list):
            return [plain(one) for one in value]
        return value

    for found, row in zip(itertools.islice(croissant.records(name), 5), rows, strict=False):
        told = {key.removeprefix(f"{name}/"): plain(value) for key, value in found.items()}
        assert told.pop("image").tobytes() == row.pop("image").tobytes()
        # An empty list and none are the same to it.
        assert {k: v for k, v in told.items() if v} == {k: v for k, v in row.items() if v}
