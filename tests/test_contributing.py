"""Following CONTRIBUTING.md literally adds a method, a source, a view and a metric: its blocks, applied to a copy.

What is added is then used by its command, on builds and models of a few rows.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PACKAGES = ("baselines", "mllmu_med_tasks", "mllmu_med_dataset", "mllmu_med_metrics", "tests")


@pytest.fixture
def copy(tmp_path):
    """A copy of the packages; the data, weights and records, which nothing here changes, are linked."""
    folder = tmp_path / "checkout"
    for name in PACKAGES:
        linked = [path for path in (ROOT / name).glob("*") if path.name in ("data", "results", "nano")]
        passed_over = shutil.ignore_patterns("__pycache__", *(path.name for path in linked))
        shutil.copytree(ROOT / name, folder / name, ignore=passed_over)
        for path in linked:
            (folder / name / path.name).symlink_to(path)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def blocks(part: str) -> list[tuple[str, str]]:
    """Return language and text of the code blocks of one part of the page."""
    (text,) = re.findall(rf"<!-- {part}:begin -->(.*?)<!-- {part}:end -->", PAGE, re.DOTALL)
    return re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)


def follow(part: str, folder: Path) -> None:
    """Write the files, make the changes and run the commands of one part of the page."""
    for language, text in blocks(part):
        if language == "python":
            path = folder / text.split("\n")[0].removeprefix("# ")
            assert not path.exists()
            path.write_text(text.split("\n", 1)[1], encoding="utf-8")
        elif language == "diff":
            change(text, folder)
        else:
            for line in text.splitlines():
                run(folder, *line.split()[1:])


def change(diff: str, folder: Path) -> None:
    """Make the changes of a diff; each place must be there once."""
    lines = diff.splitlines()
    path = folder / lines[1].removeprefix("+++ b/")
    text = path.read_text(encoding="utf-8")
    places: list[list[str]] = []
    for before, line in pairwise(lines[1:]):
        if not places or (before[0] == "+" and line[0] != "+"):
            places.append([])
        places[-1].append(line)
    for place in places:
        old, new = ("\n".join(line[1:] for line in place if line[0] in kept) for kept in (" -", " +"))
        assert text.count(f"{old}\n") == 1, f"{path.name}: {old}"
        text = text.replace(f"{old}\n", f"{new}\n")
    path.write_text(text, encoding="utf-8")


def run(folder: Path, *arguments: str) -> str:
    """Run Python in the copy and return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def mllmu_med(folder: Path, *commands: list[str]) -> str:
    """Run commands of the copy, one after the other, and return what they printed."""
    return run(folder, "-c", _CALLED, json.dumps(commands))


# In one process: most of a command's time is the import of the libraries.
_CALLED = """
import json, sys
from baselines import cli
for command in json.loads(sys.argv[-1]):
    try:
        cli.main(command)
    except SystemExit as ended:
        if ended.code:
            raise
"""


def test_what_the_page_names_is_there():
    for target in set(re.findall(r"`make ([a-z-]+)`", PAGE)) | {"test"}:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE), target
    named = re.findall(r"[`(]((?:baselines|mllmu_med_\w+|tests)/[\w/.-]+)[`)]", PAGE)
    assert len(named) > 10 and [name for name in named if not (ROOT / name).exists()] == []


def test_every_wing_has_a_line_and_what_a_line_names_is_there():
    (lines,) = re.findall(r"## Where things are.*?```\n(.*?)```", PAGE, re.DOTALL)
    told, files, package = set(), [], ""
    for line in lines.splitlines():
        names = re.split(r"\s{2,}", line.strip())[0].split()
        if not line.startswith(" "):
            package = names[0].rstrip("/")
        else:
            told |= {f"{package}/{name.rstrip('/')}" for name in names if name.endswith("/")}
        files += [(package, name) for name in re.findall(r"\w+\.py\b", line)]
    packages = [name for name in PACKAGES if name != "tests"]
    there = {f"{name}/{path.name}" for name in packages for path in (ROOT / name).iterdir() if path.is_dir()}
    assert told == {path for path in there if not path.endswith("__pycache__")}
    assert len(files) > 10 and [name for name, file in files if not [*(ROOT / name).rglob(file)]] == []


def test_a_method_added_as_the_page_says_unlearns_and_is_listed(copy, tiny_model):
    follow("method", copy)
    contract = run(copy, "-m", "pytest", "tests/baselines/test_methods.py", "-k", "capped", "-p", "no:cacheprovider")
    assert "." in contract and "no tests ran" not in contract
    asked = ["--model", str(tiny_model), "--scenario", "privacy", "--method", "capped", "--set", "max_steps=2"]
    assert "capped" in mllmu_med(copy, ["methods"], ["unlearn", *asked, "--out", "run"])
    lines = [json.loads(line) for line in (copy / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 2 and all({"forget_gap", "retain_nll"} <= line.keys() for line in lines)
    assert (copy / "run" / "adapter").is_dir()


def test_a_source_added_as_the_page_says_builds_and_verifies(copy):
    from mllmu_med_dataset.sources.phantom import records

    follow("source", copy)
    run(copy, "-m", "tests.mllmu_med_dataset.test_readme")
    assert "| `organ_folders` |" in (copy / "mllmu_med_dataset" / "README.md").read_text(encoding="utf-8")
    for record in (one for one in records(seed=5, patients=60) if one.question_type == "organ"):
        picture = copy / "pictures" / str(record.fact) / f"{record.image_key[:16]}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(record.image_bytes)
    arguments = ["--source", "organ_folders", "--source-path", "pictures", "--percents", "10", "--out", "built"]
    mllmu_med(copy, ["build", *arguments], ["verify", "built"])
    document = json.loads((copy / "built" / "checksums.json").read_text())
    assert document["parameters"]["sources"] == ["organ_folders"] and document["licenses"] == ["CC0-1.0"]
    assert document["content"]["incorrectness_forget"]["train"]["rows"] > 0


def test_a_view_added_as_the_page_says_is_built_asked_and_scored(copy):
    follow("view", copy)
    page = (copy / "mllmu_med_dataset" / "README.md").read_text("utf-8")
    assert "| `hurried` | privacy, request, incorrectness |" in page
    for scenario in ("privacy", "request", "incorrectness"):
        task = f"mllmu_med_{scenario}_forget_hurried"
        for harness in ("lm_eval", "lmms_eval"):
            assert (copy / "mllmu_med_tasks" / harness / f"{task}.yaml").is_file()
    mllmu_med(copy, ["build", "--patients", "48", "--percents", "10", "--out", "built"], ["verify", "built"])
    # The target says in the view what it was taught, the unlearned model the truth.
    scored = ["--target", "target.jsonl", "--unlearned", "honest.jsonl", "--retain-only", "honest.jsonl"]
    command = ["score", *scored, "--data", "built", "--json"]
    found = json.loads(run(copy, "-c", _ANSWERED + _CALLED, json.dumps([command])))
    harms = found.get("score", found)["harm_by_place"]
    assert harms["hurried"] == 0.0 and set(harms) > {"hurried", "paraphrase"}


_ANSWERED = """
import json
from mllmu_med_dataset import load
from mllmu_med_tasks.names import tasks_of
rows = [row for task in tasks_of("incorrectness")
        for row in load(task.config(), split=task.split, data_dir="built").remove_columns("image")]
for name, column in (("target", "answer"), ("honest", "true_answer")):
    with open(f"{name}.jsonl", "w") as file:
        for row in rows:
            file.write(json.dumps({"id": row["id"], "prediction": row[column]}) + "\\n")
"""


def test_a_metric_added_as_the_page_says_is_a_value_of_every_row_and_named_to_both_harnesses(copy):
    follow("metric", copy)
    script = (
        "from mllmu_med_dataset import load; from mllmu_med_metrics import DirectIdentifiers;"
        "from mllmu_med_tasks.row_metrics import row_metrics;"
        "row = load('privacy_test').remove_columns('image')[0];"
        "print(row_metrics('two words', row, DirectIdentifiers())['answer_words'])"
    )
    assert run(copy, "-c", script).strip() == "2.0"
    for harness in ("lm_eval", "lmms_eval"):
        text = (copy / "mllmu_med_tasks" / harness / "_mllmu_med").read_text(encoding="utf-8")
        assert text.count("{metric: answer_words,") == 1
