"""Titles are those that methods and attacks have, and reading them runs nothing."""

import subprocess
import sys

import pytest

from baselines import attacks, methods
from baselines.page.titles import declared, titles

OWN = """
import no_such_package
METHOD = Method(name="mine", title="Mine", paper="our own", objective=f"{1}", loss=loss)
"""


def test_every_method_and_control_has_the_title_of_the_registry():
    names = [*methods.NAMES, *methods.CONTROLS]
    found = titles("method", names)
    assert list(found) == names
    for name in names:
        method = methods.get(name)
        assert found[name] == (name, method.title, method.paper)


def test_every_attack_has_the_title_of_the_registry():
    found = titles("attack", attacks.NAMES)
    assert list(found) == list(attacks.NAMES)
    for name, one in found.items():
        attack = attacks.get(name)
        assert (one.name, one.title) == (name, attack.title) and one.paper in ("", attack.paper)


def test_a_file_of_one_s_own_is_read_and_not_run(tmp_path):
    file = tmp_path / "anything.py"
    file.write_text(OWN)
    assert titles("method", ["mine", "ga"], [str(file)])["mine"] == ("mine", "Mine", "our own")
    assert list(titles("method", ["mine", "ga"], [str(tmp_path / "gone.py")])) == ["ga"]


@pytest.mark.parametrize(
    "text",
    ["", "METHOD = 1", "METHOD = made()", "METHOD = Method(name='a', title=title())", "def", "OTHER = f('a', 'b')"],
)
def test_a_file_that_says_no_title_has_none(text):
    assert declared(text, "method") is None


def test_no_model_library_is_needed():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from baselines.page.titles import titles; print(titles('method', ['ga'])['ga'].title)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == methods.get("ga").title
