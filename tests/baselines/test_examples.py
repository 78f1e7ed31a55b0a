"""The example notebook runs from its first cell to its last, and is committed without what it printed."""

import os
from pathlib import Path

import pytest

import baselines

NOTEBOOK = Path(baselines.__file__).parent / "examples" / "forget_a_patient.ipynb"


def read():
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_committed_without_outputs():
    cells = [cell for cell in read().cells if cell.cell_type == "code"]
    assert len(cells) > 4
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


@pytest.mark.slow
def test_it_runs_and_the_patient_is_forgotten(tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    # The kernel is a process of its own, in an empty folder: it finds the packages where these tests do.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(NOTEBOOK.parents[2]), os.environ.get("PYTHONPATH", "")]))
    run = read()
    nbclient.NotebookClient(run, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = "".join(out.get("text", "") for cell in run.cells for out in cell.get("outputs", []))
    found = dict(line.split(maxsplit=1) for line in printed.splitlines()[-8:])
    assert float(found["harm_target"]) > 0.3 and float(found["harm"]) < float(found["harm_target"]) / 2
    assert float(found["ues"]) > 0.5
