"""The package's page tells the registry, the views and the gates as they are, and commands that there are.

python -m tests.mllmu_med_dataset.test_readme      writes the tables anew
"""

import re
import shlex
from pathlib import Path

import pytest

from mllmu_med_dataset.publishing.card import ABOUT_VIEWS
from mllmu_med_dataset.sources import SOURCES
from mllmu_med_dataset.verify.report import GATES, PRESIDIO
from mllmu_med_metrics.vocabulary import VIEWS_OF

PATH = Path(__file__).parents[2] / "mllmu_med_dataset" / "README.md"
PASSED_ON = {True: "yes", False: "no", None: "you say"}


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def tables():
    """Return the text between each pair of marks."""
    views = [[f"`{v}`", ", ".join(s for s in VIEWS_OF if v in VIEWS_OF[s]), told] for v, told in ABOUT_VIEWS.items()]
    sources = [
        [f"`{s.name}`", s.summary, s.license, PASSED_ON[s.redistributable], f"`{s.hub}`" if s.hub else ""]
        for s in SOURCES.values()
    ]
    gates = [[f"`{name}`", claim] for name, claim in (GATES | PRESIDIO).items()]
    gates[-1][1] += " (with `--presidio`)"
    return {
        "views": table(["view", "of", "what it asks"], views),
        "sources": table(["source", "what it reads", "licence", "pixels passed on", "on the Hub"], sources),
        "gates": table(["gate", "what it holds"], gates),
    }


def written(text):
    """Return the page with its tables written anew."""
    for name, content in tables().items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        before, rest = text.split(begin)
        text = before + begin + content + end + rest.split(end)[1]
    return text


def test_the_tables_are_those_of_the_code():
    text = PATH.read_text(encoding="utf-8")
    assert written(text) == text


def commands():
    blocks = re.findall(r"```bash\n(.*?)```", PATH.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", "").splitlines() if line]


@pytest.mark.parametrize("line", commands())
def test_every_command_is_one_that_there_is(line):
    import typer

    from baselines.cli import app

    program, name, *arguments = shlex.split(line)
    command = typer.main.get_command(app).commands[name]
    assert program == "mllmu-med"
    # Raises for an option that there is not, or that lacks its value.
    command.make_context(name, list(arguments))


def test_every_file_that_is_named_is_there():
    text = PATH.read_text(encoding="utf-8").split("## What is where")[1]
    names = re.findall(r"[a-z_/]+\.(?:py|json)\b", text)
    assert len(names) > 20 and all((PATH.parent / name).is_file() for name in names)


if __name__ == "__main__":
    PATH.write_text(written(PATH.read_text(encoding="utf-8")), encoding="utf-8")
