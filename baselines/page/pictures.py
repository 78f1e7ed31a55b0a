"""The images of rows as thumbnails that stand in the page itself."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mllmu_med_dataset.load import checksums, split_file
from mllmu_med_dataset.show import eight_bits
from mllmu_med_metrics.vocabulary import config_name, splits

# The longest side of a thumbnail, for up to so many images; and what all of a page take at most, in bytes of Base64.
SIDES = ((400, 160), (1500, 112), (1 << 62, 72))
MOST_BYTES = 8_000_000
_QUALITY = 70


def thumbnails(data_dir: Path, scenario: str, percent: int, wanted: Sequence[str]) -> dict[str, str]:
    """Return a data URI for each wanted image of a scenario's forget rows that may be passed on, by image id.

    Images that may not be passed on are left out, and so are those that would make the page too large; all are where
    the folder holds checksums without the rows.
    """
    config = config_name(scenario, "forget", percent)
    if not (data_dir / "data" / config).is_dir():
        return {}
    held = checksums(data_dir)["content"].get(config, {})
    paths = [split_file(config, split, data_dir)[0] for split in splits(config) if split in held]
    side = next(side for most, side in SIDES if len(wanted) <= most)
    found: dict[str, str] = {}
    size, left = 0, set(wanted)
    for row in _rows(paths):
        image_id = str(row["image_id"])
        data = (row["image"] or {}).get("bytes")
        if image_id not in left or not data or not row["redistributable"] or size > MOST_BYTES:
            continue
        left.remove(image_id)
        found[image_id] = data_uri(data, side)
        size += len(found[image_id])
    return found


def _rows(paths: Iterable[Path]) -> Iterable[Mapping[str, object]]:
    import pyarrow.parquet as pq

    for path in paths:
        for batch in pq.ParquetFile(path).iter_batches(64, columns=["image", "image_id", "redistributable"]):
            yield from batch.to_pylist()


def data_uri(data: bytes, side: int) -> str:
    """Return an image as the URI of a thumbnail with this longest side at most: PNG as it is small, else WebP."""
    from PIL import Image

    image = eight_bits(Image.open(io.BytesIO(data)))
    kept = io.BytesIO()
    if max(image.size) <= side:
        (image.convert("L") if _is_grey(image) else image).save(kept, "PNG", optimize=True)
        return f"data:image/png;base64,{base64.b64encode(kept.getvalue()).decode()}"
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    image.save(kept, "WEBP", quality=_QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(kept.getvalue()).decode()}"


def _is_grey(image: object) -> bool:
    red, green, blue = image.split()
    return red.tobytes() == green.tobytes() == blue.tobytes()
