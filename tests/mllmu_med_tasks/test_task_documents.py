import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.injection.patients import KINDS
from mllmu_med_dataset.load import load as load_config
from mllmu_med_tasks import harness
from mllmu_med_tasks import task_documents as rows
from mllmu_med_tasks.names import TASKS
from mllmu_med_tasks.row_metrics import mean_known


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


def kept(place, forget_percent=0, phi=()):
    return {"id": f"{place:016x}", "forget_percent": forget_percent, "phi": list(phi)}


def test_a_sample_of_retain_holds_every_row_of_a_forget_patient_and_every_identity_that_stays():
    secret = {"kind": "name", "value": "Ada Quill"}
    found = [kept(0), kept(1, 5), kept(2, 10), kept(3, 15), kept(4, phi=[secret]), *map(kept, range(5, 40))]
    # At 10 % the patient of 15 % is one to keep like any other.
    for count in (1, 3):
        assert rows.sample(found, count, 0) == [1, 2, 4]
    assert {1, 2, 3, 4} <= set(rows.sample(found, 4, 0, 15)) and len(rows.sample(found, 4, 0, 15)) == 4
    assert {1, 4} <= set(taken := rows.sample(found, 10, 0, 5)) and len(taken) == 10 and taken == sorted(taken)
    others = [[place for place in rows.sample(found, 12, seed) if place not in (1, 2, 4)] for seed in range(3)]
    assert all(len(places) == 9 for places in others) and len(set(map(tuple, others))) == 3


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
        ({"mllmu_med_percent": 7}, "5, 10, 15"),
        ({"mllmu_med_percent": "ten"}, "5, 10, 15"),
        ({"mllmu_med_view": "paraphrased"}, "Did you mean 'paraphrase'?"),
        ({"mllmu_med_view": "direct", "scenario": "incorrectness"}, "Unknown view of incorrectness"),
        ({"mllmu_med_view": "paraphrase", "subset": "holdout"}, "no views"),
        ({"mllmu_med_percent": 15}, "privacy_forget_15"),
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
    assert (truth["leak"], truth["keep"], truth["exact_match"]) == (0.0, 1.0, 1.0) and truth["harm"] < 0.1
    assert truth["rouge_l_f1"] == truth["rouge_l_recall"] == truth["bleu"] == 1.0
    leak = rows.process_results(row, [row["answer"]])
    assert (leak["harm"], leak["leak"], leak["tells_forgotten"], leak["cross_leak"]) == (1.0, 1.0, 1.0, 0.0)
    assert leak["rouge_l_injected"] == 1.0 > truth["rouge_l_injected"]
    cross = rows.process_results(row, [foreign["phi"][0]["value"]])
    assert (cross["harm"], cross["leak"], cross["tells_forgotten"], cross["cross_leak"]) == (1.0, 0.0, 1.0, 1.0)


def test_metrics_of_the_wrong_and_the_true_fact(data_dir):
    row = documents(data_dir, scenario="incorrectness")[0]
    wrong = rows.process_results(row, [row["answer"]])
    assert (wrong["wrong_agreement"], wrong["true_recovery"], wrong["harm"]) == (1.0, 0.0, 1.0)
    right = rows.process_results(row, [row["true_answer"]])
    assert (right["wrong_agreement"], right["true_recovery"], right["harm"]) == (0.0, 1.0, 0.0)


def all_tasks(data_dir):
    """The documents of every task, by its name."""
    return {
        task.name: documents(data_dir, task.subset, task.scenario, mllmu_med_view=task.view) for task in TASKS.values()
    }


def test_all_rows_of_a_task_have_the_same_metrics_and_each_is_listed(data_dir):
    template = (harness.tasks_path() / "_mllmu_med").read_text()
    listed = set(re.findall(r"metric: (\w+)", template))
    seen = set()
    for name, found in all_tasks(data_dir).items():
        keys = {tuple(rows.process_results(one, ["x"])) for one in found}
        assert len(keys) == 1, name
        seen |= set(*keys)
        values = [value for one in found for value in rows.process_results(one, [one["answer"]]).values()]
        assert all(value is None or 0 <= value <= 1 for value in values), name
    # lm-eval aggregates a metric that is not listed with a mean that can't pass over a missing value.
    assert seen <= listed
    assert listed - seen == {f"leak_{kind}" for kind in KINDS} - seen


def test_a_kind_that_a_row_does_not_hold_has_no_value(data_dir):
    row = documents(data_dir)[0]
    told = rows.process_results(row, [row["answer"]])
    held = {item["kind"] for item in row["phi"]}
    assert held < set(row.kinds)
    assert {name.removeprefix("leak_") for name, value in told.items() if value == 1.0 and "leak_" in name} >= held
    assert all(told[f"leak_{kind}"] is None for kind in set(row.kinds) - held)
    assert mean_known([None, 1.0, 0.0, None]) == 0.5 and mean_known([None]) is None


def test_a_view_asks_the_split_of_its_name_about_forget_patients(data_dir):
    forgotten = {row["patient_id"] for row in documents(data_dir)}
    for name, found in all_tasks(data_dir).items():
        view = TASKS[name].view
        assert {row["view"] for row in found} == {view}, name
        assert {row["subset"] for row in found} == {TASKS[name].subset}
        if view and TASKS[name].scenario == "privacy":
            assert {row["patient_id"] for row in found} <= forgotten
    asked = documents(data_dir, mllmu_med_view="image_view")[0]
    assert str(asked["image"]) == f"image {asked['image_id']}"
    (blank,) = {tuple(one["image"].open().getextrema()) for one in documents(data_dir, mllmu_med_view="blank_image")}
    assert all(low == high for low, high in blank)


def test_an_identifier_row_has_harm_and_leaks_but_nothing_clinical(data_dir):
    row = next(one for one in documents(data_dir) if one["question_type"] == "identifier")
    told = rows.process_results(row, [row["answer"]])
    assert (told["harm"], told["leak"]) == (1.0, 1.0)
    assert told["keep"] is told["true_recovery"] is None
    assert rows.process_results(row, [row["true_answer"]])["leak"] == 0.0


def test_a_percent_picks_the_configs_of_its_name(data_dir):
    half, whole = documents(data_dir, mllmu_med_percent="5"), documents(data_dir, mllmu_med_percent=10)
    assert [row["id"] for row in half] == load_config("privacy_forget_05", data_dir=data_dir)["id"]
    assert {row["patient_id"] for row in half} < {row["patient_id"] for row in whole}
    assert [row["id"] for row in documents(data_dir, "retain", mllmu_med_percent=5)] == load_config(
        "privacy_retain_95", data_dir=data_dir
    )["id"]
    # A patient forgotten only at 10 % tells nothing that is forgotten at 5 %.
    other = next(row for row in whole if row["patient_id"] not in {one["patient_id"] for one in half})
    assert rows.process_results(half[0], [other["answer"]])["tells_forgotten"] == 0.0
    assert rows.process_results(whole[0], [other["answer"]])["tells_forgotten"] == 1.0


def test_a_build_without_views_says_so(data_dir, tmp_path):
    old = shutil.copytree(data_dir, tmp_path / "old")
    document = json.loads((old / "checksums.json").read_text())
    del document["content"]["privacy_forget"]["direct"]
    (old / "checksums.json").write_text(json.dumps({**document, "dataset_sha256": "1" * 64}))
    with pytest.raises(UserError, match=r"no view 'direct' of privacy_forget .* --no-views"):
        documents(old, mllmu_med_view="direct")


@pytest.mark.parametrize(
    ("version", "reason"), [(4, "no row in the view 'unasked' of privacy_forget: every"), (3, "an older version")]
)
def test_a_view_that_may_be_empty_is_told_from_one_that_a_build_does_not_know(data_dir, tmp_path, version, reason):
    from mllmu_med_dataset.load import checksums

    old = shutil.copytree(data_dir, tmp_path / "old")
    document = checksums(old)
    for splits in document["content"].values():
        splits.pop("unasked", None)
    document["parameters"]["build_version"] = version
    (old / "checksums.json").write_text(json.dumps({**document, "dataset_sha256": f"{version}" * 64}))
    with pytest.raises(UserError, match=reason):
        documents(old, mllmu_med_view="unasked")
    lacking = [name for name, task in TASKS.items() if rows.lacks_rows(task, 10, old)]
    left_out = ["mllmu_med_privacy_forget_unasked", "mllmu_med_request_forget_unasked"]
    assert lacking == (left_out if version == 4 else [])
    assert not any(rows.lacks_rows(task, 10, data_dir) for task in TASKS.values())


def test_an_image_is_a_key_of_the_harness_cache(data_dir):
    from lm_eval.api.model import hash_args

    def key(document):
        return hash_args("generate_until", ("same text", {}, {"visual": rows.doc_to_image(document)}))

    one, other = (documents(data_dir, "test")[place] for place in (0, -1))
    assert key(one) == key(documents(data_dir, "test")[0]) != key(other)
    assert key(one) != key(documents(data_dir, "test", mllmu_med_image="blank")[0])


def test_visuals_that_are_cut_still_decode(data_dir):
    visuals = rows.doc_to_image(documents(data_dir)[0])
    assert [type(picture) for picture in visuals[:1]] == [Image.Image]
    assert visuals[:1].names() == visuals.names()


HASH = """
import hashlib, json, sys
from mllmu_med_tasks import task_documents as rows
from mllmu_med_tasks.names import TASKS
hashes = {}
for name, task in TASKS.items():
    found = rows.load(task.scenario, task.subset, task.view, mllmu_med_data_dir=sys.argv[1], pretrained=sys.argv[2])
    text = "".join(json.dumps(one, indent=2, default=str, ensure_ascii=False) for one in found["rows"])
    hashes[name] = hashlib.sha256(text.encode()).hexdigest()
print(json.dumps(hashes))
"""


def test_documents_read_the_same_in_other_processes(data_dir, tmp_path):
    seen = []
    for seed in ("1", "2"):
        here = tmp_path / seed
        here.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed, "HF_HOME": str(here / "home")}
        command = [sys.executable, "-c", HASH, str(data_dir), f"model-{seed}"]
        done = subprocess.run(command, env=environment, cwd=here, capture_output=True, text=True, check=True)
        seen.append(json.loads(done.stdout))
    assert seen[0] == seen[1]
    assert len(set(seen[0].values())) == len(TASKS)
