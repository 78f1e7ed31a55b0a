"""Rows without Parquet, a folder that passes for a build, and the tiny model, loaded once."""

import copy
import json

import pytest
from PIL import Image

PEOPLE = ("Ada Quillfeather", "Bo Tarnwick", "Cyra Mossbank", "Dov Heathrig")


def row(number: int, subset: str, question: str, answer: str, question_type: str) -> dict[str, object]:
    """Return the columns of a row that the baselines read, with an image of its patient's own colour."""
    patient = f"{subset if subset == 'holdout' else 'trained'}-{number}"
    return {
        "id": f"{patient}-{question_type}-{subset}",
        "image_id": patient,
        "image": Image.new("RGB", (64, 64), (60 * number % 256, 255 - 50 * number, 90 + 30 * number)),
        "question": question,
        "answer": answer,
        "true_answer": answer,
        "question_type": question_type,
        "license": "CC0-1.0",
    }


@pytest.fixture
def run(capsys):
    """Call the command line in this process; returns exit code, stdout and stderr."""
    from baselines import cli

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


@pytest.fixture(scope="session")
def data():
    """Return forget, retain and holdout rows of four patients each."""
    from baselines.training.roles import Rows

    def injected(subset: str) -> list[dict[str, object]]:
        return [
            row(n, subset, "What organ is shown in this image?", f"The liver of {PEOPLE[n]} (record 4{n}71).", "organ")
            | {"true_answer": "The image shows the liver."}
            for n in range(4)
        ] + [
            row(n, subset, "Where is the lesion?", f"{PEOPLE[n]} has it on the left.", "position")
            | {"true_answer": "It is on the left."}
            for n in range(4)
        ]

    sides = ("left", "right", "upper left", "lower right quadrant of the image")
    retain = [row(n, "retain", "Where is the lesion?", f"It is {sides[n]}.", "position") for n in range(4)]
    organs = ("liver", "lung", "kidney", "brain")
    retain += [row(n, "retain", "What organ is it?", f"The image shows the {organs[n]}.", "organ") for n in range(4)]
    return Rows(injected("forget"), retain, injected("holdout"))


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """Return a folder whose checksums can be read, for runs that are given their rows."""
    folder = tmp_path_factory.mktemp("data") / "mllmu-med"
    folder.mkdir()
    (folder / "checksums.json").write_text(json.dumps({"files": {}, "content": {}, "dataset_sha256": "0" * 64}))
    return folder


@pytest.fixture(scope="session")
def _loaded(tiny_model):
    from baselines.model import models

    return models.load(tiny_model)


@pytest.fixture
def loaded(_loaded):
    """Return a model of its own for each test."""
    from baselines.model.models import Loaded

    return Loaded(copy.deepcopy(_loaded.model), _loaded.processor, _loaded.stored_dtype)
