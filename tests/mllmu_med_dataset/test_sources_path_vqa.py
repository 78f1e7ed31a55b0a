import logging

import pytest

from mllmu_med_dataset.build import build
from mllmu_med_dataset.building.left_out import Losses
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.injection import incorrectness
from mllmu_med_dataset.load import load
from mllmu_med_dataset.sources import SOURCES, open_source
from mllmu_med_dataset.sources.path_vqa import records
from tests.source_fixtures import pack
from tests.source_fixtures.path_vqa import SHARDS, make_path_vqa
from tests.source_fixtures.vqa_rad import write_parquet

PATIENTS = 48


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_path_vqa(tmp_path_factory.mktemp("path") / "path-vqa", patients=PATIENTS)


@pytest.fixture(scope="module")
def found(folder):
    return list(records(path=folder))


def test_all_shards_are_read_and_every_image_is_a_patient(found):
    assert len({one.image_key for one in found}) == PATIENTS
    assert {one.source_id.rpartition(":")[0] for one in found} == {f"data/{name}.parquet" for name in SHARDS}
    assert len({one.source_id for one in found}) == len(found)


def test_its_pixels_may_not_be_passed_on_whatever_the_tag_says(found):
    assert not any(one.redistributable for one in found) and SOURCES["path_vqa"].redistributable is False
    assert {one.license for one in found} == {SOURCES["path_vqa"].license}


def test_questions_of_no_known_type_have_the_set_of_their_own_answers(found):
    present = [one for one in found if one.question == "what is present?"]
    assert {one.question_type for one in present} == {"other"}
    assert {one.fact_values for one in present} == {tuple(sorted({one.answer for one in present}))}
    yes = [one for one in found if "fibrosis" in one.question]
    assert {(one.question, one.question_type) for one in yes} == {("does this image show fibrosis?", "yes_no")}
    assert {one.fact_values for one in yes} == {("yes", "no")}


def test_sentences_have_no_fact_and_the_rest_can_be_told_wrongly(found):
    sentences = [one for one in found if one.question == "what does this image show?"]
    assert sentences and all(one.fact is None for one in sentences)
    assert all(incorrectness.wrong_facts(one) for one in found if one.fact is not None)


def test_an_archive_and_more_workers_yield_the_same(folder, found, tmp_path):
    assert list(records(path=pack(tmp_path / "path.zip", folder))) == found
    assert list(open_source("path_vqa", path=folder, workers=2, seed=3)) == found


def test_a_build_withholds_the_pixels_and_a_local_one_keeps_them(found, tmp_path):
    build(iter(found), tmp_path / "shared", scenarios=("incorrectness",), percents=(10,))
    build(iter(found), tmp_path / "own", scenarios=("incorrectness",), percents=(10,), local=True)
    assert load("incorrectness_forget", data_dir=tmp_path / "shared")[0]["image"] is None
    assert load("incorrectness_forget", data_dir=tmp_path / "own")[0]["image"].size == (64, 64)


def test_images_that_cannot_be_used_are_named_by_file_and_row_or_skipped(folder, found, tmp_path, caplog):
    good = found[0].image_bytes
    rows = [(good, "what is present?", "bone"), (b"broken", "what is present?", "skin"), (None, "is it?", "yes")]
    write_parquet(tmp_path / "data/train.parquet", rows)
    with pytest.raises(
        UserError,
        match=r"2 of 3 rows .*train\.parquet, row 2 .*row 3 \(the file is missing: the row holds no image bytes",
    ):
        list(records(path=tmp_path))
    with caplog.at_level(logging.WARNING):
        assert len(list(records(path=tmp_path, losses=Losses(skip_bad_images=True)))) == 1
    assert "1 row shows an image that is missing" in caplog.text
