import json

import pytest

from mllmu_med_dataset.building.left_out import Losses
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.injection import incorrectness
from mllmu_med_dataset.sources import SOURCES, open_source
from mllmu_med_dataset.sources.omnimedvqa import records
from tests.source_fixtures import pack
from tests.source_fixtures.omnimedvqa import OPEN, SETS, make_omnimedvqa

PATIENTS = 18


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_omnimedvqa(tmp_path_factory.mktemp("omni") / "OmniMedVQA", patients=PATIENTS)


@pytest.fixture(scope="module")
def found(folder):
    return list(records(path=folder))


def test_every_open_file_is_read_and_every_image_is_a_patient(found):
    assert len({one.image_key for one in found}) == PATIENTS
    assert {one.image_path.split("/")[1] for one in found} == set(SETS)
    assert "never read" not in {one.question for one in found}
    assert len({one.source_id for one in found}) == len(found) == 6 * PATIENTS


def test_it_keeps_its_metadata_though_one_row_says_modality(found):
    assert {one.modality for one in found} == {"CT", "MR", "X-ray", "OCT", "ultrasound", "microscopy"}
    # The row that says modality is one of these.
    assert {one.modality for one in found if one.image_path.startswith("Images/Chest CT Scan/")} == {"CT"}
    types = {one.question: one.question_type for one in found if one.question_type != "yes_no"}
    assert types == {
        "What imaging technique was used to capture this image?": "modality",
        "Which organ is shown in this image?": "organ",
        "What is the diagnosis of the disease in this image?": "abnormality",
        "What is the grade of the lesion?": "abnormality",
        # Other Biological Attributes: by its words.
        "How many cells are visible?": "quantity",
    }


def test_an_answer_is_the_option_that_says_it_however_it_is_spelt(found):
    spelt = {one.answer for one in found if one.question_type == "modality"}
    assert {"X-ray", "CT", "Ultrasound"} <= spelt and not any("_" in one for one in spelt)
    healthy = {one.answer for one in found if "diagnosis" in one.question}
    assert healthy == {"Adenocarcinoma", "No, It's normal"}
    for one in found:
        assert one.fact == one.answer in one.fact_values and one.answer_type == "CLOSED"


def test_rows_with_two_options_and_with_four_can_be_told_wrongly(found):
    assert {len(one.fact_values) for one in found} == {2, 3, 4}
    for one in found:
        assert incorrectness.corrupt(one, seed=0).wrong_fact in one.fact_values


def test_its_pixels_may_not_be_passed_on(found):
    assert not any(one.redistributable for one in found) and SOURCES["omnimedvqa"].redistributable is False


def test_the_hubs_zip_a_zip_of_your_own_and_more_workers_yield_the_same(folder, found, tmp_path):
    packed = make_omnimedvqa(tmp_path / "hub", patients=PATIENTS, packed=True)
    assert [path.name for path in packed.iterdir()] == ["OmniMedVQA.zip"]
    assert list(records(path=packed)) == found
    assert list(records(path=packed / "OmniMedVQA.zip")) == found
    assert list(records(path=pack(tmp_path / "own.zip", folder))) == found
    assert list(open_source("omnimedvqa", path=folder, workers=3, seed=9)) == found


def test_a_folder_without_its_questions_is_refused(tmp_path):
    (tmp_path / "Images").mkdir()
    with pytest.raises(UserError, match="no QA_information/Open-access"):
        list(records(path=tmp_path))


def test_a_question_id_twice_is_refused_with_both_places(tmp_path):
    folder = make_omnimedvqa(tmp_path / "OmniMedVQA", patients=12)
    path = folder / OPEN / "BUSI.json"
    rows = json.loads(path.read_text())
    path.write_text(json.dumps([*rows, {**rows[0], "question": "Another?"}]))
    with pytest.raises(UserError, match=r"BUSI\.json, row 13 has the question_id BUSI_0000 of .*BUSI\.json, row 1\b"):
        list(records(path=folder, losses=Losses(limit=0)))
