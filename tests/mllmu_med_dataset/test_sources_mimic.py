import itertools
import json
import logging
import shutil

import pytest

from mllmu_med_dataset.building.left_out import Losses
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.sources import open_source
from mllmu_med_dataset.sources.mimic import LICENSE, records
from tests.source_fixtures.mimic import make_mimic

PATIENTS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_mimic(tmp_path_factory.mktemp("mimic") / "mimic", patients=PATIENTS)


def read(folder, part="cxr_vqa", **options):
    return list(records(path=folder, **{"acknowledge": True, "part": part, **options}))


@pytest.fixture(scope="module")
def cxr(folder):
    return read(folder)


@pytest.fixture(scope="module")
def diff(folder):
    return read(folder, "diff_vqa")


def of(found, words):
    return [one for one in found if words in one.question]


def test_it_is_not_read_unless_its_agreement_is_acknowledged(folder):
    with pytest.raises(UserError, match="acknowledge=true"):
        list(open_source("mimic", path=folder))
    with pytest.raises(UserError, match="acknowledge=true"):
        list(open_source("mimic", path=folder, options={"acknowledge": "false"}))
    with pytest.raises(UserError, match="say acknowledge=true or acknowledge=false"):
        list(open_source("mimic", path=folder, options={"acknowledge": "yes"}))


def test_nothing_of_it_may_be_passed_on(cxr, diff):
    assert {(one.license, one.redistributable, one.source) for one in cxr + diff} == {(LICENSE, False, "mimic")}
    assert {(one.modality, one.body_region) for one in cxr + diff} == {("X-ray", "chest")}


def test_all_splits_are_pooled_and_rows_of_an_image_stand_together(cxr):
    assert len(cxr) == 7 * PATIENTS and len({one.image_key for one in cxr}) == PATIENTS
    keys = [one.image_key for one in cxr]
    assert sum(a != b for a, b in itertools.pairwise(keys)) == PATIENTS - 1
    assert {one.source_id.split("-")[1] for one in cxr} >= {"train", "test"}
    assert all(one.image_path.startswith("files/p1") for one in cxr)


def test_an_answer_of_one_text_is_a_fact_and_of_several_or_none_is_told_whole(cxr):
    listed = of(cxr, "List all diseases")
    # The fixture draws none, one or two findings for each patient.
    assert {one.answer.count(",") for one in listed} == {0, 1} and "None" in {one.answer for one in listed}
    for one in listed:
        assert (one.fact is None) == ("," in one.answer)
    (first, *_) = of(cxr, "Is there")
    assert (
        first.question_type == "yes_no" and first.answer_type == "CLOSED" and first.fact_values == ("no", "yes")[::-1]
    )
    assert {one.question_type for one in of(cxr, "In which view")} == {"plane"}
    assert {one.fact_values for one in of(cxr, "In which view")} == {("AP", "PA")}


def test_questions_about_two_images_are_left_out_and_told(folder, diff, caplog):
    assert not of(diff, "changed") and len(diff) == 7 * PATIENTS
    with caplog.at_level(logging.WARNING):
        read(folder, "diff_vqa")
    assert f"{PATIENTS} rows compare two images" in caplog.text


def test_types_and_lists_of_findings(diff):
    assert {one.question_type for one in of(diff, "located")} == {"position"}
    assert {one.fact_values for one in of(diff, "what level")} <= {("large", "moderate", "small"), ("large", "small")}
    whole = of(diff, "abnormalities are seen in this image")
    assert whole and all(", " in one.answer and one.fact is None for one in whole)


def test_the_image_of_a_study_is_the_listed_one_else_the_only_one(folder, cxr, diff):
    assert {one.image_key for one in cxr} == {one.image_key for one in diff}


def test_a_study_of_several_images_that_no_list_tells_apart_is_bad(folder, tmp_path, caplog):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "mimic_all.csv").unlink()
    with pytest.raises(
        UserError, match=r"\d+ of \d+ rows .*2 images, and mimic_all\.csv names none.*the file is missing"
    ):
        read(copy, "diff_vqa")
    assert len({one.image_key for one in read(copy, "diff_vqa", losses=Losses(skip_bad_images=True))}) == PATIENTS - 1


def test_images_may_lie_elsewhere_as_files_or_below_it(folder, cxr, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    shutil.move(copy / "files", tmp_path / "files")
    assert read(copy, images=str(tmp_path)) == cxr == read(copy, images=str(tmp_path / "files"))
    with pytest.raises(UserError, match=r"neither files/ nor p10/ to p19/.*images=DIR"):
        read(copy)


def test_more_workers_and_the_registry_yield_the_same(folder, cxr):
    options = {"acknowledge": "true", "part": "cxr_vqa"}
    assert list(open_source("mimic", path=folder, workers=3, options=options)) == cxr


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"part": None}, "part=cxr_vqa or part=diff_vqa"),
        ({"part": "cxr"}, "Did you mean 'cxr_vqa'"),
        ({"path": None}, "--source-path"),
    ],
)
def test_bad_options_are_refused(folder, options, part):
    with pytest.raises(UserError, match=part):
        list(records(**{"path": folder, "acknowledge": True, "part": "cxr_vqa", **options}))


def test_rows_whose_answers_are_not_filled_in_yet_are_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    rows = json.loads((copy / "train.json").read_text())
    for row in rows[1:20]:
        del row["answer"]
    (copy / "train.json").write_text(json.dumps(rows))
    with pytest.raises(UserError, match=r"train\.json, row 2 has no answer .*fills them in"):
        read(copy)


def test_an_answer_that_is_a_text_is_one_answer(folder, tmp_path, cxr):
    copy = shutil.copytree(folder, tmp_path / "copy")
    rows = json.loads((copy / "train.json").read_text())
    (copy / "train.json").write_text(
        json.dumps([{**row, "answer": row["answer"][0] if len(row["answer"]) == 1 else row["answer"]} for row in rows])
    )
    assert read(copy) == cxr
