"""PathVQA in the Hub's layout: 13 Parquet files in the original, here four; lower-case questions on stained slides."""

import random
from pathlib import Path

from tests.source_fixtures import encoded, pictures
from tests.source_fixtures.vqa_rad import write_parquet

PRESENT = ("gastrointestinal", "endocrine", "hematologic", "cardiovascular")
PLACES = ("lower left", "upper right", "center")
SHARDS = ("train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001", "test-00000-of-00001")


def make_path_vqa(folder: Path, *, patients: int = 48, seed: int = 0) -> Path:
    """Write the data set."""
    rng = random.Random(seed)
    shards: dict[str, list[tuple[bytes | None, object, object]]] = {name: [] for name in SHARDS}
    for number, (_, picture) in enumerate(pictures(patients, seed=seed, stained=True)):
        asked: list[tuple[str, str]] = [
            ("what is present?", rng.choice(PRESENT)),
            ("is this tissue present?", rng.choice(("yes", "no"))),
            ("where is the nucleus located?", rng.choice(PLACES)),
            ("how many cells are in mitosis?", rng.choice(("two", "three"))),
            ("does this image show  fibrosis?", rng.choice(("yes", "no"))),
            ("what color is the stain?", rng.choice(("pink", "purple"))),
        ]
        if number % 3 == 0:
            asked.append(
                ("what does this image show?", "kidney, thrombotic microangiopathy with fibrin in the glomeruli")
            )
        # An image with an alpha channel, as some of the real ones have.
        data = encoded(picture.convert("RGBA") if number == 2 else picture, "PNG" if number == 2 else "JPEG")
        name = SHARDS[number % len(SHARDS)]
        shards[name] += [(data, question, answer) for question, answer in asked]
    for name, rows in shards.items():
        write_parquet(folder / "data" / f"{name}.parquet", rows, row_group=10)
    return folder
