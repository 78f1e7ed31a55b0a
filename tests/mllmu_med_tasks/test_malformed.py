"""Result files and inputs that no score may be made of: each ends in one paragraph that names it, and exit code 2."""

import json
import shutil

import pytest

from baselines import cli
from tests.mllmu_med_tasks import fabricated

FORGET = "mllmu_med_privacy_forget"


@pytest.fixture(scope="module")
def good(data_dir, tmp_path_factory):
    """One folder of each kind that can be scored; tests change copies."""
    folder = tmp_path_factory.mktemp("good")
    fabricated.lm_eval(folder / "lm", data_dir, fabricated.taught)
    fabricated.lmms_eval(folder / "lmms", data_dir, fabricated.taught)
    fabricated.predictions(folder / "lines" / "p.jsonl", data_dir, fabricated.taught)
    return folder


@pytest.fixture
def run(capsys, data_dir):
    """Score a model against a good target; returns exit code, stdout and stderr."""

    def call(target, unlearned, *more):
        with pytest.raises(SystemExit) as ended:
            cli.main(["score", "--target", str(target), "--unlearned", str(unlearned), *map(str, more)])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def results(folder):
    return next(path for path in folder.iterdir() if "results" in path.name)


def edit(change):
    """Return a fault that changes the results document."""

    def fault(folder):
        path = results(folder)
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return fault


def write(text):
    """Return a fault that replaces the results document by other bytes."""
    return lambda folder: results(folder).write_bytes(text if isinstance(text, bytes) else text.encode())


def sample(change):
    """Return a fault in the second answer to a forget row; the change returns the new line."""

    def fault(folder):
        path = next(path for path in folder.iterdir() if path.name.startswith(f"samples_{FORGET}_2"))
        lines = path.read_text().splitlines()
        line = change(json.loads(lines[1]))
        lines[1] = line if isinstance(line, str) else json.dumps(line)
        path.write_text("\n".join(lines) + "\n")

    return fault


def without(key):
    return sample(lambda line: {name: value for name, value in line.items() if name != key})


def doc(**columns):
    return sample(lambda line: {**line, "doc": {**line["doc"], **columns}})


def answer(value):
    return sample(lambda line: {**line, "filtered_resps": value})


def replace(make):
    """Return a fault that writes other bytes into the file of answers to forget rows."""

    def fault(folder):
        path = next(path for path in folder.iterdir() if path.name.startswith(f"samples_{FORGET}_2"))
        made = make(path.read_bytes())
        path.unlink() if made is None else path.write_bytes(made)

    return fault


def second_run(folder):
    shutil.copytree(folder, folder / "again")


def other_model(folder):
    """Move one task into a run of its own, of another model."""
    path = results(folder)
    document = json.loads(path.read_text())
    apart = folder / "apart"
    apart.mkdir()
    moved = next(one for one in folder.iterdir() if one.name.startswith(f"samples_{FORGET}_2"))
    moved.rename(apart / moved.name)
    theirs = {**document, "results": {FORGET: {}}, "config": {"model": "hf", "model_args": {"pretrained": "other"}}}
    (apart / path.name).write_text(json.dumps(theirs))
    del document["results"][FORGET]
    path.write_text(json.dumps(document))


def both_harnesses(folder):
    """Add a run of the other harness that holds the task left out here."""
    edit(lambda document: document["results"].pop(FORGET))(folder)
    lines = (folder / f"samples_{FORGET}_{fabricated.DATE}.jsonl").read_text().splitlines()
    theirs = [{"row": one["doc"], "doc_hash": "", "filtered_resps": "x", "input": ""} for one in map(json.loads, lines)]
    (folder / f"{fabricated.DATE}_samples_{FORGET}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in theirs))
    document = json.loads(results(folder).read_text())
    document["results"] = {FORGET: {}}
    (folder / f"{fabricated.DATE}_results.json").write_text(json.dumps(document))


def everything(folder):
    for path in folder.iterdir():
        path.unlink()


LM_EVAL = {
    "an empty folder": (everything, "no answers to the tasks"),
    "results cut short": (
        lambda folder: write(results(folder).read_bytes()[:200])(folder),
        "no results file of lm-eval",
    ),
    "results that are empty": (write(""), "no results file of lm-eval"),
    "results that are a list": (write("[]"), "no results file of lm-eval"),
    "results without results": (write("{}"), "no results file of lm-eval"),
    "results that are NaN": (write("NaN"), "no results file of lm-eval"),
    "results in another encoding": (write('{"results": "é"}'.encode("latin-1")), "UnicodeDecodeError"),
    "results nested without end": (write("[" * 100_000), "RecursionError"),
    "tasks that are a list": (edit(lambda d: d.update(results=[FORGET])), "must be objects"),
    "configs that are text": (edit(lambda d: d.update(configs="all")), "must be objects"),
    "a config that is text": (edit(lambda d: d["configs"].update({FORGET: "x"})), "no run could have had"),
    "a share that is none": (
        edit(lambda d: d["configs"][FORGET]["metadata"].update(mllmu_med_percent="NaN")),
        "no run could have had",
    ),
    "a checksum that is a number": (
        edit(lambda d: d["configs"][FORGET]["metadata"].update(mllmu_med_data_sha256=7)),
        "no run could have had",
    ),
    "tasks of two data sets": (
        edit(lambda d: d["configs"][FORGET]["metadata"].update(mllmu_med_data_sha256="0" * 64)),
        "different data sets",
    ),
    "tasks at two shares": (
        edit(lambda d: d["configs"][FORGET]["metadata"].update(mllmu_med_percent=5)),
        "different forget shares",
    ),
    "no version of a task": (edit(lambda d: d["versions"].pop(FORGET)), "which version"),
    "another version of a task": (edit(lambda d: d["versions"].update({FORGET: "1-A"})), "version 3-A in one and 1-A"),
    "no counts of rows": (edit(lambda d: d.pop("n-samples")), "how many rows"),
    "a count that is NaN": (edit(lambda d: d["n-samples"][FORGET].update(effective=float("nan"))), "how many rows"),
    "a limit": (edit(lambda d: d["config"].update(limit=4)), "--limit 4"),
    "fewer rows than there are": (edit(lambda d: d["n-samples"][FORGET].update(original=9999)), "with a limit"),
    "a task left out": (edit(lambda d: d["results"].pop(FORGET)), f"misses the task {FORGET}"),
    "no file of answers": (replace(lambda _: None), "--log_samples"),
    "an empty file of answers": (replace(lambda _: b""), "cut short or edited"),
    "answers cut short": (replace(lambda data: data[:-30]), "no sample of"),
    "fewer answers than rows": (replace(lambda data: b"".join(data.splitlines(True)[:-1])), "cut short or edited"),
    "answers in another encoding": (replace(lambda data: b"\xff\xfe" + data), "UnicodeDecodeError"),
    "an answer given twice": (replace(lambda data: data + data.splitlines(True)[0]), "answered twice"),
    "a blank line among answers": (sample(lambda _: ""), ":2 is no sample"),
    "an answer line that is a number": (sample(lambda _: "7"), ":2 is no sample"),
    "an answer without its row": (without("doc"), ":2 is no sample"),
    "an answer without its prompt": (without("arguments"), ":2 is no sample"),
    "an answer that is null": (answer([None]), "the answer is not text"),
    "an answer that is NaN": (answer([float("nan")]), "the answer is not text"),
    "two answers to a row": (answer(["a", "b"]), ":2 is no sample"),
    "two answers in lists": (answer([["a"], ["b"]]), "2 different answers to one row"),
    "two answers of one request": (answer([["a", "b"]]), "2 different answers to one row"),
    "no answer in the list": (answer([]), "the list of answers is empty"),
    "no answer in a list of lists": (answer([[]]), "the list of answers is empty"),
    "an answer that is an object": (answer([{"text": "a"}]), "the answer is not text"),
    "answers as given that differ": (sample(lambda line: {**line, "resps": [["a", "b"]]}), "2 different answers"),
    "a row without id": (doc(id=None), "id is not text"),
    "a row of another task": (doc(subset="retain"), "its row is of privacy retain"),
    "a row of a view": (doc(view="direct"), "its row is of privacy forget direct"),
    "a row that says something else": (doc(true_answer="x"), "other content"),
    "other content of a row": (sample(lambda line: {**line, "doc_hash": "0"}), "other content"),
    "another prompt": (
        sample(lambda line: {**line, "arguments": {"gen_args_0": {"arg_0": "?", "arg_1": fabricated.SETTINGS}}}),
        "another chat template",
    ),
    "two runs of the tasks": (second_run, "two runs"),
    "two models": (other_model, "mixes two models"),
    "two harnesses": (both_harnesses, "both lm-eval and lmms-eval"),
}


@pytest.mark.parametrize("name", LM_EVAL)
def test_a_malformed_folder_of_results_is_told_in_one_paragraph(run, good, tmp_path, name):
    fault, said = LM_EVAL[name]
    broken = shutil.copytree(good / "lm", tmp_path / "broken")
    fault(broken)
    check(run(good / "lm", broken), said)


@pytest.mark.parametrize(
    ("fault", "said"),
    [(doc(phi=[]), "'phi'"), (doc(phi="Ada"), "'phi'"), (doc(true_answer=None), "true_answer"), (doc(fact=[]), "fact")],
)
def test_rows_that_can_not_be_scored_are_told_in_one_paragraph(run, good, tmp_path, fault, said):
    broken = shutil.copytree(good / "lm", tmp_path / "broken")
    fault(broken)
    check(run(broken, broken), said)


def check(ended, said):
    code, out, err = ended
    assert (code, out) == (2, ""), err
    assert said in err
    assert len(err.strip().splitlines()) == 1 and "Traceback" not in err


def lines(change):
    """Return a fault in a file of predictions: a function of its lines."""
    return lambda text: "\n".join(change(text.splitlines()))


def line(made):
    return lines(lambda told: [told[0], made if isinstance(made, str) else json.dumps(made), *told[2:]])


PREDICTIONS = {
    "no file": (None, "does not exist"),
    "an empty file": (lambda _: "", "holds no predictions"),
    "blank lines only": (lambda _: "\n\n", "holds no predictions"),
    "a table": (lambda _: "id,prediction\na,b\n", ":1 is no line of predictions"),
    "one list of all": (lambda _: '[{"id": "a", "prediction": "b"}]', "the line is no object"),
    "a line cut short": (lambda text: text[:-20], "is no line of predictions"),
    "a line that is NaN": (line("NaN"), "the line is no object"),
    "no id": (line({"prediction": "x"}), ":2 is no line of predictions (KeyError: 'id')"),
    "no prediction": (line({"id": "x"}), ":2 is no line of predictions (KeyError: 'prediction')"),
    "an id that is a number": (line({"id": 7, "prediction": "x"}), "must be text"),
    "a prediction that is null": (line({"id": "x", "prediction": None}), "must be text"),
    "a prediction that is a list": (line({"id": "x", "prediction": ["x"]}), "must be text"),
    "an id that is no row's": (lines(lambda told: [*told, '{"id": "no row", "prediction": "x"}']), "'no row'"),
    "a row predicted twice": (lines(lambda told: [*told, told[0]]), "a second time"),
    "a row left out": (lines(lambda told: told[1:]), "is missing"),
    "only retain rows": (lines(lambda told: told[20:40]), "misses the task mllmu_med_privacy_forget"),
}


@pytest.mark.parametrize("name", PREDICTIONS)
def test_malformed_predictions_are_told_in_one_paragraph(run, good, data_dir, tmp_path, name):
    fault, said = PREDICTIONS[name]
    path = tmp_path / "broken.jsonl"
    if fault is not None:
        path.write_text(fault((good / "lines" / "p.jsonl").read_text()))
    check(run(good / "lines" / "p.jsonl", path, "--data", data_dir), said)


def test_predictions_in_another_encoding_are_refused(run, good, data_dir, tmp_path):
    path = tmp_path / "broken.jsonl"
    path.write_bytes('{"id": "a", "prediction": "é"}'.encode("latin-1"))
    check(run(good / "lines" / "p.jsonl", path, "--data", data_dir), "UnicodeDecodeError")


def test_predictions_of_other_data_are_refused(run, good, tmp_path):
    other = tmp_path / "other.jsonl"
    # Two builds of one source share the ids of the rows that are the same in both.
    other.write_text((good / "lines" / "p.jsonl").read_text().replace('{"id": "', '{"id": "x'))
    check(run(other, other), "no rows of the packaged build")


def test_predictions_at_another_share_are_refused(run, good, data_dir):
    lines = good / "lines" / "p.jsonl"
    assert "at a forget share of 5 %" in run(lines, lines, "--data", data_dir, "--percent", "5")[2]


@pytest.mark.parametrize(
    ("target", "unlearned", "more", "said"),
    [
        ("lm", "lmms", (), "written by lm-eval, the other by lmms-eval"),
        ("lm", "lines/p.jsonl", ("--data", "DATA"), "the other by predictions"),
        ("lm", "lm", ("--scenario", "privacy_"), "Did you mean 'privacy'?"),
        ("lm", "lm", ("--scenario", "incorrectness"), "no answers to the tasks of the scenario incorrectness"),
        ("lm", "lm", ("--percent", "5"), "is at a forget share of 10 %, not of 5 %"),
        ("lm", "lm", ("--data", "nowhere"), "no mllmu-med data set"),
        ("lm", "nowhere", (), "does not exist"),
        ("lines/p.jsonl", "lines/p.jsonl", ("--data", "DATA", "--percent", "7"), "5, 10, 15"),
    ],
)
def test_inputs_that_do_not_belong_together_are_refused(run, good, data_dir, target, unlearned, more, said):
    more = [data_dir if one == "DATA" else one for one in more]
    check(run(good / target, good / unlearned, *more), said)


def lmms_line(change):
    """Return a fault in the second answer to a forget row of the other harness."""

    def fault(folder):
        path = next(path for path in folder.iterdir() if path.name.endswith(f"samples_{FORGET}.jsonl"))
        told = [json.loads(line) for line in path.read_text().splitlines()]
        change(told[1])
        path.write_text("".join(json.dumps(line) + "\n" for line in told))

    return fault


def lmms_answer(value):
    return lmms_line(lambda line: line.update(filtered_resps=value))


def as_version_0_1(folder):
    """Leave what lmms-eval 0.1 leaves: results.json, and one JSON document a task."""
    results(folder).rename(folder / "results.json")
    for path in list(folder.glob("*.jsonl")):
        path.rename(folder / f"{path.stem.split('samples_')[1]}.json")


LMMS_EVAL = {
    "results cut short": (
        lambda folder: write(results(folder).read_bytes()[:99])(folder),
        "no results file of lmms-eval",
    ),
    "no decoding": (edit(lambda d: d["configs"][FORGET].clear()), "is no sample of"),
    "a limit": (edit(lambda d: d["config"].update(limit=8)), "--limit 8"),
    "an answer that is null": (lmms_answer(None), "the answer is not text"),
    "an answer that is a number": (lmms_answer([3]), "the answer is not text"),
    "two answers to a row": (lmms_answer(["a", "b"]), "2 different answers to one row"),
    "no answers": (lmms_answer([]), "the list of answers is empty"),
    "the layout of version 0.1": (as_version_0_1, "lmms-eval 0.1"),
    "a row that is not logged": (lmms_line(lambda line: line.pop("row")), "the task's own row values"),
}


@pytest.mark.parametrize("name", LMMS_EVAL)
def test_malformed_results_of_the_other_harness_are_refused(run, good, tmp_path, name):
    fault, said = LMMS_EVAL[name]
    broken = shutil.copytree(good / "lmms", tmp_path / "broken")
    fault(broken)
    check(run(good / "lmms", broken), said)


def test_the_unbroken_ones_are_scored(run, good, data_dir):
    for one, more in (("lm", ()), ("lmms", ()), ("lines/p.jsonl", ("--data", data_dir))):
        code, out, err = run(good / one, good / one, *more, "--json")
        assert code == 0, err
        # A target and itself, without a gold: nothing is left to normalise by.
        assert json.loads(out)["unnormalised"] is True
