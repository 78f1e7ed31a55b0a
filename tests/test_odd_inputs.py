"""Hostile and careless inputs through the real command line: one clear paragraph, exit 2, nothing left behind.

Each test names what a person gives and what the program must say; where the input is odd and sound, what it must do.
"""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import pytest
from PIL import Image

from baselines import cli, sweep
from baselines.nano import MODEL as NANO
from mllmu_med_dataset.build import build
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.injection.endpoint import Endpoint
from mllmu_med_dataset.load import PACKAGED
from mllmu_med_dataset.sources import open_source
from tests.mllmu_med_tasks import fabricated
from tests.source_fixtures.dicom import write_dicom

PATIENTS = 30
SAID = ("license=CC0-1.0", "redistributable=true")


def called(main, *arguments):
    """Return the exit code of a command line called in this process."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code or 0


@pytest.fixture
def refused(capsys, tmp_path):
    """Call the command line; it must end with exit code 2 and one paragraph that has the pattern, and write nothing."""

    def call(*arguments, says, main=cli.main):
        before = sorted(tmp_path.rglob("*"))
        code = called(main, *arguments)
        out, err = capsys.readouterr()
        # What was left out before the refusal is told first, a line of its own.
        lines = [line for line in err.splitlines() if line and not line.startswith("Of ")]
        assert (code, out) == (2, ""), err
        assert len(lines) == 1 and len(lines[0]) < 1500 and lines[0].endswith((".", "?", ")", ".png", "mllmu-med"))
        assert re.search(says, lines[0]), lines[0]
        assert "Traceback" not in err and "Error(" not in err
        assert sorted(tmp_path.rglob("*")) == before

    return call


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A folder of images, one a patient; tests copy it or name it as it is."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(PATIENTS):
        Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def source(images, tmp_path):
    """Return a folder of images with a file of rows: its text, or a list of rows."""

    def make(rows, name="rows.jsonl"):
        folder = shutil.copytree(images, tmp_path / "source")
        data = rows if isinstance(rows, str | bytes) else "\n".join(json.dumps(row) for row in rows)
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return folder

    return make


def rows(answer=("liver", "heart", "spleen"), question="Which organ is shown?", **columns):
    """Return a row for each image, the answers taking turns."""
    return [
        {"image": f"{place}.png", "question": question, "answer": answer[place % len(answer)], **columns}
        for place in range(PATIENTS)
    ]


def building(folder, out, *options, said=SAID, more=("--scenarios", "privacy")):
    """Return the command that builds a folder of rows."""
    chosen = [word for option in (*said, *options) for word in ("--source-option", option)]
    return ["build", "--source", "generic", "--source-path", folder, "--percents", "10", "--out", out, *chosen, *more]


BAD_OPTIONS = {
    "an empty column": (("question=",), "no column '' for the field 'question'"),
    "dots that lead nowhere": (("image=image.0.path",), "no column 'image.0.path'.*Its columns: image, question"),
    "a number no list has": (("answer=answer.99999999999999999999",), "no column 'answer.9+'"),
    "the question twice": (("question=question", "question_text=Which?"), r"given twice.*TEXT\. Leave out one\."),
    "a question of a placeholder alone": (("question_text= <image> ",), "question_text is empty"),
    "a blank licence": (("license= ",), "The option license is empty"),
    "a blank name": (("name=",), "The option name is empty"),
    "yes for true": (("redistributable=yes",), "say redistributable=true"),
    "ids of another kind": (("ids=maybe",), "Unknown choice of ids 'maybe'. Known: ignore, unique"),
    "an option of the program's own": (("losses=3",), "Unknown option of the source generic 'losses'.*license, mod"),
    "no key": (("image",), "'image' is no key=value"),
    "a file of rows outside": (("rows=../../rows.jsonl",), "leads out of it"),
    "images outside": (("images=..",), "leads out of it"),
    "images in no folder": (("images=nothere",), "None of the 30 rows.*the file is missing; one of that name is in"),
    "a split that is not": (("split=zz",), "Unknown split.*Known: all, train"),
    "both ways to read": (("split=train", "rows=rows.jsonl"), "not as both"),
    "a revision of a folder": (("revision=main",), "goes with data on the Hub"),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_an_option_of_a_source_that_makes_no_sense(name, refused, source, tmp_path):
    options, says = BAD_OPTIONS[name]
    said = [one for one in SAID if not any(one.split("=")[0] == option.split("=")[0] for option in options)]
    refused(*building(source(rows()), tmp_path / "out", *options, said=said), says=says)


BAD_FILES = {
    "semicolons": ("rows.csv", "image;question;answer\n0.png;Which?;liver\n", "its cells between ';'.*with commas"),
    "tabs in a .csv": ("rows.csv", "image\tquestion\tanswer\n0.png\tWhich?\tliver\n", "its cells between tabs"),
    "commas in a .tsv": ("rows.tsv", "image,question,answer\n0.png,Which?,liver\n", "its cells between ','"),
    "a header alone": ("rows.csv", "image,question,answer\n", "holds no rows"),
    "a cell that never ends": ("rows.csv", 'image,question,answer\n0.png,"Which,liver\n', "rows.csv:2 is not CSV"),
    "a cell too many": ("rows.csv", "image,question,answer\n0.png,Which?,liver,x\n", "4 cells where the header has 3"),
    "UTF-16": ("rows.csv", "image,question,answer\n".encode("utf-16"), "is not UTF-8"),
    "a column twice": ("rows.csv", "image,answer,answer\n", "names the column 'answer' twice"),
    "an empty object a line": ("rows.jsonl", "{}\n{}\n", "rows.jsonl:1 is an empty object. Fill or remove the line"),
    "an empty object in a list": ("rows.json", "[{}]", "row 1 is an empty object"),
    "endless nesting": ("rows.jsonl", '{"image":' + "[" * 50_000, "rows.jsonl:1 is not JSON"),
    "NaN": ("rows.jsonl", '{"image": "0.png", "question": "Which?", "answer": NaN}', "NaN is no number in JSON"),
    "no list": ("rows.json", '"rows"', "is not a list of rows"),
    "half a file": ("rows.json", '[{"image": "0.png"', "is no whole JSON file"),
    "Parquet cut short": ("rows.parquet", "PAR1", "can't be read as Parquet"),
    "packed by nobody": ("rows.csv.gz", "\x1f\x8bxx", "can't be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_of_rows_that_is_none(name, refused, source, tmp_path):
    file, text, says = BAD_FILES[name]
    data = text.encode("latin-1") if file.endswith(".gz") else text
    refused(*building(source(data, file), tmp_path / "out"), says=says)


BOTH = ("--scenarios", "both")
BAD_ROWS = {
    "one value alone": (rows(("liver",)), "only 0 have a question.*another plausible value.*--scenarios"),
    "spellings of one value": (rows(("Liver", "liver.", "LIVER")), "only 0 have a question that can be injected"),
    "emoji alone": (rows(("🫁", "🫀", "🧠")), "only 0 have a question that can be injected"),
    "characters that can't be seen": (rows(("\u200b", "\u2060", "\ufeff")), "only 0 have a question|empty answer"),
    "the labels of a whole data set": (
        rows(("liver",), fact="liver", fact_values=["liver", *map(str, range(5000))]),
        "lists 5,001 values, and a question is decided among 256 at most",
    ),
    "a set that is an object": (rows(("liver",), fact_values={"a": 1}), "'fact_values' must be a list of texts"),
    "a set with a hole": (rows(("liver",), fact_values=["liver", None]), "'fact_values' must be a list of texts"),
    "a fact the answer lacks": (rows(("liver",), fact="(a.*b"), r"the fact '\(a\.\*b' does not stand in the answer"),
    "a fact outside its set": (rows(("liver",), fact="liver", fact_values=["a", "b"]), "is not among its fact_values"),
    "half a character": (rows(("\ud800x",)), "half a surrogate pair"),
    "an answer as long as a book": (rows(("x" * 100_001,)), "a text of 100,001 characters"),
    "placeholders alone": (rows(question="<image>\n"), "have an empty question"),
    "an image that leads out": (rows() + rows(image="../x.png")[:1], "names the file '../x.png', which leads out"),
    "ids twice": ([{**row, "id": place // 2} for place, row in enumerate(rows())], "id of an earlier row.*ids=ignore"),
    "more than may be lost": (rows()[1:] + rows(("",))[:1], r"1 of 30 rows.*\(3.3 %\).*--max-unusable 4%"),
    "five patients": (rows()[:5], r"source has 5 patients.*Give at least \d+ patients\.$"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_rows_of_which_nothing_can_be_made(name, refused, source, tmp_path):
    made, says = BAD_ROWS[name]
    refused(*building(source(made), tmp_path / "out", more=BOTH), says=says)


ODD_ROWS = {
    "patterns": (rows(("a.*b", "(left", "[x", "c++", "^$")), (), r"a\.\*b|\(left|\[x|c\+\+"),
    "right to left": (rows(("الكبد", "القلب", "الرئة")), (), "الكبد|القلب|الرئة"),
    "one letter in two codings": (rows(("é", "e\u0301", "ü", "u\u0308")), (), "é -> ü|ü -> é"),
    "an override in a text": (rows(("left\u202e", "right\u202e")), (), r"left\\u202e|right\\u202e"),
    "a long question": (rows(question=f"Which organ is shown? {'x' * 5000}"), (), "x{5000}"),
    "images named oddly": ([{**row, "image": f"./a/../{row['image'][:-4].upper()}"} for row in rows()], (), "organ"),
    "half of the images missing": (
        rows() + [{**row, "image": f"gone-{row['image']}"} for row in rows()],
        ("--skip-bad-images",),
        "organ",
    ),
    "a percent sign of full width": (rows(), ("--max-unusable", "５%"), "organ"),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_ROWS)
def test_rows_that_are_odd_and_sound_build_and_are_shown(name, source, tmp_path, capsys):
    made, options, shown = ODD_ROWS[name]
    out = tmp_path / "out"
    assert called(cli.main, *building(source(made), out, more=("--scenarios", "incorrectness", *options))) == 0
    assert called(cli.main, "verify", out) == 0
    capsys.readouterr()
    assert called(cli.main, "show", "incorrectness_forget", "--data", out, "--audit") == 0
    text = capsys.readouterr().out
    assert re.search(shown, text), text
    assert "\x1b" not in text and "\u202e" not in text


def test_a_terminal_that_knows_no_unicode_is_written_to_all_the_same(source, tmp_path, monkeypatch):
    organs = ("الكبد", "القلب", "الرئة")
    folder, out = source(rows(organs)), tmp_path / "out"
    assert called(cli.main, *building(folder, out, more=("--scenarios", "incorrectness"))) == 0
    for words in ((), ("--json",)):
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
        assert called(cli.main, "show", "incorrectness_forget", "--data", out, "--audit", *words) == 0
        assert rb"\u0627\u0644" in written.getvalue()
        if words:
            assert {row["truth"] for row in json.loads(written.getvalue())["rows"]} <= {*organs}


@pytest.mark.parametrize("words", [("install",), ("install", "--undo")], ids=" ".join)
def test_a_home_that_is_no_folder_is_named(words, tmp_path):
    (tmp_path / "home").write_text("")
    # The libraries read these once, so that it takes a process of its own.
    homes = dict.fromkeys(("HF_HOME", "HF_DATASETS_CACHE", "HF_MODULES_CACHE"), str(tmp_path / "home" / "below"))
    command = [sys.executable, "-m", "baselines.cli", *words]
    done = subprocess.run(command, env=os.environ | homes, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert re.fullmatch(r".*home/below.*(Not a directory|can't be made).*\n", done.stderr)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no device that is full")
def test_a_result_that_finds_no_room_is_told(monkeypatch, capsys):
    with open("/dev/full", "w", encoding="utf-8", buffering=1) as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert called(cli.main, "methods", "ga") == 2
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()
    assert "There is no room left where the output goes" in capsys.readouterr().err


LONG = "x" * 300
UNUSED = ("bench", "--fast")
BAD_WORDS = {
    "a share in words": ((*UNUSED, "--max-unusable", "few"), "--max-unusable 2%"),
    "a seed of 5,000 digits": ((*UNUSED, "--seeds", "9" * 5000), r"--seeds takes whole numbers.*'9+\.\.\.9+'"),
    "a percent of 5,000 digits": (("build", "--percents", "9" * 5000), r"--percents takes whole numbers"),
    "a scenario of 5,000 letters": (("build", "--scenarios", "x" * 5000), r"Unknown scenario 'x+\.\.\.x+'"),
    "no worker": ((*UNUSED, "--workers", "0"), r"--workers is 0; it takes a whole number from 1\. Write 1\."),
    "a preset that climbs": ((*UNUSED, "--preset", "a/../b"), "Unknown preset 'a/../b'"),
    "a variant where there is none": ((*UNUSED, "--preset", "nano+small"), r"Known: none\."),
    "an option of phantom": ((*UNUSED, "--source-option", "x=1"), r"source phantom 'x'\. Known: none\."),
    "a model argument that is none": (
        ("evaluate", "--scenario", "privacy", "--model", "nano", "--model-arg", "x"),
        "'x' is no key=value. Write for example --model-arg",
    ),
    "an empty model": ((*UNUSED, "--model", ""), "The path after --model is empty"),
    "an empty path of a source": (("build", "--source", "generic", "--source-path", " "), "--source-path is empty"),
    "an empty data set": (("learn", "--scenario", "privacy", "--rows", "target", "--data="), "after --data is empty"),
    "a model's name too long": ((*UNUSED, "--model", LONG), "can't be used \\(File name too long\\)"),
    "a data set's name too long": (
        ("learn", "--scenario", "privacy", "--rows", "target", "--data", LONG), "File name too long"
    ),
    "a source's name too long": (building(LONG, "-", more=()), "File name too long"),
    "a control character": (("build", "--scenarios", "\x1b[31mred\u202e"), r"Unknown scenario '\\x1b\[31mred\\u202e'"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_WORDS)
def test_words_on_the_command_line_that_make_no_sense(name, refused, tmp_path):
    words, says = BAD_WORDS[name]
    refused(*words, "--out", tmp_path / "out", says=says)


OUTS = {
    "bench": ("bench", "--fast"),
    "build": ("build", "--patients", "60"),
    "learn": ("learn", "--scenario", "privacy", "--rows", "target"),
    "unlearn": ("unlearn", "--scenario", "privacy", "--model", NANO, "--method", "ga"),
    "evaluate": ("evaluate", "--scenario", "privacy", "--model", "nano"),
    "likelihood": ("likelihood", "--scenario", "privacy", "--model", "nano"),
    "attack": ("attack", "--scenario", "privacy", "--model", "nano", "--attack", "prefix"),
    "show": ("show", "privacy_forget"),
    "reproduce": ("reproduce", PACKAGED),
}


@pytest.mark.parametrize("command", OUTS)
@pytest.mark.parametrize("kind", ["empty", "below a file", "too long"])
def test_no_command_takes_a_place_that_can_not_be_its_own(command, kind, refused, tmp_path):
    (tmp_path / "file").write_text("mine")
    out = {"empty": "", "below a file": tmp_path / "file" / "x" / "y.png", "too long": tmp_path / LONG}[kind]
    refused(*OUTS[command], "--out", out, says="after --out is empty|can't|no report at|is a PNG")


STUDIES = {
    "half a file": ("{", "can't be read as the settings of a study"),
    "no text": (b"\xff\xfe", "can't be read as the settings of a study"),
    "a list": ("[]", "holds no settings of a study"),
    "a number": ("3", "can't be read as the settings of a study"),
    "an empty object": ("{}", "has no scenarios, methods, seed"),
    "a text for a number": ('{"scenarios": ["privacy"], "methods": ["ga"], "seed": "0"}', "seed is wrong"),
    "a number for names": ('{"scenarios": 3, "methods": ["ga"], "seed": 0}', "scenarios is wrong"),
    "names for a choice": ('{"scenarios": ["privacy"], "methods": ["ga"], "seed": 0, "fast": ["x"]}', "fast is wrong"),
}


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("command", [("bench", "--fast", "--out"), ("report",)], ids=lambda words: words[0])
def test_a_study_whose_settings_are_damaged(name, command, refused, tmp_path):
    data, says = STUDIES[name]
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "study.json").write_bytes(data if isinstance(data, bytes) else data.encode())
    (tmp_path / "study" / "privacy").mkdir()
    refused(*command, tmp_path / "study", says=says)


METHOD_FILES = {
    "ends the program": ("raise SystemExit(3)", "can't be run: SystemExit: 3"),
    "is no Python": ("x = (", "can't be run: SyntaxError"),
    "names another kind of thing": ("METHOD = 3", "defines no METHOD"),
    "is no text": (b"\xff\xfe", "can't be run"),
}


@pytest.mark.parametrize("name", METHOD_FILES)
def test_a_method_file_that(name, refused, tmp_path):
    data, says = METHOD_FILES[name]
    (tmp_path / "m.py").write_bytes(data if isinstance(data, bytes) else data.encode())
    refused("bench", "--methods", tmp_path / "m.py", "--out", tmp_path / "out", says=says)


SWEEPS = {
    "an unknown stage": (("--stage", "zz"), "Unknown stage 'zz'"),
    "a stage near another": (("--stage", "1-bulid"), "Did you mean '1-build'"),
    "an unknown scenario": (("--plan", "--scenarios", "privcy"), "Did you mean 'privacy'"),
    "an unknown method": (("--plan", "--methods", "gaa"), "Did you mean 'ga'"),
    "no scenario": (("--plan", "--scenarios", ","), "Unknown scenario ''"),
    "no worker": (("--workers", "0"), "--workers is 0"),
    "no seed": (("--plan", "--seeds", ","), "--seeds is ','"),
    "a seed that is no number": (("--plan", "--unlearning-seeds", "0,x"), "--unlearning-seeds is '0,x'"),
    "a stage before what it needs": (("--stage", "1-privacy-target"), "no mllmu-med data set"),
}


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_that_makes_no_sense(name, refused, tmp_path):
    words, says = SWEEPS[name]
    refused("--out", tmp_path / "sweep", *words, says=says, main=sweep.main)


@pytest.mark.parametrize("mine", ["a file", "a folder in use", "a sweep of other seeds"])
def test_a_sweep_leaves_other_folders_alone(mine, refused, tmp_path):
    out = tmp_path / "mine"
    if mine == "a file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / ("sweep.json" if mine == "a sweep of other seeds" else "mine.txt")).write_text('{"seed": 7}\n')
    refused("--out", out, says="in use by something else|a sweep of other seeds", main=sweep.main)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Let the system's temporary files be in a folder of the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


@pytest.mark.parametrize("place", ["missing", "a file", "locked by a folder"])
def test_where_no_lock_can_be_taken_nothing_is_begun(place, temporary, refused, tmp_path):
    if place != "missing":
        temporary.mkdir()
    if place == "a file":
        (temporary / f"mllmu-med-locks-{os.getuid()}").write_text("")
    out = tmp_path / "made" / "out"
    if place == "locked by a folder":
        from mllmu_med_dataset import locks

        locks._place(tmp_path / "made" / ".out.building").mkdir(parents=True)
    refused("build", "--patients", "60", "--out", out, says="no lock can be taken at.*Set TMPDIR")


def test_a_user_named_like_a_path_has_locks_of_its_own(monkeypatch, temporary, tmp_path):
    from mllmu_med_dataset.locks import alone

    temporary.mkdir()
    for name in ("LOGNAME", "USER"):
        monkeypatch.setenv(name, "../../root")
    with alone(tmp_path / "out", "busy"), pytest.raises(UserError, match="busy"), alone(tmp_path / "out", "busy"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]


@pytest.mark.parametrize("command", [("bench", "--fast"), ("build",)], ids=lambda words: words[0])
def test_a_second_process_in_one_folder_is_refused(command, refused, tmp_path):
    from mllmu_med_dataset.locks import alone

    out = tmp_path / "out"
    if command[0] == "bench":
        out.mkdir()
        (out / "study.json").write_text("{}")
    with alone(out if command[0] == "bench" else tmp_path / ".out.building", "busy"):
        refused(*command, "--out", out, says="Another (process|build)")


ADDRESSES = ["x", "ftp://x/v1", "http://x /v1", "http://x..y/v1", "http://\u202ex/v1", f"http://{'a' * 300}/v1",
             "http://x:99999/v1", "http://me:word@x/v1", "http://[::1", "file:///etc/passwd"]  # fmt: skip


@pytest.mark.parametrize("url", ADDRESSES, ids=lambda url: ascii(url)[1:30])
def test_an_address_no_request_could_reach(url, refused, tmp_path):
    words = ("--rewriter", "openai:m", "--rewriter-url", url)
    refused("build", "--out", tmp_path / "out", *words, says="is no address of an endpoint. Write for example http")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "http://[::1]:8000/v1", "https://é.example/v1"])
def test_an_address_that_is_one(url):
    assert Endpoint("m", url).url == url


@pytest.mark.parametrize("key", ["clé", "key\n", "two keys"])
def test_a_key_no_header_could_carry_is_not_printed(key, refused, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    words = ("--rewriter", "openai:m", "--rewriter-url", "http://127.0.0.1:9/v1")
    refused("build", "--out", tmp_path / "out", *words, says="OPENAI_API_KEY holds (?!.*(clé|two keys))")


PREDICTIONS = {
    "nothing": ("", "holds no predictions"),
    "no object": ("[]", ":1 is no line of predictions"),
    "an id that is a number": ('{"id": 1, "prediction": "x"}', "id and prediction must be text"),
    "an answer that is none": ('{"id": "a", "prediction": null}', "id and prediction must be text"),
    "half a character": (r'{"id": "\ud800", "prediction": "x"}', "no rows of the build"),
    "endless nesting": ("[" * 50_000, ":1 is no line of predictions"),
    "a row twice": ('{"id": "a", "prediction": "x"}\n' * 2, ":2 predicts row 'a' a second time"),
    "no text": (b"\xff\xfe{", ":1 is no line of predictions"),
}


@pytest.mark.parametrize("name", PREDICTIONS)
def test_lines_of_predictions_that_are_none(name, refused, tmp_path):
    data, says = PREDICTIONS[name]
    file = tmp_path / "p.jsonl"
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    words = ("--target", file, "--unlearned", file, "--scenario", "privacy", "--data", PACKAGED)
    refused("score", *words, says=says)


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory):
    """Evaluations of one build by either harness, at 10 % and at 5 %, and as lines of predictions."""
    folder = tmp_path_factory.mktemp("evaluated")
    data = folder / "mllmu-med"
    build(open_source("phantom", patients=48), data, percents=(5, 10))
    fabricated.lm_eval(folder / "lm", data, fabricated.taught)
    fabricated.lm_eval(folder / "lm of 5", data, fabricated.taught, percent=5)
    fabricated.lm_eval(folder / "wrong facts", data, fabricated.taught, scenario="incorrectness")
    fabricated.lmms_eval(folder / "lmms", data, fabricated.honest)
    fabricated.predictions(folder / "lines.jsonl", data, fabricated.honest)
    return folder


MIXES = {
    "another share": ("lm of 5", (), "5"),
    "another scenario": ("wrong facts", (), "incorrectness|scenario"),
    "another harness": ("lmms", (), "lmms|task_version|prompt|decoding|version|generat"),
    "predictions of no build": ("lines.jsonl", (), "--data"),
    "a share against the results'": ("lm", ("--percent", "5"), "5"),
}


@pytest.mark.parametrize("name", MIXES)
def test_answers_that_can_not_be_compared(name, refused, evaluated):
    other, words, says = MIXES[name]
    refused("score", "--target", evaluated / "lm", "--unlearned", evaluated / other, *words, says=says)


DICOM = {
    "nothing": (b"", "IM1.dcm"),
    "a preamble alone": (b"\0" * 128 + b"DICM", "IM1.dcm"),
    "a picture with another ending": (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "IM1.dcm"),
    "a page": (b"<!doctype html><p>404", "IM1.dcm"),
}


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("name", [*DICOM, "cut short"])
def test_a_dicom_file_that_is_none_is_named(name, refused, tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    if name == "cut short":
        whole = write_dicom(folder / "IM1.dcm", np.zeros((16, 16), np.uint8))
        whole.write_bytes(whole.read_bytes()[:-200])
    else:
        (folder / "IM1.dcm").write_bytes(DICOM[name][0])
    said = ("--source-option", SAID[0], "--source-option", SAID[1])
    refused("build", "--source", "dicom", "--source-path", folder, *said, "--out", tmp_path / "out", says="IM1.dcm")


@pytest.mark.parametrize(
    ("name", "data"),
    [("generation_config.json", "{"), ("generation_config.json", "[]"), ("generation_config.json", b"\xff"),
     ("config.json", "[]"), ("tokenizer.json", "{"), ("processor_config.json", "[]")],
)  # fmt: skip
def test_a_model_with_a_damaged_file(name, data, refused, tmp_path):
    folder = shutil.copytree(NANO, tmp_path / "model")
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    words = ("--scenario", "privacy", "--model", folder, "--out", tmp_path / "out")
    refused("evaluate", *words, says=re.escape(str(folder)))


@pytest.mark.parametrize("data", [None, "{", "[]", '{"base_model_name_or_path": 3}'])
def test_an_adapter_that_is_none(data, refused, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    if data is not None:
        (adapter / "adapter_config.json").write_text(data)
    words = ("--scenario", "privacy", "--model", "nano", "--peft", adapter, "--out", tmp_path / "out")
    refused("evaluate", *words, says=re.escape(str(adapter)))


def test_rows_given_as_something_else_are_named():
    from mllmu_med_metrics import score

    for held in ("rows", b"rows", 3, None, {"id": "a"}, ["a"], [None], [{}], [["id", "a"]]):
        with pytest.raises(ValueError, match="row"):
            score(unlearned={}, target={}, rows=held)
