import csv
import logging
from collections import Counter

import pytest

from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.injection import incorrectness
from mllmu_med_dataset.sources import SOURCES, open_source
from mllmu_med_dataset.sources.pmc_vqa import hub_files, records
from mllmu_med_metrics.answers.facts import fact_form
from tests.source_fixtures import pack
from tests.source_fixtures.pmc_vqa import QUESTIONS, make_pmc_vqa

PATIENTS = 48


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    return make_pmc_vqa(tmp_path_factory.mktemp("pmc2") / "PMC-VQA", patients=PATIENTS)


@pytest.fixture(scope="module")
def older(tmp_path_factory):
    return make_pmc_vqa(tmp_path_factory.mktemp("pmc1") / "PMC-VQA", version="1", patients=PATIENTS)


@pytest.fixture(scope="module")
def found(newer):
    return list(records(path=newer))


def test_both_versions_with_their_unlike_columns_say_the_same(older, found):
    def said(rows):
        return Counter((one.image_key, one.question, one.answer, one.fact_values, one.question_type) for one in rows)

    first = list(records(path=older, version="1"))
    assert said(first) == said(found) and len(found) == PATIENTS * len(QUESTIONS)
    assert {one.image_path.partition("/")[0] for one in first} == {"images"}
    assert {one.image_path.partition("/")[0] for one in found} == {"figures"}


def test_answers_are_the_choices_without_their_labels_and_choices_are_the_closed_set(found):
    by_question = {question: set(map(fact_form, choices)) for question, choices in QUESTIONS}
    for one in found:
        # Of yes and no the set is the two of them, whatever else is offered.
        assert set(one.fact_values) == (by_question[one.question] if one.fact not in ("Yes", "No") else {"Yes", "No"})
        assert one.fact == fact_form(one.answer) in one.fact_values
        assert one.answer_type == "CLOSED" and not one.redistributable
    assert "E. coli colonies" in {value for one in found for value in one.fact_values}
    assert {one.license for one in found} == {SOURCES["pmc_vqa"].license}


def test_every_row_can_be_told_wrongly_with_another_of_its_choices(found):
    for one in found:
        if one.answer in ("Unclear", "Not stated"):
            # What is not told can't be told wrongly.
            assert incorrectness.corrupt(one, seed=0) is None
            continue
        done = incorrectness.corrupt(one, seed=0)
        assert done.wrong_fact in one.fact_values and done.wrong_fact != one.fact


def test_types_come_from_the_words_and_yes_or_no_may_have_other_choices(found):
    types = {one.question: one.question_type for one in found if one.answer not in ("Yes", "No")}
    assert types["What imaging technique was used to obtain the image?"] == "modality"
    assert types["What is the location of the lesion?"] == "position"
    assert types["What does the arrow indicate?"] == "other"
    assert {one.question_type for one in found if one.answer in ("Yes", "No")} == {"yes_no"}


def test_images_unpacked_everything_in_one_archive_and_more_workers_yield_the_same(found, newer, tmp_path):
    unpacked = make_pmc_vqa(tmp_path / "PMC-VQA", patients=PATIENTS, packed=False)
    assert list(records(path=unpacked)) == found
    assert list(records(path=pack(tmp_path / "all.zip", unpacked, "PMC-VQA/"))) == found
    assert list(open_source("pmc_vqa", path=newer, workers=3, seed=1)) == found


def test_line_ends_of_either_kind_yield_the_same_questions(found, tmp_path):
    odd = make_pmc_vqa(tmp_path / "PMC-VQA", patients=PATIENTS, newline="\r\n")
    assert [(one.question, one.answer, one.image_key) for one in records(path=odd)] == [
        (one.question, one.answer, one.image_key) for one in found
    ]


def test_the_version_is_an_option_and_the_other_one_is_pointed_to(older, tmp_path):
    with pytest.raises(UserError, match=r"none of train_2\.csv, test_2\.csv .*version=1"):
        list(open_source("pmc_vqa", path=older))
    assert hub_files({"version": "1"}) == ("train.csv", "test.csv", "images.zip")
    assert hub_files({}) == ("train_2.csv", "test_2.csv", "images_2.zip")
    with pytest.raises(UserError, match="Known: 1, 2"):
        list(open_source("pmc_vqa", path=older, options={"version": "3"}))


def change(folder, edit, name="train_2.csv"):
    with (folder / name).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    edit(rows)
    with (folder / name).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_a_row_whose_answer_is_no_choice_is_left_out_and_told_if_there_are_few(tmp_path, found, caplog):
    folder = make_pmc_vqa(tmp_path / "PMC-VQA", patients=PATIENTS)
    change(folder, lambda rows: rows[3].update(Answer="E"))
    with caplog.at_level(logging.WARNING):
        assert len(list(records(path=folder))) == len(found) - 1
    assert "1 row has an answer that is none of the choices: left out (train_2.csv:8)" in caplog.text
    change(folder, lambda rows: [row.update(Answer="E") for row in rows[:5]])
    with pytest.raises(UserError, match=r"5 of 240 rows .*train_2\.csv:2 answers 'E'"):
        list(records(path=folder))


def test_missing_images_are_counted_once_each(tmp_path):
    folder = make_pmc_vqa(tmp_path / "PMC-VQA", patients=PATIENTS, packed=False)
    first = sorted((folder / "figures").iterdir())[0]
    first.unlink()
    with pytest.raises(UserError, match=rf"5 of 240 rows .*{first.name} \(the file is missing"):
        list(records(path=folder))


def test_rows_without_images_are_refused(tmp_path):
    folder = make_pmc_vqa(tmp_path / "PMC-VQA", patients=8)
    (folder / "images_2.zip").unlink()
    with pytest.raises(UserError, match=r"not its images: neither images nor figures nor images_2\.zip"):
        list(records(path=folder))


def test_a_missing_split_is_told(tmp_path, caplog):
    folder = make_pmc_vqa(tmp_path / "PMC-VQA", patients=8)
    (folder / "test_2.csv").unlink()
    with caplog.at_level(logging.WARNING):
        assert list(records(path=folder))
    assert "has no test_2.csv" in caplog.text
