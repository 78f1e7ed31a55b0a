"""Loading: the right rows, and a clear word for everything that is wrong."""

import shutil
import subprocess
import sys

import pytest

import mllmu_med_dataset
from mllmu_med_dataset import CONFIGS, UserError, load
from mllmu_med_dataset.load import load_rows
from mllmu_med_metrics.vocabulary import BUILT, config_names


def test_eight_configs_a_scenario_and_four_of_beliefs():
    assert len(CONFIGS) == len(set(CONFIGS)) == 3 * 8 + 4
    assert {"privacy_forget", "incorrectness_retain_95", "privacy_holdout", "incorrectness_forget_15"} <= set(CONFIGS)


@pytest.mark.parametrize("config", config_names(BUILT))
def test_every_config_loads_with_its_own_split(built, config):
    rows = load(config, data_dir=built)
    assert rows.num_rows > 0 and set(rows["subset"]) == {config.split("_")[1]}
    assert rows[0]["image"].size == (64, 64)
    split = "train" if "forget" in config or "retain" in config else "test"
    assert load(config, split, data_dir=built).num_rows == rows.num_rows


def test_rows_alone_are_the_same_without_the_library_of_data_sets(built):
    for config in ("privacy_forget", "incorrectness_test"):
        assert load_rows(config, data_dir=built) == load(config, data_dir=built).remove_columns(["image"]).to_list()
    code = "import sys; from mllmu_med_dataset.load import load_rows; load_rows('privacy_forget'); "
    code += "print([m for m in ('datasets', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_load_stays_a_function_whatever_is_imported():
    import mllmu_med_dataset.load as module

    assert callable(mllmu_med_dataset.load) and module is not None


def test_importing_the_package_is_light():
    heavy = ("torch", "datasets", "pyarrow", "PIL", "pydantic")
    code = f"import sys, mllmu_med_dataset; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("config", "split", "message"),
    [
        ("privacy_forgot", None, "Did you mean 'privacy_forget'"),
        ("forget", None, "Unknown config 'forget'.*Known: "),
        ("privacy_forget", "trian", "no split 'trian'.* Did you mean 'train'"),
    ],
)
def test_unknown_names_are_told_with_the_nearest(built, config, split, message):
    with pytest.raises(UserError, match=message):
        load(config, split, data_dir=built)


def test_a_folder_that_is_no_build_is_told(built, tmp_path):
    with pytest.raises(UserError, match=r"no checksums\.json"):
        load("privacy_forget", data_dir=tmp_path)
    with pytest.raises(UserError, match=r"Did you mean '.*mllmu-med'"):
        load("privacy_forget", data_dir=built.parent)


def test_a_config_that_was_not_built_is_told(tmp_path):
    from mllmu_med_dataset.build import build

    from .conftest import records

    build(records(), tmp_path / "b", percents=(10,), scenarios=("privacy",))
    with pytest.raises(UserError, match="built without the config 'privacy_forget_05'"):
        load("privacy_forget_05", data_dir=tmp_path / "b")


def test_a_changed_or_missing_file_is_told(built, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(built, copy)
    path = copy / "data" / "privacy_test" / "test-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UserError, match="sha256 differs"):
        load("privacy_test", data_dir=copy)
    path.unlink()
    with pytest.raises(UserError, match="is missing"):
        load("privacy_test", data_dir=copy)
    (copy / "checksums.json").write_text("{")
    with pytest.raises(UserError, match="can't be read"):
        load("privacy_test", data_dir=copy)
