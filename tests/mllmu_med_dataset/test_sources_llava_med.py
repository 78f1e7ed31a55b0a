import json
import logging

import pytest

from mllmu_med_dataset.building.left_out import Losses
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.injection.incorrectness import corrupt
from mllmu_med_dataset.sources import open_source
from mllmu_med_dataset.sources.llava_med import records
from tests.source_fixtures import pack
from tests.source_fixtures.llava_med import make_llava_med

PATIENTS = 12
ROWS = "llava_med_instruct_60k.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_llava_med(tmp_path_factory.mktemp("llava") / "llava_med", patients=PATIENTS)


@pytest.fixture(scope="module")
def found(folder):
    return list(records(path=folder))


@pytest.fixture
def changed(tmp_path):
    return make_llava_med(tmp_path / "llava_med", patients=3)


def of(found, words, number=None):
    return [
        one
        for one in found
        if words in one.question and (number is None or one.source_id.startswith(f"2{number:07d}_"))
    ]


def test_each_question_with_its_answer_is_a_record_without_the_image_mark(found):
    assert len(found) == 4 * PATIENTS and len({one.image_key for one in found}) == PATIENTS
    assert {one.question for one in of(found, "figure")} == {"What can you tell me about this figure?"}
    assert [one.source_id for one in found[:4]] == [f"20000000_F1-{turn}" for turn in (1, 2, 3, 4)]
    assert found[0].image_path == "images/20000000_F1.jpg"
    assert {(one.license, one.redistributable) for one in found} == {("CC-BY-NC-4.0", False)}


def test_nothing_else_of_a_row_is_read(found):
    assert "caption that is not read" not in "".join(one.model_dump_json(exclude={"image_bytes"}) for one in found)


def test_the_domain_tells_the_modality_unless_it_is_two(found):
    modalities = {one.source_id.split("_")[0]: one.modality for one in found}
    assert set(modalities.values()) == {"X-ray", "CT", "MR", ""}
    assert modalities["20000005"] == ""


def test_long_answers_have_no_fact_and_short_ones_have(found):
    assert {one.fact for one in of(found, "figure")} == {None}
    assert {(one.fact, one.question_type) for one in of(found, "seen in this image")} == {("Yes", "yes_no")}
    shapes = of(found, "shape")
    assert {one.question_type for one in shapes} == {"shape"} and all(one.fact in one.fact_values for one in shapes)


def test_a_modality_that_one_word_names_can_be_told_wrongly(found):
    (named,) = of(found, "modality", 1)
    assert (named.fact, named.question_type) == ("X-ray", "modality")
    assert set(named.fact_values) == {"X-ray", "CT", "MRI", "histology", "gross pathology"}
    wrong = corrupt(named, seed=0)
    assert wrong is not None and wrong.answer == f"This image was taken with chest {wrong.wrong_fact}."
    # Named twice, or of a figure of two domains: no fact.
    assert of(found, "modality", 0)[0].fact is None and of(found, "modality", 5)[0].fact is None


def test_an_archive_more_workers_and_the_registry_yield_the_same(folder, found, tmp_path):
    assert list(records(path=pack(tmp_path / "all.zip", folder, "LLaVA-Med/"), images="LLaVA-Med/images")) == [
        one.model_copy(update={"image_path": f"LLaVA-Med/{one.image_path}"}) for one in found
    ]
    assert list(open_source("llava_med", path=folder, workers=3)) == found


def test_images_that_articles_have_lost_can_be_skipped(changed, caplog):
    (changed / "images" / "20000001_F2.jpg").unlink()
    with pytest.raises(UserError, match=r"4 of 12 rows .*20000001_F2\.jpg.*--skip-bad-images"):
        list(records(path=changed))
    with caplog.at_level(logging.WARNING):
        assert len(list(records(path=changed, losses=Losses(skip_bad_images=True)))) == 8
    assert "4 rows show an image that is missing" in caplog.text


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda row: row.pop("conversations"), "row 2 has no conversations"),
        (lambda row: row["conversations"].pop(), "row 2 has no conversations, or one that ends without an answer"),
        (lambda row: row["conversations"].reverse(), "row 2, turn 1 is not a text from human"),
        (lambda row: row["conversations"][1].update(value=" <image> "), "row 2, turn 2 is empty"),
        (lambda row: row["conversations"][1].update(value=7), "row 2, turn 2 is not a text from gpt"),
        (lambda row: row.update(domain={"xray": True}), "row 2: Unknown domain 'xray'.*Did you mean"),
        (lambda row: row.update(domain={"mri": "yes"}), "the domain mri is 'yes', not true or false"),
        (lambda row: row.update(domain=["mri"]), "a domain that is no object"),
        (lambda row: row.pop("image"), "row 2 lacks image"),
        (lambda row: row.update(image="../../x.jpg"), "leads out"),
    ],
)
def test_a_row_that_is_no_conversation_is_named(changed, change, part):
    rows = json.loads((changed / ROWS).read_text())
    change(rows[1])
    (changed / ROWS).write_text(json.dumps(rows))
    with pytest.raises(UserError, match=part):
        list(records(path=changed))


def test_the_file_is_found_or_has_to_be_named(changed):
    (changed / "llava_med_instruct_10k.json").write_bytes((changed / ROWS).read_bytes())
    with pytest.raises(UserError, match=r"several \.json files .*rows="):
        list(records(path=changed))
    assert len(list(records(path=changed, rows=ROWS))) == 12
    for path in changed.glob("*k.json"):
        path.unlink()
    with pytest.raises(UserError, match=r"no \.json file"):
        list(records(path=changed))
    (changed / ROWS).write_text("[]")
    with pytest.raises(UserError, match="no rows"):
        list(records(path=changed))


def test_the_misspelt_key_is_read_as_its_own_scripts_do(changed):
    found = list(records(path=changed))
    rows = json.loads((changed / ROWS).read_text())
    for row in rows[::2]:
        row["conversatons"] = row.pop("conversations")
    (changed / ROWS).write_text(json.dumps(rows))
    assert list(records(path=changed)) == found
