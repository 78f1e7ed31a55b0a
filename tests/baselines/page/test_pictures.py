"""Thumbnails: of the wanted images alone, no larger than they may be, and none that may not be passed on."""

import base64
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from baselines.page import pictures
from mllmu_med_dataset import load
from mllmu_med_dataset.load import PACKAGED


def opened(uri: str) -> Image.Image:
    kind, _, data = uri.partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert kind == f"data:image/{image.format.lower()}"
    return image


def png(image: Image.Image) -> bytes:
    kept = io.BytesIO()
    image.save(kept, "PNG")
    return kept.getvalue()


def test_those_wanted_are_there_pixel_by_pixel_where_they_are_small():
    rows = load("privacy_forget")
    wanted = sorted(set(rows["image_id"]))[:3]
    found = pictures.thumbnails(PACKAGED, "privacy", 10, [*wanted, "none"])
    assert sorted(found) == wanted
    for row in rows:
        if row["image_id"] in wanted:
            shown = opened(found[row["image_id"]]).convert("RGB")
            assert np.array_equal(np.asarray(shown), np.asarray(row["image"].convert("RGB")))


@pytest.mark.parametrize(("size", "kept"), [((400, 200), (160, 80)), ((200, 400), (80, 160)), ((160, 9), (160, 9))])
def test_none_is_larger_than_its_side_and_all_keep_their_proportions(size, kept):
    assert opened(pictures.data_uri(png(Image.new("RGB", size, (200, 30, 30))), 160)).size == kept


def test_what_may_not_be_passed_on_is_left_out_and_so_is_what_is_too_much(monkeypatch, tmp_path):
    grey = [png(Image.fromarray(np.full((8, 8), value, dtype=np.uint8))) for value in (10, 20, 30)]
    table = pa.table(
        {
            "image": [{"bytes": data, "path": None} for data in grey],
            "image_id": ["a", "b", "c"],
            "redistributable": [True, False, True],
        }
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    (tmp_path / "data" / "privacy_forget").mkdir(parents=True)
    monkeypatch.setattr(pictures, "checksums", lambda folder: {"content": {"privacy_forget": {"train": {}}}})
    monkeypatch.setattr(pictures, "split_file", lambda *_: (tmp_path / "rows.parquet", ""))
    assert sorted(pictures.thumbnails(tmp_path, "privacy", 10, ["a", "b", "c"])) == ["a", "c"]
    monkeypatch.setattr(pictures, "MOST_BYTES", 10)
    assert sorted(pictures.thumbnails(tmp_path, "privacy", 10, ["a", "b", "c"])) == ["a"]


def test_a_folder_without_its_rows_has_no_images(tmp_path):
    (tmp_path / "checksums.json").write_text((PACKAGED / "checksums.json").read_text())
    assert pictures.thumbnails(tmp_path, "privacy", 10, ["a"]) == {}
