import csv
import gzip
import io
import json
import logging
import shutil
import tarfile
import unicodedata
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mllmu_med_dataset.building.left_out import Losses
from mllmu_med_dataset.errors import UserError
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


# --- files as people have them ---------------------------------------------------------------------------------------


def own(folder, rows, name="rows.jsonl"):
    """Write rows in the fields' own words, two pictures beside them."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for number in range(2):
        (folder / "images" / f"{number}.png").write_bytes(png(number))
    return write(folder, rows, name)


ASKED = {"image": "images/0.png", "question": "Which organ is it?", "answer": "Liver"}


def plain(folder, **options):
    return list(records(path=folder, **{**SAID, **options}))


@pytest.mark.parametrize("answer", ["None", "NA", "null", "nan", "True", "false", "N/A", "007", "1e3", ""])
@pytest.mark.parametrize("name", ["train.csv", "train.tsv"])
def test_a_cell_is_the_same_text_whatever_way_its_file_is_named(tmp_path, answer, name):
    own(tmp_path, [])
    (tmp_path / "rows.jsonl").unlink()
    rows = [ASKED, {**ASKED, "question": "What is seen?", "answer": answer}]
    write_csv(tmp_path / name, rows, delimiter="\t" if name.endswith("tsv") else ",")
    losses = [Losses(limit=1.0) for _ in range(3)]
    read = [
        plain(tmp_path, losses=losses[0]),
        plain(tmp_path, losses=losses[1], rows=name),
        plain(tmp_path, losses=losses[2], split="all"),
    ]
    assert texts(read[0]) == texts(read[1]) == texts(read[2])
    assert [one.answer for one in read[0]] == (["Liver", answer] if answer else ["Liver"])
    assert [one.rows for one in losses[2].found()] == ([] if answer else [1])


def test_ids_need_to_be_unique_within_a_split_only(tmp_path):
    own(tmp_path, [])
    (tmp_path / "rows.jsonl").unlink()
    for split, number in (("train", 0), ("test", 1)):
        rows = [{**ASKED, "id": one, "image": f"images/{number}.png", "question": f"Is it {one}?"} for one in range(2)]
        write_csv(tmp_path / f"{split}.csv", rows)
    found = plain(tmp_path, split="all")
    assert [one.source_id for one in found] == ["train:0", "train:1", "test:0", "test:1"]
    assert [one.source_id for one in plain(tmp_path, split="test")] == ["0", "1"]
    write_csv(tmp_path / "test.csv", [{**ASKED, "id": 7, "question": f"Is it {one}?"} for one in range(9)])
    with pytest.raises(UserError, match=r"8 of 9 rows .*has the id '7' of an earlier row.*ids=ignore"):
        plain(tmp_path, split="test")
    assert len({one.source_id for one in plain(tmp_path, split="test", ids="ignore")}) == 9
    with pytest.raises(UserError, match="Known: ignore, unique"):
        plain(tmp_path, ids="none", rows="test.csv")


@pytest.mark.parametrize(("stored", "said"), [(2.0, "2"), (2.5, "2.5"), (0.0, "0"), (-1.0, "-1"), (3, "3")])
def test_whole_numbers_are_whole(tmp_path, stored, said):
    own(tmp_path, [])
    (tmp_path / "rows.jsonl").unlink()
    rows = [{**ASKED, "question": "How many are there?", "answer": stored, "question_type": "quantity"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    (one,) = plain(tmp_path)
    assert (one.answer, one.fact) == (said, said)


@pytest.mark.parametrize(
    "token",
    ["<image>\n", "<image_1>", "<|image|>", "<|image_1|> ", "<img>", "</img>", '<img src="a.png"/>', "<ImageHere>",
     "<image 1>", "[IMG]", "<start_of_image>", "<image_soft_token>", "<|vision_start|><|image_pad|><|vision_end|>",
     "<IMG_CONTEXT>", "<im_start><im_patch><im_end>", "<Image>"],
)  # fmt: skip
def test_placeholders_of_images_are_taken_off(tmp_path, token):
    rows = [{**ASKED, "question": f"{token}Which organ is it?"}, {**ASKED, "question": f"Is it it? {token}"}]
    first, last = plain(own(tmp_path, [*rows, {**ASKED, "question": token}]), losses=Losses(limit=1.0))
    assert (first.question, last.question) == ("Which organ is it?", "Is it it?")


@pytest.mark.parametrize("text", ["Is 2 < 3 > 1?", "Is the image [1] sharp?", "a <b> c", "Is <5 mm or >5 mm imaged?"])
def test_what_a_person_writes_is_no_placeholder(tmp_path, text):
    assert plain(own(tmp_path, [{**ASKED, "question": text}]))[0].question == text


def test_a_json_list_and_values_inside_columns(tmp_path):
    own(tmp_path, [])
    (tmp_path / "rows.jsonl").unlink()
    rows = [
        {"images": [{"path": f"images/{number}.png"}], "talk": {"turns": ["<image> Which organ?", organ]}}
        for number, organ in enumerate(("Liver", "Lung"))
    ]
    mapping = {"image": "images.0.path", "question": "talk.turns.0", "answer": "talk.turns.1"}
    expected = [("Which organ?", "Liver"), ("Which organ?", "Lung")]
    (tmp_path / "rows.json").write_text(json.dumps(rows, indent=1))
    assert [(one.question, one.answer) for one in plain(tmp_path, mapping=mapping)] == expected
    # The same file holding an object a line, as many do.
    (tmp_path / "rows.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [(one.question, one.answer) for one in plain(tmp_path, mapping=mapping)] == expected
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    assert [(one.question, one.answer) for one in plain(tmp_path, mapping=mapping)] == expected
    with pytest.raises(UserError, match=r"no column 'images\.1\.path' for the field 'image'"):
        plain(tmp_path, mapping={**mapping, "image": "images.1.path"})


def test_a_column_with_a_dot_in_its_name_is_that_column(tmp_path):
    rows = [{"image": "images/0.png", "q.text": "Which organ?", "q": {"text": "Other?"}, "answer": "Liver"}]
    assert plain(own(tmp_path, rows), mapping={"question": "q.text"})[0].question == "Which organ?"


def test_one_question_for_all_rows(tmp_path):
    rows = [{"file": f"{number}.png", "label": label} for number, label in enumerate(("Glioma", "Meningioma"))]
    options = {"mapping": {"image": "file", "answer": "label"}, "images": "images"}
    found = plain(own(tmp_path, rows), question_text="What tumor  is shown?", **options)
    assert [(one.question, one.answer) for one in found] == [
        ("What tumor is shown?", "Glioma"), ("What tumor is shown?", "Meningioma")
    ]  # fmt: skip
    assert found[0].fact_values == ("Glioma", "Meningioma")
    with pytest.raises(UserError, match="question_text="):
        plain(tmp_path, **options)
    with pytest.raises(UserError, match="given twice"):
        plain(tmp_path, question_text="What?", mapping={**options["mapping"], "question": "q"}, images="images")
    with pytest.raises(UserError, match="question_text is empty"):
        plain(tmp_path, question_text=" <image> ", **options)


def test_an_image_folder_of_classes_needs_no_file_of_rows(tmp_path):
    for number, label in enumerate(("glioma", "healthy")):
        (tmp_path / label).mkdir()
        (tmp_path / label / f"{number}.png").write_bytes(png(number))
    found = plain(tmp_path, split="all", mapping={"answer": "label"}, question_text="What is shown?")
    assert [(one.question, one.answer) for one in found] == [
        ("What is shown?", "glioma"),
        ("What is shown?", "healthy"),
    ]


def test_a_folder_of_images_alone_is_told_to_be_one(tmp_path):
    own(tmp_path, [])
    (tmp_path / "rows.jsonl").unlink()
    with pytest.raises(UserError, match=r"the folder holds images alone.*rows=FILE, or ask all rows the same"):
        plain(tmp_path, split="all")


def test_names_of_images_without_their_ending(tmp_path):
    rows = [{**ASKED, "image": f"images/{number}"} for number in (0, 1)]
    assert len({one.image_key for one in plain(own(tmp_path, rows))}) == 2
    (tmp_path / "images" / "0.txt").write_text("no image")
    assert len(plain(tmp_path)) == 2
    (tmp_path / "images" / "0.jpg").write_bytes(png(3))
    with pytest.raises(UserError, match=r"the name of several files: images/0\.jpg, images/0\.png"):
        plain(tmp_path)


@pytest.mark.parametrize("name", ["ROWS.JSONL", "Rows.Jsonl", "ROWS.CSV", "ROWS.PARQUET", "ROWS.JSON", "rows.csv.gz"])
def test_the_file_of_rows_is_found_whatever_the_case_and_packing_of_its_ending(tmp_path, name):
    own(tmp_path, [ASKED])
    data = (tmp_path / "rows.jsonl").read_bytes()
    (tmp_path / "rows.jsonl").unlink()
    kind = name.lower().removesuffix(".gz")
    if kind.endswith("csv"):
        write_csv(tmp_path / "x", [ASKED])
        data = (tmp_path / "x").read_bytes()
        data = gzip.compress(data) if name.endswith("gz") else data
    if kind.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist([ASKED]), tmp_path / "x")
        data = (tmp_path / "x").read_bytes()
    (tmp_path / name).write_bytes(data)
    assert [one.answer for one in plain(tmp_path)] == ["Liver"] == [one.answer for one in plain(tmp_path, rows=name)]


@pytest.mark.parametrize(("on_disk", "in_row"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_name_in_another_unicode_form_is_found(tmp_path, on_disk, in_row):
    own(tmp_path, [{**ASKED, "image": unicodedata.normalize(in_row, "images/größe é.png")}])
    (tmp_path / "images" / unicodedata.normalize(on_disk, "größe é.png")).write_bytes(png(5))
    assert len(plain(tmp_path)) == 1


def test_a_csv_beside_an_image_folder_is_read_as_a_data_set_too(tmp_path):
    own(tmp_path, [])
    (tmp_path / "rows.jsonl").unlink()
    for number in range(2, 6):
        (tmp_path / "images" / f"{number}.png").write_bytes(png(number))
    write_csv(tmp_path / "labels.csv", [{**ASKED, "answer": "None"}])
    (one,) = plain(tmp_path, split="all")
    assert (one.answer, one.source_id) == ("None", "train:labels.csv:2")


def test_an_image_that_lies_in_another_folder_is_told_where(tmp_path):
    with pytest.raises(UserError, match=r"0\.png \(the file is missing; one of that name is in 'images'"):
        plain(own(tmp_path, [{**ASKED, "image": "0.png"}]))


def test_of_several_images_in_a_list_one_has_to_be_named(tmp_path):
    own(tmp_path, [{**ASKED, "image": ["images/0.png"]}])
    assert len(plain(tmp_path)) == 1
    own(tmp_path, [{**ASKED, "image": ["images/0.png", "images/1.png"]}])
    with pytest.raises(UserError, match=r"holds 2 images.*image=image\.0"):
        plain(tmp_path)
    assert len(plain(tmp_path, mapping={"image": "image.1"})) == 1


def test_a_row_may_name_what_it_knows(folder):
    rows = [
        {"img": "a/0.png", "q": "What does the organ do?", "a": "Detoxify", "about": "liver", "what": "function"},
        {"img": "a/0.png", "q": "Which organ stores urine?", "a": "Bladder", "about": "bladder", "what": "function",
         "known": "store urine"},
        {"img": "a/1.png", "q": "Does an organ here breathe?", "a": "Yes", "about": "lung", "what": "function",
         "known": "breathe"},
        {"img": "a/1.png", "q": "How many?", "a": "2", "about": None, "what": None, "known": None},
    ]  # fmt: skip
    write(folder, [{"known": None, **row} for row in rows])
    mapping = {"image": "img", "question": "q", "answer": "a", "head": "about", "relation": "what", "tail": "known"}
    found = [one.triple for one in read(folder, mapping=mapping)]
    assert [one and (one.head, one.relation, one.tail, one.asks) for one in found] == [
        ("liver", "function", "Detoxify", "tail"),
        ("bladder", "function", "store urine", "head"),
        ("lung", "function", "breathe", "neither"),
        None,
    ]


def test_a_column_that_is_called_head_is_read_only_where_it_is_mapped(folder):
    write(folder, [{**ROWS[2], "head": [1, 2], "relation": True, "tail": {}}])
    assert [one.triple for one in read(folder)] == [None]
    with pytest.raises(UserError, match="Name the columns of both"):
        read(folder, mapping={**MAPPING, "head": "region"})
