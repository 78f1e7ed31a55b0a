"""What people and attackers put into a source: each ends in one paragraph that names it, and in nothing half-written.

Every case goes through the command line as a user would type it.
"""

import gzip
import io
import json
import re
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from baselines import cli
from mllmu_med_dataset.sources import files as source_files
from tests.slake_fixture import make_slake
from tests.source_fixtures.dicom import make_dicom
from tests.source_fixtures.llava_med import make_llava_med
from tests.source_fixtures.mimic import make_mimic

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
PATIENTS = 8
SAID = ("license=CC0-1.0", "redistributable=true")
Change = Callable[[Path], object]


def png(number: int, size: int = 16) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 255, (size, size), dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def make_generic(folder: Path, *, patients: int = PATIENTS) -> Path:
    """Write rows of three questions for each image."""
    rows = []
    (folder / "images").mkdir(parents=True)
    for number in range(patients):
        (folder / "images" / f"{number}.png").write_bytes(png(number))
        common = {"image": f"images/{number}.png", "modality": ("CT", "MR")[number % 2]}
        organ = ("liver", "lung", "heart")[number % 3]
        rows += [
            {**common, "question": "Which organ is shown?", "answer": f"The {organ}.", "fact": organ,
             "question_type": "organ"},
            {**common, "question": "Is it the liver?", "answer": ("No", "Yes")[organ == "liver"]},
            {**common, "question": "How many lesions are there?", "answer": str(number % 3 + 1),
             "question_type": "quantity"},
        ]  # fmt: skip
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


MADE = {
    "generic": (make_generic, SAID),
    "slake": (make_slake, ()),
    "mimic": (make_mimic, ("acknowledge=true", "part=cxr_vqa")),
    "llava_med": (make_llava_med, ()),
    "dicom": (make_dicom, SAID),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """One sound copy of each source, made once; a test takes a copy of its own."""
    made: dict[str, Path] = {}

    def of(source: str) -> Path:
        if source not in made:
            made[source] = MADE[source][0](tmp_path_factory.mktemp(source) / "data", patients=PATIENTS)
        return made[source]

    return of


def run(source: str, path: Path | str, out: Path, *options: str, extra: tuple[str, ...] = ()) -> int:
    words = [word for option in options for word in ("--source-option", option)]
    with pytest.raises(SystemExit) as ended:
        cli.main(["build", "--source", source, "--source-path", str(path), "--out", str(out), *words, *extra])
    return ended.value.code


def refused(capfd, source: str, path: Path, out: Path, *options: str, names: str) -> None:
    """Assert exit 2, one paragraph with what ``names`` says and a fix in it, and an untouched output place."""
    out.parent.mkdir(exist_ok=True)
    # Nothing may be left out, so that one row among many is refused too.
    assert run(source, path, out, *options, extra=("--max-unusable", "0")) == 2
    told = capfd.readouterr().err.strip().splitlines()
    assert len(told) == 1, told
    assert re.search(names, told[0]), told[0]
    assert told[0].endswith(".") and 40 < len(told[0]) < 1500, told[0]
    assert list(out.parent.iterdir()) == []


# --- changes to a sound source ---------------------------------------------------------------------------------------


def line(text: str | bytes, number: int = 2) -> Change:
    """Put a line in the place of one of rows.jsonl."""

    def change(folder: Path) -> None:
        lines = (folder / "rows.jsonl").read_bytes().splitlines()
        lines[number - 1] = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        (folder / "rows.jsonl").write_bytes(b"\n".join(lines) + b"\n")

    return change


def row(**changed: object) -> Change:
    """Change fields of the second row of rows.jsonl."""
    base = {"image": "images/0.png", "question": "Is it the liver?", "answer": "Yes"}
    return line(json.dumps({key: value for key, value in {**base, **changed}.items() if value != "(left out)"}))


def file(name: str, data: bytes | Callable[[bytes], bytes]) -> Change:
    """Write a file, or change what is in it."""

    def change(folder: Path) -> None:
        path = folder / name
        path.write_bytes(data(path.read_bytes()) if callable(data) else data)

    return change


def image(data: bytes | Callable[[bytes], bytes]) -> Change:
    return file("images/3.png", data)


def without(name: str) -> Change:
    def change(folder: Path) -> None:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def listed(name: str, change_rows: Callable[[list], object]) -> Change:
    """Change the rows of a JSON list; what the change returns, if anything, is written instead."""

    def change(folder: Path) -> None:
        rows = json.loads((folder / name).read_text(encoding="utf-8"))
        changed = change_rows(rows)
        (folder / name).write_text(json.dumps(rows if changed is None else changed), encoding="utf-8")

    return change


def csv_of(text: str | bytes) -> Change:
    """Put rows.csv in the place of rows.jsonl."""

    def change(folder: Path) -> None:
        (folder / "rows.jsonl").unlink()
        (folder / "rows.csv").write_bytes(text.encode() if isinstance(text, str) else text)

    return change


def parquet_of(change_rows: Callable[[list], object] = lambda rows: None, cut: int = 0) -> Change:
    """Put rows.parquet, with the images in it, in the place of rows.jsonl."""

    def change(folder: Path) -> None:
        rows = [json.loads(one) for one in (folder / "rows.jsonl").read_text().splitlines()]
        for one in rows:
            one["image"] = {"bytes": (folder / one["image"]).read_bytes(), "path": one["image"]}
        changed = change_rows(rows)
        pq.write_table(pa.Table.from_pylist(rows if changed is None else changed), folder / "rows.parquet")
        (folder / "rows.jsonl").unlink()
        if cut:
            file("rows.parquet", lambda data: data[:-cut])(folder)

    return change


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """Return a PNG of some hundred bytes that claims to be that large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


NAN = saved(Image.fromarray(np.full((8, 8), np.nan, dtype=np.float32)), "TIFF")
HEADER = "image,question,answer\n"
NOT_A_NUMBER = '{"image": "images/0.png", "question": "How many?", "answer": NaN}'
GENERIC: dict[str, tuple[Change, str]] = {
    "truncated JSON": (line('{"image": "images/0.png", "question": "Is'), r"rows\.jsonl:2 is not JSON"),
    "two objects on a line": (line('{"a": 1} {"b": 2}'), r"rows\.jsonl:2 is not JSON"),
    "a list for a row": (line("[1, 2]"), r"rows\.jsonl:2 is not a JSON object"),
    "a number for a row": (line("7"), r"rows\.jsonl:2 is not a JSON object"),
    "nested beyond reason": (line("[" * 100_000), r"rows\.jsonl:2 is not JSON"),
    "an endless number": (line('{"a": ' + "9" * 6000 + "}"), r"rows\.jsonl:2 is not JSON"),
    "no rows": (file("rows.jsonl", b"\n\n"), "holds no rows"),
    "0 bytes of rows": (file("rows.jsonl", b""), "holds no rows"),
    "no file of rows": (without("rows.jsonl"), r"no \.jsonl, .* or \.parquet file"),
    "two files of rows": (file("more.csv", b"image\n"), r"several .*rows="),
    "a column missing": (row(answer="(left out)"), r"rows\.jsonl:2 has no column 'answer'"),
    "a column misspelt": (row(answer="(left out)", anwser="x"), "Did you mean 'anwser'"),
    "a list for a text": (row(question=["Is it?"]), r"rows\.jsonl:2: the column 'question' holds"),
    "an object for a text": (row(answer={"text": "Yes"}), r"rows\.jsonl:2: the column 'answer' holds"),
    "true for yes": (row(answer=True), r"rows\.jsonl:2: the column 'answer' holds true"),
    "null for a text": (row(question=None), r"rows\.jsonl:2: the column 'question' holds null"),
    "NaN for a number": (line(NOT_A_NUMBER), "NaN is no number"),
    "an empty question": (row(question="  "), r"rows\.jsonl:2: the column 'question' is empty"),
    "an empty answer": (row(answer=""), r"rows\.jsonl:2: the column 'answer' is empty"),
    "half a surrogate pair": (row(answer="\ud83d"), r"rows\.jsonl:2 .*surrogate.*\\ud83d"),
    "NUL in a text": (row(answer="Y\0es"), r"rows\.jsonl:2 .*NUL"),
    "not UTF-8": (line('{"question": "größer?"}'.encode("latin-1")), r"rows\.jsonl:2 is not UTF-8 \(byte 0xf6"),
    "UTF-16": (file("rows.jsonl", lambda data: data.decode().encode("utf-16")), r"rows\.jsonl:1 is not UTF-8"),
    "huge text": (row(answer="very " * 30_000), r"rows\.jsonl:2 holds a text of 150,000 characters"),
    "huge line": (line('{"question": "' + "x" * 2**20 + '"}'), r"rows\.jsonl:2 is longer"),
    "an unknown question type": (row(question_type="organs"), "Did you mean 'organ'"),
    "an unknown answer type": (row(answer_type="OPNE"), "Did you mean 'OPEN'"),
    "a fact that is not in the answer": (row(fact="spleen"), "the fact 'spleen' does not stand in the answer"),
    "a fact outside its set": (row(fact="Yes", fact_values=["No", "Maybe"]), "not among its fact_values"),
    "a set that is no list": (row(fact_values={"a": 1}), "'fact_values' must be a list of texts"),
    "duplicate ids": (file("rows.jsonl", lambda data: data.replace(b'{"image"', b'{"id": "7", "image"')),
                      r"rows\.jsonl:2 has the id '7' of an earlier row"),
    "an image path that leads out": (row(image="../../etc/passwd"), r"'\.\./\.\./etc/passwd', which leads out"),
    "an absolute image path": (row(image="/etc/passwd"), r"/etc/passwd \(an absolute path"),
    "an image path of another system": (row(image="images\\0.png"), "a path written with backslashes"),
    "NUL in an image name": (row(image="images/0.png\0.txt"), r"rows\.jsonl:2 .*NUL"),
    "an image that is a number": (row(image=7), r"rows\.jsonl:2: the column 'image' holds 7"),
    "an image without a name": (row(image=" "), r"rows\.jsonl:2: the column 'image' holds"),
    "an image that is missing": (without("images/3.png"), r"3 of 24 rows .*images/3\.png \(the file is missing\)"),
    "an image that is a folder": (row(image="images"), r"images \(the file is missing\)"),
    "an image name too long": (row(image="x" * 5000 + ".png"), "1 of 24 rows .*xxx"),
    "a 0-byte image": (image(b""), r"images/3\.png \(the file is empty\).*--skip-bad-images"),
    "a text for an image": (image(b"<html>404</html>"), r"images/3\.png \(not an image in a known format\)"),
    "half a PNG": (image(lambda data: data[: len(data) // 2]), r"3 of 24 rows .*images/3\.png"),
    "half a JPEG": (image(saved(Image.new("RGB", (64, 64)), "JPEG")[:-300]), r"3 of 24 rows .*images/3\.png"),
    "a decompression bomb": (image(bomb(60_000, 60_000)), r"images/3\.png \(it has more than 64,000,000 pixels\)"),
    "an image larger than any": (image(bomb(9000, 9000)), r"images/3\.png \(9000 x 9000 pixels are more than"),
    "a format that runs programs": (image(b"%!PS-Adobe-3.0 EPSF-3.0\n"), "not an image in a known format"),
    "an image of no numbers": (image(NAN), r"images/3\.png \(none of its values is a number\)"),
    "a CSV with a cell too many": (csv_of(HEADER + "images/0.png,Is it?,Yes,No\n"), r"rows\.csv:2 has 4 cells"),
    "a CSV with a cell too few": (csv_of(HEADER + "\nimages/0.png,Is it?\n"), r"rows\.csv:3 has 2 cells"),
    "a CSV with an open quote": (csv_of(HEADER + 'images/0.png,"Is it?,Yes\n'), r"rows\.csv:2 is not CSV"),
    "a CSV with a column twice": (csv_of("image,question,answer,answer\n"), "names the column 'answer' twice"),
    "a CSV without rows": (csv_of(HEADER), "holds no rows"),
    "a CSV with a huge cell": (csv_of(HEADER + f"images/0.png,{'x' * 140_000},Yes\n"), r"rows\.csv:2 is not CSV"),
    "a CSV that is not UTF-8": (csv_of(HEADER.encode() + "0.png,Größe?,1\n".encode("latin-1")), r"rows\.csv:2 is not"),
    "a CSV with NUL": (csv_of(HEADER + "images/0.png,Is\0it?,Yes\n"), r"rows\.csv:2 .*NUL"),
    "a CSV whose list is none": (csv_of("image,question,answer,fact_values\nimages/0.png,Q?,Yes,Yes|No\n"),
                                 r"rows\.csv:2: the column 'fact_values' must be a list"),
    "half a Parquet": (parquet_of(cut=100), r"rows\.parquet' can't be read as Parquet"),
    "a Parquet that is none": (parquet_of(cut=10**9), r"rows\.parquet' can't be read as Parquet"),
    "a Parquet without a column": (parquet_of(lambda rows: [one.pop("answer") for one in rows] and None),
                                   r"rows\.parquet:1 has no column 'answer'"),
    "a Parquet whose image is null": (parquet_of(lambda rows: rows[4].update(image=None)),
                                      r"rows\.parquet:5: the column 'image' holds null"),
    "a Parquet whose image is broken": (parquet_of(lambda rows: rows[4].update(image={"bytes": b"x", "path": "p"})),
                                        r"1 of 24 rows .*rows\.parquet:5 \(not an image"),
    "a Parquet that points out": (parquet_of(lambda rows: rows[4].update(image={"bytes": None, "path": "/etc/hosts"})),
                                  r"/etc/hosts \(an absolute path"),
}  # fmt: skip


@pytest.mark.parametrize("case", GENERIC)
def test_your_own_rows(case, sound, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(source_files, "MAX_LINE_BYTES", 2**19)
    folder = shutil.copytree(sound("generic"), tmp_path / "data")
    change, names = GENERIC[case]
    change(folder)
    refused(capfd, "generic", folder, tmp_path / "out" / "build", *SAID, names=names)


OTHERS: dict[str, tuple[str, Change, str]] = {
    "slake: truncated JSON": ("slake", file("train.json", lambda data: data[:500]), r"train\.json"),
    "slake: JSON of 0 bytes": ("slake", file("test.json", b""), r"test\.json"),
    "slake: an object for the list": ("slake", listed("train.json", lambda rows: {"rows": rows}), r"train\.json.*list"),
    "slake: a text for a row": ("slake", listed("train.json", lambda rows: rows.insert(2, "x")), "row 3 is not an obj"),
    "slake: a key missing": ("slake", listed("train.json", lambda rows: rows[4].pop("question") and None), "row 5 la"),
    "slake: a list for the answer": ("slake", listed("train.json", lambda rows: rows[4].update(answer=["x"])), "row 5"),
    "slake: an unknown type": ("slake", listed("train.json", lambda rows: rows[4].update(content_type="Organs")),
                               "Did you mean 'organ'"),
    "slake: half a surrogate": ("slake", listed("train.json", lambda rows: rows[4].update(answer="\udc00")), "row 5"),
    "slake: NUL in an image name": ("slake", listed("train.json", lambda rows: rows[4].update(img_name="a\0b")), "row"),
    "slake: a path that leads out": ("slake", listed("train.json", lambda rows: rows[4].update(img_name="../../x")),
                                     "leads out"),
    "slake: not UTF-8": ("slake", file("train.json", lambda data: b'["\xff"]'), r"train\.json.*UTF-8"),
    "slake: no images": ("slake", without("imgs"), r"neither imgs/ nor imgs\.zip"),
    "slake: a broken imgs.zip": ("slake", lambda folder: (without("imgs")(folder),
                              file("imgs.zip", b"PK\3\4x")(folder)), r"imgs\.zip' is damaged"),
    "slake: a 0-byte image": ("slake", file("imgs/xmlab3/source.jpg", b""), r"xmlab3/source\.jpg \(the file is empty"),
    "mimic: truncated JSON": ("mimic", file("train.json", lambda data: data[:500]), r"train\.json"),
    "mimic: no answers yet": ("mimic", listed("train.json", lambda rows: rows[0].pop("answer") and None), "row 1 has"),
    "mimic: an answer of numbers": ("mimic", listed("train.json", lambda rows: rows[0].update(answer=[1])), "row 1"),
    "mimic: an unknown type": ("mimic", listed("train.json", lambda rows: rows[0].update(semantic_type="chose")),
                               "Did you mean 'choose'"),
    "mimic: a path that leads out": ("mimic", listed("train.json", lambda rows: rows[0].update(image_path="../../x")),
                                     "leads out"),
    "mimic: no images": ("mimic", without("files"), "neither files/ nor p10/"),
    "mimic: no questions": ("mimic", lambda folder: [path.unlink() for path in folder.glob("*.*")],
                            r"has no train\.json"),
    "llava_med: truncated JSON": ("llava_med", file("llava_med_instruct_60k.json", lambda data: data[:-20]),
                                  r"60k\.json"),
    "llava_med: a turn missing": ("llava_med", listed("llava_med_instruct_60k.json",
                                  lambda rows: rows[1]["conversations"].pop() and None), "row 2 has no conversations"),
    "llava_med: half a surrogate": ("llava_med", listed("llava_med_instruct_60k.json",
                                    lambda rows: rows[1]["conversations"][1].update(value="\ud800")), "row 2 .*surrog"),
    "llava_med: no images": ("llava_med", without("images"), r"None of the \d+ rows .* can be used"),
    "dicom: no DICOM": ("dicom", lambda folder: [path.unlink() for path in folder.rglob("IM*")], "holds no DICOM file"),
    "dicom: garbage after the prefix": ("dicom", file("x.dcm", b"\0" * 128 + b"DICM" + b"\xff" * 99), r"x\.dcm"),
    "dicom: a text named .dcm": ("dicom", file("x.dcm", b"x"), r"1 of \d+ rows .*x\.dcm \(not a DICOM file\)"),
    "dicom: half a file": ("dicom", lambda folder: (path := next(folder.rglob("*.dcm"))).write_bytes(
                           path.read_bytes()[:-500]), r"1 of \d+ rows .*\.dcm"),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERS)
def test_the_layouts_of_others(case, sound, tmp_path, capfd):
    source, change, names = OTHERS[case]
    folder = shutil.copytree(sound(source), tmp_path / "data")
    change(folder)
    refused(capfd, source, folder, tmp_path / "out" / "build", *MADE[source][1], names=names)


def zip_of(folder: Path, path: Path, extra: dict[str, bytes], *, link: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for one in sorted(folder.rglob("*")):
            name = one.relative_to(folder).as_posix()
            if one.is_file() and name != link:
                made.write(one, name)
        for name, data in extra.items():
            made.writestr(name, data)
        if link:
            info = zipfile.ZipInfo(link)
            info.external_attr = 0o120777 << 16
            made.writestr(info, "/etc/passwd")
    return path


def tar_of(folder: Path, path: Path, extra: dict[str, bytes], *, link: str = "") -> Path:
    with tarfile.open(path, "w:gz") as made:
        for one in sorted(folder.rglob("*")):
            name = one.relative_to(folder).as_posix()
            if one.is_file() and name != link:
                made.add(one, name)
        for name, data in extra.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
        if link:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            made.addfile(info)
    return path


@pytest.mark.parametrize("pack", [zip_of, tar_of])
@pytest.mark.parametrize("case", ["escape", "absolute", "link", "bomb", "cut", "broken", "no archive"])
def test_archives(pack, case, sound, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(source_files, "RATIO_FREE_BYTES", 2**20)
    path = tmp_path / f"data.{'zip' if pack is zip_of else 'tar.gz'}"
    extra = {
        "escape": {"../../evil.txt": b"x"},
        "absolute": {"/etc/cron.d/evil": b"x"},
        "bomb": {"bomb.bin": b"\0" * 2**22},
    }.get(case, {})
    pack(sound("generic"), path, extra, link="images/3.png" if case == "link" else "")
    data = path.read_bytes()
    if case == "cut":
        path.write_bytes(data[: len(data) * 2 // 3])
    if case == "broken":
        path.write_bytes(data[:4] + b"\xff" * 40 + data[44:-60] + b"\xff" * 60)
    if case == "no archive":
        path.write_bytes(b"Not Found")
    names = {
        "escape": r"'\.\./\.\./evil\.txt', which leads out of it",
        "absolute": "'/etc/cron.d/evil', which leads out of it",
        "link": r"images/3\.png.* is a link",
        "bomb": "more than 250 times",
        "no archive": "neither a folder|damaged or incomplete",
    }.get(case, "damaged or incomplete|neither a folder")
    refused(capfd, "generic", path, tmp_path / "out" / "build", *SAID, names=names)


@pytest.mark.parametrize(
    ("source", "path", "options", "names"),
    [
        ("generic", "missing", SAID, "'.*missing' does not exist"),
        ("generic", None, SAID[:1], "redistributable=true"),
        ("generic", None, ("redistributable=perhaps", "license=x"), "say redistributable=true or redis"),
        ("generic", None, (*SAID, "anwser=a"), "Did you mean 'answer'"),
        ("generic", None, (*SAID, "answer=a"), "has no column 'a' for the field 'answer'"),
        ("generic", None, (*SAID, "rows=rows.xml"), r"ends in none of \.jsonl"),
        ("generic", None, (*SAID, "rows=../rows.jsonl"), "leads out"),
        ("generic", None, (*SAID, "images=../.."), "leads out"),
        ("mimic", None, (), "acknowledge=true"),
        ("mimic", None, ("acknowledge=true",), "part=cxr_vqa or part=diff_vqa"),
        ("dicom", None, (), "license=CC-BY-4.0 redistributable=true"),
        ("dicom", None, (*SAID, "slices=none"), "Known: all, middle"),
        ("slake", None, ("language=de",), "Known: all, en, zh"),
    ],
)
def test_options(source, path, options, names, sound, tmp_path, capfd):
    place = tmp_path / path if path else sound(source)
    refused(capfd, source, place, tmp_path / "out" / "build", *options, names=names)


# --- odd, but sound: read, not refused -------------------------------------------------------------------------------

ANIMATED = [Image.new("L", (16, 16), value) for value in (10, 200)]
SIXTEEN_BITS = Image.fromarray(np.linspace(0, 60_000, 256).astype(np.uint16).reshape(16, 16))
ODD: dict[str, Change] = {
    "CMYK": image(saved(Image.new("CMYK", (16, 16), (9, 90, 9, 9)), "JPEG")),
    "16 bit": image(saved(SIXTEEN_BITS, "PNG")),
    "animated": image(saved(ANIMATED[0], "GIF", save_all=True, append_images=ANIMATED[1:])),
    "palette": image(saved(Image.new("P", (16, 16), 3), "PNG")),
    "transparent": image(saved(Image.new("RGBA", (16, 16), (1, 2, 3, 4)), "PNG")),
    "mixed line ends": file("rows.jsonl", lambda data: data.replace(b"\n", b"\r\n", 5).replace(b'"}\n', b'"}\r')),
    "a byte order mark": file("rows.jsonl", lambda data: b"\xef\xbb\xbf" + data),
    "blank lines, no last line end": file("rows.jsonl", lambda data: b"\n \n" + data.replace(b"\n", b"\n\n").strip()),
    "emoji and other planes": row(answer="Yes \U0001f600", question="Größer als 1 cm\u00b2?"),
}


@pytest.mark.parametrize("case", ODD)
def test_what_is_odd_but_sound_is_read(case, sound, tmp_path, capfd):
    folder = shutil.copytree(sound("generic"), tmp_path / "data")
    ODD[case](folder)
    assert run("generic", folder, tmp_path / "build", *SAID, extra=("--dry-run",)) == 0
    assert f"{3 * PATIENTS} records of {PATIENTS} patients" in capfd.readouterr().out


# --- skipped, counted and named --------------------------------------------------------------------------------------

BAD: dict[str, tuple[Change, str]] = {
    "missing": (without("images/3.png"), "the file is missing"),
    "0 bytes": (image(b""), "the file is empty"),
    "a text": (image(b"x"), "not an image in a known format"),
    "half a file": (image(lambda data: data[: len(data) // 2]), "images/3.png"),
    "a bomb": (image(bomb(60_000, 60_000)), "more than 64,000,000 pixels"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_images_are_counted_and_named_when_they_may_be_skipped(case, sound, tmp_path, capfd, caplog):
    folder = shutil.copytree(sound("generic"), tmp_path / "data")
    change, names = BAD[case]
    change(folder)
    assert run("generic", folder, tmp_path / "build", *SAID, extra=("--dry-run", "--skip-bad-images")) == 0
    assert f"{3 * PATIENTS - 3} records of {PATIENTS - 1} patients" in capfd.readouterr().out
    # Outside pytest the warnings go to stderr.
    assert re.search(r"3 rows show an image .*: left out \(images/3\.png ", caplog.text)
    assert names in caplog.text


@pytest.mark.parametrize("source", ["slake", "mimic", "llava_med", "dicom"])
def test_bad_images_of_the_other_sources_too(source, sound, tmp_path, capfd, caplog):
    folder = shutil.copytree(sound(source), tmp_path / "data")
    names = {"slake": "source.jpg", "mimic": "p1*/p1*/*/*.jpg", "llava_med": "*.jpg", "dicom": "*.dcm"}
    bad = sorted(folder.rglob(names[source]))[0]
    bad.write_bytes(bad.read_bytes()[:-400])
    options = MADE[source][1]
    assert run(source, folder, tmp_path / "build", *options, extra=("--dry-run", "--skip-bad-images")) == 0
    assert f"of {PATIENTS - 1} patients" in capfd.readouterr().out
    assert "an image that can't be used: left out" in caplog.text and bad.name in caplog.text


def test_all_images_bad_is_refused_even_then(sound, tmp_path, capfd):
    folder = shutil.copytree(sound("generic"), tmp_path / "data")
    for path in (folder / "images").iterdir():
        path.write_bytes(b"x")
    assert run("generic", folder, tmp_path / "build", *SAID, extra=("--skip-bad-images",)) == 2
    assert "None of the 24 rows" in capfd.readouterr().err and not (tmp_path / "build").exists()


# --- the ways to name rows, columns and images that generic takes ----------------------------------------------------


def lines(*rows: object) -> Change:
    """Write rows.jsonl anew."""
    return file("rows.jsonl", "".join(json.dumps(one) + "\n" for one in rows).encode())


def instead(name: str, data: bytes) -> Change:
    """Put another file in the place of rows.jsonl."""

    def change(folder: Path) -> None:
        (folder / "rows.jsonl").unlink()
        (folder / name).write_bytes(data)

    return change


GOOD = {"image": "images/0.png", "question": "Which organ?", "answer": "Liver"}
LISTED = json.dumps([GOOD, GOOD]).encode()
MORE: dict[str, tuple[Change, tuple[str, ...], str]] = {
    "an address of the web": (row(image="https://example.org/1.png"), (), r"an address \(https:\), no file"),
    "an address of a bucket": (row(image="s3://bucket/1.png"), (), r"an address \(s3:\)"),
    "an image written as text": (row(image="data:image/png;base64,iVBORw0KGgo="), (), "a data: address"),
    "a long image written as text": (row(image="data:image/png;base64," + "A" * 200_000), (), "a data: address"),
    "a Windows path": (row(image="C:\\scans\\1.png"), (), "a path on a Windows drive"),
    "a home path": (row(image="~/scans/1.png"), (), "an absolute path"),
    "a path that leads out in the middle": (row(image="images/../../x.png"), (), "leads out"),
    "a name of two images": (row(image="images/0"), (), "the name of several files: images/0.gif, images/0.png"),
    "an image in another folder": (row(image="0.png"), (), r"one of that name is in 'images'"),
    "a number past the end of a list": (lines({**GOOD, "image": ["images/0.png"]}), ("image=image.3",), r"'image\.3'"),
    "a step into a text": (lines(GOOD), ("image=image.path",), r"no column 'image\.path' for the field 'image'"),
    "two images in a row": (lines({**GOOD, "image": ["images/0.png"] * 2}), (), r"holds 2 images.*image=image\.0"),
    "an empty list of images": (lines({**GOOD, "image": []}), (), "holds null, neither the path"),
    "a question that is a placeholder": (row(question="<image>"), (), "the column 'question' is empty"),
    "an answer that is a placeholder": (row(answer="<|image_1|> [IMG]"), (), "the column 'answer' is empty"),
    "one question and a column of it": (lines(GOOD), ("question_text=What?", "question=question"), "given twice"),
    "an empty question for all": (lines(GOOD), ("question_text= <image> ",), "question_text is empty"),
    "no question at all": (lines({"image": "images/0.png", "answer": "x"}), (), "question_text=TEXT"),
    "ids of another kind": (lines(GOOD), ("ids=row",), "Known: ignore, unique"),
    "a JSON object for the list": (instead("rows.json", json.dumps({"rows": [GOOD]}, indent=1).encode()), (),
                                   r"rows\.json is not a list of rows"),
    "half a JSON list": (instead("rows.json", LISTED[:-20]), (), r"rows\.json is no whole JSON file"),
    "a list in a JSON list": (instead("rows.json", json.dumps([GOOD, [1]]).encode()), (), "row 2 is not an object"),
    "no gzip": (instead("rows.csv.gz", b"image,question,answer\n"), (), r"rows\.csv\.gz' can't be read"),
    "half a gzip": (instead("rows.csv.gz", gzip.compress(b"image,question,answer\n" * 99)[:-15]), (), "can't be read"),
    "a bomb of gzip": (instead("rows.jsonl.gz", gzip.compress(b" " * 2**22)), (), "more than 250 times"),
    "a split that is not there": (instead("train.csv", HEADER.encode() + b"images/0.png,Q?,A\n"), ("split=tset",),
                                  "Unknown split"),
    "a split and a file": (lines(GOOD), ("split=all", "rows=rows.jsonl"), "not as both"),
    "a column of lists as id": (lines({**GOOD, "id": [1]}), (), r"the column 'id' holds \[1\]"),
}  # fmt: skip


@pytest.mark.parametrize("case", MORE)
def test_what_is_named_wrongly(case, sound, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(source_files, "RATIO_FREE_BYTES", 2**20)
    folder = shutil.copytree(sound("generic"), tmp_path / "data")
    (folder / "images" / "0.gif").write_bytes(png(99))
    change, options, names = MORE[case]
    change(folder)
    refused(capfd, "generic", folder, tmp_path / "out" / "build", *SAID, *options, names=names)


@pytest.mark.parametrize("share", ["2", "-1%", "101%", "few", "", "1e999", "nan", "2 percent"])
def test_a_share_that_is_none(share, sound, tmp_path, capfd):
    out = tmp_path / "out" / "build"
    out.parent.mkdir()
    assert run("generic", sound("generic"), out, *SAID, extra=("--max-unusable", share)) == 2
    assert "--max-unusable 2%" in capfd.readouterr().err and not list(out.parent.iterdir())


def test_there_are_at_least_eighty_five_of_these():
    assert len(GENERIC) + len(OTHERS) + len(MORE) + 14 >= 85
