"""A function fits on a screen: sixty lines at most, its signature and docstring with them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("baselines", "mllmu_med_tasks", "mllmu_med_dataset", "mllmu_med_metrics")
MOST_LINES = 60


def long_functions(text: str) -> list[tuple[str, int]]:
    """Return name and lines of every function of a module that is longer than may be."""
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = [(node.name, (node.end_lineno or 0) - node.lineno + 1) for node in functions]
    return [(name, lines) for name, lines in lengths if lines > MOST_LINES]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_function_is_longer_than_a_screen(package):
    found = {str(path): long_functions(path.read_text("utf-8")) for path in (ROOT / package).rglob("*.py")}
    assert {path: functions for path, functions in found.items() if functions} == {}


def test_a_longer_one_would_be_named():
    body = "    pass\n" * MOST_LINES
    assert long_functions(f"def short():\n{body[:-9]}") == []
    assert long_functions(f"class A:\n  def long(self):\n{body}") == [("long", MOST_LINES + 1)]
