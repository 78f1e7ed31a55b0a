import io
import os
import tarfile
import unicodedata
import zipfile

import pytest

from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.sources import files as source_files
from mllmu_med_dataset.sources.files import SourceFiles

CONTENT = {"a/one.png": b"pixels", "a/b/two.png": b"more", "rows.jsonl": b"{}\n"}
PACKED = {"zip": "w", "tar": "w:", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


def pack(path, content=CONTENT, form=None):
    """Write an archive of these files; a name may be hostile."""
    form = form or path.name.split(".", 1)[1]
    if form == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for name, data in content.items():
                made.writestr(name, data)
    else:
        with tarfile.open(path, PACKED[form]) as made:
            for name, data in content.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                made.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(params=["folder", *PACKED])
def files(request, tmp_path):
    """The same files in a folder and in every archive that is read."""
    root = tmp_path / "source"
    if request.param == "folder":
        for name, data in CONTENT.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
    else:
        root = pack(tmp_path / f"source.{request.param}")
    with SourceFiles(root) as opened:
        yield opened


def test_a_folder_and_its_archives_read_the_same(files):
    assert {name: files.read(name) for name in files.names()} == CONTENT
    assert files.names() == sorted(CONTENT)
    assert files.find("*.jsonl") == ["rows.jsonl"] and files.find("*.png") == ["a/one.png"]
    assert files.find("two.png", inside="a") == ["a/b/two.png"]
    assert files.has_folder("a") and files.has_folder("a/b/") and not files.has_folder("b")
    with files.stream("a/b/two.png") as stream:
        assert stream.seek(2) == 2 and stream.read() == b"re"
    with pytest.raises(FileNotFoundError):
        files.read("a/none.png")
    with pytest.raises(FileNotFoundError):
        files.read("a")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("../secret", "leads out"),
        ("a/../../secret", "leads out"),
        ("/etc/passwd", "an absolute path"),
        ("a//etc/passwd", "an absolute path"),
        ("C:/x", "a Windows drive"),
        ("C:\\x", "a Windows drive"),
        ("..\\x", "written with backslashes"),
        ("http://example.org/x.png", r"an address \(http:\)"),
        ("a/HTTPS://example.org/x.png", r"an address \(https:\)"),
        ("s3://bucket/x.png", r"an address \(s3:\)"),
        ("data:image/png;base64,iVBORw0KGgo=", "a data: address"),
        ("a/one.png\0.txt", "a character that file names can't hold"),
        ("a/\ud800.png", "a character that file names can't hold"),
    ],
)
def test_a_name_that_is_none_of_a_file_is_told_for_what_it_is(files, name, part):
    for read in (files.read, files.stream):
        with pytest.raises((UserError, OSError), match=part):
            read(name)
    with pytest.raises(FileNotFoundError):
        files.read("")


def test_a_name_is_found_whatever_its_case_and_unicode_form_but_not_in_doubt(tmp_path):
    for name in (
        "12:0.png",
        "back\\slash.png",
        "data:0.png",
        unicodedata.normalize("NFD", "größe/é.PNG"),
        "x.PNG",
        "X.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    files = SourceFiles(tmp_path)
    for name in ("12:0.png", "back\\slash.png", "data:0.png", "x.PNG", "X.png"):
        assert files.read(name) == name.encode()
    decomposed = unicodedata.normalize("NFD", "größe/é.PNG").encode()
    assert files.read("größe/é.PNG") == decomposed == files.read("Größe/É.png") == files.read("größe/../größe/é.PNG")
    with pytest.raises(FileNotFoundError):
        files.read("x.png")
    assert files.with_stem("größe/é") == [decomposed.decode()] and len(files.with_stem("x")) == 2


def test_a_name_too_long_for_any_file_is_missing_or_refused_as_one_file(files):
    with pytest.raises(OSError):  # FileNotFoundError is one
        files.read("x" * 5000)


def test_archives_made_with_a_leading_dot_are_read(tmp_path):
    for form in ("zip", "tar"):
        path = pack(tmp_path / f"dots.{form}", {f"./{name}": data for name, data in CONTENT.items()})
        assert SourceFiles(path).names() == sorted(CONTENT)


def test_an_archive_is_told_by_its_content_and_not_by_its_name(tmp_path):
    assert SourceFiles(pack(tmp_path / "a.tar", form="zip")).names() == sorted(CONTENT)
    assert SourceFiles(pack(tmp_path / "download", form="tar.gz")).names() == sorted(CONTENT)


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "/etc/passwd", "a/../../x"])
def test_an_archive_with_a_path_that_leads_out_is_refused(tmp_path, form, name):
    path = pack(tmp_path / f"evil.{form}", {**CONTENT, name: b"x"})
    with pytest.raises(UserError, match=r"leads out of it\. It is not read"):
        SourceFiles(path)


def test_links_out_of_a_folder_are_refused(tmp_path):
    (tmp_path / "secret.txt").write_text("x")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "folder").symlink_to(tmp_path, target_is_directory=True)
    for name in ("link.txt", "folder/secret.txt"):
        with pytest.raises(UserError, match="link"):
            SourceFiles(root).read(name)
    assert "folder/secret.txt" not in SourceFiles(root).names()


def test_links_of_a_hub_snapshot_are_followed_to_its_blobs_only(tmp_path):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    (blobs / "1").write_text("rows")
    (tmp_path / "refs").write_text("secret")
    (snapshot / "a.json").symlink_to(blobs / "1")
    (snapshot / "b.json").symlink_to(tmp_path / "refs")
    assert SourceFiles(snapshot).read("a.json") == b"rows"
    with pytest.raises(UserError, match="link"):
        SourceFiles(snapshot).read("b.json")


def test_links_in_archives_are_refused(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as made:
        made.writestr(info, "/etc/passwd")
    with tarfile.open(tmp_path / "t.tar", "w") as made:
        for name, kind in (("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("device", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            made.addfile(info)
    for path, names in (("z.zip", ["link"]), ("t.tar", ["link", "hard", "device"])):
        with SourceFiles(tmp_path / path) as files:
            for name in names:
                with pytest.raises(UserError, match="link"):
                    files.read(name)


@pytest.mark.parametrize("form", ["folder", "zip", "tar"])
def test_a_file_too_large_to_be_one_of_a_source_is_refused(tmp_path, form, monkeypatch):
    monkeypatch.setattr(source_files, "MAX_FILE_BYTES", 1000)
    if form == "folder":
        (tmp_path / "large").write_bytes(b"0" * 5000)
    path = tmp_path if form == "folder" else pack(tmp_path / f"x.{form}", {"large": b"0" * 5000})
    with pytest.raises(UserError, match="larger"):
        SourceFiles(path).read("large")


@pytest.mark.parametrize("form", ["zip", "tar.gz", "tar.xz"])
def test_an_archive_that_unpacks_to_far_more_than_it_holds_is_refused(tmp_path, form, monkeypatch):
    monkeypatch.setattr(source_files, "RATIO_FREE_BYTES", 2**20)
    path = pack(tmp_path / f"bomb.{form}", {"rows.jsonl": b"0" * 2**22})
    with pytest.raises(UserError, match="unpacks to more than 250 times"):
        SourceFiles(path)


def test_members_that_are_each_harmless_but_lie_over_one_another_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(source_files, "RATIO_FREE_BYTES", 2**20)
    path = pack(tmp_path / "z.zip", {"0.bin": os.urandom(9000)})
    whole, start = path.read_bytes(), path.read_bytes().index(b"PK\x01\x02")
    end = whole.index(b"PK\x05\x06")
    # Ten entries of the directory stand for the one file, and each claims 2 MB out of 9 KB: 233 to 1.
    entry = bytearray(whole[start:end])
    entry[24:28] = (2**21).to_bytes(4, "little")
    entries = b"".join(bytes(entry).replace(b"0.bin", b"%d.bin" % number) for number in range(10))
    tail = bytearray(whole[end:])
    tail[8:12] = (10).to_bytes(2, "little") * 2
    tail[12:16] = len(entries).to_bytes(4, "little")
    path.write_bytes(whole[:start] + entries + tail)
    with pytest.raises(UserError, match=r"z\.zip' unpacks to more than 250 times"):
        SourceFiles(path)


@pytest.mark.parametrize(
    ("form", "keep"), [("zip", 0.9), ("tar", 0.12), ("tar", 0.14), ("tar.gz", 0.8), ("tar.xz", 0.8)]
)
def test_archives_cut_short_are_refused(tmp_path, form, keep):
    path = pack(tmp_path / f"cut.{form}")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(UserError, match=r"damaged or incomplete \(.+\)"):
        SourceFiles(path)


@pytest.mark.parametrize(
    ("name", "data"), [("x.zip", b""), ("x.zip", b"PK\x03\x04broken"), ("x.tar.gz", b"\x1f\x8b\x08")]
)
def test_what_is_called_an_archive_and_is_none_is_refused(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match="damaged or incomplete"):
        SourceFiles(tmp_path / name)


@pytest.mark.parametrize("name", ["none", "text.txt"])
def test_a_path_that_is_no_source_is_refused(tmp_path, name):
    (tmp_path / "text.txt").write_text("x")
    with pytest.raises(UserError, match=name):
        SourceFiles(tmp_path / name)


def test_a_file_packed_alone_is_no_archive(tmp_path):
    import gzip

    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n'))
    with pytest.raises(UserError, match="damaged or incomplete"):
        SourceFiles(tmp_path / "rows.jsonl.gz")


def test_lines_end_in_any_of_the_three_ways_even_between_two_reads(tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes("\ufeffone\r\ntwo\nthree\rfour\u2028still\n\nlast".encode())
    expected = [(1, "one\r\n"), (2, "two\n"), (3, "three\r"), (4, "four\u2028still\n"), (5, "\n"), (6, "last")]
    for chunk in (2**20, 1, 2, 3, 7):
        monkeypatch.setattr(source_files, "_CHUNK", chunk)
        assert list(SourceFiles(tmp_path).lines("x")) == expected


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"fine\n\xff\xfe\n", r"x:2 is not UTF-8 \(byte 0xff"),
        ("größe\n".encode("latin-1"), r"x:1 is not UTF-8"),
        (b"fine\n" + b"x" * 3000, r"x:2 is longer"),
    ],
)
def test_lines_that_are_no_text_are_named(tmp_path, monkeypatch, data, part):
    monkeypatch.setattr(source_files, "MAX_LINE_BYTES", 1000)
    monkeypatch.setattr(source_files, "_CHUNK", 100)
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(UserError, match=part):
        for number, line in SourceFiles(tmp_path).lines("x"):
            if wrong := source_files.undecoded(line):
                raise UserError(f"x:{number}{wrong}")
    with pytest.raises(UserError, match="does not exist"):
        list(SourceFiles(tmp_path).lines("y"))
