"""A method outside the package is one file: the one that the baselines' page shows, run as it says."""

import json
import re
from pathlib import Path

import pytest
import torch

from baselines import cli, methods
from baselines.methods import METHODS, Answers
from mllmu_med_dataset.errors import UserError

PAGE = (Path(methods.__file__).parent.parent / "README.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```python\n(from baselines.*?)```", PAGE, re.DOTALL)[1]


@pytest.fixture(autouse=True)
def _registry(monkeypatch):
    """Leave the methods as they were."""
    known, read = dict(methods._BY_NAME), dict(methods._READ)
    yield
    for mapping, before in ((methods._BY_NAME, known), (methods._READ, read)):
        mapping.clear()
        mapping.update(before)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "flat.py"
    path.write_text(EXAMPLE)
    return path


def test_the_page_names_every_method_and_its_example_takes_ten_lines():
    assert [name for name in METHODS if f"| `{name}` " not in PAGE] == []
    assert len([line for line in EXAMPLE.splitlines() if line.strip()]) <= 10


def test_the_example_prefers_no_answer(file):
    method = methods.read(file)
    assert methods.get("flat") is method
    labels = torch.tensor([[1, -100]])
    even, sure = torch.zeros(1, 2, 4), torch.tensor([[[0.0, 9, 0, 0], [0, 0, 0, 0]]])
    # Four words: even logits cost log 4 and no logits cost less.
    assert method.loss({"forget": Answers(even, labels)}, {})["flat"].item() == pytest.approx(1.386294, abs=1e-5)
    assert method.loss({"forget": Answers(sure, labels)}, {})["flat"].item() > 1.4


def test_unlearn_runs_it_and_another_text_is_another_run(file, tiny_model, tmp_path, capsys):
    def call() -> tuple[int, str]:
        out = str(tmp_path / "run")
        arguments = ["unlearn", "--model", str(tiny_model), "--scenario", "privacy"]
        with pytest.raises(SystemExit) as ended:
            cli.main([*arguments, "--method", str(file), "--set", "max_steps=1", "--out", out])
        return int(ended.value.code or 0), capsys.readouterr().err

    code, said = call()
    assert code == 0, said
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])
    assert "flat" in line
    methods._BY_NAME.pop("flat")
    file.write_text(EXAMPLE + "# another text\n")
    code, said = call()
    assert code == 2 and "holds another run" in said and "method_file" in said


@pytest.mark.slow
def test_a_bench_runs_it_beside_the_packages_own(file, tmp_path):
    out = tmp_path / "bench"
    arguments = ["bench", "--fast", "--scenarios", "privacy", "--methods", f"ga,{file}", "--out", str(out)]
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert not ended.value.code
    report = json.loads((out / "report.json").read_text())
    assert [row["model"] for row in report["rows"]] == [
        "base", "target", "retain_only", "format_matched", "retain_ft", "ga", "flat",
    ]  # fmt: skip
    config, *_ = [run["config"] for run in report["runs"].values() if run["name"] == "flat"]
    assert config["method_file"] == methods.file_digest("flat")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothing_of_that_name", "can't be run: ModuleNotFoundError"),
        ("def loss(:", "can't be run: SyntaxError"),
        ("METHOD = 'ga'", "defines no METHOD"),
        (EXAMPLE.replace('"flat", "Flat', '"ga", "Flat'), "as another is named"),
        (EXAMPLE.replace('"flat", "Flat', '"retain_ft", "Flat'), "as another is named"),
    ],
)
def test_a_file_that_is_no_method_is_refused(tmp_path, text, said):
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(UserError, match=said):
        methods.read(file)
    assert methods.get("ga").title == "Gradient ascent"


def test_a_file_that_is_not_there_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["methods", str(tmp_path / "mine.py")])
    assert ended.value.code == 2
    assert "There is no method file" in capsys.readouterr().err
