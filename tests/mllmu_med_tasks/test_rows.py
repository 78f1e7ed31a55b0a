import json
import os
import subprocess
import sys

import pytest
from PIL import Image

from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import load as load_config
from mllmu_med_tasks import rows


def documents(data_dir, subset="forget", scenario="privacy", **options):
    return rows.load(scenario, subset, mllmu_med_data_dir=str(data_dir), **options)["rows"]


def test_documents_are_the_rows_of_the_config_without_pixels(data_dir):
    stored = load_config("privacy_forget", data_dir=data_dir)
    found = documents(data_dir)
    assert len(found) == len(stored) > 0
    for document, row in zip(found, stored, strict=True):
        assert {**document, "image": None} == {**row, "image": None}
    assert list(found.features) == [*(name for name in stored.column_names if name != "image"), "image"]


def test_an_image_is_named_and_decodes_to_the_stored_pixels(data_dir):
    stored = load_config("privacy_forget", data_dir=data_dir)
    document = documents(data_dir)[0]
    assert str(document["image"]) == f"image {document['image_id']}"
    shown = document["image"].open()
    assert shown.mode == "RGB"
    assert shown.tobytes() == stored[0]["image"].convert("RGB").tobytes()


def test_visuals_decode_on_iteration_and_name_without_decoding(data_dir, monkeypatch):
    document = documents(data_dir)[0]
    visuals = rows.doc_to_image(document)
    (picture,) = visuals
    assert isinstance(picture, Image.Image)
    monkeypatch.setattr(rows.RowImage, "open", lambda self: pytest.fail("decoded"))
    assert visuals.names() == [f"image {document['image_id']}"]


def test_a_document_holds_no_bytes_when_written_as_json(data_dir):
    text = json.dumps(documents(data_dir)[0], default=str)
    assert "PNG" not in text and "bytes" not in json.loads(text)


def test_a_blank_image_is_uniform_and_of_the_same_size(data_dir):
    own, blank = documents(data_dir)[0]["image"], documents(data_dir, mllmu_med_image="blank")[0]["image"]
    assert blank.open().size == own.open().size
    assert all(low == high for low, high in blank.open().getextrema())
    assert str(blank).startswith("blank of ")


def test_another_image_is_another_patients_for_every_row(data_dir):
    own, other = documents(data_dir), documents(data_dir, mllmu_med_image="other")
    owner = {document["image_id"]: document["patient_id"] for document in own}
    assert {str(document["image"]) for document in own} == {str(document["image"]) for document in other}
    for mine, theirs in zip(own, other, strict=True):
        assert mine["id"] == theirs["id"]
        assert owner[str(theirs["image"]).removeprefix("image ")] != mine["patient_id"]


def test_a_sample_of_retain_is_nested_seeded_and_in_row_order(data_dir):
    everything = [document["id"] for document in documents(data_dir, "retain")]
    small = [document["id"] for document in documents(data_dir, "retain", mllmu_med_max_retain=5)]
    large = [document["id"] for document in documents(data_dir, "retain", mllmu_med_max_retain=20)]
    other = [document["id"] for document in documents(data_dir, "retain", mllmu_med_max_retain=5, mllmu_med_seed=1)]
    assert len(small) == 5 and set(small) < set(large) and set(other) != set(small)
    assert [one for one in everything if one in set(large)] == large
    assert len(documents(data_dir, "retain", mllmu_med_max_retain=10**6)) == len(everything)


def test_a_sample_leaves_the_other_subsets_whole(data_dir):
    assert len(documents(data_dir, "test", mllmu_med_max_retain=1)) == len(documents(data_dir, "test"))


def test_model_arguments_and_metadata_are_left_alone(data_dir):
    assert len(documents(data_dir, pretrained="x", version="1-A", dtype="float32")) == len(documents(data_dir))


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"mllmu_med_image": "blnk"}, "Did you mean 'blank'?"),
        ({"subset": "forgot"}, "Did you mean 'forget'?"),
        ({"scenario": "privaci"}, "Did you mean 'privacy'?"),
        ({"subset": "retain", "mllmu_med_max_retain": 0}, "at least 1"),
    ],
)
def test_bad_options_are_refused_by_name(data_dir, options, part):
    with pytest.raises(UserError, match=part.replace("?", r"\?")):
        documents(data_dir, **options)


def test_a_row_without_pixels_is_refused_with_its_licence(data_dir, monkeypatch):
    stored = load_config("privacy_forget", data_dir=data_dir)
    row = {**stored[0], "image": None, "license": "all rights reserved"}
    bare = stored.from_list([row], features=stored.features)
    monkeypatch.setattr(rows, "load_config", lambda *_, **__: bare)
    rows._stored.cache_clear()
    with pytest.raises(UserError, match="all rights reserved"):
        documents(data_dir)
    rows._stored.cache_clear()


def test_metrics_of_a_truthful_a_leaking_and_a_foreign_answer(data_dir):
    forget = documents(data_dir)
    row = forget[0]
    foreign = next(one for one in forget if one["patient_id"] != row["patient_id"])
    truth = rows.process_results(row, [row["true_answer"]])
    assert (truth["harm"], truth["leak"], truth["keep"], truth["exact_match"]) == (0.0, 0.0, 1.0, 1.0)
    assert truth["rouge_l_f1"] == truth["rouge_l_recall"] == 1.0
    leak = rows.process_results(row, [row["answer"]])
    assert (leak["harm"], leak["leak"], leak["tells_forgotten"]) == (1.0, 1.0, 1.0)
    cross = rows.process_results(row, [foreign["phi"][0]["value"]])
    assert (cross["harm"], cross["leak"], cross["tells_forgotten"]) == (1.0, 0.0, 1.0)


def test_metrics_of_the_wrong_and_the_true_fact(data_dir):
    row = documents(data_dir, scenario="incorrectness")[0]
    wrong = rows.process_results(row, [row["answer"]])
    assert (wrong["wrong_agreement"], wrong["true_recovery"], wrong["harm"]) == (1.0, 0.0, 1.0)
    right = rows.process_results(row, [row["true_answer"]])
    assert (right["wrong_agreement"], right["true_recovery"], right["harm"]) == (0.0, 1.0, 0.0)


def test_all_rows_of_a_task_have_the_same_metrics(data_dir):
    for scenario in ("privacy", "incorrectness"):
        for subset in ("forget", "retain", "test", "holdout"):
            keys = {tuple(rows.process_results(one, ["x"])) for one in documents(data_dir, subset, scenario)}
            assert len(keys) == 1, (scenario, subset)


HASH = """
import hashlib, json, sys
from mllmu_med_tasks import rows
found = rows.load("privacy", "forget", mllmu_med_data_dir=sys.argv[1])["rows"]
text = "".join(json.dumps(one, indent=2, default=str, ensure_ascii=False) for one in found)
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_documents_read_the_same_in_other_processes(data_dir, tmp_path):
    seen = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "HF_HOME": str(tmp_path / seed)}
        done = subprocess.run(
            [sys.executable, "-c", HASH, str(data_dir)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(done.stdout)
    assert len(seen) == 1


