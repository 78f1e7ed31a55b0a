import io
import json
import logging
import zipfile

import numpy as np
import pytest
from PIL import Image

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
        ('{"img": "../x.png", "q": "x", "a": "y", "kind": null, "region": ""}', "leads out"),
    ],
)
def test_a_bad_line_is_named(folder, line, part):
    first, *_, last = (folder / "rows.jsonl").read_text().splitlines()
    (folder / "rows.jsonl").write_text("\n".join([first, line, last]))
    with pytest.raises(UserError, match=part):
        read(folder)


def test_a_line_that_is_not_utf_8_is_named(folder):
    (folder / "rows.jsonl").write_bytes((folder / "rows.jsonl").read_bytes() + b'{"q": "\xff"}\n')
    with pytest.raises(UserError, match=r"rows\.jsonl:6 is not JSON"):
        read(folder)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"mapping": {**MAPPING, "image": "imag"}}, "no column 'imag' for the field 'image'. Did you mean 'img'"),
        ({"mapping": {**MAPPING, "anser": "a"}}, "Did you mean 'answer'"),
        ({"mapping": {**MAPPING, "fact": "truth"}}, "no column 'truth'"),
        ({"license": None}, "license="),
        ({"redistributable": None}, "redistributable=true"),
        ({"rows": "none.jsonl"}, r"none\.jsonl does not exist"),
        ({"images": "nowhere"}, "2 of 2 images"),
    ],
)
def test_bad_options_are_refused(folder, options, part):
    with pytest.raises(UserError, match=part):
        read(folder, **options)


def test_several_or_no_files_of_rows_are_refused(folder):
    write(folder, ROWS, "more.jsonl")
    with pytest.raises(UserError, match=r"several \.jsonl files \(more\.jsonl, rows\.jsonl\)"):
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


def test_bad_images_are_counted_or_skipped(folder, caplog):
    (folder / "pictures" / "a" / "0.png").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"1 of 2 images .*a/0\.png.*--skip-bad-images"):
        read(folder)
    with caplog.at_level(logging.WARNING):
        rest = read(folder, skip_bad_images=True)
    assert {one.image_path for one in rest} == {"a/1.png"} and "1 of 2" in caplog.text


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
    assert list(SOURCES) == ["phantom", "slake", "generic"]
    for name, source in SOURCES.items():
        assert source.name == name and source.summary and callable(source.records)


def test_phantom_records_come_through_the_registry():
    found = list(open_source("phantom", patients=2, seed=3))
    assert len({one.image_key for one in found}) == 2
    assert found == list(open_source("phantom", patients=2, seed=3, workers=4))
