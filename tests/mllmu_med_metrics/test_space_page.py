"""The page of the metric's Space: what its functions give, and, where gradio is installed, the page as it is served."""

import importlib.util
import json
import os
import re
import runpy
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import MagicMock

import pytest

import mllmu_med_metrics

APP = Path(mllmu_med_metrics.__file__).parent / "mllmu_med_ues" / "app.py"


@pytest.fixture(scope="module")
def app():
    spec = importlib.util.spec_from_file_location("mllmu_med_ues_app", APP)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_scores_what_it_says(app):
    sentence, table, whole = app.score_page(None, app.example())
    values = json.loads(whole)
    # Half of the wrong facts are still told: F 1/2, nothing else is lost: U 1; their harmonic mean is 2/3.
    assert (values["f"], values["u"], values["harm"]) == (0.5, 1.0, 0.5)
    assert values["ues"] == pytest.approx(2 / 3)
    assert sentence.startswith("UES 0.667, 95 % interval 0.")
    assert len(table) == len(app.SHOWN) and {len(line) for line in table} == {len(app.COLUMNS)}
    assert table[0][:2] == ["UES ↑", "0.667"] and table[2][1] == "0.500"
    assert table[2][2] == "{:.3f} to {:.3f}".format(*values["intervals"]["f"])


def test_a_file_counts_before_what_is_pasted(app, tmp_path):
    file = tmp_path / "answers.jsonl"
    file.write_text("\ufeff" + app.example() + "\n\n", encoding="utf-8")
    assert app.score_page(str(file), "not json") == app.score_page(None, app.example())


def test_lines_of_the_data_set_are_scored(app, privacy):
    names = {"unlearned": "half", "target": "target", "retain_only": "retain_only"}
    lines = [
        json.dumps({"row": row} | {key: privacy.models[name][row["id"]] for key, name in names.items()})
        for row in privacy.rows
    ]
    assert 0 < app.score_of("\n".join(lines))["ues"] < 1
    without = [json.dumps({**json.loads(line), "retain_only": None}) for line in lines]
    assert "No score" in app.score_page(None, "\n".join(without))[0]
    lacking = [re.sub(r', "retain_only": "[^"]*"}$', "}", line) for line in lines]
    assert app.score_of("\n".join(lacking))["unnormalised"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "There are no lines"),
        ("not json", "Line 1 is no JSON"),
        ("\n7", "Line 2 is no object"),
        ('{"row": {"id": "1"}}', "'unlearned'"),
        ('{"row": {}, "unlearned": "a", "target": "b"}', "no text in column"),
        ('{"row": {"id": "1"}, "unlearned": "a", "target": "b"}\n' * 2, "one id"),
        ("[" * 100_000, "Line 1"),
        ('{"row": {"id": "<script>"}, "unlearned": 7, "target": null}', "No score"),
    ],
)
def test_what_can_not_be_scored_is_said_in_a_sentence(app, text, says):
    sentence, table, whole = app.score_page(None, text)
    assert sentence.startswith("No score: ") and says in sentence
    assert (table, whole) == ([], "") and len(sentence) < 1000


def test_files_that_are_none_are_said(app, tmp_path, monkeypatch):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")
    assert "no text in UTF-8" in app.score_page(str(tmp_path / "picture.png"), None)[0]
    monkeypatch.setattr(app, "MOST_BYTES", 3)
    assert "has 5 bytes" in app.score_page(str(tmp_path / "picture.png"), None)[0]
    assert "No score" in app.score_page(str(tmp_path / "gone.jsonl"), None)[0]


def test_the_page_is_made_of_gradio_where_there_is_one(monkeypatch):
    """`app.py` run as a Space runs it, beside a stand-in for gradio; without gradio, importing it still works."""
    gradio = MagicMock()
    monkeypatch.setitem(sys.modules, "gradio", gradio)
    runpy.run_path(str(APP), run_name="__main__")
    gradio.Blocks.return_value.__enter__.return_value.launch.assert_called_once()
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert callable(runpy.run_path(str(APP))["score_page"])
    with pytest.raises(ImportError):
        runpy.run_path(str(APP), run_name="__main__")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("gradio") is None, reason="gradio is not installed (pip install gradio); a Space has it")
def test_the_page_is_served_and_its_example_scores_by_one_click(app, tmp_path):
    from gradio_client import Client, handle_file

    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "PYTHONPATH": str(APP.parents[2])}
    with subprocess.Popen(
        [sys.executable, "-u", str(APP)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            deadline = time.monotonic() + 120
            lines = []
            while not (found := re.search(r"http://[\d.]+:\d+", "".join(lines))):
                assert process.poll() is None and time.monotonic() < deadline, lines
                lines.append(process.stdout.readline())
            client = Client(found[0], verbose=False)
            _, example = client.predict(api_name="/example")
            assert example == app.example()
            sentence, table, whole = client.predict(None, example, api_name="/score")
            assert sentence.startswith("UES 0.667") and json.loads(whole)["f"] == 0.5
            assert table["data"] == app.score_page(None, example)[1]
            (tmp_path / "answers.jsonl").write_text(example)
            uploaded = client.predict(handle_file(tmp_path / "answers.jsonl"), "", api_name="/score")
            assert uploaded[0] == sentence
            assert "no JSON" in client.predict(None, "not json", api_name="/score")[0]
        finally:
            process.terminate()
