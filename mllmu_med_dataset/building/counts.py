"""What a build holds, counted from its files: for the card and its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, computed_field

from mllmu_med_metrics.vocabulary import SUBSETS, config_name, main_split

_TOLD = (
    "question_type", "modality", "body_region", "error_kind", "error_severity", "error_pool", "source", "license",
    "redistributable",
)  # fmt: skip
ROWS_AT_ONCE = 4_096


class Counts(BaseModel):
    """Rows of one config's own split, by what they are about and by what was put into them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # (value of each told column, rows), in a fixed order.
    rows: tuple[tuple[tuple[str, ...], int], ...]
    # Rows that show an identifier of a kind, and rows by how many identifiers they show.
    identifier_kinds: dict[str, int]
    identifiers_a_row: dict[int, int]

    @computed_field  # type: ignore[prop-decorator]  # as pydantic has it
    @property
    def total(self) -> int:
        """All rows."""
        return sum(number for _, number in self.rows)

    @property
    def injected(self) -> int:
        """Rows that show an identifier."""
        return sum(number for identifiers, number in self.identifiers_a_row.items() if identifiers)

    def by(self, *columns: str) -> dict[tuple[str, ...], int]:
        """Return how many rows have each combination of values of these columns, in order of the values."""
        places = [_TOLD.index(column) for column in columns]
        found: Counter[tuple[str, ...]] = Counter()
        for values, number in self.rows:
            found[tuple(values[place] for place in places)] += number
        return dict(sorted(found.items()))


def count(folder: Path, content: Mapping[str, Any]) -> dict[str, Counts]:
    """Return the counts of every config at 10 %, from the files of a build; of the columns one batch at a time."""
    scenarios = dict.fromkeys(config.split("_")[0] for config in content)
    configs = [config_name(scenario, subset) for scenario in scenarios for subset in SUBSETS]
    return {
        config: count_file(folder / "data" / config / f"{main_split(config)}-00000-of-00001.parquet")
        for config in configs
        if config in content
    }


def count_file(path: Path) -> Counts:
    """Return the counts of one file."""
    rows: Counter[tuple[str, ...]] = Counter()
    kinds: Counter[str] = Counter()
    numbers: Counter[int] = Counter()
    for batch in pq.ParquetFile(path).iter_batches(ROWS_AT_ONCE, columns=[*_TOLD, "phi"], use_threads=False):
        table = pa.Table.from_batches([batch])
        grouped = table.select(_TOLD).group_by(list(_TOLD)).aggregate([([], "count_all")])
        for row in grouped.to_pylist():
            rows[tuple("" if row[name] is None else str(row[name]) for name in _TOLD)] += row["count_all"]
        phi = batch.column("phi")
        kinds.update(_valued(pc.struct_field(pc.list_flatten(phi), "kind")))
        numbers.update(_valued(pc.list_value_length(phi)))
    return Counts(
        rows=tuple(sorted(rows.items())),
        identifier_kinds=dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0]))),
        identifiers_a_row=dict(sorted(numbers.items())),
    )


def _valued(values: pa.Array) -> dict[Any, int]:
    return {one["values"].as_py(): one["counts"].as_py() for one in pc.value_counts(values)}


def over(counts: Iterable[Counts], *columns: str) -> dict[tuple[str, ...], int]:
    """Return the rows of several configs together by these columns."""
    found: Counter[tuple[str, ...]] = Counter()
    for one in counts:
        found.update(one.by(*columns))
    return dict(sorted(found.items()))
