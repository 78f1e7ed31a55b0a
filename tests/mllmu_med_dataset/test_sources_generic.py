import csv
import io
import json
import logging
import shutil
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.losses import Losses
from mllmu_med_dataset.sources import SOURCES, open_source
from mllmu_med_dataset.sources.generic import records

SAID = {"license": "CC0-1.0", "redistributable": True}
ROWS = [
    {"img": "a/0.png", "q": "Which  organ?", "a": "Liver.", "kind": "organ", "region": "abdomen"},
    {"img": "a/0.png", "q": "Is it a CT?", "a": "Yes", "kind": None, "region": "abdomen"},
    {"img": "a/1.png", "q": "Which  organ?", "a": "lung", "kind": "organ", "region": "chest"},
    {"img": "a/1.png", "q": "What is seen?", "a": "A chest film of a patient who lies down", "region": "chest"},
    {"img": "a/1.png", "q": "How many?", "a": 2, "kind": "quantity", "region": "chest"},
]
MAPPING = {"image": "img", "question": "q", "answer": "a", "question_type": "kind", "body_region": "region"}


def png(number):
    stream = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, (8, 8), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def write(folder, rows, name="rows.jsonl"):
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path):
    for number in range(2):
        path = tmp_path / "pictures" / "a" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))
    # The fourth row has no column "kind", so it is left out of the mapping where all rows must have it.
    return write(tmp_path, [{"kind": None, **row} for row in ROWS])


def read(folder, **options):
    return list(records(path=folder, **{"mapping": MAPPING, "images": "pictures", **SAID, **options}))


def test_rows_are_read_through_the_mapping_and_cleaned(folder):
    first, yes, lung, sentence, number = read(folder)
    assert (first.question, first.answer, first.fact) == ("Which organ?", "Liver.", "Liver")
    assert (first.fact_values, first.question_type, first.body_region) == (("Liver", "lung"), "organ", "abdomen")
    assert (yes.question_type, yes.answer_type, yes.fact_values) == ("yes_no", "CLOSED", ("Yes", "No"))
    assert first.image_key == yes.image_key != lung.image_key
    assert (sentence.fact, sentence.fact_values, sentence.question_type) == (None, (), "other")
    assert (number.answer, number.fact) == ("2", "2")
    assert first.source_id == "rows.jsonl:1" and first.image_path == "a/0.png"
    assert (first.license, first.redistributable, first.source) == ("CC0-1.0", True, "generic")


def test_columns_of_the_fields_own_names_need_no_mapping(folder):
    own = {"img": "image", "q": "question", "a": "answer", "kind": "question_type", "region": "body_region"}
    expected = read(folder)
    write(folder, [{own.get(key, key): value for key, value in row.items()} for row in ROWS])
    assert read(folder, mapping=None) == expected


def test_given_facts_sets_and_ids_are_taken_as_they_are(folder):
    write(folder, [{**ROWS[0], "id": "r1", "fact": "Liver", "fact_values": ["Liver", "Spleen"], "modality": "CT"}])
    (one,) = read(folder)
    assert (one.source_id, one.fact, one.fact_values, one.modality) == ("r1", "Liver", ("Liver", "Spleen"), "CT")


def test_a_zip_and_a_second_pass_yield_the_same(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as made:
        for path in [folder / "rows.jsonl", *(folder / "pictures").rglob("*.png")]:
            made.write(path, path.relative_to(folder).as_posix())
    assert read(tmp_path / "z.zip") == read(folder) == read(folder)


def test_the_registry_takes_the_same_options_as_text(folder):
    options = {**MAPPING, "images": "pictures", "license": "CC0-1.0", "redistributable": "true"}
    assert list(open_source("generic", path=folder, options=options)) == read(folder)


def test_blank_lines_and_a_byte_order_mark_are_passed_over(folder):
    text = (folder / "rows.jsonl").read_text()
    expected = [one.question for one in read(folder)]
    (folder / "rows.jsonl").write_text("\ufeff" + text.replace("\n", "\n\n"), encoding="utf-8")
    assert [one.question for one in read(folder)] == expected


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("{", r"rows\.jsonl:2 is not JSON"),
        ("[1]", r"rows\.jsonl:2 is not a JSON object"),
        ('{"img": "a/0.png", "q": "x", "kind": null, "region": ""}', r"rows\.jsonl:2 has no column 'a'"),
        ('{"img": "a/0.png", "q": ["x"], "a": "y", "kind": null, "region": ""}', r"rows\.jsonl:2: the column 'q'"),
        ('{"img": "a/0.png", "q": "x", "a": null, "kind": null, "region": ""}', r"rows\.jsonl:2: the column 'a'"),
        ('{"img": "a/0.png", "q": "x", "a": "y", "kind": "organs", "region": ""}', "Did you mean 'organ'"),
        ('{"img": "../../x.png", "q": "x", "a": "y", "kind": null, "region": ""}', "leads out"),
    ],
)
def test_a_bad_line_is_named(folder, line, part):
    first, *_, last = (folder / "rows.jsonl").read_text().splitlines()
    (folder / "rows.jsonl").write_text("\n".join([first, line, last]))
    with pytest.raises(UserError, match=part):
        read(folder)


def test_a_line_that_is_not_utf_8_is_named(folder):
    (folder / "rows.jsonl").write_bytes((folder / "rows.jsonl").read_bytes() + b'{"q": "\xff"}\n')
    with pytest.raises(UserError, match=r"rows\.jsonl:6 is not UTF-8"):
        read(folder)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"mapping": {**MAPPING, "image": "imag"}}, "no column 'imag' for the field 'image'. Did you mean 'img'"),
        ({"mapping": {**MAPPING, "anser": "a"}}, "Did you mean 'answer'"),
        ({"mapping": {**MAPPING, "fact": "truth"}}, "no column 'truth'"),
        ({"license": None}, "license="),
        ({"redistributable": None}, "redistributable=true"),
        ({"rows": "none.jsonl"}, r"none\.jsonl' does not exist"),
        ({"images": "nowhere"}, "None of the 5 rows"),
    ],
)
def test_bad_options_are_refused(folder, options, part):
    with pytest.raises(UserError, match=part):
        read(folder, **options)


def test_several_or_no_files_of_rows_are_refused(folder):
    write(folder, ROWS, "more.jsonl")
    with pytest.raises(UserError, match=r"several \.jsonl.* files \(more\.jsonl, rows\.jsonl\)"):
        read(folder)
    assert len(read(folder, rows="rows.jsonl")) == len(ROWS)
    for path in folder.glob("*.jsonl"):
        path.unlink()
    with pytest.raises(UserError, match=r"no \.jsonl"):
        read(folder)


def test_an_empty_file_is_refused(folder):
    (folder / "rows.jsonl").write_text("\n")
    with pytest.raises(UserError, match="no rows"):
        read(folder)


WHOLE = [{"kind": None, **row, "a": str(row["a"])} for row in ROWS]


def texts(found):
    return [(one.question, one.answer, one.fact, one.fact_values, one.image_key) for one in found]


def write_csv(path, rows, newline="\n", encoding="utf-8", delimiter=","):
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator=newline, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("newline", "encoding", "ending"), [("\n", "utf-8", "csv"), ("\r\n", "utf-8-sig", "csv"), ("\r", "utf-8", "tsv")]
)
def test_a_csv_reads_as_the_jsonl_whatever_ends_its_lines(folder, newline, encoding, ending):
    expected = texts(read(folder))
    (folder / "rows.jsonl").unlink()
    write_csv(folder / f"rows.{ending}", WHOLE, newline, encoding, {"csv": ",", "tsv": "\t"}[ending])
    found = read(folder)
    assert texts(found) == expected and found[1].source_id == f"rows.{ending}:3"


def test_cells_of_a_csv_may_hold_line_ends_and_lists(folder):
    (folder / "rows.jsonl").unlink()
    first = {**WHOLE[0], "q": "Which\norgan, of two?", "fact_values": '["Liver", "Spleen"]', "fact": "liver"}
    write_csv(folder / "rows.csv", [first, {**WHOLE[2], "fact": "", "fact_values": ""}])
    one, other = read(folder)
    assert (one.question, one.fact_values, one.source_id) == ("Which organ, of two?", ("Liver", "Spleen"), "rows.csv:2")
    assert (other.source_id, other.fact) == ("rows.csv:4", "lung")


@pytest.mark.parametrize("form", ["path", "bytes", "struct", "struct with a path only"])
def test_a_parquet_reads_as_the_jsonl_with_images_in_it_or_beside_it(folder, form):
    expected = texts(read(folder))
    (folder / "rows.jsonl").unlink()

    def stored(name):
        data = (folder / "pictures" / name).read_bytes()
        return {
            "path": name,
            "bytes": data,
            "struct": {"bytes": data, "path": f"/home/someone/{name}"},
            "struct with a path only": {"bytes": None, "path": name},
        }[form]

    pq.write_table(pa.Table.from_pylist([{**row, "img": stored(row["img"])} for row in WHOLE]), folder / "rows.parquet")
    found = read(folder)
    assert texts(found) == expected
    paths = {"path": "a/0.png", "bytes": "rows.parquet:1", "struct": "0.png", "struct with a path only": "a/0.png"}
    assert found[0].image_path == paths[form]


def test_an_image_folder_with_its_metadata_file_needs_no_mapping_of_the_image(folder):
    (folder / "rows.jsonl").unlink()
    own = [{"file_name": "0.png", "question": "Which organ?", "answer": "Liver"}]
    write(folder / "pictures" / "a", own, "metadata.jsonl")
    (one,) = records(path=folder / "pictures", mapping=None, **SAID)
    assert (one.image_path, one.answer) == ("0.png", "Liver")


@pytest.fixture(scope="module")
def data_set():
    import datasets

    rows = [{**row, "img": {"bytes": png(int(row["img"][2])), "path": row["img"]}} for row in WHOLE]
    features = datasets.Features({**{key: datasets.Value("string") for key in WHOLE[0]}, "img": datasets.Image()})
    return datasets.Dataset.from_list(rows, features=features)


@pytest.mark.parametrize("form", ["saved", "saved splits", "parquet", "image folder"])
def test_a_data_set_reads_as_the_jsonl(folder, tmp_path, data_set, form):
    import datasets

    expected, place = texts(read(folder)), tmp_path / "set"
    options = {"split": "all", "images": None}
    if form == "saved":
        data_set.save_to_disk(place)
        options = {"images": None}
    elif form == "saved splits":
        parts = {"train": data_set.select(range(2)), "test": data_set.select(range(2, 5))}
        datasets.DatasetDict(parts).save_to_disk(place)
    elif form == "parquet":
        place.mkdir()
        data_set.to_parquet(place / "train-00000-of-00001.parquet")
    else:
        shutil.copytree(folder / "pictures", place / "train")
        rows = [{"file_name": row["img"], **{key: row[key] for key in row if key != "img"}} for row in WHOLE]
        write(place / "train", rows, "metadata.jsonl")
        options["mapping"] = {**MAPPING, "image": "image"}
    found = read(place, **options)
    assert texts(found) == expected
    assert {one.source_id.split(":")[0] for one in found} == {"train", "test"} if "splits" in form else {"train"}
    assert found == read(place, **options)


def test_one_split_of_a_data_set_and_the_names_of_its_classes(tmp_path, data_set):
    import datasets

    labels = datasets.ClassLabel(names=["liver", "spleen"])
    named = data_set.remove_columns("a").add_column("a", [0, 1, 0, 1, 0]).cast_column("a", labels)
    datasets.DatasetDict({"train": named.select(range(3)), "test": named.select(range(3, 5))}).save_to_disk(tmp_path)
    found = read(tmp_path, split="test", images=None)
    assert [(one.answer, one.source_id) for one in found] == [("spleen", "test:1"), ("liver", "test:2")]
    with pytest.raises(UserError, match="Did you mean 'train'"):
        read(tmp_path, split="trian", images=None)
    with pytest.raises(UserError, match="not as both"):
        read(tmp_path, split="test", rows="rows.jsonl")


def test_images_of_a_data_set_are_not_read_from_outside_it(folder, tmp_path):
    import datasets

    outside = {"bytes": None, "path": str((folder / "pictures" / "a" / "0.png").absolute())}
    rows = [{**WHOLE[0], "img": outside}]
    place = tmp_path / "set"
    place.mkdir()
    features = datasets.Features({**{key: datasets.Value("string") for key in WHOLE[0]}, "img": datasets.Image()})
    schema = features.arrow_schema
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), place / "train.parquet")
    with pytest.raises(UserError, match="an absolute path"):
        read(place, split="all", images=None)


def test_a_tar_and_paths_from_the_folder_of_the_rows(folder, tmp_path):
    expected = texts(read(folder))
    with tarfile.open(tmp_path / "own.tar.gz", "w:gz") as made:
        made.add(folder / "rows.jsonl", "own/rows.jsonl")
        made.add(folder / "pictures" / "a", "own/a")
    assert texts(read(tmp_path / "own.tar.gz", images=None)) == expected
    assert texts(read(tmp_path / "own.tar.gz", images="own")) == expected


def test_bad_images_are_counted_or_skipped(folder, caplog):
    (folder / "pictures" / "a" / "0.png").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"2 of 5 rows .*a/0\.png.*--skip-bad-images"):
        read(folder)
    with caplog.at_level(logging.WARNING):
        rest = read(folder, losses=Losses(skip_bad_images=True))
    assert {one.image_path for one in rest} == {"a/1.png"} and "2 rows show an image" in caplog.text


@pytest.mark.parametrize(
    ("name", "arguments", "part"),
    [
        ("slak", {}, "Did you mean 'slake'"),
        ("slake", {}, "--source-path"),
        ("generic", {}, "--source-path"),
        ("phantom", {"path": "x"}, "reads no files"),
        ("slake", {"path": "x", "options": {"langage": "en"}}, "Did you mean 'language'"),
        ("generic", {"path": "x", "options": {"anwser": "a"}}, "Did you mean 'answer'"),
        ("generic", {"path": "x", "options": {"redistributable": "yes"}}, "redistributable=true"),
        ("phantom", {"options": {"language": "en"}}, "Unknown option of the source phantom"),
    ],
)
def test_the_registry_refuses_what_it_does_not_know(name, arguments, part):
    with pytest.raises(UserError, match=part):
        list(open_source(name, **arguments))


def test_the_registry_names_every_source_by_its_module():
    assert {"phantom", "slake", "generic"} <= set(SOURCES)
    for name, source in SOURCES.items():
        assert source.name == name and source.summary and callable(source.records)


def test_phantom_records_come_through_the_registry():
    found = list(open_source("phantom", patients=2, seed=3))
    assert len({one.image_key for one in found}) == 2
    assert found == list(open_source("phantom", patients=2, seed=3, workers=4))
