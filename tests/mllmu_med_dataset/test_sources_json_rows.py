import json
import tracemalloc

import pytest

from mllmu_med_dataset.building.left_out import UnusableRow
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.sources import json_rows as module
from mllmu_med_dataset.sources.files import SourceFiles
from mllmu_med_dataset.sources.json_rows import json_rows

ROWS = [{"q": f"Größe {number}? \U0001f600", "n": number, "deep": {"a": [1, {"b": "]},["}]}} for number in range(40)]


def read(folder, text, required=("q",)):
    (folder / "x.json").write_bytes(text.encode() if isinstance(text, str) else text)
    rows = []
    for place, row in json_rows(SourceFiles(folder), "x.json", required=required, called="NAME"):
        if isinstance(row, UnusableRow):
            raise UserError(f"{place}{row.text}")
        rows.append(row)
    return rows


@pytest.mark.parametrize("chunk", [1, 3, 7, 64, 2**20])
@pytest.mark.parametrize("form", [{}, {"indent": 1}, {"ensure_ascii": False}, {"separators": (",", ":")}])
def test_rows_are_those_of_json_wherever_the_file_is_cut(tmp_path, monkeypatch, chunk, form):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    text = json.dumps(ROWS, **form)
    assert read(tmp_path, text) == ROWS == read(tmp_path, "\ufeff \n" + text + "\r\n ")
    assert read(tmp_path, " [ ] ") == []


@pytest.mark.parametrize("chunk", [1, 5, 2**20])
@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "x.json is empty"),
        (" \n ", "x.json is empty"),
        ('{"q": 1}', "x.json is not a list of rows"),
        ("7", "x.json is not a list of rows"),
        ("nothing", r"no whole JSON file \(Expecting value: line 1 column 1\)"),
        ('[{"q": "a"}', r"no whole JSON file \(Expecting ',' delimiter: line 1 column 12\)"),
        ('[{"q": "a"},\n {"q": "b"', r"no whole JSON file \(.*: line 2 column 11\)"),
        ('[{"q": "a"},\n\n  {"q": "b', r"no whole JSON file \(Unterminated string.*: line 3 column 9\)"),
        ('[{"q": "a"} {"q": "b"}]', r"Expecting ',' delimiter: line 1 column 13"),
        ('[{"q": "a"},]', r"no whole JSON file \(Expecting value: line 1 column 13\)"),
        ('[{"q": "a"}] x', r"Extra data: line 1 column 14"),
        ('[{"q": NaN}]', "NaN is no number in JSON"),
        ('[{"q": ' + "9" * 5000 + "}]", "no whole JSON file .*digits"),
        ("[" * 100_000, "can't be read .*recursion"),
        ('[{"q": "a"}, 7]', "x.json, row 2 is not an object"),
        ('[{"q": "a"}, {"p": "b"}]', "x.json, row 2 lacks q"),
        ('[{"q": "a"}, {"q": ["b"]}]', 'x.json, row 2 has .*"b".* as its q, not a text'),
        ('[{"q": "a"}, {"q": "b", "p": ["\\ud800"]}]', "x.json, row 2 holds a text .*surrogate"),
        (b'[{"q": "a\xff"}]', r"x.json is not UTF-8 \(byte 9 is 0xff\)"),
        ('[{"q": "ü"}]'.encode("latin-1"), r"x.json is not UTF-8 \(byte 8 is 0xfc\)"),
        ('[{"q": "a"}]'.encode("utf-16"), r"x.json is not UTF-8 \(byte 0 is 0xff\)"),
    ],
)
def test_what_is_no_list_of_rows_is_told_with_its_place(tmp_path, monkeypatch, chunk, text, part):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    if chunk == 1 and len(text) > 50_000:
        pytest.skip("slow, and the same")
    with pytest.raises(UserError, match=part):
        read(tmp_path, text)


def test_a_row_that_never_ends_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_ROW_CHARACTERS", 1000)
    monkeypatch.setattr(module, "_CHUNK", 100)
    with pytest.raises(UserError, match="Unterminated string"):
        read(tmp_path, '[{"q": "' + "a" * 10_000 + '"}]')


def test_a_long_file_is_never_in_memory_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 2**16)
    text = json.dumps([{"q": "x" * 1000, "n": number} for number in range(4000)])
    (tmp_path / "x.json").write_text(text)
    tracemalloc.start()
    count = sum(1 for _ in json_rows(SourceFiles(tmp_path), "x.json", required=("q",), called="NAME"))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Some chunks of 64 KB, of 4 MB.
    assert count == 4000 and most < 2**20
