"""The study runs on what hospitals and labs have, from build to report: MIMIC, LLaVA-Med, DICOM, their own tables."""

import csv
import json

import pytest

from baselines import cli
from tests.slake_fixture import make_slake
from tests.source_fixtures import pack
from tests.source_fixtures.dicom import make_dicom
from tests.source_fixtures.llava_med import make_llava_med
from tests.source_fixtures.mimic import make_mimic

SAID = ("license=CC0-1.0", "redistributable=true")
MIMIC = ("acknowledge=true", "part=diff_vqa")


def make_csv(folder, *, patients):
    """Write a lab's own table: SLAKE's questions as CSV, with columns of other names."""
    # Of the three files one is read: seven images in ten.
    slake = make_slake(folder / "slake", patients=patients * 10 // 7)
    rows = [row for row in json.loads((slake / "train.json").read_text(encoding="utf-8")) if row["q_lang"] == "en"]
    with (slake / "table.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("img", "q", "a", "kind"))
        for row in rows:
            kind = {"kg": "knowledge"}.get(row["content_type"].lower(), row["content_type"].lower())
            kind = "yes_no" if row["answer"].strip() in ("Yes", "No") else kind
            writer.writerow((f"imgs/{row['img_name']}", row["question"], row["answer"], kind))
    return slake


SOURCES = {
    "mimic": (make_mimic, MIMIC),
    "llava_med": (make_llava_med, ()),
    "dicom": (make_dicom, SAID),
    "generic": (make_csv, (*SAID, "image=img", "question=q", "answer=a", "question_type=kind")),
}


def run(*words: object) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(word) for word in words])
    assert not ended.value.code


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
def test_build_verify_and_bench(source, tmp_path, capfd):
    make, options = SOURCES[source]
    folder = make(tmp_path / "data", patients=60)
    named = [word for option in options for word in ("--source-option", option)]
    run("build", "--source", source, "--source-path", folder, *named, "--out", tmp_path / "build")
    run("verify", tmp_path / "build")
    run("bench", "--fast", "--source", source, "--source-path", folder, *named, "--methods", "gd",
        "--out", tmp_path / "bench")  # fmt: skip
    report = json.loads((tmp_path / "bench" / "report.json").read_text())
    assert {row["scenario"] for row in report["rows"]} == {"privacy", "incorrectness"}
    assert all(row["n_forget"] > 0 for row in report["rows"])


@pytest.mark.slow
def test_an_archive_builds_the_same_bytes(tmp_path):
    folder = make_dicom(tmp_path / "data", patients=60)
    archive = pack(tmp_path / "data.zip", folder)
    sums = []
    for place in (folder, archive):
        named = [word for option in SAID for word in ("--source-option", option)]
        run("build", "--source", "dicom", "--source-path", place, *named, "--out", tmp_path / f"of {place.name}")
        sums.append(json.loads((tmp_path / f"of {place.name}" / "checksums.json").read_text())["dataset_sha256"])
    assert sums[0] == sums[1]
