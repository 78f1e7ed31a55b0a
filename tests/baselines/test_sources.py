"""The study runs on other people's data: SLAKE in its true layout, and any JSONL with a folder of images."""

import json
import shutil

import pytest

from baselines import cli
from mllmu_med_dataset.load import load
from tests.slake_fixture import make_slake
from tests.source_fixtures.omnimedvqa import make_omnimedvqa
from tests.source_fixtures.path_vqa import make_path_vqa
from tests.source_fixtures.pmc_vqa import make_pmc_vqa
from tests.source_fixtures.vqa_rad import make_hub, make_osf

PUBLISHED = {
    "slake": ("slake", make_slake),
    "vqa_rad from OSF": ("vqa_rad", make_osf),
    "vqa_rad from the Hub": ("vqa_rad", make_hub),
    "path_vqa": ("path_vqa", make_path_vqa),
    "pmc_vqa": ("pmc_vqa", make_pmc_vqa),
    "omnimedvqa": ("omnimedvqa", make_omnimedvqa),
}


@pytest.fixture(scope="module")
def slake(tmp_path_factory):
    return make_slake(tmp_path_factory.mktemp("source") / "Slake1.0", patients=40)


def bench(out, *arguments: object) -> dict:
    once = ("--controls", "none", "--unlearning-seeds", "1", "--no-attacks")
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", "--fast", *once, "--out", str(out), *map(str, arguments)])
    assert not ended.value.code
    return json.loads((out / "report.json").read_text())


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(one) for one in arguments])
    assert not ended.value.code


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_build_verify_and_bench_run_on_every_published_source(name, tmp_path):
    source, make = PUBLISHED[name]
    named = ("--source", source, "--source-path", make(tmp_path / "source", patients=48))
    run("build", *named, "--out", tmp_path / "mllmu-med")
    run("verify", tmp_path / "mllmu-med")
    report = bench(tmp_path / "bench", *named, "--methods", "gd,idk", "--workers", "1")
    for scenario in ("privacy", "incorrectness"):
        models = [row["model"] for row in report["rows"] if row["scenario"] == scenario]
        assert models == ["base", "target", "retain_only", "gd", "idk"]
        # What may not be passed on is not in the build, but the study of its owner is about images.
        (built,) = {row["redistributable"] for row in load(f"{scenario}_forget", data_dir=tmp_path / "mllmu-med")}
        (shown,) = {row["image"] is not None for row in load(f"{scenario}_forget", data_dir=tmp_path / "mllmu-med")}
        assert built is shown is (source in ("slake", "vqa_rad"))
        assert all(row["image"] for row in load(f"{scenario}_forget", data_dir=tmp_path / "bench" / "mllmu-med"))
    assert all(row["n_forget"] > 0 for row in report["rows"])


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
