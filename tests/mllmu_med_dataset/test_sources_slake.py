import json
import logging
import shutil

import pytest

from mllmu_med_dataset.build import build
from mllmu_med_dataset.building.left_out import Losses
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.injection import incorrectness
from mllmu_med_dataset.injection.injected_rows import inject, patient_rows
from mllmu_med_dataset.load import load
from mllmu_med_dataset.sources import open_source
from mllmu_med_dataset.sources.slake import records
from mllmu_med_dataset.verify.row_rules import Table, broken_rules
from tests.slake_fixture import make_slake

PATIENTS = 48


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_slake(tmp_path_factory.mktemp("slake") / "Slake", patients=PATIENTS)


@pytest.fixture(scope="module")
def found(folder):
    return list(records(path=folder))


@pytest.fixture
def changed(tmp_path):
    """A small copy that a test may damage."""
    return make_slake(tmp_path / "Slake", patients=8)


def rewrite(folder, change, name="train.json"):
    path = folder / name
    path.write_text(json.dumps(change(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")


def of(found, question, number=None):
    return [
        one
        for one in found
        if question in one.question and (number is None or one.image_path == f"imgs/xmlab{number}/source.jpg")
    ]


def test_every_image_is_a_patient_of_its_own_with_its_rows(found):
    assert len({one.image_key for one in found}) == PATIENTS
    rows = {key: [one for one in found if one.image_key == key] for key in {one.image_key for one in found}}
    assert min(map(len, rows.values())) >= 7


def test_a_folder_the_hubs_zip_and_the_original_zip_yield_the_same(found, tmp_path):
    for zipped in ("imgs", "all"):
        path = make_slake(tmp_path / zipped / "Slake", patients=PATIENTS, zipped=zipped)
        assert list(records(path=path)) == found


def test_a_second_pass_and_more_workers_yield_the_same(folder, found):
    assert list(records(path=folder, workers=3)) == found
    assert list(open_source("slake", path=folder, workers=2, seed=5)) == found


def test_english_is_the_default_and_languages_are_an_option(folder, found):
    chinese = list(records(path=folder, language="zh"))
    assert {one.source_id[:2] for one in found} == {"en"} and {one.source_id[:2] for one in chinese} == {"zh"}
    everything = list(records(path=folder, language="all"))
    assert len(everything) == len(found) + len(chinese)
    # English and Chinese rows of an image lie in different splits, yet are one patient's.
    assert {one.image_key for one in everything} == {one.image_key for one in found}


def test_the_chinese_yes_and_no_are_a_closed_set_and_a_build_of_them_verifies(folder, tmp_path):
    asked = [one for one in records(path=folder, language="zh") if "腹部" in one.question]
    assert {one.answer for one in asked} == {"是", "否"}
    assert {(one.question_type, one.answer_type, one.fact_values) for one in asked} == {
        ("yes_no", "CLOSED", ("是", "否"))
    }
    assert {incorrectness.corrupt(one, seed=0).error_kind for one in asked} == {"flipped answer"}
    out = tmp_path / "mllmu-med"
    build(open_source("slake", path=folder, options={"language": "zh"}), out, percents=(10,))
    row = load("incorrectness_forget", data_dir=out)[0]
    assert row["wrong_fact"] in row["answer"] and row["fact"] not in row["answer"]


def test_no_seed_refuses_a_build(found, folder):
    """Whatever is drawn, every injected row passes every gate of a row, and nothing else is injected."""
    by_patient = {}
    for one in [*found, *records(path=folder, language="zh")]:
        by_patient.setdefault(one.image_key, []).append(one)
    for seed in range(10):
        for key, asked in by_patient.items():
            injected = inject(key, asked, scenario="incorrectness", seed=seed)
            rows = patient_rows(
                key, asked, scenario="incorrectness", subset="holdout", forget_percent=0, injected=injected,
                forgotten=False,
            )  # fmt: skip
            assert len(rows) == len(injected.changes) <= 2 and injected.without_error <= len(asked)
            for row in rows:
                assert list(broken_rules(row, Table("incorrectness_holdout", "test"))) == []
                assert row["error_pool"] is not None and row["wrong_fact"] in row["fact_values"]


@pytest.mark.parametrize("seed", [3, 8])
def test_a_build_says_how_many_rows_took_no_error(folder, tmp_path, seed):
    summary = build(
        open_source("slake", path=folder),
        tmp_path / "mllmu-med",
        percents=(10,),
        seed=seed,
        scenarios=("incorrectness",),
    )
    told = [warning for warning in summary.warnings if "plausible error" in warning]
    assert bool(told) == bool(summary.without_error)
    card = (tmp_path / "mllmu-med" / "README.md").read_text(encoding="utf-8")
    assert all(" ".join(warning.split()) in " ".join(card.split()) for warning in told)
    assert "| taken from | rows |" in card


def test_a_missing_split_is_told(folder, tmp_path, caplog):
    shutil.copytree(folder, tmp_path / "part")
    (tmp_path / "part" / "train.json").unlink()
    (tmp_path / "part" / "test.json").unlink()
    with caplog.at_level(logging.WARNING):
        assert list(records(path=tmp_path / "part"))
    assert "has no train.json and no test.json" in caplog.text
    caplog.clear()
    assert list(records(path=folder)) and "has no" not in caplog.text


def test_spaces_are_cleaned(found):
    (plane,) = of(found, "scanning plane", 0)
    assert (plane.answer, plane.fact) == ("Coronal Plane", "Coronal Plane")
    assert of(found, "Which part of the body does this image belong to?", 1)


def test_a_question_asked_twice_counts_once_with_its_lower_qid(found):
    (plane,), (colour,) = of(found, "scanning plane", 3), of(found, "color", 6)
    assert int(plane.source_id.removeprefix("en-")) < 100 and int(colour.source_id.removeprefix("en-")) < 100
    asked = [(one.image_key, one.question) for one in found]
    assert len(asked) == len(set(asked))


def test_a_closed_answer_need_not_be_yes_or_no(found):
    sides = of(found, "left or right")
    assert {one.answer for one in sides} == {"Left", "Right"}
    assert {(one.question_type, one.answer_type, one.fact_values) for one in sides} == {
        ("position", "CLOSED", ("Left", "Right"))
    }
    abdomen = of(found, "abdomen")
    assert {(one.question_type, one.fact_values) for one in abdomen} == {("yes_no", ("Yes", "No"))}


def test_closed_and_short_answers_are_facts_of_a_closed_set_and_sentences_are_not(found):
    (sentence,) = of(found, "function of the organ")
    assert sentence.fact is None and sentence.fact_values == ()
    (healthy,) = of(found, "diseases", 0)
    assert (healthy.fact, healthy.fact_values) == ("None", ("None", "Pneumonia", "Rotator Cuff Tear"))
    for one in found:
        assert one.fact is None or one.fact in one.answer
        assert not one.fact_values or one.fact in one.fact_values
    (shape,) = of(found, "shape")
    assert (shape.fact, shape.fact_values) == ("Irregular", ())


def test_types_modalities_and_regions_are_the_projects_own_words(found):
    assert {one.modality for one in found} == {"CT", "MR", "X-ray"}
    assert {one.body_region for one in found} == {"abdomen", "chest", "head", "neck", "pelvis"}
    knowledge = {one.question for one in found if one.question_type == "knowledge"}
    assert "Which organ controls the body?" in knowledge
    assert {one.license for one in found} == {"CC-BY-4.0"} and all(one.redistributable for one in found)


def test_a_build_of_it_verifies_and_loads(folder, tmp_path):
    out = tmp_path / "mllmu-med"
    summary = build(open_source("slake", path=folder), out, percents=(10,))
    assert sum(summary.patients.values()) == PATIENTS
    row = load("privacy_forget", data_dir=out)[0]
    assert row["source"] == "slake" and row["image"].size == (64, 64)


def test_undecodable_and_missing_images_are_named_and_counted(changed):
    (changed / "imgs" / "xmlab0" / "source.jpg").write_bytes(b"broken")
    (changed / "imgs" / "xmlab3" / "source.jpg").unlink()
    with pytest.raises(UserError, match=r"\d+ of 6\d rows .*missing.*--skip-bad-images"):
        list(records(path=changed))


def test_bad_images_can_be_skipped_and_are_told(changed, caplog):
    whole = list(records(path=changed))
    (changed / "imgs" / "xmlab0" / "source.jpg").write_bytes(b"broken")
    with caplog.at_level(logging.WARNING):
        rest = list(records(path=changed, losses=Losses(skip_bad_images=True)))
    assert rest == [one for one in whole if one.image_path != "imgs/xmlab0/source.jpg"]
    assert "show an image that can't be used" in caplog.text and "xmlab0" in caplog.text


def test_a_source_without_its_images_is_refused(changed):
    shutil.rmtree(changed / "imgs")
    with pytest.raises(UserError, match=r"neither imgs/ nor imgs\.zip"):
        list(records(path=changed))


def test_a_source_without_its_json_is_refused(changed):
    for path in changed.glob("*.json"):
        path.unlink()
    with pytest.raises(UserError, match=r"none of train\.json"):
        list(records(path=changed))


def test_rows_that_cannot_be_used_are_named_with_file_and_place(changed):
    rewrite(changed, lambda rows: [rows[0], {k: v for k, v in rows[1].items() if k != "answer"}, *rows[2:]])
    with pytest.raises(UserError, match=r"train\.json, row 2 lacks answer"):
        list(records(path=changed, losses=Losses(limit=0)))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda rows: {"rows": rows}, "not a list"),
        (lambda rows: [1, *rows], "row 1 is not an object"),
        (lambda rows: [{**rows[0], "content_type": "Modalty"}, *rows[1:]], "Did you mean 'modality'"),
        (lambda rows: [{**rows[0], "answer_type": "OPN"}, *rows[1:]], "Did you mean 'OPEN'"),
        (lambda rows: [{**rows[0], "qid": "x"}, *rows[1:]], "qid"),
        (lambda rows: [{**rows[0], "img_name": "../../secret.jpg"}, *rows[1:]], "leads out"),
    ],
)
def test_malformed_json_is_refused_by_name(changed, change, part):
    rewrite(changed, change)
    with pytest.raises(UserError, match=part):
        list(records(path=changed, losses=Losses(limit=0)))


def test_a_file_that_is_not_json_is_named(changed):
    (changed / "test.json").write_text("{")
    with pytest.raises(UserError, match=r"test\.json is no whole JSON file"):
        list(records(path=changed))


def test_an_unknown_language_is_refused(folder):
    with pytest.raises(UserError, match="Known: all, en, zh"):
        list(open_source("slake", path=folder, options={"language": "de"}))
