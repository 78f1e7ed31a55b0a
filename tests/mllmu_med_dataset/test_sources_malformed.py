"""Bad input of the published sources: one paragraph that names file and row, exit code 2, and nothing written."""

import json
import re
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baselines import cli
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.sources import open_source
from tests.slake_fixture import make_slake
from tests.source_fixtures.omnimedvqa import OPEN, make_omnimedvqa
from tests.source_fixtures.path_vqa import make_path_vqa
from tests.source_fixtures.pmc_vqa import make_pmc_vqa
from tests.source_fixtures.vqa_rad import HUB_NAMES, make_hub, make_osf, small_image, write_parquet

SLAKE, OSF, BUSI, CSV = "train.json", "VQA_RAD Dataset Public.json", f"{OPEN}/BUSI.json", "train_2.csv"
PARQUET, PATH = HUB_NAMES[0], "data/train-00000-of-00002.parquet"
IMAGE = "VQA_RAD Image Folder/synpic20000.jpg"
MAKE = {
    "slake": ("slake", lambda folder: make_slake(folder, patients=8)),
    "osf": ("vqa_rad", lambda folder: make_osf(folder, patients=8)),
    "hub": ("vqa_rad", lambda folder: make_hub(folder, patients=8)),
    "path_vqa": ("path_vqa", lambda folder: make_path_vqa(folder, patients=8)),
    "pmc_vqa": ("pmc_vqa", lambda folder: make_pmc_vqa(folder, patients=8)),
    "omnimedvqa": ("omnimedvqa", lambda folder: make_omnimedvqa(folder, patients=12)),
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """One of each, made once; a test damages a copy."""
    top = tmp_path_factory.mktemp("originals")
    return {name: make(top / name) for name, (_, make) in MAKE.items()}


def content(name, change):
    """Damage the bytes of a file."""
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def halved(name):
    return content(name, lambda data: data[: len(data) // 2])


def emptied(name):
    return content(name, lambda data: b"")


def row(name, number=0, /, drop=(), **values):
    """Change a row of a JSON list."""

    def change(data):
        rows = json.loads(data)
        rows[number] = {key: value for key, value in rows[number].items() if key not in drop} | values
        return json.dumps(rows, ensure_ascii=False).encode("utf-8", "surrogatepass")

    return content(name, change)


def rows(name, change):
    """Change the whole document of a JSON file."""
    return content(name, lambda data: json.dumps(change(json.loads(data))).encode())


def table(name, change):
    """Change the table of a Parquet file."""

    def damage(folder):
        pq.write_table(change(pq.read_table(folder / name)), folder / name)

    return damage


def cells(name, number, **values):
    """Change a row of a table as text: a column of its values replaced."""

    def change(found):
        listed = found.to_pylist()
        listed[number].update(values)
        return pa.Table.from_pylist(listed)

    return table(name, change)


def latin(found):
    """Return the table with a question whose bytes are no UTF-8."""
    raw = pa.array([b"caf\xe9"] * len(found), pa.binary())
    text = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    return found.set_column(found.schema.get_field_index("question"), "question", text)


CASES = {
    # JSON
    "slake truncated": ("slake", halved(SLAKE), r"train\.json is no whole JSON file \(.*line 1 column"),
    "slake empty": ("slake", emptied(SLAKE), r"train\.json is empty"),
    "slake not utf-8": (
        "slake",
        content(SLAKE, lambda data: data.replace(b"Lung", b"L\xfcng", 1)),
        r"train\.json is not UTF-8 \(byte [\d,]+ is 0xfc",
    ),
    "slake utf-16": (
        "slake",
        content(SLAKE, lambda data: data.decode().encode("utf-16")),
        r"train\.json is not UTF-8 \(byte 0 is 0x(ff|fe)",
    ),
    "slake nested without end": ("slake", content(SLAKE, lambda data: b"[" * 200_000), r"train\.json can't be read"),
    "slake an object": ("slake", rows(SLAKE, lambda found: {"rows": found}), r"train\.json is not a list of rows"),
    "slake a row that is a number": ("slake", rows(SLAKE, lambda found: [found[0], 7]), r"row 2 is not an object"),
    "slake null": ("slake", row(SLAKE, 2, answer=None), r"train\.json, row 3 lacks answer"),
    "slake a list": (
        "slake",
        row(SLAKE, 1, answer=["CT"]),
        r'train\.json, row 2 has \["CT"\] as its answer, not a text',
    ),
    "slake qid a truth value": ("slake", row(SLAKE, 1, qid=True), r"row 2 has true as its qid"),
    "slake half a character": ("slake", row(SLAKE, 1, question="\ud800?"), r"train\.json(, row 2| is not UTF-8)"),
    "slake missing image": (
        "slake",
        lambda folder: (folder / "imgs/xmlab3/source.jpg").unlink(),
        r"\d+ of \d+ rows .*xmlab3/source\.jpg \(the file is missing\).*--skip-bad-images",
    ),
    "osf truncated": ("osf", halved(OSF), r"VQA_RAD Dataset Public\.json is no whole JSON file"),
    "osf no rows": ("osf", rows(OSF, lambda found: []), r"Public\.json holds no rows"),
    "osf a key missing": ("osf", row(OSF, 4, drop=("image_organ",)), r"Public\.json, row 5 lacks image_organ"),
    "osf an id twice": ("osf", row(OSF, 6, qid="3"), r"row 7 has the qid 3 of .*Public\.json, row 4\b"),
    "osf answer type": ("osf", row(OSF, 2, answer_type="CLSED"), r"row 3: .*'CLSED'\. Did you mean 'CLOSED'"),
    "osf organ": ("osf", row(OSF, 0, image_organ="CHST"), r"row 1: .*'CHST'\. Did you mean 'CHEST'"),
    "osf path escape": ("osf", row(OSF, 0, image_name="../../secret.jpg"), r"\.\./\.\./secret\.jpg', which leads out"),
    "osf answer an object": ("osf", row(OSF, 0, answer={"is": 1}), r'row 1 has \{"is": 1\} as its answer'),
    "osf no answer": ("osf", row(OSF, 0, answer=" "), r"1 of \d+ rows .*row 1: qid 0 has an empty answer"),
    "osf endless text": ("osf", row(OSF, 0, answer="x" * 200_000), r"row 1 holds a text of 200,000 characters"),
    "osf image of no bytes": ("osf", emptied(IMAGE), r"\d+ of \d+ rows .*synpic20000\.jpg"),
    "osf half an image": ("osf", halved(IMAGE), r"\d+ of \d+ rows .*synpic20000\.jpg .*truncated"),
    "omni truncated": ("omnimedvqa", halved(BUSI), r"BUSI\.json is no whole JSON file"),
    "omni empty": ("omnimedvqa", emptied(BUSI), r"BUSI\.json is empty"),
    "omni no modality": ("omnimedvqa", row(BUSI, 1, drop=("modality_type",)), r"BUSI\.json, row 2 lacks modality_type"),
    "omni no options": ("omnimedvqa", row(BUSI, 1, drop=("option_A",)), r"BUSI\.json, row 2 lacks option_A"),
    "omni answer a truth value": ("omnimedvqa", row(BUSI, 3, gt_answer=True), r"row 4 has true as its gt_answer"),
    "omni answer no option": (
        "omnimedvqa",
        row(BUSI, 0, gt_answer="Mammography"),
        r"1 of 72 rows .*BUSI\.json, row 1 answers 'Mammography', which is none of its options",
    ),
    "omni path escape": ("omnimedvqa", row(BUSI, 0, image_path="/etc/passwd"), r"/etc/passwd \(an absolute path"),
    "omni path not text": ("omnimedvqa", row(BUSI, 0, image_path=["a"]), r'row 1 has \["a"\] as its image_path'),
    # Parquet
    "hub truncated": ("hub", halved(PARQUET), r"train-00000.*\.parquet' can't be read as Parquet"),
    "hub empty": ("hub", emptied(PARQUET), r"train-00000.*\.parquet' can't be read as Parquet"),
    "hub a column misnamed": (
        "hub",
        table(PARQUET, lambda found: found.rename_columns(["image", "question", "anwser"])),
        r"train-00000.*\.parquet has no column 'answer'\. Did you mean 'anwser'",
    ),
    "hub no image column": (
        "hub",
        table(PARQUET, lambda found: found.drop_columns("image")),
        r"train-00000.*\.parquet has no column 'image'",
    ),
    "hub questions are numbers": (
        "hub",
        table(PARQUET, lambda found: found.set_column(1, "question", pa.array(range(len(found))))),
        r"train-00000.*\.parquet, row 1 has the question 0, not a text",
    ),
    "hub not utf-8": ("hub", table(PARQUET, latin), r"train-00000.*\.parquet"),
    "hub no images": (
        "hub",
        lambda folder: write_parquet(folder / PARQUET, [(None, "which organ?", "lung")] * 3),
        r"3 of \d+ rows .*\.parquet, row 1 \(the file is missing: the row holds no image bytes\)",
    ),
    "path_vqa text": (
        "path_vqa",
        content(PATH, lambda data: b"<html>429 Too Many Requests</html>"),
        r"train-00000-of-00002\.parquet' can't be read as Parquet",
    ),
    "path_vqa damaged in the middle": (
        "path_vqa",
        content(PATH, lambda data: data[:200] + bytes(len(data) // 2) + data[200 + len(data) // 2 :]),
        r"train-00000-of-00002\.parquet",
    ),
    "path_vqa no answers": (
        "path_vqa",
        lambda folder: write_parquet(folder / PATH, [(small_image(), "what is present?", None)] * 3),
        r"3 of \d+ rows .*train-00000-of-00002\.parquet, row 1 has an empty answer",
    ),
    "path_vqa no files": ("path_vqa", lambda folder: shutil.rmtree(folder / "data"), r"has no \.parquet files"),
    # CSV
    "pmc a column misnamed": (
        "pmc_vqa",
        content(CSV, lambda data: data.replace(b"Figure_path", b"Figure_pth", 1)),
        r"train_2\.csv has no column 'figure_path'\. Did you mean 'figure_pth'",
    ),
    "pmc a row too long": (
        "pmc_vqa",
        content(CSV, lambda data: data.replace(b",train\n", b",train,7\n", 1)),
        r"train_2\.csv:2 has 11 cells where the header has 10",
    ),
    "pmc cut within a quote": (
        "pmc_vqa",
        content(CSV, lambda data: data[: data.index(b"and a line end")]),
        r"train_2\.csv:2 is not CSV",
    ),
    "pmc not utf-8": (
        "pmc_vqa",
        content(CSV, lambda data: data.replace(b"MR image", b"M\xff image", 1)),
        r"train_2\.csv:2 is not UTF-8",
    ),
    "pmc empty": (
        "pmc_vqa",
        lambda folder: [emptied(name)(folder) for name in ("train_2.csv", "test_2.csv")],
        r"train_2\.csv, test_2\.csv hold no rows",
    ),
    "pmc answer no choice": (
        "pmc_vqa",
        content(CSV, lambda data: re.sub(rb",[ABCD],train\n", b",F,train\n", data, count=1)),
        r"1 of 40 rows .*train_2\.csv:2 answers 'F', which is none of its choices",
    ),
    "pmc path escape": (
        "pmc_vqa",
        content(CSV, lambda data: data.replace(b"PMC8253797_Fig1_0.jpg", b"../../../etc/passwd")),
        r"\.\./etc/passwd', which leads out",
    ),
    "pmc images damaged": ("pmc_vqa", halved("images_2.zip"), r"images_2\.zip' is damaged"),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gets_one_paragraph_and_exit_code_2_and_nothing_is_written(name, originals, tmp_path, capsys):
    made, damage, part = CASES[name]
    folder = tmp_path / made
    shutil.copytree(originals[made], folder)
    damage(folder)
    out = tmp_path / "out" / "mllmu-med"
    with pytest.raises(SystemExit) as ended:
        # Nothing may be left out, so that one row among many is refused too.
        options = ["--max-unusable", "0%", "--out", str(out)]
        cli.main(["build", "--source", MAKE[made][0], "--source-path", str(folder), *options])
    told = capsys.readouterr()
    assert ended.value.code == 2 and not told.out
    assert "Traceback" not in told.err
    assert re.search(part, " ".join(told.err.split())), told.err
    assert not out.exists()


def test_mixed_line_ends_are_no_error(originals, tmp_path):
    for name, file in (("pmc_vqa", CSV), ("slake", SLAKE)):
        folder = tmp_path / name
        shutil.copytree(originals[name], folder)
        before = list(open_source(MAKE[name][0], path=folder))
        lines = (folder / file).read_bytes().split(b"\n")
        ends = [(b"\n", b"\r\n", b"\r")[number % 3] for number in range(len(lines))]
        (folder / file).write_bytes(b"".join(line + end for line, end in zip(lines, ends, strict=True)))
        after = list(open_source(MAKE[name][0], path=folder))
        assert [(one.question, one.answer, one.image_key) for one in after] == [
            (one.question, one.answer, one.image_key) for one in before
        ]


@pytest.mark.parametrize("source", ["slake", "vqa_rad", "path_vqa", "pmc_vqa", "omnimedvqa"])
def test_without_a_path_the_error_says_where_to_get_the_source(source, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["build", "--source", source, "--out", str(tmp_path / "out")])
    told = " ".join(capsys.readouterr().err.split())
    assert ended.value.code == 2 and "--source-path hf://datasets/" in told and not (tmp_path / "out").exists()


@pytest.mark.parametrize("source", ["slake", "vqa_rad", "path_vqa", "pmc_vqa", "omnimedvqa"])
def test_an_empty_folder_and_a_file_that_is_no_archive_are_refused(source, tmp_path):
    with pytest.raises(UserError, match=re.escape(str(tmp_path))):
        list(open_source(source, path=tmp_path))
    (tmp_path / "notes.txt").write_text("no archive")
    with pytest.raises(UserError, match="neither a folder nor a zip nor a tar"):
        list(open_source(source, path=tmp_path / "notes.txt"))
