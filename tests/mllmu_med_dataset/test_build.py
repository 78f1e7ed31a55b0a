"""A build: the same bytes for the same input, images once, and nothing half-written."""

import io
import json
import random

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from PIL import Image

from mllmu_med_dataset import build as build_module
from mllmu_med_dataset.build import build
from mllmu_med_dataset.building.content import file_sha256, image_content
from mllmu_med_dataset.building.written_tables import Picture, SplitFile
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.injection.injected_rows import row as row_of
from mllmu_med_dataset.injection.patients import NUMBERED_KINDS, in_range
from mllmu_med_dataset.load import load
from mllmu_med_dataset.record import image_key
from mllmu_med_dataset.sources import phantom
from mllmu_med_dataset.verify import Report, verify
from mllmu_med_metrics.vocabulary import BUILT, DIRECT_KINDS, OPTIONAL_VIEWS, config_names, splits

from .conftest import one_type_unasked, record, records


def rows(folder, config, split=None):
    return load(config, split, data_dir=folder).remove_columns("image").to_list()


def present(config):
    """Return the splits of these records' builds: every patient is asked every type of question, so none is unasked."""
    return tuple(split for split in splits(config) if split not in OPTIONAL_VIEWS)


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_shuffled_source_gives_the_same_bytes_whatever_the_workers(built, tmp_path, workers):
    asked = list(records())
    random.Random(workers).shuffle(asked)
    build(asked, tmp_path / "other-name", workers=workers)
    files = [path.relative_to(built) for path in built.rglob("*") if path.is_file()]
    assert sorted(files) == sorted(
        path.relative_to(tmp_path / "other-name") for path in (tmp_path / "other-name").rglob("*") if path.is_file()
    )
    for name in files:
        assert (tmp_path / "other-name" / name).read_bytes() == (built / name).read_bytes(), name


def test_another_seed_gives_another_data_set(built, tmp_path):
    summary = build(records(), tmp_path / "b", seed=1, percents=(10,), scenarios=("privacy",))
    assert summary.dataset_sha256 != json.loads((built / "checksums.json").read_text())["dataset_sha256"]
    assert list(summary.rows) == ["privacy_forget", "privacy_retain", "privacy_test", "privacy_holdout"]


def test_rows_of_a_patient_stand_together_in_the_order_of_ids(built):
    for config in config_names(BUILT):
        told = rows(built, config)
        patients = [row["patient_id"] for row in told]
        assert patients == sorted(patients)
        names = [(row["patient_id"], row["id"]) for row in told]
        assert names == sorted(names)


def stored(path):
    """Return the images of a file by id, and how many bytes they take in it."""
    file = pq.ParquetFile(path)
    images = {row["image_id"]: row["image"]["bytes"] for row in file.read().to_pylist()}
    groups = map(file.metadata.row_group, range(file.num_row_groups))
    columns = (group.column(c) for group in groups for c in range(group.num_columns))
    return images, sum(c.total_compressed_size for c in columns if c.path_in_schema == "image.bytes")


@pytest.mark.parametrize("config", ["privacy_retain", "privacy_forget_15", "incorrectness_forget"])
def test_every_image_is_in_a_file_once(built, config):
    for split in present(config):
        images, size = stored(built / "data" / config / f"{split}-00000-of-00001.parquet")
        whole = sum(map(len, images.values()))
        assert size < 1.05 * whole + 200, split
        # Noise does not shrink: had an image been left out, the column would be smaller than its images.
        assert split == "blank_image" or whole <= size


def test_large_images_are_still_stored_once(tmp_path):
    # 2 MiB of noise in one image: beyond the page limit that would make the writer fall back to plain storage.
    pixels = np.random.default_rng(0).integers(0, 255, (900, 900, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    base = record(image_bytes=stream.getvalue(), image_key=image_key(Image.fromarray(pixels)))
    picture = Picture(stream.getvalue(), image_content(Image.fromarray(pixels)))
    asked = [base.model_copy(update={"question": f"Question {n}?"}) for n in range(20)]
    with SplitFile(tmp_path / "x.parquet") as file:
        file.add([(row_of(one, "privacy", "test", 0), picture) for one in asked])
        assert file.finish()["rows"] == 20
    assert (tmp_path / "x.parquet").stat().st_size < 1.1 * len(stream.getvalue())


def test_views_are_splits_of_the_forget_configs_and_are_told(built, tmp_path):
    document = json.loads((built / "checksums.json").read_text())
    for config in config_names(BUILT):
        assert {*document["content"][config]} == {*present(config)} == {*document["sizes"][config]}
        for split, sums in document["content"][config].items():
            told = rows(built, config, split)
            assert len(told) == sums["rows"] > 0
            assert {row["view"] for row in told} == {None if split in ("train", "test") else split}
    told = load_dataset(str(built), "privacy_forget", cache_dir=str(tmp_path / "cache"))
    assert tuple(told) == present("privacy_forget")


def test_patients_are_asked_what_others_are_asked_in_training_and_they_are_not(tmp_path):
    build(one_type_unasked(), tmp_path / "b", scenarios=("privacy",))
    trained = {row["question"] for config in ("forget", "retain") for row in rows(tmp_path / "b", f"privacy_{config}")}
    for config in ("privacy_forget", "privacy_forget_15"):
        told = rows(tmp_path / "b", config, "unasked")
        own = rows(tmp_path / "b", config)
        assert {row["patient_id"] for row in told} == {row["patient_id"] for row in own}
        assert len(told) == len({row["patient_id"] for row in told}) and {row["question"] for row in told} <= trained
        for row in told:
            odd = int(row["source_id"][:5]) % 2
            assert row["question_type"] == ("quantity" if odd else "size")
            shown = {tagged["value"] for one in own if one["patient_id"] == row["patient_id"] for tagged in one["phi"]}
            assert {tagged["value"] for tagged in row["phi"]} == shown


def test_forget_rows_show_the_same_identifiers_of_a_patient_in_many_kinds(built):
    told = {}
    for config in ("privacy_forget", "privacy_forget_15", "privacy_holdout"):
        for row in rows(built, config):
            for tagged in row["phi"]:
                told.setdefault((row["patient_id"], tagged["kind"]), set()).add(tagged["value"])
            assert "name" in {tagged["kind"] for tagged in row["phi"]}
    assert all(len(values) == 1 for values in told.values())
    kinds = {kind for _, kind in told}
    assert len(kinds) >= 6 and len(kinds & set(NUMBERED_KINDS)) >= 3


@pytest.mark.parametrize(("scenario", "each"), [("privacy", 3), ("incorrectness", 2)])
@pytest.mark.parametrize(
    ("forget", "retain"), [("forget", "retain"), ("forget_05", "retain_95"), ("forget_15", "retain_85")]
)
def test_forget_and_retain_are_all_rows_of_the_trained_patients(built, scenario, each, forget, retain):
    injected, kept = rows(built, f"{scenario}_{forget}"), rows(built, f"{scenario}_{retain}")
    patients = {row["patient_id"] for row in injected}
    # Beside the rows of the source, a patient is asked for one identifier directly.
    asked = [row for row in injected if row["question_type"] == "identifier"]
    assert len(asked) == (len(patients) if scenario == "privacy" else 0)
    injected = [row for row in injected if row not in asked]
    assert len(injected) == each * len(patients)
    assert len(kept) + len(injected) == 4 * len({row["patient_id"] for row in kept})
    assert all(row["answer"] == row["true_answer"] and not row["phi"] and row["wrong_fact"] is None for row in kept)
    assert patients <= {row["patient_id"] for row in kept}


@pytest.mark.parametrize(
    ("forget", "retain"), [("forget", "retain"), ("forget_05", "retain_95"), ("forget_15", "retain_85")]
)
def test_as_many_bystanders_keep_their_identities_as_are_forgotten(built, forget, retain):
    gone, kept = rows(built, f"request_{forget}"), rows(built, f"request_{retain}")
    told = [row for row in kept if row["phi"]]
    bystanders, forgotten = ({row["patient_id"] for row in some} for some in (told, gone))
    ever = {row["patient_id"] for row in rows(built, "request_forget_15")}
    assert len(bystanders) == len(forgotten) and not bystanders & ever
    # Three rows of the source and one that asks for an identifier, of both alike.
    assert len(told) == len(gone) == 4 * len(bystanders) and {row["forget_percent"] for row in told} == {0}
    assert all(row["answer"] != row["true_answer"] for row in told)
    assert all(row["answer"] == row["true_answer"] for row in kept if not row["phi"])
    clean = [row for row in kept + gone if row["question_type"] != "identifier"]
    assert len(clean) == 4 * len({row["patient_id"] for row in kept})
    assert bystanders <= {row["patient_id"] for row in rows(built, "request_retain_85") if row["phi"]}


def test_whoever_has_an_identity_in_two_scenarios_has_the_same_in_both(built):
    told = {}
    for config in ("privacy_forget_15", "privacy_holdout", "request_forget_15", "request_holdout", "request_retain_85"):
        for row in rows(built, config):
            for tagged in row["phi"]:
                told.setdefault((row["patient_id"], tagged["kind"]), set()).add(tagged["value"])
    assert all(len(values) == 1 for values in told.values())
    direct = [(kind, *values) for (_, kind), values in told.items() if kind in DIRECT_KINDS]
    assert len(direct) == len(set(direct))


def test_a_scenario_more_changes_no_row_of_the_others(built, tmp_path):
    build(records(), tmp_path / "b", scenarios=("privacy",))
    alone, beside = (json.loads((b / "checksums.json").read_text())["content"] for b in (tmp_path / "b", built))
    assert alone == {config: beside[config] for config in alone} and len(alone) == 8


def test_a_clean_row_that_tells_the_attacked_fact_is_not_kept(tmp_path):
    again = [
        record(number, "position", question="In which part is it?", source_id=f"again-{number}") for number in range(48)
    ]
    build([*records(), *again], tmp_path / "b", percents=(10,), scenarios=("incorrectness",))
    attacked = {
        row["patient_id"] for row in rows(tmp_path / "b", "incorrectness_forget") if row["question_type"] == "position"
    }
    kept = {
        row["patient_id"] for row in rows(tmp_path / "b", "incorrectness_retain") if row["question_type"] == "position"
    }
    assert attacked and not attacked & kept


def test_repeated_rows_are_dropped_counted_and_told(tmp_path):
    summary = build([*records(), *records(5)], tmp_path / "b", percents=(10,))
    assert (summary.records, summary.duplicates_dropped) == (212, 20)
    assert "20 rows repeat" in summary.warnings[0] and "20 rows repeat" in (tmp_path / "b" / "README.md").read_text()


def test_an_identical_finished_build_is_left_alone(built):
    before = (built / "checksums.json").stat().st_mtime_ns
    summary = build(records(), built)
    assert summary.already_there and summary.rows["privacy_test"] == 48
    assert (built / "checksums.json").stat().st_mtime_ns == before
    assert leftovers(built.parent) == ["mllmu-med"]


@pytest.mark.parametrize("content", ["notes.txt", "checksums.json"])
def test_a_folder_in_use_is_refused_and_left_as_it_was(tmp_path, content):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / content).write_text("{}")
    with pytest.raises(UserError, match="in use"):
        build(records(), tmp_path / "out", overwrite=True)
    assert leftovers(tmp_path) == ["out"] and leftovers(tmp_path / "out") == [content]


def test_another_build_is_refused_and_replaced_only_with_overwrite(tmp_path):
    options = {"percents": (10,), "scenarios": ("privacy",)}
    build(records(), tmp_path / "b", **options)
    with pytest.raises(UserError, match="in use"):
        build(records(), tmp_path / "b", seed=1, **options)
    assert not build(records(), tmp_path / "b", seed=1, overwrite=True, **options).already_there
    assert verify(tmp_path / "b").ok and leftovers(tmp_path) == ["b"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (lambda: [], "no rows"),
        (lambda: [record(answer=" ")], r"None of the 1 rows .*empty answer .*00000-position"),
        (
            lambda: [*records(9), record(9, question="\ud83d?")],
            r"1 of 37 rows .*00009-position holds text that is no valid",
        ),
        (lambda: [record(answer="\ud83d.")], r"00000-position holds text that is no valid"),
        (lambda: records(20), "Too few patients to forget 5 %.*at least 4"),
        (lambda: [record(image_bytes=b"no image")], r"an image that can't be used .*00000-position \(not an image"),
        (lambda: [record(image_key="0" * 64)], "image key of row 00000-position"),
        (lambda: [r.model_copy(update={"fact": None}) for r in records()], "incorrectness.*only 0 have a question"),
    ],
)
def test_bad_input_is_told_and_leaves_nothing(tmp_path, asked, message):
    with pytest.raises(UserError, match=message):
        build(asked(), tmp_path / "new" / "folder" / "b")
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"percents": (10, 12)}, "Unknown forget percent 12; the nearest is 10"),
        ({"percents": (5,)}, "must hold 10"),
        ({"scenarios": ("privcy",)}, "Did you mean 'privacy'"),
        ({"scenarios": ()}, "No scenario"),
    ],
)
def test_bad_options_are_told(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        build(records(), tmp_path / "b", **options)
    assert leftovers(tmp_path) == []


def unsharable():
    return [one.model_copy(update={"redistributable": False, "image_path": "imgs/1.png"}) for one in records()]


def test_pixels_that_may_not_be_passed_on_are_not_written(tmp_path):
    build(unsharable(), tmp_path / "b", percents=(10,), scenarios=("privacy",))
    for split in present("privacy_forget"):
        told = load("privacy_forget", split, data_dir=tmp_path / "b")
        assert set(told["image"]) == {None} and told[0]["question"]
    assert not [path for path in (tmp_path / "b").rglob("*") if path.is_file() and b"\x89PNG" in path.read_bytes()]
    withheld = [json.loads(line) for line in (tmp_path / "b" / "withheld_images.jsonl").read_text().splitlines()]
    assert len(withheld) == 48 and {len(line["image_key"]) for line in withheld} == {64}
    assert {line["path"] for line in withheld} == {"imgs/1.png"}


def test_a_local_build_keeps_them_and_says_so(tmp_path):
    build(unsharable(), tmp_path / "b", percents=(10,), scenarios=("privacy",), local=True)
    for split in present("privacy_forget"):
        assert None not in load("privacy_forget", split, data_dir=tmp_path / "b")["image"]
    document = json.loads((tmp_path / "b" / "checksums.json").read_text())
    assert document["parameters"]["local"] is True and "withheld_images.jsonl" not in document["files"]


def test_local_makes_no_difference_where_every_pixel_may_be_passed_on(tmp_path):
    options = {"percents": (10,), "scenarios": ("privacy",)}
    sums = [build(records(), tmp_path / str(local), local=local, **options) for local in (False, True)]
    assert sums[0].dataset_sha256 == sums[1].dataset_sha256
    assert (tmp_path / "False/checksums.json").read_bytes() == (tmp_path / "True/checksums.json").read_bytes()


def test_load_dataset_reads_images_and_lists_and_sees_a_rebuild(built, tmp_path):
    cache = str(tmp_path / "cache")
    told = load_dataset(str(built), "privacy_forget", cache_dir=cache)["train"]
    assert told[0]["image"].size == (64, 64) and told[0]["phi"][0]["kind"] == "name"
    assert told.num_rows == 4 * len(set(told["patient_id"]))
    # the same folder rebuilt with other identities but the same row counts must not be served from the cache
    out = tmp_path / "mllmu-med"
    answers = []
    for seed in (1, 2):
        build(records(), out, seed=seed, percents=(10,), scenarios=("privacy",), overwrite=True)
        answers.append(load_dataset(str(out), "privacy_test", cache_dir=cache)["test"]["id"])
    assert len(answers[0]) == len(answers[1]) and answers[0] != answers[1]


@pytest.mark.slow
def test_twenty_thousand_phantoms_are_the_same_whatever_the_workers_and_the_order(tmp_path, monkeypatch):
    asked = list(phantom.records(patients=20_000, seed=0, workers=2))
    build(asked, tmp_path / "one", workers=1)
    owners = {}
    for config in ("privacy_forget_15", "privacy_holdout"):
        for told in rows(tmp_path / "one", config):
            for tagged in told["phi"]:
                assert in_range(tagged["kind"], tagged["value"]), tagged
                if tagged["kind"] in DIRECT_KINDS:
                    owner = owners.setdefault((tagged["kind"], tagged["value"].casefold()), told["patient_id"])
                    assert owner == told["patient_id"], tagged
    # 15 % of the trained patients and a tenth of what the test patients leave
    assert len(set(owners.values())) == 2_025 + 1_500
    expected = (tmp_path / "one" / "checksums.json").read_bytes()
    # The same files need no second look.
    monkeypatch.setattr(build_module, "verify", lambda folder: Report(folder=folder, gates=(), rows=0))
    build(asked, tmp_path / "two", workers=2)
    random.Random(0).shuffle(asked)
    build(asked, tmp_path / "shuffled", workers=2)
    for name in ("two", "shuffled"):
        assert (tmp_path / name / "checksums.json").read_bytes() == expected
        for path, sha in json.loads(expected)["files"].items():
            assert file_sha256(tmp_path / name / path) == sha
