"""The study runs on other people's data: SLAKE in its true layout, and any JSONL with a folder of images."""

import json
import shutil

import pytest

from baselines import cli
from tests.slake_fixture import make_slake


@pytest.fixture(scope="module")
def slake(tmp_path_factory):
    return make_slake(tmp_path_factory.mktemp("source") / "Slake1.0", patients=40)


def bench(out, *arguments: object) -> dict:
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", "--fast", "--out", str(out), *map(str, arguments)])
    assert not ended.value.code
    return json.loads((out / "report.json").read_text())


@pytest.mark.slow
def test_bench_runs_on_slake_from_a_folder_and_from_its_zip(slake, tmp_path):
    quick = ["--methods", "gd,idk"]
    folder = bench(tmp_path / "folder", "--source", "slake", "--source-path", slake, *quick)
    assert {row["scenario"] for row in folder["rows"]} == {"privacy", "incorrectness"}
    archive = make_slake(tmp_path / "Slake1.0", patients=40, zipped="all")
    zipped = bench(tmp_path / "zip", "--source", "slake", "--source-path", archive, *quick)
    assert zipped["dataset_checksum"] == folder["dataset_checksum"]


def test_bench_runs_on_a_generic_jsonl_with_mapped_columns(slake, tmp_path):
    data = tmp_path / "own"
    data.mkdir()
    rows = json.loads((slake / "train.json").read_text(encoding="utf-8"))
    kept = [row for row in rows if row["q_lang"] == "en" and row["answer"].strip()]
    with (data / "rows.jsonl").open("w", encoding="utf-8") as file:
        for row in kept:
            file.write(json.dumps({"img": row["img_name"], "q": row["question"], "a": row["answer"]}) + "\n")
    shutil.copytree(slake / "imgs", data / "imgs")
    options = ("image=img", "question=q", "answer=a", "images=imgs", "license=CC-BY-4.0", "redistributable=true")
    named = [word for option in options for word in ("--source-option", option)]
    report = bench(
        tmp_path / "out",
        "--source",
        "generic",
        "--source-path",
        data,
        *named,
        "--methods",
        "gd",
        "--scenarios",
        "privacy",
    )
    assert [row["model"] for row in report["rows"]] == ["base", "target", "retain_only", "gd"]
    assert all(row["n_forget"] > 0 for row in report["rows"])
