"""Load one config of a build from its folder, checksums tested: no cache, no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mllmu_med_metrics.vocabulary import CONFIGS, main_split

from .errors import UserError, nearest, unknown

if TYPE_CHECKING:
    from datasets import Dataset

# The default phantom build, shipped in the package.
PACKAGED = Path(__file__).with_name("data") / "mllmu-med"


def data_folder(data_dir: Path | str | None = None) -> Path:
    """Return the folder of a build: the one given, else the packaged one; ``UserError`` where it is no build."""
    folder = PACKAGED if data_dir is None else Path(data_dir)
    if not (folder / "checksums.json").is_file():
        inner = folder / "mllmu-med"
        hint = f" Did you mean '{inner}'?" if (inner / "checksums.json").is_file() else ""
        raise UserError(
            f"{folder} is no mllmu-med data set: it has no checksums.json.{hint} "
            f"Build one with: mllmu-med build --source phantom --out {folder}"
        )
    return folder


def checksums(data_dir: Path | str | None = None) -> dict[str, Any]:
    """Return the checksums document of a build (parameters, files, content, patients)."""
    path = data_folder(data_dir) / "checksums.json"
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        document["files"], document["content"], document["dataset_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} can't be read as the checksums of a build ({error!r}). Build the data set again."
        ) from error
    return document


def load(config: str, split: str | None = None, data_dir: Path | str | None = None) -> Dataset:
    """Return one split of a config as a ``datasets.Dataset``; without ``split`` the config's own rows.

    ``data_dir`` is the folder of a build (with checksums.json in it); without it the packaged default build is read.
    Raises ``UserError`` for an unknown config or split and for a file whose checksum does not match.
    """
    path, content_sha256 = split_file(config, split, data_dir)
    # Imported late: the package itself must stay light.
    import pyarrow.parquet as pq
    from datasets import Dataset

    # In memory rather than through the datasets cache: nothing stale, nothing written, and a stable fingerprint.
    return Dataset(pq.read_table(path), fingerprint=content_sha256[:16])


def load_rows(config: str, split: str | None = None, data_dir: Path | str | None = None) -> list[dict[str, Any]]:
    """Return the rows of one split without their images: those of :func:`load`, without its libraries' start."""
    path, _ = split_file(config, split, data_dir)
    from pyarrow.parquet import ParquetFile

    # Not by `read_table`, which imports pandas.
    with ParquetFile(path) as file:
        columns = [name for name in file.schema_arrow.names if name != "image"]
        rows: list[dict[str, Any]] = file.read(columns=columns).to_pylist()
    return rows


def split_file(config: str, split: str | None = None, data_dir: Path | str | None = None) -> tuple[Path, str]:
    """Return the Parquet file of one split, its checksum tested, and the checksum of what its rows say."""
    if config not in CONFIGS:
        raise unknown("config", config, CONFIGS)
    folder = data_folder(data_dir)
    document = checksums(folder)
    if config not in document["content"]:
        built = ", ".join(document["content"])
        raise UserError(
            f"The data set in {folder} was built without the config '{config}'; it has {built}. "
            "Build it with the percents and scenarios that you need."
        )
    splits = document["content"][config]
    split = main_split(config) if split is None else split
    if split not in splits:
        raise UserError(
            f"The config '{config}' has no split '{split}'.{nearest(split, splits)} It has: {', '.join(splits)}."
        )
    name = f"data/{config}/{split}-00000-of-00001.parquet"
    path = folder / name
    if not path.is_file():
        raise UserError(f"{path} is missing though checksums.json lists it. Build the data set again.")
    from .building.content import file_sha256

    if file_sha256(path) != document["files"].get(name):
        raise UserError(
            f"{path} is not the file that was built: its sha256 differs from the one in checksums.json. "
            "Build the data set again, or restore the file."
        )
    return path, splits[split]["sha256"]
