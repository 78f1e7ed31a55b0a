import json
import logging

import pyarrow.parquet as pq
import pytest

from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.injection import incorrectness
from mllmu_med_dataset.sources import open_source
from mllmu_med_dataset.sources.vqa_rad import records
from tests.source_fixtures import pack
from tests.source_fixtures.vqa_rad import HUB_NAMES, make_hub, make_osf, small_image, write_parquet

PATIENTS = 24
ROWS = "VQA_RAD Dataset Public.json"


@pytest.fixture(scope="module")
def osf(tmp_path_factory):
    return make_osf(tmp_path_factory.mktemp("osf") / "VQA-RAD", patients=PATIENTS)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    return make_hub(tmp_path_factory.mktemp("hub") / "vqa-rad", patients=PATIENTS)


@pytest.fixture(scope="module")
def found(osf):
    return list(records(path=osf))


@pytest.fixture(scope="module")
def bare(hub):
    return list(records(path=hub))


def of(found, words):
    return [one for one in found if words in one.question]


def test_every_image_is_one_patient_in_either_layout(found, bare):
    assert len({one.image_key for one in found}) == len({one.image_key for one in bare}) == PATIENTS
    # The two fixtures show the same pictures.
    assert {one.image_key for one in found} == {one.image_key for one in bare}


def test_the_hubs_test_split_shows_the_images_of_its_training_split_and_they_are_one_patients(hub, bare):
    split_of = {}
    for one in bare:
        split_of.setdefault(one.patient_id, set()).add(one.source_id.partition("-")[0])
    assert {frozenset(names) for names in split_of.values()} == {frozenset({"data/train", "data/test"})}
    assert len(bare) == sum(pq.read_metadata(hub / name).num_rows for name in HUB_NAMES)
    # All rows of an image tell one place of it.
    assert len({(one.image_key, one.image_path) for one in bare}) == PATIENTS


def test_osf_keeps_its_metadata(found):
    assert {one.body_region for one in found} == {"head", "chest", "abdomen"}
    assert {one.modality for one in found} == {"CT", "MR", "X-ray"}
    types = {one.question: one.question_type for one in found}
    assert types["What imaging modality was used?"] == "modality"
    # Two types are named, misspelt, or none that we know: the first one known, else the words of the question.
    assert types["Which side is brighter, left or right?"] == "position"
    assert types["What is the most likely diagnosis in this patient?"] == "abnormality"
    assert types["Is the sulcus blunted?"] == "yes_no"
    assert {one.license for one in found} == {"CC0-1.0"} and all(one.redistributable for one in found)
    assert all(one.image_path.startswith("VQA_RAD Image Folder/synpic") for one in found)


def test_numeric_answers_and_answer_types_with_a_space_are_read(found):
    assert {one.answer for one in of(found, "How many lesions")} <= {"1", "2", "3"}
    (size,) = of(found, "How large")
    assert (size.answer, size.fact, size.question_type) == ("5.6", "5.6", "size")
    abnormal = of(found, "Is there an abnormality")
    assert {(one.answer_type, one.fact_values) for one in abnormal} == {("CLOSED", ("Yes", "No"))}


def test_of_paraphrases_the_first_phrasing_stands_for_all_wherever_it_stands(osf, found):
    rows = json.loads((osf / ROWS).read_text())
    assert len(found) == len({row["qid_linked_id"] for row in rows}) < len(rows)
    asked = {row["question"] for row in rows if row["phrase_type"].endswith("para")}
    assert asked and not asked & {one.question for one in found}
    assert len(list(records(path=osf, paraphrases="keep"))) == len(rows)


def test_named_alternatives_are_a_closed_set_of_their_own(found, bare):
    for rows, values in (
        (of(found, "left or right"), {"Left", "Right"}),
        (of(bare, "left or right"), {"left", "right"}),
    ):
        assert {one.answer_type for one in rows} == {"CLOSED"}
        assert {one.fact for one in rows} == values == set(rows[0].fact_values)


def test_the_hub_layout_infers_types_and_sets_from_the_words(bare):
    types = {one.question: one.question_type for one in bare}
    assert types["what imaging modality is used?"] == "modality"
    assert types["where is the lesion located?"] == "position"
    assert types["is there evidence of an aortic aneurysm?"] == "yes_no"
    (modality,) = {one.fact_values for one in of(bare, "modality")}
    assert modality == ("ct", "mri", "x-ray")
    (sentence,) = of(bare, "what can be said")
    assert sentence.fact is None and sentence.fact_values == ()


def test_nearly_every_row_with_a_fact_can_be_told_wrongly(found, bare):
    for rows in (found, bare):
        able = [one for one in rows if incorrectness.wrong_facts(one)]
        # No other organ of the head was asked for.
        assert len(able) >= 0.92 * len(rows)
        assert len({one.image_key for one in able}) == PATIENTS


def test_an_archive_more_workers_and_a_second_pass_yield_the_same(osf, hub, found, bare, tmp_path):
    assert list(records(path=pack(tmp_path / "osf.zip", osf, "VQA-RAD/"))) == found
    assert list(records(path=pack(tmp_path / "hub.zip", hub))) == bare
    assert list(open_source("vqa_rad", path=osf, workers=3, seed=4)) == found
    assert list(open_source("vqa_rad", path=hub, workers=3, seed=4)) == bare


def test_a_few_rows_without_an_answer_are_left_out_and_told(tmp_path, caplog):
    rows = [(small_image(), "which organ?", "lung")] * 150
    write_parquet(tmp_path / "data/train.parquet", [*rows, (small_image(), "which organ?", " ")])
    with caplog.at_level(logging.WARNING):
        assert len(list(records(path=tmp_path))) == 150
    assert "Of 151 rows" in caplog.text and "1 row has an empty answer" in caplog.text and "row 151" in caplog.text


def test_row_groups_are_not_held_all_at_once(tmp_path, monkeypatch):
    # Made pictures that are still referenced, counted while the records stream by.
    from mllmu_med_dataset.sources import parquet

    made = []
    real = parquet.picture
    monkeypatch.setattr(parquet, "picture", lambda data: made.append(1) or real(data))
    write_parquet(tmp_path / "data/train.parquet", [(small_image(), "which organ?", "lung")] * 1000, row_group=100)
    stream = records(path=tmp_path)
    next(stream)
    assert len(made) <= 64


def test_a_folder_of_neither_layout_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"neither 'VQA_RAD Dataset Public\.json'.* nor \.parquet"):
        list(records(path=tmp_path))


def test_osf_rows_without_the_image_folder_are_refused(osf, tmp_path):
    (tmp_path / ROWS).write_bytes((osf / ROWS).read_bytes())
    with pytest.raises(UserError, match="not its images: 'VQA_RAD Image Folder'"):
        list(records(path=tmp_path))


def test_an_unknown_choice_of_paraphrases_is_refused(osf):
    with pytest.raises(UserError, match="Did you mean 'keep'"):
        list(open_source("vqa_rad", path=osf, options={"paraphrases": "keeep"}))
