"""Break a copy of a build in one place and make everything else agree, so that only the rule meant can catch it."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from mllmu_med_dataset.building.content import ContentHash, dataset_sha256, file_sha256, image_content, open_image
from mllmu_med_dataset.record import features, row_id
from mllmu_med_metrics.vocabulary import main_split

Row = dict[str, Any]


class Copy:
    """A build that tests may break: rows are stored with the ids, checksums and card that go with them."""

    def __init__(self, build: Path, folder: Path) -> None:
        for path in build.rglob("*"):
            target = folder / path.relative_to(build)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file():
                os.link(path, target)
        self.folder = folder

    def name(self, config: str, split: str | None = None) -> str:
        return f"data/{config}/{split or main_split(config)}-00000-of-00001.parquet"

    def rows(self, config: str, split: str | None = None) -> list[Row]:
        return pq.read_table(self.folder / self.name(config, split)).to_pylist()

    def write(self, name: str, data: bytes | str) -> None:
        """Write a file anew: the good build has the same one by a hard link."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    def store(self, config: str, rows: list[Row], split: str | None = None, *, ids: bool = True) -> None:
        """Write the rows of a split with their ids, and everything that is told of them elsewhere."""
        split = split or main_split(config)
        for row in rows if ids else ():
            row["id"] = row_id(row)
        stream = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(rows, schema=features(config.split("_")[0]).arrow_schema), stream)
        self.write(self.name(config, split), stream.getvalue().to_pybytes())
        sums = ContentHash()
        for row in rows:
            sums.add(row, _content(row))
        self.tell(config, split, {"rows": sums.rows, "sha256": sums.hexdigest()})

    def tell(self, config: str, split: str, sums: dict[str, Any]) -> None:
        """Make checksums and card tell the rows of a split as they are now."""
        document = self.document()
        old = document["content"][config].get(split, {"rows": None, "sha256": ""})
        document["content"][config][split] = sums
        card = (self.folder / "README.md").read_text()
        _, head, body = card.split("---\n", 2)
        if old["rows"] != sums["rows"] or not old["sha256"]:
            front = yaml.load(head, yaml.CSafeLoader)
            entry = next(entry for entry in front["configs"] if entry["config_name"] == config)
            info = next(info for info in front["dataset_info"] if info["config_name"] == config)
            if not old["sha256"]:
                entry["data_files"].append({"split": split, "path": f"data/{config}/{split}-*"})
                entry["description"] += f" {sums['sha256']}"
                info["splits"].append({"name": split, "num_bytes": 1})
            next(found for found in info["splits"] if found["name"] == split)["num_examples"] = sums["rows"]
            head = yaml.dump(front, Dumper=yaml.CSafeDumper, sort_keys=False, width=10_000)
        if old["sha256"]:
            head = head.replace(old["sha256"], sums["sha256"])
        self.write("README.md", f"---\n{head}---\n{body}")
        self.seal(document)

    def document(self) -> dict[str, Any]:
        return json.loads((self.folder / "checksums.json").read_text())

    def seal(self, document: dict[str, Any] | None = None) -> None:
        """Make the checksums of contents and files those of what is there."""
        document = self.document() if document is None else document
        document["dataset_sha256"] = dataset_sha256(document["content"])
        document["files"] = {
            path.relative_to(self.folder).as_posix(): file_sha256(path)
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path.name != "checksums.json"
        }
        self.write("checksums.json", json.dumps(document))

    def change(
        self, config: str, split: str | None = None, where: Callable[[Row], bool] = lambda row: True, **columns: Any
    ) -> tuple[str, str]:
        """Change columns of the first row that fits (a function is given the row); return its file and its id."""
        rows = self.rows(config, split)
        row = next(filter(where, rows))
        row |= {name: value(row) if callable(value) else value for name, value in columns.items()}
        self.store(config, rows, split)
        return self.name(config, split), row["id"]


def _content(row: Row) -> Any:
    try:
        return image_content(open_image(row["image"]["bytes"])) if row["image"] else None
    except OSError:  # what is no image has no content
        return None
